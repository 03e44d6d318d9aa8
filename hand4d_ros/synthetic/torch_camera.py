"""The camera models of ``geometry.camera`` for batches of images in torch.

The renderer projects vertices and casts rays on the same device as it draws on. Formulas are
those of OpenCV's calibration module (plumb_bob, rational_polynomial) and of Kannala and Brandt,
TPAMI 2006 (equidistant); a test holds them against ``geometry.camera``.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch

from hand4d_ros.errors import SceneError
from hand4d_ros.shapes import Float
from hand4d_ros.types import CameraModel, DistortionModel

_NEWTON_STEPS = 12
_JACOBIAN_STEP = 1e-3


@dataclass(frozen=True)
class CameraBatch:
    """One camera for each of ``b`` images of equal size and distortion model."""

    width_px: int
    height_px: int
    model: DistortionModel
    intrinsics_px: Float[torch.Tensor, "b 4"]
    """fx, fy, cx, cy."""
    distortion: Float[torch.Tensor, "b 8"]
    """Padded with zeros."""

    @property
    def images(self) -> int:
        """How many images."""
        return int(self.intrinsics_px.shape[0])

    @property
    def is_pinhole(self) -> bool:
        """True where no lens bends the rays, so that the inverse needs no iteration."""
        return self.model != "equidistant" and not bool(self.distortion.any())


def camera_batch(cameras: Sequence[CameraModel], device: torch.device) -> CameraBatch:
    """Stack cameras of equal size and distortion model.

    Raises:
        SceneError: If there are none, or their sizes or models differ.
    """
    kinds = {(c.width_px, c.height_px, c.model) for c in cameras}
    if len(kinds) != 1:
        raise SceneError(
            f"cannot batch cameras of {sorted(kinds)}: give at least one camera, all of one size "
            "and one distortion model"
        )
    width_px, height_px, model = kinds.pop()
    rows = [[c.fx_px, c.fy_px, c.cx_px, c.cy_px] for c in cameras]
    lens = [list(c.distortion) + [0.0] * (8 - len(c.distortion)) for c in cameras]
    return CameraBatch(
        width_px,
        height_px,
        model,
        torch.tensor(rows, dtype=torch.float32, device=device),
        torch.tensor(lens, dtype=torch.float32, device=device),
    )


def project(
    cameras: CameraBatch, image: Float[torch.Tensor, " n"] | torch.Tensor, p_camera: torch.Tensor
) -> torch.Tensor:
    """Project points into their images.

    Args:
        cameras: The cameras.
        image: Index of the camera that sees each point, shape (n,).
        p_camera: Points in that camera's frame (m), shape (n, 3); z must be positive.

    Returns:
        Pixel coordinates, shape (n, 2).
    """
    normalised = p_camera[:, :2] / p_camera[:, 2:3]
    bent = _distort(cameras.model, cameras.distortion[image], normalised)
    intrinsics = cameras.intrinsics_px[image]
    return bent * intrinsics[:, :2] + intrinsics[:, 2:]


def pixel_rays(cameras: CameraBatch) -> Float[torch.Tensor, "b h w 3"]:
    """Cast a ray through the centre of every pixel, scaled to z = 1.

    Pixel centres have whole coordinates, as in OpenCV and ROS.
    """
    device = cameras.intrinsics_px.device
    y, x = torch.meshgrid(
        torch.arange(cameras.height_px, device=device, dtype=torch.float32),
        torch.arange(cameras.width_px, device=device, dtype=torch.float32),
        indexing="ij",
    )
    pixel = torch.stack((x, y), -1)[None]
    intrinsics = cameras.intrinsics_px[:, None, None, :]
    bent = (pixel - intrinsics[..., 2:]) / intrinsics[..., :2]
    if not cameras.is_pinhole:
        bent = _undistort(cameras, bent)
    return torch.cat((bent, torch.ones_like(bent[..., :1])), -1)


def _undistort(
    cameras: CameraBatch, bent: Float[torch.Tensor, "b h w 2"]
) -> Float[torch.Tensor, "b h w 2"]:
    """Invert the lens by Newton's method with a numerical 2x2 Jacobian, batched."""
    b, h, w, _ = bent.shape
    target = bent.reshape(-1, 2)
    lens = cameras.distortion.repeat_interleave(h * w, dim=0)
    if cameras.model == "equidistant":
        # Normalised coordinates grow without bound towards 90 degrees, so Newton's method works
        # on the angle from the axis, which stays small, and not on them.
        return _undistort_equidistant(lens, target).reshape(b, h, w, 2)
    point = target.clone()
    for _ in range(_NEWTON_STEPS):
        here = _distort(cameras.model, lens, point)
        right = _distort(cameras.model, lens, point + point.new_tensor([_JACOBIAN_STEP, 0.0]))
        down = _distort(cameras.model, lens, point + point.new_tensor([0.0, _JACOBIAN_STEP]))
        jx, jy = (right - here) / _JACOBIAN_STEP, (down - here) / _JACOBIAN_STEP
        determinant = jx[:, 0] * jy[:, 1] - jx[:, 1] * jy[:, 0]
        miss = target - here
        step_x = (miss[:, 0] * jy[:, 1] - miss[:, 1] * jy[:, 0]) / determinant
        step_y = (miss[:, 1] * jx[:, 0] - miss[:, 0] * jx[:, 1]) / determinant
        point = point + torch.stack((step_x, step_y), -1).clamp(-0.5, 0.5)
    return point.reshape(b, h, w, 2)


