"""Projection through a calibrated camera, with its derivative, and back.

Pixel convention: the centre of the first pixel is (0, 0), as in OpenCV and ROS, so an image
covers -0.5 .. width - 0.5. Camera axes are optical: x right, y down, z forward.
"""

from __future__ import annotations

import dataclasses
import functools
import math
from typing import NamedTuple, get_args

import numpy as np

from hand4d_ros.errors import GeometryError
from hand4d_ros.geometry.lens import EquidistantLens, Lens, PinholeLens, PolynomialLens
from hand4d_ros.shapes import Array, Bool, Float
from hand4d_ros.types import CameraModel, DistortionModel

_COEFFICIENTS: dict[str, int] = {"plumb_bob": 5, "rational_polynomial": 8, "equidistant": 4}
_LARGEST_SIDE_PX = 1 << 16


class _Prepared(NamedTuple):
    """What a camera needs per call, worked out once."""

    lens: Lens
    focal_px: Float[Array, "2"]
    centre_px: Float[Array, "2"]


def check_camera(camera: CameraModel) -> CameraModel:
    """Return a usable camera with its distortion cut or padded to the model's length.

    Surplus coefficients that are zero are dropped: some drivers always send 8, 12 or 14.

    Args:
        camera: As it came from a message or a file.

    Returns:
        The same camera with exactly 5, 8 or 4 coefficients.

    Raises:
        GeometryError: If a size or focal length is zero, negative, absurd or not finite, the
            principal point or a coefficient is not finite, the model is unknown, or there are
            more coefficients than the model has.
    """
    if camera.model not in get_args(DistortionModel):
        known = ", ".join(get_args(DistortionModel))
        raise GeometryError(f"unknown distortion model {camera.model!r}; known are {known}")
    for name in ("width_px", "height_px"):
        size = getattr(camera, name)
        if not 0 < size <= _LARGEST_SIDE_PX:
            msg = f"camera {name} is {size}; expected 1..{_LARGEST_SIDE_PX}: is it calibrated?"
            raise GeometryError(msg)
    for name in ("fx_px", "fy_px"):
        focal = getattr(camera, name)
        if not (math.isfinite(focal) and focal > 0.0):
            msg = f"camera {name} is {focal}; expected a positive focal length: is it calibrated?"
            raise GeometryError(msg)
    for name in ("cx_px", "cy_px"):
        if not math.isfinite(getattr(camera, name)):
            raise GeometryError(f"camera {name} is {getattr(camera, name)}; expected pixels")
    expected = _COEFFICIENTS[camera.model]
    given = tuple(float(k) for k in camera.distortion)
    if not all(math.isfinite(k) for k in given):
        raise GeometryError(f"distortion {given} has coefficients that are not finite")
    if any(given[expected:]):
        msg = f"{camera.model} has {expected} distortion coefficients; got {len(given)}: {given}"
        raise GeometryError(msg)
    padded = (*given, *(0.0,) * expected)[:expected]
    return dataclasses.replace(camera, distortion=padded)


@functools.lru_cache(maxsize=64)
def _prepared(camera: CameraModel) -> _Prepared:
    camera = check_camera(camera)
    lens: Lens
    if camera.model == "equidistant":
        lens = EquidistantLens(*camera.distortion)
    elif any(camera.distortion):
        lens = PolynomialLens(*camera.distortion)
    else:
        lens = PinholeLens()
    focal_px = np.array([camera.fx_px, camera.fy_px])
    centre_px = np.array([camera.cx_px, camera.cy_px])
    return _Prepared(lens, focal_px, centre_px)


def matrix(camera: CameraModel) -> Float[Array, "3 3"]:
    """Intrinsic matrix K (pixels).

    Args:
        camera: Its distortion is not part of K.

    Returns:
        ``[[fx, 0, cx], [0, fy, cy], [0, 0, 1]]``.
    """
    return np.array(
        [
            [camera.fx_px, 0.0, camera.cx_px],
            [0.0, camera.fy_px, camera.cy_px],
            [0.0, 0.0, 1.0],
        ]
    )


