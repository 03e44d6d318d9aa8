"""Grasps of the GRASP taxonomy and where they put a right hand about a thing.

Names and numbers are those of Feix, Romero, Schmiedmayer, Dollar and Kragic, "The GRASP taxonomy
of human grasp types", IEEE Trans. Human-Machine Systems 46(1), 2016. A type says from where the
hand comes, which phalanges touch and how the hand is held; the angles are then solved for the
very thing and the very hand (``contacts``).
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal

import numpy as np

from hand4d_ros.errors import SceneError
from hand4d_ros.geometry import se3
from hand4d_ros.hand.biomechanics import Anatomy
from hand4d_ros.hand.orders import MANO_JOINTS
from hand4d_ros.shapes import Array, Float
from hand4d_ros.synthetic.contacts import Contacts, closed_hand, pads_m
from hand4d_ros.synthetic.postures import POSTURES, posture
from hand4d_ros.synthetic.props import Prop

FORWARD = np.array([-1.0, 0.0, 0.0])
"""From wrist to fingers in the axes of a right hand."""
PALMWARD = np.array([0.0, -1.0, 0.0])
"""Out of the palm."""
THUMBWARD = np.array([0.0, 0.0, 1.0])
"""Towards the thumb's side."""

_CLEARANCE_M = 0.014
_LATERAL_M = 0.0105
_TILT_DEG = 28.0


@dataclass(frozen=True)
class GraspType:
    """One type of the taxonomy."""

    number: int
    name: str
    comes: Literal["side", "top"]
    """Side: thumb up, palm against the thing. Top: palm down, fingertips around it."""
    fingers: tuple[str, ...]
    """Which fingers oppose the thumb."""
    power: bool
    """Whether the palm holds too and the middle phalanges wrap around."""
    widths_m: tuple[float, float]
    """Widths of things that it suits."""
    posture_rad: Float[Array, "22"]
    """Posture that it stays near to."""


_WRAP = posture(((35.0, 55.0, 32.0),) * 4, (25.0, 25.0, 30.0, 20.0, 0.0, 25.0))
_SMALL_WRAP = posture(((60.0, 75.0, 45.0),) * 4, (30.0, 18.0, 30.0, 30.0, 0.0, 35.0))
_BALL = posture(((30.0, 38.0, 25.0),) * 4, (15.0, 25.0, 20.0, 12.0, 0.0, 22.0), 7.0)
_CLOSE = ((48.0, 42.0, 22.0), (50.0, 44.0, 22.0), (40.0, 46.0, 25.0), (38.0, 45.0, 25.0))
_TIPS = posture(_CLOSE, (22.0, 12.0, 22.0, 18.0, 0.0, 25.0))
_ALL = ("index", "middle", "ring", "little")

GRASPS: dict[str, GraspType] = {
    kind.name: kind
    for kind in (
        GraspType(1, "large diameter", "side", _ALL, True, (0.060, 0.095), _WRAP),
        GraspType(2, "small diameter", "side", _ALL, True, (0.020, 0.045), _SMALL_WRAP),
        GraspType(3, "medium wrap", "side", _ALL, True, (0.035, 0.070), _WRAP),
        GraspType(6, "prismatic 4 finger", "top", _ALL, False, (0.015, 0.055), _TIPS),
        GraspType(7, "prismatic 3 finger", "top", _ALL[:3], False, (0.012, 0.050), _TIPS),
        GraspType(8, "prismatic 2 finger", "top", _ALL[:2], False, (0.010, 0.045), _TIPS),
        GraspType(9, "palmar pinch", "top", _ALL[:1], False, (0.004, 0.035), _TIPS),
        GraspType(11, "power sphere", "top", _ALL, True, (0.055, 0.085), _BALL),
        GraspType(13, "precision sphere", "top", _ALL, False, (0.045, 0.075), _BALL),
        GraspType(14, "tripod", "top", _ALL[:2], False, (0.010, 0.045), _TIPS),
        GraspType(27, "quadpod", "top", _ALL[:3], False, (0.025, 0.060), _TIPS),
    )
}
"""The types that are modelled, by name."""


@dataclass(frozen=True)
class Grasp:
    """A right hand on one thing."""

    kind: GraspType
    T_prop_wrist: Float[Array, "4 4"]
    closed_rad: Float[Array, "22"]
    open_rad: Float[Array, "22"]
    """Before closing and after letting go."""
    away_prop: Float[Array, "3"]
    """Unit vector in the thing's frame along which the hand comes and goes."""
    gap_m: float
    """Root mean square distance of the pads to the surface."""


