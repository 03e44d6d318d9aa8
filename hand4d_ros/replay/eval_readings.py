"""Readings of a recording: the pipeline's hands offline, live or as recorded, on its images."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from hand4d_ros.errors import HandModelError
from hand4d_ros.evaluation.bag_eval import poses_at
from hand4d_ros.evaluation.clips import Clip
from hand4d_ros.evaluation.estimates import ClipEstimate, HandEstimate
from hand4d_ros.hand.load import load_hand
from hand4d_ros.hand.model import HandModel
from hand4d_ros.pipeline import PipelineResult
from hand4d_ros.replay.context import BagInputConfig
from hand4d_ros.replay.replayer import Pipeline, Progress, replay
from hand4d_ros.replay.run_data import HandSeries, Run, load_run
from hand4d_ros.types import Frame, HandDetection, Side

_LONGEST_DROP_S = 2.0
"""Longest time without a result over which the camera's path is taken to be smooth."""

Detections = Mapping[int, tuple[HandDetection, ...]]
"""What the detector saw in the image of each stamp (ns)."""


@dataclass(frozen=True)
class Reading:
    """One run over a recording."""

    name: str
    """``offline``, ``live`` or ``recorded``."""
    run: Run
    """As reports and overlays take it."""
    clip: Clip
    """The recording as this run saw it: camera poses are its own."""
    estimate: ClipEstimate


@dataclass
class Watched:
    """A pipeline that keeps what its detector saw, for the reprojection error."""

    pipeline: Pipeline
    seen: dict[int, tuple[HandDetection, ...]] = field(default_factory=dict)

    @property
    def model_id(self) -> str:
        """Estimator and weights."""
        return self.pipeline.model_id

    @property
    def hand(self) -> Any:
        """The hand model."""
        return self.pipeline.hand

    def step(self, frame: Frame) -> PipelineResult:
        """Process one frame."""
        result = self.pipeline.step(frame)
        self.seen[result.stamp_ns] = result.detections
        return result


def read_offline(
    bag: Path,
    out: Path,
    pipeline: Pipeline,
    config: BagInputConfig | None = None,
    progress: Progress | None = None,
) -> tuple[Reading, Detections]:
    """Run the pipeline over every image of a recording.

    Args:
        bag: The recording.
        out: Bag to write the hands to.
        pipeline: Fresh, or reset.
        config: Topics and stand-ins.
        progress: Called after every image.

    Returns:
        The reading, and what the detector saw.

    Raises:
        BagError: The recording cannot be read or the output not be written.
    """
    watched = Watched(pipeline)
    record = replay(bag, out, watched, config, progress)
    run = load_run(bag, out, config)
    frame_ms = np.array(record.processing_ms)
    stage_ms = {name: float(np.mean(each)) for name, each in record.stage_ms.items()}
    # Replay takes any pipeline, also one without a model of its own.
    model = pipeline.hand if isinstance(pipeline.hand, HandModel) else None
    hands = _hands(run, model)
    estimate = ClipEstimate(hands, frame_ms, stage_ms, record.model_id)
    return Reading("offline", run, clip_of(run, bag.stem, watched.seen), estimate), watched.seen


def read_recorded(
    name: str,
    bag: Path,
    hands_bag: Path,
    config: BagInputConfig | None = None,
    seen: Detections | None = None,
    hands_topic: str = "",
) -> Reading:
    """Read hands that a node has recorded.

    Args:
        name: Of the reading.
        bag: The recording.
        hands_bag: With the hands; may be the recording itself.
        config: Topics of the recording.
        seen: What the detector saw offline in the same images, for the reprojection error.
        hands_topic: Empty finds it.

    Raises:
        BagError: A bag cannot be read, or the two are not of one run.
    """
    run = load_run(bag, hands_bag, config, hands_topic)
    latency_ms = run.latency_ms[np.isfinite(run.latency_ms)]
    estimate = ClipEstimate(_hands(run, _model(run)), latency_ms, {}, run.model_id)
    return Reading(name, run, clip_of(run, bag.stem, seen or {}), estimate)


def clip_of(run: Run, name: str, seen: Detections) -> Clip:
    """Return the recording as the benchmark's clip.

    Args:
        run: Of the recording.
        name: Of the clip.
        seen: What the detector saw; images without an entry count as without hands.
    """
    # An image that was dropped has no pose, but a hand in it was missed all the same.
    poses = poses_at(run.T_world_camera, run.stamps_ns, run.stamps_ns, _LONGEST_DROP_S)
    return Clip(
        name=name,
        stamps_ns=run.stamps_ns,
        camera=run.camera,
        detections=tuple(seen.get(int(stamp), ()) for stamp in run.stamps_ns),
        T_world_camera=poses,
    )


def _hands(run: Run, model: HandModel | None) -> dict[Side, HandEstimate]:
    return {side: _hand(series, model) for side, series in run.hands.items()}


def _hand(series: HandSeries, model: HandModel | None) -> HandEstimate:
    own = model
    if model is not None and model.side is not series.side:
        own = model.mirrored()
    return HandEstimate(
        side=series.side,
        state=series.state,
        keypoints_m=series.keypoints_m,
        T_world_wrist=series.T_world_wrist,
        joint_rotvec=series.joint_rotvec,
        betas=series.betas,
        keypoint_std_m=series.keypoint_std_m,
        model=own,
    )


def _model(run: Run) -> HandModel | None:
    """The built-in hand where the run used it; another model's file is not known here."""
    if run.hand_model != "builtin":
        return None
    try:
        return load_hand()
    except HandModelError:
        return None
