"""Which keypoints can be seen, without drawing: rays against bones, arms, things and the border.

Hands are capsules along their bones, arms capsules too, things boxes, cylinders and spheres. A
keypoint is hidden where the segment from the camera to it enters one of them well before its
end. The rule is that of the renderer's depth test (``film``), so the two can be compared:
``python -m benchmarks.detector`` prints how often they agree.

The camera is the origin of all coordinates here, and a ray is ``t p`` with t from 0 to 1.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from hand4d_ros.errors import SceneError
from hand4d_ros.geometry import camera as cameras
from hand4d_ros.hand.orders import OPENPOSE_BONES
from hand4d_ros.shapes import Array, Bool, Float, Int
from hand4d_ros.types import CameraModel

SolidKind = Literal["box", "cylinder", "sphere"]

_FINGER_RADII_M = (0.0120, 0.0085, 0.0077, 0.0068)
_THUMB_RADII_M = (0.0131, 0.0123, 0.0083, 0.0072)
_RADII_M = np.array([*_THUMB_RADII_M, *(4 * _FINGER_RADII_M)])
"""Of the capsules about ``OPENPOSE_BONES``, for a hand of ``_MIDDLE_M``."""
_MIDDLE_M = 0.180
"""Wrist to the tip of the middle finger along the bones, of the hand that the radii belong to."""
_SKIN_M = np.array([0.036, 0.030, 0.022, 0.018, 0.014] + 4 * [0.026, 0.018, 0.015, 0.014])
"""A hand and its arm hide their own keypoints, which lie inside, only if nearer by more."""
_OTHER_M = 0.004
"""Anything else hides a keypoint that it is nearer than by more."""
_STARTS, _ENDS = np.array(OPENPOSE_BONES).T
_TIP_SHARE = 0.34
_BALL_RADII_M = np.array([0.013, *(_RADII_M * (5 * [1.0, 1.0, 1.0, _TIP_SHARE]))])
"""Of the balls about the keypoints: as thick as the bone that ends there, but at the tips, which
lie on the skin. All radii were chosen to agree with the renderer's depth as often as possible."""
_NEVER = 1e9


@dataclass(frozen=True)
class Solids:
    """Rigid things over ``f`` frames."""

    kinds: tuple[SolidKind, ...]
    """Cylinders stand along z."""
    half_m: Float[Array, "k 3"]
    """Half extents along x, y, z."""
    T_camera_solid: Float[Array, "f k 4 4"]
    """From the middle of each to the camera."""

    def __post_init__(self) -> None:
        """Reject numbers of kinds, sizes and poses that differ."""
        sizes = (len(self.kinds), len(self.half_m), self.T_camera_solid.shape[1])
        if len(set(sizes)) != 1:
            raise SceneError(f"{sizes} kinds, sizes and poses of solids; give as many of each")


@dataclass(frozen=True)
class Obstacles:
    """What may stand between the camera and the hands, besides the hands."""

    solids: Solids
    capsules_m: Float[Array, "f m 7"]
    """Start, end and radius of arms in the camera's frame."""
    owners: tuple[int, ...] = ()
    """Index of the hand that each arm ends in, -1 for none; empty means ``m`` times none."""

    @classmethod
    def none(cls, frames: int) -> Obstacles:
        """Return nothing for a number of frames."""
        solids = Solids((), np.zeros((0, 3)), np.zeros((frames, 0, 4, 4)))
        return cls(solids, np.zeros((frames, 0, 7)))


@dataclass(frozen=True)
class Visibility:
    """What of the keypoints of ``h`` hands reaches the picture."""

    inside: Bool[Array, "f h 21"]
    """In front of the camera and within the picture."""
    open: Bool[Array, "f h 21"]
    """With nothing in front of them, were the picture large enough."""

    @property
    def seen(self) -> Bool[Array, "f h 21"]:
        """Inside of the picture and open."""
        return self.inside & self.open


