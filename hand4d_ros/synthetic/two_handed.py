"""What people do with both hands at a table: hold and act, hand over, open a lid, fold.

Bimanual work divides into a hand that holds and one that acts, and work where both do the same
(Guiard, "Asymmetric division of labor in human skilled bimanual action", J. Motor Behavior
19(4), 1987); both are here.
"""

from __future__ import annotations

import numpy as np

from hand4d_ros.geometry import se3
from hand4d_ros.hand.orders import OPENPOSE_KEYPOINTS
from hand4d_ros.shapes import Array, Float
from hand4d_ros.synthetic.grasps import GRASPS
from hand4d_ros.synthetic.motion import Carry, within_limits
from hand4d_ros.synthetic.one_handed import (
    draw_back,
    exercise,
    gesture,
    nearest_thing,
    pitch_rad,
    put_down,
    some_type,
)
from hand4d_ros.synthetic.planner import Planner, Thing, carried_now, put, take, twirl
from hand4d_ros.synthetic.postures import POSTURES
from hand4d_ros.synthetic.stage import Stage
from hand4d_ros.types import Side

_TALL_M = 0.10
"""Of a thing that one hand holds and the other acts on."""


def hand_over(stage: Stage, rng: np.random.Generator, side: Side) -> None:
    """Give a thing to the other hand: a bottle in the air, others by way of the table."""
    thing = nearest_thing(stage, side)
    if thing is None:
        gesture(stage, rng, side)
        return
    stage.together()
    giver, taker = stage.hands[side], stage.hands[Side(1 - side)]
    stage.log.append(f"{giver.now_s:.1f} s {side.label}: hands over {thing.prop.name}")
    kind = some_type(rng, thing)
    take(giver, thing, kind, pitch_rad(rng, kind))
    cap = _cap_on(stage, thing)
    if cap is not None:
        _in_the_air(giver, taker, thing, cap)
    else:
        put(giver, thing, np.array([rng.uniform(0.32, 0.40), 0.0]), 0.08)
        taker.wait_until(giver.now_s)
        _aside(giver)
        take(taker, thing, kind, pitch_rad(rng, kind))
    put_down(stage, rng, Side(1 - side), thing, 0.08)
    draw_back(taker, kind)


def _cap_on(stage: Stage, thing: Thing) -> Thing | None:
    """Find the cap that is still on a bottle."""
    for other in stage.things:
        if other.on is not None and stage.things[other.on] is thing and not other.carries:
            return other
    return None


def _in_the_air(giver: Planner, taker: Planner, thing: Thing, cap: Thing) -> None:
    """Carry a bottle to the middle, where the other hand takes it by its cap."""
    T = giver.T.copy()
    T[:3, 3] = [0.33, -0.02, T[2, 3] + 0.08]
    giver.move(T, free=True)
    taker.wait_until(giver.now_s - 0.2)
    seat = se3.inverse(thing.T_world_start) @ cap.T_world_start
    # The bottle goes on swaying with the hand, so it is looked at when the other closes.
    grip = Thing(cap.prop, carried_now(giver, thing) @ seat, cap.T_world_start)
    take(taker, grip, GRASPS["prismatic 3 finger"], 0.15)
    giver.wait_until(taker.now_s)
    T_held = se3.inverse(taker.wrist_now()) @ carried_now(giver, thing)
    thing.carries.append(Carry(taker.motion.side, taker.now_s, np.inf, T_held))
    giver.carries = False
    giver.gesture(giver.open_rad, 0.25 / giver.pace)
    taker.wait_until(giver.now_s - 0.1)
    _aside(giver)


def _aside(planner: Planner) -> None:
    """Take the hand out of the other's way, to its own side."""
    aside = planner.T.copy()
    high = aside[2, 3] > planner.table_m + 0.2
    aside[:3, 3] += [-0.10, -0.13, -0.08 if high else 0.04]
    planner.move(aside, angles=POSTURES["rest"], free=True)


def hold_and_act(stage: Stage, rng: np.random.Generator, side: Side) -> None:
    """Hold a tall thing with one hand and tap and stroke its top with the other's finger."""
    thing = nearest_thing(stage, side, least_m=_TALL_M)
    if thing is None:
        fold(stage, rng, side)
        return
    stage.together()
    holder, actor = stage.hands[side], stage.hands[Side(1 - side)]
    stage.log.append(f"{holder.now_s:.1f} s {side.label}: holds {thing.prop.name}, acts on it")
    kind = some_type(rng, thing)
    take(holder, thing, kind, pitch_rad(rng, kind))
    T = holder.T.copy()
    T[:3, 3] += [-0.02, 0.04, rng.uniform(0.0, 0.03)]
    holder.move(T, free=True)
    actor.wait_until(holder.now_s - 0.5)
    top_m = se3.apply(carried_now(holder, thing), _top_m(thing)[None])[0]
    if actor.motion.side is Side.LEFT:
        top_m[1] *= -1
    angles = POSTURES["point"]
    T = _finger_at(actor, top_m + np.array([0.0, 0.0, 0.06]), angles)
    actor.move(T, angles=angles)
    for _ in range(int(rng.integers(2, 5))):
        slide = np.array([*rng.uniform(-0.015, 0.015, 2), 0.012])
        actor.move(_finger_at(actor, top_m + slide, angles), seconds=rng.uniform(0.2, 0.4))
        slide[:2] = rng.uniform(-0.015, 0.015, 2)
        actor.move(_finger_at(actor, top_m + slide, angles), seconds=rng.uniform(0.2, 0.5))
        actor.move(_finger_at(actor, top_m + np.array([0.0, 0.0, 0.05]), angles), seconds=0.25)
    _aside(actor)
    holder.wait_until(actor.now_s - 0.4)
    put_down(stage, rng, side, thing, 0.05)
    draw_back(holder, kind)


