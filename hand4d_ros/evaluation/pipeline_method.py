"""``HandPipeline`` as a method of the benchmark, and the truth as one."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from hand4d_ros.detection.external import ExternalDetections
from hand4d_ros.evaluation import interpolation
from hand4d_ros.evaluation.clips import Clip, ClipTruth
from hand4d_ros.evaluation.estimates import (
    ABSENT,
    ClipEstimate,
    HandEstimate,
    hands_from_tracks,
)
from hand4d_ros.hand.load import load_hand
from hand4d_ros.hand.sizing import MEASUREMENT_STD_M
from hand4d_ros.pipeline import HandPipeline, PipelineConfig
from hand4d_ros.shapes import Array, Float
from hand4d_ros.types import HandTrack, TrackingState


@dataclass(frozen=True)
class TrackedClip:
    """What the pipeline did with a clip, frame by frame."""

    tracks: tuple[tuple[HandTrack, ...], ...]
    frame_ms: Float[Array, "n"]
    stage_ms: Mapping[str, float]
    model_id: str


@dataclass(frozen=True)
class PipelineMethod:
    """``HandPipeline`` on the clip's detections, as the live node runs it."""

    config: PipelineConfig = field(default_factory=PipelineConfig)
    fill_gaps: bool = False
    """Interpolate afterwards what was not observed, which only an offline method can."""
    needs_image: bool = False
    """Whether the estimator looks at the images."""

    def run(self, clip: Clip) -> ClipEstimate:
        """Track the clip; see ``Method``."""
        tracked = self.track(clip)
        started_s = time.perf_counter()
        hands = hands_from_tracks(tracked.tracks, load_hand(self.config.hand_model))
        if self.fill_gaps:
            hands = {side: interpolation.filled(h, clip.stamps_ns) for side, h in hands.items()}
        offline_ms = (time.perf_counter() - started_s) * 1e3 / max(len(clip), 1)
        stage_ms = dict(tracked.stage_ms)
        frame_ms = tracked.frame_ms
        if self.fill_gaps:
            stage_ms["fill"] = offline_ms
            frame_ms = frame_ms + offline_ms
        estimate = ClipEstimate(hands, frame_ms, stage_ms, tracked.model_id)
        if self.config.tracker.refine == "none":
            return estimate
        scale = _world_scales(tracked.tracks)
        cameras = _scaled_cameras(clip.T_world_camera, scale)
        return replace(estimate, T_world_camera=cameras, world_scale=float(scale[-1]))

    def track(self, clip: Clip) -> TrackedClip:
        """Run the pipeline over a clip from a fresh start."""
        detector = ExternalDetections()
        pipeline = HandPipeline(self._config_for(clip), detector=detector)
        pipeline.warm_up(clip.camera)
        tracks, frame_ms, stages = [], [], []
        for index, stamp_ns in enumerate(clip.stamps_ns):
            frame = clip.frame(index, with_image=self.needs_image)
            detector.push(int(stamp_ns), clip.detections[index])
            started_s = time.perf_counter()
            result = pipeline.step(frame)
            frame_ms.append((time.perf_counter() - started_s) * 1e3)
            tracks.append(result.tracks)
            if result.stage_ms:
                stages.append(result.stage_ms)
        pipeline.close()
        names = stages[0] if stages else {}
        stage_ms = {name: float(np.mean([each[name] for each in stages])) for name in names}
        return TrackedClip(tuple(tracks), np.array(frame_ms), stage_ms, pipeline.model_id)

    def _config_for(self, clip: Clip) -> PipelineConfig:
        fit, lag = self.config.keypoint_fit, self.config.tracker.fixed_lag
        lag = replace(lag, odometry_is_metric=clip.odometry_is_metric)
        if clip.hand_length_m:
            fit = replace(fit, hand_length_m=clip.hand_length_m)
            lag = replace(lag, size_std=MEASUREMENT_STD_M / clip.hand_length_m)
        tracker = replace(self.config.tracker, fixed_lag=lag)
        return replace(self.config, keypoint_fit=fit, tracker=tracker)


def _world_scales(tracks: Sequence[Sequence[HandTrack]]) -> Float[Array, "n"]:
    """World scale by which the hands of each frame were placed, the last one where there are none.

    Args:
        tracks: Of each frame.
    """
    scale, out = 1.0, []
    for of_frame in tracks:
        scale = of_frame[0].world_scale if of_frame else scale
        out.append(scale)
    return np.array(out)


def _scaled_cameras(
    T_world_camera: Float[Array, "n 4 4"], scale: Float[Array, "n"]
) -> Float[Array, "n 4 4"]:
    """Poses of the camera in the world of the tracks: scaled about the first one that is known.

    Args:
        T_world_camera: By the odometry; NaN where it has no answer.
        scale: World scale of each frame.
    """
    out = T_world_camera.copy()
    known = np.isfinite(out).all(axis=(1, 2))
    origin_m = out[known][:1, :3, 3].sum(axis=0)
    out[:, :3, 3] = origin_m + scale[:, None] * (out[:, :3, 3] - origin_m)
    return out


@dataclass(frozen=True)
class TruthMethod:
    """The truth as an estimate: errors of zero, and the truth's own jerk and coverage."""

    def run_with_truth(self, clip: Clip, truth: ClipTruth) -> ClipEstimate:
        """Return the truth; see ``Oracle``."""
        frames = len(clip)
        hands = {}
        for side, hand in truth.hands.items():
            there = np.isfinite(hand.keypoints_m).all(axis=(1, 2))
            T, rotvec = hand.T_world_wrist, hand.joint_rotvec
            betas = np.zeros(10) if hand.hand is None else hand.hand.betas
            hands[side] = HandEstimate(
                side=side,
                state=np.where(there, int(TrackingState.OBSERVED), ABSENT),
                keypoints_m=hand.keypoints_m,
                T_world_wrist=np.full((frames, 4, 4), np.nan) if T is None else T,
                joint_rotvec=np.full((frames, 15, 3), np.nan) if rotvec is None else rotvec,
                betas=np.tile(betas, (frames, 1)),
                model=None if hand.hand is None else hand.hand.model,
            )
        return ClipEstimate(hands, np.zeros(frames), {}, "truth")
