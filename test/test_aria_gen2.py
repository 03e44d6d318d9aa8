"""The whole pipeline on a real recording, against the glasses' own hand tracker."""

from __future__ import annotations

from pathlib import Path

import pytest

from benchmarks.aria import KNUCKLE_M, NARROW_CAMERA, judge
from hand4d_ros.datasets.real import RealRecordings

pytestmark = pytest.mark.filterwarnings("ignore:SymbolDatabase")


@pytest.mark.parametrize(
    ("lengths_m", "allowed_m"),
    [({}, 0.05), ({"wrist-middle_mcp": KNUCKLE_M}, 0.025)],
    ids=["default-size", "size-given"],
)
def test_wrists_in_the_world_while_the_head_turns(
    real_data: Path, lengths_m: dict[str, float], allowed_m: float
) -> None:
    """Both hands, on the right side, near the truth and inside the published uncertainty."""
    record = RealRecordings(real_data).sequence("aria_gen2")
    figures = judge(record, NARROW_CAMERA, lengths_m)
    assert figures.sides == ("left", "right")
    assert figures.hands >= 14
    assert figures.wrist_error_median_m <= allowed_m
    assert figures.wrist_error_largest_m <= 0.15
    assert figures.inside_two_sigma >= 0.8
