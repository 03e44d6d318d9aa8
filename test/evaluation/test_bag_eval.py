"""Recordings scored: any kind of truth is brought to the images, and none is scored by itself."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from bench_samples import moving_hand, stamps

from hand4d_ros.errors import ConfigError, MetricError
from hand4d_ros.evaluation import bag_eval
from hand4d_ros.evaluation.bag_eval import BOTH, EvalConfig, TruthTrack
from hand4d_ros.evaluation.clips import Clip
from hand4d_ros.evaluation.estimates import ClipEstimate, empty_hand, hands_from_tracks
from hand4d_ros.evaluation.motions import Motion, tracks_from_motions
from hand4d_ros.geometry import se3, so3
from hand4d_ros.geometry.camera import camera_from_fov
from hand4d_ros.hand.builtin import builtin_hand
from hand4d_ros.types import Side

FRAMES = 60
STAMPS = stamps(FRAMES)
CAMERA = camera_from_fov(640, 480, 1.6)
MOTIONS = {side: moving_hand(side, FRAMES, (0.05, 0.02, 0.0)) for side in Side}
CLIP = Clip("drive", STAMPS, CAMERA, ((),) * FRAMES, np.tile(np.eye(4), (FRAMES, 1, 1)))


def estimate(shift_m: float = 0.0, motions: list[Motion] | None = None) -> ClipEstimate:
    """Return the steady hands, moved aside."""
    moved = []
    for motion in motions or MOTIONS.values():
        T = motion.T_world_wrist.copy()
        T[:, 1, 3] += shift_m
        points = motion.keypoints_m + np.array([0.0, shift_m, 0.0])
        moved.append(replace(motion, T_world_wrist=T, keypoints_m=points, std_m=0.01))
    tracks = tracks_from_motions(STAMPS, moved)
    return ClipEstimate(hands_from_tracks(tracks, builtin_hand()), np.ones(FRAMES))


def truth_of(side: Side, T_new_old: np.ndarray | None = None, every: int = 1) -> TruthTrack:
    """Return the true path of one hand, in another world if asked, at a lower rate if asked."""
    move = np.eye(4) if T_new_old is None else T_new_old
    motion = MOTIONS[side]
    return TruthTrack(
        side,
        STAMPS[::every],
        "test",
        se3.apply(move, motion.keypoints_m.reshape(-1, 3)).reshape(-1, 21, 3)[::every],
        (move @ motion.T_world_wrist)[::every],
    )


def test_a_truth_of_another_rate_is_interpolated() -> None:
    """Every third sample is enough for a hand that moves steadily."""
    tracks = [truth_of(side, every=3) for side in Side]
    truth = bag_eval.truth_on_images(CLIP, estimate(), tracks)
    right = truth.hands[Side.RIGHT]
    known = np.isfinite(right.keypoints_m).all(axis=(1, 2))
    assert np.flatnonzero(~known).tolist() == [58, 59]
    assert np.abs(right.keypoints_m - MOTIONS[Side.RIGHT].keypoints_m)[known].max() < 1e-4
    figures = bag_eval.figures_of("offline", CLIP, estimate(0.02), truth)
    assert figures.hands[BOTH]["mpjpe_mm"] == pytest.approx(20.0, abs=0.1)
    assert figures.hands["left"]["wrist_error_median_m"] == pytest.approx(0.02, abs=1e-4)
    assert figures.hands["right"]["wrist_turn_error_median_deg"] == pytest.approx(0.0, abs=1e-3)


def test_a_long_gap_is_not_bridged() -> None:
    """Samples further apart than allowed leave the images between them without a truth."""
    track = truth_of(Side.LEFT, every=6)
    config = EvalConfig(longest_gap_s=0.15)
    truth = bag_eval.truth_on_images(CLIP, estimate(), [track], config)
    known = np.isfinite(truth.hands[Side.LEFT].keypoints_m).all(axis=(1, 2))
    assert known.sum() <= len(track.stamps_ns)
    with pytest.raises(ConfigError, match="longest_gap_s is 0"):
        EvalConfig(longest_gap_s=0.0)


def test_another_world_is_aligned() -> None:
    """A truth that is turned and shifted fits after a rigid alignment, and not before."""
    move = se3.from_rotation_translation(so3.exp(np.array([0.1, -0.4, 2.0])), np.array([3.0, 1, 0]))
    tracks = [truth_of(side, move) for side in Side]
    rigid = bag_eval.truth_on_images(CLIP, estimate(), tracks, EvalConfig(align="rigid"))
    figures = bag_eval.figures_of("offline", CLIP, estimate(), rigid).hands[BOTH]
    assert figures["wrist_error_rmse_m"] == pytest.approx(0.0, abs=1e-6)
    assert figures["wrist_turn_error_median_deg"] == pytest.approx(0.0, abs=1e-3)
    none = bag_eval.truth_on_images(CLIP, estimate(), tracks)
    assert not none.hands[Side.RIGHT].in_view.any()


def test_a_wrist_alone_is_enough() -> None:
    """A TUM path gives the wrist's figures and those of self-consistency."""
    track = replace(truth_of(Side.RIGHT), keypoints_m=None)
    truth = bag_eval.truth_on_images(CLIP, estimate(0.03), [track])
    figures = bag_eval.figures_of("offline", CLIP, estimate(0.03), truth)
    right = figures.hands["right"]
    assert right["wrist_error_median_m"] == pytest.approx(0.03)
    assert right["observed_fraction"] == 1.0
    assert "mpjpe_mm" not in right
    assert right["bone_variation_pct"] == pytest.approx(0.0, abs=1e-9)


