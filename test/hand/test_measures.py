"""Properties of the hand's scalar measures."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest
from wire_samples import stick_hand

from hand4d_ros.geometry import se3, so3
from hand4d_ros.hand import measures
from hand4d_ros.types import Side


def bent(angle_rad: float) -> np.ndarray:
    """Return a right hand whose twelve finger joints bend by an angle each."""
    rotvec = np.zeros((15, 3))
    rotvec[:12, 2] = angle_rad
    return stick_hand(Side.RIGHT).keypoints(np.eye(4), rotvec)


def test_measures_do_not_depend_on_frame_or_size() -> None:
    """Rigid motion and scaling change neither pinch nor grasp; length scales."""
    rng = np.random.default_rng(0)
    T = se3.from_rotation_translation(so3.exp(rng.normal(size=3)), rng.normal(size=3))
    keypoints = bent(0.7)
    moved = 1.3 * se3.apply(T, keypoints)
    np.testing.assert_allclose(measures.grasp(moved), measures.grasp(keypoints))
    np.testing.assert_allclose(measures.pinch(moved), measures.pinch(keypoints))
    np.testing.assert_allclose(
        measures.hand_length_m(moved), 1.3 * measures.hand_length_m(keypoints)
    )


def test_hand_length_is_the_model_s_whatever_the_pose() -> None:
    """The length along the bones equals the hand model's and ignores bending."""
    shaped = stick_hand(Side.RIGHT)
    for angle in (0.0, 0.5, 1.4):
        np.testing.assert_allclose(measures.hand_length_m(bent(angle)), shaped.hand_length_m)


def test_grasp_grows_from_flat_to_fist() -> None:
    """A flat hand is 0, a fist is 1, and bending further never opens."""
    values = [float(measures.grasp(bent(angle))) for angle in np.linspace(0.0, 1.5, 16)]
    assert values[0] == 0.0
    assert values[-1] == 1.0
    assert np.all(np.diff(values) >= 0.0)
    bend = measures.finger_flexion_rad(bent(1.0)) - measures.finger_flexion_rad(bent(0.6))
    np.testing.assert_allclose(bend, 3 * 0.4, atol=0.1)


def test_pinch_thresholds() -> None:
    """Pinch is 1 up to the stated gap, 0 from the stated gap on, and half way between half."""
    keypoints = bent(0.0)
    length_m = float(measures.hand_length_m(keypoints))
    gaps = [0.0, measures.PINCH_CLOSED, (measures.PINCH_CLOSED + measures.PINCH_OPEN) / 2]
    for gap, want in zip([*gaps, measures.PINCH_OPEN, 1.0], [1.0, 1.0, 0.5, 0.0, 0.0], strict=True):
        keypoints[4] = keypoints[8] + np.array([0.0, gap * length_m, 0.0])
        np.testing.assert_allclose(measures.pinch(keypoints), want, atol=1e-12)


def test_measures_are_batched() -> None:
    """A stack of hands gives a stack of values."""
    stack = np.stack([bent(0.1), bent(1.0)])[None]
    for measure in (measures.grasp, measures.pinch, measures.hand_length_m):
        assert measure(stack).shape == (1, 2)
        np.testing.assert_allclose(measure(stack)[0, 1], measure(bent(1.0)))


def test_a_real_hand_opens_and_closes() -> None:
    """On a video of a hand that opens and closes, grasp reaches both ends."""
    root = Path(os.environ.get("HAND4D_REAL_DATA", "../shared/data"))
    path = root / "dex_retargeting" / "human_joint_right.npz"
    if not path.exists():
        pytest.skip(f"no real data at {path}; set HAND4D_REAL_DATA")
    with np.load(path) as data:
        keypoints = data["joints_m"].astype(float)
    values = measures.grasp(keypoints)
    assert values.min() < 0.05
    assert values.max() > 0.95
