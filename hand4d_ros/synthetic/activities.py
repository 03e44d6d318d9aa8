"""What people do at a table, as small scripts over a stage; one registry, so more can be added.

An activity takes the stage and a generator, and writes on where the plans of the hands ended.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from hand4d_ros.synthetic.grasps import GRASPS, GraspType, suited_types
from hand4d_ros.synthetic.planner import Planner, Thing, put, take
from hand4d_ros.synthetic.postures import POSTURES
from hand4d_ros.synthetic.stage import Stage
from hand4d_ros.types import Side

_GESTURES = ("spread", "flat", "fist", "point", "thumb_up", "victory", "three", "claw", "cup")
_WAIT_S = 0.4
_PITCH_RAD = {"side": (0.0, 0.25), "top": (0.1, 0.45)}
"""How far the fingers point down when a thing is taken."""


Activity = Callable[[Stage, np.random.Generator, Side], None]


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
    thing = _nearest_thing(stage, side)
    if thing is None:
        gesture(stage, rng, side)
        return
    planner = stage.hands[side]
    kinds = suited_types(thing.prop) or [GRASPS["prismatic 4 finger"]]
    kind: GraspType = kinds[int(rng.integers(len(kinds)))]
    stage.log.append(f"{planner.now_s:.1f} s {side.label}: {kind.name} on {thing.prop.name}")
    low, high = _PITCH_RAD[kind.comes]
    take(planner, thing, kind, float(rng.uniform(low, high)))
    if rng.random() < 0.5:
        _inspect(planner, rng)
    put(planner, thing, stage.free_place(rng, side, thing), float(rng.uniform(0.05, 0.14)))
    _draw_back(planner, kind)


def _nearest_thing(stage: Stage, side: Side) -> Thing | None:
    """Choose what the hand of this side reaches best and no hand holds."""

    def effort(thing: Thing) -> float:
        place = thing.T_world[:3, 3].copy()
        if side is Side.LEFT:
            place[1] *= -1
        return float(np.hypot(place[0] - 0.35, place[1] + 0.14))

    # A thing that the other hand's plan moves later is not where it will be yet.
    now = stage.hands[side].now_s
    free = [t for t in stage.things if not t.carries or t.carries[-1].end_s <= now]
    good = sorted((t for t in free if effort(t) < 0.22), key=effort)
    return good[0] if good else None


def _inspect(planner: Planner, rng: np.random.Generator) -> None:
    """Lift what is held towards the eyes, turn it a little, and come back down."""
    T_down = planner.T
    T_up = T_down.copy()
    T_up[:3, 3] += [rng.uniform(-0.06, 0.0), rng.uniform(0.0, 0.06), rng.uniform(0.10, 0.18)]
    tilt = planner.pose(np.zeros(3), 0.0, rng.uniform(-0.3, 0.2), rng.uniform(-0.4, 0.4))
    neutral = planner.pose(np.zeros(3), 0.0, 0.0, 0.0)
    T_up[:3, :3] = T_down[:3, :3] @ (neutral[:3, :3].T @ tilt[:3, :3])
    planner.move(T_up)
    planner.now_s += rng.uniform(0.1, 0.4)
    planner.move(T_down)


def _draw_back(planner: Planner, kind: GraspType) -> None:
    """Bring the open hand away from what it let go."""
    T = planner.T.copy()
    back = np.array([-0.04, -0.01, 0.06]) if kind.comes == "top" else np.array([-0.08, -0.05, 0.01])
    T[:3, 3] += back
    planner.move(T, angles=POSTURES["rest"])


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
    planner.move(T, angles=POSTURES[str(names[0])])
    for name in names[1:]:
        planner.gesture(POSTURES[str(name)], rng.uniform(0.3, 0.5) / planner.pace)
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
        planner.move(T, angles=POSTURES["spread"])


def hand_over(stage: Stage, rng: np.random.Generator, side: Side) -> None:
    """Put a thing down in the middle, where the other hand takes it and puts it on its side."""
    thing = _nearest_thing(stage, side)
    if thing is None:
        gesture(stage, rng, side)
        return
    giver, taker = stage.hands[side], stage.hands[Side(1 - side)]
    kinds = suited_types(thing.prop) or [GRASPS["prismatic 4 finger"]]
    kind: GraspType = kinds[int(rng.integers(len(kinds)))]
    low, high = _PITCH_RAD[kind.comes]
    stage.log.append(f"{giver.now_s:.1f} s {side.label}: hands over {thing.prop.name}")
    take(giver, thing, kind, float(rng.uniform(low, high)))
    put(giver, thing, np.array([rng.uniform(0.32, 0.40), 0.0]), 0.08)
    aside = giver.T.copy()
    aside[:3, 3] += [-0.10, -0.13, 0.05]
    giver.move(aside, angles=POSTURES["rest"])
    taker.wait_until(giver.now_s - 0.4)
    take(taker, thing, kind, float(rng.uniform(low, high)))
    put(taker, thing, stage.free_place(rng, Side(1 - side), thing), 0.08)
    _draw_back(taker, kind)


ACTIVITIES: dict[str, Activity] = {
    "rest": rest,
    "leave": leave,
    "move_thing": move_thing,
    "gesture": gesture,
    "wave": wave,
    "hand_over": hand_over,
}
"""Every activity by name."""


def attempt(stage: Stage, rng: np.random.Generator, side: Side, name: str) -> bool:
    """Play an activity unless the hands would meet; then let the hand wait a moment instead.

    Returns:
        Whether it was played.
    """
    before = stage.copied()
    start_s = min(planner.now_s for planner in stage.hands.values())
    ACTIVITIES[name](stage, rng, side)
    if stage.hands_are_clear(start_s):
        return True
    stage.become(before)
    stage.hands[side].now_s += _WAIT_S
    return False
