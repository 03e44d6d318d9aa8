"""Parts of the built-in hand's skin that differ in colour, for renderers."""

from __future__ import annotations

import enum

import numpy as np

from hand4d_ros.hand.builtin_rays import ray_coordinates
from hand4d_ros.hand.builtin_relief import crease_distance, nail_coordinate
from hand4d_ros.hand.builtin_skeleton import rest_skeleton
from hand4d_ros.shapes import Array, Float, Int


class Region(enum.IntEnum):
    """Parts of the skin."""

    BACK = 0
    """The back of hand and fingers."""
    PALM = 1
    """The palmar side of hand and fingers: lighter, without hair."""
    NAIL = 2
    FINGERTIP = 3
    """The pulp of the last segments: redder."""
    KNUCKLE = 4
    """The back of the finger joints, where the skin is wrinkled: darker."""
    WRIST = 5
    STUMP = 6
    """The cut at the end of the wrist, which a sleeve or a forearm hides."""


def label_regions(points_mm: Float[Array, "v 3"], normals: Float[Array, "v 3"]) -> Int[Array, "v"]:
    """Name the region of each vertex of the skin at rest.

    Args:
        points_mm: Vertices.
        normals: Their outward unit normals.

    Returns:
        Values of ``Region``.
    """
    rays = [ray_coordinates(finger, points_mm) for finger in range(5)]
    nearest = np.argmin([ray.distance_mm for ray in rays], axis=0)
    region = np.where(normals[:, 1] > 0.0, Region.BACK, Region.PALM)
    for finger, ray in enumerate(rays):
        joint = ray.joint_coordinate
        mine = (nearest == finger) & (joint > (1.0 if finger == 0 else 0.3))
        facing = normals @ rest_skeleton().dorsal[finger, 3]
        region[mine] = np.where(facing[mine] > 0.0, Region.BACK, Region.PALM)
        region[mine & (joint > 2.35) & (facing < 0.0)] = Region.FINGERTIP
        at_joint = np.minimum(np.abs(joint - 1.0), np.abs(joint - 2.0))
        region[mine & (at_joint < 0.17) & (facing > 0.3)] = Region.KNUCKLE
        region[mine & (nail_coordinate(finger, ray) < 0.99) & (facing > 0.0)] = Region.NAIL
    region[points_mm[:, 0] > -4.0] = Region.WRIST
    region[(points_mm[:, 0] > 26.0) & (normals[:, 0] > 0.6)] = Region.STUMP
    return region.astype(np.int64)


def crease_weights(points_mm: Float[Array, "v 3"]) -> Float[Array, "v"]:
    """Tell how much each vertex lies in a flexion crease: 1 at its bottom, 0 away from it."""
    return np.exp(-0.5 * (crease_distance(points_mm) / 1.1) ** 2)
