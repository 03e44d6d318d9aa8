"""How the skin of the built-in hand follows its bones: skinning weights and shape directions."""

from __future__ import annotations

import numpy as np

from hand4d_ros.hand.anthropometry import (
    FINGER_GIRTH_RELATIVE_STD,
    FINGER_LENGTH_RELATIVE_STD,
    HAND_BREADTH_RELATIVE_STD,
    HAND_LENGTH_STD_M,
    HAND_THICKNESS_RELATIVE_STD,
    MEAN_HAND_LENGTH_M,
    PALM_RATIO_STD,
    PROXIMAL_PHALANX_RELATIVE_STD,
)
from hand4d_ros.hand.builtin_rays import RayCoordinates, joint_positions_mm, ray_coordinates
from hand4d_ros.hand.builtin_skeleton import rest_skeleton
from hand4d_ros.hand.orders import FINGERS, MANO_PARENTS, TIP_PARENTS
from hand4d_ros.shapes import Array, Float

SHAPE_DIRECTIONS = (
    "hand length",
    "finger to palm length",
    "palm breadth",
    "thickness",
    "finger girth",
    "thumb length",
    "index length",
    "ring length",
    "little length",
    "proximal to outer phalanges",
)
"""What a positive shape coefficient makes larger; one unit is one standard deviation.

0. All of the hand about the wrist, by ``HAND_LENGTH_STD_M`` of hand length.
1. Fingers against the palm at equal hand length, by ``PALM_RATIO_STD`` of hand length.
2. The palm across, by ``HAND_BREADTH_RELATIVE_STD``.
3. Hand and fingers from palm to back, by ``HAND_THICKNESS_RELATIVE_STD``.
4. Fingers and thumb in breadth and depth, by ``FINGER_GIRTH_RELATIVE_STD``.
5. to 8. One finger along its bones, by ``FINGER_LENGTH_RELATIVE_STD``; the middle finger is
   what the others are relative to, so none of them changes the hand length.
9. The proximal phalanges at equal finger length, by ``PROXIMAL_PHALANX_RELATIVE_STD``.
"""

_RAMP_HALF_MM = {True: (16.0, 9.0, 6.5), False: (9.5, 6.5, 5.5)}
"""Half the length over which a joint takes over from the one before; for the thumb, others."""

_RAMP_SHIFT_MM = {True: (6.0, 0.0, 0.0), False: (2.0, 0.0, 0.0)}
"""How far outwards of the joint that is centred; for the thumb, others."""


def _ramp(x: Float[Array, "n"], centre: float, half_width: float) -> Float[Array, "n"]:
    """Smooth step from 0 to 1 with no slope at its ends."""
    t = np.clip((x - centre) / (2.0 * half_width) + 0.5, 0.0, 1.0)
    return np.asarray(t * t * (3.0 - 2.0 * t))


def _chain_ramps(finger: int, ray: RayCoordinates) -> Float[Array, "n 3"]:
    """How far each of a finger's three joints has taken over, from 0 to 1."""
    starts = joint_positions_mm(finger)[1:4]
    shifts, halves = _RAMP_SHIFT_MM[finger == 0], _RAMP_HALF_MM[finger == 0]
    ramps = [
        _ramp(ray.along_mm, start + shift, half)
        for start, shift, half in zip(starts, shifts, halves, strict=True)
    ]
    return np.stack(ramps, axis=-1)


def _finger_shares(rays: list[RayCoordinates]) -> Float[Array, "n 5"]:
    """How much a point belongs to each finger: soft choice of the nearest, rows sum to one."""
    distance = np.stack([ray.distance_mm for ray in rays], axis=-1)
    fingers = distance[:, 1:]
    nearest = fingers.min(axis=1)
    share = np.exp(-(fingers - nearest[:, None]) / 2.5)
    share /= share.sum(axis=1, keepdims=True)
    # The ball of the thumb and the web slide over the palm in a wide band, its free part does not.
    along_thumb = np.interp(rays[0].joint_coordinate, [0.6, 1.0, 1.4], [1.0, 0.8, 0.0])
    along_index = np.interp(rays[1].joint_coordinate, [0.0, 0.5], [1.0, 0.0])
    band_mm = 2.5 + 6.0 * along_thumb * along_index
    thumb = 1.0 / (1.0 + np.exp(np.clip((distance[:, 0] - nearest) / band_mm, -40.0, 40.0)))
    return np.column_stack((thumb, (1.0 - thumb)[:, None] * share))


