"""Motion of hands and of the things they carry, as functions of time.

A hand's plan is made for a right hand. A left hand carries out the plan of a right one in the
world mirrored through its y = 0 plane (``mirrored``), so both sides share every rule.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np

from hand4d_ros.geometry import se3, so3
from hand4d_ros.hand.biomechanics import (
    ABDUCTION,
    FLEXION,
    LOWER_RAD,
    UPPER_RAD,
    Anatomy,
    index_of,
)
from hand4d_ros.hand.model import HandModel, ShapedHand
from hand4d_ros.hand.orders import FINGERS
from hand4d_ros.shapes import Array, Float, Int
from hand4d_ros.synthetic.trajectory import (
    Movement,
    Orientation,
    Path,
    Turn,
    Wander,
    effort,
    minimum_jerk,
)
from hand4d_ros.types import Side

LIMIT_MARGIN_RAD = np.deg2rad(2.5)
"""Plans keep this far from the limits of the joints, so that wandering never exceeds them."""

KNUCKLE_FLEXION: Int[Array, "4"] = np.array([index_of(f"{f}1", FLEXION) for f in FINGERS[1:]])
KNUCKLE_SPREAD: Int[Array, "4"] = np.array([index_of(f"{f}1", ABDUCTION) for f in FINGERS[1:]])

_RIPPLE_SHARE = 0.022
"""Unevenness of a movement as a share of its way; chosen by ``benchmarks.motion``."""
_FINGER_RIPPLE_SHARE = 0.08
"""The same of the angles of the fingers."""

_MIRROR_WORLD = np.diag([1.0, -1.0, 1.0, 1.0])
_MIRROR_HAND = np.diag([-1.0, 1.0, 1.0, 1.0])
_MIRROR_ROTVEC = np.array([1.0, -1.0, -1.0])


def mirrored(T_world_wrist: Float[Array, "*batch 4 4"]) -> Float[Array, "*batch 4 4"]:
    """Turn the pose of a right wrist into that of the left one in the mirrored world, or back.

    The world is mirrored through y = 0, the hand through its own x = 0.
    """
    return np.asarray(_MIRROR_WORLD @ T_world_wrist @ _MIRROR_HAND)


def mirrored_thing(T_world_thing: Float[Array, "*batch 4 4"]) -> Float[Array, "*batch 4 4"]:
    """Mirror the pose of a thing that is its own mirror image through its y = 0."""
    return np.asarray(_MIRROR_WORLD @ T_world_thing @ _MIRROR_WORLD)


@dataclass
class HandPlan:
    """What a right hand will do, written down in order of time."""

    T_start: Float[Array, "4 4"]
    start_rad: Float[Array, "22"]
    moves: list[Movement] = field(default_factory=list)
    turns: list[Turn] = field(default_factory=list)
    shapes: list[Movement] = field(default_factory=list)
    looseness: list[Movement] = field(default_factory=list)
    """How freely wrist and fingers sway, from 0 in contact to 1 in the air."""

    def copied(self) -> HandPlan:
        """Return the plan as it is now; writing on does not change the copy."""
        return HandPlan(
            self.T_start,
            self.start_rad,
            list(self.moves),
            list(self.turns),
            list(self.shapes),
            list(self.looseness),
        )


@dataclass(frozen=True)
class HandPoses:
    """One hand at ``n`` instants."""

    T_world_wrist: Float[Array, "n 4 4"]
    joint_rotvec: Float[Array, "n 15 3"]
    """Of the model of this side (rad)."""
    angles_rad: Float[Array, "n 22"]
    """Anatomical angles."""


@dataclass(frozen=True)
class HandMotion:
    """One hand of one person over time."""

    side: Side
    model: HandModel
    betas: Float[Array, "10"]
    plan: HandPlan
    position_wander_m: Wander
    turn_wander_rad: Wander
    angle_wander_rad: Wander
    ripple: Wander | None = None
    """Unevenness of movements: three numbers of the wrist, then the 22 angles; None is even."""
    loose_sway: Wander | None = None
    """Sway of a hand in the air: three numbers of the wrist (m), then the 22 angles (rad)."""

    @cached_property
    def hand(self) -> ShapedHand:
        """The hand of this side."""
        return self.model.with_shape(self.betas)

    @cached_property
    def anatomy(self) -> Anatomy:
        """Axes of the right hand of this shape, which plans and angles refer to."""
        right = self.model if self.side is Side.RIGHT else self.model.mirrored()
        return Anatomy(right.with_shape(self.betas))

    @cached_property
    def _paths(self) -> tuple[Path, Orientation, Path, Path]:
        plan = self.plan
        return (
            Path(plan.T_start[:3, 3], plan.moves),
            Orientation(plan.T_start[:3, :3], tuple(plan.turns)),
            Path(plan.start_rad, plan.shapes),
            Path(np.zeros(2), plan.looseness),
        )

    def at(self, t_s: Float[Array, " n"]) -> HandPoses:
        """Return the hand at any times (s)."""
        position, orientation, shape, _ = self._paths
        uneven_m, uneven_rad = self._uneven(t_s)
        R = orientation(t_s) @ so3.exp(self.turn_wander_rad(t_s))
        place_m = position(t_s) + uneven_m + self.position_wander_m(t_s)
        T = se3.from_rotation_translation(R, place_m)
        angles = within_limits(shape(t_s) + uneven_rad) + self.angle_wander_rad(t_s)
        rotvec = so3.log(self.anatomy.local_rotations(angles))
        if self.side is Side.LEFT:
            return HandPoses(mirrored(T), rotvec * _MIRROR_ROTVEC, angles)
        return HandPoses(T, rotvec, angles)

    def _uneven(self, t_s: Float[Array, " n"]) -> tuple[Float[Array, "n 3"], Float[Array, "n 22"]]:
        """Return by how much the hand strays from its plan: wrist (m), angles (rad)."""
        wrist, angles = np.zeros((len(t_s), 3)), np.zeros((len(t_s), 22))
        if self.loose_sway is not None:
            loose, sway = self._paths[3](t_s), self.loose_sway(t_s)
            wrist, angles = loose[:, :1] * sway[:, :3], loose[:, 1:] * sway[:, 3:]
        if self.ripple is None:
            return wrist, angles
        waves = self.ripple(t_s)
        if self.plan.moves:
            way_m = np.linalg.norm(effort(t_s, self.plan.moves), axis=-1, keepdims=True)
            # Half as much up and down, or hands would dip into the table.
            wrist = wrist + _RIPPLE_SHARE * way_m * waves[:, :3] * [1.0, 1.0, 0.5]
        if self.plan.shapes:
            way_rad = effort(t_s, self.plan.shapes)
            angles = angles + _FINGER_RIPPLE_SHARE * way_rad * waves[:, 3:]
        return wrist, angles

    def keypoints_m(self, t_s: Float[Array, " n"]) -> Float[Array, "n 21 3"]:
        """Return the 21 keypoints in the world (m) at any times (s)."""
        poses = self.at(t_s)
        return self.hand.keypoints(poses.T_world_wrist, poses.joint_rotvec)


def within_limits(angles_rad: Float[Array, "*batch 22"]) -> Float[Array, "*batch 22"]:
    """Pull angles inside of what joints can do, with the margin that wandering needs.

    Ranges of single angles are those of ``hand.biomechanics``. A bent knuckle cannot be spread:
    its collateral ligaments tighten, so the range of abduction shrinks linearly with flexion to a
    tenth at its end. Regions of flexion and abduction are convex for the same reason in Spurr
    et al., "Weakly supervised 3D hand pose estimation via biomechanical constraints", ECCV 2020.
    """
    angles = np.clip(angles_rad, LOWER_RAD + LIMIT_MARGIN_RAD, UPPER_RAD - LIMIT_MARGIN_RAD)
    bent = np.clip(angles[..., KNUCKLE_FLEXION] / UPPER_RAD[KNUCKLE_FLEXION], 0.0, 1.0)
    room = 1.0 - 0.9 * bent
    low = (LOWER_RAD + LIMIT_MARGIN_RAD)[KNUCKLE_SPREAD] * room
    high = (UPPER_RAD - LIMIT_MARGIN_RAD)[KNUCKLE_SPREAD] * room
    angles[..., KNUCKLE_SPREAD] = np.clip(angles[..., KNUCKLE_SPREAD], low, high)
    return np.asarray(angles)


@dataclass(frozen=True)
class Spin:
    """A turn of a thing within the fingers about its own upright axis."""

    start_s: float
    end_s: float
    angle_rad: float


@dataclass(frozen=True)
class Carry:
    """A time during which a hand carries a thing."""

    side: Side
    start_s: float
    end_s: float
    T_wrist_thing: Float[Array, "4 4"]
    """In the axes of the wrist of this side, when it is taken."""
    spins: tuple[Spin, ...] = ()
    """How the fingers turn it meanwhile."""

    def held(self, t_s: Float[Array, " n"]) -> Float[Array, "n 4 4"]:
        """Return the thing in the wrist's axes at any times (s)."""
        T = np.broadcast_to(self.T_wrist_thing, (len(t_s), 4, 4))
        if not self.spins:
            return np.asarray(T)
        shares = [minimum_jerk((t_s - x.start_s) / (x.end_s - x.start_s)) for x in self.spins]
        angle = np.array([x.angle_rad for x in self.spins]) @ np.stack(shares)
        about_z = so3.exp(angle[:, None] * np.array([0.0, 0.0, 1.0]))
        return np.asarray(T @ se3.from_rotation_translation(about_z, np.zeros((len(t_s), 3))))


