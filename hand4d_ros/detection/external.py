"""Detections that someone else makes, from a topic or a file, matched to frames by their stamp."""

from __future__ import annotations

import threading
import time
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from hand4d_ros.errors import DetectionError
from hand4d_ros.settings import check
from hand4d_ros.types import CameraModel, Frame, HandDetection

_NS = 1e-9


@dataclass(frozen=True)
class ExternalConfig:
    """How detections from outside are matched to frames."""

    tolerance_s: float = field(default=0.005, metadata={"min": 0.0, "max": 1.0})
    """Largest difference between the stamps of a frame and of its detections (s)."""
    wait_s: float = field(default=0.0, metadata={"min": 0.0, "max": 5.0})
    """How long a frame waits for its detections, which are made from the same image and come
    later than it (s). It does not wait once newer detections are there."""
    capacity: int = field(default=64, metadata={"min": 1, "max": 100_000})
    """Stamps whose detections are kept."""

    def __post_init__(self) -> None:
        """Reject values out of range."""
        check(self)


class ExternalDetections:
    """Detector that is fed with detections; ``push`` and ``detect`` may run in two threads."""

    def __init__(self, config: ExternalConfig | None = None) -> None:
        """Start empty.

        Args:
            config: How to match; defaults if None.
        """
        self._config = config or ExternalConfig()
        self._changed = threading.Condition()
        self._by_stamp: OrderedDict[int, list[HandDetection]] = OrderedDict()
        self._closed = False

    def push(self, stamp_ns: int, detections: Sequence[HandDetection]) -> None:
        """Keep the detections of one image; they replace older ones of the same stamp.

        Args:
            stamp_ns: Capture time of the image that they were made from.
            detections: All hands in it; none is an answer too.

        Raises:
            DetectionError: If a keypoint is not finite or a confidence or score not in 0..1.
        """
        for detection in detections:
            _check(detection)
        ordered = sorted(detections, key=lambda detection: -detection.score)
        with self._changed:
            self._by_stamp.pop(stamp_ns, None)
            self._by_stamp[stamp_ns] = ordered
            while len(self._by_stamp) > self._config.capacity:
                self._by_stamp.popitem(last=False)
            self._changed.notify_all()

    def detect(self, frame: Frame) -> list[HandDetection]:
        """The detections of the stamp nearest to the frame's, the surest first.

        Args:
            frame: The frame; its image is not looked at.

        Returns:
            Its detections; none if there are none within the tolerance.

        Raises:
            DetectionError: If it was closed.
        """
        until = time.monotonic() + self._config.wait_s
        with self._changed:
            while True:
                if self._closed:
                    raise DetectionError("the external detections were closed; make new ones")
                found = self._nearest(frame.stamp_ns)
                left_s = until - time.monotonic()
                if found is not None:
                    return list(found)
                if left_s <= 0.0 or any(stamp > frame.stamp_ns for stamp in self._by_stamp):
                    return []
                self._changed.wait(left_s)

    def warm_up(self, camera: CameraModel) -> None:
        """Do nothing: there is nothing to prepare.

        Args:
            camera: Not used.
        """

    def close(self) -> None:
        """Forget everything and wake a waiting ``detect``."""
        with self._changed:
            self._closed = True
            self._by_stamp.clear()
            self._changed.notify_all()

    def _nearest(self, stamp_ns: int) -> list[HandDetection] | None:
        if not self._by_stamp:
            return None
        nearest = min(self._by_stamp, key=lambda stamp: abs(stamp - stamp_ns))
        if abs(nearest - stamp_ns) * _NS > self._config.tolerance_s:
            return None
        return self._by_stamp[nearest]


def _check(detection: HandDetection) -> None:
    """Complain about numbers that a solver would choke on."""
    if not np.isfinite(detection.keypoints_px).all():
        raise DetectionError("a detection has keypoints that are not finite; leave the hand out")
    confidence = np.append(detection.keypoint_confidence, detection.score)
    if not ((confidence >= 0.0) & (confidence <= 1.0)).all():
        msg = (
            f"a detection has score {detection.score} and confidences from "
            f"{confidence.min()} to {confidence.max()}; expected 0..1"
        )
        raise DetectionError(msg)
    keypoints_3d_m = detection.keypoints_3d_m
    if keypoints_3d_m is not None and not np.isfinite(keypoints_3d_m).all():
        raise DetectionError("a detection has 3D keypoints that are not finite; leave them out")
