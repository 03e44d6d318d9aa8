"""Scenes of whole motions: continuity, speeds, limits, mirror symmetry, things that are carried."""

from __future__ import annotations

import numpy as np
import pytest

from hand4d_ros.geometry import se3, so3
from hand4d_ros.hand.biomechanics import limit_excess
from hand4d_ros.synthetic.motion import HandMotion, mirrored, mirrored_thing
from hand4d_ros.synthetic.scene import TABLE_M, Scene, SceneConfig, build_scene
from hand4d_ros.types import Side

STEP_S = 1e-4


@pytest.fixture(scope="module", params=[1, 2])
def scene(request: pytest.FixtureRequest) -> Scene:
    """Two scenes of eight seconds."""
    return build_scene(SceneConfig(seed=request.param, seconds=8.0))


def test_hands_move_smoothly_and_no_faster_than_people(scene: Scene) -> None:
    """Speeds stay below 2.5 m/s, accelerations below 40 m/s^2, and neither jumps."""
    t = np.arange(0.0, 8.0, 0.01)
    for hand in scene.hands.values():
        before, here, after = (
            hand.at(t + shift).T_world_wrist[:, :3, 3] for shift in (-STEP_S, 0.0, STEP_S)
        )
        speed = np.linalg.norm(after - before, axis=-1) / (2 * STEP_S)
        acceleration = np.linalg.norm(after - 2 * here + before, axis=-1) / STEP_S**2
        assert speed.max() < 2.5
        assert acceleration.max() < 40.0
        jumps = np.linalg.norm(np.diff(here, axis=0), axis=-1)
        assert jumps.max() < 0.025


def test_fingers_and_wrist_turn_smoothly(scene: Scene) -> None:
    """Joint angles turn slower than 20 rad/s and the wrist than 10 rad/s."""
    t = np.arange(0.0, 8.0, 0.005)
    for hand in scene.hands.values():
        poses = hand.at(t)
        assert np.abs(np.diff(poses.angles_rad, axis=0)).max() / 0.005 < 20.0
        R = poses.T_world_wrist[:, :3, :3]
        assert so3.angle_between(R[:-1], R[1:]).max() / 0.005 < 10.0


def test_joint_limits_are_respected(scene: Scene) -> None:
    """No anatomical angle ever leaves its range."""
    t = np.arange(0.0, 8.0, 0.02)
    for hand in scene.hands.values():
        assert np.abs(limit_excess(hand.at(t).angles_rad)).max() == 0.0


def test_rotation_vectors_are_those_of_the_angles(scene: Scene) -> None:
    """Mirroring a left hand's rotation vectors back gives its anatomical angles again."""
    t = np.array([0.3, 3.3, 6.1])
    for side, hand in scene.hands.items():
        poses = hand.at(t)
        flip = np.array([1.0, -1.0, -1.0]) if side is Side.LEFT else np.ones(3)
        angles = hand.anatomy.angles(so3.exp(poses.joint_rotvec * flip))
        np.testing.assert_allclose(angles, poses.angles_rad, atol=1e-9)


def test_a_left_hand_is_the_mirror_image_of_a_right_one(scene: Scene) -> None:
    """The same plan on the other side gives keypoints mirrored through y = 0."""
    right = scene.hands[Side.RIGHT]
    left = HandMotion(
        Side.LEFT,
        right.model.mirrored(),
        right.betas,
        right.plan,
        right.position_wander_m,
        right.turn_wander_rad,
        right.angle_wander_rad,
        right.ripple,
        right.loose_sway,
    )
    t = np.array([0.0, 2.2, 5.0])
    np.testing.assert_allclose(
        left.keypoints_m(t), right.keypoints_m(t) * [1.0, -1.0, 1.0], atol=1e-9
    )


def test_mirroring_twice_is_nothing_and_keeps_rotations_right_handed() -> None:
    """Both mirrors are their own inverse and give rigid transforms."""
    T = se3.from_rotation_translation(so3.exp(np.array([0.3, -0.8, 0.5])), np.array([1.0, 2, 3]))
    for mirror in (mirrored, mirrored_thing):
        np.testing.assert_allclose(mirror(mirror(T)), T)
        se3.check_rigid(mirror(T), "T")


def test_carried_things_are_rigid_in_the_hand_and_never_jump(scene: Scene) -> None:
    """A carried thing keeps its pose in the wrist, but for spins; before and after it stands."""
    t = np.arange(0.0, 8.0, 0.005)
    carried = 0
    for motion in scene.thing_motions:
        T = motion.at(t, scene.hands)
        assert np.linalg.norm(np.diff(T[:, :3, 3], axis=0), axis=-1).max() < 0.012
        for carry in motion.carries:
            during = t[(t > carry.start_s) & (t < carry.end_s)]
            if not len(during):
                continue
            carried += 1
            wrist = scene.hands[carry.side].at(during).T_world_wrist
            held = se3.inverse(wrist) @ motion.at(during, scene.hands)
            place = np.broadcast_to(carry.T_wrist_thing[:3, 3], (len(held), 3))
            np.testing.assert_allclose(held[:, :3, 3], place, atol=1e-9)
            if carry.spins:
                continue
            np.testing.assert_allclose(held, np.broadcast_to(held[0], held.shape), atol=1e-9)
    assert carried >= 2


def test_things_are_put_down_on_the_table(scene: Scene) -> None:
    """When they are let go, they stand upright on the table to a few millimetres."""
    for prop, motion in zip(scene.props, scene.thing_motions, strict=True):
        for carry in motion.carries:
            if not np.isfinite(carry.end_s):
                continue
            T = motion.at(np.array([carry.end_s]), scene.hands)[0]
            assert T[2, 3] - 0.5 * prop.size_m[2] == pytest.approx(TABLE_M, abs=0.006)
            assert T[2, 2] > np.cos(np.deg2rad(4.0))


def test_hands_keep_clear_of_each_other(scene: Scene) -> None:
    """The joints of the two hands never come as near as their flesh is thick."""
    t = np.arange(0.0, 8.0, 0.05)
    left, right = (scene.hands[side].keypoints_m(t) for side in (Side.LEFT, Side.RIGHT))
    gaps = np.linalg.norm(left[:, :, None] - right[:, None], axis=-1)
    assert gaps.min() > 0.025
