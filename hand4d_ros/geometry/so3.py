"""Rotations: matrices, rotation vectors and wxyz quaternions, batched over leading axes.

Sources: Rodrigues' formula; Shepperd, "Quaternion from rotation matrix", J. Guidance and
Control 1(3), 1978, for the choice of the largest quaternion component; Shoemake, "Animating
rotation with quaternion curves", SIGGRAPH 1985, for the interpolation.
"""

from __future__ import annotations

import numpy as np

from hand4d_ros.errors import GeometryError
from hand4d_ros.shapes import Array, Float

_SMALLEST_NORM = 1e-12


def _four_q_q() -> Float[Array, "9 16"]:
    """How 4 q q^T depends on the nine entries of the rotation matrix of a unit quaternion q."""
    slopes = np.zeros((4, 4, 3, 3))
    for i in range(3):
        j, k = (i + 1) % 3, (i + 2) % 3
        slopes[0, 0, i, i] = slopes[i + 1, i + 1, i, i] = 1.0
        slopes[i + 1, i + 1, j, j] = slopes[i + 1, i + 1, k, k] = -1.0
        slopes[0, i + 1, k, j], slopes[0, i + 1, j, k] = 1.0, -1.0
        slopes[i + 1, 0] = slopes[0, i + 1]
        slopes[j + 1, k + 1, k, j] = slopes[j + 1, k + 1, j, k] = 1.0
        slopes[k + 1, j + 1] = slopes[j + 1, k + 1]
    return slopes.reshape(16, 9).T.copy()


_FOUR_Q_Q = _four_q_q()
_FOUR_Q_Q_AT_ZERO = np.eye(4).reshape(16)


def hat(v: Float[Array, "*batch 3"]) -> Float[Array, "*batch 3 3"]:
    """Skew-symmetric matrix of the cross product: ``hat(v) @ u == cross(v, u)``.

    Args:
        v: Vectors, any unit.

    Returns:
        One matrix for each vector, in the same unit.
    """
    out = np.zeros((*v.shape[:-1], 3, 3))
    out[..., 0, 1], out[..., 0, 2], out[..., 1, 2] = -v[..., 2], v[..., 1], -v[..., 0]
    out[..., 1, 0], out[..., 2, 0], out[..., 2, 1] = v[..., 2], -v[..., 1], v[..., 0]
    return out


def exp(rotvec: Float[Array, "*batch 3"]) -> Float[Array, "*batch 3 3"]:
    """Rotation matrix of a rotation vector (Rodrigues), exact down to the zero rotation.

    Args:
        rotvec: Axis times angle (rad).

    Returns:
        ``cos(a) I + sin(a)/a hat(v) + (1-cos(a))/a^2 v v^T`` with ``a = |v|``.
    """
    v = np.asarray(rotvec, dtype=np.float64)
    x, y, z = v[..., 0], v[..., 1], v[..., 2]
    # The tiny addend makes sin(a)/a come out as one at the zero rotation.
    angle = np.sqrt(x * x + y * y + z * z + 1e-300)
    sine = np.sin(angle) / angle
    half = np.sin(0.5 * angle) / (0.5 * angle)
    cosine = np.cos(angle)
    out = (0.5 * half * half)[..., None, None] * (v[..., :, None] * v[..., None, :])
    sx, sy, sz = sine * x, sine * y, sine * z
    out[..., 0, 0] += cosine
    out[..., 1, 1] += cosine
    out[..., 2, 2] += cosine
    out[..., 0, 1] -= sz
    out[..., 0, 2] += sy
    out[..., 1, 0] += sz
    out[..., 1, 2] -= sx
    out[..., 2, 0] -= sy
    out[..., 2, 1] += sx
    return out


def log(R: Float[Array, "*batch 3 3"]) -> Float[Array, "*batch 3"]:
    """Rotation vector (rad) of a rotation matrix, the inverse of ``exp`` up to an angle of pi.

    It goes through the quaternion, whose largest component is found without cancellation, so
    it is exact near the zero rotation and near half a turn. At exactly half a turn, where two
    vectors describe the same rotation, it returns one of them.

    Args:
        R: Rotation matrices.

    Returns:
        Axis times angle, the angle within 0..pi.
    """
    return rotvec_from_quaternion(quaternion_from_matrix(R))


def rotvec_from_quaternion(wxyz: Float[Array, "*batch 4"]) -> Float[Array, "*batch 3"]:
    """Rotation vector (rad) of a unit quaternion with ``w >= 0``.

    Args:
        wxyz: Quaternions, as ``quaternion_from_matrix`` gives them.

    Returns:
        Axis times angle, the angle within 0..pi.
    """
    w, xyz = wxyz[..., 0], wxyz[..., 1:]
    sine = np.sqrt(np.sum(xyz * xyz, axis=-1))
    small = sine < _SMALLEST_NORM
    factor = np.where(small, 2.0, 2.0 * np.arctan2(sine, w) / np.where(small, 1.0, sine))
    rotvec: Array = factor[..., None] * xyz
    return rotvec


