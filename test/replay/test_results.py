"""A folder of results: all files or a clear error."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from replay_samples import InputOptions, write_input, write_output

from hand4d_ros.errors import BagError, MediaError
from hand4d_ros.replay.outputs import make_folder, staged
from hand4d_ros.replay.results import ResultOptions, write_results


def test_all_results(tmp_path: Path) -> None:
    """Report, video and figures of a live run, which agree with each other."""
    source = write_input(tmp_path / "in.mcap", InputOptions(truth=True, raw=False))
    hands = write_output(tmp_path / "hands.mcap", shift_m=0.01, drop=(3,))
    out = tmp_path / "deep" / "out"
    options = ResultOptions(title="Kitchen", mode="live", detector="truth", config='{"a": 1}')
    metrics = write_results(source, hands, out, options)
    assert sorted(p.name for p in out.iterdir()) == ["metrics.json", "overlay.mp4", "report.html"]
    written = json.loads((out / "metrics.json").read_text(encoding="utf-8"))
    assert written == json.loads(json.dumps(metrics))
    assert written["run"]["mode"] == "live"
    assert written["hands"]["right"]["wrist_error_median_m"] == pytest.approx(0.01, abs=1e-6)
    page = (out / "report.html").read_text(encoding="utf-8")
    assert "Kitchen" in page
    assert "live run over DDS" in page
    write_results(source, hands, out, options)


def test_shortest_run(tmp_path: Path) -> None:
    """A single image is a run too."""
    source = write_input(tmp_path / "in.mcap", InputOptions(images=1))
    write_results(source, write_output(tmp_path / "hands.mcap", 1), tmp_path / "out")
    assert (tmp_path / "out" / "report.html").stat().st_size > 5_000


def test_missing_bags(tmp_path: Path) -> None:
    """Bags that are not there are named."""
    with pytest.raises(BagError, match=r"there is no bag at .*none\.mcap"):
        write_results(tmp_path / "none.mcap", tmp_path / "none.mcap", tmp_path / "out")


def test_folder_that_cannot_be_made(tmp_path: Path) -> None:
    """The folder is checked before anything is computed."""
    (tmp_path / "file").touch()
    with pytest.raises(MediaError, match="cannot be written"):
        write_results(tmp_path / "a", tmp_path / "b", tmp_path / "file" / "out")
    with pytest.raises(BagError, match="cannot be written"):
        make_folder(tmp_path / "file", BagError)


def test_staged_files_are_whole_or_absent(tmp_path: Path) -> None:
    """A failing block keeps what was there; a succeeding one replaces it."""
    path = tmp_path / "a.txt"
    path.write_text("old")

    def fail() -> None:
        with staged(path, MediaError) as aside:
            aside.write_text("half")
            raise KeyError

    with pytest.raises(KeyError):
        fail()
    assert path.read_text() == "old"
    with staged(path, MediaError) as aside:
        aside.write_text("new")
    assert path.read_text() == "new"
    assert [p.name for p in tmp_path.iterdir()] == ["a.txt"]
