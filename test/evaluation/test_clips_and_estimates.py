"""Clips hide the truth, estimates come from tracks, gaps are filled as the papers do."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from bench_samples import exact_clip, moving_hand, stamps

from hand4d_ros.errors import MetricError
from hand4d_ros.evaluation import interpolation
from hand4d_ros.evaluation.clips import Clip
from hand4d_ros.evaluation.estimates import ABSENT, HandEstimate, empty_hand, hands_from_tracks
from hand4d_ros.evaluation.motions import tracks_from_motions
from hand4d_ros.hand.builtin import builtin_hand
from hand4d_ros.types import Side, TrackingState

FRAMES = 30
MOTION = moving_hand(frames=FRAMES)
STAMPS = stamps(FRAMES)


def seen_in(rows: list[int], side: Side = Side.RIGHT) -> HandEstimate:
    """Return the steady hand, observed in some frames only."""
    motion = moving_hand(side, FRAMES)
    tracks = tracks_from_motions(STAMPS, (motion,))
    kept = [tracks[row] if row in rows else () for row in range(FRAMES)]
    return hands_from_tracks(kept, builtin_hand())[side]


def test_a_clip_needs_as_many_of_each() -> None:
    """Stamps, detections and poses must be equally many."""
    clip, _ = exact_clip()
    with pytest.raises(MetricError, match="give as many of each"):
        replace(clip, detections=clip.detections[:-1])


def test_frames_are_drawn_when_asked_for() -> None:
    """Without a picture, or where none is wanted, the image is black and of the right size."""
    clip, _ = exact_clip()
    drawn = replace(clip, draw=lambda index: np.full((480, 640, 3), index, dtype=np.uint8))
    assert drawn.frame(7).image[0, 0, 0] == 7
    assert not drawn.frame(7, with_image=False).image.any()
    black = clip.frame(3)
    assert black.image.shape == (clip.camera.height_px, clip.camera.width_px, 3)
    assert black.stamp_ns == clip.stamps_ns[3]
    assert clip.fps == pytest.approx(30.0, rel=1e-3)


def test_an_unknown_pose_is_none() -> None:
    """The pipeline must see that the odometry has no answer."""
    clip, _ = exact_clip()
    poses = clip.T_world_camera.copy()
    poses[2] = np.nan
    unknown = Clip(clip.name, clip.stamps_ns, clip.camera, clip.detections, poses)
    assert unknown.frame(2).T_world_camera is None
    assert unknown.frame(1).T_world_camera is not None


def test_lost_hands_leave_no_estimate() -> None:
    """A lost track keeps its state but no pose; an absent one has neither."""
    tracks = [list(each) for each in tracks_from_motions(STAMPS, (MOTION,))]
    tracks[4][0] = replace(tracks[4][0], tracking_state=TrackingState.LOST)
    hands = hands_from_tracks(tracks, builtin_hand())
    right, left = hands[Side.RIGHT], hands[Side.LEFT]
    assert right.state[4] == TrackingState.LOST
    assert not right.there[4]
    assert right.there.sum() == right.observed.sum() == FRAMES - 1
    assert (left.state == ABSENT).all()
    assert not left.there.any()


def test_meshes_are_made_on_demand() -> None:
    """Vertices agree with the shaped hand; without a model there are none."""
    hand = seen_in([0, 1])
    vertices = hand.vertices_m(np.array([1, 5]))
    assert vertices is not None
    expected = MOTION.hand.vertices(MOTION.T_world_wrist[1], MOTION.joint_rotvec[1])
    assert np.allclose(vertices[0], expected)
    assert np.isnan(vertices[1]).all()
    assert empty_hand(Side.LEFT, 3).vertices_m(np.array([0])) is None


@pytest.mark.parametrize("side", list(Side))
def test_steady_motion_survives_a_gap(side: Side) -> None:
    """A screw motion at constant speed is what SLERP and straight lines fill in exactly."""
    known = [0, 1, 2, 3, 15, 16, FRAMES - 1]
    found = interpolation.filled(seen_in(known, side), STAMPS)
    assert np.allclose(found.keypoints_m, moving_hand(side, FRAMES).keypoints_m, atol=1e-9)
    assert found.there.all()
    assert np.flatnonzero(found.observed).tolist() == known
    assert set(found.state[4:15]) == {int(TrackingState.INFILLED)}


def test_before_and_after_nothing_moves() -> None:
    """Outside of what was observed the hand stays where it was seen."""
    found = interpolation.filled(seen_in([10, 12]), STAMPS)
    assert np.allclose(found.keypoints_m[:10], MOTION.keypoints_m[10])
    assert np.allclose(found.keypoints_m[13:], MOTION.keypoints_m[12])
    assert found.keypoint_std_m is not None
    assert np.isfinite(found.keypoint_std_m).all()


def test_what_cannot_be_filled() -> None:
    """A hand that was never seen stays empty; one without a model cannot be posed."""
    assert not interpolation.filled(seen_in([]), STAMPS).there.any()
    with pytest.raises(MetricError, match="no hand model"):
        interpolation.filled(replace(seen_in([1, 2]), model=None), STAMPS)
