"""Types to nested dicts that mirror ROS messages, and back; no ROS is imported here.

A dict has exactly the fields of its message. Messages inside are dicts, sequences of messages
are lists, numeric arrays are numpy arrays of the message's element type, the rest are Python
values. ``hand4d_ros.ros.convert`` fills rclpy messages from them and ``hand4d_ros.replay.bags``
writes them into bags, so what is published and what is recorded cannot differ. The way back
reads the attributes of any object with the message's fields, from rclpy and rosbags alike.

Here, and nowhere else, quaternions turn from wxyz to xyzw.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np

from hand4d_ros.errors import RosError
from hand4d_ros.geometry import so3
from hand4d_ros.hand import measures
from hand4d_ros.shapes import Array, Float
from hand4d_ros.types import HandState, HandTrack, Side, TrackingState

Message = dict[str, Any]
"""A message as a nested dict."""

NS_PER_S = 1_000_000_000

OPERATOR_FROM_WRIST_RIGHT = np.array([[0.0, -1.0, 0.0], [0.0, 0.0, 1.0], [-1.0, 0.0, 0.0]])
"""Rotation from MANO's right wrist axes to the retargeting ("operator") frame.

MANO's flat right hand points its fingers along -x, its palm along -y and its thumb along +z.
The operator frame of dex-retargeting has z from wrist to fingertips, x out of the palm and y
from the little finger to the thumb. For row vectors it is the transpose,
``[[0, 0, -1], [-1, 0, 0], [0, 1, 0]]``."""

OPERATOR_FROM_WRIST_LEFT = np.array([[0.0, -1.0, 0.0], [0.0, 0.0, -1.0], [1.0, 0.0, 0.0]])
"""Rotation from the left wrist axes to the operator frame.

The left model is the mirror image through x = 0, so its fingers point along +x, its palm along
-y and its thumb along +z. With z along the fingers and x out of the palm, a rotation (no
mirroring) leaves y pointing away from the thumb: on the left the thumb has y < 0."""


@dataclass(frozen=True)
class TrackedHands:
    """All hands at one instant, with everything that ``HandStateArray`` says about them."""

    stamp_ns: int
    """Capture time of the image."""
    tracks: tuple[HandTrack, ...]
    world_frame: str = "world"
    camera_frame: str = "camera"
    T_world_camera: Float[Array, "4 4"] | None = None
    """Camera pose; None where it is unknown, which the message says with NaN."""
    hand_model: str = "builtin"
    """``"builtin"`` or ``"mano"``: the model that the parameters belong to."""
    model_id: str = ""
    """Estimator and weights that made this."""
    latency_ms: float = math.nan
    """From capture to publication; NaN offline."""


def time_from_ns(stamp_ns: int) -> Message:
    """Return ``builtin_interfaces/Time`` (or Duration) of integer nanoseconds, exactly.

    Raises:
        RosError: The seconds do not fit the message's 32 bits.
    """
    sec, nanosec = divmod(int(stamp_ns), NS_PER_S)
    if not -(2**31) <= sec < 2**31:
        msg = (
            f"a time of {stamp_ns} ns does not fit a ROS time, which counts 32-bit seconds; "
            "check that stamps are in nanoseconds"
        )
        raise RosError(msg)
    return {"sec": sec, "nanosec": nanosec}


def ns_from_time(time: Any) -> int:
    """Return integer nanoseconds of a ``builtin_interfaces/Time`` or Duration."""
    return int(time.sec) * NS_PER_S + int(time.nanosec)


def header(stamp_ns: int, frame_id: str) -> Message:
    """Return ``std_msgs/Header``."""
    return {"stamp": time_from_ns(stamp_ns), "frame_id": frame_id}


def xyz(vector: Float[Array, "3"]) -> Message:
    """Return ``geometry_msgs/Point`` or ``Vector3``."""
    x, y, z = vector.tolist()
    return {"x": x, "y": y, "z": z}


def xyz_list(points: Float[Array, "n 3"]) -> list[Message]:
    """Return a list of ``geometry_msgs/Point``."""
    return [{"x": x, "y": y, "z": z} for x, y, z in points.tolist()]


def vector_from_xyz(message: Any) -> Float[Array, "3"]:
    """Return the three coordinates of a Point or Vector3."""
    return np.array([message.x, message.y, message.z], dtype=float)


def points_from_list(messages: Any) -> Float[Array, "n 3"]:
    """Return the coordinates of a sequence of Points."""
    return np.array([(p.x, p.y, p.z) for p in messages], dtype=float).reshape(-1, 3)


def quaternion(wxyz: Float[Array, "4"]) -> Message:
    """Return ``geometry_msgs/Quaternion`` (xyzw, w not negative) of a wxyz quaternion."""
    w, x, y, z = (wxyz if wxyz[0] >= 0.0 else -wxyz).tolist()
    return {"x": x, "y": y, "z": z, "w": w}


def pose(T_frame_body: Float[Array, "4 4"]) -> Message:
    """Return ``geometry_msgs/Pose``."""
    return {
        "position": xyz(T_frame_body[:3, 3]),
        "orientation": quaternion(so3.quaternion_from_matrix(T_frame_body[:3, :3])),
    }


def unknown_pose() -> Message:
    """Return a pose of NaN, which says that the pose is not known."""
    nan = math.nan
    return {
        "position": {"x": nan, "y": nan, "z": nan},
        "orientation": {"x": nan, "y": nan, "z": nan, "w": nan},
    }


def matrix_from_pose(message: Any) -> Float[Array, "4 4"]:
    """Return the 4x4 matrix of a ``geometry_msgs/Pose``.

    The quaternion is normalised. One without a direction (zero or not finite) makes a matrix of
    NaN, never an identity that nobody sent.
    """
    return _matrix(message.position, message.orientation)


def matrix_from_transform(message: Any) -> Float[Array, "4 4"]:
    """Return ``T_parent_child`` of a ``geometry_msgs/Transform``, as ``matrix_from_pose`` does."""
    return _matrix(message.translation, message.rotation)


def _matrix(position: Any, q: Any) -> Float[Array, "4 4"]:
    wxyz = np.array([q.w, q.x, q.y, q.z], dtype=float)
    norm = float(np.linalg.norm(wxyz))
    matrix = np.eye(4)
    matrix[:3, 3] = vector_from_xyz(position)
    if not math.isfinite(norm) or norm < 1e-6:
        matrix[:3] = np.nan
    else:
        matrix[:3, :3] = so3.matrix_from_quaternion(wxyz / norm)
    return matrix


def pose_stamped(T_frame_body: Float[Array, "4 4"], stamp_ns: int, frame_id: str) -> Message:
    """Return ``geometry_msgs/PoseStamped``."""
    return {"header": header(stamp_ns, frame_id), "pose": pose(T_frame_body)}


def transform_stamped(
    T_parent_child: Float[Array, "4 4"], stamp_ns: int, parent: str, child: str
) -> Message:
    """Return ``geometry_msgs/TransformStamped``: the pose of ``child`` in ``parent``."""
    placed = pose(T_parent_child)
    return {
        "header": header(stamp_ns, parent),
        "child_frame_id": child,
        "transform": {"translation": placed["position"], "rotation": placed["orientation"]},
    }


def tf_message(transforms: list[Message]) -> Message:
    """Return ``tf2_msgs/TFMessage`` of transforms from ``transform_stamped``."""
    return {"transforms": transforms}


def operator_from_wrist(side: Side) -> Float[Array, "3 3"]:
    """Return the rotation from the wrist's MANO axes to the retargeting frame of this side."""
    return OPERATOR_FROM_WRIST_RIGHT if side is Side.RIGHT else OPERATOR_FROM_WRIST_LEFT