def quaternion_from_matrix(R: Float[Array, "*batch 3 3"]) -> Float[Array, "*batch 4"]:
    """Unit quaternion (w, x, y, z) with ``w >= 0`` of a rotation matrix.

    Args:
        R: Rotation matrices.

    Returns:
        One quaternion for each matrix.
    """
    # Row i is 4 q_i q. The row of the largest component is the one that loses no digits.
    flat = np.asarray(R, dtype=np.float64).reshape(*R.shape[:-2], 9)
    rows = (flat @ _FOUR_Q_Q + _FOUR_Q_Q_AT_ZERO).reshape(*R.shape[:-2], 4, 4)
    largest = np.argmax(rows.reshape(*R.shape[:-2], 16)[..., ::5], axis=-1)[..., None, None]
    q = np.take_along_axis(rows, largest, axis=-2)[..., 0, :]
    wxyz: Array = q / np.copysign(np.sqrt((q * q).sum(axis=-1, keepdims=True)), q[..., :1])
    return wxyz


def matrix_from_quaternion(wxyz: Float[Array, "*batch 4"]) -> Float[Array, "*batch 3 3"]:
    """Rotation matrix of a quaternion (w, x, y, z) of any length but zero.

    Args:
        wxyz: Quaternions; they are normalised here.

    Returns:
        One rotation matrix for each quaternion.

    Raises:
        GeometryError: If a quaternion is zero or not finite, as an unset message is.
    """
    q = np.asarray(wxyz, dtype=np.float64)
    norm = np.linalg.norm(q, axis=-1, keepdims=True)
    if not np.all(np.isfinite(norm)) or np.any(norm < _SMALLEST_NORM):
        msg = (
            f"quaternion (w, x, y, z) {q.tolist()} is no rotation: its length must be finite "
            "and not zero; an identity rotation is (1, 0, 0, 0)"
        )
        raise GeometryError(msg)
    w, x, y, z = np.moveaxis(q / norm, -1, 0)
    out = np.empty((*q.shape[:-1], 3, 3))
    out[..., 0, 0] = 1.0 - 2.0 * (y * y + z * z)
    out[..., 0, 1] = 2.0 * (x * y - w * z)
    out[..., 0, 2] = 2.0 * (x * z + w * y)
    out[..., 1, 0] = 2.0 * (x * y + w * z)
    out[..., 1, 1] = 1.0 - 2.0 * (x * x + z * z)
    out[..., 1, 2] = 2.0 * (y * z - w * x)
    out[..., 2, 0] = 2.0 * (x * z - w * y)
    out[..., 2, 1] = 2.0 * (y * z + w * x)
    out[..., 2, 2] = 1.0 - 2.0 * (x * x + y * y)
    return out


def interpolate(
    R0: Float[Array, "*batch 3 3"],
    R1: Float[Array, "*batch 3 3"],
    alpha: float | Float[Array, "*batch"],
) -> Float[Array, "*batch 3 3"]:
    """Rotation on the shortest arc from ``R0`` (alpha 0) to ``R1`` (alpha 1).

    Args:
        R0: Where to start.
        R1: Where to end.
        alpha: Fraction of the arc; outside of 0..1 it extrapolates at the same angular speed.

    Returns:
        ``R0 exp(alpha log(R0^T R1))``, which is spherical linear interpolation.
    """
    step = log(np.swapaxes(R0, -1, -2) @ R1)
    R: Array = R0 @ exp(np.asarray(alpha)[..., None] * step)
    return R


def nearest_rotation(M: Float[Array, "*batch 3 3"]) -> Float[Array, "*batch 3 3"]:
    """Rotation nearest to a matrix in the Frobenius norm (orthogonal Procrustes, det +1).

    Args:
        M: Any finite matrices.

    Returns:
        ``U diag(1, 1, det(U V^T)) V^T`` of the singular value decomposition.

    Raises:
        GeometryError: If an entry is not finite.
    """
    if not np.all(np.isfinite(M)):
        msg = f"no rotation is nearest to a matrix with entries that are not finite: {M.tolist()}"
        raise GeometryError(msg)
    U, _, Vt = np.linalg.svd(np.asarray(M, dtype=np.float64))
    U[..., :, 2] *= np.linalg.det(U @ Vt)[..., None]
    R: Array = U @ Vt
    return R


def angle_between(
    R0: Float[Array, "*batch 3 3"], R1: Float[Array, "*batch 3 3"]
) -> Float[Array, "*batch"]:
    """Angle (rad, 0..pi) of the rotation that takes ``R0`` to ``R1``.

    Args:
        R0: One rotation.
        R1: The other.

    Returns:
        The geodesic distance, exact for small angles and near half a turn too.
    """
    R = np.swapaxes(R0, -1, -2) @ R1
    x, y, z = R[..., 2, 1] - R[..., 1, 2], R[..., 0, 2] - R[..., 2, 0], R[..., 1, 0] - R[..., 0, 1]
    twice_sine = np.sqrt(x * x + y * y + z * z)
    twice_cosine = R[..., 0, 0] + R[..., 1, 1] + R[..., 2, 2] - 1.0
    return np.asarray(np.arctan2(twice_sine, twice_cosine))
