"""Coverage, gaps, sides, bones and rest on small cases worked out by hand."""

from __future__ import annotations

import numpy as np
import pytest

from hand4d_ros.errors import MetricError
from hand4d_ros.evaluation import metrics_track as track
from hand4d_ros.geometry import so3
from hand4d_ros.shapes import Array, Bool

STAMPS = np.arange(10, dtype=np.int64) * 100_000_000
RNG = np.random.default_rng(8)


def _flags(text: str) -> Bool[Array, "t"]:
    """``1`` and ``.`` as True and False."""
    return np.array([letter == "1" for letter in text])


def test_observed_fraction_counts_visible_frames_only() -> None:
    """Estimates of a hand that is out of view neither help nor harm."""
    visible, observed = _flags("1111...111"), _flags("11..111..1")
    assert track.observed_fraction(visible, observed) == pytest.approx(3 / 7)
    assert track.observed_fraction(visible, visible) == 1.0


def test_longest_gap_lasts_until_the_next_frame() -> None:
    """Two missing frames at 10 Hz are 0.2 s; a gap ends where the hand leaves the view."""
    assert track.longest_gap_s(_flags("1111111111"), _flags("1..111.111"), STAMPS) == (
        pytest.approx(0.2)
    )
    assert track.longest_gap_s(_flags("1111......"), _flags("1.........."[:10]), STAMPS) == (
        pytest.approx(0.3)
    )
    assert track.longest_gap_s(_flags("1111111111"), _flags("1111111..."), STAMPS) == (
        pytest.approx(0.3)
    )
    assert track.longest_gap_s(_flags("1111111111"), _flags("1111111111"), STAMPS) == 0.0


def test_reacquisition_is_the_mean_wait_after_returns() -> None:
    """Waits of 0.2 s and 0 s; the first appearance at the start is no return."""
    visible, observed = _flags("1.1111.111"), _flags("....11.111")
    assert track.reacquisition_s(visible, observed, STAMPS) == pytest.approx(0.1)
    never = track.reacquisition_s(_flags("11....1111"), _flags("11........"), STAMPS)
    assert never == pytest.approx(0.4)
    with pytest.raises(MetricError, match="never returns into view"):
        track.reacquisition_s(_flags("1111111111"), visible, STAMPS)


def test_uneven_stamps_are_measured_not_counted() -> None:
    """One missing frame before a long step is a long gap."""
    stamps = np.array([0, 100, 900, 1000], dtype=np.int64) * 1_000_000
    assert track.longest_gap_s(_flags("1111"), _flags("1.11"), stamps) == pytest.approx(0.8)


def test_handedness_by_hand() -> None:
    """One swapped pair in two frames is half of the estimates; missing hands are no errors."""
    truth = np.array([[[-0.2, 0, 0], [0.2, 0, 0]]] * 2)
    estimate = truth + 0.01
    present = np.ones((2, 2), dtype=bool)
    assert track.handedness_err_pct(truth, estimate, present, present) == 0.0
    swapped = estimate.copy()
    swapped[1] = swapped[1, ::-1]
    assert track.handedness_err_pct(truth, swapped, present, present) == 50.0
    only_right = present.copy()
    only_right[:, 0] = False
    labelled_left = estimate[:, ::-1]
    only_left = only_right[:, ::-1]
    assert track.handedness_err_pct(truth, labelled_left, only_right, only_left) == 100.0


def test_a_false_hand_far_from_both_is_no_side_error() -> None:
    """The gate keeps a wrong place from counting as a wrong side."""
    truth = np.array([[[-0.2, 0, 0], [0.2, 0, 0]]])
    estimate = np.array([[[0.5, 0, 0], [0.2, 0, 0]]])
    present = np.ones((1, 2), dtype=bool)
    assert track.handedness_err_pct(truth, estimate, present, present) == 0.0
    assert track.handedness_err_pct(truth, estimate, present, present, gate_m=0.4) == 50.0


