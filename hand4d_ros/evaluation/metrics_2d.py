"""How far keypoints are from the truth in the image."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from hand4d_ros.errors import MetricError
from hand4d_ros.evaluation.registry import MetricInfo, metric_info
from hand4d_ros.evaluation.sequences import same_shape, valid_frames
from hand4d_ros.shapes import Array, Bool, Float

Pixels = Float[Array, "t j 2"]
Mask = Bool[Array, "t"] | None


def box_size_px(truth_px: Pixels) -> Float[Array, "t"]:
    """Longer side of the upright box around each frame's keypoints (px).

    Where a dataset annotates boxes, those are the ones to give `pck`.
    """
    return np.asarray(np.max(np.ptp(truth_px, axis=1), axis=-1))


def pck(
    truth_px: Pixels,
    estimate_px: Pixels,
    box_size_px: Float[Array, "t"],
    mask: Mask = None,
    labelled: Bool[Array, "t j"] | None = None,
    *,
    threshold: float,
) -> float:
    """Share of the image keypoints within {threshold} of the hand box's size.

    Formula:
        mean over j of the mean over labelled t of [|u_tj - v_tj| <= {threshold} side_t], side_t
        the longer side of the hand's box
    Unit:
        1
    Alignment:
        none
    Better:
        higher
    Source:
        HaPTIC, tables 3 and 6 (HInt); the box and the mean over keypoints first as in the public
        evaluation of HaMeR (Pavlakos et al., CVPR 2024)

    Raises:
        MetricError: Shapes differ, no frame is used, a used frame is not finite, a box has no
            size or no keypoint is labelled.
    """
    same_shape(truth_px, estimate_px)
    used = valid_frames(mask, truth_px, estimate_px, box_size_px)
    if np.any(box_size_px[used] <= 0.0):
        msg = "PCK: a used frame's hand box has no size, so there is nothing to measure against"
        raise MetricError(msg)
    distance_px = np.linalg.norm(truth_px - estimate_px, axis=-1)[used]
    right = distance_px <= threshold * box_size_px[used][:, None]
    counts = np.ones(right.shape, dtype=bool) if labelled is None else labelled[used]
    per_keypoint = counts.sum(axis=0)
    seen = per_keypoint > 0
    if not np.any(seen):
        msg = "PCK: no keypoint is labelled in the used frames"
        raise MetricError(msg)
    return float(np.mean((right & counts).sum(axis=0)[seen] / per_keypoint[seen]))


def reprojection_px(detected_px: Pixels, projected_px: Pixels, mask: Mask = None) -> float:
    """Root mean square distance of the projected keypoints from the detected ones.

    Formula:
        sqrt(mean over t, j of |u_tj - v_tj|^2)
    Unit:
        px
    Alignment:
        none
    Better:
        lower
    Source:
        this project (self-consistency, needs no truth); the detector's own error is its floor

    Raises:
        MetricError: Shapes differ, no frame is used or a used frame is not finite.
    """
    same_shape(detected_px, projected_px)
    used = valid_frames(mask, detected_px, projected_px)
    squared = np.sum((detected_px[used] - projected_px[used]) ** 2, axis=-1)
    return float(np.sqrt(np.mean(squared)))


IMAGE_METRICS: Mapping[str, MetricInfo] = {
    "pck_0_05": metric_info(pck, threshold=0.05),
    "pck_0_1": metric_info(pck, threshold=0.1),
    "pck_0_15": metric_info(pck, threshold=0.15),
    "reprojection_px": metric_info(reprojection_px),
}
