"""The skin of the built-in hand as an implicit surface.

A smooth union, wide in the palm and narrow between the fingers, of the five swept fingers with
their metacarpals, the balls of thumb and little finger, the wrist, and a sheet for the web of
the thumb. Lengths are millimetres.
"""

from __future__ import annotations

import numpy as np

from hand4d_ros.hand.builtin_rays import radial_distance, ray_coordinates
from hand4d_ros.hand.builtin_skeleton import rest_skeleton
from hand4d_ros.shapes import Array, Float


def smooth_union(
    first: Float[Array, "n"], second: Float[Array, "n"], radius_mm: Float[Array, "n"] | float
) -> Float[Array, "n"]:
    """Join two bodies with a fillet: the quadratic polynomial smooth minimum of distances."""
    gap = np.maximum(radius_mm - np.abs(first - second), 0.0)
    return np.asarray(np.minimum(first, second) - 0.25 * gap**2 / radius_mm)


def _fillet_mm(joint_coordinate: Float[Array, "n"]) -> Float[Array, "n"]:
    """Radius of the union: wide in the palm, narrow between the fingers, so webs are short."""
    knots, radii = [-0.3, 0.1, 0.45, 0.7], [14.0, 9.0, 4.0, 1.0]
    return np.asarray(np.interp(joint_coordinate, knots, radii))


def _wrist(points_mm: Float[Array, "n 3"]) -> Float[Array, "n"]:
    """Elliptic cylinder along x about the wrist, with a rounded cut 34 mm above it."""
    x, y, z = points_mm.T
    knots = [-30.0, -10.0, 10.0, 45.0]
    centre_y = np.interp(x, [-30.0, 10.0], [-4.0, -1.5])
    ahead, behind = np.maximum(x - 26.0, 0.0), np.maximum(-x - 20.0, 0.0)
    offset = np.stack((y - centre_y, z - 2.0, ahead, behind))
    radii = np.stack(
        (
            np.interp(x, knots, [17.5, 20.0, 21.5, 23.0]),
            np.interp(x, knots, [30.0, 29.5, 29.5, 31.0]),
            np.full_like(x, 8.0),
            np.full_like(x, 20.0),
        )
    )
    return radial_distance(offset, radii)


def _ball_of_thumb(points_mm: Float[Array, "n 3"]) -> Float[Array, "n"]:
    """Ellipsoid along the thumb's metacarpal, on its palmar side."""
    base, knuckle = rest_skeleton().joints_m[13:15] * 1e3
    along = (knuckle - base) / np.linalg.norm(knuckle - base)
    across = np.cross(along, np.array([0.0, 1.0, 0.0]))
    across /= np.linalg.norm(across)
    axes = np.stack((along, np.cross(across, along), across))
    centre = 0.5 * (base + knuckle) + np.array([-6.0, -6.0, -8.0])
    radii = np.array([29.0, 14.0, 16.0])
    return radial_distance(axes @ (points_mm - centre).T, radii[:, None])


def _ball_of_little_finger(points_mm: Float[Array, "n 3"]) -> Float[Array, "n"]:
    """Ellipsoid on the palmar side of the little finger's metacarpal."""
    centre, radii = np.array([-38.0, -11.0, -25.0]), np.array([34.0, 13.0, 13.0])
    return radial_distance((points_mm - centre).T, radii[:, None])


def _web_of_thumb(points_mm: Float[Array, "n 3"]) -> Float[Array, "n"]:
    """Rounded triangular sheet between the metacarpals of thumb and index finger."""
    base, knuckle, index = rest_skeleton().joints_m[[13, 14, 1]] * 1e3
    corners = (
        0.8 * base + 0.2 * index,
        0.25 * base + 0.75 * knuckle,
        0.15 * base + 0.85 * index,
    )
    normal = np.cross(corners[1] - corners[0], corners[2] - corners[0])
    normal /= np.linalg.norm(normal)
    inside = np.ones(len(points_mm), dtype=bool)
    edge = np.full(len(points_mm), np.inf)
    for k in range(3):
        start, side = corners[k], corners[(k + 1) % 3] - corners[k]
        relative = points_mm - start
        inside &= relative @ np.cross(normal, side) > 0
        share = np.clip(relative @ side / (side @ side), 0.0, 1.0)
        gap = np.linalg.norm(relative - share[:, None] * side, axis=-1)
        edge = np.minimum(edge, gap)
    plane = np.abs((points_mm - corners[0]) @ normal)
    return np.where(inside, plane, edge) - 6.5


def hand_distance(points_mm: Float[Array, "n 3"]) -> Float[Array, "n"]:
    """Return the signed distance from the skin (mm), about; negative inside."""
    thumb, *fingers = (ray_coordinates(finger, points_mm) for finger in range(5))
    field = _wrist(points_mm)
    for ray in fingers:
        field = smooth_union(field, ray.distance_mm, _fillet_mm(ray.joint_coordinate))
    field = smooth_union(field, _ball_of_little_finger(points_mm), 12.0)
    field = smooth_union(field, _web_of_thumb(points_mm), 10.0)
    field = smooth_union(field, _ball_of_thumb(points_mm), 10.0)
    # The thumb is free from its second joint on only.
    return smooth_union(field, thumb.distance_mm, _fillet_mm(thumb.joint_coordinate - 1.0))
