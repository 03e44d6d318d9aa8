"""The parameter file and the table of parameters are those of the code."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from hand4d_ros.ros.forecaster_config import ForecasterNodeConfig
from hand4d_ros.ros.params_text import markdown_from_config
from hand4d_ros.ros.schema import config_from_values, specs_from_config
from hand4d_ros.ros.tracker_config import TrackerNodeConfig

ROOT = Path(__file__).parents[2]
CONFIGS: dict[str, object] = {"tracker": TrackerNodeConfig(), "forecaster": ForecasterNodeConfig()}


def _flat(tree: dict[str, object], prefix: str = "") -> dict[str, object]:
    values: dict[str, object] = {}
    for key, value in tree.items():
        if isinstance(value, dict):
            values |= _flat(value, f"{prefix}{key}.")
        else:
            values[prefix + key] = value
    return values


@pytest.mark.parametrize(
    ("form", "file"), [("yaml", "config/tracker.yaml"), ("markdown", "docs/parameters.md")]
)
def test_the_committed_files_are_the_generated_ones(form: str, file: str) -> None:
    """When this fails: python -m hand4d_ros.ros.params_text FORM > FILE."""
    command = [sys.executable, "-m", "hand4d_ros.ros.params_text", form]
    made = subprocess.run(command, capture_output=True, text=True, check=True, cwd=ROOT).stdout
    assert made == (ROOT / file).read_text(encoding="utf-8")
    if form == "yaml":
        assert max(len(line) for line in made.splitlines()) <= 100


@pytest.mark.parametrize("node", CONFIGS)
def test_the_file_holds_exactly_the_defaults(node: str) -> None:
    """Read back, the file makes the default config and names every parameter."""
    tree = yaml.safe_load((ROOT / "config/tracker.yaml").read_text(encoding="utf-8"))
    values = _flat(tree[f"/**/{node}"]["ros__parameters"])
    config = CONFIGS[node]
    named = {spec.name for spec in specs_from_config(config) if spec.default != ()}
    assert set(values) == named
    assert config_from_values(config, values) == config


@pytest.mark.parametrize("config", CONFIGS.values(), ids=list(CONFIGS))
def test_every_parameter_is_described(config: object) -> None:
    """No parameter without a sentence: it is the help of rqt, of the file and of the table."""
    silent = [s.name for s in specs_from_config(config) if not s.description]
    assert silent == []


def test_the_table_has_a_row_for_each_parameter() -> None:
    """Each row has the five cells of the header."""
    lines = markdown_from_config(TrackerNodeConfig()).splitlines()
    assert len(lines) == 2 + len(specs_from_config(TrackerNodeConfig()))
    assert {line.replace("\\|", "").count("|") for line in lines} == {6}


@pytest.mark.parametrize("arguments", [[], ["html"]])
def test_usage(arguments: list[str]) -> None:
    """Anything but yaml or markdown prints the usage and ends with 2."""
    command = [sys.executable, "-m", "hand4d_ros.ros.params_text", *arguments]
    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=ROOT)
    assert done.returncode == 2
    assert done.stderr.startswith("usage:")