def open_lid(stage: Stage, rng: np.random.Generator, side: Side) -> None:
    """Hold a bottle with one hand, unscrew its cap with the other and lay the cap aside."""
    bottle = nearest_thing(stage, side, ("bottle",))
    cap = None if bottle is None else _cap_on(stage, bottle)
    if bottle is None or cap is None:
        exercise(stage, rng, side)
        return
    stage.together()
    holder, opener = stage.hands[side], stage.hands[Side(1 - side)]
    stage.log.append(f"{holder.now_s:.1f} s {side.label}: holds {bottle.prop.name}, opens it")
    kind = some_type(rng, bottle)
    take(holder, bottle, kind, pitch_rad(rng, kind))
    cap.T_world = carried_now(holder, bottle) @ (
        se3.inverse(bottle.T_world_start) @ cap.T_world_start
    )
    opener.wait_until(holder.now_s - 0.3)
    grip = GRASPS["prismatic 3 finger"]
    take(opener, cap, grip, 0.15)
    for _ in range(int(rng.integers(2, 4))):
        # Anticlockwise from above, with either hand.
        twirl(opener, cap, 0.5 if opener.motion.side is Side.RIGHT else -0.5)
    put_down(stage, rng, Side(1 - side), cap, 0.05)
    draw_back(opener, grip)
    holder.wait_until(opener.now_s - 0.6)
    put_down(stage, rng, side, bottle, 0.03)
    draw_back(holder, kind)


def fold(stage: Stage, rng: np.random.Generator, side: Side) -> None:
    """Fold a cloth away from the body with both hands, and stroke it flat with one.

    The cloth itself is not drawn.
    """
    start_s = stage.together()
    stage.log.append(f"{start_s:.1f} s both: fold a cloth")
    apart, near, far = rng.uniform(0.10, 0.15), rng.uniform(0.22, 0.26), rng.uniform(0.34, 0.40)
    for _ in range(2):
        for planner in stage.hands.values():
            here = np.array([near, -apart, stage.table_m + 0.062])
            above = 0.5 * (planner.T[:3, 3] + here) + np.array([0.0, 0.0, 0.04])
            planner.move(planner.pose(here, 0.35, 0.35, 0.2), above, POSTURES["rest"])
            planner.gesture(POSTURES["pinch"], 0.25 / planner.pace)
        stage.together()
        for planner in stage.hands.values():
            there = np.array([far, -apart, stage.table_m + 0.055])
            goal = planner.cleared(planner.pose(there, 0.25, 0.6, 0.1), POSTURES["rest"])
            over = 0.5 * (planner.T[:3, 3] + there) + np.array([0.0, 0.0, 0.10])
            planner.move(goal, over, seconds=0.9 / planner.pace)
            planner.gesture(POSTURES["rest"], 0.2 / planner.pace)
        stage.together()
        apart = max(0.085, apart - 0.03)
    stroker = stage.hands[side]
    # Without _aside the stroke would run into the hand that still lies on the cloth.
    _aside(stage.hands[Side(1 - side)])
    for sideways in rng.uniform(-0.04, 0.02, 3):
        there = np.array([rng.uniform(0.28, 0.36), -0.13 + sideways, stage.table_m + 0.035])
        above = 0.5 * (stroker.T[:3, 3] + there) + np.array([0.0, 0.0, 0.015])
        stroker.move(stroker.pose(there, 0.5, 0.0, 0.0), above, POSTURES["flat"])


def _top_m(thing: Thing) -> Float[Array, "3"]:
    return np.array([0.0, 0.0, 0.5 * thing.prop.size_m[2]])


def _finger_at(
    planner: Planner, tip_m: Float[Array, "3"], angles: Float[Array, "22"]
) -> Float[Array, "4 4"]:
    """Return the pose of the wrist that puts the tip of the index finger somewhere."""
    T = planner.pose(np.zeros(3), 0.6, 0.55, 0.2)
    anatomy = planner.motion.anatomy
    local = anatomy.local_rotations(within_limits(angles))
    points = anatomy.hand.chain(T[:3, :3], T[:3, 3], local).keypoints_m
    T[:3, 3] = tip_m - points[OPENPOSE_KEYPOINTS.index("index_tip")]
    return T
