"""Dyn-HaMR as a method of the benchmark: a clip's detections in, both hands in the world out."""

from __future__ import annotations

import time
from dataclasses import dataclass, field

import numpy as np

from hand4d_ros.estimation.keypoint_fit.config import KeypointFitConfig
from hand4d_ros.evaluation.clips import Clip
from hand4d_ros.evaluation.estimates import ClipEstimate, hands_from_tracks
from hand4d_ros.hand.load import load_hand
from hand4d_ros.shapes import Array, Float
from hand4d_ros.tracking.dynhamr.config import DynHamrConfig
from hand4d_ros.tracking.dynhamr.process import DynHamr
from hand4d_ros.types import Frame


@dataclass(frozen=True)
class DynHamrMethod:
    """World-space optimisation of both hands, offline."""

    config: DynHamrConfig = field(default_factory=DynHamrConfig)

    def run(self, clip: Clip) -> ClipEstimate:
        """Optimise the clip; see ``evaluation.methods.Method``."""
        model = load_hand()
        system = DynHamr(
            self.config,
            model,
            odometry_is_metric=clip.odometry_is_metric,
            keypoint_fit=KeypointFitConfig(hand_length_m=clip.hand_length_m),
        )
        started_s = time.perf_counter()
        refined = []
        for index in range(len(clip)):
            frame = clip.frame(index, with_image=False)
            refined += system.push(frame, clip.detections[index])
        refined += system.finish()
        frame_ms = (time.perf_counter() - started_s) * 1e3 / max(len(clip), 1)
        hands = hands_from_tracks([each.tracks for each in refined], model)
        scale = system.solutions[-1].world_scale if system.solutions else None
        return ClipEstimate(
            hands,
            np.full(len(clip), frame_ms),
            {"optimise": frame_ms},
            system.model_id,
            T_world_camera=np.stack([_pose(each.frame) for each in refined]),
            world_scale=scale,
        )


def _pose(frame: Frame) -> Float[Array, "4 4"]:
    return np.full((4, 4), np.nan) if frame.T_world_camera is None else frame.T_world_camera