def keypoints_operator(
    keypoints_m: Float[Array, "21 3"], R_frame_wrist: Float[Array, "3 3"], side: Side
) -> Float[Array, "21 3"]:
    """Return keypoints relative to the wrist in dex-retargeting's "operator" frame (m).

    z points from the wrist to the fingertips, x out of the palm, y towards the thumb on a right
    hand and away from it on a left one: ``(k - k0) R_frame_wrist R_operator_wrist^T``.

    Args:
        keypoints_m: OpenPose order, in any frame.
        R_frame_wrist: MANO global orientation in that frame, of the model of this side.
        side: Which hand.
    """
    p_wrist = (keypoints_m - keypoints_m[0]) @ R_frame_wrist
    return np.asarray(p_wrist @ operator_from_wrist(side).T)


def joint_rotations(hand: HandState) -> Float[Array, "16 3 3"]:
    """Return the global rotations of MANO's 16 joints in the state's frame, MANO order."""
    local = so3.exp(hand.joint_rotvec).reshape(5, 3, 3, 3)
    rotations = np.empty((5, 3, 3, 3))
    rotation = np.broadcast_to(hand.T_frame_wrist[:3, :3], (5, 3, 3))
    for level in range(3):
        rotation = rotation @ local[:, level]
        rotations[:, level] = rotation
    return np.concatenate((hand.T_frame_wrist[None, :3, :3], rotations.reshape(15, 3, 3)))


