"""Which hands the detector holds in each frame: losing, finding, whole gaps, false hands.

Whether a hand is held is a chain of two states whose log odds of changing depend on how the hand
looks, on how sure the detector was and on how long the hand has been lost.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from hand4d_ros.shapes import Array, Bool, Float
from hand4d_ros.synthetic.detector_parameters import NoiseParameters

_AGE_AT_START = 1.0
_CERTAIN = 30.0


@dataclass(frozen=True)
class Chances:
    """What drives the chain of ``h`` hands over ``f`` frames."""

    lose: Float[Array, "f h"]
    """Log odds of losing a hand that was held in the frame before."""
    find: Float[Array, "f h"]
    """Log odds of finding a lost hand, but for its age and the other hand."""
    find_log_age: float
    """What the log of the number of frames since a hand was lost adds to ``find``."""
    find_first: float
    """What the first frame adds to ``find``."""
    find_other: float
    """What another hand being held adds to ``find``."""


def chances(
    x: Float[Array, "f h n"],
    scores: Float[Array, "f h 2"],
    seen: Bool[Array, "f h 21"],
    parameters: NoiseParameters,
) -> Chances:
    """Work out the odds in every frame.

    Args:
        x: Features.
        scores: Normal scores of the common scale of the errors and of the presence.
        seen: Keypoints that can be seen; a hand with none is neither held nor found.
        parameters: Fitted odds.
    """
    before = np.concatenate((scores[:1], scores[:-1]))
    lose = np.concatenate((x, before), axis=-1) @ parameters.lose
    find = np.concatenate((x, scores), axis=-1) @ parameters.find[:-3]
    gone = ~seen.any(-1)
    return Chances(
        np.where(gone, _CERTAIN, lose),
        np.where(gone, -_CERTAIN, find),
        *(float(b) for b in parameters.find[-3:]),
    )


def held(rng: np.random.Generator, odds: Chances, forced: Bool[Array, "f h"]) -> Bool[Array, "f h"]:
    """Draw in which frames each hand is held; at first none is.

    Args:
        rng: Source of randomness.
        odds: The chances.
        forced: Frames in which a hand is lost whatever the chances.
    """
    frames, hands = odds.lose.shape
    # A uniform draw is below the probability where its log odds are below those of it.
    draw = rng.random((frames, hands))
    threshold = np.log(draw / (1.0 - draw))
    lost = (threshold < odds.lose) | forced
    result = np.zeros((frames, hands), dtype=bool)
    now = [False] * hands
    age = [_AGE_AT_START] * hands
    for frame in range(frames):
        before = now.copy()
        for hand in range(hands):
            if before[hand]:
                now[hand] = not lost[frame, hand]
            else:
                other = any(before[:hand]) or any(before[hand + 1 :])
                chance = odds.find[frame, hand] + odds.find_log_age * math.log(age[hand])
                chance += odds.find_first * (frame == 0) + odds.find_other * other
                now[hand] = bool(threshold[frame, hand] < chance) and not forced[frame, hand]
            age[hand] = _AGE_AT_START if now[hand] else age[hand] + 1.0
        result[frame] = now
    return result


def gaps(
    rng: np.random.Generator, t_s: Float[Array, "f"], hands: int, per_s: float, length_s: float
) -> Bool[Array, "f h"]:
    """Draw times in which hands are not reported at all.

    Args:
        rng: Source of randomness.
        t_s: Times of the frames.
        hands: How many hands.
        per_s: Gaps of each hand in a second.
        length_s: Length of each gap.
    """
    inside = np.zeros((len(t_s), hands), dtype=bool)
    if per_s <= 0.0 or len(t_s) == 0:
        return inside
    for hand in range(hands):
        # A gap that began before the clip may reach into it.
        first, last = float(t_s[0]) - length_s, float(t_s[-1])
        starts = rng.uniform(first, last, rng.poisson(per_s * (last - first)))
        since = t_s[:, None] - starts
        inside[:, hand] = ((since >= 0.0) & (since < length_s)).any(1)
    return inside


def false_spells(
    rng: np.random.Generator, room: Bool[Array, "f"], start: float, end: float
) -> Float[Array, "f"]:
    """Draw when there is a false hand, as a number that is the same throughout one spell.

    Args:
        rng: Source of randomness.
        room: Frames in which the detector could report one hand more.
        start: Probability of one appearing in a frame with room.
        end: Probability of it vanishing in a frame.

    Returns:
        Zero where there is none, else the number of the spell from one.
    """
    draws = rng.random(len(room))
    result = np.zeros(len(room))
    spell, there = 0, False
    for frame, (has_room, draw) in enumerate(zip(room, draws, strict=True)):
        if there:
            there = bool(has_room and draw >= end)
        elif has_room and draw < start:
            there = True
            spell += 1
        result[frame] = spell if there else 0
    return result
