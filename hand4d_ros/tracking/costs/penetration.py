"""Two hands do not fill the same space (Dyn-HaMR, L_pen): spheres along the bones of each.

The paper pulls apart the vertices of one mesh inside of the other, found anew by winding numbers
at every step. Spheres inscribed into the mesh along the bones give the same separation smoothly,
with a derivative in closed form, at a hundredth of the work.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from hand4d_ros.geometry import so3
from hand4d_ros.hand.biomechanics import REST_RAD, Anatomy
from hand4d_ros.hand.model import HandModel
from hand4d_ros.hand.orders import OPENPOSE_BONES
from hand4d_ros.shapes import Array, Float, Int
from hand4d_ros.types import Side

_PER_BONE = 3
_PALM_WEBS = ((5, 9), (9, 13), (13, 17), (1, 5))
"""Neighbouring knuckles: the palm between its bones is filled from these."""


class Spheres(NamedTuple):
    """Spheres that fill a hand."""

    weights: Float[Array, "s 21"]
    """Centres as combinations of the keypoints; rows sum to one."""
    radius_m: Float[Array, "s"]


def inscribed_spheres(model: HandModel) -> Spheres:
    """Spheres along bones and across the palm, each as large as the relaxed mesh lets it be.

    Args:
        model: Hand model of either side.
    """
    right = model if model.side is Side.RIGHT else model.mirrored()
    hand = right.with_shape()
    local = Anatomy(hand).local_rotations(REST_RAD)
    keypoints_m = hand.chain(np.eye(3), np.zeros(3), local).keypoints_m
    steps = [(step + 0.5) / _PER_BONE for step in range(_PER_BONE)]
    rows = [_mix(near, far, alpha) for near, far in OPENPOSE_BONES for alpha in steps]
    for one, other in _PALM_WEBS:
        web = _mix(one, other, 0.5)
        rows += [alpha * web + (1.0 - alpha) * _mix(0, 0, 0.0) for alpha in (0.95, 0.7, 0.45)]
    weights = np.array(rows)
    vertices_m = hand.vertices(np.eye(4), so3.log(local))
    apart = np.linalg.norm((weights @ keypoints_m)[:, None] - vertices_m, axis=2)
    return Spheres(weights, apart.min(axis=1))


def _mix(one: int, other: int, alpha: float) -> Float[Array, "21"]:
    row = np.zeros(21)
    row[one] += 1.0 - alpha
    row[other] += alpha
    return row


class Contacts(NamedTuple):
    """Pairs of spheres that overlap."""

    frame: Int[Array, "c"]
    depth_m: Float[Array, "c"]
    """By how much; positive."""
    by_left: Float[Array, "c 21 3"]
    """Derivative with respect to the keypoints of the left hand."""
    by_right: Float[Array, "c 21 3"]


def penetration(
    left_m: Float[Array, "t 21 3"], right_m: Float[Array, "t 21 3"], spheres: Spheres
) -> Contacts:
    """Depth of every overlap: ``max(0, r_i + r_j - |p_i - p_j|)``.

    Args:
        left_m: Keypoints of the left hand in the world.
        right_m: Keypoints of the right hand in the world.
        spheres: Of either hand, for they are mirror images.
    """
    reach_m = _reach(left_m) + _reach(right_m)
    near = np.linalg.norm(left_m[:, 9] - right_m[:, 9], axis=1) < reach_m
    frames = np.flatnonzero(near)
    a = spheres.weights @ left_m[frames]
    b = spheres.weights @ right_m[frames]
    apart = a[:, :, None] - b[:, None]
    distance = np.linalg.norm(apart, axis=-1)
    depth = spheres.radius_m[:, None] + spheres.radius_m - distance
    row, i, j = np.nonzero(depth > 0.0)
    away = apart[row, i, j] / distance[row, i, j].clip(1e-9)[:, None]
    by_left = -spheres.weights[i][:, :, None] * away[:, None]
    by_right = spheres.weights[j][:, :, None] * away[:, None]
    return Contacts(frames[row], depth[row, i, j], by_left, by_right)


def _reach(keypoints_m: Float[Array, "t 21 3"]) -> Float[Array, "t"]:
    """Distance from the middle knuckle within which the whole hand lies."""
    farthest = np.linalg.norm(keypoints_m - keypoints_m[:, 9:10], axis=2).max(axis=1)
    return np.asarray(farthest + 0.03)
