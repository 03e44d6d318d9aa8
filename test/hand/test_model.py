"""The hand model: forward kinematics, skinning, mirroring and shape."""

from __future__ import annotations

import numpy as np
import pytest

from hand4d_ros.geometry import se3, so3
from hand4d_ros.hand.builtin import builtin_hand
from hand4d_ros.hand.model import HandModel
from hand4d_ros.hand.orders import MANO_PARENTS, OPENPOSE_FROM_MANO, TIP_PARENTS
from hand4d_ros.types import Side


@pytest.fixture(scope="module")
def with_correctives() -> HandModel:
    """Return the built-in hand with random pose correctives and blended tips, as MANO has."""
    from dataclasses import replace

    rng = np.random.default_rng(0)
    model = builtin_hand()
    weights = rng.uniform(size=model.weights.shape)
    weights /= weights.sum(axis=1, keepdims=True)
    correctives = rng.normal(scale=1e-3, size=(len(model.template_m), 3, 135))
    return replace(model, weights=weights, pose_dirs_m=correctives)


def _random_pose(rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    T = se3.from_rotation_translation(so3.exp(rng.normal(size=3)), rng.normal(size=3))
    return T, rng.normal(scale=0.5, size=(15, 3))


def test_chain_agrees_with_recursion_over_the_tree() -> None:
    """The chain of levels gives what the plain recursion over MANO's parents gives."""
    rng = np.random.default_rng(1)
    hand = builtin_hand().with_shape(rng.normal(size=10))
    T, rotvec = _random_pose(rng)
    local = so3.exp(rotvec)
    R, p = [T[:3, :3]], [T[:3, 3]]
    for joint in range(1, 16):
        parent = MANO_PARENTS[joint]
        p.append(p[parent] + R[parent] @ (hand.joints_m[joint] - hand.joints_m[parent]))
        R.append(R[parent] @ local[joint - 1])
    tips = [
        p[j] + R[j] @ (tip - hand.joints_m[j])
        for j, tip in zip(TIP_PARENTS, hand.tips_m, strict=True)
    ]
    expected = np.array(p + tips)[list(OPENPOSE_FROM_MANO)]
    np.testing.assert_allclose(hand.keypoints(T, rotvec), expected, atol=1e-12)
    np.testing.assert_allclose(hand.joint_rotations(T, rotvec), R, atol=1e-12)


def test_rest_pose_is_the_template() -> None:
    """With no rotation the mesh is the shaped template, moved by the wrist's place."""
    hand = builtin_hand().with_shape(np.full(10, 0.3))
    T = se3.from_rotation_translation(np.eye(3), hand.joints_m[0])
    np.testing.assert_allclose(hand.vertices(T, np.zeros((15, 3))), hand.template_m, atol=1e-12)


def test_tips_are_their_vertices(with_correctives: HandModel) -> None:
    """Fingertip keypoints equal the skinned tip vertices, with and without correctives."""
    rng = np.random.default_rng(2)
    for model in (builtin_hand(), with_correctives):
        hand = model.with_shape(rng.normal(size=10))
        T, rotvec = _random_pose(rng)
        tips = hand.vertices(T, rotvec)[model.tip_vertices]
        keypoints = hand.keypoints(T, rotvec)[[4, 8, 12, 16, 20]]
        np.testing.assert_allclose(keypoints, tips, atol=1e-9)


def test_left_is_the_mirror_image(with_correctives: HandModel) -> None:
    """Posing the mirrored hand with the mirrored parameters mirrors the mesh."""
    rng = np.random.default_rng(3)
    M = np.diag([-1.0, 1.0, 1.0])
    for model in (builtin_hand(), with_correctives):
        betas = rng.normal(size=10)
        T, rotvec = _random_pose(rng)
        T_left = se3.from_rotation_translation(M @ T[:3, :3] @ M, M @ T[:3, 3])
        left = model.mirrored().with_shape(betas).vertices(T_left, rotvec * [1.0, -1.0, -1.0])
        right = model.with_shape(betas).vertices(T, rotvec)
        np.testing.assert_allclose(left, right * [-1.0, 1.0, 1.0], atol=1e-12)
    assert builtin_hand().mirrored().side is Side.LEFT
    np.testing.assert_array_equal(builtin_hand().mirrored().mirrored().faces, builtin_hand().faces)


def test_batches_equal_single_poses() -> None:
    """A batch of poses gives what the poses give one by one."""
    rng = np.random.default_rng(4)
    hand = builtin_hand().with_shape()
    poses = [_random_pose(rng) for _ in range(3)]
    T, rotvec = np.stack([p[0] for p in poses]), np.stack([p[1] for p in poses])
    one_by_one = np.stack([hand.keypoints(*p) for p in poses])
    np.testing.assert_allclose(hand.keypoints(T, rotvec), one_by_one, atol=1e-12)


def test_hand_length_is_the_straight_middle_finger() -> None:
    """Wrist to tip along the bones is never shorter than the straight line."""
    hand = builtin_hand().with_shape()
    straight = np.linalg.norm(hand.tips_m[2] - hand.joints_m[0])
    assert straight <= hand.hand_length_m < 1.02 * straight
