"""Errors of the size of hands and worlds: closed forms and refusals."""

from __future__ import annotations

import numpy as np
import pytest

from hand4d_ros.errors import MetricError
from hand4d_ros.evaluation.metrics_scale import hand_size_err_pct, world_scale_err_pct
from hand4d_ros.hand.builtin import builtin_hand


def test_a_hand_a_tenth_too_large_has_an_error_of_ten_per_cent_in_any_pose() -> None:
    """Frames without an estimate do not count."""
    hand = builtin_hand().with_shape()
    rotvec = np.random.default_rng(0).normal(0.0, 0.4, (5, 15, 3))
    truth = hand.keypoints(np.tile(np.eye(4), (5, 1, 1)), np.zeros((5, 15, 3)))
    estimate = 1.1 * hand.keypoints(np.tile(np.eye(4), (5, 1, 1)), rotvec)
    estimate[2] = np.nan
    assert hand_size_err_pct(truth, estimate) == pytest.approx(10.0)
    with pytest.raises(MetricError, match="no frame"):
        hand_size_err_pct(truth, np.full_like(truth, np.nan))


def test_world_scale_is_compared_as_a_ratio() -> None:
    """Half and double."""
    assert world_scale_err_pct(2.0, 1.0) == pytest.approx(50.0)
    assert world_scale_err_pct(0.5, 1.0) == pytest.approx(100.0)
    with pytest.raises(MetricError, match="positive"):
        world_scale_err_pct(1.0, 0.0)
