"""START READING HERE: one frame in, hands in the world out.

``HandPipeline.step`` is all that runs, in the live node, in replay and in every benchmark:
detection finds the hands in the image, estimation makes each a metric hand in the camera frame,
tracking gives it an identity and a place in the world.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Literal

from hand4d_ros.detection.base import Detector
from hand4d_ros.detection.external import ExternalConfig, ExternalDetections
from hand4d_ros.detection.mediapipe_detector import MediaPipeConfig, MediaPipeDetector
from hand4d_ros.estimation.base import Estimator
from hand4d_ros.estimation.keypoint_fit.config import KeypointFitConfig
from hand4d_ros.estimation.keypoint_fit.process import KeypointFit
from hand4d_ros.hand.load import load_hand
from hand4d_ros.hand.model import HandModel
from hand4d_ros.settings import check
from hand4d_ros.tracking.config import TrackerConfig
from hand4d_ros.tracking.tracker import Tracker
from hand4d_ros.types import CameraModel, Frame, HandDetection, HandState, HandTrack


@dataclass(frozen=True)
class PipelineConfig:
    """Everything that turns frames into hands."""

    hand_model: str = ""
    """Hand model file from `hand4d mano-import`; empty takes the built-in hand."""
    detector: Literal["mediapipe", "external"] = "mediapipe"
    """What finds hands in images: MediaPipe, or another detector whose results come from outside,
    in the live node on the topic `detections`."""
    estimator: Literal["keypoint_fit"] = "keypoint_fit"
    """What makes a metric hand of a detection."""
    mediapipe: MediaPipeConfig = field(default_factory=MediaPipeConfig)
    external: ExternalConfig = field(default_factory=ExternalConfig)
    keypoint_fit: KeypointFitConfig = field(default_factory=KeypointFitConfig)
    tracker: TrackerConfig = field(default_factory=TrackerConfig)

    def __post_init__(self) -> None:
        """Reject unknown names."""
        check(self)


@dataclass(frozen=True)
class PipelineResult:
    """What one frame gave."""

    stamp_ns: int
    frame: Frame
    detections: tuple[HandDetection, ...]
    """After screening: at most one a side."""
    states: tuple[HandState, ...]
    """In the camera frame."""
    tracks: tuple[HandTrack, ...]
    """In the world frame; a hand that was just lost appears once."""
    stage_ms: dict[str, float]
    """Wall time of each stage."""
    dropped: tuple[str, ...] = ()
    """Why the frame, or what it was missing, was refused: ``no_odometry``, ``repeated_stamp``,
    ``out_of_order``; ``time_jump`` says that everything was started anew."""


@dataclass(frozen=True)
class Look:
    """A frame with what the detector found in it."""

    frame: Frame
    found: tuple[HandDetection, ...] = ()
    detect_ms: float = 0.0
    anew: bool = False
    """What came before it is to be forgotten."""
    dropped: tuple[str, ...] = ()
    """As in ``PipelineResult``."""
    refused: bool = False
    """Nothing follows from this frame."""


class HandPipeline:
    """Frames in, hands out; the same object online and offline."""

    def __init__(
        self, config: PipelineConfig | None = None, *, detector: Detector | None = None
    ) -> None:
        """Build all stages.

        Args:
            config: Settings; None takes the defaults.
            detector: Takes the place of the configured one, as for truth in simulation.

        Raises:
            HandModelError: The hand model or calibration file is unusable.
            DetectionError: The detector is not installed.
        """
        self.config = config or PipelineConfig()
        self.hand: HandModel = load_hand(self.config.hand_model)
        self.detector: Detector = detector or DETECTORS[self.config.detector](self.config)
        """Finds the hands; ``ExternalDetections`` is fed by whoever has this pipeline."""
        self._estimator = ESTIMATORS[self.config.estimator](self.config, self.hand)
        self._tracker = Tracker(self.config.tracker, self.hand)
        self._last_ns: int | None = None

    @property
    def model_id(self) -> str:
        """Method, hand model and weights, as published with every message."""
        return self._estimator.model_id

    def warm_up(self, camera: CameraModel) -> None:
        """Run every stage once so that the first real frame is not late."""
        self.detector.warm_up(camera)

    def reset(self) -> None:
        """Forget the past, as after a jump in time."""
        self._estimator.reset()
        self._tracker.reset()
        self._last_ns = None

    def close(self) -> None:
        """Free the detector."""
        self.detector.close()

    def step(self, frame: Frame) -> PipelineResult:
        """Process one frame: ``look``, then ``conclude``.

        A frame whose stamp is not later than the last one is dropped, unless time has jumped
        back by more than ``tracker.reset_after_s``: then everything starts anew.

        Raises:
            DetectionError: The detector failed on this image; the pipeline can go on.
        """
        return self.conclude(self.look(frame))

    def look(self, frame: Frame, *, anew: bool = False) -> Look:
        """Find the hands of one frame: the first half of ``step``.

        The second half needs nothing of the detector, so while one thread concludes, another may
        look at the next frame; frames must stay in order.

        Args:
            frame: The frame.
            anew: What came before is to be forgotten, because the camera jumped.

        Raises:
            DetectionError: The detector failed on this image; the pipeline can go on.
        """
        dropped: tuple[str, ...] = ()
        last_ns = self._last_ns
        if last_ns is not None and frame.stamp_ns <= last_ns:
            if (last_ns - frame.stamp_ns) * 1e-9 <= self.config.tracker.reset_after_s:
                reason = "repeated_stamp" if frame.stamp_ns == last_ns else "out_of_order"
                return Look(frame, dropped=(reason,), refused=True)
            anew, dropped = True, ("time_jump",)
        self._last_ns = frame.stamp_ns
        if frame.T_world_camera is None:
            return Look(frame, anew=anew, dropped=(*dropped, "no_odometry"))
        started = time.perf_counter()
        found = tuple(self.detector.detect(frame))
        return Look(frame, found, (time.perf_counter() - started) * 1e3, anew, dropped)

    def conclude(self, look: Look) -> PipelineResult:
        """Make hands in the world of what was found: the second half of ``step``."""
        frame = look.frame
        if look.refused:
            return PipelineResult(frame.stamp_ns, frame, (), (), (), {}, look.dropped)
        if look.anew:
            self._estimator.reset()
            self._tracker.reset()
        if frame.T_world_camera is None:
            tracks = tuple(self._tracker.update(frame, ()))
            return PipelineResult(frame.stamp_ns, frame, (), (), tracks, {}, look.dropped)
        started = time.perf_counter()
        detections = tuple(self._tracker.screen(frame, look.found))
        states = tuple(self._estimator.estimate(frame, detections))
        estimated = time.perf_counter()
        tracks = tuple(self._tracker.update(frame, states))
        stage_ms = {
            "detect": look.detect_ms,
            "estimate": (estimated - started) * 1e3,
            "track": (time.perf_counter() - estimated) * 1e3,
        }
        return PipelineResult(
            frame.stamp_ns, frame, detections, states, tracks, stage_ms, look.dropped
        )


DETECTORS: dict[str, Callable[[PipelineConfig], Detector]] = {
    "mediapipe": lambda config: MediaPipeDetector(config.mediapipe),
    "external": lambda config: ExternalDetections(config.external),
}
"""Every detector by the name that ``PipelineConfig.detector`` gives it."""

ESTIMATORS: dict[str, Callable[[PipelineConfig, HandModel], Estimator]] = {
    "keypoint_fit": lambda config, hand: KeypointFit(config.keypoint_fit, hand),
}
"""Every estimator by the name that ``PipelineConfig.estimator`` gives it."""
