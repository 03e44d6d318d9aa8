"""A video or a folder of frames in, camera frames with intrinsics and perhaps poses out.

Sources are read frame by frame, so a recording of any length takes bounded memory.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

from hand4d_ros.errors import GeometryError, MediaError
from hand4d_ros.geometry.camera import camera_from_fov, check_camera, scaled
from hand4d_ros.types import CameraModel, Frame
from hand4d_ros.wire_sensors import distortion_model_from_name

DEFAULT_FOV_DEG = 60.0
"""Field of view along the longer side that is guessed for a camera without intrinsics.

Webcams and the main cameras of phones have 55 to 75 degrees in video."""


@runtime_checkable
class MediaSource(Protocol):
    """A recording that is open for reading."""

    camera: CameraModel
    frame_count: int
    """Number of frames as the file states it; 0 where it does not."""
    has_poses: bool
    """Whether the camera's motion is known; otherwise every frame has the camera at rest."""
    note: str
    """What is guessed or missing, for people; empty where nothing is."""

    def frames(self) -> Iterator[Frame]:
        """Yield the frames in the order of capture.

        Raises:
            MediaError: A frame is missing or damaged.
        """
        ...


@dataclass(frozen=True)
class MediaOptions:
    """How to read a recording whose own words are not enough."""

    camera: str = ""
    """Name of the camera to read, where a folder has several."""
    intrinsics: Path | None = None
    """JSON or YAML file with the intrinsics, such as a camera_info saved by ROS calibration."""
    fov_deg: float = 0.0
    """Field of view along the longer side of the image; 0 takes the intrinsics or a guess."""

    def __post_init__(self) -> None:
        """Reject a field of view that no lens model here can have."""
        if not (self.fov_deg == 0.0 or 1.0 <= self.fov_deg <= 170.0):
            msg = f"fov_deg is {self.fov_deg}; allowed are 1 to 170 degrees, or 0 for unknown"
            raise MediaError(msg)


def open_media(path: Path, options: MediaOptions | None = None) -> MediaSource:
    """Open a video file, or a folder of frames with its JSON (or that JSON itself).

    Raises:
        MediaError: It is missing, damaged or of another kind, or the options do not fit it.
    """
    from hand4d_ros.replay.frame_folder import FrameFolder
    from hand4d_ros.replay.video import VideoFile

    options = options or MediaOptions()
    if not path.exists():
        msg = f"there is no video or folder at {path}"
        raise MediaError(msg)
    if path.is_dir() or path.suffix.lower() == ".json":
        return FrameFolder(path, options)
    return VideoFile(path, options)


def camera_of_video(
    width_px: int, height_px: int, options: MediaOptions
) -> tuple[CameraModel, str]:
    """Return the camera of a recording that has no intrinsics of its own, and what is guessed.

    Raises:
        MediaError: The intrinsics given cannot be read, or are those of another shape of image.
    """
    if options.intrinsics is not None:
        return _fitted(camera_from_file(options.intrinsics), width_px, height_px, options), ""
    fov_deg = options.fov_deg or DEFAULT_FOV_DEG
    focal_px = max(width_px, height_px) / 2.0 / math.tan(math.radians(fov_deg) / 2.0)
    horizontal_rad = 2.0 * math.atan(width_px / 2.0 / focal_px)
    camera = camera_from_fov(width_px, height_px, horizontal_rad)
    if options.fov_deg:
        return camera, ""
    return camera, (
        f"no intrinsics are known: a field of view of {fov_deg:g} degrees along the longer side "
        f"is a guess (focal length {focal_px:.0f} px), and distances scale with it; give "
        "--intrinsics or --fov-deg"
    )


def _fitted(
    camera: CameraModel, width_px: int, height_px: int, options: MediaOptions
) -> CameraModel:
    """Scale a calibration to the size of the image, where both have the same shape."""
    if abs(camera.width_px * height_px - camera.height_px * width_px) > max(width_px, height_px):
        msg = (
            f"{options.intrinsics} is for images of {camera.width_px} x {camera.height_px}, but "
            f"these have {width_px} x {height_px}, which is another shape; calibrate this mode"
        )
        raise MediaError(msg)
    return scaled(camera, width_px, height_px)


def camera_from_file(path: Path) -> CameraModel:
    """Read intrinsics from JSON or YAML.

    Understood are the fields of ``camera_info`` (``width, height, k, distortion_model, d``), the
    file that ROS camera_calibration writes (``image_width, camera_matrix: {data}, …``), and
    ``width, height, K`` with K as three rows.

    Raises:
        MediaError: The file is missing, cannot be parsed, lacks a field or holds no camera.
    """
    import yaml

    try:
        content = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        msg = f"the intrinsics in {path} cannot be read: {error}"
        raise MediaError(msg) from None
    return camera_from_fields(content, str(path))


def camera_from_fields(content: object, where: str) -> CameraModel:
    """Return the camera of a mapping as ``camera_from_file`` understands it.

    Raises:
        MediaError: A field is missing or no number, or they make no camera; names ``where``.
    """
    if not isinstance(content, Mapping):
        msg = f"{where} holds {type(content).__name__}; expected width, height and K"
        raise MediaError(msg)
    lower = {str(key).lower(): value for key, value in content.items()}
    try:
        k = _numbers(_first(lower, "k", "camera_matrix"))
        model = str(_first(lower, "distortion_model", default="plumb_bob"))
        camera = CameraModel(
            width_px=int(_first(lower, "width", "image_width", "width_px")),
            height_px=int(_first(lower, "height", "image_height", "height_px")),
            fx_px=k[0],
            fy_px=k[4],
            cx_px=k[2],
            cy_px=k[5],
            model=distortion_model_from_name(model),
            distortion=_numbers(
                _first(lower, "d", "distortion", "distortion_coefficients", default=())
            ),
        )
        return check_camera(camera)
    except (KeyError, TypeError, ValueError, IndexError) as error:
        msg = f"{where} lacks intrinsics: expected width, height and K (3x3), but {error!r}"
        raise MediaError(msg) from None
    except GeometryError as error:
        msg = f"{where}: {error}"
        raise MediaError(msg) from None


def _first(content: Mapping[str, Any], *names: str, default: Any = None) -> Any:
    for name in names:
        if name in content:
            return content[name]
    if default is None:
        raise KeyError(names[0])
    return default


def _numbers(value: Any) -> tuple[float, ...]:
    """Return the numbers of a list, of nested rows, or of ``{rows, cols, data}``."""
    if isinstance(value, Mapping):
        value = value["data"]
    flat: list[float] = []
    for item in value:
        flat.extend(_numbers(item) if isinstance(item, (list, tuple)) else (float(item),))
    return tuple(flat)
