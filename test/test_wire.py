"""Properties of ``hand4d_ros.wire``: exact times, frames, and round trips of the main messages."""

from __future__ import annotations

from dataclasses import fields, replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from wire_samples import STAMP_NS, as_object, stick_hand, track, tracked_hands

from hand4d_ros import wire
from hand4d_ros.errors import RosError
from hand4d_ros.geometry import se3, so3
from hand4d_ros.types import HandState, HandTrack, Side, TrackingState


def random_pose(seed: int) -> np.ndarray:
    """Return a random rigid transform."""
    rng = np.random.default_rng(seed)
    return se3.from_rotation_translation(so3.exp(rng.normal(size=3)), rng.normal(size=3))


@given(st.integers(-(2**31) * 10**9, (2**31) * 10**9 - 1))
def test_time_is_exact(stamp_ns: int) -> None:
    """Every nanosecond that fits a ROS time comes back as it went in."""
    time = wire.time_from_ns(stamp_ns)
    assert 0 <= time["nanosec"] < 10**9
    assert wire.ns_from_time(as_object(time)) == stamp_ns


@pytest.mark.parametrize("stamp_ns", [2**31 * 10**9, -(2**31) * 10**9 - 1])
def test_time_out_of_range(stamp_ns: int) -> None:
    """A time that 32-bit seconds cannot hold is refused."""
    with pytest.raises(RosError, match="does not fit a ROS time"):
        wire.time_from_ns(stamp_ns)


@pytest.mark.parametrize("seed", range(5))
def test_pose_round_trip(seed: int) -> None:
    """A pose survives the message, whose quaternion is xyzw and has w >= 0."""
    T = random_pose(seed)
    message = wire.pose(T)
    q = message["orientation"]
    assert list(q) == ["x", "y", "z", "w"]
    assert q["w"] >= 0.0
    np.testing.assert_allclose(wire.matrix_from_pose(as_object(message)), T, atol=1e-12)


def test_quaternion_order() -> None:
    """A quarter turn about z is (0, 0, s, s) as x, y, z, w."""
    q = wire.pose(se3.from_rotation_translation(so3.exp(np.array([0, 0, np.pi / 2])), np.zeros(3)))
    s = np.sqrt(0.5)
    np.testing.assert_allclose([q["orientation"][k] for k in "xyzw"], [0, 0, s, s], atol=1e-12)


@pytest.mark.parametrize("bad", [0.0, np.nan, np.inf])
def test_pose_without_rotation(bad: float) -> None:
    """A quaternion without direction gives NaN, never an identity."""
    message = wire.pose(np.eye(4))
    message["orientation"] = dict.fromkeys("xyzw", bad)
    assert np.isnan(wire.matrix_from_pose(as_object(message))[:3]).all()


def test_transform_round_trip() -> None:
    """A transform names parent and child and keeps the pose."""
    T = random_pose(3)
    message = wire.transform_stamped(T, STAMP_NS, "odom", "left_wrist")
    assert (message["header"]["frame_id"], message["child_frame_id"]) == ("odom", "left_wrist")
    got = wire.matrix_from_transform(as_object(message["transform"]))
    np.testing.assert_allclose(got, T, atol=1e-12)
    assert wire.tf_message([message])["transforms"][0] is message


@pytest.mark.parametrize("side", list(Side))
@pytest.mark.parametrize("seed", range(3))
def test_operator_frame(side: Side, seed: int) -> None:
    """Tips at z > 0; thumb at y > 0 right, y < 0 left; fingers curl towards +x; a rotation."""
    T = random_pose(seed)
    flat = stick_hand(side).keypoints(T, np.zeros((15, 3)))
    got = wire.keypoints_operator(flat, T[:3, :3], side)
    np.testing.assert_allclose(got[0], 0.0, atol=1e-12)
    assert (got[[8, 12, 16, 20], 2] > 0.1).all()
    assert got[4, 2] > 0.0
    thumb_y = got[4, 1]
    assert thumb_y > 0.02 if side is Side.RIGHT else thumb_y < -0.02
    # Flexion is a positive turn about the right wrist's +z axis, mirrored for the left model.
    flex = np.zeros((15, 3))
    flex[[0, 3, 6, 9], 2] = 1.2 if side is Side.RIGHT else -1.2
    bent = wire.keypoints_operator(stick_hand(side).keypoints(T, flex), T[:3, :3], side)
    assert (bent[[8, 12, 16, 20], 0] > 0.05).all()
    rotation = wire.operator_from_wrist(side)
    np.testing.assert_allclose(rotation @ rotation.T, np.eye(3), atol=1e-12)
    np.testing.assert_allclose(np.linalg.det(rotation), 1.0, atol=1e-12)


def test_operator_frame_equals_dex_retargeting() -> None:
    """The right hand follows OPERATOR2MANO of dex-retargeting, the left its 180 degree turn."""
    right = np.array([[0, 0, -1], [-1, 0, 0], [0, 1, 0]], dtype=float)
    left = np.diag([-1.0, -1.0, 1.0]) @ np.array([[0, 0, -1], [1, 0, 0], [0, -1, 0]], dtype=float)
    np.testing.assert_array_equal(wire.operator_from_wrist(Side.RIGHT).T, right)
    np.testing.assert_array_equal(wire.operator_from_wrist(Side.LEFT).T, left)


