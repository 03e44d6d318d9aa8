"""One method timed in a process of its own, so that its peak memory is its own too.

Nothing of the synthetic worlds is imported here: the renderer's memory must not count.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from hand4d_ros.detection.mediapipe_detector import MediaPipeDetector
from hand4d_ros.errors import ConfigError
from hand4d_ros.evaluation.clips import Clip
from hand4d_ros.evaluation.methods import METHODS, Method
from hand4d_ros.shapes import Array, UInt8

WARM_UP_FRAMES = 5
"""Frames at the start that are not timed: caches fill and networks are set up."""


@dataclass(frozen=True)
class Timing:
    """What one method took."""

    frame_ms: tuple[float, ...]
    """Wall time of detection and method together, of each frame after the warm-up."""
    stage_ms: dict[str, float]
    """Mean of each stage."""
    peak_mib: float
    """Most memory that the process ever held, with Python and all libraries."""


def timed(name: str, clip: Clip, images: Sequence[UInt8[Array, "h w 3"]]) -> Timing:
    """Run the real detector and one method on images, and time both.

    Args:
        name: Of the method.
        clip: Without images and detections.
        images: Of its frames.

    Raises:
        ConfigError: There is no such method, or it knows the truth.
    """
    method = METHODS[name].make() if name in METHODS else None
    if not isinstance(method, Method):
        raise ConfigError(f"{name!r} is no method that runs on a robot, so it has no run time")
    shown = replace(clip, draw=images.__getitem__)
    detector = MediaPipeDetector()
    detector.warm_up(clip.camera)
    found, detect_ms = [], []
    for index in range(len(clip)):
        frame = shown.frame(index)
        started_s = time.perf_counter()
        found.append(tuple(detector.detect(frame)))
        detect_ms.append((time.perf_counter() - started_s) * 1e3)
    detector.close()
    estimate = method.run(replace(shown, detections=tuple(found)))
    both = np.array(detect_ms) + estimate.frame_ms
    own = {stage: value for stage, value in estimate.stage_ms.items() if stage != "detect"}
    stage_ms = {"detect": float(np.mean(detect_ms[WARM_UP_FRAMES:])), **own}
    return Timing(tuple(both[WARM_UP_FRAMES:].tolist()), stage_ms, peak_mib())


def peak_mib() -> float:
    """Most memory that this process ever held (MiB)."""
    import resource

    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    # Linux counts in KiB, macOS in bytes.
    return peak / 2**20 if sys.platform == "darwin" else peak / 2**10
