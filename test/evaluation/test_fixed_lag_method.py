"""The fixed-lag smoother as a method of the benchmark: cameras in the world of its hands."""

from __future__ import annotations

import numpy as np
from dynhamr_samples import shot

from hand4d_ros.evaluation.clips import Clip
from hand4d_ros.evaluation.methods import METHODS
from hand4d_ros.evaluation.pipeline_method import PipelineMethod


def test_cameras_are_scaled_like_the_hands() -> None:
    """Where the scale is unknown, cameras travel by as much more as the estimate says."""
    sample = shot(12, odometry_scale=0.7)
    poses = np.stack([np.asarray(frame.T_world_camera) for frame in sample.frames])
    poses[4] = np.nan
    stamps_ns = np.array([frame.stamp_ns for frame in sample.frames])
    camera = sample.frames[0].camera
    clip = Clip("c", stamps_ns, camera, sample.detections, poses, odometry_is_metric=False)
    method = METHODS["fixed_lag"].make()
    assert isinstance(method, PipelineMethod)
    estimate = method.run(clip)
    assert estimate.world_scale is not None
    assert estimate.T_world_camera is not None
    assert np.isnan(estimate.T_world_camera[4]).any()
    travel = estimate.T_world_camera[-1, :3, 3] - estimate.T_world_camera[0, :3, 3]
    expected = estimate.world_scale * (poses[-1, :3, 3] - poses[0, :3, 3])
    np.testing.assert_allclose(travel, expected, atol=1e-12)
    np.testing.assert_allclose(estimate.T_world_camera[0], poses[0])
