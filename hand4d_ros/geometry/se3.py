"""Rigid transforms as 4x4 matrices, batched over leading axes.

``T_a_b`` maps coordinates in b to coordinates in a: ``p_a = apply(T_a_b, p_b)``.
"""

from __future__ import annotations

import numpy as np

from hand4d_ros.errors import GeometryError
from hand4d_ros.geometry import so3
from hand4d_ros.shapes import Array, Float

_LAST_ROW = np.array([0.0, 0.0, 0.0, 1.0])


def from_rotation_translation(
    R: Float[Array, "*batch 3 3"], t: Float[Array, "*batch 3"]
) -> Float[Array, "*batch 4 4"]:
    """Transform from its rotation and its translation.

    Args:
        R: Rotation matrices.
        t: Translations (m).

    Returns:
        ``[[R, t], [0, 1]]``.
    """
    T = np.zeros((*R.shape[:-2], 4, 4))
    T[..., :3, :3] = R
    T[..., :3, 3] = t
    T[..., 3, 3] = 1.0
    return T


def from_quaternion_translation(
    wxyz: Float[Array, "*batch 4"], t: Float[Array, "*batch 3"]
) -> Float[Array, "*batch 4 4"]:
    """Transform from a quaternion (w, x, y, z) of any length and a translation.

    Args:
        wxyz: Quaternions; they are normalised here.
        t: Translations (m).

    Returns:
        One transform for each pair.

    Raises:
        GeometryError: If a quaternion is zero or not finite.
    """
    return from_rotation_translation(so3.matrix_from_quaternion(wxyz), t)


def inverse(T: Float[Array, "*batch 4 4"]) -> Float[Array, "*batch 4 4"]:
    """Inverse of a rigid transform: ``T_b_a`` of ``T_a_b``.

    Args:
        T: Rigid transforms.

    Returns:
        ``[[R^T, -R^T t], [0, 1]]``.
    """
    out = np.zeros(T.shape)
    R_inverse = np.swapaxes(T[..., :3, :3], -1, -2)
    out[..., :3, :3] = R_inverse
    out[..., :3, 3] = -(R_inverse @ T[..., :3, 3:])[..., 0]
    out[..., 3, 3] = 1.0
    return out


def apply(
    T: Float[Array, "*batch 4 4"], p: Float[Array, "*batch n 3"]
) -> Float[Array, "*batch n 3"]:
    """Points in a from points in b with ``T = T_a_b``.

    Args:
        T: Rigid transforms.
        p: Points (m), n for each transform.

    Returns:
        The points moved (m).
    """
    moved: Array = p @ np.swapaxes(T[..., :3, :3], -1, -2) + T[..., None, :3, 3]
    return moved


def interpolate(
    T0: Float[Array, "*batch 4 4"],
    T1: Float[Array, "*batch 4 4"],
    alpha: float | Float[Array, "*batch"],
) -> Float[Array, "*batch 4 4"]:
    """Transform between ``T0`` (alpha 0) and ``T1`` (alpha 1).

    The rotation goes along the shortest arc, the translation along the straight line. That is
    the motion of a body whose origin moves freely; a screw motion would bend the path of the
    origin when the body turns.

    Args:
        T0: Where to start.
        T1: Where to end.
        alpha: Fraction of the way; outside of 0..1 it extrapolates.

    Returns:
        One transform for each pair.
    """
    R = so3.interpolate(T0[..., :3, :3], T1[..., :3, :3], alpha)
    weight = np.asarray(alpha)[..., None]
    t = T0[..., :3, 3] + weight * (T1[..., :3, 3] - T0[..., :3, 3])
    return from_rotation_translation(R, t)


def check_rigid(T: Array, name: str, tolerance: float = 1e-4) -> Float[Array, "4 4"]:
    """Return ``T`` as float64 if it is one rigid transform, and complain if it is not.

    Args:
        T: What should be a 4x4 rigid transform.
        name: What to call it in the message, such as ``"T_world_base"``.
        tolerance: Largest entry of ``R R^T - I`` that is let through; the default admits what
            was rounded to single precision on its way.

    Returns:
        ``T`` as float64.

    Raises:
        GeometryError: If the shape is not (4, 4), an entry is not finite, the upper left block
            is not a rotation, or the last row is not (0, 0, 0, 1).
    """
    T = np.asarray(T, dtype=np.float64)
    if T.shape != (4, 4):
        raise GeometryError(f"{name} has shape {T.shape}; a rigid transform is 4x4")
    if not np.isfinite(T).all():
        raise GeometryError(f"{name} has entries that are not finite: {T.tolist()}")
    R = T[:3, :3]
    error = float(np.abs(R @ R.T - np.eye(3)).max())
    if error > tolerance or np.linalg.det(R) < 0.0:
        msg = (
            f"the rotation of {name} is not orthonormal and right-handed (off by {error:.2g}, "
            f"determinant {np.linalg.det(R):.3g}): {R.tolist()}; so3.nearest_rotation repairs it"
        )
        raise GeometryError(msg)
    if np.abs(T[3] - _LAST_ROW).max() > tolerance:
        raise GeometryError(f"the last row of {name} is {T[3].tolist()}, not (0, 0, 0, 1)")
    return T
