"""The posed hand and its derivative by wrist, shape and the latent of a motion."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from hand4d_ros.estimation.keypoint_fit.residuals import shape_jacobian
from hand4d_ros.geometry import so3
from hand4d_ros.hand.model import PosedChain, ShapedHand
from hand4d_ros.hand.orders import MANO_PARENTS, OPENPOSE_FROM_MANO, TIP_PARENTS
from hand4d_ros.shapes import Array, Bool, Float

RIGID = 6
"""Unknowns of a frame: turn of the wrist (rad, axes of the world), then its shift (m)."""
SHAPE = 10


def _beyond() -> Bool[Array, "21 15"]:
    """Tell which keypoints lie outwards of which joint and move when it turns."""
    parents = (*MANO_PARENTS, *TIP_PARENTS)
    moved = np.zeros((21, 15), dtype=bool)
    for place, node in enumerate(OPENPOSE_FROM_MANO):
        above = parents[node]
        while above > 0:
            moved[place, above - 1] = True
            above = parents[above]
    return moved


_BEYOND = _beyond()


@dataclass(frozen=True)
class Linearised:
    """The 21 keypoints (m) of ``f`` frames and their derivatives."""

    points_m: Float[Array, "f 21 3"]
    by_rigid: Float[Array, "f 21 3 6"]
    by_shared: Float[Array, "f 21 3 s"]
    """By shape, then by the latent where there is one."""


def posed(
    hand: ShapedHand,
    R: Float[Array, "f 3 3"],
    wrist_m: Float[Array, "f 3"],
    local: Float[Array, "f 15 3 3"],
) -> PosedChain:
    """Pose the hand in all frames."""
    return hand.chain(R, wrist_m, local)


def linearised(
    hand: ShapedHand, chain: PosedChain, turns: Float[Array, "f 15 3 z"] | None
) -> Linearised:
    """Differentiate the keypoints of a posed hand.

    Fingertips are taken to be carried by the last joint alone, which is exact for the built-in
    hand and within a few percent for MANO's tip vertices.

    Args:
        hand: Of known shape.
        chain: As ``posed`` gave it.
        turns: What the latent turns each joint by (rad, axes of the parent); None leaves it out.
    """
    points, joints = chain.keypoints_m, chain.joints_m
    arm = points - joints[:, :1]
    eye = np.broadcast_to(np.eye(3), (*points.shape, 3))
    by_rigid = np.concatenate((-so3.hat(arm), eye), axis=-1)
    by_shape = shape_jacobian(hand, chain)
    if turns is None:
        return Linearised(points, by_rigid, by_shape)
    parents = chain.rotations[:, [MANO_PARENTS[j] for j in range(1, 16)]]
    lever = (points[:, :, None] - joints[:, None, 1:]) * _BEYOND[..., None]
    by_turn = -so3.hat(lever) @ parents[:, None]
    frames = len(points)
    by_joint = np.moveaxis(by_turn, 2, 3).reshape(frames, 63, 45)
    by_latent = by_joint @ turns.reshape(frames, 45, -1)
    shared = np.concatenate((by_shape, by_latent.reshape(frames, 21, 3, -1)), axis=-1)
    return Linearised(points, by_rigid, shared)
