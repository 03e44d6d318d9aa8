"""The residuals of the keypoint fit: each a pure function, whitened, with its Jacobian.

Every function takes batches (one row a hand) and returns residuals of unit variance together
with their derivative with respect to the 28 parameters: a rotation of the wrist about the
camera's axes (3), its position (3) and the 22 anatomical angles.
"""

from __future__ import annotations

import numpy as np

from hand4d_ros.geometry import camera as cameras
from hand4d_ros.hand.biomechanics import (
    AXIS,
    DISTAL_COUPLING,
    DISTAL_FLEXION,
    JOINT,
    MIDDLE_FLEXION,
    REST_RAD,
    STD_RAD,
    Anatomy,
)
from hand4d_ros.hand.model import PosedChain, ShapedHand
from hand4d_ros.hand.orders import MANO_PARENTS, OPENPOSE_FROM_MANO, TIP_PARENTS
from hand4d_ros.shapes import Array, Float
from hand4d_ros.types import CameraModel

PARAMETERS = 6 + len(JOINT)

_COUPLING_STD_RAD = np.deg2rad(15.0)


def _moved_by_angle() -> Float[Array, "21 22"]:
    """Return 1 where a keypoint lies outwards of the joint of an angle, else 0."""
    chain = np.full(21, -1)
    level = np.zeros(21, int)
    for mano in range(1, 16):
        keypoint = OPENPOSE_FROM_MANO.index(mano)
        chain[keypoint], level[keypoint] = divmod(mano - 1, 3)
    for finger, parent in enumerate(TIP_PARENTS):
        keypoint = OPENPOSE_FROM_MANO.index(16 + finger)
        chain[keypoint], level[keypoint] = (parent - 1) // 3, 3
    same = chain[:, None] == JOINT // 3
    return (same & (level[:, None] > JOINT % 3)).astype(float)


_MOVED = _moved_by_angle()


def posed_with_jacobian(
    hand: ShapedHand,
    anatomy: Anatomy,
    R: Float[Array, "b 3 3"],
    wrist_m: Float[Array, "b 3"],
    angles: Float[Array, "b 22"],
) -> tuple[PosedChain, Float[Array, "b 21 3 28"]]:
    """Pose the hand and differentiate its keypoints.

    Fingertips are taken to be carried by the last joint alone, which is exact for the built-in
    hand and within a few percent for MANO's tip vertices.
    """
    each = anatomy.axis_rotations(angles)
    flexed = each[..., 0, :, :] @ each[..., 1, :, :]
    local = flexed @ each[..., 2, :, :]
    posed = hand.chain(R, wrist_m, local)
    parents = posed.rotations[:, 1:].reshape(-1, 5, 3, 3, 3)
    parents = np.concatenate(
        (np.broadcast_to(R[:, None, None], (len(R), 5, 1, 3, 3)), parents[:, :, :2]), axis=2
    ).reshape(-1, 15, 3, 3)
    before = np.empty((len(R), 15, 3, 3))
    before[..., 0] = np.broadcast_to(anatomy.axes[:, 0], (len(R), 15, 3))
    before[..., 1] = np.einsum("bjxy,jy->bjx", each[..., 0, :, :], anatomy.axes[:, 1])
    before[..., 2] = np.einsum("bjxy,jy->bjx", flexed, anatomy.axes[:, 2])
    axes = (parents @ before)[:, JOINT, :, AXIS].swapaxes(0, 1)
    points = posed.keypoints_m
    pivots = posed.joints_m[:, 1:][:, JOINT]
    jacobian = np.empty((len(R), 21, 3, PARAMETERS))
    arm = points - wrist_m[:, None]
    jacobian[..., :3] = 0.0
    jacobian[..., 0, 1], jacobian[..., 0, 2] = arm[..., 2], -arm[..., 1]
    jacobian[..., 1, 0], jacobian[..., 1, 2] = -arm[..., 2], arm[..., 0]
    jacobian[..., 2, 0], jacobian[..., 2, 1] = arm[..., 1], -arm[..., 0]
    jacobian[..., 3:6] = np.eye(3)
    lever = (points[:, :, None] - pivots[:, None]) * _MOVED[..., None]
    # np.cross spends most of its time on checks, and this runs several times a frame.
    (ax, ay, az), (x, y, z) = np.moveaxis(axes, -1, 0)[:, :, None], np.moveaxis(lever, -1, 0)
    jacobian[..., 0, 6:] = ay * z - az * y
    jacobian[..., 1, 6:] = az * x - ax * z
    jacobian[..., 2, 6:] = ax * y - ay * x
    return posed, jacobian


