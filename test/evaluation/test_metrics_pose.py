"""Pose errors on cases solved by hand and under the motions that each must not see."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from hand4d_ros.errors import MetricError
from hand4d_ros.evaluation import metrics_pose as pose
from hand4d_ros.geometry import so3
from hand4d_ros.shapes import Array, Float

Hand = Float[Array, "t 21 3"]
Metric = Callable[..., float]
RNG = np.random.default_rng(5)
TRUTH: Hand = 0.05 * RNG.normal(size=(10, 21, 3)) + np.linspace(0, 1, 10)[:, None, None]
ESTIMATE: Hand = TRUTH + 0.01 * RNG.normal(size=TRUTH.shape)
ERRORS: tuple[Metric, ...] = (
    *(pose.mpjpe_mm, pose.ra_mpjpe_mm, pose.pa_mpjpe_mm, pose.ga_mpjpe_mm),
    *(pose.fa_mpjpe_mm, pose.g_mpjpe_mm, pose.w_mpjpe_mm, pose.wa_mpjpe_mm),
)


def _similar(points: Hand, scale: float = 1.7) -> Hand:
    """All frames moved by one similarity."""
    rotation = so3.exp(np.array([0.4, -1.0, 0.3]))
    return np.asarray(scale * points @ rotation.T + np.array([0.2, -3.0, 1.0]))


def _similar_per_frame(points: Hand) -> Hand:
    """Each frame moved by its own similarity."""
    rng = np.random.default_rng(9)
    rotation = so3.exp(rng.normal(size=(len(points), 3)))
    scale = rng.uniform(0.5, 2.0, size=(len(points), 1, 1))
    shift = rng.normal(size=(len(points), 1, 3))
    return np.asarray(scale * points @ np.swapaxes(rotation, 1, 2) + shift)


@pytest.mark.parametrize("metric", ERRORS)
def test_identical_is_zero_and_the_order_of_keypoints_is_free(metric: Metric) -> None:
    """No error against itself; a permutation of both (root kept) changes nothing."""
    assert metric(TRUTH, TRUTH) == pytest.approx(0.0, abs=1e-9)
    order = np.concatenate([[0], RNG.permutation(np.arange(1, 21))])
    assert metric(TRUTH[:, order], ESTIMATE[:, order]) == pytest.approx(metric(TRUTH, ESTIMATE))
    assert metric(TRUTH, ESTIMATE) > 1.0


@pytest.mark.parametrize(
    "metric", [pose.ga_mpjpe_mm, pose.fa_mpjpe_mm, pose.g_mpjpe_mm, pose.pa_mpjpe_mm]
)
def test_one_similarity_of_the_estimate_is_not_seen(metric: Metric) -> None:
    """The aligned errors depend on the estimate only up to a similarity."""
    assert metric(TRUTH, _similar(ESTIMATE)) == pytest.approx(metric(TRUTH, ESTIMATE), rel=1e-9)
    assert metric(TRUTH, _similar(TRUTH)) == pytest.approx(0.0, abs=1e-9)


def test_only_pa_is_blind_to_similarities_per_frame() -> None:
    """Procrustes per frame undoes them, one alignment for all frames cannot."""
    moved = _similar_per_frame(TRUTH)
    assert pose.pa_mpjpe_mm(TRUTH, moved) == pytest.approx(0.0, abs=1e-9)
    for metric in (pose.ga_mpjpe_mm, pose.fa_mpjpe_mm, pose.g_mpjpe_mm, pose.ra_mpjpe_mm):
        assert metric(TRUTH, moved) > 50.0


def test_ra_is_blind_to_translations_per_frame_only() -> None:
    """Moving each frame is not seen, turning it is."""
    shift = RNG.normal(size=(10, 1, 3))
    assert pose.ra_mpjpe_mm(TRUTH, TRUTH + shift) == pytest.approx(0.0, abs=1e-9)
    assert pose.ra_mpjpe_mm(TRUTH, ESTIMATE + shift) == pytest.approx(
        pose.ra_mpjpe_mm(TRUTH, ESTIMATE)
    )
    assert pose.ra_mpjpe_mm(TRUTH, _similar(TRUTH, 1.0)) > 10.0


def test_rigid_motion_of_both_changes_nothing() -> None:
    """The choice of the world frame does not matter."""
    for metric in ERRORS:
        both = metric(_similar(TRUTH, 1.0), _similar(ESTIMATE, 1.0))
        assert both == pytest.approx(metric(TRUTH, ESTIMATE), rel=1e-9)


def test_constant_offset_by_hand() -> None:
    """(3, 4, 12) mm off everywhere is 13 mm, and nothing once aligned."""
    moved = TRUTH + np.array([0.003, 0.004, 0.012])
    assert pose.mpjpe_mm(TRUTH, moved) == pytest.approx(13.0)
    assert pose.ra_mpjpe_mm(TRUTH, moved) == pytest.approx(0.0, abs=1e-9)


def test_one_keypoint_off_by_hand() -> None:
    """One of 21 keypoints 21 mm off in one of 10 frames is a mean of 0.1 mm."""
    moved = TRUTH.copy()
    moved[4, 7, 1] += 0.021
    assert pose.mpjpe_mm(TRUTH, moved) == pytest.approx(0.1)
    assert pose.ra_mpjpe_mm(TRUTH, moved) == pytest.approx(0.1)


def test_root_error_spreads_by_hand() -> None:
    """A wrist 10 mm off, root-aligned, puts 20 of 21 keypoints 10 mm off."""
    moved = TRUTH.copy()
    moved[:, 0, 2] += 0.010
    assert pose.mpjpe_mm(TRUTH, moved) == pytest.approx(10.0 / 21)
    assert pose.ra_mpjpe_mm(TRUTH, moved) == pytest.approx(10.0 * 20 / 21)


def test_drift_separates_the_alignments() -> None:
    """An estimate that drifts by 1 mm a frame: first-frame alignments keep it, GA halves it."""
    hand = TRUTH[:1].repeat(10, axis=0) - TRUTH[0].mean(axis=0)
    drift = hand + 0.001 * np.arange(10)[:, None, None] * np.array([1.0, 0.0, 0.0])
    assert pose.fa_mpjpe_mm(hand, drift) == pytest.approx(4.5)
    assert pose.pa_mpjpe_mm(hand, drift) == pytest.approx(0.0, abs=1e-9)
    assert 1.0 < pose.ga_mpjpe_mm(hand, drift) < 2.6


def test_g_uses_two_frames_and_fa_one() -> None:
    """What the first two frames say beyond the first changes G only."""
    estimate = TRUTH.copy()
    estimate[1] += 0.02
    assert pose.fa_mpjpe_mm(TRUTH, estimate) == pytest.approx(1000 * 0.02 * np.sqrt(3) / 10)
    two = pose.g_mpjpe_mm(TRUTH, estimate)
    assert two > pose.fa_mpjpe_mm(TRUTH, estimate)
    assert two == pytest.approx(pose.g_mpjpe_mm(TRUTH, _similar(estimate)))


def test_chunks_weigh_by_frames() -> None:
    """W and WA are the means of G and GA over chunks; a chunk of one frame is left out."""
    expected = (
        7 * pose.ga_mpjpe_mm(TRUTH[:7], ESTIMATE[:7])
        + 3 * pose.ga_mpjpe_mm(TRUTH[7:], ESTIMATE[7:])
    ) / 10
    assert pose.wa_mpjpe_mm(TRUTH, ESTIMATE, chunk=7) == pytest.approx(expected)
    alone = pose.w_mpjpe_mm(TRUTH, ESTIMATE, chunk=9)
    assert alone == pytest.approx(pose.g_mpjpe_mm(TRUTH[:9], ESTIMATE[:9]))
    with pytest.raises(MetricError, match="no chunk of 1 frames has the 2 used frames"):
        pose.w_mpjpe_mm(TRUTH, ESTIMATE, chunk=1)


def test_the_mask_is_the_same_as_leaving_frames_out() -> None:
    """Missing frames may hold NaN and do not count; used ones may not."""
    mask = np.ones(10, dtype=bool)
    mask[[0, 4]] = False
    broken = ESTIMATE.copy()
    broken[[0, 4]] = np.nan
    for metric in ERRORS:
        left_out = metric(TRUTH[mask], ESTIMATE[mask])
        assert metric(TRUTH, broken, mask) == pytest.approx(left_out)
        with pytest.raises(MetricError, match="NaN or infinity"):
            metric(TRUTH, broken)


def test_auc_ties_the_papers_columns_together() -> None:
    """1 - e / 50 for small errors: UniHand's 4.08 mm and 0.918, its 5.01 mm and 0.900."""
    value = pose.auc_j(TRUTH, ESTIMATE)
    assert value == pytest.approx(1.0 - pose.pa_mpjpe_mm(TRUTH, ESTIMATE) / 50.0)
    assert round(1.0 - 4.08 / 50.0, 3) == 0.918
    assert pose.auc_j(TRUTH, TRUTH) == pytest.approx(1.0)
    assert 0.0 <= pose.auc_j(10.0 * TRUTH, RNG.normal(size=TRUTH.shape)) < 0.05


