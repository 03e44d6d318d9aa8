"""What hands can do (Dyn-HaMR, L_bio): joint-angle regions, bone lengths and the palm.

The three losses are those of Spurr et al., "Weakly supervised 3D hand pose estimation via
biomechanical constraints", ECCV 2020. All are defined on a right hand: mirror a left one first
(x to -x), or the palm's curvature and every abduction have the wrong sign. Their constants are in
``biomechanical_limits.py``, with where they come from.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from hand4d_ros.hand.orders import OPENPOSE_BONES
from hand4d_ros.shapes import Array, Float

ROOT_KEYPOINTS = (1, 5, 9, 13, 17)
"""Far ends of the five bones that start at the wrist, thumb to little finger."""


class Region(NamedTuple):
    """A convex region of one joint's flexion and abduction: ``normals @ angles <= offsets``."""

    flexion: int
    """Place of the flexion in the vector of 22 angles."""
    abduction: int
    """Place of the abduction."""
    normals: Float[Array, "e 2"]
    """Outward unit normals of the edges."""
    offsets_rad: Float[Array, "e"]


def region_excess(
    angles: Float[Array, "t 22"], regions: tuple[Region, ...]
) -> tuple[Float[Array, "t r"], Float[Array, "t r 22"]]:
    """How far each joint is outside of its region (L_ja, Eq. 10).

    The distance to the edge that is violated most: exact beside an edge, a little short beyond a
    corner, and with a derivative everywhere but on the bisectors.

    Args:
        angles: Angles (rad).
        regions: One for each joint that flexes and abducts.
    """
    residual = np.zeros((len(angles), len(regions)))
    slope = np.zeros((len(angles), len(regions), 22))
    for place, region in enumerate(regions):
        pair = angles[:, [region.flexion, region.abduction]]
        beyond = pair @ region.normals.T - region.offsets_rad
        edge = beyond.argmax(axis=1)
        outside = beyond.max(axis=1) > 0.0
        residual[:, place] = np.where(outside, beyond.max(axis=1), 0.0)
        normal = np.where(outside[:, None], region.normals[edge], 0.0)
        slope[:, place, region.flexion] = normal[:, 0]
        slope[:, place, region.abduction] = normal[:, 1]
    return residual, slope


def interval_excess(
    values: Float[Array, "*b"], low: Float[Array, "*b"], high: Float[Array, "*b"]
) -> tuple[Float[Array, "*b"], Float[Array, "*b"]]:
    """By how much values are outside of an interval, signed, and the derivative (the paper's I).

    Args:
        values: Any.
        low: Lower ends.
        high: Upper ends.
    """
    residual = values - np.clip(values, low, high)
    return residual, (residual != 0.0).astype(np.float64)


def bone_lengths(
    keypoints_m: Float[Array, "t 21 3"],
) -> tuple[Float[Array, "t 20"], Float[Array, "t 20 21 3"]]:
    """Lengths of the 20 bones (m), in the order of ``OPENPOSE_BONES``.

    Args:
        keypoints_m: Keypoints.
    """
    near, far = np.array(OPENPOSE_BONES).T
    bones = keypoints_m[:, far] - keypoints_m[:, near]
    lengths = np.linalg.norm(bones, axis=2)
    unit = bones / lengths[..., None].clip(1e-9)
    slope = np.zeros((len(bones), 20, 21, 3))
    each = np.arange(20)
    slope[:, each, far] = unit
    slope[:, each, near] = -unit
    return lengths, slope


