"""What people do with one hand at a table: small scripts that write on where its plan ended."""

from __future__ import annotations

import numpy as np

from hand4d_ros.geometry import se3, so3
from hand4d_ros.synthetic.grasps import GRASPS, GraspType, suited_types
from hand4d_ros.synthetic.planner import Planner, Thing, put, take, twirl
from hand4d_ros.synthetic.postures import POSTURES
from hand4d_ros.synthetic.stage import Stage
from hand4d_ros.types import Side

_GESTURES = ("spread", "flat", "fist", "point", "thumb_up", "victory", "three", "claw", "cup")
_EXERCISES = (("flat", "fist"), ("spread", "rest"), ("rest", "pinch"), ("flat", "claw"))
_PITCH_RAD = {"side": (0.0, 0.25), "top": (0.1, 0.45)}
"""How far the fingers point down when a thing is taken."""


def rest(stage: Stage, rng: np.random.Generator, side: Side) -> None:
    """Lay the hand down near the edge of the table and leave it there for a while."""
    planner = stage.hands[side]
    place = np.array([rng.uniform(0.16, 0.24), rng.uniform(-0.24, -0.12), stage.table_m + 0.035])
    T = planner.pose(place, rng.uniform(0.1, 0.6), rng.uniform(0.0, 0.1), rng.uniform(-0.1, 0.3))
    above = 0.5 * (planner.T[:3, 3] + place) + np.array([0.0, 0.0, 0.03])
    planner.move(T, above, POSTURES["lying"])
    planner.now_s += rng.uniform(0.2, 0.8)


def leave(stage: Stage, rng: np.random.Generator, side: Side) -> None:
    """Take the hand out of sight, down to the lap, and wait."""
    planner = stage.hands[side]
    place = np.array([0.02, rng.uniform(-0.30, -0.2), stage.table_m - 0.12])
    T = planner.pose(place, rng.uniform(0.2, 0.6), rng.uniform(0.3, 0.6), 0.3)
    over_edge = np.array([0.08, place[1], stage.table_m + 0.08])
    planner.move(T, over_edge, POSTURES["rest"])
    planner.now_s += rng.uniform(0.2, 0.6)


def move_thing(stage: Stage, rng: np.random.Generator, side: Side) -> None:
    """Take a thing within reach, lift it, maybe look at it, put it elsewhere, draw back."""
    thing = nearest_thing(stage, side)
    if thing is None:
        gesture(stage, rng, side)
        return
    planner = stage.hands[side]
    kind = some_type(rng, thing)
    stage.log.append(f"{planner.now_s:.1f} s {side.label}: {kind.name} on {thing.prop.name}")
    take(planner, thing, kind, pitch_rad(rng, kind))
    if rng.random() < 0.5:
        _inspect(planner, rng)
    put_down(stage, rng, side, thing, float(rng.uniform(0.05, 0.14)))
    draw_back(planner, kind)


def some_type(rng: np.random.Generator, thing: Thing) -> GraspType:
    """Draw a type of grasp that suits a thing."""
    kinds = suited_types(thing.prop) or [GRASPS["prismatic 4 finger"]]
    return kinds[int(rng.integers(len(kinds)))]


def pitch_rad(rng: np.random.Generator, kind: GraspType) -> float:
    """Draw how far the fingers point down when a thing is taken."""
    return float(rng.uniform(*_PITCH_RAD[kind.comes]))


def put_down(
    stage: Stage, rng: np.random.Generator, side: Side, thing: Thing, lift_m: float
) -> None:
    """Put what a hand carries on a free place; what sits on it goes along."""
    put(stage.hands[side], thing, stage.free_place(rng, side, thing), lift_m)
    for other in stage.things:
        if other.on is not None and stage.things[other.on] is thing and not other.carries:
            seat = se3.inverse(thing.T_world_start) @ other.T_world_start
            other.T_world = thing.T_world @ seat


def manipulate(stage: Stage, rng: np.random.Generator, side: Side) -> None:
    """Take a small round thing from above, turn it in the fingers, put it down."""
    thing = nearest_thing(stage, side, ("cylinder", "sphere"))
    if thing is None:
        exercise(stage, rng, side)
        return
    planner = stage.hands[side]
    kind = GRASPS["precision sphere" if thing.prop.kind == "sphere" else "prismatic 3 finger"]
    stage.log.append(f"{planner.now_s:.1f} s {side.label}: turns {thing.prop.name} in the fingers")
    take(planner, thing, kind, pitch_rad(rng, kind))
    T_up = planner.T.copy()
    T_up[:3, 3] += [-0.02, 0.03, rng.uniform(0.08, 0.14)]
    planner.move(T_up, free=True)
    for _ in range(int(rng.integers(2, 4))):
        twirl(planner, thing, float(rng.choice([-1.0, 1.0]) * rng.uniform(0.4, 0.6)))
    put_down(stage, rng, side, thing, 0.04)
    draw_back(planner, kind)


def nearest_thing(
    stage: Stage, side: Side, kinds: tuple[str, ...] = (), least_m: float = 0.0
) -> Thing | None:
    """Choose what the hand of this side reaches best and no hand holds.

    Args:
        stage: Where things are.
        side: Of the hand.
        kinds: Of things; empty takes any.
        least_m: Least height of the thing.
    """

    def effort(thing: Thing) -> float:
        place = thing.T_world[:3, 3].copy()
        if side is Side.LEFT:
            place[1] *= -1
        return float(np.hypot(place[0] - 0.35, place[1] + 0.14))

    # A thing that the other hand's plan moves later is not where it will be yet.
    now = stage.hands[side].now_s
    free = [t for t in stage.things if t.on is None and not t.carries]
    free += [t for t in stage.things if t.carries and t.carries[-1].end_s <= now]
    good = [t for t in free if t.prop.size_m[2] >= least_m and (not kinds or t.prop.kind in kinds)]
    good = sorted((t for t in good if effort(t) < 0.22), key=effort)
    return good[0] if good else None


