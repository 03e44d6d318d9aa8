"""Tracks: identity, gaps, jumps, swapped sides, world frame, smoothing."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from hand4d_ros.errors import ConfigError, TrackingError
from hand4d_ros.geometry import camera as cameras
from hand4d_ros.geometry import se3, so3
from hand4d_ros.hand.builtin import builtin_hand
from hand4d_ros.tracking.config import TrackerConfig
from hand4d_ros.tracking.tracker import Tracker
from hand4d_ros.tracking.transform import moved
from hand4d_ros.types import Frame, HandDetection, HandState, HandTrack, Side, TrackingState

CAMERA = cameras.camera_from_fov(640, 480, np.deg2rad(70.0))
STEP_NS = 33_000_000


def _frame(i: int, T_world_camera: np.ndarray | None = None, *, lost: bool = False) -> Frame:
    T = np.eye(4) if T_world_camera is None else T_world_camera
    image = np.zeros((480, 640, 3), np.uint8)
    return Frame(i * STEP_NS, image, CAMERA, None if lost else T)


def _state(side: Side, wrist_m: tuple[float, float, float]) -> HandState:
    hand = builtin_hand() if side is Side.RIGHT else builtin_hand().mirrored()
    T = se3.from_rotation_translation(so3.exp(np.array([0.2, 1.0, 0.3])), np.array(wrist_m))
    keypoints_m = hand.with_shape().keypoints(T, np.zeros((15, 3)))
    return HandState(
        side=side,
        T_frame_wrist=T,
        joint_rotvec=np.zeros((15, 3)),
        betas=np.zeros(10),
        rest_wrist_m=np.zeros(3),
        keypoints_m=keypoints_m,
        keypoint_confidence=np.ones(21),
        keypoint_std_m=np.full(21, 0.01),
        wrist_covariance=np.diag([1e-4, 2e-4, 9e-4, 1e-2, 1e-2, 1e-2]),
        keypoints_px=cameras.project(CAMERA, keypoints_m),
        reprojection_px=1.0,
    )


def _detection(state: HandState, side: Side | None = None, score: float = 0.9) -> HandDetection:
    side = state.side if side is None else side
    return HandDetection(side, score, state.keypoints_px, np.ones(21))


def _one(tracks: list[HandTrack]) -> HandTrack:
    (track,) = tracks
    return track


@pytest.fixture
def tracker() -> Tracker:
    """Return a tracker with the default settings."""
    return Tracker(TrackerConfig(), builtin_hand())


def test_world_pose_and_covariance_follow_the_camera(tracker: Tracker) -> None:
    """A hand is moved to the world by the camera's pose, its covariance turned with it."""
    T = se3.from_rotation_translation(so3.exp(np.array([0.0, 1.2, 0.4])), np.array([1.0, 2.0, 3.0]))
    state = _state(Side.LEFT, (0.1, 0.0, 0.4))
    track = _one(tracker.update(_frame(0, T), [state]))
    np.testing.assert_allclose(track.hand.T_frame_wrist, T @ state.T_frame_wrist, atol=1e-12)
    np.testing.assert_allclose(
        track.hand.wrist_covariance[:3, :3],
        T[:3, :3] @ state.wrist_covariance[:3, :3] @ T[:3, :3].T,
        atol=1e-15,
    )
    back = moved(track.hand, se3.inverse(T))
    np.testing.assert_allclose(back.keypoints_m, state.keypoints_m, atol=1e-12)


def test_one_identity_while_seen_then_predicted_then_lost_once(tracker: Tracker) -> None:
    """Seen, held, declared lost once, silent, and a new identity afterwards."""
    state = _state(Side.RIGHT, (0.0, 0.0, 0.4))
    ids = {_one(tracker.update(_frame(i), [state])).track_id for i in range(5)}
    assert ids == {"right-1"}
    seen: list[TrackingState] = []
    for i in range(5, 25):
        seen += [t.tracking_state for t in tracker.update(_frame(i), [])]
    held = round(0.3 / 0.033)
    assert seen == [TrackingState.PREDICTED] * held + [TrackingState.LOST]
    assert _one(tracker.update(_frame(30), [state])).track_id == "right-2"


def test_predicted_hands_move_on_and_say_that_they_are_not_seen(tracker: Tracker) -> None:
    """An unseen hand goes on in its direction, less sure, older, with no image keypoints."""
    for i in range(12):
        last = _one(tracker.update(_frame(i), [_state(Side.RIGHT, (0.02 * i, 0.0, 0.4))]))
    track = _one(tracker.update(_frame(13), []))
    assert track.tracking_state is TrackingState.PREDICTED
    assert track.hand.wrist_m[0] > last.hand.wrist_m[0] + 0.01
    assert track.age_ns == 2 * STEP_NS
    assert np.isnan(track.hand.keypoints_px).all()
    assert not track.hand.keypoint_confidence.any()
    assert (track.hand.keypoint_std_m > last.hand.keypoint_std_m).all()
    assert track.presence < last.presence


def test_velocity_of_a_steady_motion(tracker: Tracker) -> None:
    """A wrist that moves at 0.6 m/s is said to."""
    for i in range(20):
        x = 0.6 * i * STEP_NS * 1e-9
        track = _one(tracker.update(_frame(i), [_state(Side.LEFT, (x, 0.0, 0.5))]))
    np.testing.assert_allclose(track.linear_velocity_m_s, [0.6, 0.0, 0.0], atol=0.01)
    np.testing.assert_allclose(track.angular_velocity_rad_s, 0.0, atol=1e-6)


