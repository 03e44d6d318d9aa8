"""What people do at a table: the registry of all scripts, and how often each is played.

An activity takes the stage and a generator, and writes on where the plans of the hands ended.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from hand4d_ros.synthetic import one_handed, two_handed
from hand4d_ros.synthetic.stage import Stage
from hand4d_ros.types import Side

_WAIT_S = 0.2

Activity = Callable[[Stage, np.random.Generator, Side], None]

ACTIVITIES: dict[str, Activity] = {
    "rest": one_handed.rest,
    "leave": one_handed.leave,
    "move_thing": one_handed.move_thing,
    "manipulate": one_handed.manipulate,
    "gesture": one_handed.gesture,
    "exercise": one_handed.exercise,
    "wave": one_handed.wave,
    "shake": one_handed.shake,
    "hand_over": two_handed.hand_over,
    "hold_and_act": two_handed.hold_and_act,
    "open_lid": two_handed.open_lid,
    "fold": two_handed.fold,
}
"""Every activity by name."""

SHARES: dict[str, float] = {
    "rest": 0.05,
    "leave": 0.02,
    "move_thing": 0.32,
    "manipulate": 0.09,
    "gesture": 0.16,
    "exercise": 0.12,
    "wave": 0.04,
    "shake": 0.03,
    "hand_over": 0.06,
    "hold_and_act": 0.04,
    "open_lid": 0.04,
    "fold": 0.03,
}
"""How often each is tried, where a scene is not told what happens."""


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
