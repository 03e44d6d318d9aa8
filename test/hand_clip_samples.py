"""Hands in motion before a camera, for tests that need a clip but no scene."""

from __future__ import annotations

import numpy as np

from hand4d_ros.geometry import se3, so3
from hand4d_ros.geometry.camera import camera_from_fov
from hand4d_ros.hand.builtin import builtin_hand
from hand4d_ros.shapes import Array, Float
from hand4d_ros.synthetic.hand_clip import HandClip, make_clip
from hand4d_ros.synthetic.occlusion import Obstacles
from hand4d_ros.types import CameraModel, Side

CAMERA = camera_from_fov(640, 480, np.deg2rad(70.0))
SIDES = (Side.LEFT, Side.RIGHT)


def hand_keypoints(
    frames: int, middle_m: tuple[float, float, float] = (0.0, 0.0, 0.5), motion: float = 1.0
) -> Float[Array, "f 21 3"]:
    """Right hand with its back to the camera, fingers up, that sways, turns and bends its fingers.

    Args:
        frames: How many, at 30 a second.
        middle_m: Where the middle of the hand is on average.
        motion: Factor on all motion.
    """
    t = np.arange(frames) / 30.0
    # MANO's fingers point along -x and the back along +y; up in the image is -y.
    base = np.array([[0.0, 0.0, -1.0], [1.0, 0.0, 0.0], [0.0, -1.0, 0.0]])
    wave = np.stack((np.sin(1.7 * t), np.sin(1.1 * t + 1.0), np.sin(0.7 * t + 2.0)), axis=-1)
    R = so3.exp(0.25 * motion * wave) @ base
    bend = 0.3 + 0.25 * motion * np.sin(1.3 * t)
    rotvec = np.zeros((frames, 15, 3))
    rotvec[:, :12, 2] = bend[:, None]
    keypoints = (
        builtin_hand()
        .with_shape()
        .keypoints(se3.from_rotation_translation(R, 0.03 * motion * wave), rotvec)
    )
    return keypoints - keypoints.mean((0, 1)) + np.array(middle_m)


def two_hands(frames: int, depth_m: float = 0.5, motion: float = 1.0) -> Float[Array, "f 2 21 3"]:
    """Left hand on the left, the mirror image of the right hand on the right."""
    right = hand_keypoints(frames, (0.12, 0.0, depth_m), motion)
    return np.stack((right * [-1.0, 1.0, 1.0], right), axis=1)


def clip_of(
    keypoints_m: Float[Array, "f h 21 3"],
    camera: CameraModel = CAMERA,
    obstacles: Obstacles | None = None,
    fps: float = 30.0,
) -> HandClip:
    """Clip of one right hand or of a left and a right one."""
    frames, hands = keypoints_m.shape[:2]
    stamps_ns = 1_000_000_000 + np.round(np.arange(frames) * 1e9 / fps).astype(np.int64)
    return make_clip(camera, SIDES[-hands:], stamps_ns, keypoints_m, obstacles)