def reprojection(
    camera: CameraModel,
    mirror: Float[Array, "b"],
    points_m: Float[Array, "b 21 3"],
    jacobian: Float[Array, "b 21 3 28"],
    target_px: Float[Array, "b 21 2"],
    std_px: Float[Array, "b 21"],
) -> tuple[Float[Array, "b 21 2"], Float[Array, "b 21 2 28"]]:
    """Projected minus detected keypoints, through the real camera model.

    Args:
        camera: Camera with distortion.
        mirror: -1 for left hands, which are fitted as right hands in a mirrored world.
        points_m: Keypoints in the (mirrored) camera frame.
        jacobian: Their derivative.
        target_px: Detected keypoints.
        std_px: Their standard deviation.
    """
    signs = np.ones((len(mirror), 1, 3))
    signs[:, 0, 0] = mirror
    px, slope = cameras.project_with_jacobian(camera, points_m * signs)
    residual = (px - target_px) / std_px[..., None]
    return residual, (slope * (signs[..., None, :] / std_px[..., None, None])) @ jacobian


def relative_shape(
    points_m: Float[Array, "b 21 3"],
    jacobian: Float[Array, "b 21 3 28"],
    target_m: Float[Array, "b 21 3"],
    std_m: Float[Array, "b"],
) -> tuple[Float[Array, "b 21 3"], Float[Array, "b 21 3 28"]]:
    """Keypoints against the detector's own 3D ones, both centred, the latter brought to size.

    Args:
        points_m: Keypoints in the (mirrored) camera frame.
        jacobian: Their derivative.
        target_m: The detector's, in the same axes.
        std_m: Standard deviation of a coordinate; infinite where the detector gives none.
    """
    centred = points_m - points_m.mean(axis=1, keepdims=True)
    target = target_m - target_m.mean(axis=1, keepdims=True)
    size = np.linalg.norm(centred, axis=(1, 2)) / np.linalg.norm(target, axis=(1, 2)).clip(1e-6)
    residual = (centred - size[:, None, None] * target) / std_m[:, None, None]
    slope = jacobian - jacobian.mean(axis=1, keepdims=True)
    return residual, slope / std_m[:, None, None, None]


def relaxed_pose(
    angles: Float[Array, "b 22"],
) -> tuple[Float[Array, "b 22"], Float[Array, "22 28"]]:
    """Angles against the relaxed hand, in standard deviations of everyday poses."""
    return (angles - REST_RAD) / STD_RAD, _RELAXED_JACOBIAN


def coupled_joints(
    angles: Float[Array, "b 22"],
) -> tuple[Float[Array, "b 4"], Float[Array, "4 28"]]:
    """Distal against two thirds of middle flexion of the four fingers."""
    error = angles[:, DISTAL_FLEXION] - DISTAL_COUPLING * angles[:, MIDDLE_FLEXION]
    return error / _COUPLING_STD_RAD, _COUPLED_JACOBIAN


_RELAXED_JACOBIAN = np.concatenate((np.zeros((22, 6)), np.diag(1.0 / STD_RAD)), axis=1)
_COUPLED_JACOBIAN = np.zeros((4, PARAMETERS))
_COUPLED_JACOBIAN[np.arange(4), 6 + DISTAL_FLEXION] = 1.0 / _COUPLING_STD_RAD
_COUPLED_JACOBIAN[np.arange(4), 6 + MIDDLE_FLEXION] = -DISTAL_COUPLING / _COUPLING_STD_RAD


def shape_jacobian(hand: ShapedHand, posed: PosedChain) -> Float[Array, "b 21 3 10"]:
    """Differentiate the keypoints with respect to the ten shape coefficients."""
    model = hand.model
    directions = np.concatenate(
        (model.joint_shape_dirs_m, model.shape_dirs_m[model.tip_vertices]), axis=0
    )
    jacobian = np.zeros((*posed.joints_m.shape[:-2], 21, 3, 10))
    parents = (*MANO_PARENTS, *TIP_PARENTS)
    for child, parent in enumerate(parents):
        if parent < 0:
            continue
        step = posed.rotations[:, parent] @ (directions[child] - directions[parent])
        jacobian[:, child] = jacobian[:, parent] + step
    return jacobian[:, OPENPOSE_FROM_MANO]
