"""Writes plans: reaching, taking, putting down, gestures, rest, one hand or both.

Durations follow distance and turn at the pace of a person; hands open while they travel and
close as they arrive, the widest at about two thirds of the way (Jeannerod, "The timing of
natural prehension movements", J. Motor Behavior 16(3), 1984).
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace

import numpy as np

from hand4d_ros.errors import SceneError
from hand4d_ros.geometry import se3, so3
from hand4d_ros.hand.biomechanics import JOINT, MIDDLE_FLEXION
from hand4d_ros.shapes import Array, Float
from hand4d_ros.synthetic.grasps import GraspType, planned_grasp
from hand4d_ros.synthetic.motion import (
    KNUCKLE_SPREAD,
    Carry,
    HandMotion,
    HandPlan,
    Spin,
    mirrored_thing,
    within_limits,
)
from hand4d_ros.synthetic.postures import THUMB
from hand4d_ros.synthetic.props import Prop
from hand4d_ros.synthetic.trajectory import Movement, Turn
from hand4d_ros.types import Side

_ELBOW_M = np.array([0.10, -0.30, 0.0])
"""Where a right elbow is, from the middle of the table's near edge; gives hands a heading."""
_SECONDS_PER_M = 1.3
_SECONDS_PER_RAD = 0.16
_REACTION_S = 0.30
_CLOSING_S = 0.28
_CURL_RAD = 0.5
"""Where the fingers' middle joints bend by more, the thumb is kept out of their way."""
_FINGER_M = 0.085
"""From the knuckle to the tip of a bent finger."""
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
    carries: bool = False
    """Whether it holds something, so that its fingers must not sway."""
    loose: tuple[float, float] = (0.0, 0.0)
    """How freely wrist and fingers sway at the end of what is planned."""

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
        *,
        free: bool = False,
    ) -> None:
        """Move the wrist, maybe past a point, and shape the fingers on the way.

        Args:
            T_goal: Where to.
            via_m: A point to pass.
            angles: The fingers at the end (rad); None keeps them.
            seconds: How long; None is the pace of a person.
            via_share: Share of the time at which the point is passed.
            free: Whether it ends in the air, touching nothing that stands, where hands sway.
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
        loose = (float(free), float(free and not self.carries))
        if loose != self.loose:
            levels = np.array([self.loose, loose])
            self.plan.looseness.append(Movement(start, end, levels))
            self.loose = loose
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
        stops, shares = [self.angles, goal], [0.0, 1.0]
        curl = float((goal - self.angles)[MIDDLE_FLEXION].mean())
        if abs(curl) > _CURL_RAD:
            # The thumb closes after the fingers and opens before them, or it would go through.
            ahead, behind = (0.85, 0.2) if curl > 0 else (0.2, 0.85)
            part = np.where(np.isin(np.arange(22), THUMB), behind, ahead)
            stops.insert(1, self.angles + part * (goal - self.angles))
            shares.insert(1, 0.5)
        points = np.stack(stops)
        self.plan.shapes.append(Movement(start, start + seconds, points, tuple(shares)))
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
        # Motions cache their paths, so that of a plan that grows has to be a fresh one.
        return np.asarray(replace(self.motion).at(np.array([self.now_s])).T_world_wrist[0])


@dataclass
class Thing:
    """A thing on the table while plans are made."""

    prop: Prop
    T_world: Float[Array, "4 4"]
    """Where it stands, or will when all that is planned is done."""
    T_world_start: Float[Array, "4 4"]
    carries: list[Carry] = field(default_factory=list)
    on: int | None = None
    """Place among the things of what it sits on, as the cap of a bottle; None is the table."""


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
    planner.carries = True
    T_wrist_thing = se3.inverse(planner.wrist_now()) @ thing.T_world
    thing.carries.append(Carry(planner.motion.side, planner.now_s, np.inf, T_wrist_thing))


def carried_now(planner: Planner, thing: Thing) -> Float[Array, "4 4"]:
    """Return where a thing in the hand is in the world at the end of what is planned."""
    return np.asarray(planner.wrist_now() @ thing.carries[-1].held(np.array([planner.now_s]))[0])


def twirl(planner: Planner, thing: Thing, angle_rad: float) -> None:
    """Turn a round thing within the fingers and let the fingers follow one by one.

    The fingertips go along with the surface; then each in turn lets go, goes back and closes
    again (Ma and Dollar, "On dexterity and dexterous manipulation", ICAR 2011: finger gaiting).

    Args:
        planner: The hand that holds it from above.
        thing: A body of revolution, which looks the same to the fingers however far it is turned.
        angle_rad: How far, about the thing's upright axis in the hand's own world.
    """
    carry, took = thing.carries[-1], 0.35 / planner.pace
    sign = -1.0 if planner.motion.side is Side.LEFT else 1.0
    spin = Spin(planner.now_s, planner.now_s + took, sign * angle_rad)
    thing.carries[-1] = replace(carry, spins=(*carry.spins, spin))
    closed = planner.angles
    along = closed.copy()
    along[KNUCKLE_SPREAD] += thing.prop.radius_m * angle_rad / _FINGER_M
    planner.gesture(along, took)
    stops, here = [planner.angles], planner.angles
    for joint in range(4):
        own = joint == (JOINT // 3)
        here = np.where(own, closed, here)
        stops += [np.where(own, here + 0.3 * (planner.open_rad - closed), here), here]
    shares = tuple(np.linspace(0.0, 1.0, len(stops)).tolist())
    end_s = planner.now_s + 0.7 / planner.pace
    points = within_limits(np.stack(stops))
    points[0] = planner.angles
    planner.plan.shapes.append(Movement(planner.now_s, end_s, points, shares))
    planner.angles, planner.now_s = points[-1], end_s


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
    T_now = carried_now(planner, thing)
    yaw = float(np.arctan2(T_now[1, 0], T_now[0, 0]))
    upright = so3.exp(np.array([0.0, 0.0, yaw]))
    goal_m = np.array([*place_m, planner.table_m + 0.5 * thing.prop.size_m[2]])
    way = se3.from_rotation_translation(upright, goal_m) @ se3.inverse(T_now)
    T_wrist = (mirrored_thing(way) if planner.motion.side is Side.LEFT else way) @ planner.T
    middle = 0.5 * (planner.T[:3, 3] + T_wrist[:3, 3])
    middle[2] = max(planner.T[2, 3], T_wrist[2, 3]) + lift_m
    planner.move(T_wrist, middle, seconds=planner.duration_s(T_wrist) + 1.6 * lift_m + 0.25)
    planner.now_s += 0.08
    planner.carries = False
    thing.T_world = carried_now(planner, thing)
    thing.carries[-1] = replace(carry, end_s=planner.now_s)
    planner.gesture(planner.open_rad, 0.25 / planner.pace)