def suited_types(prop: Prop) -> list[GraspType]:
    """List the types whose range of widths and whose direction suit a standing thing."""
    width, height = 2 * prop.radius_m, prop.size_m[2]
    found = []
    for kind in GRASPS.values():
        fits = kind.widths_m[0] <= width <= kind.widths_m[1]
        ball = "sphere" in kind.name
        if kind.comes == "side":
            fits = fits and height >= 0.08 and prop.kind != "sphere"
        else:
            fits = fits and height <= 0.13 and ball == (prop.kind == "sphere")
        if fits:
            found.append(kind)
    return found


def planned_grasp(
    anatomy: Anatomy,
    prop: Prop,
    T_world_prop: Float[Array, "4 4"],
    kind: GraspType,
    heading_rad: float,
    pitch_rad: float,
) -> Grasp:
    """Plan how a right hand takes a standing thing.

    Args:
        anatomy: Axes of the hand.
        prop: The thing.
        T_world_prop: Where it stands; its z axis is up.
        kind: The type.
        heading_rad: Wished direction of the fingers, about the world's z axis; a box is taken by
            those faces that come nearest.
        pitch_rad: How far the fingers point down.

    Raises:
        SceneError: If the thing is far too wide for the hand.
    """
    if 2 * prop.radius_m > 0.12:
        raise SceneError(f"{prop.name!r} is {2 * prop.radius_m:.3f} m wide; a hand spans 0.12 m")
    best: tuple[float, int, Float[Array, "4 4"]] | None = None
    quarter_turns = range(4) if prop.kind == "box" else range(1)
    for quarter in quarter_turns:
        T_wrist_prop = _hand_to_prop(anatomy, _turned(prop, quarter), kind, pitch_rad)
        T_prop_wrist = _yaw(quarter * 0.5 * np.pi) @ se3.inverse(T_wrist_prop)
        off = _heading_error(T_world_prop @ T_prop_wrist, heading_rad)
        if best is None or abs(off) < abs(best[0]):
            best = off, quarter, T_prop_wrist
    if best is None:
        raise SceneError(f"{prop.name!r} has no face to take it by")
    off, quarter, T_prop_wrist = best
    if prop.kind != "box":
        T_prop_wrist = _yaw(off) @ T_prop_wrist
    T_same_wrist = _yaw(-quarter * 0.5 * np.pi) @ T_prop_wrist
    turned = _turned(prop, quarter)
    turn = off if prop.kind != "box" else 0.0
    contacts = _contacts(turned, kind, turn)
    closed = closed_hand(anatomy, turned, T_same_wrist, contacts, kind.posture_rad)
    T_same_wrist = se3.from_rotation_translation(T_same_wrist[:3, :3], closed.wrist_m)
    T_prop_wrist = _yaw(quarter * 0.5 * np.pi) @ T_same_wrist
    away = np.array([0.0, 0.0, 1.0])
    if kind.comes == "side":
        away = T_prop_wrist[:3, :3] @ (-0.65 * PALMWARD - 0.75 * FORWARD)
        away = away / np.linalg.norm(away)
    opened = _opened(anatomy, T_same_wrist, closed.angles_rad, -0.5 * prop.size_m[2])
    return Grasp(kind, T_prop_wrist, closed.angles_rad, opened, away, closed.gap_m)


def _opened(
    anatomy: Anatomy,
    T_prop_wrist: Float[Array, "4 4"],
    closed_rad: Float[Array, "22"],
    floor_m: float,
) -> Float[Array, "22"]:
    """Open the hand as far as the table lets the fingertips go."""
    steps = np.array([0.5, 0.4, 0.3, 0.2, 0.1, 0.0])
    angles = closed_rad + steps[:, None] * (POSTURES["spread"] - closed_rad)
    T = np.broadcast_to(T_prop_wrist, (len(steps), 4, 4))
    local = anatomy.local_rotations(angles)
    posed = anatomy.hand.chain(T[:, :3, :3], T[:, :3, 3], local)
    lowest = posed.keypoints_m[..., 2].min(-1)
    clear = lowest > min(floor_m + 0.007, float(lowest[-1]) - 0.004)
    return np.asarray(angles[int(np.argmax(clear))])


