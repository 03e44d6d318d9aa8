"""Hands, tracks and message objects that the tests of messages and bags are made of."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import numpy as np

from hand4d_ros.geometry import se3, so3
from hand4d_ros.hand.model import HandModel, ShapedHand
from hand4d_ros.hand.orders import TIP_PARENTS
from hand4d_ros.types import HandState, HandTrack, Side, TrackingState
from hand4d_ros.wire import TrackedHands

STAMP_NS = 1_700_000_000_123_456_789


def stick_hand(side: Side) -> ShapedHand:
    """Return a hand of bones only, in MANO's axes: fingers -x, palm -y, thumb +z on the right."""
    joints, tips = [np.zeros(3)], {}
    for finger, z in (("index", 0.025), ("middle", 0.005), ("little", -0.035), ("ring", -0.015)):
        chain = [np.array([-x, 0.0, z]) for x in (0.09, 0.13, 0.155)]
        joints += chain
        tips[finger] = chain[-1] + np.array([-0.02, 0.0, 0.0])
    direction = np.array([-0.65, -0.3, 0.7]) / np.linalg.norm([-0.65, -0.3, 0.7])
    thumb = [np.array([-0.02, -0.01, 0.025]) + step * direction for step in (0.0, 0.04, 0.07, 0.09)]
    joints += thumb[:3]
    tips["thumb"] = thumb[3]
    template = np.array([tips[f] for f in ("thumb", "index", "middle", "ring", "little")])
    weights = np.zeros((5, 16))
    weights[np.arange(5), list(TIP_PARENTS)] = 1.0
    right = HandModel(
        name="stick",
        side=Side.RIGHT,
        template_m=template,
        shape_dirs_m=np.zeros((5, 3, 10)),
        pose_dirs_m=None,
        joints_m=np.array(joints),
        joint_shape_dirs_m=np.zeros((16, 3, 10)),
        weights=weights,
        faces=np.zeros((0, 3), dtype=np.int64),
        tip_vertices=np.arange(5),
    )
    return (right if side is Side.RIGHT else right.mirrored()).with_shape()


def hand(
    rng: np.random.Generator, side: Side, wrist_m: tuple[float, float, float] | None = None
) -> HandState:
    """Return a hand in a random pose, consistent in all its fields."""
    shaped = stick_hand(side)
    position = rng.normal(size=3) if wrist_m is None else np.array(wrist_m)
    T = se3.from_rotation_translation(so3.exp(rng.normal(size=3)), position)
    rotvec = rng.normal(scale=0.3, size=(15, 3))
    root = rng.normal(size=(6, 6)) * 0.01
    return HandState(
        side=side,
        T_frame_wrist=T,
        joint_rotvec=rotvec,
        betas=rng.normal(size=10),
        rest_wrist_m=shaped.joints_m[0] + 0.1,
        keypoints_m=shaped.keypoints(T, rotvec),
        keypoint_confidence=rng.uniform(size=21),
        keypoint_std_m=rng.uniform(size=21) * 0.01,
        wrist_covariance=root @ root.T,
        keypoints_px=np.full((21, 2), np.nan),
        reprojection_px=float("nan"),
    )


def track(
    rng: np.random.Generator,
    side: Side,
    state: TrackingState = TrackingState.OBSERVED,
    stamp_ns: int = STAMP_NS,
) -> HandTrack:
    """Return a track of a random hand."""
    return HandTrack(
        stamp_ns=stamp_ns,
        track_id=f"{side.label}-1",
        tracking_state=state,
        age_ns=0 if state is TrackingState.OBSERVED else 66_666_667,
        presence=0.875,
        hand=hand(rng, side),
        linear_velocity_m_s=rng.normal(size=3),
        angular_velocity_rad_s=rng.normal(size=3),
        reacquired=state is TrackingState.OBSERVED,
    )


def tracked_hands(seed: int = 0) -> TrackedHands:
    """Return both hands, one observed and one predicted."""
    rng = np.random.default_rng(seed)
    tracks = (track(rng, Side.LEFT, TrackingState.PREDICTED), track(rng, Side.RIGHT))
    T = se3.from_rotation_translation(so3.exp(rng.normal(size=3)), rng.normal(size=3))
    return TrackedHands(STAMP_NS, tracks, "odom", "head_camera", T, "builtin", "fit-1", 12.5)


def as_object(message: Any) -> Any:
    """Return an object with the attributes of a message dict, as rclpy and rosbags give it."""
    if isinstance(message, dict):
        return SimpleNamespace(**{key: as_object(value) for key, value in message.items()})
    if isinstance(message, list):
        return [as_object(item) for item in message]
    return message