@pytest.mark.parametrize("side", list(Side))
def test_operator_frame_of_mirrored_hands(side: Side) -> None:
    """A mirrored hand has the same operator keypoints with y negated."""
    rng = np.random.default_rng(1)
    rotvec = rng.normal(scale=0.4, size=(15, 3))
    mirror_rotvec = rotvec * np.array([1.0, -1.0, -1.0])
    here = stick_hand(side).keypoints(np.eye(4), rotvec)
    there = stick_hand(Side(1 - side)).keypoints(np.eye(4), mirror_rotvec)
    got = wire.keypoints_operator(here, np.eye(3), side)
    mirrored = wire.keypoints_operator(there, np.eye(3), Side(1 - side))
    np.testing.assert_allclose(got * [1.0, -1.0, 1.0], mirrored, atol=1e-12)


@pytest.mark.parametrize("side", list(Side))
def test_joint_rotations_are_those_of_the_model(side: Side) -> None:
    """Global joint rotations equal the hand model's own forward kinematics."""
    hand = track(np.random.default_rng(2), side).hand
    expected = stick_hand(side).joint_rotations(hand.T_frame_wrist, hand.joint_rotvec)
    np.testing.assert_allclose(wire.joint_rotations(hand), expected, atol=1e-12)


def assert_same_state(got: HandState, want: HandState) -> None:
    """Compare every field that a message carries; some are float32 there."""
    for item in fields(HandState):
        a, b = getattr(got, item.name), getattr(want, item.name)
        np.testing.assert_allclose(a, b, rtol=1e-6, atol=3e-7, err_msg=item.name)


def assert_same_track(got: HandTrack, want: HandTrack) -> None:
    """Compare two tracks."""
    for item in fields(HandTrack):
        a, b = getattr(got, item.name), getattr(want, item.name)
        if item.name == "hand":
            assert_same_state(a, b)
        elif isinstance(b, np.ndarray):
            np.testing.assert_allclose(a, b, rtol=1e-12)
        else:
            assert a == b, item.name


def test_hand_state_array_round_trip() -> None:
    """Both hands and all that is said about them survive the message."""
    hands = tracked_hands()
    got = wire.tracked_hands_from_array(as_object(wire.hand_state_array(hands)))
    for one, other in zip(got.tracks, hands.tracks, strict=True):
        assert_same_track(one, other)
    assert got.T_world_camera is not None
    assert hands.T_world_camera is not None
    np.testing.assert_allclose(got.T_world_camera, hands.T_world_camera, atol=1e-12)
    rest = replace(got, tracks=hands.tracks, T_world_camera=hands.T_world_camera)
    assert rest == hands


def test_unknown_camera_pose_is_nan() -> None:
    """Without odometry the camera pose is NaN in the message and None after it."""
    message = wire.hand_state_array(replace(tracked_hands(), T_world_camera=None))
    assert np.isnan(message["camera_pose"]["position"]["x"])
    assert wire.tracked_hands_from_array(as_object(message)).T_world_camera is None


def test_mano_parameters_reproduce_keypoints() -> None:
    """The message's pose and translation alone give the keypoints back through the model."""
    one = track(np.random.default_rng(5), Side.LEFT)
    message = wire.hand_state(one, "odom", "builtin")
    pose = message["mano_pose"].astype(float)
    wrist_m = message["mano_transl"].astype(float) + one.hand.rest_wrist_m
    T = se3.from_rotation_translation(so3.exp(pose[:3]), wrist_m)
    keypoints = stick_hand(Side.LEFT).keypoints(T, pose[3:].reshape(15, 3))
    sent = np.array([[p["x"], p["y"], p["z"]] for p in message["keypoints"]])
    np.testing.assert_allclose(keypoints, sent, atol=1e-6)


@pytest.mark.parametrize("name", ["T_frame_wrist", "keypoints_m", "joint_rotvec", "betas"])
def test_hand_that_is_not_finite_is_refused(name: str) -> None:
    """A hand with NaN in it never becomes a message."""
    one = track(np.random.default_rng(0), Side.RIGHT)
    broken = getattr(one.hand, name).copy()
    broken.flat[3] = np.nan
    with pytest.raises(RosError, match=f"{name} of right-1 is not finite"):
        wire.hand_state(replace(one, hand=replace(one.hand, **{name: broken})), "odom", "builtin")


def test_same_side_twice_is_refused() -> None:
    """An array holds each hand once."""
    one = track(np.random.default_rng(0), Side.RIGHT)
    with pytest.raises(RosError, match="each hand may occur once"):
        wire.hand_state_array(wire.TrackedHands(STAMP_NS, (one, one)))


@pytest.mark.parametrize("field", ["side", "tracking_state"])
def test_unknown_constants_are_refused(field: str) -> None:
    """A side or state outside of the constants is an error that names the track."""
    message = wire.hand_state(track(np.random.default_rng(0), Side.RIGHT), "odom", "builtin")
    message[field] = 9
    with pytest.raises(RosError, match="HandState of track 'right-1'"):
        wire.hand_track_from_message(as_object(message))


def test_lost_track_keeps_its_state() -> None:
    """A lost hand says so and says how old it is."""
    one = track(np.random.default_rng(0), Side.LEFT, TrackingState.LOST)
    message = wire.hand_state(one, "odom", "builtin")
    assert message["tracking_state"] == TrackingState.LOST
    assert wire.ns_from_time(as_object(message["age"])) == one.age_ns