def test_bones_of_a_rigid_hand_do_not_vary() -> None:
    """Motion and a constant scale leave them alone; 10% up and down is 10%."""
    hand = RNG.normal(size=(21, 3))
    rotation = so3.exp(RNG.normal(size=(10, 3)))
    moving = hand @ np.swapaxes(rotation, 1, 2) + RNG.normal(size=(10, 1, 3))
    assert track.bone_variation_pct(moving) == pytest.approx(0.0, abs=1e-9)
    pulsing = moving * np.where(np.arange(10) % 2 == 0, 1.1, 0.9)[:, None, None]
    assert track.bone_variation_pct(pulsing) == pytest.approx(10.0)
    assert track.bone_variation_pct(2.0 * pulsing) == pytest.approx(10.0)


def test_rest_separates_jitter_from_drift() -> None:
    """A steady 5 mm/s drift is no jitter; noise of 1 mm an axis is about sqrt(3) mm of it."""
    stamps = np.arange(200, dtype=np.int64) * 10_000_000
    rest = np.ones(200, dtype=bool)
    steady = np.arange(200)[:, None, None] * 0.01 * np.array([0.005, 0.0, 0.0]) + np.zeros((21, 3))
    assert track.rest_jitter_mm(steady, stamps, rest) == pytest.approx(0.0, abs=1e-9)
    assert track.rest_drift_mm_s(steady, stamps, rest) == pytest.approx(5.0)
    noisy = steady + 0.001 * RNG.normal(size=steady.shape)
    assert track.rest_jitter_mm(noisy, stamps, rest) == pytest.approx(np.sqrt(3), rel=0.05)


def test_each_stretch_of_rest_has_its_own_place() -> None:
    """A hand that rests here and then there does not jitter."""
    points = np.zeros((10, 21, 3))
    points[5:] += 1.0
    rest = _flags("1111..1111")
    assert track.rest_jitter_mm(points, STAMPS, rest) == pytest.approx(0.0, abs=1e-9)


def test_rest_frames_are_slow_and_long() -> None:
    """A pause of 0.5 s is found, one of 0.1 s and one moving finger are not."""
    points = np.zeros((10, 21, 3))
    points[5:] += np.arange(1, 6)[:, None, None] * 0.05
    assert track.rest_frames(points, STAMPS).tolist() == _flags("11111.....").tolist()
    assert not track.rest_frames(points, STAMPS, least_s=0.6).any()
    points[:, 8, 1] += 0.01 * np.arange(10)
    assert not track.rest_frames(points, STAMPS).any()
    still = np.zeros((10, 21, 3))
    still[4] = np.nan
    mask = _flags("1111.11111")
    assert track.rest_frames(still, STAMPS, mask).tolist() == mask.tolist()


def test_documented_raises() -> None:
    """Nothing in view, nothing estimated, no rest, other keypoints."""
    nothing = np.zeros(10, dtype=bool)
    with pytest.raises(MetricError, match="never in view"):
        track.observed_fraction(nothing, nothing)
    with pytest.raises(MetricError, match="never in view"):
        track.longest_gap_s(nothing, nothing, STAMPS)
    wrists, none = np.zeros((3, 2, 3)), np.zeros((3, 2), dtype=bool)
    with pytest.raises(MetricError, match="no estimate in a frame with a true hand"):
        track.handedness_err_pct(wrists, wrists, ~none, none)
    with pytest.raises(MetricError, match="present estimate holds NaN"):
        track.handedness_err_pct(wrists, np.full_like(wrists, np.nan), ~none, ~none)
    with pytest.raises(MetricError, match=r"\(t, 21, 3\) in OpenPose order"):
        track.bone_variation_pct(np.zeros((4, 16, 3)))
    with pytest.raises(MetricError, match="a bone has no length"):
        track.bone_variation_pct(np.zeros((4, 21, 3)))
    points = np.zeros((10, 21, 3))
    with pytest.raises(MetricError, match="no stretch of rest has three frames"):
        track.rest_jitter_mm(points, STAMPS, nothing)
    with pytest.raises(MetricError, match="no stretch of rest has three frames"):
        track.rest_drift_mm_s(points, STAMPS, _flags("11.11.11.."))
