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
from hand4d_ros.hand.biomechanics import LOWER_RAD, UPPER_RAD, Anatomy
from hand4d_ros.hand.model import HandModel, ShapedHand
from hand4d_ros.shapes import Array, Float
from hand4d_ros.synthetic.trajectory import Movement, Orientation, Path, Turn, Wander
from hand4d_ros.types import Side

LIMIT_MARGIN_RAD = np.deg2rad(2.5)
"""Plans keep this far from the limits of the joints, so that wandering never exceeds them."""

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

    def copied(self) -> HandPlan:
        """Return the plan as it is now; writing on does not change the copy."""
        return HandPlan(
            self.T_start, self.start_rad, list(self.moves), list(self.turns), list(self.shapes)
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
    def _paths(self) -> tuple[Path, Orientation, Path]:
        plan = self.plan
        return (
            Path(plan.T_start[:3, 3], plan.moves),
            Orientation(plan.T_start[:3, :3], tuple(plan.turns)),
            Path(plan.start_rad, plan.shapes),
        )

    def at(self, t_s: Float[Array, " n"]) -> HandPoses:
        """Return the hand at any times (s)."""
        position, orientation, shape = self._paths
        R = orientation(t_s) @ so3.exp(self.turn_wander_rad(t_s))
        T = se3.from_rotation_translation(R, position(t_s) + self.position_wander_m(t_s))
        angles = within_limits(shape(t_s)) + self.angle_wander_rad(t_s)
        rotvec = so3.log(self.anatomy.local_rotations(angles))
        if self.side is Side.LEFT:
            return HandPoses(mirrored(T), rotvec * _MIRROR_ROTVEC, angles)
        return HandPoses(T, rotvec, angles)

    def keypoints_m(self, t_s: Float[Array, " n"]) -> Float[Array, "n 21 3"]:
        """Return the 21 keypoints in the world (m) at any times (s)."""
        poses = self.at(t_s)
        return self.hand.keypoints(poses.T_world_wrist, poses.joint_rotvec)


def within_limits(angles_rad: Float[Array, "*batch 22"]) -> Float[Array, "*batch 22"]:
    """Pull angles inside the limits of the joints, with the margin that wandering needs."""
    return np.asarray(
        np.clip(angles_rad, LOWER_RAD + LIMIT_MARGIN_RAD, UPPER_RAD - LIMIT_MARGIN_RAD)
    )


@dataclass(frozen=True)
class Carry:
    """A time during which a hand carries a thing."""

    side: Side
    start_s: float
    end_s: float
    T_wrist_thing: Float[Array, "4 4"]
    """In the axes of the wrist of this side."""


@dataclass(frozen=True)
class ThingMotion:
    """A thing that stands where it was put until a hand carries it."""

    T_world_start: Float[Array, "4 4"]
    carries: tuple[Carry, ...] = ()

    def at(
        self, t_s: Float[Array, " n"], hands: Mapping[Side, HandMotion]
    ) -> Float[Array, "n 4 4"]:
        """Return its pose at any times (s)."""
        t = np.asarray(t_s, dtype=np.float64)
        T = np.broadcast_to(self.T_world_start, (len(t), 4, 4)).copy()
        for carry in self.carries:
            since = t >= carry.start_s
            if not since.any():
                continue
            held = np.minimum(t[since], carry.end_s)
            T[since] = hands[carry.side].at(held).T_world_wrist @ carry.T_wrist_thing
        return np.asarray(T)


def wrist_of(hands: Sequence[HandMotion], t_s: Float[Array, " n"]) -> Float[Array, "h n 3"]:
    """Return the wrist positions (m) of several hands at any times (s)."""
    return np.stack([hand.at(t_s).T_world_wrist[:, :3, 3] for hand in hands])