def test_reacquired_is_said_once(tracker: Tracker) -> None:
    """The first frame after a short gap keeps the identity and says that it follows a gap."""
    state = _state(Side.RIGHT, (0.0, 0.0, 0.4))
    flags = []
    for i in range(8):
        states = [] if i in (3, 4) else [state]
        flags.append(_one(tracker.update(_frame(i), states)).reacquired)
    assert flags == [False, False, False, False, False, True, False, False]


def test_a_jump_is_not_believed_until_it_lasts(tracker: Tracker) -> None:
    """One frame a metre away is ignored; three make a new track there."""
    near, far = _state(Side.RIGHT, (0.0, 0.0, 0.4)), _state(Side.RIGHT, (1.0, 0.0, 1.4))
    for i in range(4):
        tracker.update(_frame(i), [near])
    track = _one(tracker.update(_frame(4), [far]))
    assert track.tracking_state is TrackingState.PREDICTED
    assert np.linalg.norm(track.hand.wrist_m - near.wrist_m) < 0.05
    assert _one(tracker.update(_frame(5), [near])).track_id == "right-1"
    tracks = [_one(tracker.update(_frame(6 + i), [far])) for i in range(3)]
    assert [t.tracking_state for t in tracks[:2]] == [TrackingState.PREDICTED] * 2
    assert tracks[2].track_id == "right-2"
    np.testing.assert_allclose(tracks[2].hand.wrist_m, far.wrist_m)


def test_swapped_sides_are_mended_then_believed(tracker: Tracker) -> None:
    """A label that flips for a moment is repaired; one that stays flipped is believed."""
    left, right = _state(Side.LEFT, (-0.12, 0.0, 0.4)), _state(Side.RIGHT, (0.12, 0.0, 0.4))
    for i in range(4):
        tracker.update(_frame(i), [left, right])
    swapped = [_detection(left, Side.RIGHT), _detection(right, Side.LEFT)]
    mended = tracker.screen(_frame(4), swapped)
    assert {d.side: d.keypoints_px[0, 0] for d in mended} == {
        Side.LEFT: left.keypoints_px[0, 0],
        Side.RIGHT: right.keypoints_px[0, 0],
    }
    tracker.screen(_frame(5), swapped)
    believed = tracker.screen(_frame(6), swapped)
    assert {d.side: d.keypoints_px[0, 0] for d in believed}[Side.RIGHT] == left.keypoints_px[0, 0]


def test_two_hands_with_one_label_become_two_sides(tracker: Tracker) -> None:
    """When both hands are labelled right, the one where the left hand was becomes left."""
    left, right = _state(Side.LEFT, (-0.12, 0.0, 0.4)), _state(Side.RIGHT, (0.12, 0.0, 0.4))
    tracker.update(_frame(0), [left, right])
    kept = tracker.screen(_frame(1), [_detection(left, Side.RIGHT), _detection(right)])
    assert {d.side for d in kept} == set(Side)


def test_more_than_two_hands_and_unsure_ones(tracker: Tracker) -> None:
    """At most one hand a side is kept, the surest; doubtful ones are ignored."""
    a, b = _state(Side.RIGHT, (0.1, 0.0, 0.4)), _state(Side.RIGHT, (-0.2, 0.1, 0.5))
    detections = [_detection(a, score=0.8), _detection(b, score=0.95), _detection(a, score=0.2)]
    (kept,) = tracker.screen(_frame(0), detections)
    assert kept.score == 0.95


def test_without_camera_pose_nothing_is_placed(tracker: Tracker) -> None:
    """A frame without odometry extrapolates and observes nothing."""
    state = _state(Side.RIGHT, (0.0, 0.0, 0.4))
    tracker.update(_frame(0), [state])
    track = _one(tracker.update(_frame(1, lost=True), [state]))
    assert track.tracking_state is TrackingState.PREDICTED


def test_stamps_must_rise(tracker: Tracker) -> None:
    """A frame that is not later than the last one is refused; reset allows it."""
    tracker.update(_frame(3), [])
    for i in (3, 2):
        with pytest.raises(TrackingError, match="feed frames in the order of their stamps"):
            tracker.update(_frame(i), [])
    tracker.reset()
    tracker.update(_frame(2), [])


def test_one_euro_lowers_jitter_and_keeps_up() -> None:
    """At rest noise shrinks at least threefold; a steady motion lags by less than 3 cm."""
    rng = np.random.default_rng(0)
    smooth = Tracker(TrackerConfig(smoothing="one_euro"), builtin_hand())
    raw, out = [], []
    for i in range(90):
        noisy = _state(
            Side.RIGHT, tuple(np.array([0.0, 0.0, 0.4]) + rng.normal(scale=0.003, size=3))
        )
        raw.append(noisy.wrist_m)
        out.append(_one(smooth.update(_frame(i), [noisy])).hand.wrist_m)
    assert np.diff(out[20:], axis=0).std() < np.diff(raw[20:], axis=0).std() / 3.0
    for i in range(90, 130):
        x = 0.5 * (i - 89) * STEP_NS * 1e-9
        track = _one(smooth.update(_frame(i), [_state(Side.RIGHT, (x, 0.0, 0.4))]))
    assert abs(track.hand.wrist_m[0] - x) < 0.03
    T, rotvec = track.hand.T_frame_wrist, track.hand.joint_rotvec
    np.testing.assert_allclose(
        builtin_hand().with_shape().keypoints(T, rotvec), track.hand.keypoints_m, atol=1e-9
    )


@pytest.mark.parametrize(("name", "value"), [("hold_s", -1.0), ("believe_after", 0)])
def test_impossible_settings_are_refused(name: str, value: float) -> None:
    """Nonsense is refused with what was given and what is allowed."""
    with pytest.raises(ConfigError, match=f"{name} is {value}; give a value between"):
        replace(TrackerConfig(), **{name: value})  # type: ignore[arg-type]
