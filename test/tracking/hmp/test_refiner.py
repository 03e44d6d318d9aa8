"""HMP over a stream: every frame once, in order, gaps filled and marked, memory bounded."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from hand4d_ros.geometry import camera as cameras
from hand4d_ros.geometry import se3, so3
from hand4d_ros.hand.builtin import builtin_hand
from hand4d_ros.tracking.dynhamr.process import RefinedFrame
from hand4d_ros.tracking.hmp.config import HmpConfig
from hand4d_ros.tracking.hmp.refiner import Hmp
from hand4d_ros.tracking.priors.pca import PcaPrior
from hand4d_ros.types import Frame, HandDetection, HandTrack, Side, TrackingState

torch.set_num_threads(1)
CAMERA = cameras.camera_from_fov(640, 480, 1.2)
BLACK = np.zeros((480, 640, 3), dtype=np.uint8)
CONFIG = HmpConfig(prior="pca", newton_steps=(2, 2))
LONG = slice(150, 230)
SHORT = slice(105, 125)
FRAMES = 260


def _detection(number: int) -> HandDetection:
    t = number / 30.0
    hand = builtin_hand(Side.LEFT).with_shape()
    R = so3.exp(np.array([0.2 * np.sin(t), 0.3, 0.1]))
    T = se3.from_rotation_translation(R, np.array([0.03 * np.sin(t), 0.05, 0.45]))
    points = hand.keypoints(T, np.zeros((15, 3)))
    px = cameras.project(CAMERA, points)
    return HandDetection(Side.LEFT, 0.95, px, np.ones(21), points)


def _frame(number: int) -> Frame:
    return Frame(1_000_000_000 + round(number * 1e9 / 30.0), BLACK, CAMERA)


@pytest.fixture(scope="module")
def run() -> tuple[list[RefinedFrame], int]:
    """A left hand with a short gap over the border of two chunks, and a long one."""
    rng = torch.Generator().manual_seed(0)
    prior = PcaPrior(torch.zeros(770), 0.1 * torch.randn((770, 4), generator=rng))
    refiner = Hmp(CONFIG, builtin_hand(), prior)
    done: list[RefinedFrame] = []
    most = 0
    for number in range(FRAMES):
        hidden = any(gap.start <= number < gap.stop for gap in (SHORT, LONG))
        done += refiner.push(_frame(number), [] if hidden else [_detection(number)])
        most = max(most, len(refiner._kept))
    return done + refiner.finish(), most


def _tracks(done: list[RefinedFrame]) -> list[HandTrack | None]:
    return [each.tracks[0] if each.tracks else None for each in done]


def test_every_frame_comes_back_once_in_order(run: tuple[list[RefinedFrame], int]) -> None:
    """And no more are kept than a chunk and the longest gap."""
    done, most = run
    assert [each.frame.stamp_ns for each in done] == [_frame(i).stamp_ns for i in range(FRAMES)]
    assert most <= 128 + 1.7 * 30 + 1
    assert all(each.frame.image.size == 3 for each in done)


def test_short_gaps_are_infilled_and_long_ones_are_not(
    run: tuple[list[RefinedFrame], int],
) -> None:
    """What was not seen says so, with its age."""
    tracks = _tracks(run[0])
    for row in range(SHORT.start, SHORT.stop):
        track = tracks[row]
        assert track is not None
        assert track.tracking_state is TrackingState.INFILLED
        assert track.age_ns == track.stamp_ns - _frame(SHORT.start - 1).stamp_ns
        assert np.isnan(track.hand.keypoints_px).all()
    states = {t.tracking_state for t in tracks[LONG.start : LONG.stop] if t is not None}
    assert TrackingState.INFILLED not in states
    assert TrackingState.OBSERVED not in states


def test_the_left_hand_is_near_where_it_was_seen(run: tuple[list[RefinedFrame], int]) -> None:
    """Through the mirror and back, and in the gap, too: size and depth trade, the image not."""
    tracks = _tracks(run[0])
    for row in (20, 100, SHORT.start + 10, 140, 250):
        track = tracks[row]
        assert track is not None
        assert track.hand.side is Side.LEFT
        px = cameras.project(CAMERA, track.hand.keypoints_m)
        assert np.abs(px - _detection(row).keypoints_px).mean() < 12.0


def test_a_jump_in_time_starts_anew() -> None:
    """What was kept is handed out first."""
    refiner = Hmp(CONFIG, builtin_hand(), PcaPrior(torch.zeros(770), torch.zeros(770, 2)))
    assert refiner.push(_frame(100), [_detection(100)]) == []
    done = refiner.push(_frame(5), [_detection(5)])
    assert [each.frame.stamp_ns for each in done] == [_frame(100).stamp_ns]
    assert [each.frame.stamp_ns for each in refiner.finish()] == [_frame(5).stamp_ns]