def skinning_weights(points_m: Float[Array, "v 3"]) -> Float[Array, "v 16"]:
    """Return weights for linear blend skinning of points on the skin at rest.

    They are smooth, of at most four joints a point, and each row sums to one.
    """
    rays = [ray_coordinates(finger, points_m * 1e3) for finger in range(5)]
    share = _finger_shares(rays)
    weights = np.zeros((len(points_m), 16))
    for finger, ray in enumerate(rays):
        ramps = _chain_ramps(finger, ray)
        held = ramps - np.column_stack((ramps[:, 1:], np.zeros(len(points_m))))
        last = TIP_PARENTS[finger]
        weights[:, last - 2 : last + 1] = share[:, finger, None] * np.maximum(held, 0.0)
    weights[:, 0] = np.maximum(1.0 - weights.sum(axis=1), 0.0)
    # Subtracting the fifth largest weight keeps the others smooth where it drops out.
    fifth = np.sort(weights, axis=1)[:, -5][:, None]
    weights = np.maximum(weights - np.maximum(fifth, 1e-3), 0.0)
    return np.asarray(weights / weights.sum(axis=1, keepdims=True))


def _finger_maps(finger: int) -> Float[Array, "3 3 3 10"]:
    """Linear map of a finger's three segments per standard deviation of each direction."""
    skeleton = rest_skeleton()
    name = FINGERS[finger]
    bones = np.diff(skeleton.rays_m[finger], axis=0)[1:]
    lengths = np.linalg.norm(bones, axis=-1)
    palm_m = float(np.linalg.norm(skeleton.joints_m[4]))
    grown = PALM_RATIO_STD * MEAN_HAND_LENGTH_M / (MEAN_HAND_LENGTH_M - palm_m)
    outer = -PROXIMAL_PHALANX_RELATIVE_STD * lengths[0] / lengths[1:].sum()
    maps = np.zeros((3, 3, 3, 10))
    for level in range(3):
        axis = bones[level] / lengths[level]
        along = np.outer(axis, axis)
        dorsal = skeleton.dorsal[finger, level + 1]
        maps[level, ..., 1] = along * grown
        maps[level, ..., 3] = np.outer(dorsal, dorsal) * HAND_THICKNESS_RELATIVE_STD
        maps[level, ..., 4] = (np.eye(3) - along) * FINGER_GIRTH_RELATIVE_STD
        if name in FINGER_LENGTH_RELATIVE_STD:
            direction = SHAPE_DIRECTIONS.index(f"{name} length")
            maps[level, ..., direction] = along * FINGER_LENGTH_RELATIVE_STD[name]
        if name != "thumb":
            share = PROXIMAL_PHALANX_RELATIVE_STD if level == 0 else outer
            maps[level, ..., 9] = along * share
    return maps


def _segment_maps() -> Float[Array, "16 3 3 10"]:
    """Linear map of each joint's segment per standard deviation of each direction."""
    maps = np.zeros((16, 3, 3, 10))
    for finger, last in enumerate(TIP_PARENTS):
        maps[last - 2 : last + 1] = _finger_maps(finger)
    palm_m = float(np.linalg.norm(rest_skeleton().joints_m[4]))
    maps[0, 0, 0, 1] = -PALM_RATIO_STD * MEAN_HAND_LENGTH_M / palm_m
    maps[0, 2, 2, 2] = HAND_BREADTH_RELATIVE_STD
    maps[0, 1, 1, 3] = HAND_THICKNESS_RELATIVE_STD
    maps[..., 0] = np.eye(3) * HAND_LENGTH_STD_M / MEAN_HAND_LENGTH_M
    return maps


def shape_directions(
    points_m: Float[Array, "v 3"], weights: Float[Array, "v 16"]
) -> tuple[Float[Array, "v 3 10"], Float[Array, "16 3 10"]]:
    """Return the displacement per standard deviation of each shape coefficient (m).

    Every segment is stretched by a linear map about its joint; the joints follow their parents'
    maps and the skin blends the maps by its weights, so bones and skin stay together.

    Returns:
        Displacements of the points and of the 16 joints.
    """
    joints = rest_skeleton().joints_m
    maps = _segment_maps()
    moved = np.zeros((16, 3, 10))
    for joint, parent in enumerate(MANO_PARENTS):
        if parent >= 0:
            bone = joints[joint] - joints[parent]
            moved[joint] = moved[parent] + np.einsum("ijk,j->ik", maps[parent], bone)
    skin = np.zeros((len(points_m), 3, 10))
    for joint in range(16):
        offset = points_m - joints[joint]
        field = moved[joint] + np.einsum("ijk,vj->vik", maps[joint], offset)
        skin += weights[:, joint, None, None] * field
    return skin, moved
