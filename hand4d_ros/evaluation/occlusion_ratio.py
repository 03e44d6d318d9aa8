"""How much of a hand is hidden, as UniHand measures it: in pixels of its mask.

``r = (|M_hand| - |M_hand and M_vis|) / |M_hand|`` (UniHand, Eq. 17), where M_hand is the mask of
the hand drawn by itself and M_vis that of its pixels in the whole picture. What a hand hides of
itself, and what lies outside of the image, does not count.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from hand4d_ros.geometry import camera as cameras
from hand4d_ros.geometry import se3
from hand4d_ros.shapes import Array, Bool, Float, Int
from hand4d_ros.synthetic import body as bodies
from hand4d_ros.types import CameraModel, Side

if TYPE_CHECKING:
    from hand4d_ros.synthetic.mesh import Mesh
    from hand4d_ros.synthetic.scene import Scene

WIDTH_PX = 160
"""Width of the masks; a hand of an ordinary picture covers some hundred pixels of them."""
_BATCH = 16
_LEAST_PIXELS = 20
_NEAR_M = 0.02
_ARM = 10
_THING = 20
"""Parts of a picture: hands count from 0, arms from here, and all things are one."""

BINS = ((0.0, 0.25), (0.25, 0.5), (0.5, 0.75), (0.75, 1.0))
"""Levels of occlusion: UniHand, table 1; the first one is left out there."""


def bin_names() -> tuple[str, ...]:
    """Names of the levels, such as ``25-50%``."""
    return tuple(f"{100 * low:.0f}-{100 * high:.0f}%" for low, high in BINS)


def in_bin(ratio: Float[Array, "t"], index: int) -> Bool[Array, "t"]:
    """Tell which frames are of a level; a limit belongs to the upper one, 1 to the last."""
    low, high = BINS[index]
    last = index == len(BINS) - 1
    return np.asarray((ratio >= low) & ((ratio <= high) if last else (ratio < high)))


@dataclass(frozen=True)
class _Piece:
    """One mesh of one picture, in the camera's frame."""

    vertices_m: Float[Array, "v 3"]
    faces: Int[Array, "f 3"]
    picture: int
    part: int


def occlusion_ratios(scene: Scene, every: int = 2) -> dict[Side, Float[Array, "t"]]:
    """Measure how much of each hand is hidden by things, the other hand and its arm.

    Args:
        scene: The scene.
        every: Frames between two measurements; those between are interpolated.

    Returns:
        The ratio of every frame; NaN where hardly anything of the hand is in the image.
    """
    frames = np.arange(0, scene.config.frames, every)
    height_px = round(WIDTH_PX * scene.camera.height_px / scene.camera.width_px)
    camera = cameras.scaled(scene.camera, WIDTH_PX, height_px)
    things = [prop.mesh() for prop in scene.props]
    found: dict[Side, list[Float[Array, "n"]]] = {side: [] for side in scene.hands}
    for first in range(0, len(frames), _BATCH):
        batch = frames[first : first + _BATCH]
        pieces: list[_Piece] = []
        for row, frame in enumerate(batch):
            pieces += _pieces(scene, int(frame), 3 * row, things)
        parts = _part_pictures(camera, pieces, 3 * len(batch))
        for index, side in enumerate(scene.hands):
            found[side].append(_ratio(parts[1 + index :: 3] == index, parts[::3], index))
    rows = np.arange(scene.config.frames)
    return {side: np.interp(rows, frames, np.concatenate(values)) for side, values in found.items()}


def _ratio(
    alone: Bool[Array, "n h w"], parts: Int[Array, "n h w"], index: int
) -> Float[Array, "n"]:
    """Share of the hand's own mask that the whole picture does not show."""
    own = alone.sum(axis=(1, 2))
    # The arm's mesh begins inside of the hand, so where it comes out nothing is hidden.
    shown = (alone & ((parts == index) | (parts == _ARM + index))).sum(axis=(1, 2))
    return np.where(own >= _LEAST_PIXELS, 1.0 - shown / np.maximum(own, 1), np.nan)


def _pieces(scene: Scene, frame: int, picture: int, things: Sequence[Mesh]) -> list[_Piece]:
    """Meshes of three pictures of one frame: everything, and each hand by itself."""
    t_s = np.array([frame / scene.config.fps])
    T_camera_world = se3.inverse(scene.camera_motion.at(t_s)[0])
    pieces: list[_Piece] = []
    for index, (side, motion) in enumerate(scene.hands.items()):
        poses = motion.at(t_s)
        T, rotvec = poses.T_world_wrist[0], poses.joint_rotvec[0]
        hand_m = se3.apply(T_camera_world, motion.hand.vertices(T, rotvec))
        faces = motion.model.faces
        pieces += [_Piece(hand_m, faces, p, index) for p in (picture, picture + 1 + index)]
        arm = bodies.arm_mesh(scene.body, bodies.wrist_cut(motion.model, motion.betas), side, T)
        arm_m = se3.apply(T_camera_world, arm.vertices_m)
        pieces.append(_Piece(arm_m, arm.faces, picture, _ARM + index))
    for mesh, thing in zip(things, scene.thing_motions, strict=True):
        T_camera_thing = T_camera_world @ thing.at(t_s, scene.hands)[0]
        vertices = se3.apply(T_camera_thing, mesh.vertices_m)
        pieces.append(_Piece(vertices, mesh.faces, picture, _THING))
    return pieces


def _part_pictures(
    camera: CameraModel, pieces: Sequence[_Piece], pictures: int
) -> Int[Array, "n h w"]:
    """Draw which part is nearest in every pixel; -1 where nothing is."""
    import torch

    from hand4d_ros.synthetic import raster

    starts = np.cumsum([0, *(len(piece.vertices_m) for piece in pieces)])
    points = np.concatenate([piece.vertices_m for piece in pieces])
    ahead = points[:, 2] > _NEAR_M
    px = np.where(ahead[:, None], cameras.project(camera, points), np.nan)
    near = np.where(ahead, 1.0 / np.where(ahead, points[:, 2], 1.0), -1.0)
    faces = np.concatenate([p.faces + start for p, start in zip(pieces, starts, strict=False)])
    counts = [len(piece.faces) for piece in pieces]
    part = np.repeat([piece.part for piece in pieces], counts)
    shape = (pictures, camera.height_px, camera.width_px)
    found = raster.rasterize(
        torch.as_tensor(px, dtype=torch.float32),
        torch.as_tensor(near, dtype=torch.float32),
        torch.as_tensor(faces, dtype=torch.int64),
        torch.as_tensor(np.repeat([piece.picture for piece in pieces], counts)),
        shape,
        cull="clockwise",
    )
    face = found.face_picture().numpy()
    return np.where(face >= 0, part[face], -1)