def visibility(
    camera: CameraModel, keypoints_m: Float[Array, "f h 21 3"], obstacles: Obstacles | None = None
) -> Visibility:
    """Say which keypoints can be seen.

    Args:
        camera: The camera.
        keypoints_m: Of each hand, in the camera's frame.
        obstacles: Arms and things; None for nothing but the hands.
    """
    frames, hands = keypoints_m.shape[:2]
    around = Obstacles.none(frames) if obstacles is None else obstacles
    px = cameras.project(camera, keypoints_m)
    known = np.isfinite(px).all(-1)
    inside = known & cameras.in_image(camera, np.where(known[..., None], px, -1e6))
    rays = keypoints_m.reshape(frames, hands * 21, 3)
    length_m = np.linalg.norm(rays, axis=-1)
    hidden = (1.0 - _solids_entry(rays, around.solids)) * length_m > _OTHER_M
    hidden |= _behind_skin(rays, length_m, _joined_capsules(keypoints_m, around))
    return Visibility(inside, ~hidden.reshape(frames, hands, 21))


@dataclass(frozen=True)
class _Capsules:
    """Hands and arms: ``c`` cylinders without ends, and ``q`` balls that close them."""

    points_m: Float[Array, "f q 3"]
    ball_radius_m: Float[Array, "f q"]
    start: Int[Array, "c"]
    """Index of the point that a cylinder starts from."""
    end: Int[Array, "c"]
    radius_m: Float[Array, "f c"]
    ball_owner: Int[Array, "q"]
    """Hand that each belongs to, -1 for none."""
    owner: Int[Array, "c"]


def _joined_capsules(keypoints_m: Float[Array, "f h 21 3"], around: Obstacles) -> _Capsules:
    """Return the bones of all hands, and the arms."""
    frames, hands = keypoints_m.shape[:2]
    arms = around.capsules_m.shape[1]
    owners = np.array(around.owners or (-1,) * arms, dtype=int)
    bones = keypoints_m[:, :, [9, 10, 11, 12]] - keypoints_m[:, :, [0, 9, 10, 11]]
    scale = np.linalg.norm(bones, axis=-1).sum(-1)[..., None] / _MIDDLE_M
    ends = around.capsules_m[..., :6].reshape(frames, 2 * arms, 3)
    arm_radius = around.capsules_m[..., 6]
    hand = 21 * np.arange(hands)[:, None]
    first = 21 * hands + 2 * np.arange(arms)
    return _Capsules(
        np.concatenate((keypoints_m.reshape(frames, hands * 21, 3), ends), axis=1),
        np.concatenate(
            ((scale * _BALL_RADII_M).reshape(frames, -1), np.repeat(arm_radius, 2, axis=1)), axis=1
        ),
        np.concatenate(((hand + _STARTS).ravel(), first)),
        np.concatenate(((hand + _ENDS).ravel(), first + 1)),
        np.concatenate(((scale * _RADII_M).reshape(frames, -1), arm_radius), axis=1),
        np.concatenate((np.repeat(np.arange(hands), 21), np.repeat(owners, 2))),
        np.concatenate((np.repeat(np.arange(hands), 20), owners)),
    )


