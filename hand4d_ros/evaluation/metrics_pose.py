"""How far the hand's points are from the truth, under every alignment that the papers use.

All functions take (frames, points, 3) in metres and an optional mask of the frames to use. The
mean runs over all points, the root included, and all used frames. In the formulas x is the
truth, y the estimate, t the frame, j the keypoint, and (s, R, b) a scale, rotation and shift by
least squares (`alignment`).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np

from hand4d_ros.errors import MetricError
from hand4d_ros.evaluation import alignment
from hand4d_ros.evaluation.registry import MetricInfo, metric_info
from hand4d_ros.evaluation.sequences import same_shape, valid_frames
from hand4d_ros.shapes import Array, Bool, Float

MM_PER_M = 1e3
AUC_LIMIT_M = 0.05
Points = Float[Array, "t j 3"]
Mask = Bool[Array, "t"] | None


def mpjpe_mm(truth_m: Points, estimate_m: Points, mask: Mask = None) -> float:
    """Mean distance of the keypoints as they are.

    Formula:
        mean over t, j of |x_tj - y_tj|
    Unit:
        mm
    Alignment:
        none
    Better:
        lower
    Source:
        ForeHand4D, Metrics (a), there in cm as M; Dyn-HaMR's "MPJPE" is `ra_mpjpe_mm` here

    Raises:
        MetricError: Shapes differ, no frame is used or a used frame is not finite.
    """
    truth, estimate = _used(truth_m, estimate_m, mask)
    return _mean_distance_mm(truth, estimate)


def ra_mpjpe_mm(truth_m: Points, estimate_m: Points, mask: Mask = None, *, root: int = 0) -> float:
    """Mean distance of the keypoints once the wrists are laid on each other in each frame.

    Formula:
        mean over t, j of |(x_tj - x_t0) - (y_tj - y_t0)|, the root's own 0 included
    Unit:
        mm
    Alignment:
        root (wrist), per frame
    Better:
        lower
    Source:
        HMP, section 4.1 (RA-MPJPE); Dyn-HaMR, section 4 (MPJPE "after root alignment")

    Raises:
        MetricError: Shapes differ, no frame is used or a used frame is not finite.
    """
    truth, estimate = _used(truth_m, estimate_m, mask)
    return _mean_distance_mm(
        truth - truth[:, root : root + 1], estimate - estimate[:, root : root + 1]
    )


def pa_mpjpe_mm(truth_m: Points, estimate_m: Points, mask: Mask = None) -> float:
    """Mean distance of the keypoints once each frame is aligned by its own similarity.

    Formula:
        mean over t, j of |x_tj - (s_t R_t y_tj + b_t)|, one (s_t, R_t, b_t) for each frame
    Unit:
        mm
    Alignment:
        similarity (Procrustes), per frame
    Better:
        lower
    Source:
        HMP, section 4.1; HaPTIC, table 4; UniHand, tables 1 to 3; Dyn-HaMR, table 5

    Raises:
        MetricError: Shapes differ, no frame is used, a used frame is not finite or there are
            fewer than three keypoints.
    """
    truth, estimate = _used(truth_m, estimate_m, mask)
    return _mean_distance_mm(truth, procrustes_aligned(truth, estimate))


def ga_mpjpe_mm(truth_m: Points, estimate_m: Points, mask: Mask = None) -> float:
    """Mean distance of the keypoints once the whole trajectory is aligned by one similarity.

    Formula:
        mean over t, j of |x_tj - (s R y_tj + b)|, one (s, R, b) over all used frames
    Unit:
        mm
    Alignment:
        similarity, one for all frames
    Better:
        lower
    Source:
        HaPTIC, section 4 ("globally aligns hand joints at all frames"; there in cm); Dyn-HaMR,
        section 4 ("the whole segment"); SLAHMR (Ye et al., CVPR 2023), whose alignment has a
        scale

    Raises:
        MetricError: Shapes differ, no frame is used, a used frame is not finite or the points
            do not fix a similarity.
    """
    truth, estimate = _used(truth_m, estimate_m, mask)
    return _aligned_on_mm(truth, estimate, len(truth))


def fa_mpjpe_mm(truth_m: Points, estimate_m: Points, mask: Mask = None) -> float:
    """Mean distance of the keypoints once all frames follow the first frame's similarity.

    Formula:
        mean over t, j of |x_tj - (s R y_tj + b)|, (s, R, b) from the first used frame
    Unit:
        mm
    Alignment:
        similarity of the first used frame
    Better:
        lower
    Source:
        HaPTIC, section 4 ("aligns the whole hand pose trajectory only using the pose in the
        first frame"; there in cm)

    Raises:
        MetricError: Shapes differ, no frame is used, a used frame is not finite or the points
            do not fix a similarity.
    """
    truth, estimate = _used(truth_m, estimate_m, mask)
    return _aligned_on_mm(truth, estimate, 1)


def g_mpjpe_mm(truth_m: Points, estimate_m: Points, mask: Mask = None) -> float:
    """Mean distance of the keypoints once all frames follow the first two frames' similarity.

    Formula:
        mean over t, j of |x_tj - (s R y_tj + b)|, (s, R, b) from the first two used frames
    Unit:
        mm
    Alignment:
        similarity of the first two used frames
    Better:
        lower
    Source:
        Dyn-HaMR, section 4 ("using the first two frames (G-MPJPE)", segments of 128 frames);
        UniHand, section 4.1; SLAHMR (Ye et al., CVPR 2023), whose alignment has a scale

    Raises:
        MetricError: Shapes differ, fewer than two frames are used, a used frame is not finite
            or the points do not fix a similarity.
    """
    truth, estimate = _used(truth_m, estimate_m, mask, least=2)
    return _aligned_on_mm(truth, estimate, 2)


def w_mpjpe_mm(
    truth_m: Points, estimate_m: Points, mask: Mask = None, *, chunk: int = 100
) -> float:
    """G-MPJPE of each chunk of 100 frames, averaged over the frames.

    Formula:
        sum over chunks c of n_c g_mpjpe(c) / sum of n_c, n_c used frames of at least two
    Unit:
        mm
    Alignment:
        similarity of the first two used frames of each chunk
    Better:
        lower
    Source:
        WHAM (Shin et al., CVPR 2024), section 4 (W-MPJPE of 100-frame segments), as HaWoR
        reports it for hands

    Raises:
        MetricError: Shapes differ, a used frame is not finite, no chunk has two used frames or
            its points do not fix a similarity.
    """
    return chunked(g_mpjpe_mm, truth_m, estimate_m, mask, chunk=chunk, least=2)


def wa_mpjpe_mm(
    truth_m: Points, estimate_m: Points, mask: Mask = None, *, chunk: int = 100
) -> float:
    """GA-MPJPE of each chunk of 100 frames, averaged over the frames.

    Formula:
        sum over chunks c of n_c ga_mpjpe(c) / sum of n_c, n_c used frames of at least two
    Unit:
        mm
    Alignment:
        similarity, one for each chunk
    Better:
        lower
    Source:
        WHAM (Shin et al., CVPR 2024), section 4 (WA-MPJPE of 100-frame segments), as HaWoR
        reports it for hands

    Raises:
        MetricError: Shapes differ, a used frame is not finite, no chunk has two used frames or
            its points do not fix a similarity.
    """
    return chunked(ga_mpjpe_mm, truth_m, estimate_m, mask, chunk=chunk, least=2)


def mpvpe_mm(
    truth_vertices_m: Float[Array, "t v 3"],
    estimate_vertices_m: Float[Array, "t v 3"],
    truth_root_m: Float[Array, "t 3"],
    estimate_root_m: Float[Array, "t 3"],
    mask: Mask = None,
) -> float:
    """Mean distance of the mesh's vertices once the wrists are laid on each other.

    Formula:
        mean over t, v of |(x_tv - x_t0) - (y_tv - y_t0)|, x_t0 and y_t0 the wrist joints
    Unit:
        mm
    Alignment:
        root (wrist joint), per frame
    Better:
        lower
    Source:
        Dyn-HaMR, section 4 ("after root alignment") and table 1

    Raises:
        MetricError: Shapes differ, no frame is used or a used frame is not finite.
    """
    roots = np.stack([truth_root_m, estimate_root_m], axis=1)
    used = valid_frames(mask, truth_vertices_m, estimate_vertices_m, roots)
    same_shape(truth_vertices_m, estimate_vertices_m)
    truth = (truth_vertices_m - truth_root_m[:, None])[used]
    return _mean_distance_mm(truth, (estimate_vertices_m - estimate_root_m[:, None])[used])


def auc_j(truth_m: Points, estimate_m: Points, mask: Mask = None) -> float:
    """Area under the curve of keypoints within a distance, for distances of 0 to 50 mm.

    The curve's integral has a closed form, so no thresholds are sampled. It ties the papers'
    own columns together: UniHand's 4.08 mm PA-MPJPE and 0.918 are 1 - 4.08 / 50.

    Formula:
        mean over t, j of max(0, 1 - e_tj / 50 mm), e_tj as in `pa_mpjpe_mm`
    Unit:
        1
    Alignment:
        similarity (Procrustes), per frame
    Better:
        higher
    Source:
        UniHand, section 4.1 and table 1 (AUC_J); HO-3D's evaluation (Hampali et al., CVPR
        2020), which sums 100 thresholds by trapezoids

    Raises:
        MetricError: Shapes differ, no frame is used, a used frame is not finite or there are
            fewer than three keypoints.
    """
    truth, estimate = _used(truth_m, estimate_m, mask)
    error = np.linalg.norm(truth - procrustes_aligned(truth, estimate), axis=-1)
    return float(np.mean(np.maximum(0.0, 1.0 - error / AUC_LIMIT_M)))


def f_score(
    truth_vertices_m: Float[Array, "t v 3"],
    estimate_vertices_m: Float[Array, "t v 3"],
    mask: Mask = None,
    *,
    threshold_mm: float,
) -> float:
    """Harmonic mean of the vertices near the other mesh, within {threshold_mm} mm.

    Formula:
        mean over t of 2 P R / (P + R); R, P: share of the truth's (the estimate's) vertices with
        one of the other's nearer than {threshold_mm} mm
    Unit:
        1
    Alignment:
        similarity (Procrustes) of the vertices, per frame
    Better:
        higher
    Source:
        UniHand, table 2, "by the official evaluation scripts": FreiHAND (Zimmermann et al., ICCV
        2019) after Knapitsch et al. (ACM TOG 2017)

    Raises:
        MetricError: Shapes differ, no frame is used, a used frame is not finite or there are
            fewer than three vertices.
    """
    # Only this metric needs scipy's trees, so the others do not wait for their import.
    from scipy.spatial import cKDTree

    truth, estimate = _used(truth_vertices_m, estimate_vertices_m, mask)
    aligned = procrustes_aligned(truth, estimate)
    limit_m = threshold_mm / MM_PER_M
    scores = np.zeros(len(truth))
    for index, (one, other) in enumerate(zip(truth, aligned, strict=True)):
        recall = float(np.mean(cKDTree(other).query(one)[0] < limit_m))
        precision = float(np.mean(cKDTree(one).query(other)[0] < limit_m))
        total = recall + precision
        scores[index] = 2.0 * recall * precision / total if total > 0.0 else 0.0
    return float(np.mean(scores))


def procrustes_aligned(
    truth_m: Float[Array, "t n 3"], estimate_m: Float[Array, "t n 3"]
) -> Float[Array, "t n 3"]:
    """The estimate, each frame moved by its own best similarity.

    Raises:
        MetricError: Shapes differ, a value is not finite or there are fewer than three points.
    """
    return alignment.similarity(estimate_m, truth_m, unique=False).apply(estimate_m)


def chunked(
    metric: Callable[[Points, Points], float],
    truth_m: Points,
    estimate_m: Points,
    mask: Mask = None,
    *,
    chunk: int,
    least: int = 1,
) -> float:
    """A metric of consecutive chunks, averaged with the used frames of each as weight.

    Args:
        metric: A metric of truth and estimate.
        truth_m: Shape (t, j, 3).
        estimate_m: Same shape.
        mask: Frames to use, None for all. Chunks are cut by frame number, before the mask.
        chunk: Frames in a chunk; the last one may have fewer.
        least: Chunks with fewer used frames are left out.

    Raises:
        MetricError: As the metric, or no chunk has enough frames.
    """
    same_shape(truth_m, estimate_m)
    used = valid_frames(mask, truth_m, estimate_m)
    values: list[float] = []
    counts: list[int] = []
    for start in range(0, len(used), chunk):
        rows = start + np.flatnonzero(used[start : start + chunk])
        if len(rows) >= least:
            values.append(metric(truth_m[rows], estimate_m[rows]))
            counts.append(len(rows))
    if not values:
        msg = f"metric: no chunk of {chunk} frames has the {least} used frames that it needs"
        raise MetricError(msg)
    return float(np.average(values, weights=counts))


def _used(
    truth: Points, estimate: Points, mask: Mask, *, least: int = 1
) -> tuple[Float[Array, "n j 3"], Float[Array, "n j 3"]]:
    """The used frames of both."""
    same_shape(truth, estimate)
    used = valid_frames(mask, truth, estimate, least=least)
    return truth[used], estimate[used]


def _aligned_on_mm(truth: Points, estimate: Points, frames: int) -> float:
    """Mean distance once the first ``frames`` frames' similarity has moved all frames."""
    found = alignment.similarity(
        estimate[:frames].reshape(-1, 3), truth[:frames].reshape(-1, 3), unique=True
    )
    moved = found.apply(estimate.reshape(-1, 3)).reshape(estimate.shape)
    return _mean_distance_mm(truth, moved)


def _mean_distance_mm(truth: Points, estimate: Points) -> float:
    return float(np.mean(np.linalg.norm(truth - estimate, axis=-1))) * MM_PER_M


POSE_METRICS: Mapping[str, MetricInfo] = {
    "pa_mpjpe_mm": metric_info(pa_mpjpe_mm),
    "ra_mpjpe_mm": metric_info(ra_mpjpe_mm),
    "mpjpe_mm": metric_info(mpjpe_mm),
    "mpvpe_mm": metric_info(mpvpe_mm),
    "ga_mpjpe_mm": metric_info(ga_mpjpe_mm),
    "fa_mpjpe_mm": metric_info(fa_mpjpe_mm),
    "g_mpjpe_mm": metric_info(g_mpjpe_mm),
    "w_mpjpe_mm": metric_info(w_mpjpe_mm),
    "wa_mpjpe_mm": metric_info(wa_mpjpe_mm),
    "auc_j": metric_info(auc_j),
    "f_at_5mm": metric_info(f_score, threshold_mm=5.0),
    "f_at_15mm": metric_info(f_score, threshold_mm=15.0),
}
