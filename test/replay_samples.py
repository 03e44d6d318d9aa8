"""Small bags of a moving camera and two hands, and a pipeline that knows the truth."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
from wire_samples import stick_hand

from hand4d_ros import wire, wire_sensors
from hand4d_ros.errors import DetectionError
from hand4d_ros.geometry import se3, so3
from hand4d_ros.geometry.camera import camera_from_fov
from hand4d_ros.imaging import jpeg_from_rgb
from hand4d_ros.pipeline import PipelineResult
from hand4d_ros.replay.bags import BagWriter
from hand4d_ros.replay.inputs import (
    CAMERA_INFO_TYPE,
    COMPRESSED_TYPE,
    DIAGNOSTICS_TYPE,
    HANDS_TOPIC,
    HANDS_TYPE,
    IMAGE_TYPE,
    ODOMETRY_TYPE,
    TF_TYPE,
    TRUTH_TOPIC,
)
from hand4d_ros.types import CameraModel, Frame, HandState, HandTrack, Side, TrackingState

START_NS = 1_700_000_000_000_000_000
STEP_NS = 33_333_333
WIDTH, HEIGHT = 96, 72
CAMERA: CameraModel = camera_from_fov(WIDTH, HEIGHT, 1.2)

R_WORLD_LOOK = np.array([[0.0, 0.0, 1.0], [-1.0, 0.0, 0.0], [0.0, -1.0, 0.0]])
"""A camera that looks along the world's x axis, upright."""


def stamp_ns(index: int) -> int:
    """Return the stamp of an image."""
    return START_NS + index * STEP_NS


def camera_pose(at_ns: int) -> np.ndarray:
    """Return the pose of the moving camera at an instant."""
    t = (at_ns - START_NS) * 1e-9
    R = so3.exp(np.array([0.0, 0.0, 0.2 * t])) @ R_WORLD_LOOK
    return se3.from_rotation_translation(R, np.array([0.1 * t, 0.05 * t, 1.5]))


def true_hand(side: Side, at_ns: int) -> HandState:
    """Return a hand half a metre before the start of the camera, that moves and closes."""
    t = (at_ns - START_NS) * 1e-9
    y = 0.12 if side is Side.LEFT else -0.12
    # Fingers up, palm towards the camera: the columns are the wrist's axes in the world.
    up = -1.0 if side is Side.RIGHT else 1.0
    R = np.array([[0.0, 1.0, 0.0], [0.0, 0.0, up], [up, 0.0, 0.0]])
    T = se3.from_rotation_translation(R, np.array([0.5, y + 0.05 * np.sin(2 * t), 1.45]))
    rotvec = np.zeros((15, 3))
    rotvec[:12, 2] = 0.4 * (1.0 - np.cos(t)) * (1.0 if side is Side.RIGHT else -1.0)
    shaped = stick_hand(side)
    return HandState(
        side=side,
        T_frame_wrist=T,
        joint_rotvec=rotvec,
        betas=np.zeros(10),
        rest_wrist_m=np.zeros(3),
        keypoints_m=shaped.keypoints(T, rotvec),
        keypoint_confidence=np.ones(21),
        keypoint_std_m=np.full(21, 0.01),
        wrist_covariance=np.eye(6) * 1e-4,
        keypoints_px=np.full((21, 2), np.nan),
        reprojection_px=1.0,
    )


def track_of(
    side: Side, at_ns: int, state: TrackingState = TrackingState.OBSERVED, shift_m: float = 0.0
) -> HandTrack:
    """Return the track of the true hand, shifted along the world's y axis."""
    hand = true_hand(side, at_ns)
    shift = np.array([0.0, shift_m, 0.0])
    T = hand.T_frame_wrist.copy()
    T[:3, 3] += shift
    return HandTrack(
        stamp_ns=at_ns,
        track_id=f"{side.label}-1",
        tracking_state=state,
        age_ns=0 if state is TrackingState.OBSERVED else 2 * STEP_NS,
        presence=1.0,
        hand=replace(hand, T_frame_wrist=T, keypoints_m=hand.keypoints_m + shift),
        linear_velocity_m_s=np.zeros(3),
        angular_velocity_rad_s=np.zeros(3),
    )


def hands_message(index: int, tracks: Sequence[HandTrack], latency_ms: float) -> wire.Message:
    """Return the message of all hands at one image."""
    at_ns = stamp_ns(index)
    pose = camera_pose(at_ns)
    hands = wire.TrackedHands(at_ns, tuple(tracks), "odom", "camera", pose, latency_ms=latency_ms)
    return wire.hand_state_array(hands)


