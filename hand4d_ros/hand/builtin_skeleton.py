"""The bones of the built-in right hand at rest: published lengths laid out in MANO's rest pose.

Flat hand, fingers along -x, palm facing -y, thumb on the +z side, wrist joint at the origin.
The directions are rounded from the look of MANO's rest pose, so that its pose parameters carry
over.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

import numpy as np

from hand4d_ros.hand.anthropometry import CARPUS_M, SEGMENTS_M
from hand4d_ros.hand.orders import FINGERS, TIP_PARENTS
from hand4d_ros.shapes import Array, Float

_DIRECTIONS_DEG: dict[str, tuple[tuple[float, float], ...]] = {
    "thumb": ((48.0, 2.0), (36.0, -9.0), (36.0, -9.0)),
    "index": ((9.0, -3.0), (4.0, 0.0), (4.0, 0.0), (4.0, 0.0)),
    "middle": ((-2.0, -1.0), (-8.0, 0.0), (-8.0, 0.0), (-8.0, 0.0)),
    "ring": ((-17.0, -2.0), (-15.0, 0.0), (-15.0, 0.0), (-15.0, 0.0)),
    "little": ((-28.0, -6.0), (-30.0, 0.0), (-30.0, 0.0), (-30.0, 0.0)),
}
"""Per segment from the metacarpal outwards: angle from -x towards +z, and towards +y."""

_METACARPAL_BASES_M: dict[str, tuple[float, float, float]] = {
    "thumb": (-0.022, -0.013, 0.023),
    "index": (-0.0205, 0.0, 0.010),
    "ring": (-0.0245, -0.001, -0.008),
    "little": (-0.0215, -0.003, -0.016),
}
"""The middle finger's lies on the line from the wrist to its knuckle, ``CARPUS_M`` out."""

_THUMB_ROLL_RAD = np.deg2rad(50.0)
"""How far the thumb nail is turned from the back of the hand towards the outside."""


@dataclass(frozen=True)
class Skeleton:
    """Rest pose of the bones: fingers in the order of ``FINGERS``, segments from the palm on."""

    joints_m: Float[Array, "16 3"]
    """MANO order."""
    tips_m: Float[Array, "5 3"]
    rays_m: Float[Array, "5 5 3"]
    """Five points along each finger: metacarpal base, three MANO joints, tip.

    The thumb's base lies in the carpus, as its metacarpal starts at a MANO joint.
    """
    dorsal: Float[Array, "5 4 3"]
    """Unit vector towards the back of the hand (the nail), per segment."""


def _direction(azimuth_deg: float, elevation_deg: float) -> Float[Array, "3"]:
    azimuth, elevation = np.deg2rad(azimuth_deg), np.deg2rad(elevation_deg)
    return np.array(
        [
            -np.cos(azimuth) * np.cos(elevation),
            np.sin(elevation),
            np.sin(azimuth) * np.cos(elevation),
        ]
    )


def _ray(finger: str) -> Float[Array, "5 3"]:
    """Metacarpal base, three joints and tip of one finger (m)."""
    directions = [_direction(*angles) for angles in _DIRECTIONS_DEG[finger]]
    lengths = SEGMENTS_M[finger]
    if finger == "thumb":
        # The thumb's three MANO joints are the ends of its metacarpal and the one after it.
        base = np.array(_METACARPAL_BASES_M[finger])
        steps = [lengths[0] * directions[0], lengths[1] * directions[1]]
        steps.append((lengths[2] + lengths[3]) * directions[2])
        joints = base + np.cumsum([np.zeros(3), *steps], axis=0)
        return np.vstack((0.35 * base, joints))
    middle = finger == "middle"
    base = CARPUS_M * directions[0] if middle else np.array(_METACARPAL_BASES_M[finger])
    steps = [length * direction for length, direction in zip(lengths, directions, strict=True)]
    return np.asarray(base + np.cumsum([np.zeros(3), *steps], axis=0))


def _dorsal(finger: str, segments: Float[Array, "4 3"]) -> Float[Array, "4 3"]:
    """Unit vectors across the segments towards the nail."""
    up = np.array([0.0, 1.0, 0.0])
    axis = segments / np.linalg.norm(segments, axis=-1, keepdims=True)
    dorsal = up - (axis @ up)[:, None] * axis
    dorsal /= np.linalg.norm(dorsal, axis=-1, keepdims=True)
    if finger == "thumb":
        outward = np.cross(dorsal, axis)
        dorsal = np.cos(_THUMB_ROLL_RAD) * dorsal + np.sin(_THUMB_ROLL_RAD) * outward
    return np.asarray(dorsal)


@cache
def rest_skeleton() -> Skeleton:
    """Lay out the bones of the mean right hand (m)."""
    rays = np.stack([_ray(finger) for finger in FINGERS])
    joints = np.zeros((16, 3))
    for finger, last in enumerate(TIP_PARENTS):
        joints[last - 2 : last + 1] = rays[finger, 1:4]
    dorsal = np.stack(
        [_dorsal(f, np.diff(ray, axis=0)) for f, ray in zip(FINGERS, rays, strict=True)]
    )
    return Skeleton(joints, rays[:, 4].copy(), rays, dorsal)
