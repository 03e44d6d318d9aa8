"""The registry, what it says of each dataset, and the page that is made of it."""

from __future__ import annotations

import dataclasses
import re
import sys
from pathlib import Path

import pytest

from hand4d_ros.datasets.base import DatasetLoader
from hand4d_ros.datasets.dexycb import DexYcb, DexYcbConfig
from hand4d_ros.datasets.document import datasets_markdown, main
from hand4d_ros.datasets.registry import DATASETS, open_dataset
from hand4d_ros.errors import DatasetError

PAGE = Path(__file__).parent.parent.parent / "docs" / "datasets.md"
PROMISED = {
    *("dexycb", "arctic", "hot3d_clips", "h2o", "ho3d_v3", "interhand26m"),
    *("assemblyhands", "fpha", "grab", "amass", "real"),
}


def test_every_promised_dataset_is_there() -> None:
    """Under its own key."""
    assert set(DATASETS) == PROMISED
    assert all(key == entry.info.key for key, entry in DATASETS.items())


@pytest.mark.parametrize("key", sorted(PROMISED))
def test_opening_reads_nothing(tmp_path: Path, key: str) -> None:
    """A loader of a folder that is not there complains only when it is asked for something."""
    loader = open_dataset(key, tmp_path / "nowhere")
    assert isinstance(loader, DatasetLoader)
    with pytest.raises(DatasetError) as raised:
        loader.sequence_names()
    info = DATASETS[key].info
    for part in (info.title, info.where, info.licence, info.layout, str(tmp_path)):
        assert part in str(raised.value), part


@pytest.mark.parametrize("key", sorted(PROMISED))
def test_configs_are_frozen_and_described(key: str) -> None:
    """Each field has a docstring under it, as documentation and ``--help`` read it."""
    config = DATASETS[key].config
    if config is None:
        return
    assert dataclasses.is_dataclass(config)
    assert config.__dataclass_params__.frozen  # type: ignore[attr-defined]
    source = Path(sys.modules[config.__module__].__file__ or "").read_text(encoding="utf-8")
    for field in dataclasses.fields(config):
        assert re.search(rf"^    {field.name}: .*\n    \"\"\"", source, re.MULTILINE), field.name


def test_unknown_names_and_configs_are_refused(tmp_path: Path) -> None:
    """The message lists the names, or the config that belongs to the dataset."""
    with pytest.raises(DatasetError, match="no dataset 'freihand'; choose one of dexycb, arctic"):
        open_dataset("freihand", tmp_path)
    with pytest.raises(DatasetError, match="config is a DexYcbConfig, expected H2OConfig"):
        open_dataset("h2o", tmp_path, DexYcbConfig())
    with pytest.raises(DatasetError, match="config is a DexYcbConfig, expected none"):
        open_dataset("grab", tmp_path, DexYcbConfig())
    assert isinstance(open_dataset("dexycb", tmp_path, DexYcbConfig()), DexYcb)


def test_points_are_whole_sentences_or_lines() -> None:
    """Folded lines are unfolded; none is empty."""
    for entry in DATASETS.values():
        for name in ("conventions", "not_derivable", "sources"):
            points = entry.info.points(name)
            assert points
            assert all(point.strip() == point and point for point in points), entry.info.key


def test_the_page_is_true() -> None:
    """If this fails, run ``python -m hand4d_ros.datasets.document docs/datasets.md``."""
    assert PAGE.read_text(encoding="utf-8") == datasets_markdown()


def test_the_command_writes_the_page(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """And says how it is used otherwise."""
    target = tmp_path / "page.md"
    monkeypatch.setattr(sys, "argv", ["document", str(target)])
    assert main() == 0
    assert target.read_text(encoding="utf-8") == datasets_markdown()
    monkeypatch.setattr(sys, "argv", ["document"])
    assert main() == 2
    assert capsys.readouterr().err == "usage: python -m hand4d_ros.datasets.document PAGE\n"
