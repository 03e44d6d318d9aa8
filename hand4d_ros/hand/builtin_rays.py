"""Coordinates along the fingers of the built-in hand, and their skin as swept bodies.

Each finger is a ray from the base of its metacarpal to its tip; half width, height and depth of
its skin follow profiles over the joints. Lengths are millimetres, which is what profiles are in.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from hand4d_ros.hand.anthropometry import PIP_HALF_BREADTH_M
from hand4d_ros.hand.builtin_skeleton import rest_skeleton
from hand4d_ros.hand.orders import FINGERS
from hand4d_ros.shapes import Array, Float

_FINGER_PROFILE = np.array(
    [
        # joint coordinate, half width, height (nail side), depth (palm side), roundness
        [-1.0, 1.06, 0.92, 1.15, 2.5],
        [-0.6, 1.09, 0.88, 1.20, 2.7],
        [-0.2, 1.11, 0.92, 1.34, 2.7],
        [0.0, 1.10, 1.00, 1.38, 2.6],
        [0.2, 1.06, 0.95, 1.30, 2.4],
        [0.45, 1.02, 0.84, 1.12, 2.2],
        [0.75, 0.97, 0.81, 1.06, 2.2],
        [1.0, 1.00, 0.89, 0.98, 2.3],
        [1.25, 0.95, 0.78, 0.98, 2.2],
        [1.6, 0.90, 0.72, 0.95, 2.2],
        [2.0, 0.88, 0.72, 0.86, 2.3],
        [2.3, 0.86, 0.62, 0.90, 2.3],
        [2.6, 0.84, 0.54, 0.90, 2.3],
        [3.0, 0.80, 0.48, 0.80, 2.2],
    ]
)
"""In units of half the breadth of the middle joint; coordinate 0 is the knuckle, 3 the tip."""

_THUMB_PROFILE = np.array(
    [
        [-1.0, 1.10, 1.00, 1.10, 2.3],
        [0.0, 1.12, 0.98, 1.20, 2.3],
        [0.5, 1.04, 0.92, 1.25, 2.2],
        [1.0, 1.03, 0.95, 1.04, 2.2],
        [1.35, 0.92, 0.82, 0.92, 2.2],
        [1.6, 0.91, 0.78, 0.90, 2.2],
        [2.0, 1.00, 0.82, 0.90, 2.3],
        [2.3, 1.02, 0.66, 0.98, 2.3],
        [2.65, 0.98, 0.56, 0.92, 2.3],
        [3.0, 0.92, 0.50, 0.80, 2.2],
    ]
)
_CAP_START = 2.60
"""Joint coordinate from which on the fingertip is rounded."""


def smooth_profile(
    x: Float[Array, "*n"], knots: Float[Array, "k"], values: Float[Array, "k"]
) -> Float[Array, "*n"]:
    """Interpolate without overshoot and with a continuous slope; constant beyond the ends.

    Cubic Hermite with harmonic-mean slopes: F. N. Fritsch and J. Butland, SIAM J. Sci. Stat.
    Comput. 5(2):300-304, 1984.
    """
    step = np.diff(knots)
    rise = np.diff(values) / step
    product = rise[:-1] * rise[1:]
    mean = 2.0 * product / np.where(product > 0, rise[:-1] + rise[1:], 1.0)
    slope = np.concatenate(([0.0], np.where(product > 0, mean, 0.0), [0.0]))
    x = np.clip(x, knots[0], knots[-1])
    i = np.clip(np.searchsorted(knots, x, side="right") - 1, 0, len(step) - 1)
    t, h = (x - knots[i]) / step[i], step[i]
    first = values[i] + (x - knots[i]) * slope[i]
    bend = 3.0 * rise[i] - 2.0 * slope[i] - slope[i + 1]
    twist = slope[i] + slope[i + 1] - 2.0 * rise[i]
    return np.asarray(first + h * (bend * t**2 + twist * t**3))


@dataclass(frozen=True)
class RayCoordinates:
    """Where points are relative to one finger."""

    joint_coordinate: Float[Array, "n"]
    """-1 metacarpal base, 0 knuckle (thumb: base joint), 1 and 2 the next joints, 3 the tip."""
    along_mm: Float[Array, "n"]
    """The same as length along the finger from the metacarpal base."""
    lateral_mm: Float[Array, "n"]
    """Across the finger."""
    dorsal_mm: Float[Array, "n"]
    """From the bone towards the back of the hand or the nail."""
    distance_mm: Float[Array, "n"]
    """Signed distance from the finger's skin, about; negative inside."""


