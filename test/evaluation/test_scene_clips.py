"""Scenes as clips: the truth is the scene's, the poses are the odometry's."""

from __future__ import annotations

import itertools
from dataclasses import replace

import numpy as np
from bench_samples import exact_clip, short_scene, truth_detector

from hand4d_ros.evaluation import scene_clips
from hand4d_ros.evaluation.occlusion_ratio import BINS, bin_names, in_bin, occlusion_ratios
from hand4d_ros.evaluation.screens import Cover, ScreenMotion, sampled_covers, with_screens
from hand4d_ros.synthetic.odometry_noise import OdometryNoise
from hand4d_ros.types import Side


def test_truth_is_that_of_the_scene() -> None:
    """Frame by frame the arrays agree with ``Scene.frame_truth``."""
    scene = short_scene()
    clip, truth = exact_clip()
    for row in (0, len(clip) - 1):
        expected = scene.frame_truth(row)
        assert clip.stamps_ns[row] == expected.stamp_ns
        assert np.allclose(truth.T_world_camera[row], expected.T_world_camera)
        for side, hand in truth.hands.items():
            state = expected.hands[side].world
            assert np.allclose(hand.keypoints_m[row], state.keypoints_m)
            assert np.allclose(hand.keypoints_px[row], state.keypoints_px, equal_nan=True)
            assert hand.in_view[row] == (expected.hands[side].in_image.sum() >= 15)


def test_perfect_odometry_is_the_truth() -> None:
    """Interpolation at the stamps costs less than a tenth of a millimetre."""
    clip, truth = exact_clip()
    assert np.allclose(clip.T_world_camera, truth.T_world_camera, atol=1e-4)
    assert clip.odometry_is_metric


def test_faulty_odometry() -> None:
    """Silence gives no pose, noise a noisy one, and a scale is said to be unknown."""
    scene = short_scene()
    silent = replace(scene.config, odometry=OdometryNoise(gaps_per_s=100.0, gap_s=5.0))
    assert np.isnan(scene_clips.measured_poses(replace(scene, config=silent))).any()
    late = replace(scene.config, odometry=OdometryNoise(latency_s=1.0))
    assert np.isnan(scene_clips.measured_poses(replace(scene, config=late))).all()
    scaled = replace(scene.config, odometry=OdometryNoise(scale=1.2))
    clip, _ = scene_clips.clip_and_truth(replace(scene, config=scaled), "s", truth_detector())
    assert not clip.odometry_is_metric


def test_levels_of_occlusion_leave_nothing_out() -> None:
    """Every ratio from 0 to 1 is in exactly one level."""
    ratio = np.array([0.0, 0.1, 0.25, 0.49, 0.5, 0.74999, 0.75, 1.0])
    inside = np.stack([in_bin(ratio, place) for place in range(len(BINS))])
    assert (inside.sum(axis=0) == 1).all()
    assert bin_names()[1] == "25-50%"
    assert not any(in_bin(np.array([np.nan]), place).any() for place in range(len(BINS)))


def test_a_board_hides_what_it_covers() -> None:
    """The measured ratio rises with the share, from hardly anything to everything."""
    scene = short_scene()
    found = []
    for share in (0.3, 0.6, 1.1):
        boarded = with_screens(scene, seed=0, until_s=0.0)
        boards = [m for m in boarded.thing_motions if isinstance(m, ScreenMotion)]
        held = tuple(
            replace(board, covers=(Cover(-2.0, 10.0, share if board.side is Side.RIGHT else 0.0),))
            for board in boards
        )
        things = tuple(m for m in boarded.thing_motions if not isinstance(m, ScreenMotion))
        ratios = occlusion_ratios(replace(boarded, thing_motions=(*things, *held)), every=6)
        found.append(float(np.nanmean(ratios[Side.RIGHT])))
    assert found[0] < found[1] < found[2]
    assert found[2] > 0.95
    assert found[0] < 0.65
    free = occlusion_ratios(scene, every=6)[Side.RIGHT]
    assert np.nanmean(free) < found[0]


def test_boards_come_and_go_smoothly() -> None:
    """A cover ramps up, holds and ramps down, and is nowhere before and after."""
    board = ScreenMotion(np.eye(4), covers=(Cover(1.0, 0.5, 0.8),))
    share = board.share(np.array([0.9, 1.0, 1.125, 1.25, 1.6, 1.75, 2.0, 2.1]))
    assert np.allclose(share, [0.0, 0.0, 0.4, 0.8, 0.8, 0.8, 0.0, 0.0])


def test_covers_take_turns_and_end_in_time() -> None:
    """No two overlap, all levels come, and the last is over when it must be."""
    covers = sampled_covers(np.random.default_rng(3), 20.0)
    assert all(a.end_s < b.start_s for a, b in itertools.pairwise(covers))
    assert covers[-1].end_s <= 20.0
    shares = [cover.share for cover in covers[:4]]
    assert min(shares) < 0.45
    assert max(shares) > 0.85


def test_a_board_waits_under_the_table() -> None:
    """Without a cover the board is out of sight and hides nothing."""
    scene = with_screens(short_scene(), seed=1, until_s=0.0)
    heights = [m.at(np.array([0.1]), scene.hands)[0, 2, 3] for m in scene.thing_motions[-2:]]
    assert max(heights) < 0.6
