"""Fine relief of the built-in hand: knuckles, tendons, nails and creases.

Lengths are millimetres; relief is positive outwards.
"""

from __future__ import annotations

import numpy as np

from hand4d_ros.hand.anthropometry import PIP_HALF_BREADTH_M
from hand4d_ros.hand.builtin_rays import RayCoordinates, joint_positions_mm, ray_coordinates
from hand4d_ros.hand.builtin_skeleton import rest_skeleton
from hand4d_ros.hand.builtin_surface import hand_distance
from hand4d_ros.hand.orders import FINGERS
from hand4d_ros.shapes import Array, Float

_PALM_LINES_MM: tuple[tuple[tuple[float, float], ...], ...] = (
    # The distal crease, from the little finger's side to between index and middle finger.
    ((-61.0, -52.0), (-70.0, -36.0), (-77.0, -20.0), (-83.0, -5.0), (-98.0, 7.0)),
    # The proximal crease, from the index finger's side to the hypothenar.
    ((-78.0, 34.0), (-74.0, 15.0), (-65.0, -5.0), (-54.0, -21.0), (-45.0, -31.0)),
    # The crease around the ball of the thumb.
    ((-78.0, 34.0), (-72.0, 17.0), (-58.0, 5.0), (-42.0, 0.0), (-24.0, 3.0), (-10.0, 7.0)),
    ((3.0, -22.0), (0.0, 2.0), (3.0, 26.0)),
)
"""Creases of the palm and the wrist as (x, z) corners of smooth curves."""


def _smooth_curve(corners: tuple[tuple[float, float], ...]) -> Float[Array, "n 2"]:
    """Round a polyline by cutting its corners (Chaikin 1974)."""
    curve = np.array(corners)
    for _ in range(4):
        near = 0.75 * curve[:-1] + 0.25 * curve[1:]
        far = 0.25 * curve[:-1] + 0.75 * curve[1:]
        inner = np.stack((near, far), axis=1).reshape(-1, 2)
        curve = np.vstack((curve[:1], inner, curve[-1:]))
    return curve


def _bump(x: Float[Array, "n"], width: float) -> Float[Array, "n"]:
    return np.asarray(np.exp(-0.5 * (x / width) ** 2))


def _facing(ray: RayCoordinates, side: float) -> Float[Array, "n"]:
    """1 on the nail side (``side`` 1) or palm side (-1) of a finger, fading to 0 at its flanks."""
    share = side * ray.dorsal_mm / np.maximum(np.hypot(ray.dorsal_mm, ray.lateral_mm), 1e-9)
    return np.asarray(np.clip(1.6 * share, 0.0, 1.0))


def _near(ray: RayCoordinates) -> Float[Array, "n"]:
    """1 on this finger's own skin, 0 a few millimetres away from it."""
    return np.asarray(np.clip(1.5 - np.abs(ray.distance_mm) / 3.0, 0.0, 1.0))


def palm_line_distance(points_mm: Float[Array, "n 3"]) -> Float[Array, "n"]:
    """Distance in the plane of the palm to its nearest crease (mm); far away on the back."""
    nearest = np.full(len(points_mm), np.inf)
    for corners in _PALM_LINES_MM:
        curve = _smooth_curve(corners)
        gap = points_mm[:, None, (0, 2)] - curve
        nearest = np.minimum(nearest, np.linalg.norm(gap, axis=-1).min(axis=1))
    return np.where(points_mm[:, 1] < -4.0, nearest, np.inf)


def crease_distance(points_mm: Float[Array, "n 3"]) -> Float[Array, "n"]:
    """Distance to the nearest flexion crease of fingers, palm or wrist (mm)."""
    nearest = palm_line_distance(points_mm)
    for finger in range(5):
        ray = ray_coordinates(finger, points_mm)
        mine = (np.abs(ray.distance_mm) < 3.0) & (ray.dorsal_mm < 0.0)
        for at_mm in _finger_creases_mm(finger):
            gap = np.abs(ray.along_mm - at_mm)
            nearest = np.where(mine, np.minimum(nearest, gap), nearest)
    return nearest


def _finger_creases_mm(finger: int) -> tuple[float, ...]:
    """Places of the palmar creases along a finger."""
    at = joint_positions_mm(finger)
    if finger == 0:
        return (float(at[2]) + 1.0, float(at[3]) - 0.5)
    base = float(at[1] + 0.44 * (at[2] - at[1]))
    return (base, float(at[2]) - 1.4, float(at[2]) + 1.6, float(at[3]))