def test_auc_is_the_integral_of_the_curve() -> None:
    """The closed form against 5000 thresholds by trapezoids."""
    estimate = TRUTH + 0.04 * RNG.normal(size=TRUTH.shape)
    error = np.linalg.norm(TRUTH - pose.procrustes_aligned(TRUTH, estimate), axis=-1)
    limits = np.linspace(0.0, 0.05, 5001)
    curve = np.array([np.mean(error <= limit) for limit in limits])
    assert pose.auc_j(TRUTH, estimate) == pytest.approx(
        float(np.mean((curve[1:] + curve[:-1]) / 2)), abs=1e-4
    )


def test_f_score_by_hand() -> None:
    """All of the truth is met, 10 of 16 estimated vertices meet it: 2 * 0.625 / 1.625.

    The vertices lie symmetrically, so the alignment only shrinks the estimate by one per cent.
    """
    corners = 0.1 * np.array([[x, y, z] for x in (-1, 1) for y in (-1, 1) for z in (-1, 1)])
    truth = np.concatenate([corners, np.zeros((8, 3))])[None]
    stray = 0.02 * np.concatenate([np.eye(3), -np.eye(3)])
    estimate = np.concatenate([corners, np.zeros((2, 3)), stray])[None]
    assert pose.f_score(truth, estimate, threshold_mm=5.0) == pytest.approx(1.25 / 1.625)
    assert pose.f_score(truth, estimate, threshold_mm=25.0) == 1.0
    assert pose.f_score(truth, _similar(truth), threshold_mm=5.0) == 1.0


