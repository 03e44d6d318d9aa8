"""Where scripts are played: two hands with their plans, things, and a table."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

import numpy as np

from hand4d_ros.geometry import se3
from hand4d_ros.shapes import Array, Float
from hand4d_ros.synthetic.planner import Planner, Thing
from hand4d_ros.types import Side

_SPACING_M = 0.13
_REACH_X_M = (0.26, 0.44)
_REACH_Y_M = (-0.30, 0.02)
"""Where a right hand works, from the middle of the table's near edge."""
_LOOK_S = 0.06
_GAP_M = 0.032
"""Between joints of the two hands: twice the flesh about them, and a little air."""
_SPARSE = (0, 1, 2, 4, 5, 6, 8, 9, 10, 12, 14, 16, 17, 18, 20)
"""Keypoints that are looked at."""


@dataclass
class Stage:
    """Two hands, things and a table while plans are made."""

    hands: dict[Side, Planner]
    things: list[Thing]
    table_m: float
    log: list[str] = field(default_factory=list)
    """What was played, for people."""

    def together(self) -> float:
        """Let the hand that is ahead be waited for; returns the time (s)."""
        now = max(planner.now_s for planner in self.hands.values())
        for planner in self.hands.values():
            planner.wait_until(now)
        return now

    def copied(self) -> Stage:
        """Return the stage as it is now; playing on does not change the copy."""
        hands = {
            side: replace(planner, motion=replace(planner.motion, plan=planner.plan.copied()))
            for side, planner in self.hands.items()
        }
        for side, planner in self.hands.items():
            hands[side].T, hands[side].angles = planner.T, planner.angles
        things = [replace(thing, carries=list(thing.carries)) for thing in self.things]
        return Stage(hands, things, self.table_m, list(self.log))

    def become(self, other: Stage) -> None:
        """Go back to what another stage is."""
        self.hands, self.things, self.log = other.hands, other.things, other.log

    def hands_are_clear(self, start_s: float) -> bool:
        """Say whether the hands keep their distance in all that is planned from a time on."""
        end_s = max(planner.now_s for planner in self.hands.values())
        t = np.arange(start_s, end_s + _LOOK_S, _LOOK_S)
        # Motions cache their paths, so that of a plan that grows has to be a fresh one.
        left, right = (
            replace(planner.motion).keypoints_m(t)[:, _SPARSE] for planner in self.hands.values()
        )
        gaps = np.linalg.norm(left[:, :, None] - right[:, None], axis=-1)
        return bool(gaps.min() > _GAP_M)

    @property
    def now_s(self) -> float:
        """Time up to which both hands have plans."""
        return min(planner.now_s for planner in self.hands.values())

    def free_place(self, rng: np.random.Generator, side: Side, skip: Thing) -> Float[Array, "2"]:
        """Find room on the table within reach of a hand and clear of other things."""
        others = [thing.T_world[:2, 3] for thing in self.things if thing is not skip]
        best, clear = np.zeros(2), -1.0
        for _ in range(20):
            place = np.array([rng.uniform(*_REACH_X_M), rng.uniform(*_REACH_Y_M)])
            if side is Side.LEFT:
                place[1] *= -1
            room = min((float(np.linalg.norm(place - o)) for o in others), default=1.0)
            if room > clear:
                best, clear = place, room
            if clear > _SPACING_M:
                break
        return best


def standing(
    height_m: float, place_m: Float[Array, "2"], yaw_rad: float, table_m: float
) -> Float[Array, "4 4"]:
    """Return the pose of a thing of a height that stands on the table."""
    c, s = np.cos(yaw_rad), np.sin(yaw_rad)
    R = np.array([[c, -s, 0.0], [s, c, 0.0], [0.0, 0.0, 1.0]])
    return se3.from_rotation_translation(
        R, np.array([place_m[0], place_m[1], table_m + 0.5 * height_m])
    )
