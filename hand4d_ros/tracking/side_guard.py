"""Which hand is which: repairs the detector's left and right by where the hands just were."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np

from hand4d_ros.shapes import Array, Float
from hand4d_ros.types import HandDetection, Side

_NEAR = 0.7
"""Distance, in sizes of the hand, up to which a detection belongs to where a hand just was."""


class SideGuard:
    """Keeps sides from swapping between frames.

    A detector labels every hand on its own, and errs when a hand is edge-on or half hidden. A
    detection that lies on the predicted place of the other hand, and not on that of its own, is
    relabelled, unless the detector insists for several frames: then the past was wrong.
    """

    def __init__(self, believe_after: int) -> None:
        """Believe the detector after this many frames of contradiction."""
        self._believe_after = believe_after
        self._contradictions = 0

    def reset(self) -> None:
        """Forget past contradictions."""
        self._contradictions = 0

    def __call__(
        self,
        detections: Sequence[HandDetection],
        expected_px: Mapping[Side, Float[Array, "21 2"]],
    ) -> tuple[list[HandDetection], bool]:
        """Return at most one detection a side, and whether the past must be forgotten.

        Args:
            detections: Of one frame.
            expected_px: Where the keypoints of the tracked hands should be in this image.
        """
        if not any(_contradicts(d, expected_px) for d in detections):
            self._contradictions = 0
            return _one_a_side(detections, expected_px), False
        self._contradictions += 1
        if self._contradictions >= self._believe_after:
            self._contradictions = 0
            return _one_a_side(detections, {}), True
        relabelled = [
            replace(d, side=_other(d.side)) if _contradicts(d, expected_px) else d
            for d in detections
        ]
        return _one_a_side(relabelled, expected_px), False


def _other(side: Side) -> Side:
    return Side(1 - side)


def _distance(detection: HandDetection, expected_px: Float[Array, "21 2"]) -> float:
    """Return the mean distance of the keypoints in sizes of the hand."""
    size_px = np.ptp(detection.keypoints_px, axis=0).max() + 1e-9
    apart = np.linalg.norm(detection.keypoints_px - expected_px, axis=1)
    return float(np.nan_to_num(apart, nan=1e9).mean() / size_px)


def _contradicts(
    detection: HandDetection, expected_px: Mapping[Side, Float[Array, "21 2"]]
) -> bool:
    """Whether a detection lies where the other hand was and not where its own was."""
    if _other(detection.side) not in expected_px:
        return False
    if _distance(detection, expected_px[_other(detection.side)]) > _NEAR:
        return False
    own = expected_px.get(detection.side)
    return own is None or _distance(detection, own) > _NEAR


def _one_a_side(
    detections: Sequence[HandDetection], expected_px: Mapping[Side, Float[Array, "21 2"]]
) -> list[HandDetection]:
    """Keep one detection a side: the nearest to where the hand was, else the surest."""
    kept = []
    for side in Side:
        own = [d for d in detections if d.side is side]
        if own and side in expected_px:
            kept.append(min(own, key=lambda d: _distance(d, expected_px[d.side])))
        elif own:
            kept.append(max(own, key=lambda d: d.score))
    return kept