def palm_angles(
    keypoints_m: Float[Array, "t 21 3"],
) -> tuple[Float[Array, "t 4"], Float[Array, "t 4 21 3"]]:
    """Angles (rad) between neighbouring bones of the palm, thumb to little finger.

    Args:
        keypoints_m: Keypoints.
    """
    bones = keypoints_m[:, ROOT_KEYPOINTS] - keypoints_m[:, :1]
    lengths = np.linalg.norm(bones, axis=2, keepdims=True)
    unit = bones / lengths
    a, b = unit[:, :-1], unit[:, 1:]
    cosine = np.einsum("tij,tij->ti", a, b).clip(-1.0, 1.0)
    sine = np.sqrt(1.0 - cosine**2).clip(1e-9)
    by_a = -(b - cosine[..., None] * a) / sine[..., None] / lengths[:, :-1]
    by_b = -(a - cosine[..., None] * b) / sine[..., None] / lengths[:, 1:]
    slope = np.zeros((len(bones), 4, 21, 3))
    each = np.arange(4)
    slope[:, each, ROOT_KEYPOINTS[:-1]] = by_a
    slope[:, each, ROOT_KEYPOINTS[1:]] = by_b
    slope[:, :, 0] = -(by_a + by_b)
    return np.arccos(cosine), slope


def palm_curvatures(
    keypoints_m: Float[Array, "t 21 3"],
) -> tuple[Float[Array, "t 4"], Float[Array, "t 4 21 3"]]:
    """Curvature (1/m) of the palm between neighbouring bones, thumb to little finger.

    ``c_i = (e_(i+1) - e_i) . (b_(i+1) - b_i) / |b_(i+1) - b_i|^2`` with the bones b, the normals
    ``n_i ~ b_(i+1) x b_i`` between neighbours and e the normal at a bone, the mean of those beside
    it (Spurr et al., Eqs. 6-7). A mirrored hand has the opposite sign. The derivative is carried
    along, one tangent for each coordinate of the six keypoints.

    Args:
        keypoints_m: Keypoints.
    """
    bones = keypoints_m[:, ROOT_KEYPOINTS] - keypoints_m[:, :1]
    far, near = np.eye(15).reshape(5, 3, 15), np.tile(np.eye(3), (5, 1, 1))
    d_bones = np.broadcast_to(np.concatenate((far, -near), axis=2), (len(bones), 5, 3, 18))
    a, b = bones[:, 1:], bones[:, :-1]
    d_cross = _crossed(d_bones[:, 1:], b) - _crossed(d_bones[:, :-1], a)
    between, d_between = _unit(np.cross(a, b), d_cross)
    middle, d_middle = _unit(between[:, 1:] + between[:, :-1], d_between[:, 1:] + d_between[:, :-1])
    at_bone = np.concatenate((between[:, :1], middle, between[:, -1:]), axis=1)
    d_at = np.concatenate((d_between[:, :1], d_middle, d_between[:, -1:]), axis=1)
    step, d_step = np.diff(bones, axis=1), np.diff(d_bones, axis=1)
    turn, d_turn = np.diff(at_bone, axis=1), np.diff(d_at, axis=1)
    over = np.einsum("tij,tij->ti", step, step)
    value = np.einsum("tij,tij->ti", turn, step) / over
    slope = np.einsum("tijq,tij->tiq", d_turn, step)
    slope += np.einsum("tijq,tij->tiq", d_step, turn - 2.0 * value[..., None] * step)
    full = np.zeros((len(bones), 4, 21, 3))
    full[:, :, [*ROOT_KEYPOINTS, 0]] = (slope / over[..., None]).reshape(-1, 4, 6, 3)
    return value, full


def _crossed(d: Float[Array, "t i 3 q"], v: Float[Array, "t i 3"]) -> Float[Array, "t i 3 q"]:
    """Cross product of every tangent with a vector."""
    return np.cross(d, v[..., None], axis=2)


def _unit(
    v: Float[Array, "t i 3"], d: Float[Array, "t i 3 q"]
) -> tuple[Float[Array, "t i 3"], Float[Array, "t i 3 q"]]:
    """Vectors over their lengths, and the tangents of that."""
    length = np.linalg.norm(v, axis=2, keepdims=True).clip(1e-12)
    u = v / length
    along = np.einsum("tij,tijq->tiq", u, d)
    return u, (d - u[..., None] * along[:, :, None]) / length[..., None]
