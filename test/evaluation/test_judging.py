"""Clips judged: perfect is perfect, groups count their own frames, both hands weigh alike."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from bench_samples import moving_hand, stamps

from hand4d_ros.errors import MetricError
from hand4d_ros.evaluation.clips import Clip, ClipTruth, HandSeriesTruth, Sample
from hand4d_ros.evaluation.estimates import ClipEstimate, empty_hand, hands_from_tracks
from hand4d_ros.evaluation.judging import MESH_EVERY, WHOLE_CLIP_KEYS, judge, merged
from hand4d_ros.evaluation.motions import tracks_from_motions
from hand4d_ros.evaluation.scoring import ClipFigures, Figure
from hand4d_ros.geometry.camera import camera_from_fov, project
from hand4d_ros.hand.builtin import builtin_hand
from hand4d_ros.types import HandDetection, Side

FRAMES = 20
CAMERA = camera_from_fov(640, 480, 1.4)
MOTIONS = {side: moving_hand(side, FRAMES, (0.1, 0.0, 0.0)) for side in Side}


def sample() -> Sample:
    """Return both steady hands before a camera at rest, detected exactly."""
    hands = {}
    found: list[list[HandDetection]] = [[] for _ in range(FRAMES)]
    for side, motion in MOTIONS.items():
        px = project(CAMERA, motion.keypoints_m)
        hands[side] = HandSeriesTruth(
            side,
            motion.keypoints_m,
            px,
            np.ones(FRAMES, dtype=bool),
            motion.T_world_wrist,
            motion.joint_rotvec,
            motion.hand,
        )
        for row in range(FRAMES):
            found[row].append(HandDetection(side, 1.0, px[row], np.ones(21)))
    poses = np.tile(np.eye(4), (FRAMES, 1, 1))
    clip = Clip("steady", stamps(FRAMES), CAMERA, tuple(map(tuple, found)), poses)
    early = np.arange(FRAMES) < 8
    groups = {
        "early": dict.fromkeys(Side, early),
        "left late": {Side.LEFT: ~early, Side.RIGHT: np.zeros(FRAMES, dtype=bool)},
        "all": dict.fromkeys(Side, np.ones(FRAMES, dtype=bool)),
        "never": dict.fromkeys(Side, np.zeros(FRAMES, dtype=bool)),
    }
    return Sample(clip, ClipTruth(poses, hands), groups)


def estimate(shift_m: float = 0.0) -> ClipEstimate:
    """Return the true hands, moved aside."""
    moved = []
    for motion in MOTIONS.values():
        T = motion.T_world_wrist.copy()
        T[:, 0, 3] += shift_m
        points = motion.keypoints_m + np.array([shift_m, 0.0, 0.0])
        moved.append(replace(motion, T_world_wrist=T, keypoints_m=points, std_m=0.01))
    tracks = tracks_from_motions(stamps(FRAMES), moved)
    return ClipEstimate(hands_from_tracks(tracks, builtin_hand()), np.ones(FRAMES))


def test_the_truth_is_perfect() -> None:
    """Errors are zero, shares are one, and the mesh and image figures are there too."""
    judged = judge(sample(), estimate())
    values = judged.figures.values
    for key in ("mpjpe_mm", "pa_mpjpe_mm", "mpvpe_mm", "reprojection_px", "mr_cm"):
        assert values[key] == pytest.approx(0.0, abs=1e-6), key
    for key in ("observed_fraction", "f_at_5mm", "pck_0_05", "auc_j"):
        assert values[key] == pytest.approx(1.0), key
    assert judged.counts == (2 * FRAMES, 2 * FRAMES)
    assert judged.figures.figures["mpvpe_mm"].frames == 2 * -(-FRAMES // MESH_EVERY)


def test_a_shift_is_measured() -> None:
    """Three centimetres aside are 30 mm of plain error and none after alignment."""
    values = judge(sample(), estimate(0.03)).figures.values
    assert values["mpjpe_mm"] == pytest.approx(30.0)
    assert values["ra_mpjpe_mm"] == pytest.approx(0.0, abs=1e-6)
    assert values["reprojection_px"] > 1.0


def test_groups_count_their_own_frames() -> None:
    """A group has the figures of its frames only, without those of a course of time."""
    judged = judge(sample(), estimate())
    assert judged.group_counts == {"early": (16, 16), "left late": (12, 12), "all": (40, 40)}
    assert "never" not in judged.groups
    assert judged.groups["all"] is judged.figures
    early = judged.groups["early"].figures
    assert early["mpjpe_mm"].frames == 16
    assert not set(early) & set(WHOLE_CLIP_KEYS)


def test_a_missing_hand_counts_against_the_method() -> None:
    """No estimate of a hand in view lowers the observed share; errors are of the other hand."""
    found = estimate()
    alone = ClipEstimate({Side.LEFT: found.hands[Side.LEFT]}, found.frame_ms)
    judged = judge(sample(), alone)
    assert judged.figures.values["observed_fraction"] == pytest.approx(0.5)
    assert judged.counts == (2 * FRAMES, FRAMES)
    assert judged.figures.values["mpjpe_mm"] == pytest.approx(0.0, abs=1e-6)


def test_a_wrong_number_of_frames() -> None:
    """An estimate that does not fit the clip is refused."""
    found = estimate()
    short = empty_hand(Side.LEFT, FRAMES - 1)
    with pytest.raises(MetricError, match="give one each"):
        judge(sample(), ClipEstimate({Side.LEFT: short}, found.frame_ms))


def test_merging_weighs_by_frames() -> None:
    """The mean of two hands counts each frame once; a reason is kept only if all lack the key."""
    a = ClipFigures("a", 3, {"mpjpe_mm": Figure(10.0, 1)}, {"jerk_m_s3": "too short"})
    b = ClipFigures("b", 5, {"mpjpe_mm": Figure(20.0, 3), "jerk_m_s3": Figure(1.0, 3)})
    both = merged("c", [a, b])
    assert both.figures["mpjpe_mm"] == Figure(17.5, 4)
    assert both.frames == 5
    assert both.skipped == {}
    assert "jerk_m_s3" not in merged("c", [a, b], without=["jerk_m_s3"]).figures