def nail_coordinate(finger: int, ray: RayCoordinates) -> Float[Array, "n"]:
    """1 at the border of the nail, less within it, more outside; large on the palm side."""
    at = joint_positions_mm(finger)
    unit = PIP_HALF_BREADTH_M[FINGERS[finger]] * 1e3
    start, end = at[3] + 0.44 * (at[4] - at[3]), at[4] - 0.8
    half_width = (0.70 if finger == 0 else 0.58) * unit
    middle, half_length = 0.5 * (start + end), 0.5 * (end - start)
    along = np.abs(ray.along_mm - middle) / half_length
    across = np.abs(ray.lateral_mm) / half_width
    border = (along**3.5 + across**3.5) ** (1.0 / 3.5)
    return np.where((ray.dorsal_mm > 0.4) & (np.abs(ray.distance_mm) < 3.0), border, 9.0)


def _finger_relief(finger: int, ray: RayCoordinates) -> Float[Array, "n"]:
    at = joint_positions_mm(finger)
    dorsal, palmar = _facing(ray, 1.0), _facing(ray, -1.0)
    relief = np.zeros_like(ray.along_mm)
    for crease in _finger_creases_mm(finger):
        relief -= 0.75 * palmar * _bump(ray.along_mm - crease, 0.9)
    joints = (at[2], at[3])
    for joint, depth in zip(joints, (0.45, 0.3), strict=True):
        for shift in (-2.6, 0.0, 2.6):
            relief -= depth * dorsal * _bump(ray.along_mm - joint - shift, 0.8)
    border = nail_coordinate(finger, ray)
    relief -= 0.55 * _bump(border - 1.08, 0.10)
    relief += 0.25 * np.clip((1.05 - border) / 0.1, 0.0, 1.0)
    return np.asarray(relief * _near(ray))


def _back_relief(points_mm: Float[Array, "n 3"], rays: list[RayCoordinates]) -> Float[Array, "n"]:
    """Knuckles, extensor tendons and the head of the ulna."""
    joints = rest_skeleton().joints_m * 1e3
    upper = np.clip((points_mm[:, 1] - 2.0) / 4.0, 0.0, 1.0)
    relief = np.zeros(len(points_mm))
    for finger, ray in enumerate(rays):
        if finger == 0:
            continue
        at = joint_positions_mm(finger)
        before = at[1] - ray.along_mm
        knuckle = _bump(before - 1.0, 7.0) * _bump(ray.lateral_mm, 5.0)
        fade = np.clip(before / 12.0, 0.0, 1.0) * np.clip((at[1] - before) / 30.0, 0.0, 1.0)
        tendon = fade * _bump(ray.lateral_mm, 2.2)
        relief += upper * (1.7 * knuckle + 0.75 * tendon)
    ulna = np.array([16.0, 15.0, -20.0])
    relief += 2.6 * _bump(np.linalg.norm(points_mm - ulna, axis=-1), 8.0)
    thumb_knuckle = joints[14] + 9.0 * rest_skeleton().dorsal[0, 1]
    relief += 0.9 * _bump(np.linalg.norm(points_mm - thumb_knuckle, axis=-1), 6.0)
    return relief


def detailed_distance(points_mm: Float[Array, "n 3"]) -> Float[Array, "n"]:
    """Evaluate the implicit surface of the hand with its relief (mm)."""
    rays = [ray_coordinates(finger, points_mm) for finger in range(5)]
    relief = _back_relief(points_mm, rays)
    for finger, ray in enumerate(rays):
        relief += _finger_relief(finger, ray)
    relief -= 0.7 * _bump(palm_line_distance(points_mm), 1.0)
    return np.asarray(hand_distance(points_mm) - relief)


def edge_length(points_mm: Float[Array, "n 3"]) -> Float[Array, "n"]:
    """Wanted edge length of the mesh (mm): fine at nails, creases and tips."""
    x = points_mm[:, 0]
    wanted = np.interp(x, [-105.0, -85.0, -5.0, 20.0], [3.6, 5.6, 6.4, 9.0])
    for finger in range(5):
        ray = ray_coordinates(finger, points_mm)
        mine = np.abs(ray.distance_mm) < 3.0
        size = 3.5 if finger else np.interp(ray.joint_coordinate, [0.5, 1.0], [5.2, 3.6])
        wanted = np.where(mine & (ray.joint_coordinate > 0.4), np.minimum(wanted, size), wanted)
        border = nail_coordinate(finger, ray)
        wanted = np.minimum(wanted, np.interp(border, [1.2, 1.7], [1.9, 3.5]))
        tip = mine & (ray.joint_coordinate > 2.55)
        wanted = np.where(tip, np.minimum(wanted, 2.8), wanted)
        joint = np.abs(ray.joint_coordinate - 1.0)
        back = mine & (ray.dorsal_mm > 0.0) & (joint < 0.15)
        wanted = np.where(back, np.minimum(wanted, 2.8), wanted)
    near_crease = np.interp(crease_distance(points_mm), [1.2, 5.0], [2.6, 6.0])
    return np.asarray(np.minimum(wanted, near_crease))
