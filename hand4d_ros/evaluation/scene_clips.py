"""A synthetic scene as a clip of the benchmark, and the truth about it."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np

from hand4d_ros.evaluation.clips import (
    IN_VIEW_KEYPOINTS,
    Clip,
    ClipTruth,
    Draw,
    HandSeriesTruth,
)
from hand4d_ros.geometry import camera as cameras
from hand4d_ros.geometry import se3
from hand4d_ros.geometry.odometry import OdometryBuffer, OdometryConfig
from hand4d_ros.shapes import Array, Float, UInt8
from hand4d_ros.synthetic.hand_clip import HandClip, clip_from_scene
from hand4d_ros.types import HandDetection

if TYPE_CHECKING:
    from hand4d_ros.synthetic.scene import Scene

Detect = Callable[[HandClip], tuple[tuple[HandDetection, ...], ...]]
"""Takes the truth about what a detector could see and gives the detections of every frame."""


def clip_and_truth(
    scene: Scene, name: str, detect: Detect, *, with_images: bool = False
) -> tuple[Clip, ClipTruth]:
    """Film a scene without drawing it.

    Args:
        scene: The scene.
        name: Of the clip.
        detect: The detector, such as ``detector_noise.simulated``.
        with_images: Let the clip draw its images when it is asked for them.
    """
    seen = clip_from_scene(scene)
    truth = truth_from_scene(scene)
    clip = Clip(
        name=name,
        stamps_ns=seen.stamps_ns,
        camera=scene.camera,
        detections=detect(seen),
        T_world_camera=measured_poses(scene),
        odometry_is_metric=scene.config.odometry.scale == 1.0,
        draw=drawer(scene) if with_images else None,
    )
    return clip, truth


def no_detections(clip: HandClip) -> tuple[tuple[HandDetection, ...], ...]:
    """Detect nothing: for clips whose images the real detector is to look at.

    Args:
        clip: What could be seen.
    """
    return ((),) * len(clip.stamps_ns)


def truth_from_scene(scene: Scene) -> ClipTruth:
    """Return where the camera and both hands of a scene are in every frame."""
    t_s = np.arange(scene.config.frames) / scene.config.fps
    T_world_camera = scene.camera_motion.at(t_s)
    T_camera_world = se3.inverse(T_world_camera)
    hands = {}
    for side, motion in scene.hands.items():
        poses = motion.at(t_s)
        keypoints_m = motion.hand.keypoints(poses.T_world_wrist, poses.joint_rotvec)
        px = cameras.project(scene.camera, se3.apply(T_camera_world, keypoints_m))
        known = np.isfinite(px).all(axis=-1)
        # A point behind the camera has no pixel, and none that could count as inside.
        inside = known & cameras.in_image(scene.camera, np.where(known[..., None], px, -1e6))
        hands[side] = HandSeriesTruth(
            side=side,
            keypoints_m=keypoints_m,
            keypoints_px=px,
            in_view=inside.sum(axis=1) >= IN_VIEW_KEYPOINTS,
            T_world_wrist=poses.T_world_wrist,
            joint_rotvec=poses.joint_rotvec,
            hand=motion.hand,
        )
    return ClipTruth(T_world_camera, hands, 1.0 / scene.config.odometry.scale)


def measured_poses(scene: Scene, config: OdometryConfig | None = None) -> Float[Array, "t 4 4"]:
    """Return the camera's pose in every frame as the node would have it from the odometry.

    Args:
        scene: The scene; its odometry is that of the camera.
        config: Of the buffer that interpolates.

    Returns:
        Poses, NaN where the odometry has no answer.
    """
    record = scene.odometry()
    start_ns = scene.config.start_ns
    odometry_ns = start_ns + np.rint(record.t_s * 1e9).astype(np.int64)
    arrival_ns = start_ns + np.rint(record.arrival_s * 1e9).astype(np.int64)
    buffer = OdometryBuffer(config)
    poses = np.full((scene.config.frames, 4, 4), np.nan)
    pushed = 0
    for frame in range(scene.config.frames):
        stamp_ns = scene.config.stamp_ns(frame)
        # An image waits for one odometry period, which is what interpolation needs.
        deadline_ns = stamp_ns + round(1e9 / scene.config.odometry.rate_hz)
        while pushed < len(odometry_ns) and arrival_ns[pushed] <= deadline_ns:
            buffer.push(int(odometry_ns[pushed]), record.T_odom_base[pushed])
            pushed += 1
        found = buffer.at(stamp_ns).T_world_base
        if found is not None:
            poses[frame] = found
    return poses


def drawer(scene: Scene) -> Draw:
    """Return a function that draws the frames of a scene, each when it is asked for.

    Nothing is kept: a picture is the same whenever it is drawn.
    """
    from hand4d_ros.synthetic.film import Film
    from hand4d_ros.synthetic.render import Renderer

    film = Film(scene, Renderer())

    def draw(index: int) -> UInt8[Array, "h w 3"]:
        return film.shot(index).frame.image

    return draw
