"""Motion errors on trajectories whose derivatives are known."""

from __future__ import annotations

import numpy as np
import pytest

from hand4d_ros.errors import MetricError
from hand4d_ros.evaluation import metrics_motion as motion
from hand4d_ros.evaluation.sequences import finite_frames
from hand4d_ros.geometry import so3

RNG = np.random.default_rng(6)
STAMPS = np.arange(20, dtype=np.int64) * 40_000_000 + 1_700_000_000_000_000_000
TIME_S = 0.04 * np.arange(20)
HAND = 0.05 * RNG.normal(size=(1, 21, 3))
STILL = HAND.repeat(20, axis=0)
X = np.array([1.0, 0.0, 0.0])


def test_constant_acceleration_by_hand() -> None:
    """Half a t^2 on the fingers but not the wrist: 20 of 21 keypoints are 3000 mm/s^2 off."""
    estimate = STILL.copy()
    estimate[:, 1:] += 0.5 * 3.0 * (TIME_S**2)[:, None, None] * X
    error = motion.acc_err_mm_s2(STILL, estimate, STAMPS)
    assert error == pytest.approx(3000.0 * 20 / 21)
    assert motion.acc_err_world_mm_s2(STILL, estimate, STAMPS) == pytest.approx(3000.0 * 20 / 21)


def test_acceleration_of_the_whole_hand_is_seen_in_the_world_only() -> None:
    """Root alignment takes out what all keypoints share."""
    estimate = STILL + 0.5 * 3.0 * (TIME_S**2)[:, None, None] * X
    assert motion.acc_err_mm_s2(STILL, estimate, STAMPS) == pytest.approx(0.0, abs=1e-6)
    assert motion.acc_err_world_mm_s2(STILL, estimate, STAMPS) == pytest.approx(3000.0)


def test_constant_velocity_has_no_acceleration() -> None:
    """A drift is no acceleration error and no jerk."""
    estimate = STILL + TIME_S[:, None, None] * X
    assert motion.acc_err_world_mm_s2(STILL, estimate, STAMPS) == pytest.approx(0.0, abs=1e-6)
    assert motion.acc_norm(STILL, estimate) == pytest.approx(0.0, abs=1e-9)
    assert motion.jerk_m_s3(estimate, STAMPS) == pytest.approx(0.0, abs=1e-6)


def test_uneven_frames_give_the_same_physical_acceleration() -> None:
    """The same parabola at other instants has the same acceleration; per frame it has not."""
    time_s = np.cumsum(np.random.default_rng(1).integers(10, 60, size=20)) / 1000.0
    stamps = np.round(time_s * 1e9).astype(np.int64)
    estimate = STILL + 0.5 * 2.0 * (time_s**2)[:, None, None] * X
    assert motion.acc_err_world_mm_s2(STILL, estimate, stamps) == pytest.approx(2000.0)


def test_time_scaling() -> None:
    """Twice as fast: four times the acceleration error, eight times the jerk, the same ACC-NORM."""
    estimate = STILL + 0.01 * RNG.normal(size=STILL.shape)
    fast = STAMPS // 2
    assert motion.acc_err_mm_s2(STILL, estimate, fast) == pytest.approx(
        4 * motion.acc_err_mm_s2(STILL, estimate, STAMPS)
    )
    assert motion.jerk_m_s3(estimate, fast) == pytest.approx(8 * motion.jerk_m_s3(estimate, STAMPS))


def test_cubic_by_hand() -> None:
    """The jerk of a t^3 is 6 a."""
    estimate = STILL + 2.0 * (TIME_S**3)[:, None, None] * X
    assert motion.jerk_m_s3(estimate, STAMPS) == pytest.approx(12.0)


def test_one_frame_off_by_hand() -> None:
    """A frame 1 cm off touches three second differences, as 1, 2 and 1 cm."""
    estimate = STILL.copy()
    estimate[9, :, 1] += 0.01
    assert motion.acc_norm(STILL, estimate) == pytest.approx(4.0 / 18)
    assert motion.acc_norm_diffnorm(STILL, estimate) == pytest.approx(4.0 / 18)


def test_the_two_readings_of_acc_norm_differ_in_direction() -> None:
    """Opposite accelerations are right in one reading and twice off in the other."""
    swing = 0.5 * (np.arange(20.0) ** 2)[:, None, None] * X * 0.01
    truth, opposite = STILL + swing, STILL - swing
    assert motion.acc_norm_diffnorm(truth, opposite) == pytest.approx(0.0, abs=1e-9)
    assert motion.acc_norm(truth, opposite) == pytest.approx(2.0)


def test_missing_frames_cut_the_groups() -> None:
    """A wild missing frame is not seen; without a complete group there is no figure."""
    estimate = STILL.copy()
    estimate[9] = np.nan
    mask = finite_frames(estimate)
    assert motion.acc_err_mm_s2(STILL, estimate, STAMPS, mask) == pytest.approx(0.0, abs=1e-9)
    assert motion.jerk_m_s3(estimate, STAMPS, mask) == pytest.approx(0.0, abs=1e-9)
    alternate = np.array([True, True, False] * 6 + [True, True])
    with pytest.raises(MetricError, match="no 3 neighbouring frames"):
        motion.acc_err_mm_s2(STILL, STILL, STAMPS, alternate)
    with pytest.raises(MetricError, match="no 4 neighbouring frames"):
        motion.jerk_m_s3(STILL, STAMPS, alternate)
    with pytest.raises(MetricError, match="NaN or infinity"):
        motion.acc_norm(STILL, estimate)


def test_translation_error_by_hand() -> None:
    """A straight metre whose estimate is 10% short: the residual's mean is 2.5% of the way."""
    truth = np.linspace(0.0, 1.0, 1001)[:, None] * X
    assert motion.trans_err_pct(truth, 0.9 * truth) == pytest.approx(2.5, abs=0.01)


def test_translation_error_does_not_see_rigid_motions() -> None:
    """The world frame of the estimate is free, its scale is not."""
    truth = np.cumsum(0.02 * RNG.normal(size=(50, 3)), axis=0)
    estimate = truth + 0.005 * RNG.normal(size=truth.shape)
    moved = estimate @ so3.exp(np.array([0.3, 2.0, -1.0])).T + 5.0
    plain = motion.trans_err_pct(truth, estimate)
    assert motion.trans_err_pct(truth, moved) == pytest.approx(plain)
    assert motion.trans_err_pct(truth, truth) == pytest.approx(0.0, abs=1e-9)
    assert motion.trans_err_pct(truth, 1.5 * estimate) > 2 * plain


def test_documented_raises() -> None:
    """A wrist that stays gives no percentage, two frames no alignment, still stamps no time."""
    still = np.zeros((10, 3))
    with pytest.raises(MetricError, match=r"moves 0\.0 mm in all, at least 10 mm"):
        motion.trans_err_pct(still, still)
    with pytest.raises(MetricError, match="at least 3 needed"):
        motion.trans_err_pct(still[:2], still[:2])
    with pytest.raises(MetricError, match="stamps must rise"):
        motion.jerk_m_s3(STILL, np.zeros(20, dtype=np.int64))
