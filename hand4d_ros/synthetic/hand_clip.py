"""A stretch of a scene as a detector could see it: keypoints in the camera, and what hides them.

This is all that the noise model of the detector (``detector_noise``) asks for. Nothing is
drawn, so it takes well under a millisecond a frame.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from hand4d_ros.errors import SceneError
from hand4d_ros.geometry import se3
from hand4d_ros.shapes import Array, Float, Int
from hand4d_ros.synthetic import body as bodies
from hand4d_ros.synthetic.occlusion import Obstacles, SolidKind, Solids, Visibility, visibility
from hand4d_ros.synthetic.props import Prop
from hand4d_ros.synthetic.scene import TABLE_M, Scene
from hand4d_ros.types import CameraModel, Side

_TABLE_HALF_M = (0.4, 0.7, 0.02)
_TABLE_NEAR_M = 0.14
"""Mean of what scenes draw; where the table ends matters only to hands in the lap."""
_ARM_RADII_M = (0.027, 0.040)
"""Of the half of the forearm at the wrist and of that at the elbow."""


@dataclass(frozen=True)
class HandClip:
    """``h`` hands over ``f`` frames, and what of them can be seen."""

    camera: CameraModel
    sides: tuple[Side, ...]
    """Of the ``h`` hands."""
    stamps_ns: Int[Array, "f"]
    """Rising."""
    keypoints_m: Float[Array, "f h 21 3"]
    """OpenPose order, in the camera's frame."""
    visibility: Visibility

    def __post_init__(self) -> None:
        """Reject shapes and stamps that do not fit."""
        frames, hands = len(self.stamps_ns), len(self.sides)
        if self.keypoints_m.shape != (frames, hands, 21, 3):
            raise SceneError(
                f"keypoints have shape {self.keypoints_m.shape}; {frames} stamps of {hands} "
                f"hands need ({frames}, {hands}, 21, 3)"
            )
        if not np.isfinite(self.keypoints_m).all():
            raise SceneError("some keypoints are not finite; give the truth of every frame")
        if (np.diff(self.stamps_ns) <= 0).any():
            raise SceneError("stamps must rise from frame to frame; sort the frames")

    @property
    def t_s(self) -> Float[Array, "f"]:
        """Time since the first frame."""
        return 1e-9 * (self.stamps_ns - self.stamps_ns[:1])

    def part(self, start: int, end: int) -> HandClip:
        """Return the frames from ``start`` to before ``end``."""
        seen = self.visibility
        return replace(
            self,
            stamps_ns=self.stamps_ns[start:end],
            keypoints_m=self.keypoints_m[start:end],
            visibility=Visibility(seen.inside[start:end], seen.open[start:end]),
        )


def make_clip(
    camera: CameraModel,
    sides: tuple[Side, ...],
    stamps_ns: Int[Array, "f"],
    keypoints_m: Float[Array, "f h 21 3"],
    obstacles: Obstacles | None = None,
) -> HandClip:
    """Work out what can be seen of hands.

    Args:
        camera: The camera.
        sides: Of the hands.
        stamps_ns: Of the frames.
        keypoints_m: In the camera's frame.
        obstacles: What else may hide them.

    Raises:
        SceneError: If shapes or stamps do not fit.
    """
    seen = visibility(camera, keypoints_m, obstacles)
    return HandClip(camera, sides, stamps_ns, keypoints_m, seen)


def clip_from_scene(scene: Scene, start: int = 0, end: int | None = None) -> HandClip:
    """Take frames of a scene without drawing them.

    Args:
        scene: The scene.
        start: First frame.
        end: Frame to stop before; None is the last one of the scene.
    """
    frames = np.arange(start, scene.config.frames if end is None else end)
    stamps_ns = np.array([scene.config.stamp_ns(int(frame)) for frame in frames])
    t_s = frames / scene.config.fps
    T_camera_world = se3.inverse(scene.camera_motion.at(t_s))
    sides = tuple(sorted(scene.hands))
    hands = [se3.apply(T_camera_world, scene.hands[side].keypoints_m(t_s)) for side in sides]
    keypoints_m = np.stack(hands, axis=1)
    around = obstacles_from_scene(scene, t_s, T_camera_world)
    return make_clip(scene.camera, sides, stamps_ns, keypoints_m, around)


def obstacles_from_scene(
    scene: Scene, t_s: Float[Array, "f"], T_camera_world: Float[Array, "f 4 4"]
) -> Obstacles:
    """Return what stands in the way in a scene: things, the table and both forearms.

    Args:
        scene: The scene.
        t_s: Times.
        T_camera_world: World to camera at these times.
    """
    kinds: list[SolidKind] = ["box"]
    half: list[tuple[float, float, float]] = [_TABLE_HALF_M]
    T_world_table = np.eye(4)
    T_world_table[:3, 3] = (_TABLE_NEAR_M + _TABLE_HALF_M[0], 0.0, TABLE_M - _TABLE_HALF_M[2])
    poses = [T_camera_world @ T_world_table]
    for prop, motion in zip(scene.props, scene.thing_motions, strict=True):
        T_camera_thing = T_camera_world @ motion.at(t_s, scene.hands)
        for kind, middle_m, half_m in _shapes(prop):
            offset = np.eye(4)
            offset[2, 3] = middle_m
            kinds.append(kind)
            half.append(half_m)
            poses.append(T_camera_thing @ offset)
    solids = Solids(tuple(kinds), np.array(half), np.stack(poses, axis=1))
    capsules, owners = _arms(scene, t_s, T_camera_world)
    return Obstacles(solids, capsules, owners)


def _shapes(prop: Prop) -> list[tuple[SolidKind, float, tuple[float, float, float]]]:
    """Solids that stand for a thing: kind, height of its middle (m), half extents (m)."""
    x, y, z = (0.5 * size for size in prop.size_m)
    if prop.kind == "box":
        return [("box", 0.0, (x, y, z))]
    if prop.kind == "sphere":
        return [("sphere", 0.0, (x, x, x))]
    if prop.kind == "bottle":
        # The belly, half of the shoulder, and the neck, as its mesh is turned.
        neck = 0.45 * x
        return [
            ("cylinder", -0.29 * z, (x, x, 0.71 * z)),
            ("cylinder", 0.71 * z, (neck, neck, 0.29 * z)),
        ]
    return [("cylinder", 0.0, (x, x, z))]


def _arms(
    scene: Scene, t_s: Float[Array, "f"], T_camera_world: Float[Array, "f 4 4"]
) -> tuple[Float[Array, "f 4 7"], tuple[int, ...]]:
    """Return two capsules for each forearm and the index of the hand that each belongs to."""
    capsules, owners = [], []
    for index, side in enumerate(sorted(scene.hands)):
        T_world_wrist = scene.hands[side].at(t_s).T_world_wrist
        elbow = np.stack([bodies.elbow_m(scene.body, side, T) for T in T_world_wrist])
        ends = np.stack((T_world_wrist[:, :3, 3], elbow), axis=1)
        wrist, far = np.moveaxis(se3.apply(T_camera_world, ends), 1, 0)
        middle = 0.5 * (wrist + far)
        for (a, b), radius in zip(((wrist, middle), (middle, far)), _ARM_RADII_M, strict=True):
            capsules.append(np.concatenate((a, b, np.full((len(a), 1), radius)), axis=-1))
            owners.append(index)
    return np.stack(capsules, axis=1), tuple(owners)
