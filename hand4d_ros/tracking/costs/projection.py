"""Keypoints in the world against those in the image (Dyn-HaMR, Eq. 8).

A camera of frame t stands where the odometry says, its travel scaled by the world scale, plus a
small correction: ``R_t = exp(turn_t) R_odom_t`` and ``c_t = c_0 + w (c_odom_t - c_0) + shift_t``.
A point p in the world then has the place ``R_t^T (p - c_t)`` before the camera.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from hand4d_ros.geometry import camera as cameras
from hand4d_ros.geometry import so3
from hand4d_ros.shapes import Array, Float
from hand4d_ros.tracking.costs.camera_terms import inverse_left_jacobian
from hand4d_ros.types import CameraModel

CAMERA = 6
"""Unknowns of a camera: turn (rad, axes of the world), then shift (m)."""


class Cameras(NamedTuple):
    """Where the cameras stand, and how their centres move with the logarithm of the world scale."""

    R_world_camera: Float[Array, "t 3 3"]
    centre_m: Float[Array, "t 3"]
    travel_m: Float[Array, "t 3"]
    """``d centre / d log w``."""
    by_turn: Float[Array, "t 3 3"]
    """Takes a change of the correction's turn to the turn of the camera from the left."""


def corrected_cameras(
    T_odom_camera: Float[Array, "t 4 4"], correction: Float[Array, "t 6"], log_scale: float
) -> Cameras:
    """Apply the world scale and the corrections to the poses of the odometry.

    Args:
        T_odom_camera: Of each frame; distances are scaled about the first one.
        correction: Turn (rad) and shift (m) of each camera.
        log_scale: Logarithm of metres per unit of the odometry.
    """
    origin_m = T_odom_camera[0, :3, 3]
    travel_m = np.exp(log_scale) * (T_odom_camera[:, :3, 3] - origin_m)
    R = so3.exp(correction[:, :3]) @ T_odom_camera[:, :3, :3]
    by_turn = np.linalg.inv(inverse_left_jacobian(correction[:, :3]))
    return Cameras(R, origin_m + travel_m + correction[:, 3:], travel_m, by_turn)


class Reprojection(NamedTuple):
    """Whitened residuals of marks in the image and their derivatives."""

    residual: Float[Array, "t 21 2"]
    point: Float[Array, "t 21 2 3"]
    """With respect to the points in the world."""
    camera: Float[Array, "t 21 2 6"]
    """With respect to the turn and shift of the camera."""
    log_scale: Float[Array, "t 21 2"]
    """With respect to the logarithm of the world scale."""


def reprojection(
    camera: CameraModel,
    at: Cameras,
    points_m: Float[Array, "t 21 3"],
    target_px: Float[Array, "t 21 2"],
    weight: Float[Array, "t 21"],
) -> Reprojection:
    """Projected minus marked keypoints, through the real camera model with its distortion.

    Args:
        camera: The lens.
        at: Poses of the camera.
        points_m: What the detector marks, in the world.
        target_px: The marks.
        weight: Confidence over deviation (1/px), so that the cost carries confidence squared as
            the released code has it; 0 where nothing was marked.

    Returns:
        Residuals; zero, with derivatives of zero, where the weight is zero or the point has no
        image (behind the camera or outside of the lens's field).
    """
    arm = points_m - at.centre_m[:, None]
    to_camera = np.swapaxes(at.R_world_camera, -1, -2)
    px, slope = cameras.project_with_jacobian(camera, arm @ at.R_world_camera)
    good = np.isfinite(px).all(axis=-1) & np.isfinite(target_px).all(axis=-1) & (weight > 0.0)
    scale = np.where(good, weight, 0.0)
    residual = np.where(good[..., None], px - target_px, 0.0) * scale[..., None]
    slope = np.where(good[..., None, None], slope, 0.0) * scale[..., None, None]
    point = slope @ to_camera[:, None]
    turn = point @ so3.hat(arm) @ at.by_turn[:, None]
    along = -np.einsum("tkij,tj->tki", point, at.travel_m)
    return Reprojection(residual, point, np.concatenate((turn, -point), axis=-1), along)


def relative_shape(
    points_m: Float[Array, "t 21 3"],
    jacobian: Float[Array, "t 21 3 p"],
    target_m: Float[Array, "t 21 3"],
    weight: Float[Array, "t"],
) -> tuple[Float[Array, "t 21 3"], Float[Array, "t 21 3 p"]]:
    """Keypoints about their mean against a detector's own 3D keypoints about theirs.

    Args:
        points_m: Keypoints.
        jacobian: Their derivative.
        target_m: The detector's, already brought to the hand's size and turned to the axes of
            the points.
        weight: One over the deviation of a coordinate (1/m); 0 where the detector gives none.
    """
    scale = weight[:, None, None]
    centred = points_m - points_m.mean(axis=1, keepdims=True)
    residual = (centred - (target_m - target_m.mean(axis=1, keepdims=True))) * scale
    return residual, (jacobian - jacobian.mean(axis=1, keepdims=True)) * scale[..., None]