def _inspect(planner: Planner, rng: np.random.Generator) -> None:
    """Lift what is held towards the eyes, turn it a little, and come back down."""
    T_down = planner.T
    T_up = T_down.copy()
    T_up[:3, 3] += [rng.uniform(-0.06, 0.0), rng.uniform(0.0, 0.06), rng.uniform(0.10, 0.18)]
    tilt = planner.pose(np.zeros(3), 0.0, rng.uniform(-0.3, 0.2), rng.uniform(-0.4, 0.4))
    neutral = planner.pose(np.zeros(3), 0.0, 0.0, 0.0)
    T_up[:3, :3] = T_down[:3, :3] @ (neutral[:3, :3].T @ tilt[:3, :3])
    planner.move(T_up, free=True)
    planner.now_s += rng.uniform(0.1, 0.4)
    planner.move(T_down)


def draw_back(planner: Planner, kind: GraspType) -> None:
    """Bring the open hand away from what it let go."""
    T = planner.T.copy()
    back = np.array([-0.04, -0.01, 0.06]) if kind.comes == "top" else np.array([-0.08, -0.05, 0.01])
    T[:3, 3] += back
    planner.move(T, angles=POSTURES["rest"], free=True)


def gesture(stage: Stage, rng: np.random.Generator, side: Side) -> None:
    """Hold the hand up over the table and go through a few postures."""
    planner = stage.hands[side]
    place = np.array(
        [rng.uniform(0.30, 0.40), rng.uniform(-0.20, -0.10), stage.table_m + rng.uniform(0.08, 0.2)]
    )
    roll = float(rng.choice([0.0, 0.5 * np.pi, 0.9 * np.pi])) + rng.uniform(-0.3, 0.3)
    names = rng.choice(_GESTURES, size=int(rng.integers(2, 4)), replace=False)
    stage.log.append(f"{planner.now_s:.1f} s {side.label}: {', '.join(names)}")
    T = planner.pose(place, rng.uniform(0.0, 0.6), rng.uniform(-0.8, 0.0), roll)
    planner.move(T, angles=POSTURES[str(names[0])], free=True)
    for name in names[1:]:
        planner.gesture(POSTURES[str(name)], rng.uniform(0.2, 0.45) / planner.pace)
        planner.now_s += rng.uniform(0.1, 0.35)


def wave(stage: Stage, rng: np.random.Generator, side: Side) -> None:
    """Swing the open hand to and fro."""
    planner = stage.hands[side]
    place = np.array([0.36, rng.uniform(-0.2, -0.12), stage.table_m + 0.16])
    turns = rng.uniform(0.25, 0.45) * np.array([1, -1, 1, -1, 0])
    heading = rng.uniform(0.1, 0.4)
    stage.log.append(f"{planner.now_s:.1f} s {side.label}: wave")
    for turn in turns:
        T = planner.pose(place, heading + turn, -0.6, 0.9 * np.pi)
        T[:3, 3] += [0.0, 0.08 * turn, 0.0]
        planner.move(T, angles=POSTURES["spread"], free=True)


def exercise(stage: Stage, rng: np.random.Generator, side: Side) -> None:
    """Hold the hand up and move the fingers fast: open and close, spread, drum, pinch."""
    planner = stage.hands[side]
    place = np.array([rng.uniform(0.30, 0.40), rng.uniform(-0.20, -0.12), stage.table_m + 0.17])
    T = planner.pose(place, rng.uniform(0.0, 0.5), rng.uniform(-0.5, 0.1), rng.uniform(-0.3, 1.8))
    one, two = (POSTURES[name] for name in _EXERCISES[int(rng.integers(len(_EXERCISES)))])
    stage.log.append(f"{planner.now_s:.1f} s {side.label}: exercises the fingers")
    planner.move(T, angles=one, free=True)
    for _ in range(int(rng.integers(2, 5))):
        for angles in (two, one):
            share = rng.uniform(0.6, 1.0)
            goal = planner.angles + share * (angles - planner.angles)
            planner.gesture(goal, rng.uniform(0.16, 0.4) / planner.pace)
        planner.now_s += rng.exponential(0.1)


def shake(stage: Stage, rng: np.random.Generator, side: Side) -> None:
    """Shake the hand fast to and fro, three to five times a second."""
    planner = stage.hands[side]
    middle = np.array([0.34, rng.uniform(-0.20, -0.14), stage.table_m + 0.18])
    T = planner.pose(middle, rng.uniform(0.0, 0.4), rng.uniform(-0.4, 0.2), rng.uniform(0.0, 1.5))
    stage.log.append(f"{planner.now_s:.1f} s {side.label}: shakes the hand")
    planner.move(T, angles=POSTURES["rest"], free=True)
    along = rng.normal(size=3)
    along *= rng.uniform(0.015, 0.03) / np.linalg.norm(along)
    turn = so3.exp(rng.normal(size=3) * 0.12)
    half_s = 0.5 / rng.uniform(3.0, 5.0)
    for sign in [1, -1] * int(rng.integers(3, 6)) + [0]:
        T_next = T.copy()
        T_next[:3, 3] += sign * along
        T_next[:3, :3] = T[:3, :3] @ (turn if sign > 0 else turn.T if sign else np.eye(3))
        planner.move(T_next, seconds=half_s if sign else 1.5 * half_s, free=True)
