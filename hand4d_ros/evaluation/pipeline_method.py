"""``HandPipeline`` as a method of the benchmark, and the truth as one."""

from __future__ import annotations

import time
from collections.abc import Mapping
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
        return ClipEstimate(hands, frame_ms, stage_ms, tracked.model_id)

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
        if not clip.hand_length_m:
            return self.config
        fit = replace(self.config.keypoint_fit, hand_length_m=clip.hand_length_m)
        return replace(self.config, keypoint_fit=fit)


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
