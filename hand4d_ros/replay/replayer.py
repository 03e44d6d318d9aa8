"""A bag in, a bag of tracked hands out: every frame, in order, the same result every time.

The output has the topics of the live tracker node, and ``HandPipeline.step`` is what the node
calls too, so what is judged offline is what runs online. Only lateness is missing: the latency
in the messages is NaN, and times of processing are returned, not recorded.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

from hand4d_ros import wire, wire_sensors
from hand4d_ros.errors import DetectionError, Hand4DError, RosError
from hand4d_ros.forecasting.base import Forecaster
from hand4d_ros.pipeline import PipelineResult
from hand4d_ros.replay.bags import BagWriter
from hand4d_ros.replay.context import BagInputConfig
from hand4d_ros.replay.forecasts import ForecastWriter
from hand4d_ros.replay.frames import BagFrame, BagFrames
from hand4d_ros.replay.inputs import (
    DIAGNOSTICS_TYPE,
    HANDS_TOPIC,
    HANDS_TYPE,
    POSE_TYPE,
    TF_TYPE,
)
from hand4d_ros.types import Frame, TrackingState

TF_PREFIX = "hand4d/"
"""In front of the frames of the hands, as in the live node's default."""

Progress = Callable[[int, int], None]
"""Takes the number of frames done and the number of all."""


@runtime_checkable
class Pipeline(Protocol):
    """What replay needs of ``hand4d_ros.pipeline.HandPipeline``."""

    @property
    def model_id(self) -> str:
        """Estimator and weights."""
        ...

    @property
    def hand(self) -> Any:
        """The hand model; its name goes into every message."""
        ...

    def step(self, frame: Frame) -> PipelineResult:
        """Process one frame."""
        ...


@dataclass
class ReplayRecord:
    """What a replay says beside its bag."""

    frames: int = 0
    """Images in the bag."""
    published: int = 0
    """Messages of hands, one a frame that was not dropped."""
    drops: Counter[str] = field(default_factory=Counter)
    """Frames without a result or without a pose, by reason."""
    processing_ms: list[float] = field(default_factory=list)
    """Wall time of ``step``, one a frame that was processed."""
    stage_ms: dict[str, list[float]] = field(default_factory=dict)
    """The same by stage."""
    notes: tuple[str, ...] = ()
    """What was missing, guessed or assumed, for people."""
    model_id: str = ""


def replay(
    bag: Path,
    out: Path,
    pipeline: Pipeline,
    config: BagInputConfig | None = None,
    progress: Progress | None = None,
    forecaster: Forecaster | None = None,
) -> ReplayRecord:
    """Run the pipeline over every frame of a bag and write what the tracker node would publish.

    Args:
        bag: Bag with images, and perhaps camera_info and odometry.
        out: Output bag; ``.mcap`` for one file.
        pipeline: Fresh, or reset.
        config: Topics and stand-ins.
        progress: Called after every frame.
        forecaster: Asked at every frame for what the forecaster node would publish.

    Raises:
        BagError: The input cannot be read or the output cannot be written.
    """
    with BagFrames(bag, config) as source, BagWriter(out) as writer:
        record = ReplayRecord(model_id=pipeline.model_id)
        run = Run(writer, record, str(pipeline.hand.name), forecaster)
        for read in source.frames():
            for result in run.take(read, lambda frame: [pipeline.step(frame)]):
                run.publish(result)
            if progress is not None:
                progress(run.record.frames, source.count)
        run.finish()
        run.record.notes = tuple(source.notes)
        return run.record


class Run:
    """One pass over a bag."""

    def __init__(
        self,
        writer: BagWriter,
        record: ReplayRecord,
        hand_model: str,
        forecaster: Forecaster | None = None,
    ) -> None:
        """Write what a pass finds out.

        Args:
            writer: The output.
            record: What is counted.
            hand_model: Name of the hand model.
            forecaster: Forecasts from every frame; None writes no forecasts.
        """
        self.record = record
        self._forecasts = None if forecaster is None else ForecastWriter(forecaster, writer)
        self._writer = writer
        self._hand_model = hand_model
        self._last_ns = 0

    def take(
        self, read: BagFrame, step: Callable[[Frame], list[PipelineResult]]
    ) -> list[PipelineResult]:
        """Process one image, or count why not.

        Args:
            read: The image.
            step: What processes it; it may keep results back and give several later.
        """
        record = self.record
        record.frames += 1
        self._last_ns = max(self._last_ns, read.stamp_ns)
        if read.reason:
            record.drops[read.reason] += 1
        if read.frame is None:
            return []
        started_s = time.perf_counter()
        try:
            results = step(read.frame)
        except Hand4DError as error:
            kind = "detector_error" if isinstance(error, DetectionError) else "pipeline_error"
            record.drops[kind] += 1
            return []
        record.processing_ms.append((time.perf_counter() - started_s) * 1e3)
        return results

    def publish(self, result: PipelineResult) -> None:
        """Write the hands of one frame, unless it was refused."""
        for stage, duration_ms in result.stage_ms.items():
            self.record.stage_ms.setdefault(stage, []).append(duration_ms)
        # A frame without a pose was counted with its exact reason, and a jump drops nothing.
        refused = set(result.dropped) - {"no_odometry", "time_jump"}
        self.record.drops.update(refused)
        if not refused:
            self._write(result)

    def finish(self) -> None:
        """Write the totals, as the node's diagnostics have them."""
        record = self.record
        values: dict[str, object] = {
            "engine": record.model_id,
            "received": record.frames,
            "published": record.published,
            "dropped": record.drops.total(),
        }
        prefix = wire_sensors.DROP_KEY_PREFIX
        values |= {f"{prefix}{reason}": n for reason, n in sorted(record.drops.items())}
        text = f"{record.published} of {record.frames} images"
        name = "hand4d/tracker: frames"
        message = wire_sensors.diagnostic_array(self._last_ns, 0, name, text, values)
        self._writer.write("/diagnostics", DIAGNOSTICS_TYPE, message, self._last_ns)

    def _write(self, result: PipelineResult) -> None:
        frame, stamp_ns = result.frame, result.stamp_ns
        hands = wire.TrackedHands(
            stamp_ns=stamp_ns,
            tracks=result.tracks,
            world_frame=frame.world_frame,
            camera_frame=frame.camera_frame,
            T_world_camera=frame.T_world_camera,
            hand_model=self._hand_model,
            model_id=self.record.model_id,
        )
        try:
            message = wire.hand_state_array(hands)
        except RosError:
            self.record.drops["not_finite"] += 1
            return
        self.record.published += 1
        self._writer.write(HANDS_TOPIC, HANDS_TYPE, message, stamp_ns)
        transforms = []
        for track in result.tracks:
            if track.tracking_state is TrackingState.LOST:
                continue
            pose, side = track.hand.T_frame_wrist, track.hand.side.label
            wrist = wire.pose_stamped(pose, stamp_ns, frame.world_frame)
            self._writer.write(f"/hand4d/tracker/{side}/wrist", POSE_TYPE, wrist, stamp_ns)
            child = f"{TF_PREFIX}{side}_wrist"
            transforms.append(wire.transform_stamped(pose, stamp_ns, frame.world_frame, child))
        if transforms:
            self._writer.write("/tf", TF_TYPE, wire.tf_message(transforms), stamp_ns)
        if self._forecasts is not None:
            self._forecasts.write(result)