def project(camera: CameraModel, p_camera: Float[Array, "*batch 3"]) -> Float[Array, "*batch 2"]:
    """Pixels of points, distortion included; they may lie outside of the image.

    Args:
        camera: The camera.
        p_camera: Points in camera axes (m).

    Returns:
        Pixels; NaN behind a pinhole camera and outside of the field in which the distortion
        is monotonic, where the formula would give a wrong pixel.

    Raises:
        GeometryError: If the camera is unusable.
    """
    lens, focal_px, centre_px = _prepared(camera)
    xy = lens.image(np.asarray(p_camera, dtype=np.float64))
    px: Array = xy * focal_px + centre_px
    return px


def project_with_jacobian(
    camera: CameraModel, p_camera: Float[Array, "*batch 3"]
) -> tuple[Float[Array, "*batch 2"], Float[Array, "*batch 2 3"]]:
    """``project`` and its analytic derivative.

    Args:
        camera: The camera.
        p_camera: Points in camera axes (m).

    Returns:
        Pixels, and their derivative with respect to the points (pixels per metre). Where the
        pixels are NaN the derivative has NaN too.

    Raises:
        GeometryError: If the camera is unusable.
    """
    lens, focal_px, centre_px = _prepared(camera)
    xy, J = lens.image_with_jacobian(np.asarray(p_camera, dtype=np.float64))
    J *= focal_px[:, None]
    return xy * focal_px + centre_px, J


def unproject(camera: CameraModel, px: Float[Array, "*batch 2"]) -> Float[Array, "*batch 3"]:
    """Unit vectors from the camera towards pixels, the inverse of ``project``.

    Args:
        camera: The camera.
        px: Pixels of the distorted image.

    Returns:
        Unit vectors in camera axes; NaN where no direction has this pixel.

    Raises:
        GeometryError: If the camera is unusable.
    """
    lens, focal_px, centre_px = _prepared(camera)
    return lens.bearing((np.asarray(px, dtype=np.float64) - centre_px) / focal_px)


def camera_from_fov(width_px: int, height_px: int, horizontal_fov_rad: float) -> CameraModel:
    """Undistorted camera with square pixels and a centred principal point.

    Args:
        width_px: Image width.
        height_px: Image height.
        horizontal_fov_rad: Angle between the left and the right edge of the image (not
            between the centres of its outermost pixels), within 0..pi.

    Returns:
        The camera.

    Raises:
        GeometryError: If a size is not positive or the angle is not within (0, pi).
    """
    if not 0.0 < horizontal_fov_rad < math.pi:
        msg = f"horizontal field of view is {horizontal_fov_rad} rad; expected 0..{math.pi:.4f}"
        raise GeometryError(msg)
    focal_px = 0.5 * width_px / math.tan(0.5 * horizontal_fov_rad)
    cx_px, cy_px = 0.5 * (width_px - 1), 0.5 * (height_px - 1)
    return check_camera(CameraModel(width_px, height_px, focal_px, focal_px, cx_px, cy_px))


def scaled(camera: CameraModel, width_px: int, height_px: int) -> CameraModel:
    """Camera of the same image resized, as ``cv2.resize`` does it.

    Args:
        camera: Camera of the original image.
        width_px: New width.
        height_px: New height.

    Returns:
        The camera of the resized image; the edges of both images see the same directions.

    Raises:
        GeometryError: If a size is not positive or the camera is unusable.
    """
    camera = check_camera(camera)
    x, y = width_px / camera.width_px, height_px / camera.height_px
    resized = dataclasses.replace(
        camera,
        width_px=width_px,
        height_px=height_px,
        fx_px=camera.fx_px * x,
        fy_px=camera.fy_px * y,
        cx_px=(camera.cx_px + 0.5) * x - 0.5,
        cy_px=(camera.cy_px + 0.5) * y - 0.5,
    )
    return check_camera(resized)


def in_image(
    camera: CameraModel, px: Float[Array, "*batch 2"], margin_px: float = 0.0
) -> Bool[Array, "*batch"]:
    """Whether pixels lie inside the image.

    Args:
        camera: The camera; only its size counts.
        px: Pixels.
        margin_px: Width of a border that does not count as inside; negative widens the image.

    Returns:
        True inside; NaN is outside.
    """
    low = margin_px - 0.5
    x, y = px[..., 0], px[..., 1]
    inside = (x >= low) & (x <= camera.width_px - 1 - low)
    return np.asarray(inside & (y >= low) & (y <= camera.height_px - 1 - low))