def _undistort_equidistant(
    lens: Float[torch.Tensor, "n 8"], bent: Float[torch.Tensor, "n 2"]
) -> Float[torch.Tensor, "n 2"]:
    radius = torch.linalg.norm(bent, dim=-1)
    theta = radius.clamp(max=1.5)
    for _ in range(_NEWTON_STEPS):
        t2 = theta * theta
        k1, k2, k3, k4 = lens[:, 0], lens[:, 1], lens[:, 2], lens[:, 3]
        value = theta * (1 + t2 * (k1 + t2 * (k2 + t2 * (k3 + t2 * k4))))
        slope = 1 + t2 * (3 * k1 + t2 * (5 * k2 + t2 * (7 * k3 + t2 * 9 * k4)))
        theta = (theta - (value - radius) / slope).clamp(0.0, 1.55)
    scale = torch.where(radius > 1e-9, torch.tan(theta) / radius.clamp(min=1e-9), 1.0)
    return bent * scale[:, None]


def _distort(
    model: DistortionModel, lens: torch.Tensor, normalised: torch.Tensor
) -> Float[torch.Tensor, "n 2"]:
    """Bend normalised image coordinates as the lens does."""
    x, y = normalised[:, 0], normalised[:, 1]
    r2 = x * x + y * y
    if model == "equidistant":
        radius = torch.sqrt(r2)
        theta = torch.atan(radius)
        t2 = theta * theta
        bent = theta * (
            1 + t2 * (lens[:, 0] + t2 * (lens[:, 1] + t2 * (lens[:, 2] + t2 * lens[:, 3])))
        )
        scale = torch.where(radius > 1e-9, bent / radius.clamp(min=1e-9), 1.0)
        return normalised * scale[:, None]
    k1, k2, p1, p2, k3, k4, k5, k6 = lens.unbind(-1)
    radial = 1 + r2 * (k1 + r2 * (k2 + r2 * k3))
    if model == "rational_polynomial":
        radial = radial / (1 + r2 * (k4 + r2 * (k5 + r2 * k6)))
    bent_x = x * radial + 2 * p1 * x * y + p2 * (r2 + 2 * x * x)
    bent_y = y * radial + p1 * (r2 + 2 * y * y) + 2 * p2 * x * y
    return torch.stack((bent_x, bent_y), -1)
