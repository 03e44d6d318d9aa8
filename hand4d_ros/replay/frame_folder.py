"""A folder of image files with a JSON of intrinsics, stamps and camera poses.

The JSON maps camera names to their intrinsics and frames::

    {"cameras": {"front": {"width": 640, "height": 480, "K": [[…], […], […]],
        "frames": [{"file": "000.png", "t_ns": 0, "T_world_camera": [[…], …]}, …]}}}

``T_world_camera`` (4x4, metres) may be missing; ``distortion_model`` and ``d`` may be given.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from hand4d_ros.errors import GeometryError, MediaError
from hand4d_ros.geometry.se3 import check_rigid
from hand4d_ros.imaging import rgb_from_encoded
from hand4d_ros.replay.media import MediaOptions, camera_from_fields
from hand4d_ros.shapes import Array, Float
from hand4d_ros.types import Frame


class FrameFolder:
    """One camera of a folder of frames."""

    def __init__(self, path: Path, options: MediaOptions | None = None) -> None:
        """Read and check the JSON.

        Args:
            path: The folder, which holds one JSON with ``cameras``, or that JSON.
            options: The name of the camera; intrinsics come from the JSON.

        Raises:
            MediaError: There is no such JSON, it lacks something, or a choice between several
                cameras is left to you.
        """
        options = options or MediaOptions()
        self.path, cameras = _cameras(path)
        self.name = _chosen(self.path, cameras, options.camera)
        content = cameras[self.name]
        self.camera = camera_from_fields(content, f"camera {self.name!r} in {self.path}")
        self._frames = self._checked(content.get("frames"))
        self.frame_count = len(self._frames)
        self.has_poses = any(pose is not None for _, _, pose in self._frames)
        given = options.fov_deg or options.intrinsics is not None
        self.note = f"the intrinsics of {self.path} are used, not those given" if given else ""

    def frames(self) -> Iterator[Frame]:
        """Yield every frame in RGB.

        Raises:
            MediaError: An image file is missing, damaged or of another size.
        """
        for file, stamp_ns, T_world_camera in self._frames:
            try:
                image = rgb_from_encoded(file.read_bytes())
            except (OSError, MediaError) as error:
                msg = f"the frame {file} cannot be read: {error}"
                raise MediaError(msg) from error
            size = (self.camera.height_px, self.camera.width_px)
            if image.shape[:2] != size:
                msg = f"the frame {file} has {image.shape[:2]} rows and columns, not {size}"
                raise MediaError(msg)
            pose = T_world_camera if self.has_poses else np.eye(4)
            yield Frame(stamp_ns, image, self.camera, pose, self.name)

    def _checked(self, frames: object) -> list[tuple[Path, int, Float[Array, "4 4"] | None]]:
        where = f"camera {self.name!r} in {self.path}"
        if not isinstance(frames, list) or not frames:
            msg = f"{where} has no list of frames"
            raise MediaError(msg)
        checked: list[tuple[Path, int, Float[Array, "4 4"] | None]] = []
        for number, entry in enumerate(frames):
            try:
                stamp_ns, name, pose = int(entry["t_ns"]), entry["file"], _pose(entry)
            except (KeyError, TypeError, ValueError, GeometryError) as error:
                msg = f"frame {number} of {where} needs file, t_ns and perhaps T_world_camera: "
                raise MediaError(msg + repr(error)) from None
            if checked and stamp_ns <= checked[-1][1]:
                msg = f"frame {number} of {where} is not later than the frame before it"
                raise MediaError(msg)
            checked.append((self.path.parent / str(name), stamp_ns, pose))
        return checked


def _cameras(path: Path) -> tuple[Path, Mapping[str, Any]]:
    """Return the JSON's path and its cameras."""
    candidates = sorted(path.glob("*.json")) if path.is_dir() else [path]
    for candidate in candidates:
        try:
            content = json.loads(candidate.read_text(encoding="utf-8"))
        except (OSError, ValueError) as error:
            if not path.is_dir():
                msg = f"{path} cannot be read as JSON: {error}"
                raise MediaError(msg) from None
            continue
        cameras = content.get("cameras") if isinstance(content, dict) else None
        if isinstance(cameras, dict) and cameras:
            return candidate, cameras
    msg = (
        f"{path} has no JSON with cameras; expected "
        '{"cameras": {NAME: {"width", "height", "K", "frames": [{"file", "t_ns"}, …]}}}'
    )
    raise MediaError(msg)


def _chosen(path: Path, cameras: Mapping[str, Any], name: str) -> str:
    if name in cameras:
        return name
    if not name and len(cameras) == 1:
        return next(iter(cameras))
    asked = f"has no camera {name!r}" if name else "has several cameras"
    msg = f"{path} {asked}; choose one of {', '.join(cameras)} with --camera"
    raise MediaError(msg)


def _pose(entry: Mapping[str, Any]) -> Float[Array, "4 4"] | None:
    pose = entry.get("T_world_camera")
    return None if pose is None else check_rigid(np.array(pose, dtype=float), "T_world_camera")
