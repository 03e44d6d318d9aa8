"""Writes plans: reaching, taking, putting down, gestures, rest, one hand or both.

Durations follow distance and turn at the pace of a person; hands open while they travel and
close as they arrive, the widest at about two thirds of the way (Jeannerod, "The timing of
natural prehension movements", J. Motor Behavior 16(3), 1984).
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from hand4d_ros.errors import SceneError
from hand4d_ros.geometry import se3, so3
from hand4d_ros.shapes import Array, Float
from hand4d_ros.synthetic.grasps import GraspType, planned_grasp
from hand4d_ros.synthetic.motion import (
    Carry,
    HandMotion,
    HandPlan,
    ThingMotion,
    mirrored,
    mirrored_thing,
    within_limits,
)
from hand4d_ros.synthetic.props import Prop
from hand4d_ros.synthetic.trajectory import Movement, Turn
from hand4d_ros.types import Side

_ELBOW_M = np.array([0.10, -0.30, 0.0])
"""Where a right elbow is, from the middle of the table's near edge; gives hands a heading."""
_SECONDS_PER_M = 1.15
_SECONDS_PER_RAD = 0.16
_REACTION_S = 0.28
_CLOSING_S = 0.28
_CLEARANCE_M = 0.010
"""Of the keypoints over the table: half the thickness of a finger."""


@dataclass
class Planner:
    """Plans one hand. All poses are those of a right hand in its own (maybe mirrored) world."""

    motion: HandMotion
    pace: float
    """Factor on speed; 1 is unhurried."""
    table_m: float
    """Height of the table."""
    now_s: float = 0.0
    T: Float[Array, "4 4"] = field(default_factory=lambda: np.eye(4))
    angles: Float[Array, "22"] = field(default_factory=lambda: np.zeros(22))
    open_rad: Float[Array, "22"] = field(default_factory=lambda: np.zeros(22))
    """How far the hand opened about what it holds."""

    def __post_init__(self) -> None:
        """Start where the plan starts."""
        self.T, self.angles = self.motion.plan.T_start, self.motion.plan.start_rad

    @property
    def plan(self) -> HandPlan:
        """What is written so far."""
        return self.motion.plan

    def wait_until(self, t_s: float) -> None:
        """Do nothing until a time (s)."""
        self.now_s = max(self.now_s, t_s)

    def duration_s(self, T_goal: Float[Array, "4 4"]) -> float:
        """Return how long a person takes for a movement."""
        far = float(np.linalg.norm(T_goal[:3, 3] - self.T[:3, 3]))
        turn = float(so3.angle_between(T_goal[:3, :3], self.T[:3, :3]))
        return (_REACTION_S + _SECONDS_PER_M * far + _SECONDS_PER_RAD * turn) / self.pace

    def move(
        self,
        T_goal: Float[Array, "4 4"],
        via_m: Float[Array, "3"] | None = None,
        angles: Float[Array, "22"] | None = None,
        seconds: float | None = None,
        via_share: float = 0.5,
    ) -> None:
        """Move the wrist, maybe past a point, and shape the fingers on the way.

        Args:
            T_goal: Where to.
            via_m: A point to pass.
            angles: The fingers at the end (rad); None keeps them.
            seconds: How long; None is the pace of a person.
            via_share: Share of the time at which the point is passed.
        """
        T_goal = self.cleared(T_goal, self.angles if angles is None else angles)
        took = self.duration_s(T_goal) if seconds is None else seconds
        start, end = self.now_s, self.now_s + took
        stops = [self.T[:3, 3], T_goal[:3, 3]]
        shares: tuple[float, ...] = (0.0, 1.0)
        if via_m is not None:
            stops.insert(1, via_m)
            shares = (0.0, via_share, 1.0)
        self.plan.moves.append(Movement(start, end, np.stack(stops), shares))
        self.plan.turns.append(Turn(start, end, self.T[:3, :3], T_goal[:3, :3]))
        if angles is not None:
            self.shape(angles, took)
        self.T = T_goal
        self.now_s = end

    def cleared(
        self, T_goal: Float[Array, "4 4"], angles: Float[Array, "22"]
    ) -> Float[Array, "4 4"]:
        """Lift a pose over the table so that no part of the hand sinks into it."""
        anatomy = self.motion.anatomy
        local = anatomy.local_rotations(within_limits(angles))
        keypoints = anatomy.hand.chain(T_goal[:3, :3], T_goal[:3, 3], local).keypoints_m
        lowest = float(keypoints[:, 2].min()) - self.table_m - _CLEARANCE_M
        if T_goal[2, 3] < self.table_m or lowest >= 0.0:
            return T_goal
        lifted = T_goal.copy()
        lifted[2, 3] -= lowest
        return np.asarray(lifted)

    def shape(self, angles: Float[Array, "22"], seconds: float, delay_s: float = 0.0) -> None:
        """Bring the fingers into a posture, without moving the wrist or advancing the time."""
        start = self.now_s + delay_s
        goal = within_limits(angles)
        self.plan.shapes.append(Movement(start, start + seconds, np.stack((self.angles, goal))))
        self.angles = goal

    def gesture(self, angles: Float[Array, "22"], seconds: float) -> None:
        """Bring the fingers into a posture and wait until they are there."""
        self.shape(angles, seconds)
        self.now_s += seconds

    def pose(
        self, position_m: Float[Array, "3"], heading_rad: float, pitch_rad: float, roll_rad: float
    ) -> Float[Array, "4 4"]:
        """Return the pose of a wrist.

        Args:
            position_m: Where.
            heading_rad: Direction of the fingers about the vertical, 0 along x.
            pitch_rad: How far the fingers point down.
            roll_rad: About the fingers: 0 is palm down, pi / 2 thumb up, pi palm up.
        """
        # A palm-down right hand that points along x has its axes at -x, z and y of the world.
        flat = np.array([[-1.0, 0.0, 0.0], [0.0, 0.0, 1.0], [0.0, 1.0, 0.0]])
        turn = so3.exp(np.array([0.0, 0.0, heading_rad])) @ so3.exp(np.array([0.0, pitch_rad, 0.0]))
        return se3.from_rotation_translation(
            turn @ so3.exp(np.array([-roll_rad, 0.0, 0.0])) @ flat, np.asarray(position_m, float)
        )

    def heading_rad(self, position_m: Float[Array, "3"]) -> float:
        """Return the natural direction of the forearm at a place."""
        return float(np.arctan2(*(position_m - _ELBOW_M)[[1, 0]]))

    def wrist_now(self) -> Float[Array, "4 4"]:
        """Return the pose of the wrist in the world at the end of what is planned."""
        now = np.array([self.now_s])
        R = self.T[:3, :3] @ so3.exp(self.motion.turn_wander_rad(now)[0])
        T = se3.from_rotation_translation(R, self.T[:3, 3] + self.motion.position_wander_m(now)[0])
        return mirrored(T) if self.motion.side is Side.LEFT else T


