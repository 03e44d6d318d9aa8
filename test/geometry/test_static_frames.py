"""Poses between frames that are joined by static transforms."""

from __future__ import annotations

from typing import Any

import numpy as np

from hand4d_ros.geometry import se3, so3
from hand4d_ros.geometry.static_frames import StaticFrames


def _transform(seed: int) -> Any:
    rng = np.random.default_rng(seed)
    return se3.from_rotation_translation(so3.exp(rng.normal(size=3)), rng.normal(size=3))


def _assert_pose(actual: Any, expected: Any) -> None:
    assert actual is not None
    np.testing.assert_allclose(actual, expected, atol=1e-12)


def test_chain_fork_and_inverse() -> None:
    """Frames on one chain, on two branches, and the other way round."""
    frames = StaticFrames()
    T_base_head, T_head_left, T_head_right = (_transform(seed) for seed in (1, 2, 3))
    frames.put("base", "head", T_base_head)
    frames.put("head", "left", T_head_left)
    frames.put("head", "right", T_head_right)
    _assert_pose(frames.lookup("base", "left"), T_base_head @ T_head_left)
    T_left_right = np.linalg.inv(T_head_left) @ T_head_right
    _assert_pose(frames.lookup("left", "right"), T_left_right)
    _assert_pose(frames.lookup("right", "left"), np.linalg.inv(T_left_right))
    _assert_pose(frames.lookup("left", "left"), np.eye(4))


def test_frames_that_nothing_joins() -> None:
    """Unknown and unconnected frames have no pose."""
    frames = StaticFrames()
    frames.put("base", "camera", _transform(4))
    assert frames.lookup("base", "other") is None
    assert frames.lookup("odom", "camera") is None


def test_old_names_and_bad_transforms() -> None:
    """A leading slash is no part of a name; transforms that are not finite are left out."""
    frames = StaticFrames()
    frames.put("/base", "/camera", _transform(5))
    frames.put("base", "camera", np.full((4, 4), np.nan))
    _assert_pose(frames.lookup("base", "camera"), _transform(5))


def test_a_ring_of_frames_ends() -> None:
    """Two frames that are each other's parent do not hang the lookup."""
    frames = StaticFrames()
    frames.put("a", "b", _transform(6))
    frames.put("b", "a", np.linalg.inv(_transform(6)))
    _assert_pose(frames.lookup("a", "b"), _transform(6))
    assert frames.lookup("a", "elsewhere") is None