def test_mpvpe_aligns_by_the_wrist_joint() -> None:
    """Meshes that differ by their wrists' offset are equal; 2 mm of swelling is 2 mm."""
    vertices = RNG.normal(size=(3, 50, 3))
    root = RNG.normal(size=(3, 3))
    moved = vertices + np.array([0.5, 0.0, 0.0])
    moved_root = root + np.array([0.5, 0.0, 0.0])
    assert pose.mpvpe_mm(vertices, moved, root, moved_root) == pytest.approx(0.0, abs=1e-9)
    swollen = moved + np.array([0.0, 0.002, 0.0])
    assert pose.mpvpe_mm(vertices, swollen, root, moved_root) == pytest.approx(2.0)


def test_documented_raises() -> None:
    """No frame, too few frames for G, and a collapsed estimate that fixes no similarity."""
    with pytest.raises(MetricError, match="0 usable frames"):
        pose.mpjpe_mm(TRUTH, ESTIMATE, np.zeros(10, dtype=bool))
    with pytest.raises(MetricError, match="1 usable frames of 1, at least 2"):
        pose.g_mpjpe_mm(TRUTH[:1], ESTIMATE[:1])
    with pytest.raises(MetricError, match="one line or in one place"):
        pose.ga_mpjpe_mm(TRUTH, np.zeros_like(TRUTH))
    with pytest.raises(MetricError, match="2 weighted points"):
        pose.pa_mpjpe_mm(TRUTH[:, :2], ESTIMATE[:, :2])