@dataclass(frozen=True)
class ThingMotion:
    """A thing that stands where it was put until a hand carries it."""

    T_world_start: Float[Array, "4 4"]
    carries: tuple[Carry, ...] = ()
    on: ThingMotion | None = None
    """What it sits on, and moves with, until it is first taken itself."""

    def at(
        self, t_s: Float[Array, " n"], hands: Mapping[Side, HandMotion]
    ) -> Float[Array, "n 4 4"]:
        """Return its pose at any times (s)."""
        t = np.asarray(t_s, dtype=np.float64)
        T = np.broadcast_to(self.T_world_start, (len(t), 4, 4)).copy()
        if self.on is not None:
            T = self.on.at(t, hands) @ (se3.inverse(self.on.T_world_start) @ self.T_world_start)
        for carry in self.carries:
            since = t >= carry.start_s
            if not since.any():
                continue
            held = np.minimum(t[since], carry.end_s)
            T[since] = hands[carry.side].at(held).T_world_wrist @ carry.held(held)
        return np.asarray(T)


def wrist_of(hands: Sequence[HandMotion], t_s: Float[Array, " n"]) -> Float[Array, "h n 3"]:
    """Return the wrist positions (m) of several hands at any times (s)."""
    return np.stack([hand.at(t_s).T_world_wrist[:, :3, 3] for hand in hands])
