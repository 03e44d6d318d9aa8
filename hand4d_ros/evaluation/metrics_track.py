"""How well a hand is followed: frames covered, gaps, sides, and how still a resting hand is.

Bone lengths and rest need no truth, so they also judge users' own recordings.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from hand4d_ros.errors import MetricError
from hand4d_ros.evaluation.registry import MetricInfo, metric_info
from hand4d_ros.evaluation.sequences import (
    NS_PER_S,
    finite_derivative,
    runs,
    seconds_from_stamps,
    valid_frames,
)
from hand4d_ros.hand.orders import OPENPOSE_BONES
from hand4d_ros.shapes import Array, Bool, Float, Int

MM_PER_M = 1e3
Points = Float[Array, "t j 3"]
Stamps = Int[Array, "t"]
Flags = Bool[Array, "t"]


def observed_fraction(visible: Flags, observed: Flags) -> float:
    """Share of the frames with the hand in view that have an observed estimate.

    Formula:
        |visible and observed| / |visible|
    Unit:
        1
    Alignment:
        none
    Better:
        higher
    Source:
        this project; every other figure counts only frames with an estimate, so read it first

    Raises:
        MetricError: The hand is never in view.
    """
    _need_visible(visible)
    return float(np.mean(observed[visible]))


def longest_gap_s(visible: Flags, observed: Flags, stamps_ns: Stamps) -> float:
    """Longest time for which a hand in view has no observed estimate.

    Formula:
        max over stretches of visible frames without observation of (time of the first frame
        after the stretch) - (time of its first frame)
    Unit:
        s
    Alignment:
        none
    Better:
        lower
    Source:
        this project; what a controller must be able to bridge

    Raises:
        MetricError: The hand is never in view or stamps do not rise.
    """
    _need_visible(visible)
    ends = _frame_ends_s(stamps_ns)
    gaps = [ends[stop] - ends[first] for first, stop in runs(visible & ~observed)]
    return float(max(gaps, default=0.0))


def reacquisition_s(visible: Flags, observed: Flags, stamps_ns: Stamps) -> float:
    """Mean time from a hand's return into view to its first observed estimate.

    A return that is never noticed counts with the whole time in view, a lower bound.

    Formula:
        mean over stretches of visible frames that follow invisible ones of (time of the first
        observed frame) - (time of the stretch's first frame)
    Unit:
        s
    Alignment:
        none
    Better:
        lower
    Source:
        this project; teleoperation re-clutches then

    Raises:
        MetricError: The hand never returns into view or stamps do not rise.
    """
    ends = _frame_ends_s(stamps_ns)
    waits = [
        ends[first + int(np.argmax(observed[first:stop])) if observed[first:stop].any() else stop]
        - ends[first]
        for first, stop in runs(visible)
        if first > 0
    ]
    if not waits:
        msg = "re-acquisition: the hand never returns into view, so there is no time to measure"
        raise MetricError(msg)
    return float(np.mean(waits))


def handedness_err_pct(
    truth_wrists_m: Float[Array, "t 2 3"],
    estimate_wrists_m: Float[Array, "t 2 3"],
    truth_present: Bool[Array, "t 2"],
    estimate_present: Bool[Array, "t 2"],
    *,
    gate_m: float = 0.15,
) -> float:
    """Share of the estimated hands that bear the wrong side.

    The second axis is (left, right). An estimate is of the wrong side where the other side's
    true wrist is within ``gate_m`` of it and nearer than its own side's.

    Formula:
        100 |estimates nearer to the other side's wrist, within the gate| / |estimates|
    Unit:
        %
    Alignment:
        none
    Better:
        lower
    Source:
        this project

    Raises:
        MetricError: There is no estimate or one that is present is not finite.
    """
    someone: Flags = np.any(truth_present, axis=1, keepdims=True)
    used = estimate_present & someone
    count = int(used.sum())
    if count == 0:
        msg = "handedness: no estimate in a frame with a true hand, so nothing can be wrong"
        raise MetricError(msg)
    if not np.all(np.isfinite(estimate_wrists_m[used])):
        msg = "handedness: a present estimate holds NaN or infinity; mark it as missing"
        raise MetricError(msg)
    truth = np.where(truth_present[..., None], truth_wrists_m, np.inf)
    own_m: Float[Array, "t 2"] = np.linalg.norm(estimate_wrists_m - truth, axis=-1)
    other_m: Float[Array, "t 2"] = np.linalg.norm(estimate_wrists_m - truth[:, ::-1], axis=-1)
    wrong = used & (other_m < own_m) & (other_m <= gate_m)
    return 100.0 * int(np.count_nonzero(wrong)) / count


def bone_variation_pct(keypoints_m: Points, mask: Flags | None = None) -> float:
    """Mean variation of the bones' lengths over time; a real hand has none.

    Formula:
        100 mean over the 20 bones of (standard deviation / mean of the length over t)
    Unit:
        %
    Alignment:
        none; the figure does not depend on the frame
    Better:
        lower
    Source:
        this project (self-consistency, needs no truth)

    Raises:
        MetricError: Fewer than two frames are used, a used frame is not finite, a bone has no
            length or there are not 21 keypoints in OpenPose order.
    """
    if keypoints_m.shape[1:] != (21, 3):
        msg = f"bone lengths: keypoints must be (t, 21, 3) in OpenPose order: {keypoints_m.shape}"
        raise MetricError(msg)
    used = valid_frames(mask, keypoints_m, least=2)
    near, far = np.array(OPENPOSE_BONES).T
    lengths = np.linalg.norm(keypoints_m[used][:, far] - keypoints_m[used][:, near], axis=-1)
    means = np.mean(lengths, axis=0)
    if not np.all(means > 0.0):
        msg = "bone lengths: a bone has no length in any frame, so its variation has no scale"
        raise MetricError(msg)
    return 100.0 * float(np.mean(np.std(lengths, axis=0) / means))


def rest_jitter_mm(keypoints_m: Points, stamps_ns: Stamps, rest: Flags) -> float:
    """Root mean square of a resting hand's keypoints about their steady drift.

    Formula:
        sqrt(mean over t, j of |y_tj - line_j(t)|^2), one least-squares line for each stretch of
        rest and keypoint
    Unit:
        mm
    Alignment:
        none
    Better:
        lower
    Source:
        this project (self-consistency, needs only the times of rest)

    Raises:
        MetricError: No stretch of rest has three frames, one is not finite or stamps do not
            rise.
    """
    residuals = [residual for residual, _ in _rest_fits(keypoints_m, stamps_ns, rest)]
    return float(np.sqrt(np.mean(np.concatenate(residuals)))) * MM_PER_M


def rest_drift_mm_s(keypoints_m: Points, stamps_ns: Stamps, rest: Flags) -> float:
    """Mean speed at which a resting hand's keypoints drift.

    Formula:
        mean over stretches of rest, j of |slope of line_j|, lines as in `rest_jitter_mm`
    Unit:
        mm/s
    Alignment:
        none
    Better:
        lower
    Source:
        this project (self-consistency, needs only the times of rest)

    Raises:
        MetricError: No stretch of rest has three frames, one is not finite or stamps do not
            rise.
    """
    speeds = [speed for _, speed in _rest_fits(keypoints_m, stamps_ns, rest)]
    return float(np.mean(speeds)) * MM_PER_M


def rest_frames(
    truth_m: Points,
    stamps_ns: Stamps,
    mask: Flags | None = None,
    *,
    speed_limit_m_s: float = 0.02,
    least_s: float = 0.3,
) -> Flags:
    """Frames in which the true hand rests: no keypoint moves for long enough.

    Args:
        truth_m: Shape (t, j, 3).
        stamps_ns: Rising.
        mask: Frames with a truth; None takes all.
        speed_limit_m_s: Every keypoint is slower than this, to both neighbouring frames.
        least_s: Shorter stretches do not count.

    Raises:
        MetricError: A used frame is not finite or stamps do not rise.
    """
    used = valid_frames(mask, truth_m, least=0)
    seconds = seconds_from_stamps(stamps_ns)
    pairs = used[1:] & used[:-1]
    velocity = finite_derivative(truth_m, seconds, 1, used)
    slow = np.zeros(len(pairs), dtype=bool)
    slow[pairs] = np.linalg.norm(velocity, axis=-1).max(axis=-1, initial=0.0) < speed_limit_m_s
    rest = np.zeros(len(truth_m), dtype=bool)
    for first, stop in runs(slow):
        if seconds[stop] - seconds[first] >= least_s:
            rest[first : stop + 1] = True
    return rest


def _rest_fits(
    points: Points, stamps_ns: Stamps, rest: Flags
) -> list[tuple[Float[Array, "n"], Float[Array, "j"]]]:
    """Squared residuals (m^2) and speeds (m/s) of a line through each stretch of rest."""
    valid_frames(rest, points, least=0)
    seconds = seconds_from_stamps(stamps_ns)
    fits: list[tuple[Float[Array, "n"], Float[Array, "j"]]] = []
    for first, stop in runs(rest):
        if stop - first < 3:
            continue
        time = seconds[first:stop] - np.mean(seconds[first:stop])
        centred = points[first:stop] - np.mean(points[first:stop], axis=0)
        slope = np.einsum("t,tjd->jd", time, centred) / np.sum(time**2)
        residual = centred - time[:, None, None] * slope
        fits.append((np.sum(residual**2, axis=-1).ravel(), np.linalg.norm(slope, axis=-1)))
    if not fits:
        msg = "rest: no stretch of rest has three frames with an estimate"
        raise MetricError(msg)
    return fits


def _frame_ends_s(stamps_ns: Stamps) -> Float[Array, "n"]:
    """Time at which each frame begins, and one more at which the last one ends."""
    seconds = seconds_from_stamps(stamps_ns)
    step_s = float(np.median(np.diff(stamps_ns))) / NS_PER_S if len(stamps_ns) > 1 else 0.0
    return np.append(seconds, seconds[-1] + step_s)


def _need_visible(visible: Flags) -> None:
    if not np.any(visible):
        msg = "coverage: the hand is never in view, so there is nothing to cover"
        raise MetricError(msg)


TRACK_METRICS: Mapping[str, MetricInfo] = {
    "observed_fraction": metric_info(observed_fraction),
    "longest_gap_s": metric_info(longest_gap_s),
    "reacquisition_s": metric_info(reacquisition_s),
    "handedness_err_pct": metric_info(handedness_err_pct),
    "bone_variation_pct": metric_info(bone_variation_pct),
    "rest_jitter_mm": metric_info(rest_jitter_mm),
    "rest_drift_mm_s": metric_info(rest_drift_mm_s),
}
