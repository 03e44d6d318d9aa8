"""Whether stated uncertainties are true: how often the truth lies within them.

A Gaussian of three dimensions holds the truth within k standard deviations with the probability
of the chi-square distribution of 3 degrees of freedom: 19.9% for k = 1, 73.9% for 2, 97.1% for 3,
and 90% for k = 2.50.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from hand4d_ros.errors import MetricError
from hand4d_ros.evaluation.registry import MetricInfo, metric_info
from hand4d_ros.evaluation.sequences import same_shape, valid_frames
from hand4d_ros.shapes import Array, Bool, Float

CM_PER_M = 1e2
Points = Float[Array, "t j 3"]
Std = Float[Array, "t j"]
Mask = Bool[Array, "t"] | None


def chi_square_probability(squared: Float[Array, "*shape"], dof: int = 3) -> Float[Array, "*shape"]:
    """Probability that a squared Mahalanobis distance is at most ``squared``."""
    from scipy.special import gammainc

    return np.asarray(gammainc(dof / 2.0, np.asarray(squared) / 2.0))


def chi_square_quantile(probability: float, dof: int = 3) -> float:
    """Squared Mahalanobis distance within which a Gaussian lies with this probability.

    Raises:
        MetricError: The probability is not between 0 and 1.
    """
    from scipy.special import gammaincinv

    if not 0.0 < probability < 1.0:
        msg = f"chi-square quantile: probability must be between 0 and 1, got {probability}"
        raise MetricError(msg)
    return 2.0 * float(gammaincinv(dof / 2.0, probability))


def sphere_coverage(
    truth_wrist_m: Float[Array, "t 3"],
    modes_wrist_m: Float[Array, "k t 3"],
    radius_m: Float[Array, "k t"],
    mask: Mask = None,
) -> float:
    """Share of the steps at which the true wrist lies within a sphere of any forecast.

    The spheres are those that are published, so this is the region that a planner keeps clear.

    Formula:
        mean over t of [min over k of |x_t - y_kt| - r_kt <= 0], radii for a coverage of 0.9
    Unit:
        1
    Alignment:
        none
    Better:
        closer to 0.9
    Source:
        this project (HandForecastMode.radius); none of the five papers gives it

    Raises:
        MetricError: Shapes differ, no frame is used, a used value is not finite or a radius is
            negative.
    """
    used = _checked_spheres(truth_wrist_m, modes_wrist_m, radius_m, mask)
    distance = np.linalg.norm(modes_wrist_m[:, used] - truth_wrist_m[used], axis=-1)
    return float(np.mean(np.any(distance <= radius_m[:, used], axis=0)))


def sphere_radius_cm(
    radius_m: Float[Array, "k t"], probabilities: Float[Array, "k"], mask: Mask = None
) -> float:
    """Mean radius of the forecasts' spheres; wide ones cover anything, so read it with coverage.

    Formula:
        mean over t of sum over k of p_k r_kt
    Unit:
        cm
    Alignment:
        none
    Better:
        lower
    Source:
        this project (HandForecastMode.radius)

    Raises:
        MetricError: No frame is used or a radius is not finite.
    """
    used = valid_frames(mask, np.ascontiguousarray(radius_m.T))
    return float(np.mean(probabilities @ radius_m[:, used])) * CM_PER_M


def keypoint_coverage(
    truth_m: Points, estimate_m: Points, std_m: Std, mask: Mask = None, *, level: float
) -> float:
    """Share of the keypoints whose truth lies in the stated region of probability {level}.

    Formula:
        mean over t, j of [|x_tj - y_tj|^2 <= q sigma_tj^2], q the chi-square quantile (3 degrees
        of freedom) of {level}
    Unit:
        1
    Alignment:
        none
    Better:
        closer to {level}
    Source:
        this project (HandState.keypoint_std); none of the five papers gives it

    Raises:
        MetricError: Shapes differ, no frame is used, a used value is not finite or a deviation
            is not positive.
    """
    inside = credibility(truth_m, estimate_m, std_m, mask)
    return float(np.mean(inside <= level))


def calibration_error(truth_m: Points, estimate_m: Points, std_m: Std, mask: Mask = None) -> float:
    """Mean distance between the stated and the actual share of keypoints, over all shares.

    0 is perfect; 0.5 is a deviation that is far too small or far too large.

    Formula:
        integral over p from 0 to 1 of |share of keypoints inside their region of p - p|
    Unit:
        1
    Alignment:
        none
    Better:
        lower
    Source:
        Kuleshov et al., "Accurate uncertainties for deep learning using calibrated regression",
        ICML 2018, in absolute form; none of the five papers gives it

    Raises:
        MetricError: Shapes differ, no frame is used, a used value is not finite or a deviation
            is not positive.
    """
    levels = np.sort(credibility(truth_m, estimate_m, std_m, mask).ravel())
    # Between two sorted values the share is constant, and |share - p| integrates in closed form.
    edges = np.concatenate([[0.0], levels, [1.0]])
    share = np.arange(len(edges) - 1) / len(levels)
    low, high = edges[:-1] - share, edges[1:] - share
    return float(np.sum(high * np.abs(high) - low * np.abs(low))) / 2.0


def credibility(
    truth_m: Points, estimate_m: Points, std_m: Std, mask: Mask = None
) -> Float[Array, "n j"]:
    """Probability of the smallest stated region that holds the truth, for each keypoint.

    Uniform between 0 and 1 where the deviations are true.

    Args:
        truth_m: Shape (t, j, 3).
        estimate_m: Same shape.
        std_m: Root mean over the three axes of the standard deviation (m), shape (t, j).
        mask: Frames to use, None for all.

    Raises:
        MetricError: Shapes differ, no frame is used, a used value is not finite or a deviation
            is not positive.
    """
    same_shape(truth_m, estimate_m)
    used = valid_frames(mask, truth_m, estimate_m, std_m)
    if not np.all(std_m[used] > 0.0):
        msg = "calibration: a used keypoint states a deviation that is not positive"
        raise MetricError(msg)
    squared = np.sum((truth_m[used] - estimate_m[used]) ** 2, axis=-1) / std_m[used] ** 2
    return chi_square_probability(squared)


def _checked_spheres(
    truth: Float[Array, "t 3"],
    modes: Float[Array, "..."],
    radius: Float[Array, "..."],
    mask: Mask,
) -> Bool[Array, "t"]:
    if modes.shape[1:] != truth.shape or radius.shape != modes.shape[:2] or len(modes) == 0:
        msg = (
            f"coverage: modes {modes.shape} and radii {radius.shape} must be (k, t, 3) and (k, t) "
            f"for a truth of {truth.shape}, k at least 1"
        )
        raise MetricError(msg)
    used = valid_frames(mask, truth)
    if not (np.all(np.isfinite(modes[:, used])) and np.all(radius[:, used] >= 0.0)):
        msg = "coverage: a mode is not finite or a radius is negative in a used frame"
        raise MetricError(msg)
    return used


UNCERTAINTY_METRICS: Mapping[str, MetricInfo] = {
    "coverage_90": metric_info(sphere_coverage),
    "radius_90_cm": metric_info(sphere_radius_cm),
    "keypoint_coverage_50": metric_info(keypoint_coverage, level=0.5),
    "keypoint_coverage_90": metric_info(keypoint_coverage, level=0.9),
    "calibration_error": metric_info(calibration_error),
}