def test_without_a_truth_hands_are_judged_by_themselves() -> None:
    """Bones, jitter and drift at rest need no truth; a hand that was never there is left out."""
    rng = np.random.default_rng(0)
    still = moving_hand(Side.RIGHT, FRAMES, (0.01, 0.0, 0.0), (0.0, 0.0, 0.0))
    shaken = replace(
        still, keypoints_m=still.keypoints_m + 0.001 * rng.normal(size=(FRAMES, 21, 3))
    )
    found = estimate(motions=[shaken])
    truth = bag_eval.truth_on_images(CLIP, found, [])
    assert set(truth.hands) == {Side.RIGHT}
    figures = bag_eval.figures_of("offline", CLIP, found, truth).hands[BOTH]
    assert figures["rest_jitter_mm"] == pytest.approx(np.sqrt(3.0), rel=0.1)
    assert figures["rest_drift_mm_s"] == pytest.approx(10.0, rel=0.1)
    assert figures["bone_variation_pct"] > 0.5
    assert "mpjpe_mm" not in figures


def test_a_moving_hand_does_not_rest() -> None:
    """Rest is found by the smoothed keypoints, and only where it lasts."""
    hand = estimate().hands[Side.RIGHT]
    assert not bag_eval.resting(hand, STAMPS).any()
    slow = EvalConfig(rest_speed_m_s=0.2)
    assert bag_eval.resting(hand, STAMPS, slow).all()
    assert not bag_eval.resting(hand, STAMPS, replace(slow, rest_least_s=10.0)).any()


def test_hidden_hands_do_not_count() -> None:
    """Where the truth says that nothing can be seen, a missing estimate is no fault."""
    visible = np.arange(FRAMES) < 30
    tracks = [replace(truth_of(Side.LEFT), visible=visible)]
    found = estimate()
    found.hands[Side.LEFT].keypoints_m[40:] = np.nan
    truth = bag_eval.truth_on_images(CLIP, found, tracks)
    figures = bag_eval.figures_of("offline", CLIP, found, truth).hands["left"]
    assert figures["observed_fraction"] == 1.0


def test_the_price_of_running_live() -> None:
    """Differences are live minus offline, missing hands are counted."""
    tracks = [truth_of(side) for side in Side]
    offline, live = estimate(0.0), estimate(0.01)
    live.hands[Side.LEFT].keypoints_m[10:25] = np.nan
    read = []
    for name, each in (("offline", offline), ("live", live)):
        truth = bag_eval.truth_on_images(CLIP, each, tracks)
        read.append(bag_eval.figures_of(name, CLIP, each, truth))
    price = bag_eval.online_penalty(read[0], read[1], (offline, live))
    assert price["mpjpe_mm"] == pytest.approx(10.0)
    assert price["wrist_apart_median_m"] == pytest.approx(0.01)
    assert price["hands_missing_fraction"] == pytest.approx(15.0 / 120.0)


def test_the_worst_moments() -> None:
    """The largest errors come first and are a second apart."""
    found = estimate()
    for row, error in ((5, 0.05), (8, 0.04), (50, 0.2)):
        found.hands[Side.RIGHT].keypoints_m[row] += error / np.sqrt(3.0)
    truth = bag_eval.truth_on_images(CLIP, found, [truth_of(side) for side in Side])
    worst = bag_eval.worst_rows(CLIP, found, truth, count=2)
    assert [row for row, _ in worst] == [50, 5]
    assert [error for _, error in worst] == pytest.approx([0.2, 0.05])
    alone = bag_eval.truth_on_images(CLIP, found, [])
    assert bag_eval.worst_rows(CLIP, found, alone, count=1)[0][0] in (50, 51)


def test_one_truth_a_side() -> None:
    """Two tracks of one side are a question, not a mean."""
    with pytest.raises(MetricError, match="several tracks of one side"):
        bag_eval.truth_on_images(CLIP, estimate(), [truth_of(Side.LEFT), truth_of(Side.LEFT)])


def test_nothing_to_align() -> None:
    """Wrists that never meet cannot be aligned."""
    empty = ClipEstimate({s: empty_hand(s, FRAMES) for s in Side}, np.zeros(0))
    with pytest.raises(MetricError):
        bag_eval.truth_on_images(CLIP, empty, [truth_of(Side.LEFT)], EvalConfig(align="rigid"))


def test_units() -> None:
    """Figures of the registry and of the wrist know their unit."""
    keys = ("mpjpe_mm", "observed_fraction", *bag_eval.WRIST_KEYS, "hands_missing_fraction")
    assert [bag_eval.unit_of(key) for key in keys] == ["mm", "", "m", "m", "m", "deg", ""]
