"""Which detection is which true hand, in the real detector's output and in the model's alike."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from benchmarks.detector.records import Detections
from hand4d_ros.detection.sides import seen_by_its_owner
from hand4d_ros.shapes import Array, Bool, Float, Int
from hand4d_ros.synthetic.detector_marks import Report
from hand4d_ros.synthetic.detector_view import HandViews, views_from_clip
from hand4d_ros.synthetic.hand_clip import HandClip
from hand4d_ros.types import Side

_APART = 0.5
"""Largest distance between the middles of a detection and of its hand, in sizes."""
_WORST = 1.0
"""Largest mean error of a detection's keypoints, in sizes of the hand."""
_NEVER = 1e9
_STEPS = 60
SAME_SIDE = 0.1
"""How the detector weighs two hands of one side (``MediaPipeConfig.same_side_weight``)."""


@dataclass(frozen=True)
class Matched:
    """A clip with what was said about each hand in it, NaN where nothing was."""

    clip: HandClip
    views: HandViews
    report: Report
    found: Bool[Array, "f h"]
    wrong_side: Bool[Array, "f h"]
    score: Float[Array, "f h"]
    false_hands: Int[Array, "f"]
    """Detections in each frame whose middle is on no hand."""
    difficulty: str = "normal"
    """Of the pictures."""

    @property
    def error(self) -> Float[Array, "f h 21"]:
        """Distance of each keypoint from what the detector should mark, in sizes."""
        offset = self.report.keypoints_px - self.views.landmarks_px
        return np.linalg.norm(offset, axis=-1) / self.views.size_px[..., None]


def matched(
    clip: HandClip, found: Detections, definition: Float[Array, "21 21"] | None = None
) -> Matched:
    """Find the hand that each detection belongs to.

    The nearest pair goes first; the side that a detection claims does not count, so that swapped
    sides show as such.

    Args:
        clip: The truth.
        found: What the detector said.
        definition: Landmark map; MediaPipe's where None.
    """
    views = views_from_clip(clip, definition)
    index = _assigned(views, found)
    there = index >= 0
    frame = np.arange(len(index))[:, None]

    def of_hand(values: Array) -> Array:
        chosen = values[frame, index]
        rest = (1,) * (values.ndim - 2)
        return np.where(there.reshape(*there.shape, *rest), chosen, np.nan)

    # The confidence of a keypoint inside of the picture is that of the hand.
    presence = np.where(np.isfinite(found.confidence), found.confidence, 0.0).max(-1)
    side = found.side[frame, index]
    true_side = np.array([int(s) for s in clip.sides])
    wrong = there & (side != true_side)
    report = Report(
        of_hand(found.keypoints_px),
        of_hand(found.keypoints_3d_m),
        of_hand(presence),
        _beliefs(views, clip.sides, of_hand(found.score / np.maximum(presence, 1e-6)), wrong),
    )
    false = ((found.side >= 0) & ~_on_a_hand(views, found)).sum(1)
    return Matched(clip, views, report, there, wrong, of_hand(found.score), false)


def _on_a_hand(views: HandViews, found: Detections) -> Bool[Array, "f d"]:
    """Which detections lie on a hand, however wrong."""
    middle = found.keypoints_px.mean(2)[:, :, None] - views.landmarks_px.mean(2)[:, None]
    apart = np.linalg.norm(middle, axis=-1) / views.size_px[:, None]
    return np.where(np.isfinite(apart), apart, _NEVER).min(-1) < 2.0 * _APART


def _assigned(views: HandViews, found: Detections) -> Int[Array, "f h"]:
    """Index of the detection of each hand, -1 for none."""
    offset = found.keypoints_px[:, None] - views.landmarks_px[:, :, None]
    size = views.size_px[:, :, None]
    apart = np.linalg.norm(offset.mean(-2), axis=-1) / size
    error = np.linalg.norm(offset, axis=-1).mean(-1) / size
    cost = np.where((apart < _APART) & (error < _WORST), error, _NEVER)
    index = np.full(views.size_px.shape, -1)
    for frame, table in enumerate(cost):
        left = table.copy()
        for _ in range(len(left)):
            hand, detection = np.unravel_index(int(left.argmin()), left.shape)
            if left[hand, detection] >= _NEVER:
                break
            index[frame, hand] = detection
            left[hand], left[:, detection] = _NEVER, _NEVER
    return index


def _beliefs(
    views: HandViews,
    sides: tuple[Side, ...],
    of_side: Float[Array, "f h"],
    wrong: Bool[Array, "f h"],
) -> Float[Array, "f h"]:
    """Probability of the true side of each hand by itself, before the sides were chosen jointly.

    Two hands of two sides support each other (``detection.sides``). With odds a and b of the true
    side by itself and the weight c of two hands of one side, the odds that are reported for the
    first hand are ``a (b + c) / (c b + 1)``, and likewise for the second. Before that,
    the place of each hand was taken into account (``detection.sides.seen_by_its_owner``).
    """
    there = np.isfinite(of_side)
    sure = np.clip(np.where(wrong, 1.0 - of_side, of_side), 1e-6, 1.0 - 1e-6)
    odds = sure / (1.0 - sure)
    both = there.all(1) & (odds.shape[1] == 2)
    given = odds[both]
    alone = given.copy()
    for _ in range(_STEPS):
        other = alone[:, ::-1]
        alone = np.sqrt(alone * given * (SAME_SIDE * other + 1.0) / (other + SAME_SIDE))
    odds[both] = alone
    places = views.landmarks_m.mean(2)
    right = np.array([[seen_by_its_owner(0.5, place) for place in row] for row in places])
    true = np.where([side is Side.RIGHT for side in sides], right, 1.0 - right)
    odds = odds * (1.0 - true) / true
    return odds / (1.0 + odds)
