"""Detections from outside find their frame, whoever comes first, and bad ones are refused."""

from __future__ import annotations

import dataclasses
import threading

import numpy as np
import pytest

from hand4d_ros.detection.base import Detector
from hand4d_ros.detection.external import ExternalConfig, ExternalDetections
from hand4d_ros.errors import ConfigError, DetectionError
from hand4d_ros.types import CameraModel, Frame, HandDetection, Side

MS = 1_000_000
CAMERA = CameraModel(8, 6, 5.0, 5.0, 3.5, 2.5)


def hand(side: Side = Side.RIGHT, score: float = 0.9) -> HandDetection:
    """A plain detection."""
    return HandDetection(side, score, np.full((21, 2), 3.0), np.full(21, score))


def frame(stamp_ms: float) -> Frame:
    """An empty frame at a stamp."""
    return Frame(round(stamp_ms * MS), np.zeros((6, 8, 3), dtype=np.uint8), CAMERA)


def test_it_is_a_detector() -> None:
    """It has all that the pipeline calls."""
    detector: Detector = ExternalDetections()
    detector.warm_up(CAMERA)
    assert detector.detect(frame(0.0)) == []
    detector.close()


def test_detections_are_matched_by_stamp() -> None:
    """The nearest within the tolerance is taken, the surest hand first."""
    detector = ExternalDetections(ExternalConfig(tolerance_s=0.005))
    left, right = hand(Side.LEFT, 0.5), hand(Side.RIGHT, 0.9)
    detector.push(100 * MS, [left, right])
    detector.push(133 * MS, [left])
    assert detector.detect(frame(103.0)) == [right, left]
    assert detector.detect(frame(130.0)) == [left]
    assert detector.detect(frame(115.0)) == []


def test_the_newest_of_a_stamp_replaces_the_older() -> None:
    """A second message for one image counts, also where it says that there is no hand."""
    detector = ExternalDetections()
    detector.push(MS, [hand()])
    detector.push(MS, [])
    assert detector.detect(frame(1.0)) == []


def test_memory_is_bounded_and_survives_a_loop_in_time() -> None:
    """The oldest that came are dropped, even where their stamps are the newest."""
    detector = ExternalDetections(ExternalConfig(capacity=3))
    for stamp_ms in (1000, 1033, 1066, 0, 33):
        detector.push(stamp_ms * MS, [hand()])
    assert detector.detect(frame(1000.0)) == []
    assert len(detector.detect(frame(1066.0))) == 1
    assert len(detector.detect(frame(33.0))) == 1


def test_a_frame_waits_for_its_detections() -> None:
    """Pushed from another thread a little later, they are still found."""
    detector = ExternalDetections(ExternalConfig(wait_s=5.0))
    timer = threading.Timer(0.05, detector.push, (7 * MS, [hand()]))
    timer.start()
    assert len(detector.detect(frame(7.0))) == 1
    timer.join()


def test_a_frame_does_not_wait_once_newer_detections_are_there() -> None:
    """The detector has passed this image by; waiting 5 s for it would never end well."""
    detector = ExternalDetections(ExternalConfig(wait_s=5.0))
    detector.push(40 * MS, [hand()])
    finished = threading.Event()

    def detect() -> None:
        assert detector.detect(frame(7.0)) == []
        finished.set()

    thread = threading.Thread(target=detect)
    thread.start()
    assert finished.wait(timeout=2.0)
    thread.join()


def test_close_wakes_a_waiting_frame() -> None:
    """The waiting detect ends with an error, and so does every later one."""
    detector = ExternalDetections(ExternalConfig(wait_s=5.0))
    timer = threading.Timer(0.05, detector.close)
    timer.start()
    with pytest.raises(DetectionError, match="closed"):
        detector.detect(frame(7.0))
    timer.join()
    with pytest.raises(DetectionError, match="closed"):
        detector.detect(frame(7.0))


NAN_PX, NAN_3D = np.full((21, 2), np.nan), np.full((21, 3), np.nan)


@pytest.mark.parametrize(
    ("bad", "says"),
    [
        (dataclasses.replace(hand(), keypoints_px=NAN_PX), "keypoints that are not finite"),
        (dataclasses.replace(hand(), score=1.5), "score 1.5"),
        (dataclasses.replace(hand(), score=float("nan")), "expected 0..1"),
        (dataclasses.replace(hand(), keypoint_confidence=np.full(21, -1.0)), "from -1.0"),
        (dataclasses.replace(hand(), keypoints_3d_m=NAN_3D), "3D keypoints"),
    ],
)
def test_push_refuses_bad_numbers(bad: HandDetection, says: str) -> None:
    """What a solver would choke on is refused at the door, the good hand with it."""
    detector = ExternalDetections()
    with pytest.raises(DetectionError, match=says):
        detector.push(MS, [hand(), bad])
    assert detector.detect(frame(1.0)) == []


@pytest.mark.parametrize(
    ("field", "value"), [("tolerance_s", -1.0), ("wait_s", float("nan")), ("capacity", 0)]
)
def test_config_refuses_nonsense(field: str, value: float) -> None:
    """Every impossible value is refused with its name."""
    with pytest.raises(ConfigError, match=f"{field} is"):
        ExternalConfig(**{field: value})  # type: ignore[arg-type]
