"""What every estimator is: detections of one frame in, hand states in the camera frame out."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol, runtime_checkable

from hand4d_ros.types import Frame, HandDetection, HandState


@runtime_checkable
class Estimator(Protocol):
    """Turns what was detected in a frame into metric hands in the camera frame."""

    @property
    def model_id(self) -> str:
        """Name of the method and its weights, as published with every state."""
        ...

    def estimate(self, frame: Frame, detections: Sequence[HandDetection]) -> list[HandState]:
        """Return one state for each detection that could be explained, in the same order.

        Raises:
            EstimationError: The frame cannot be used at all.
        """
        ...

    def reset(self) -> None:
        """Forget the past, as after a jump in time; what was learnt of the person stays."""
        ...