def _hand_to_prop(
    anatomy: Anatomy, prop: Prop, kind: GraspType, pitch_rad: float
) -> Float[Array, "4 4"]:
    """Return ``T_wrist_prop``: how the thing lies in the hand before the fingers are solved."""
    knuckles = anatomy.hand.joints_m[[1, 4, 7, 10]] - anatomy.hand.joints_m[0]
    c, s = np.cos(pitch_rad), np.sin(pitch_rad)
    if kind.comes == "side":
        up = c * THUMBWARD - s * FORWARD
        x = PALMWARD
        R = np.stack((x, np.cross(up, x), up), -1)
        centre = knuckles.mean(0) + (_CLEARANCE_M + prop.radius_m) * PALMWARD + 0.008 * FORWARD
        # A tall thing is held at mid height, a short one so that the little finger has room.
        centre = centre - max(0.0, 0.070 - 0.5 * prop.size_m[2]) * up
        return se3.from_rotation_translation(R, centre)
    # People turn the thumb's side up a little when they take things from above.
    tilt = np.deg2rad(_TILT_DEG)
    flat = c * PALMWARD + s * FORWARD
    down = np.cos(tilt) * flat - np.sin(tilt) * THUMBWARD
    aside = np.cos(tilt) * THUMBWARD + np.sin(tilt) * flat
    ahead = c * FORWARD - s * PALMWARD
    swing = np.deg2rad(28.0)
    x = np.cos(swing) * ahead - np.sin(swing) * aside
    R = np.stack((x, np.cross(-down, x), -down), -1)
    if kind.power:
        centre = knuckles.mean(0) + (_CLEARANCE_M + prop.radius_m) * PALMWARD + 0.012 * FORWARD
    else:
        pads = pads_m(
            anatomy,
            anatomy.hand.chain(np.eye(3), np.zeros(3), anatomy.local_rotations(kind.posture_rad)),
        )
        rows = [MANO_JOINTS.index(f"{name}3") - 1 for name in kind.fingers]
        centre = 0.5 * (pads[14] + pads[rows].mean(0)) + _grip_height_m(prop) * down
    return se3.from_rotation_translation(R, centre)


def _grip_height_m(prop: Prop) -> float:
    """Height above the centre at which fingertips hold a thing from above."""
    if prop.kind == "sphere":
        return 0.15 * prop.radius_m
    return max(0.0, 0.5 * prop.size_m[2] - 0.018)


def _contacts(prop: Prop, kind: GraspType, turn_rad: float) -> Contacts:
    """Say which pads touch, and for fingertips where."""
    tips = tuple(MANO_JOINTS.index(f"{name}3") for name in kind.fingers)
    if kind.power:
        middles = tuple(j - 1 for j in tips) if kind.comes == "side" else ()
        wishes = np.full((len(tips) + len(middles) + 1, 3), np.nan)
        if kind.comes == "side":
            # The palm is at -x and the fingers come around through -y, the thumb through +y.
            around = np.deg2rad(65.0) + turn_rad
            flat = prop.radius_m * np.array([np.cos(around), np.sin(around)])
            wishes[-1] = [*flat, min(0.022, 0.5 * prop.size_m[2] - 0.012)]
        return Contacts((*tips, *middles, 15), wishes, palm=True)
    places = _LATERAL_M * np.arange(len(tips) - 1, -len(tips), -2)
    height = _grip_height_m(prop)
    if prop.kind == "box":
        reach = 0.5 * prop.size_m[0]
        side = np.clip(places, -0.4 * prop.size_m[1], 0.4 * prop.size_m[1])
        places_m = [[reach, y, height] for y in side] + [[-reach, 0.0, height]]
        return Contacts((*tips, 15), np.array(places_m))
    radius = prop.radius_m
    if prop.kind == "sphere":
        radius = float(np.sqrt(max(radius**2 - height**2, 1e-6)))
    angles = np.clip(places / radius, -1.1, 1.1)
    around = np.append(angles, np.pi) + turn_rad
    places_m = [[radius * np.cos(a), radius * np.sin(a), height] for a in around]
    return Contacts((*tips, 15), np.array(places_m))


def _turned(prop: Prop, quarter: int) -> Prop:
    """Return a box as seen after quarter turns about z: odd ones swap its sides."""
    x, y, z = prop.size_m
    return replace(prop, size_m=(y, x, z)) if quarter % 2 else prop


def _yaw(angle_rad: float) -> Float[Array, "4 4"]:
    c, s = np.cos(angle_rad), np.sin(angle_rad)
    T = np.eye(4)
    T[:2, :2] = [[c, -s], [s, c]]
    return T


def _heading_error(T_world_wrist: Float[Array, "4 4"], heading_rad: float) -> float:
    """Angle from the fingers' heading to the wished one, within -pi..pi."""
    fingers = T_world_wrist[:3, :3] @ FORWARD
    off = heading_rad - np.arctan2(fingers[1], fingers[0])
    return float((off + np.pi) % (2 * np.pi) - np.pi)