def joint_positions_mm(finger: int) -> Float[Array, "5"]:
    """Return the length along a finger at joint coordinates -1 to 3."""
    steps = np.linalg.norm(np.diff(rest_skeleton().rays_m[finger], axis=0), axis=-1)
    return np.concatenate(([0.0], np.cumsum(steps))) * 1e3


def ray_coordinates(finger: int, points_mm: Float[Array, "n 3"]) -> RayCoordinates:
    """Express points in the frame of a finger (index into ``FINGERS``)."""
    skeleton = rest_skeleton()
    corners = skeleton.rays_m[finger] * 1e3
    ends = joint_positions_mm(finger)
    length = np.diff(ends)
    axis = np.diff(corners, axis=0) / length[:, None]
    dorsal = skeleton.dorsal[finger]
    relative = points_mm[:, None] - corners[:-1]
    along = np.einsum("nsi,si->ns", relative, axis)
    low = np.where(np.arange(4) == 0, -np.inf, 0.0)
    high = np.where(np.arange(4) == 3, np.inf, length)
    clamped = np.clip(along, low, high)
    offset = relative - clamped[..., None] * axis
    distance = np.linalg.norm(offset, axis=-1)
    # Soft choice of the segment keeps the coordinates smooth where the finger bends.
    share = np.exp(distance.min(axis=1, keepdims=True) - distance)
    share /= share.sum(axis=1, keepdims=True)
    joint = (share * (np.arange(-1.0, 3.0) + clamped / length)).sum(axis=1)
    along_mm = (share * (ends[:-1] + clamped)).sum(axis=1)
    u = (share * np.einsum("nsi,si->ns", offset, np.cross(dorsal, axis))).sum(axis=1)
    v = (share * np.einsum("nsi,si->ns", offset, dorsal)).sum(axis=1)
    return RayCoordinates(joint, along_mm, u, v, _skin_distance(finger, joint, along_mm, u, v))


def _skin_distance(
    finger: int,
    joint: Float[Array, "n"],
    along_mm: Float[Array, "n"],
    lateral_mm: Float[Array, "n"],
    dorsal_mm: Float[Array, "n"],
) -> Float[Array, "n"]:
    """Distance from the swept body, rounded off at both ends (mm)."""
    profile = _THUMB_PROFILE if finger == 0 else _FINGER_PROFILE
    unit = PIP_HALF_BREADTH_M[FINGERS[finger]] * 1e3
    width, height, depth, power = (
        smooth_profile(joint, profile[:, 0], profile[:, k]) for k in (1, 2, 3, 4)
    )
    across = np.where(dorsal_mm > 0, height, depth) * unit
    ends = joint_positions_mm(finger)
    cap = (3.0 - _CAP_START) * (ends[4] - ends[3])
    ahead = np.maximum(along_mm - (ends[4] - cap), 0.0)
    behind = np.maximum(-along_mm, 0.0)
    offset = np.stack((lateral_mm, dorsal_mm, ahead, behind))
    radii = np.stack((width * unit, across, np.full_like(width, cap), np.full_like(width, unit)))
    return radial_distance(offset, radii, power)


def radial_distance(
    offset: Float[Array, "k n"],
    radii: Float[Array, "k #n"],
    power: Float[Array, "n"] | float = 2.0,
) -> Float[Array, "n"]:
    """Distance from a superellipsoid along the ray from its centre, in the unit of ``offset``.

    Args:
        offset: From the centre, along each of the ``k`` axes.
        radii: Half axes.
        power: 2 is an ellipsoid, more is boxier.
    """
    share = np.maximum(np.abs(offset) / radii, 1e-9)
    rho = (share**power).sum(axis=0) ** (1.0 / power)
    norm = np.linalg.norm(offset, axis=0)
    # The centre has no ray; its nearest skin is along the shortest axis.
    reach = np.where(norm > 1e-6, norm / rho, np.min(radii, axis=0))
    return np.asarray(norm - reach)
