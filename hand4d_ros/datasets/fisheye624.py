"""The fisheye lens of Meta's headsets: six radial, two tangential and four prism coefficients.

Source: Project Aria's documentation of camera intrinsics ("FisheyeRadTanThinPrism"), and the
coefficient order of ``projection_params`` in HOT3D-Clips. None of ROS's lens models can state it,
so pictures are resampled to a pinhole.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from hand4d_ros.geometry.camera import unproject
from hand4d_ros.shapes import Array, Float
from hand4d_ros.types import CameraModel

_RADIAL, _TANGENTIAL, _PRISM = 6, 2, 4
COEFFICIENTS = _RADIAL + _TANGENTIAL + _PRISM


@dataclass(frozen=True)
class Fisheye624:
    """A calibrated fisheye. Pixel centres are whole numbers."""

    width_px: int
    height_px: int
    focal_px: tuple[float, float]
    centre_px: tuple[float, float]
    coefficients: tuple[float, ...]
    """k1..k6 of the angle's even powers, p1 p2, s1..s4."""

    def project(self, p_camera: Float[Array, "*batch 3"]) -> Float[Array, "*batch 2"]:
        """Pixels of points or directions in camera axes.

        The radius of the image is ``t (1 + k1 t^2 + ... + k6 t^12)`` of the angle t from the
        axis, to which tangential and prism terms are added.
        """
        k = np.array(self.coefficients[:_RADIAL])
        p1, p2 = self.coefficients[_RADIAL : _RADIAL + _TANGENTIAL]
        s1, s2, s3, s4 = self.coefficients[_RADIAL + _TANGENTIAL :]
        across = np.hypot(p_camera[..., 0], p_camera[..., 1])
        angle = np.arctan2(across, p_camera[..., 2])
        radial = 1.0 + sum(k[i] * angle ** (2 * i + 2) for i in range(_RADIAL))
        # On the axis the angle over the distance across tends to one over the depth.
        scale = np.divide(angle, across, out=np.zeros_like(angle), where=across > 0.0)
        x, y = np.moveaxis(p_camera[..., :2] * (scale * radial)[..., None], -1, 0)
        square = x * x + y * y
        u = x + p1 * (2.0 * x * x + square) + 2.0 * p2 * x * y + square * (s1 + s2 * square)
        v = y + p2 * (2.0 * y * y + square) + 2.0 * p1 * x * y + square * (s3 + s4 * square)
        return np.stack((u, v), axis=-1) * self.focal_px + self.centre_px

    def pinhole(self, focal_scale: float) -> CameraModel:
        """The pinhole of the same size and centre, its focal length scaled."""
        fx, fy = (f * focal_scale for f in self.focal_px)
        return CameraModel(self.width_px, self.height_px, fx, fy, *self.centre_px)

    def source_px(self, pinhole: CameraModel) -> Float[Array, "h w 2"]:
        """For each pixel of a pinhole at the same place, its pixel in the fisheye's picture."""
        columns, rows = np.meshgrid(np.arange(pinhole.width_px), np.arange(pinhole.height_px))
        pixels = np.stack((columns, rows), axis=-1).astype(np.float64)
        return self.project(unproject(pinhole, pixels))
