"""Reports of the detector, put together and taken apart."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hand_clip_samples import clip_of, two_hands

from hand4d_ros.detection.views import turn_towards
from hand4d_ros.synthetic import detector_marks as marks
from hand4d_ros.synthetic.detector_parameters import MARKS, NOT_SHAPE, columns, fitted
from hand4d_ros.synthetic.detector_process import shaped
from hand4d_ros.synthetic.detector_view import views_from_clip


def test_taking_apart_undoes_putting_together() -> None:
    """Errors, presence and belief of a composed report come back, and so do its 3D parts."""
    views, parameters = views_from_clip(clip_of(two_hands(8))), fitted()
    x = np.clip(views.features, parameters.feature_low, parameters.feature_high)
    scores = np.clip(np.random.default_rng(2).normal(size=(8, 2, MARKS)), -1.5, 1.5)
    still = np.zeros((8, 2, 21, 2))
    report = marks.composed(views, x, scores, parameters, still)
    parts = marks.decomposed(views, report)
    others = shaped(scores[..., NOT_SHAPE], parameters.quantiles)
    nothing = np.zeros((8, 2))
    alone = marks.location_regressors(x, others[..., 0], nothing) @ parameters.location[-1]
    np.testing.assert_allclose(parts.belief, alone + others[..., -1], atol=0.02)
    known = marks.location_regressors(x, others[..., 0], marks.sureness(parts.belief))
    presence = known @ parameters.location[-2] + others[..., -2]
    np.testing.assert_allclose(parts.presence, presence, atol=0.02)
    error = np.linalg.norm(report.keypoints_px - views.landmarks_px, axis=-1)
    np.testing.assert_allclose(
        np.linalg.norm(parts.error, axis=-1) * views.size_px[..., None], error
    )


def test_an_exact_3d_report_has_the_true_slope_and_no_tilt() -> None:
    """The truth itself has slope one where depth varies, no tilt and no deviation."""
    views = views_from_clip(clip_of(two_hands(8)))
    true = views.landmarks_m - views.landmarks_m.mean(2, keepdims=True)
    ones = np.full(views.size_px.shape, 0.9)
    parts = marks.decomposed(views, marks.Report(views.landmarks_px, true, ones, ones))
    np.testing.assert_allclose(parts.flat, 0.0, atol=1e-9)
    # The prior pulls the slope from one towards what is usual, the less the deeper the hand is.
    assert (parts.slope > 0.5).all()
    np.testing.assert_allclose(parts.tilt_along, 0.0, atol=0.35)
    np.testing.assert_allclose(parts.error, 0.0, atol=1e-9)


def test_views_turn_as_the_detector_turns_them() -> None:
    """The rotation towards a hand is that of the detector's virtual camera."""
    directions = np.array([[0.1, -0.2, 0.5], [0.0, 0.0, 1.0], [-0.7, 0.4, 0.3]])
    expected = np.array([turn_towards(direction) for direction in directions])
    np.testing.assert_allclose(marks._turns_towards(directions), expected, atol=1e-12)


def test_the_common_scale_makes_all_errors_larger() -> None:
    """Errors grow with the common scale, each keypoint's with a power of its own."""
    views, parameters = views_from_clip(clip_of(two_hands(8))), fitted()
    x = np.clip(views.features, parameters.feature_low, parameters.feature_high)
    still, scores = np.zeros((8, 2, 21, 2)), np.ones((8, 2, MARKS))
    logs = []
    for step in (0.0, 1.0):
        quantiles = parameters.quantiles.copy()
        quantiles[0] = step
        report = marks.composed(views, x, scores, replace(parameters, quantiles=quantiles), still)
        error = np.linalg.norm(report.keypoints_px - views.landmarks_px, axis=-1)
        logs.append(np.log(error))
    growth = np.broadcast_to(parameters.follow, logs[0].shape)
    np.testing.assert_allclose(logs[1] - logs[0], growth, atol=1e-6)
    assert parameters.follow.mean() == pytest.approx(1.0, abs=1e-3)


def test_jitter_grows_with_the_level() -> None:
    """Jitter has the size of its two numbers."""
    news = np.random.default_rng(0).normal(size=(400, 2, MARKS))
    level = np.broadcast_to([0.0, 1.0], (400, 2)).copy()
    shake = marks.jitter(level, news, np.array([-4.0, 0.7]))
    assert shake[:, 0].std() == pytest.approx(np.exp(-4.0), rel=0.05)
    assert shake[:, 1].std() == pytest.approx(np.exp(-3.3), rel=0.05)
    np.testing.assert_allclose(
        shake[:, 0].reshape(400, 42), np.exp(-4.0) * news[:, 0, columns("shape")]
    )