def hand_state(track: HandTrack, world_frame: str, hand_model: str) -> Message:
    """Return ``hand4d_ros/HandState`` of one track.

    Raises:
        RosError: The pose holds a value that is not finite; such a hand is never sent.
    """
    hand = track.hand
    for name in ("T_frame_wrist", "keypoints_m", "joint_rotvec", "betas"):
        if not np.isfinite(getattr(hand, name)).all():
            msg = f"{name} of {track.track_id} is not finite, so the hand cannot be sent"
            raise RosError(msg)
    R_world_wrist = hand.T_frame_wrist[:3, :3]
    keypoints_m = hand.keypoints_m
    quaternions = so3.quaternion_from_matrix(joint_rotations(hand))
    mano_pose = np.concatenate(
        (so3.rotvec_from_quaternion(quaternions[0]), hand.joint_rotvec.ravel())
    )
    return {
        "header": header(track.stamp_ns, world_frame),
        "side": int(track.hand.side),
        "tracking_state": int(track.tracking_state),
        "track_id": track.track_id,
        "presence": float(track.presence),
        "reacquired": bool(track.reacquired),
        "age": time_from_ns(track.age_ns),
        "wrist": {
            "pose": {
                "position": xyz(hand.T_frame_wrist[:3, 3]),
                "orientation": quaternion(quaternions[0]),
            },
            "covariance": np.array(hand.wrist_covariance, dtype=np.float64).reshape(36),
        },
        "velocity": {
            "linear": xyz(track.linear_velocity_m_s),
            "angular": xyz(track.angular_velocity_rad_s),
        },
        "keypoints": xyz_list(keypoints_m),
        "keypoint_confidence": hand.keypoint_confidence.astype(np.float32),
        "keypoint_std": hand.keypoint_std_m.astype(np.float32),
        "keypoints_operator": xyz_list(keypoints_operator(keypoints_m, R_world_wrist, hand.side)),
        "joint_rotations": [quaternion(q) for q in quaternions],
        "hand_model": hand_model,
        "mano_pose": mano_pose.astype(np.float32),
        "mano_betas": hand.betas.astype(np.float32),
        "mano_transl": hand.transl_m.astype(np.float32),
        "hand_length": float(measures.hand_length_m(keypoints_m)),
        "pinch": float(measures.pinch(keypoints_m)),
        "grasp": float(measures.grasp(keypoints_m)),
    }


def hand_state_array(hands: TrackedHands) -> Message:
    """Return ``hand4d_ros/HandStateArray``.

    Raises:
        RosError: A hand holds a value that is not finite, or one side occurs twice.
    """
    sides = [track.hand.side for track in hands.tracks]
    if len(set(sides)) != len(sides):
        msg = f"each hand may occur once at one instant, got {[s.label for s in sides]}"
        raise RosError(msg)
    camera = hands.T_world_camera
    return {
        "header": header(hands.stamp_ns, hands.world_frame),
        "hands": [hand_state(t, hands.world_frame, hands.hand_model) for t in hands.tracks],
        "camera_pose": unknown_pose() if camera is None else pose(camera),
        "camera_frame": hands.camera_frame,
        "latency_ms": float(hands.latency_ms),
        "model_id": hands.model_id,
    }


def hand_track_from_message(message: Any) -> HandTrack:
    """Return the track that a ``HandState`` message holds.

    The image keypoints and the reprojection error are not in the message and come back as NaN.

    Raises:
        RosError: The side or tracking state is none of the message's constants.
    """
    try:
        side, state = Side(int(message.side)), TrackingState(int(message.tracking_state))
    except ValueError as error:
        msg = f"HandState of track {message.track_id!r}: {error}; see the constants in its .msg"
        raise RosError(msg) from None
    T_world_wrist = matrix_from_pose(message.wrist.pose)
    hand = HandState(
        side=side,
        T_frame_wrist=T_world_wrist,
        joint_rotvec=np.array(message.mano_pose, dtype=float)[3:].reshape(15, 3),
        betas=np.array(message.mano_betas, dtype=float),
        rest_wrist_m=T_world_wrist[:3, 3] - np.array(message.mano_transl, dtype=float),
        keypoints_m=points_from_list(message.keypoints),
        keypoint_confidence=np.array(message.keypoint_confidence, dtype=float),
        keypoint_std_m=np.array(message.keypoint_std, dtype=float),
        wrist_covariance=np.array(message.wrist.covariance, dtype=float).reshape(6, 6),
        keypoints_px=np.full((21, 2), np.nan),
        reprojection_px=math.nan,
    )
    return HandTrack(
        stamp_ns=ns_from_time(message.header.stamp),
        track_id=str(message.track_id),
        tracking_state=state,
        age_ns=ns_from_time(message.age),
        presence=float(message.presence),
        hand=hand,
        linear_velocity_m_s=vector_from_xyz(message.velocity.linear),
        angular_velocity_rad_s=vector_from_xyz(message.velocity.angular),
        reacquired=bool(message.reacquired),
    )


def tracked_hands_from_array(message: Any) -> TrackedHands:
    """Return what a ``HandStateArray`` message holds.

    Raises:
        RosError: A hand's side or tracking state is none of the message's constants.
    """
    camera = matrix_from_pose(message.camera_pose)
    return TrackedHands(
        stamp_ns=ns_from_time(message.header.stamp),
        tracks=tuple(hand_track_from_message(hand) for hand in message.hands),
        world_frame=str(message.header.frame_id),
        camera_frame=str(message.camera_frame),
        T_world_camera=camera if np.isfinite(camera).all() else None,
        hand_model=str(message.hands[0].hand_model) if len(message.hands) else "builtin",
        model_id=str(message.model_id),
        latency_ms=float(message.latency_ms),
    )
