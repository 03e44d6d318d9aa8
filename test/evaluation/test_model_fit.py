"""The hand model fitted to recorded keypoints: exact on its own, whole where they are not."""

from __future__ import annotations

import numpy as np
import pytest
from bench_samples import moving_hand

from hand4d_ros.errors import MetricError
from hand4d_ros.evaluation.model_fit import fitted
from hand4d_ros.geometry import so3
from hand4d_ros.hand.biomechanics import REST_RAD, Anatomy
from hand4d_ros.hand.builtin import builtin_hand
from hand4d_ros.types import Side


def natural(side: Side) -> np.ndarray:
    """Return keypoints of a hand of usual size, relaxed and moving."""
    motion = moving_hand(side, frames=6)
    hand = builtin_hand(side).with_shape(np.linspace(0.6, -0.6, 10))
    right = builtin_hand(Side.RIGHT).with_shape(np.linspace(0.6, -0.6, 10))
    rotvec = so3.log(Anatomy(right).local_rotations(REST_RAD))
    sign = np.array([1.0, -1.0, -1.0]) if side is Side.LEFT else np.ones(3)
    return hand.keypoints(motion.T_world_wrist, np.tile(rotvec * sign, (6, 1, 1)))


@pytest.mark.parametrize("side", list(Side))
def test_a_whole_hand_is_found_again(side: Side) -> None:
    """Keypoints of the model itself are explained to a millimetre, by a hand of that side."""
    keypoints_m = natural(side)
    fit = fitted(keypoints_m, side, builtin_hand())
    assert fit.residual_m < 1.5e-3
    assert np.linalg.norm(fit.keypoints_m - keypoints_m, axis=-1).max() < 4e-3
    assert fit.hand.model.side is side
    again = fit.hand.keypoints(fit.T_world_wrist, fit.joint_rotvec)
    assert np.allclose(again, fit.keypoints_m, atol=1e-9)


def test_missing_keypoints_are_completed() -> None:
    """A recording without wrist and thumb base gets them where they are; the rest is kept."""
    keypoints_m = natural(Side.RIGHT)
    recorded = keypoints_m.copy()
    recorded[:, [0, 1]] = np.nan
    completed = fitted(recorded, Side.RIGHT, builtin_hand()).completed(recorded)
    assert np.array_equal(completed[:, 2:], keypoints_m[:, 2:])
    assert np.linalg.norm(completed[:, :2] - keypoints_m[:, :2], axis=-1).max() < 0.012


def test_frames_with_too_little_stay_empty() -> None:
    """A frame without a palm has no fit; a recording without one is refused."""
    recorded = natural(Side.LEFT)
    recorded[2, [0, 1, 5]] = np.nan
    fit = fitted(recorded, Side.LEFT, builtin_hand())
    assert np.flatnonzero(np.isnan(fit.keypoints_m).any(axis=(1, 2))).tolist() == [2]
    with pytest.raises(MetricError, match="no frame of the left hand has 4 points"):
        fitted(np.full((3, 21, 3), np.nan), Side.LEFT, builtin_hand())
