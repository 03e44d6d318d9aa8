"""HMP's fit as a method of the benchmark: the pipeline frame by frame, then the clip at once."""

from __future__ import annotations

import time
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

from hand4d_ros.evaluation import interpolation
from hand4d_ros.evaluation.clips import Clip
from hand4d_ros.evaluation.estimates import ClipEstimate, HandEstimate, hands_from_tracks
from hand4d_ros.evaluation.pipeline_method import PipelineMethod
from hand4d_ros.geometry import so3
from hand4d_ros.hand.load import load_hand
from hand4d_ros.tracking.hmp.config import HmpConfig
from hand4d_ros.types import LandmarkDefinition, Side

if TYPE_CHECKING:
    from hand4d_ros.tracking.priors.base import MotionPrior


@dataclass(frozen=True)
class HmpMethod:
    """Fits every hand of a clip offline; all gaps are filled in."""

    config: HmpConfig = field(default_factory=HmpConfig)
    pipeline: PipelineMethod = field(default_factory=PipelineMethod)

    @cached_property
    def _prior(self) -> MotionPrior:
        from hand4d_ros.tracking.priors.registry import load_prior

        return load_prior(self.config.prior)

    def run(self, clip: Clip) -> ClipEstimate:
        """Track the clip, then fit it; see ``evaluation.methods.Method``."""
        # The registry of methods is read for its names, too, which must not take PyTorch.
        from hand4d_ros.tracking.hmp.observations import (
            ROTVEC_MIRROR,
            mirrored_pose,
            observations_from_tracks,
        )
        from hand4d_ros.tracking.hmp.process import fit

        tracked = self.pipeline.track(clip)
        started_s = time.perf_counter()
        hand = load_hand(self.pipeline.config.hand_model)
        hands = hands_from_tracks(tracked.tracks, hand)
        landmarks = _landmarks(clip)
        for side in Side:
            observed = observations_from_tracks(
                side,
                clip.stamps_ns,
                tracked.tracks,
                clip.camera,
                clip.T_world_camera,
                landmarks,
                self.config,
            )
            if observed is None:
                continue
            motion = fit(observed, self._prior, hand, self.config)
            T, rotvec = motion.T_world_wrist, so3.log(motion.local)
            if side is Side.LEFT:
                T, rotvec = mirrored_pose(T), rotvec * ROTVEC_MIRROR
            filled = interpolation.filled(hands[side], clip.stamps_ns)
            hands[side] = _posed(
                replace(filled, T_world_wrist=T, joint_rotvec=rotvec, betas=motion.betas)
            )
        fit_ms = (time.perf_counter() - started_s) * 1e3 / max(len(clip), 1)
        stage_ms = {**tracked.stage_ms, "fit": fit_ms}
        name = f"{tracked.model_id}+{self.config.prior}"
        return ClipEstimate(hands, tracked.frame_ms + fit_ms, stage_ms, name)


def _landmarks(clip: Clip) -> LandmarkDefinition:
    return next((d.landmarks for found in clip.detections for d in found), "joints")


def _posed(hand: HandEstimate) -> HandEstimate:
    """Return an estimate with the keypoints of its parameters."""
    model = hand.model
    if model is None:
        raise TypeError("hands_from_tracks gives every hand its model")
    keypoints_m = np.stack(
        [
            model.with_shape(betas).keypoints(T, rotvec)
            for betas, T, rotvec in zip(
                hand.betas, hand.T_world_wrist, hand.joint_rotvec, strict=True
            )
        ]
    )
    return replace(hand, keypoints_m=keypoints_m)