def _behind_skin(
    rays: Float[Array, "f n 3"], length_m: Float[Array, "f n"], capsules: _Capsules
) -> Bool[Array, "f n"]:
    """Say which rays enter a capsule further before their end than it takes to hide it."""
    points, start, end = capsules.points_m, capsules.start, capsules.end
    # All quadratics are made of these products, so that no vector is touched twice.
    dots = rays @ points.swapaxes(1, 2)
    square = (points * points).sum(-1)[:, None]
    pp = (length_m * length_m)[..., None]
    pa, aa = dots[..., start], square[..., start]
    between = (points[:, start] * points[:, end]).sum(-1)[:, None]
    axis2 = np.maximum(aa + square[..., end] - 2.0 * between, 1e-12)
    along_ray = (dots[..., end] - pa) / axis2
    along_start = -(between - aa) / axis2
    low, high = _between_roots(
        pp - along_ray * along_ray * axis2,
        -pa - along_ray * along_start * axis2,
        aa - along_start * along_start * axis2 - capsules.radius_m[:, None] ** 2,
    )
    side_low, side_high = _slab(along_ray, along_start, 0.0, 1.0)
    low, high = np.maximum(low, side_low), np.minimum(high, side_high)
    ball_low, ball_high = _between_roots(pp, -dots, square - capsules.ball_radius_m[:, None] ** 2)
    hidden = np.zeros(length_m.shape, dtype=bool)
    for enter, leave, owner in (
        (low, high, capsules.owner),
        (ball_low, ball_high, capsules.ball_owner),
    ):
        nearer_m = (1.0 - enter) * length_m[..., None]
        hit = (enter < leave) & (leave > 0.0) & (nearer_m > _allowed(rays.shape[1], owner))
        hidden |= hit.any(-1)
    return hidden


def _allowed(rays: int, owner: Int[Array, "c"]) -> Float[Array, "n c"]:
    """How much nearer (m) each obstacle may be than each keypoint without hiding it."""
    hand, keypoint = np.divmod(np.arange(rays), 21)
    own = hand[:, None] == owner
    return np.where(own, _SKIN_M[keypoint][:, None], _OTHER_M)


def _solids_entry(rays: Float[Array, "f n 3"], solids: Solids) -> Float[Array, "f n"]:
    """Where each ray first enters one of the solids of its frame, 1 or more for never."""
    entry = np.full(rays.shape[:2], _NEVER)
    for index, (kind, half) in enumerate(zip(solids.kinds, solids.half_m, strict=True)):
        T = solids.T_camera_solid[:, index]
        d = rays @ T[:, :3, :3]
        o = -np.einsum("fji,fj->fi", T[:, :3, :3], T[:, :3, 3])[:, None]
        round_axes = {"box": 0, "cylinder": 2, "sphere": 3}[kind]
        low = np.full(rays.shape[:2], -_NEVER)
        high = np.full(rays.shape[:2], _NEVER)
        if round_axes:
            flat_d, flat_o = d[..., :round_axes], o[..., :round_axes]
            low, high = _between_roots(
                (flat_d * flat_d).sum(-1),
                (flat_d * flat_o).sum(-1),
                (flat_o * flat_o).sum(-1) - half[0] ** 2,
            )
        for axis in range(round_axes, 3):
            slab_low, slab_high = _slab(d[..., axis], o[..., axis], -half[axis], half[axis])
            low, high = np.maximum(low, slab_low), np.minimum(high, slab_high)
        entry = np.minimum(entry, np.where((low < high) & (high > 0.0), low, _NEVER))
    return entry


def _between_roots(a: Array, b: Array, c: Array) -> tuple[Array, Array]:
    """Interval of t in which ``a t^2 + 2 b t + c < 0``; empty (low above high) where never."""
    discriminant = b * b - a * c
    root = np.sqrt(np.maximum(discriminant, 0.0))
    scale = 1.0 / np.maximum(a, 1e-15)
    empty = discriminant <= 0.0
    low = np.where(empty, _NEVER, (-b - root) * scale)
    return low, np.where(empty, -_NEVER, (-b + root) * scale)


def _slab(d: Array, o: Array, low: float, high: float) -> tuple[Array, Array]:
    """Interval of t in which ``low < o + d t < high``."""
    safe = np.where(np.abs(d) < 1e-12, 1e-12, d)
    first, second = (low - o) / safe, (high - o) / safe
    return np.minimum(first, second), np.maximum(first, second)


def joined(parts: Sequence[Solids]) -> Solids:
    """Put solids of the same frames into one record."""
    return Solids(
        tuple(kind for part in parts for kind in part.kinds),
        np.concatenate([part.half_m for part in parts]),
        np.concatenate([part.T_camera_solid for part in parts], axis=1),
    )