def write_output(
    path: Path, images: int = 30, *, shift_m: float = 0.0, drop: Sequence[int] = ()
) -> Path:
    """Write what a live run may have published: all states, some images dropped, latencies."""
    with BagWriter(path) as bag:
        for index in range(images):
            if index in drop:
                continue
            state = TrackingState.PREDICTED if 10 <= index < 13 else TrackingState.OBSERVED
            tracks = [track_of(Side.RIGHT, stamp_ns(index), shift_m=shift_m)]
            if index < 20:
                tracks.append(track_of(Side.LEFT, stamp_ns(index), state, shift_m))
            elif index == 20:
                tracks.append(track_of(Side.LEFT, stamp_ns(index), TrackingState.LOST))
            message = hands_message(index, tracks, 20.0 + index)
            bag.write(HANDS_TOPIC, HANDS_TYPE, message, stamp_ns(index) + 20_000_000)
        values = {"drops.superseded": max(len(drop) - 1, 0)}
        status = wire_sensors.diagnostic_array(stamp_ns(images), 0, "t: frames", "ok", values)
        bag.write("/diagnostics", DIAGNOSTICS_TYPE, status, stamp_ns(images))
    return path


@dataclass(frozen=True)
class InputOptions:
    """What an input bag holds."""

    images: int = 30
    raw: bool = True
    camera_info: bool = True
    odometry_hz: float = 60.0
    """0 for none."""
    base: str = "camera"
    """The odometry's child frame."""
    T_base_camera: np.ndarray | None = None
    """Extrinsic on /tf_static."""
    truth: bool = False
    stamps_ns: Sequence[int] = field(default_factory=tuple)
    """Stamps in the order of recording, in place of a steady rate."""


def write_input(path: Path, options: InputOptions | None = None) -> Path:
    """Write a bag of images of a moving camera with odometry."""
    options = options or InputOptions()
    stamps = list(options.stamps_ns) or [stamp_ns(i) for i in range(options.images)]
    with BagWriter(path) as bag:
        if options.T_base_camera is not None:
            tf = wire.transform_stamped(options.T_base_camera, START_NS, options.base, "camera")
            bag.write("/tf_static", TF_TYPE, wire.tf_message([tf]), START_NS - STEP_NS)
        events: list[tuple[int, str, int]] = []
        for order, at_ns in enumerate(stamps):
            log_ns = START_NS + order * STEP_NS
            events.append((log_ns + 3_000_000, "image", at_ns))
        if options.odometry_hz:
            step_ns = int(1e9 / options.odometry_hz)
            end_ns = START_NS + (len(stamps) + 2) * STEP_NS
            events += [(at, "odom", at) for at in range(START_NS - STEP_NS, end_ns, step_ns)]
        for log_ns, kind, at_ns in sorted(events):
            if kind == "odom":
                _write_odometry(bag, at_ns, log_ns, options)
            else:
                _write_image(bag, at_ns, log_ns, options)
    return path


def _write_odometry(bag: BagWriter, at_ns: int, log_ns: int, options: InputOptions) -> None:
    pose = camera_pose(at_ns)
    if options.T_base_camera is not None:
        pose = pose @ se3.inverse(options.T_base_camera)
    message = wire_sensors.odometry(pose, at_ns, "odom", options.base)
    bag.write("/odom", ODOMETRY_TYPE, message, log_ns)


def _write_image(bag: BagWriter, at_ns: int, log_ns: int, options: InputOptions) -> None:
    rgb = np.full((HEIGHT, WIDTH, 3), 90, dtype=np.uint8)
    rgb[:, : WIDTH // 2] = 160
    if options.camera_info:
        info = wire_sensors.camera_info(CAMERA, at_ns, "camera")
        bag.write("/cam/camera_info", CAMERA_INFO_TYPE, info, log_ns)
    if options.raw:
        image = wire_sensors.image(rgb, at_ns, "camera")
        bag.write("/cam/image", IMAGE_TYPE, image, log_ns)
    else:
        image = wire_sensors.compressed_image(jpeg_from_rgb(rgb), "jpeg", at_ns, "camera")
        bag.write("/cam/image/compressed", COMPRESSED_TYPE, image, log_ns)
    if options.truth:
        index = round((at_ns - START_NS) / STEP_NS)
        tracks = [track_of(side, at_ns) for side in Side]
        bag.write(TRUTH_TOPIC, HANDS_TYPE, hands_message(index, tracks, float("nan")), log_ns)


class TruePipeline:
    """Returns the true hands of every frame, shifted by some metres."""

    model_id = "truth"

    def __init__(self, shift_m: float = 0.0, fail_at: Sequence[int] = ()) -> None:
        """Prepare.

        Args:
            shift_m: Error of every wrist.
            fail_at: Calls of ``step`` that raise.
        """
        self.hand: Any = SimpleNamespace(name="builtin")
        self.frames: list[Frame] = []
        self._shift_m = shift_m
        self._fail_at = fail_at

    def step(self, frame: Frame) -> PipelineResult:
        """Return the true hands."""
        self.frames.append(frame)
        if len(self.frames) - 1 in self._fail_at:
            msg = "the detector failed"
            raise DetectionError(msg)
        if frame.T_world_camera is None:
            dropped: tuple[str, ...] = ("no_odometry",)
            return PipelineResult(frame.stamp_ns, frame, (), (), (), {}, dropped)
        tracks = tuple(track_of(side, frame.stamp_ns, shift_m=self._shift_m) for side in Side)
        return PipelineResult(frame.stamp_ns, frame, (), (), tracks, {"detect": 1.0})