@dataclass
class Thing:
    """A thing on the table while plans are made."""

    prop: Prop
    T_world: Float[Array, "4 4"]
    """Where it stands, or will when all that is planned is done."""
    T_world_start: Float[Array, "4 4"]
    carries: list[Carry] = field(default_factory=list)

    def motion(self) -> ThingMotion:
        """Return the finished motion."""
        return ThingMotion(self.T_world_start, tuple(self.carries))


def take(planner: Planner, thing: Thing, kind: GraspType, pitch_rad: float) -> None:
    """Reach for a thing and close the hand on it.

    Raises:
        SceneError: If the thing is too wide for a hand.
    """
    left = planner.motion.side is Side.LEFT
    T_thing = mirrored_thing(thing.T_world) if left else thing.T_world
    heading = planner.heading_rad(T_thing[:3, 3])
    grasp = planned_grasp(planner.motion.anatomy, thing.prop, T_thing, kind, heading, pitch_rad)
    T_goal = planner.cleared(T_thing @ grasp.T_prop_wrist, grasp.closed_rad)
    away = T_thing[:3, :3] @ grasp.away_prop
    via = T_goal[:3, 3] + 0.07 * away + np.array([0.0, 0.0, 0.012])
    took = planner.duration_s(T_goal) + 0.1
    planner.open_rad = grasp.open_rad
    planner.shape(grasp.open_rad, 0.65 * took)
    planner.move(T_goal, via, seconds=took, via_share=0.68)
    planner.gesture(grasp.closed_rad, _CLOSING_S / planner.pace)
    T_wrist_thing = se3.inverse(planner.wrist_now()) @ thing.T_world
    thing.carries.append(Carry(planner.motion.side, planner.now_s, np.inf, T_wrist_thing))


def put(planner: Planner, thing: Thing, place_m: Float[Array, "2"], lift_m: float) -> None:
    """Carry a thing through the air to a place on the table and let go.

    Args:
        planner: The hand that carries it.
        thing: What it carries.
        place_m: Where on the table, in the world (m).
        lift_m: How high on the way.

    Raises:
        SceneError: If the hand carries nothing.
    """
    if not thing.carries or np.isfinite(thing.carries[-1].end_s):
        raise SceneError(f"{thing.prop.name!r} is not being carried; take it first")
    carry = thing.carries[-1]
    left = planner.motion.side is Side.LEFT
    T_goal = thing.T_world.copy()
    T_goal[:2, 3] = place_m
    shift = (mirrored_thing(T_goal) if left else T_goal)[:3, 3]
    shift = shift - (mirrored_thing(thing.T_world) if left else thing.T_world)[:3, 3]
    T_wrist = planner.T.copy()
    T_wrist[:3, 3] += shift
    middle = 0.5 * (planner.T[:3, 3] + T_wrist[:3, 3]) + np.array([0.0, 0.0, lift_m])
    planner.move(T_wrist, middle, seconds=planner.duration_s(T_wrist) + 1.6 * lift_m + 0.25)
    planner.now_s += 0.08
    end = planner.now_s
    thing.carries[-1] = Carry(carry.side, carry.start_s, end, carry.T_wrist_thing)
    thing.T_world = planner.wrist_now() @ carry.T_wrist_thing
    planner.gesture(planner.open_rad, 0.25 / planner.pace)
