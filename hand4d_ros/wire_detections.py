"""Detections as nested dicts that mirror ``HandDetectionArray``, and back.

Part of ``hand4d_ros.wire``, under the same rules.
"""

from __future__ import annotations

import typing
from collections.abc import Sequence
from typing import Any

import numpy as np

from hand4d_ros.errors import RosError
from hand4d_ros.types import HandDetection, LandmarkDefinition, Side
from hand4d_ros.wire import Message, header, ns_from_time

_DEFINITIONS = typing.get_args(LandmarkDefinition)


def detection_array(
    stamp_ns: int, camera_frame: str, detections: Sequence[HandDetection]
) -> Message:
    """Return ``hand4d_ros/HandDetectionArray`` of the hands in one image.

    Args:
        stamp_ns: Capture time of the image.
        camera_frame: Its frame.
        detections: All hands in it.
    """
    return {"header": header(stamp_ns, camera_frame), "hands": [_detection(d) for d in detections]}


def _detection(detection: HandDetection) -> Message:
    own = detection.keypoints_3d_m
    return {
        "side": int(detection.side),
        "score": float(detection.score),
        "landmarks": detection.landmarks,
        "keypoints_px": detection.keypoints_px.astype(np.float32).reshape(-1),
        "keypoint_confidence": detection.keypoint_confidence.astype(np.float32),
        "keypoints_3d": (np.zeros(0) if own is None else own.reshape(-1)).astype(np.float32),
    }


def detections_from_array(message: Any) -> tuple[int, list[HandDetection]]:
    """Return capture time (ns) and detections of a ``HandDetectionArray``.

    Raises:
        RosError: A side or landmark definition is unknown, or 3D keypoints are not 21.
    """
    stamp_ns = ns_from_time(message.header.stamp)
    return stamp_ns, [_detection_from(hand) for hand in message.hands]


def _detection_from(hand: Any) -> HandDetection:
    if hand.side not in tuple(Side):
        raise RosError(f"a detection has side {hand.side}; 0 is left, 1 is right")
    if hand.landmarks not in _DEFINITIONS:
        raise RosError(
            f"a detection has landmarks {hand.landmarks!r}; give one of {', '.join(_DEFINITIONS)}"
        )
    own = np.array(hand.keypoints_3d, dtype=float)
    if own.size not in (0, 63):
        raise RosError(f"a detection has {own.size} numbers of 3D keypoints; give 63 or none")
    return HandDetection(
        side=Side(hand.side),
        score=float(hand.score),
        keypoints_px=np.array(hand.keypoints_px, dtype=float).reshape(21, 2),
        keypoint_confidence=np.array(hand.keypoint_confidence, dtype=float),
        keypoints_3d_m=own.reshape(21, 3) if own.size else None,
        landmarks=hand.landmarks,
    )
