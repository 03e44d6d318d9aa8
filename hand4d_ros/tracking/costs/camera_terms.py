"""What is expected of the cameras (Dyn-HaMR, L_cam): near the odometry, and smooth.

Where the odometry speaks, cameras stay as near to it as its noise allows; where it is silent they
move smoothly from where it was to where it comes back. Drift is left to the hands: cameras that
were free to drift would follow the detector's slow errors, as both look alike.
"""

from __future__ import annotations

import numpy as np

from hand4d_ros.geometry import so3
from hand4d_ros.shapes import Array, Float


def odometry_deviation(
    correction: Float[Array, "t 6"], std: Float[Array, "6"]
) -> tuple[Float[Array, "t 6"], Float[Array, "6 6"]]:
    """Turn and shift of each camera away from the odometry, in deviations.

    Args:
        correction: Turn (rad) and shift (m).
        std: Deviation of each component.
    """
    return correction / std, np.diag(1.0 / std)


def smooth_camera(
    R_world_camera: Float[Array, "t 3 3"],
    centre_m: Float[Array, "t 3"],
    std: Float[Array, "r 6"],
) -> tuple[Float[Array, "r 6"], Float[Array, "r 6 2 6"]]:
    """Geodesic step of the camera's rotation and step of its centre (the paper's L_cam).

    Args:
        R_world_camera: Rotations, which the unknowns turn from the left.
        centre_m: Centres.
        std: Deviation of each component of each step.
    """
    turn = so3.log(R_world_camera[1:] @ np.swapaxes(R_world_camera[:-1], -1, -2))
    residual = np.concatenate((turn, np.diff(centre_m, axis=0)), axis=1) / std
    slope = np.zeros((len(std), 6, 2, 6))
    # log(exp(b) E exp(-a)): the inverse left Jacobian for b, the right one, its transpose, for a.
    inverse = inverse_left_jacobian(turn)
    slope[:, :3, 1, :3] = inverse
    slope[:, :3, 0, :3] = -np.swapaxes(inverse, -1, -2)
    slope[:, 3:, 1, 3:] = np.eye(3)
    slope[:, 3:, 0, 3:] = -np.eye(3)
    return residual, slope / std[:, :, None, None]


def inverse_left_jacobian(rotvec: Float[Array, "*b 3"]) -> Float[Array, "*b 3 3"]:
    """Return how the logarithm of a rotation changes when the rotation is turned from the left.

    ``I - hat(v)/2 + (1/a^2 - (1 + cos a) / (2 a sin a)) hat(v)^2`` with ``a = |v|``; see Sola et
    al., "A micro Lie theory", arXiv 1812.01537, Eq. 146. Its transpose is that for turns from
    the right.
    """
    angle = np.linalg.norm(rotvec, axis=-1)
    small = angle < 1e-4
    safe = np.where(small, 1.0, angle)
    factor = 1.0 / safe**2 - (1.0 + np.cos(safe)) / (2.0 * safe * np.sin(safe))
    factor = np.where(small, 1.0 / 12.0, factor)
    K = so3.hat(rotvec)
    return np.asarray(np.eye(3) - 0.5 * K + factor[..., None, None] * (K @ K))
