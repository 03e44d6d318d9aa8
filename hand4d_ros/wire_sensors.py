"""Camera, odometry, image and diagnostic messages as nested dicts, and back.

The second half of ``hand4d_ros.wire``, under the same rules: the inputs of the package.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, get_args

import numpy as np

from hand4d_ros.errors import GeometryError
from hand4d_ros.geometry.camera import check_camera
from hand4d_ros.shapes import Array, Float, UInt8
from hand4d_ros.types import CameraModel, DistortionModel
from hand4d_ros.wire import Message, header, matrix_from_pose, ns_from_time, pose

_MODELS: tuple[DistortionModel, ...] = get_args(DistortionModel)

DROP_KEY_PREFIX = "drops."
"""In a ``DiagnosticStatus``, the key ``drops.<reason>`` counts frames refused for that reason
since the start; reports add up the last value of each."""


def camera_info(camera: CameraModel, stamp_ns: int, frame_id: str) -> Message:
    """Return ``sensor_msgs/CameraInfo``."""
    fx, fy, cx, cy = camera.fx_px, camera.fy_px, camera.cx_px, camera.cy_px
    return {
        "header": header(stamp_ns, frame_id),
        "height": camera.height_px,
        "width": camera.width_px,
        "distortion_model": camera.model,
        "d": np.array(camera.distortion, dtype=np.float64),
        "k": np.array([fx, 0.0, cx, 0.0, fy, cy, 0.0, 0.0, 1.0]),
        "r": np.eye(3).reshape(9),
        "p": np.array([fx, 0.0, cx, 0.0, 0.0, fy, cy, 0.0, 0.0, 0.0, 1.0, 0.0]),
        "binning_x": 0,
        "binning_y": 0,
        "roi": {"x_offset": 0, "y_offset": 0, "height": 0, "width": 0, "do_rectify": False},
    }


def distortion_model_from_name(name: str) -> DistortionModel:
    """Return the distortion model that drivers and calibration files call by this name.

    Raises:
        GeometryError: It is none of those that can be projected with.
    """
    aliases = {"": "plumb_bob", "fisheye": "equidistant"}
    for known in _MODELS:
        if aliases.get(name, name) == known:
            return known
    msg = (
        f"unknown distortion model {name!r}; known are {', '.join(_MODELS)}: rectify the image, "
        "or calibrate with one of them"
    )
    raise GeometryError(msg)


def camera_from_info(message: Any) -> CameraModel:
    """Return the camera that a ``sensor_msgs/CameraInfo`` describes.

    Region of interest and binning are applied, as they change the image that is published: the
    principal point moves by the offset, and everything is divided by the binning.

    Raises:
        GeometryError: The intrinsics are zero or not finite, or the distortion model is unknown.
    """
    k = np.array(message.k, dtype=float)
    roi = message.roi
    bin_x, bin_y = max(int(message.binning_x), 1), max(int(message.binning_y), 1)
    width = int(roi.width) or int(message.width)
    height = int(roi.height) or int(message.height)
    return check_camera(
        CameraModel(
            width_px=width // bin_x,
            height_px=height // bin_y,
            fx_px=float(k[0]) / bin_x,
            fy_px=float(k[4]) / bin_y,
            cx_px=(float(k[2]) - int(roi.x_offset)) / bin_x,
            cy_px=(float(k[5]) - int(roi.y_offset)) / bin_y,
            model=distortion_model_from_name(str(message.distortion_model)),
            distortion=tuple(float(value) for value in message.d),
        )
    )


def odometry(
    T_world_base: Float[Array, "4 4"], stamp_ns: int, frame_id: str, child_frame_id: str
) -> Message:
    """Return ``nav_msgs/Odometry`` of a pose; covariances and velocities are left at zero."""
    zero = {"x": 0.0, "y": 0.0, "z": 0.0}
    return {
        "header": header(stamp_ns, frame_id),
        "child_frame_id": child_frame_id,
        "pose": {"pose": pose(T_world_base), "covariance": np.zeros(36)},
        "twist": {"twist": {"linear": zero, "angular": dict(zero)}, "covariance": np.zeros(36)},
    }


def stamped_pose_from_odometry(message: Any) -> tuple[int, Float[Array, "4 4"]]:
    """Return stamp (ns) and ``T_world_base`` of ``nav_msgs/Odometry``; NaN where it is unusable."""
    return ns_from_time(message.header.stamp), matrix_from_pose(message.pose.pose)


def image(rgb: UInt8[Array, "h w 3"], stamp_ns: int, frame_id: str) -> Message:
    """Return ``sensor_msgs/Image`` in rgb8."""
    height, width = rgb.shape[:2]
    return {
        "header": header(stamp_ns, frame_id),
        "height": height,
        "width": width,
        "encoding": "rgb8",
        "is_bigendian": 0,
        "step": width * 3,
        "data": np.ascontiguousarray(rgb).reshape(-1),
    }


def compressed_image(data: bytes, image_format: str, stamp_ns: int, frame_id: str) -> Message:
    """Return ``sensor_msgs/CompressedImage`` of encoded bytes, ``image_format`` jpeg or png."""
    return {
        "header": header(stamp_ns, frame_id),
        "format": image_format,
        "data": np.frombuffer(data, dtype=np.uint8),
    }


def diagnostic_array(
    stamp_ns: int, level: int, name: str, message: str, values: Mapping[str, object]
) -> Message:
    """Return ``diagnostic_msgs/DiagnosticArray`` with one status.

    Args:
        stamp_ns: When this was measured.
        level: 0 ok, 1 warning, 2 error, 3 stale.
        name: What is diagnosed, such as ``hand4d/tracker: frames``.
        message: One line for people.
        values: Key and value pairs; dropped frames as ``drops.<reason>``.
    """
    status = {
        "level": level,
        "name": name,
        "message": message,
        "hardware_id": "hand4d_ros",
        "values": [{"key": key, "value": str(value)} for key, value in values.items()],
    }
    return {"header": header(stamp_ns, ""), "status": [status]}


def drops_from_diagnostics(message: Any) -> dict[str, int]:
    """Return the counts of dropped frames by reason in a ``diagnostic_msgs/DiagnosticArray``."""
    counts: dict[str, int] = {}
    for status in message.status:
        for pair in status.values:
            key, value = str(pair.key), str(pair.value)
            if key.startswith(DROP_KEY_PREFIX) and value.isdigit():
                counts[key.removeprefix(DROP_KEY_PREFIX)] = int(value)
    return counts
