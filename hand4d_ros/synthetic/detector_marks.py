"""From marks to what a detector reports: keypoints in the image and in 3D, and how sure it is.

``composed`` makes a report from marks and ``decomposed`` takes one apart by the same formulas: the
fit reads real detections with the second, the noise model writes its own with the first.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from hand4d_ros.shapes import Array, Float
from hand4d_ros.synthetic.detector_parameters import (
    GROUPS,
    NOT_SHAPE,
    NoiseParameters,
    columns,
)
from hand4d_ros.synthetic.detector_process import shaped, stretched
from hand4d_ros.synthetic.detector_view import HandViews

_MEAN_LENGTH_M = 0.17
"""Wrist to the tip of the middle finger: the detector sees every hand about this large."""
_CHAIN = (0, 9, 10, 11, 12)
_LEAST_EXTENT = 0.05
_USUAL_DEPTH = np.array([0.3, 0.0, 0.0])
"""Slope and tilts of most detections."""
_DEPTH_PRIOR = np.diag(21 * np.array([0.05, 0.03, 0.03]) ** 2)
"""Where a hand is seen flat or end-on, its depths say little about these."""
_LOCATED = tuple(GROUPS)[2:]
_SUREST = 0.9995


@dataclass(frozen=True)
class Report:
    """What a detector says about ``h`` hands over ``f`` frames."""

    keypoints_px: Float[Array, "f h 21 2"]
    keypoints_3d_m: Float[Array, "f h 21 3"]
    """Camera axes, about their own middle."""
    presence: Float[Array, "f h"]
    """Probability that there is a hand."""
    belief: Float[Array, "f h"]
    """Probability that it is of its true side, judged by itself."""


@dataclass(frozen=True)
class Parts:
    """What a report consists of; lengths of 3D parts are in hand lengths."""

    error: Float[Array, "f h 21 2"]
    """Of the keypoints in the image, in the hand's axes and sizes."""
    flat: Float[Array, "f h 21 2"]
    """What the 3D keypoints deviate from those in the image, in extents."""
    depth: Float[Array, "f h 21"]
    """Depth that slope and tilt do not explain."""
    extent: Float[Array, "f h"]
    """Log of the size of the 3D keypoints relative to a mean hand's."""
    slope: Float[Array, "f h"]
    """Share of the true depth that the 3D keypoints show."""
    tilt_across: Float[Array, "f h"]
    """Depth per length across the hand that is not true."""
    tilt_along: Float[Array, "f h"]
    """Depth per length along the hand that is not true."""
    presence: Float[Array, "f h"]
    """Log odds, of what lies above the threshold of one half."""
    belief: Float[Array, "f h"]
    """Log odds."""


def usual_error(
    views: HandViews, x: Float[Array, "f h n"], scale: Float[Array, "21 m"]
) -> Float[Array, "f h 21"]:
    """Return the usual error of each keypoint in sizes of the hand.

    Args:
        views: The hands.
        x: Features, clipped to the range that was fitted.
        scale: ``NoiseParameters.scale``.
    """
    log = x @ scale[:, :-2].T + views.hidden * scale[:, -2] + views.outside * scale[:, -1]
    return np.exp(log)


def composed(
    views: HandViews,
    x: Float[Array, "f h n"],
    scores: Float[Array, "f h m"],
    parameters: NoiseParameters,
    shake: Float[Array, "f h 21 2"],
    factor: float = 1.0,
) -> Report:
    """Put a report together.

    Args:
        views: The truth.
        x: Features, clipped to the range that was fitted.
        scores: Normal scores of the marks, see ``detector_parameters.GROUPS``.
        parameters: Scales, locations and tables.
        shake: What the keypoints err besides, see ``jitter``.
        factor: On the errors of the keypoints in the image.
    """
    shape = (*scores.shape[:2], 21)
    others = shaped(scores[..., NOT_SHAPE], parameters.quantiles)
    log_scale, others = others[..., 0], others[..., 1:]
    pairs = x @ parameters.lean.T + parameters.scatter * scores[..., columns("shape")]
    error = stretched(pairs.reshape(*shape, 2), parameters.radii)
    scale = usual_error(views, x, parameters.scale)
    scale = scale * np.exp(parameters.follow * log_scale[..., None])
    error = factor * (scale[..., None] * error + shake)
    regressors = location_regressors(x, log_scale, np.zeros(log_scale.shape))
    alone = regressors @ parameters.location[-1] + others[..., -1]
    regressors[..., -1] = sureness(alone)
    values = regressors @ parameters.location.T
    at = {name: values[..., index] for index, name in enumerate(_LOCATED)}
    flat = np.exp(at["flat"])[..., None, None] * others[..., :42].reshape(*shape, 2)
    depth = np.exp(at["depth"])[..., None] * others[..., 42:63]
    single = {name: at[name] + others[..., 63 + i] for i, name in enumerate(_LOCATED[2:-1])}
    true = _spatial(views)
    across = _across(true, views, error + flat) * np.exp(single["extent"])[..., None, None]
    weights = np.stack([single[name] for name in _LOCATED[3:6]], axis=-1)
    along = np.einsum("fhki,fhi->fhk", _lengths(true, views), weights) + depth
    in_view = np.concatenate((across, along[..., None]), axis=-1) * _MEAN_LENGTH_M
    return Report(
        views.landmarks_px + views.to_px(error),
        in_view @ true.R_camera_view.swapaxes(-1, -2),
        0.5 + 0.5 * _probability(single["presence"]),
        _probability(alone),
    )


