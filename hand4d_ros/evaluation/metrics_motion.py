"""How the hand moves over time against the truth: acceleration, jerk, translation.

Derivatives are divided differences of neighbouring frames (`sequences.finite_derivative`), so
they hold for uneven frame times, and never span a missing frame.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from hand4d_ros.errors import MetricError
from hand4d_ros.evaluation import alignment
from hand4d_ros.evaluation.registry import MetricInfo, metric_info
from hand4d_ros.evaluation.sequences import (
    finite_derivative,
    same_shape,
    seconds_from_stamps,
    valid_frames,
)
from hand4d_ros.shapes import Array, Bool, Float, Int

MM_PER_M = 1e3
CM_PER_M = 1e2
LEAST_PATH_M = 0.01
Points = Float[Array, "t j 3"]
Stamps = Int[Array, "t"]
Mask = Bool[Array, "t"] | None


def acc_err_mm_s2(
    truth_m: Points, estimate_m: Points, stamps_ns: Stamps, mask: Mask = None, *, root: int = 0
) -> float:
    """Mean distance of the keypoints' accelerations relative to the wrist.

    The papers print mm/s^2, yet figures such as HMP's 2.2 fit only mm per frame squared, which
    at 30 fps are 900 mm/s^2 each. This is true mm/s^2, so the papers' figures are to be
    multiplied by the square of the frame rate; ratios are the same.

    Formula:
        mean over t, j of |a(x_j - x_0)_t - a(y_j - y_0)_t|, a = 2 f[t-1, t, t+1] (second divided
        difference: (f_t-1 - 2 f_t + f_t+1) / dt^2 for equal steps)
    Unit:
        mm/s^2
    Alignment:
        root (wrist), per frame
    Better:
        lower
    Source:
        HMP, section 4.1 ("root aligned acceleration error (RA-ACC)"); Dyn-HaMR, section 4 ("Acc
        Err ... after root alignment")

    Raises:
        MetricError: Shapes differ, stamps do not rise, a used frame is not finite or no three
            neighbouring frames are used.
    """
    return acc_err_world_mm_s2(
        truth_m - truth_m[:, root : root + 1],
        estimate_m - estimate_m[:, root : root + 1],
        stamps_ns,
        mask,
    )


def acc_err_world_mm_s2(
    truth_m: Points, estimate_m: Points, stamps_ns: Stamps, mask: Mask = None
) -> float:
    """Mean distance of the keypoints' accelerations as they are.

    Formula:
        mean over t, j of |a(x_j)_t - a(y_j)_t|, a as in `acc_err_mm_s2`
    Unit:
        mm/s^2
    Alignment:
        none
    Better:
        lower
    Source:
        UniHand, section 4.3 and table 3 (AccEr "in the world frame", following SLAHMR)

    Raises:
        MetricError: Shapes differ, stamps do not rise, a used frame is not finite or no three
            neighbouring frames are used.
    """
    same_shape(truth_m, estimate_m)
    error = _acceleration(estimate_m, stamps_ns, mask) - _acceleration(truth_m, stamps_ns, mask)
    return float(np.mean(np.linalg.norm(error, axis=-1))) * MM_PER_M


def acc_norm(truth_m: Points, estimate_m: Points, mask: Mask = None) -> float:
    """HaPTIC's ACC-NORM read as the norm of the difference of accelerations (the default).

    The paper says only that it "computes acceleration error compared with ground truth for each
    joint", after "metrics from whole-body pose estimation"; WHAM, which it names there, takes the
    norm of the difference, so that is the default. The public code holds both that and a
    difference of norms (`acc_norm_diffnorm`), uses neither, and no evaluation was released. The
    other reading cannot tell a hand from one that accelerates the opposite way. Nothing is
    aligned: table 1 has an ACC-NORM of 81.19 beside a GA-MPJPE of 7.88, and second differences
    after that alignment could hardly exceed four times its error. Centimetres per frame squared
    are the unit that fits the paper's other columns, which are in centimetres.

    Formula:
        mean over t, j of |A(x_j)_t - A(y_j)_t|, A f_t = f_t-1 - 2 f_t + f_t+1
    Unit:
        cm/frame^2
    Alignment:
        none
    Better:
        lower
    Source:
        HaPTIC, section 4 and table 1 (ACC-NORM)

    Raises:
        MetricError: Shapes differ, a used frame is not finite or no three neighbouring frames
            are used.
    """
    truth, estimate = _second_differences(truth_m, estimate_m, mask)
    return float(np.mean(np.linalg.norm(estimate - truth, axis=-1))) * CM_PER_M


def acc_norm_diffnorm(truth_m: Points, estimate_m: Points, mask: Mask = None) -> float:
    """HaPTIC's ACC-NORM read as the difference of the norms of accelerations.

    Formula:
        mean over t, j of | |A(x_j)_t| - |A(y_j)_t| |, A f_t = f_t-1 - 2 f_t + f_t+1
    Unit:
        cm/frame^2
    Alignment:
        none
    Better:
        lower
    Source:
        HaPTIC, section 4 and table 1 (ACC-NORM), the other reading; see `acc_norm`

    Raises:
        MetricError: Shapes differ, a used frame is not finite or no three neighbouring frames
            are used.
    """
    truth, estimate = _second_differences(truth_m, estimate_m, mask)
    difference = np.linalg.norm(estimate, axis=-1) - np.linalg.norm(truth, axis=-1)
    return float(np.mean(np.abs(difference))) * CM_PER_M


def jerk_m_s3(estimate_m: Points, stamps_ns: Stamps, mask: Mask = None) -> float:
    """Mean jerk of the estimated keypoints; the truth has its own, so zero is no goal.

    Dyn-HaMR prints tens of m/s^3: its 195.77 and 2.34 are 1957.7 and 23.4 here.

    Formula:
        mean over t, j of |6 f[t-1, t, t+1, t+2]|, third divided difference of y_j:
        (-f_t-1 + 3 f_t - 3 f_t+1 + f_t+2) / dt^3 for equal steps
    Unit:
        m/s^3
    Alignment:
        none (world)
    Better:
        lower
    Source:
        Dyn-HaMR, supplement and table 6 ("Jerk (10m/s^3) in the world coordinate system")

    Raises:
        MetricError: Stamps do not rise, a used frame is not finite or no four neighbouring
            frames are used.
    """
    used = valid_frames(mask, estimate_m)
    jerk = finite_derivative(estimate_m, seconds_from_stamps(stamps_ns), 3, used)
    _need_some(jerk, 4)
    return float(np.mean(np.linalg.norm(jerk, axis=-1)))


def trans_err_pct(
    truth_wrist_m: Float[Array, "t 3"], estimate_wrist_m: Float[Array, "t 3"], mask: Mask = None
) -> float:
    """Mean distance of the wrist's path as a share of the way that it went.

    Formula:
        100 mean over t of |x_t - (R y_t + b)| / sum over t of |x_t+1 - x_t|
    Unit:
        %
    Alignment:
        rigid, one for all frames
    Better:
        lower
    Source:
        Dyn-HaMR, supplement ("Trans Err in % for each clip after the rigid alignment and
        normalize it by displacements of ground truth trajectory") and table 6; WHAM's RTE

    Raises:
        MetricError: Shapes differ, fewer than three frames are used, a used frame is not finite
            or the true wrist moves less than 1 cm in all, a way that gives no scale.
    """
    same_shape(truth_wrist_m, estimate_wrist_m)
    used = valid_frames(mask, truth_wrist_m, estimate_wrist_m, least=3)
    truth, estimate = truth_wrist_m[used], estimate_wrist_m[used]
    way_m = float(np.sum(np.linalg.norm(np.diff(truth, axis=0), axis=-1)))
    if way_m < LEAST_PATH_M:
        msg = (
            f"translation error: the true wrist moves {way_m * MM_PER_M:.1f} mm in all, at least "
            f"{LEAST_PATH_M * MM_PER_M:.0f} mm are needed to give a percentage"
        )
        raise MetricError(msg)
    # A straight path leaves the rotation about it open, which does not change the residual.
    moved = alignment.rigid(estimate, truth, unique=False).apply(estimate)
    return 100.0 * float(np.mean(np.linalg.norm(truth - moved, axis=-1))) / way_m


def _acceleration(points: Points, stamps_ns: Stamps, mask: Mask) -> Float[Array, "n j 3"]:
    used = valid_frames(mask, points)
    found = finite_derivative(points, seconds_from_stamps(stamps_ns), 2, used)
    _need_some(found, 3)
    return found


def _second_differences(
    truth: Points, estimate: Points, mask: Mask
) -> tuple[Float[Array, "n j 3"], Float[Array, "n j 3"]]:
    """Second differences per frame squared of both, where three neighbouring frames are used."""
    same_shape(truth, estimate)
    used = valid_frames(mask, truth, estimate)
    frames = np.arange(len(truth), dtype=np.float64)
    found = finite_derivative(truth, frames, 2, used)
    _need_some(found, 3)
    return found, finite_derivative(estimate, frames, 2, used)


def _need_some(derivative: Float[Array, "n *rest"], frames: int) -> None:
    if len(derivative) == 0:
        msg = f"metric: no {frames} neighbouring frames are all used, so nothing can be differenced"
        raise MetricError(msg)


MOTION_METRICS: Mapping[str, MetricInfo] = {
    "acc_err_mm_s2": metric_info(acc_err_mm_s2),
    "acc_err_world_mm_s2": metric_info(acc_err_world_mm_s2),
    "acc_norm": metric_info(acc_norm),
    "acc_norm_diffnorm": metric_info(acc_norm_diffnorm),
    "jerk_m_s3": metric_info(jerk_m_s3),
    "trans_err_pct": metric_info(trans_err_pct),
}
