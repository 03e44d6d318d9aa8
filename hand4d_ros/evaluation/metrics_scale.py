"""How large a method takes the hands and the world to be: what one camera alone cannot see."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from hand4d_ros.errors import MetricError
from hand4d_ros.evaluation.registry import MetricInfo, metric_info
from hand4d_ros.evaluation.sequences import finite_frames
from hand4d_ros.hand.measures import hand_length_m
from hand4d_ros.shapes import Array, Float


def hand_size_err_pct(truth_m: Float[Array, "t 21 3"], estimate_m: Float[Array, "t 21 3"]) -> float:
    """Error of the hand's length, wrist to tip of the straight middle finger.

    Formula:
        100 |l / L - 1|, l and L the medians over t of estimated and true length along the bones
    Unit:
        %
    Alignment:
        none
    Better:
        lower
    Source:
        this project; the papers take the size from the training set and do not report it

    Raises:
        MetricError: No frame has truth and estimate.
    """
    used = finite_frames(truth_m) & finite_frames(estimate_m)
    if not used.any():
        raise MetricError("hand size: no frame has both a truth and an estimate")
    true_m = float(np.median(hand_length_m(truth_m[used])))
    return 100.0 * abs(float(np.median(hand_length_m(estimate_m[used]))) / true_m - 1.0)


def world_scale_err_pct(truth: float, estimate: float) -> float:
    """Error of the world scale, metres per unit of the odometry.

    Formula:
        100 |w / W - 1|, w and W the estimated and the true scale
    Unit:
        %
    Alignment:
        none
    Better:
        lower
    Source:
        Dyn-HaMR, section 3.2 (the factor that it optimises; it reports no error of it)

    Raises:
        MetricError: A scale is not positive.
    """
    if not (truth > 0.0 and estimate > 0.0):
        raise MetricError(f"world scale: got {truth} and {estimate}; both must be positive")
    return 100.0 * abs(estimate / truth - 1.0)


SCALE_METRICS: Mapping[str, MetricInfo] = {
    "hand_size_err_pct": metric_info(hand_size_err_pct),
    "world_scale_err_pct": metric_info(world_scale_err_pct),
}