def jitter(
    log_error: Float[Array, "f h"], news: Float[Array, "f h m"], numbers: Float[Array, "2"]
) -> Float[Array, "f h 21 2"]:
    """Return the errors that no frame shares with another, in the hand's axes and sizes.

    Args:
        log_error: Log of the size of all other errors, in sizes of the hand.
        news: Normal scores that are drawn anew in every frame.
        numbers: ``NoiseParameters.jitter``.
    """
    size = np.exp(numbers[0] + numbers[1] * log_error)
    return size[..., None, None] * news[..., columns("shape")].reshape(*log_error.shape, 21, 2)


def decomposed(views: HandViews, report: Report) -> Parts:
    """Take a report apart; NaN where it has none.

    Args:
        views: The truth.
        report: What a detector said, NaN where it found no hand.
    """
    true = _spatial(views)
    error = views.from_px(report.keypoints_px - views.landmarks_px)
    middle = report.keypoints_3d_m.mean(2, keepdims=True)
    seen = (report.keypoints_3d_m - middle) @ true.R_camera_view / _MEAN_LENGTH_M
    expected = _across(true, views, error)
    expected = expected - expected.mean(2, keepdims=True)
    squares = np.maximum((expected**2).sum((-1, -2)), 1e-6)
    size = np.maximum((expected * seen[..., :2]).sum((-1, -2)) / squares, 0.05)
    off = (seen[..., :2] / size[..., None, None] - expected) / true.extent[..., None, None]
    lengths = _lengths(true, views)
    square = lengths.swapaxes(-1, -2) @ lengths + _DEPTH_PRIOR
    right = np.einsum("fhki,fhk->fhi", lengths, seen[..., 2]) + _DEPTH_PRIOR @ _USUAL_DEPTH
    weights = np.linalg.solve(square, right[..., None])[..., 0]
    return Parts(
        error,
        np.einsum("fhij,fhki->fhkj", views.axes, off),
        seen[..., 2] - np.einsum("fhki,fhi->fhk", lengths, weights),
        np.log(size),
        weights[..., 0],
        weights[..., 1],
        weights[..., 2],
        _log_odds(2.0 * report.presence - 1.0),
        _log_odds(report.belief),
    )


def location_regressors(
    x: Float[Array, "*b n"], log_scale: Float[Array, "*b"], side: Float[Array, "*b"]
) -> Float[Array, "*b l"]:
    """Return what the locations of the marks depend on.

    Args:
        x: Features, clipped to the range that was fitted.
        log_scale: Log of the common scale of the errors.
        side: Belief in the true side, from -1 to 1.
    """
    return np.concatenate((x, log_scale[..., None], side[..., None]), axis=-1)


def sureness(belief_log_odds: Float[Array, "*b"]) -> Float[Array, "*b"]:
    """Return the belief in the true side from -1, surely the other, to 1."""
    return 2.0 * _probability(belief_log_odds) - 1.0


@dataclass(frozen=True)
class _Spatial:
    """True landmarks as the detector's 3D keypoints are described, in hand lengths."""

    R_camera_view: Float[Array, "f h 3 3"]
    """Axes of a camera that is turned towards the hand."""
    landmarks: Float[Array, "f h 21 3"]
    """About their middle, in these axes."""
    extent: Float[Array, "f h"]
    """Longer side of the box about them across the view."""


def _spatial(views: HandViews) -> _Spatial:
    middle = views.landmarks_m.mean(2)
    R = _turns_towards(middle)
    bones = np.diff(views.landmarks_m[:, :, _CHAIN], axis=2)
    length_m = np.maximum(np.linalg.norm(bones, axis=-1).sum(-1), 0.02)
    turned = (views.landmarks_m - middle[:, :, None]) @ R / length_m[..., None, None]
    extent = np.maximum(np.ptp(turned[..., :2], axis=2).max(-1), _LEAST_EXTENT)
    return _Spatial(R, turned, extent)


def _across(
    true: _Spatial, views: HandViews, offset: Float[Array, "f h 21 2"]
) -> Float[Array, "f h 21 2"]:
    """Landmarks across the view, moved by offsets in the hand's axes and extents."""
    moved = np.einsum("fhij,fhkj->fhki", views.axes, offset)
    return true.landmarks[..., :2] + true.extent[..., None, None] * moved


def _lengths(true: _Spatial, views: HandViews) -> Float[Array, "f h 21 3"]:
    """Depth of the true landmarks, and where they lie across and along the hand."""
    flat = np.einsum("fhij,fhki->fhkj", views.axes, true.landmarks[..., :2])
    return np.concatenate((true.landmarks[..., 2:], flat), axis=-1)


def _turns_towards(directions: Float[Array, "*b 3"]) -> Float[Array, "*b 3 3"]:
    """Shortest rotations that take the z axis to directions, as ``detection.views`` turns."""
    d = directions / np.maximum(np.linalg.norm(directions, axis=-1, keepdims=True), 1e-9)
    x, y, z = d[..., 0], d[..., 1], d[..., 2]
    k = 1.0 / np.maximum(1.0 + z, 1e-6)
    first = np.stack((1.0 - k * x * x, -k * x * y, x), axis=-1)
    second = np.stack((-k * x * y, 1.0 - k * y * y, y), axis=-1)
    return np.stack((first, second, np.stack((-x, -y, z), axis=-1)), axis=-2)


def _probability(log_odds: Float[Array, "*b"]) -> Float[Array, "*b"]:
    return 1.0 / (1.0 + np.exp(-log_odds))


def _log_odds(probability: Float[Array, "*b"]) -> Float[Array, "*b"]:
    safe = np.clip(probability, 1.0 - _SUREST, _SUREST)
    return np.log(safe / (1.0 - safe))
