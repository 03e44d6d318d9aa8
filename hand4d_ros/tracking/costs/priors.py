"""What is likely without any picture: poses, shapes, the world scale and motions.

Every prior is a residual in standard deviations, so its squared sum over two is a negative
log-likelihood up to a constant. Poses are angles in the order of
``hand.biomechanics.DEGREES_OF_FREEDOM``, of a right hand or of a left one mirrored.
"""

from __future__ import annotations

import numpy as np

from hand4d_ros.geometry import so3
from hand4d_ros.hand.biomechanics import (
    DISTAL_COUPLING,
    DISTAL_FLEXION,
    MIDDLE_FLEXION,
    REST_RAD,
    STD_RAD,
)
from hand4d_ros.shapes import Array, Float
from hand4d_ros.tracking.costs.camera_terms import inverse_left_jacobian

_COUPLING_STD_RAD = np.deg2rad(15.0)


def pose_prior(
    angles: Float[Array, "t 22"],
) -> tuple[Float[Array, "t 26"], Float[Array, "26 22"]]:
    """Angles against the relaxed hand, and distal against two thirds of middle flexion.

    It takes the place of the paper's sum of squared rotations about the flat hand (L_J), which
    pulls towards a pose that a relaxed hand never has.

    Args:
        angles: Angles (rad).
    """
    relaxed = (angles - REST_RAD) / STD_RAD
    coupled = angles[:, DISTAL_FLEXION] - DISTAL_COUPLING * angles[:, MIDDLE_FLEXION]
    return np.concatenate((relaxed, coupled / _COUPLING_STD_RAD), axis=1), _POSE_JACOBIAN


_POSE_JACOBIAN = np.concatenate((np.diag(1.0 / STD_RAD), np.zeros((4, 22))), axis=0)
_POSE_JACOBIAN[22 + np.arange(4), DISTAL_FLEXION] = 1.0 / _COUPLING_STD_RAD
_POSE_JACOBIAN[22 + np.arange(4), MIDDLE_FLEXION] = -DISTAL_COUPLING / _COUPLING_STD_RAD


def gaussian_prior(
    values: Float[Array, "v"], mean: Float[Array, "v"], root_information: Float[Array, "v v"]
) -> tuple[Float[Array, "v"], Float[Array, "v v"]]:
    """Shape coefficients and logarithm of the world scale against what is known (L_beta).

    Args:
        values: The unknowns.
        mean: Their most probable values; zero for the population and for an odometry in metres.
        root_information: Upper triangular root of the information. For the population it is the
            identity, as shape coefficients are standard normal; a chunk hands its own on.
    """
    return root_information @ (values - mean), root_information


def motion_prior(
    local: Float[Array, "t 15 3 3"],
    axes: Float[Array, "t 15 3 22"],
    decoded: Float[Array, "t 15 3 3"],
    decoded_by_latent: Float[Array, "t 15 3 z"],
    std_rad: float,
) -> tuple[Float[Array, "t 45"], Float[Array, "t 45 22"], Float[Array, "t 45 z"]]:
    """Joint rotations against the motion that a latent describes (Dyn-HaMR, L_prior).

    The latent itself is standard normal, so its own residual is the latent.

    Args:
        local: Rotations of the joints relative to their parents.
        axes: Turn of each joint, from the left, for each of the 22 angles.
        decoded: The prior's rotations in the same frames.
        decoded_by_latent: Their turn, from the left, for each number of the latent.
        std_rad: How near the motion should be to one of the prior.

    Returns:
        The turns from the prior's rotations, and their derivatives by angles and by latent.
    """
    t = len(local)
    turn = so3.log(local @ np.swapaxes(decoded, -1, -2))
    inverse = inverse_left_jacobian(turn) / std_rad
    by_angle = (inverse @ axes).reshape(t, 45, 22)
    by_latent = -(np.swapaxes(inverse, -1, -2) @ decoded_by_latent).reshape(t, 45, -1)
    return turn.reshape(t, 45) / std_rad, by_angle, by_latent


_TIE_STD = np.repeat([0.005, 0.001, 0.02], [3, 3, 22])
"""How near a chunk starts to where the one before ended: turn (rad), wrist (m), angles (rad)."""


def pose_tie(
    R: Float[Array, "t 3 3"],
    wrist_m: Float[Array, "t 3"],
    angles: Float[Array, "t 22"],
    R_before: Float[Array, "k 3 3"],
    wrist_before_m: Float[Array, "k 3"],
    angles_before: Float[Array, "k 22"],
) -> tuple[Float[Array, "k 28"], Float[Array, "k 28 1 28"]]:
    """First poses of a hand against given ones.

    Args:
        R: Orientations, which the unknowns turn from the left.
        wrist_m: Positions.
        angles: Angles (rad).
        R_before: Given orientations of the first k frames.
        wrist_before_m: Given positions.
        angles_before: Given angles.
    """
    k = len(R_before)
    turn = so3.log(R[:k] @ np.swapaxes(R_before, -1, -2))
    parts = (turn, wrist_m[:k] - wrist_before_m, angles[:k] - angles_before)
    slope = np.tile(np.eye(28), (k, 1, 1))
    slope[:, :3, :3] = inverse_left_jacobian(turn)
    return np.concatenate(parts, axis=1) / _TIE_STD, (slope / _TIE_STD[:, None])[:, :, None]
