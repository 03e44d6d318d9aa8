"""Which hand is which: two detections of one hand become one, two hands get their sides."""

from __future__ import annotations

import itertools
from collections.abc import Sequence

import numpy as np

from hand4d_ros.shapes import Array, Float
from hand4d_ros.types import Side

_SLOPE = 8.0
_MOST = 3.0


def choose_sides(right: Sequence[float], same_side: float) -> list[tuple[Side, float]]:
    """Sides of all hands in an image at once, the most probable combination.

    One person has one hand of each side, so two hands of one side are a surprise. It takes
    sure detections to believe it; an unsure one gives way and becomes the other hand.

    Args:
        right: Probability that each hand is a right one, judged by itself.
        same_side: How much less probable it is for two hands in an image to be of one side
            than of two, 0..1; 1 judges each hand by itself.

    Returns:
        For each hand its side and the probability of it, in view of the other hands.
    """
    combinations = list(itertools.product((Side.LEFT, Side.RIGHT), repeat=len(right)))
    weights = []
    for sides in combinations:
        alone = [p if side is Side.RIGHT else 1.0 - p for p, side in zip(right, sides, strict=True)]
        rights = sum(side is Side.RIGHT for side in sides)
        lefts = len(sides) - rights
        pairs = (rights * (rights - 1) + lefts * (lefts - 1)) // 2
        weights.append(float(np.prod(alone)) * same_side**pairs)
    total = sum(weights)
    chosen = combinations[int(np.argmax(weights))]
    result = []
    for hand, side in enumerate(chosen):
        agreeing = (w for c, w in zip(combinations, weights, strict=True) if c[hand] is side)
        result.append((side, sum(agreeing) / total if total > 0.0 else 0.5))
    return result


def seen_by_its_owner(right: float, direction: Float[Array, "3"]) -> float:
    """Probability that a hand is a right one, given where the person who looks sees it.

    Seen from the head or chest of the person whose hands they are, the right hand is mostly on
    the right. The odds of that grow by ``_SLOPE`` nats per unit of the tangent of the bearing,
    up to ``_MOST``: at 15 degrees to the side they are 9 to 1, which gives way to a detector that
    is sure, as when the arms cross.

    Args:
        right: Probability of the detector, that does not look at the place.
        direction: Towards the hand, camera axes, any length.

    Returns:
        The probability with both taken together.
    """
    bearing = direction[0] / max(float(direction[2]), 1e-3)
    prior = 1.0 / (1.0 + np.exp(-np.clip(_SLOPE * bearing, -_MOST, _MOST)))
    both = right * prior
    neither = (1.0 - right) * (1.0 - prior)
    return float(both / max(both + neither, 1e-12))


def are_one_hand(
    a_px: Float[Array, "21 2"], b_px: Float[Array, "21 2"], max_distance: float
) -> bool:
    """Whether two sets of keypoints lie on one physical hand.

    Args:
        a_px: Keypoints of one detection.
        b_px: Keypoints of the other.
        max_distance: Mean distance between the same keypoints of both up to which they are one
            hand, as a fraction of the larger hand's extent in the image.

    Returns:
        True if they overlap that much.
    """
    distance = float(np.linalg.norm(a_px - b_px, axis=-1).mean())
    extent = max(float(np.ptp(keypoints, axis=0).max()) for keypoints in (a_px, b_px))
    return distance <= max_distance * extent
