"""How far forecasts of both hands are from what the hands then did.

Arrays have the axes (frames, hands, keypoints, 3), a mask says which hand has a truth when.
Samples have one more axis in front. In the formulas x is the truth, y the forecast, h the hand.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np

from hand4d_ros.errors import MetricError
from hand4d_ros.evaluation import alignment
from hand4d_ros.evaluation.registry import MetricInfo, metric_info
from hand4d_ros.evaluation.sequences import finite_frames, valid_frames
from hand4d_ros.shapes import Array, Bool, Float

CM_PER_M = 1e2
Hands = Float[Array, "t h j 3"]
HandMask = Bool[Array, "t h"] | None
Path = Float[Array, "t 3"]
Paths = Float[Array, "k t 3"]


def m_cm(truth_m: Hands, forecast_m: Hands, mask: HandMask = None) -> float:
    """Mean distance of the forecast keypoints as they are.

    Formula:
        mean over t of the mean over hands h with a truth of mean over j of |x_thj - y_thj|
    Unit:
        cm
    Alignment:
        none
    Better:
        lower
    Source:
        ForeHand4D, Metrics (a), M; over several samples see `best_sample`

    Raises:
        MetricError: Shapes differ, no hand has a truth or a used value is not finite.
    """
    return _per_hand_cm(truth_m, forecast_m, mask, None)


def m_g_cm(truth_m: Hands, forecast_m: Hands, mask: HandMask = None) -> float:
    """Mean distance of the forecast keypoints once each hand's whole motion is aligned.

    Formula:
        as `m_cm` with s R y + b for y, one (s, R, b) for each hand over its frames with a truth
    Unit:
        cm
    Alignment:
        similarity, one for each hand over all frames
    Better:
        lower
    Source:
        ForeHand4D, Metrics (c), M-G ("globally aligned to the ground truth"); one similarity for
        each hand as in its public evaluation

    Raises:
        MetricError: Shapes differ, no hand has a truth, a used value is not finite or the
            points do not fix a similarity.
    """

    def moved(truth: Hands, forecast: Hands) -> Hands:
        source, target = forecast.reshape(-1, 3), truth.reshape(-1, 3)
        return alignment.similarity(source, target).apply(source).reshape(forecast.shape)

    return _per_hand_cm(truth_m, forecast_m, mask, moved)


def m_f_cm(truth_m: Hands, forecast_m: Hands, mask: HandMask = None) -> float:
    """Mean distance of the forecast keypoints once each hand is aligned on its first frame.

    Formula:
        as `m_cm` with s R y + b for y, (s, R, b) for each hand from its first frame with a truth
    Unit:
        cm
    Alignment:
        similarity of the first frame, one for each hand
    Better:
        lower
    Source:
        ForeHand4D, Metrics (d), M-F ("aligned to the ground truth at the first timestep"); one
        similarity for each hand as in its public evaluation

    Raises:
        MetricError: Shapes differ, no hand has a truth, a used value is not finite or the
            points do not fix a similarity.
    """

    def moved(truth: Hands, forecast: Hands) -> Hands:
        found = alignment.similarity(forecast[0, 0], truth[0, 0])
        return found.apply(forecast.reshape(-1, 3)).reshape(forecast.shape)

    return _per_hand_cm(truth_m, forecast_m, mask, moved)


def mr_cm(truth_m: Hands, forecast_m: Hands, mask: HandMask = None, *, root: int = 0) -> float:
    """Mean error of the place of one hand's wrist relative to the other's.

    Formula:
        mean over t with both hands of |(x_t00 - x_t10) - (y_t00 - y_t10)|
    Unit:
        cm
    Alignment:
        root of the other hand, per frame
    Better:
        lower
    Source:
        ForeHand4D, Metrics (b), MR ("the translation between the root joint of left & right
        hand"); ARCTIC's MRRPE

    Raises:
        MetricError: Shapes differ, there are not two hands, they never have a truth at the same
            time or a used value is not finite.
    """
    used = _checked(truth_m, forecast_m, mask)
    if truth_m.shape[1] != 2:
        msg = f"MR: needs the two hands of a person, got {truth_m.shape[1]}"
        raise MetricError(msg)
    both = used.all(axis=1)
    if not np.any(both):
        msg = "MR: the two hands never have a truth at the same time"
        raise MetricError(msg)
    truth = truth_m[both, 0, root] - truth_m[both, 1, root]
    forecast = forecast_m[both, 0, root] - forecast_m[both, 1, root]
    return float(np.mean(np.linalg.norm(truth - forecast, axis=-1))) * CM_PER_M


def best_sample(truth_m: Hands, samples_m: Float[Array, "k t h j 3"], mask: HandMask = None) -> int:
    """The sample by which a set of forecasts of one clip is judged: M, M-G, M-F and MR of this one.

    ForeHand4D's public evaluation takes, of five samples, the one with the least sum of M, M-G,
    M-F, the root-aligned error and MR, all in one unit; it does not take the best of each.

    Args:
        truth_m: Shape (t, h, j, 3).
        samples_m: Shape (k, t, h, j, 3).
        mask: Hands with a truth, shape (t, h); None for all.

    Raises:
        MetricError: As `m_f_cm`.
    """
    used = _checked(truth_m, samples_m[0], mask)
    metrics: list[Callable[[Hands, Hands, HandMask], float]] = [
        m_cm,
        m_g_cm,
        m_f_cm,
        _root_aligned_cm,
    ]
    if truth_m.shape[1] == 2 and used.all(axis=1).any():
        metrics.append(mr_cm)
    sums = [sum(metric(truth_m, sample, mask) for metric in metrics) for sample in samples_m]
    return int(np.argmin(sums))


def ade_cm(
    truth_wrist_m: Path, modes_wrist_m: Paths, mask: Bool[Array, "t"] | None = None
) -> float:
    """Average displacement of the wrist, of the best of the K forecasts.

    Formula:
        min over k of mean over t of |x_t - y_kt|
    Unit:
        cm
    Alignment:
        none
    Better:
        lower
    Source:
        Gupta et al., "Social GAN", CVPR 2018, section 4 (minADE_K); none of the five papers

    Raises:
        MetricError: Shapes differ, no frame is used or a used frame is not finite.
    """
    return (
        float(np.min(_displacements_m(truth_wrist_m, modes_wrist_m, mask).mean(axis=1))) * CM_PER_M
    )


def fde_cm(
    truth_wrist_m: Path, modes_wrist_m: Paths, mask: Bool[Array, "t"] | None = None
) -> float:
    """Final displacement of the wrist, of the best of the K forecasts.

    Formula:
        min over k of |x_T - y_kT|, T the last used frame
    Unit:
        cm
    Alignment:
        none
    Better:
        lower
    Source:
        Gupta et al., "Social GAN", CVPR 2018, section 4 (minFDE_K); none of the five papers

    Raises:
        MetricError: Shapes differ, no frame is used or a used frame is not finite.
    """
    return float(np.min(_displacements_m(truth_wrist_m, modes_wrist_m, mask)[:, -1])) * CM_PER_M


def ade_mean_cm(
    truth_wrist_m: Path,
    modes_wrist_m: Paths,
    probabilities: Float[Array, "k"],
    mask: Bool[Array, "t"] | None = None,
) -> float:
    """Average displacement of the wrist, expected over the forecasts' own probabilities.

    Formula:
        sum over k of p_k mean over t of |x_t - y_kt|
    Unit:
        cm
    Alignment:
        none
    Better:
        lower
    Source:
        as `ade_cm`, without the choice that only the truth allows

    Raises:
        MetricError: Shapes differ, no frame is used, a used frame is not finite or the
            probabilities do not sum to one.
    """
    means = _displacements_m(truth_wrist_m, modes_wrist_m, mask).mean(axis=1)
    return _expected(means, probabilities) * CM_PER_M


def fde_mean_cm(
    truth_wrist_m: Path,
    modes_wrist_m: Paths,
    probabilities: Float[Array, "k"],
    mask: Bool[Array, "t"] | None = None,
) -> float:
    """Final displacement of the wrist, expected over the forecasts' own probabilities.

    Formula:
        sum over k of p_k |x_T - y_kT|, T the last used frame
    Unit:
        cm
    Alignment:
        none
    Better:
        lower
    Source:
        as `fde_cm`, without the choice that only the truth allows

    Raises:
        MetricError: Shapes differ, no frame is used, a used frame is not finite or the
            probabilities do not sum to one.
    """
    last = _displacements_m(truth_wrist_m, modes_wrist_m, mask)[:, -1]
    return _expected(last, probabilities) * CM_PER_M


def _root_aligned_cm(truth: Hands, forecast: Hands, mask: HandMask) -> float:
    return m_cm(truth - truth[:, :, :1], forecast - forecast[:, :, :1], mask)


def _per_hand_cm(
    truth: Hands,
    forecast: Float[Array, "..."],
    mask: HandMask,
    moved: Callable[[Hands, Hands], Hands] | None,
) -> float:
    """Mean over frames of the mean over hands, each hand's forecast moved onto its truth first."""
    used = _checked(truth, forecast, mask)
    errors = np.zeros(used.shape)
    for hand in range(used.shape[1]):
        rows = used[:, hand]
        if rows.any():
            true, guess = truth[rows, hand : hand + 1], forecast[rows, hand : hand + 1]
            if moved is not None:
                guess = moved(true, guess)
            errors[rows, hand] = np.linalg.norm(true - guess, axis=-1).mean(axis=(1, 2))
    count = used.sum(axis=1)
    some = count > 0
    return float(np.mean(errors.sum(axis=1)[some] / count[some])) * CM_PER_M


def _checked(
    truth: Float[Array, "..."], forecast: Float[Array, "..."], mask: Bool[Array, "..."] | None
) -> Bool[Array, "t h"]:
    """The hands and frames to use."""
    used = np.ones(truth.shape[:2], dtype=bool) if mask is None else mask
    if truth.shape != forecast.shape or used.shape != truth.shape[:2]:
        msg = (
            f"forecast metric: truth {truth.shape}, forecast {forecast.shape} and mask "
            f"{used.shape} must be (t, h, j, 3) twice and (t, h)"
        )
        raise MetricError(msg)
    if not used.any():
        msg = "forecast metric: no hand has a truth in any frame"
        raise MetricError(msg)
    finite = np.isfinite(truth).all(axis=(2, 3)) & np.isfinite(forecast).all(axis=(2, 3))
    if np.any(used & ~finite):
        msg = "forecast metric: a used hand holds NaN or infinity; mark it as missing in the mask"
        raise MetricError(msg)
    return used


def _displacements_m(
    truth: Path, modes: Float[Array, "..."], mask: Bool[Array, "t"] | None
) -> Float[Array, "k n"]:
    """Distance from the truth for each mode and used frame."""
    if modes.ndim != 3 or modes.shape[1:] != truth.shape or len(modes) == 0:
        msg = f"forecast metric: modes {modes.shape} must be (k, *{truth.shape}), k at least 1"
        raise MetricError(msg)
    used = valid_frames(mask, truth)
    if not np.all(finite_frames(modes[:, used])):
        msg = "forecast metric: a mode holds NaN or infinity in a used frame"
        raise MetricError(msg)
    return np.asarray(np.linalg.norm(modes[:, used] - truth[used], axis=-1))


def _expected(values: Float[Array, "k"], probabilities: Float[Array, "k"]) -> float:
    if np.any(probabilities < 0.0) or abs(float(probabilities.sum()) - 1.0) > 1e-6:
        msg = f"forecast metric: probabilities must sum to one, got {probabilities.tolist()}"
        raise MetricError(msg)
    return float(values @ probabilities)


FORECAST_METRICS: Mapping[str, MetricInfo] = {
    "m_cm": metric_info(m_cm),
    "m_g_cm": metric_info(m_g_cm),
    "m_f_cm": metric_info(m_f_cm),
    "mr_cm": metric_info(mr_cm),
    "ade_cm": metric_info(ade_cm),
    "fde_cm": metric_info(fde_cm),
    "ade_mean_cm": metric_info(ade_mean_cm),
    "fde_mean_cm": metric_info(fde_mean_cm),
}
