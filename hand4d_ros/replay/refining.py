"""A bag in, a bag of hands out that were optimised over all frames: replay for offline methods.

Frames go to the detector one by one; a refiner keeps as many as it solves at once, so a bag of any
length takes bounded memory. What it fills in is published as infilled, never as observed.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Protocol, runtime_checkable

from hand4d_ros.detection.base import Detector
from hand4d_ros.pipeline import PipelineResult
from hand4d_ros.replay.bags import BagWriter
from hand4d_ros.replay.context import BagInputConfig
from hand4d_ros.replay.frames import BagFrames
from hand4d_ros.replay.replayer import Progress, ReplayRecord, Run
from hand4d_ros.types import Frame, HandDetection, HandTrack


@runtime_checkable
class Refined(Protocol):
    """One frame with its hands in the world."""

    @property
    def frame(self) -> Frame:
        """The frame, with the camera where the refiner has it."""
        ...

    @property
    def tracks(self) -> tuple[HandTrack, ...]:
        """Observed and infilled hands."""
        ...


@runtime_checkable
class Refiner(Protocol):
    """Works on many frames at once, such as ``tracking.dynhamr.process.DynHamr``."""

    @property
    def model_id(self) -> str:
        """Method and hand model."""
        ...

    def push(self, frame: Frame, detections: Sequence[HandDetection]) -> Sequence[Refined]:
        """Take a frame; return those that are done, in order."""
        ...

    def finish(self) -> Sequence[Refined]:
        """Return all that is left."""
        ...


def refine(
    bag: Path,
    out: Path,
    detector: Detector,
    refiner: Refiner,
    hand_model: str,
    config: BagInputConfig | None = None,
    progress: Progress | None = None,
) -> ReplayRecord:
    """Detect hands in every frame of a bag, refine them and write their topics.

    Args:
        bag: Bag with images, and perhaps camera_info and odometry.
        out: Output bag; ``.mcap`` for one file.
        detector: Finds the hands.
        refiner: Fresh.
        hand_model: Name of the hand model.
        config: Topics and stand-ins.
        progress: Called after every frame.

    Raises:
        BagError: The input cannot be read or the output cannot be written.
    """

    def step(frame: Frame) -> list[PipelineResult]:
        return [_result(each) for each in refiner.push(frame, detector.detect(frame))]

    with BagFrames(bag, config) as source, BagWriter(out) as writer:
        run = Run(writer, ReplayRecord(model_id=refiner.model_id), hand_model)
        for read in source.frames():
            for result in run.take(read, step):
                run.publish(result)
            if progress is not None:
                progress(run.record.frames, source.count)
        for each in refiner.finish():
            run.publish(_result(each))
        run.finish()
        run.record.notes = tuple(source.notes)
        return run.record


def _result(refined: Refined) -> PipelineResult:
    frame = refined.frame
    return PipelineResult(frame.stamp_ns, frame, (), (), refined.tracks, {})
