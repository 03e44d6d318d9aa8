"""Limits for continuous integration: read strictly, hold or fail plainly."""

from __future__ import annotations

from pathlib import Path

import pytest

from hand4d_ros.errors import MetricError
from hand4d_ros.evaluation.thresholds import read_limits, verdicts

FIGURES = {
    "offline": {"both": {"mpjpe_mm": 20.0}, "left": {"observed_fraction": 0.95}},
    "live": {"both": {"mpjpe_mm": 35.0}, "left": {}},
}


def held(tmp_path: Path, text: str) -> list[tuple[str, bool]]:
    """Return the reading and outcome of every limit in a file."""
    path = tmp_path / "limits.yaml"
    path.write_text(text, encoding="utf-8")
    return [(v.reading, v.passed) for v in verdicts(read_limits(path), FIGURES)]


def test_limits_hold_or_fail(tmp_path: Path) -> None:
    """A limit is about every reading unless it names one; both hands unless it names one."""
    assert held(tmp_path, "mpjpe_mm: {max: 30}") == [("offline", True), ("live", False)]
    assert held(tmp_path, "live.mpjpe_mm: {min: 30, max: 40}") == [("live", True)]
    assert held(tmp_path, "offline.left.observed_fraction: {min: 0.9}") == [("offline", True)]
    assert held(tmp_path, '{"offline.both.mpjpe_mm": {"max": 19.5}}') == [("offline", False)]


def test_what_was_not_measured_fails(tmp_path: Path) -> None:
    """A figure that is missing does not pass, and says so."""
    path = tmp_path / "limits.yaml"
    path.write_text("left.observed_fraction: {min: 0.9}", encoding="utf-8")
    offline, live = verdicts(read_limits(path), FIGURES)
    assert offline.passed
    assert not live.passed
    assert live.text == "FAIL  live left observed_fraction: not measured, must be at least 0.9"
    assert offline.text.startswith("pass  offline left observed_fraction: 0.95")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "must map figures to limits"),
        ("- 1", "must map figures to limits"),
        ("a: [", "cannot be read"),
        ("mpjpe_mm: 30", "is no limit"),
        ("a.b.c.mpjpe_mm: {max: 1}", "is no limit"),
        ("mpjpe_mm: {maximum: 30}", "give min, max or both"),
        ("mpjpe_mm: {max: low}", "as numbers"),
        ("mpjpe_mm: {min: 3, max: 2}", "nothing is at least 3 and at most 2"),
        ("replayed.mpjpe_mm: {max: 2}", "there are offline, live"),
    ],
)
def test_bad_files(tmp_path: Path, text: str, message: str) -> None:
    """A mistake in the file is named."""
    with pytest.raises(MetricError, match=message):
        held(tmp_path, text)


def test_a_missing_file(tmp_path: Path) -> None:
    """A file that is not there is named."""
    with pytest.raises(MetricError, match="cannot be read"):
        read_limits(tmp_path / "none.yaml")
