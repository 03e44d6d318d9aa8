"""Rotations in PyTorch: axis-angle and the first two rows, differentiable everywhere used."""

from __future__ import annotations

import torch
from torch import Tensor

from hand4d_ros.shapes import Float

_TINY = 1e-8


def matrix_from_rotvec(rotvec: Float[Tensor, "*b 3"]) -> Float[Tensor, "*b 3 3"]:
    """Return rotations from axis-angle (rad), by Rodrigues' formula; smooth at zero."""
    # sin(x) / x and (1 - cos(x)) / x^2 through sinc have finite derivatives of all orders at 0.
    angle = (rotvec.square().sum(-1) + _TINY**2).sqrt()[..., None, None]
    sine = torch.sinc(angle / torch.pi)
    versine = 0.5 * torch.sinc(0.5 * angle / torch.pi).square()
    K = hat(rotvec)
    eye = torch.eye(3, dtype=rotvec.dtype, device=rotvec.device)
    return eye + sine * K + versine * (K @ K)


def hat(v: Float[Tensor, "*b 3"]) -> Float[Tensor, "*b 3 3"]:
    """Return the matrices of cross products from the left."""
    x, y, z = v.unbind(-1)
    zero = torch.zeros_like(x)
    flat = torch.stack((zero, -z, y, z, zero, -x, -y, x, zero), -1)
    return flat.reshape(*v.shape[:-1], 3, 3)


def vee(K: Float[Tensor, "*b 3 3"]) -> Float[Tensor, "*b 3"]:
    """Return the vectors of the antisymmetric parts, the inverse of ``hat``."""
    S = 0.5 * (K - K.transpose(-1, -2))
    return torch.stack((S[..., 2, 1], S[..., 0, 2], S[..., 1, 0]), -1)


def matrix_from_two_rows(rows: Float[Tensor, "*b 6"]) -> Float[Tensor, "*b 3 3"]:
    """Return rotations whose first two rows are given up to orthonormalisation.

    Zhou et al., "On the continuity of rotation representations", CVPR 2019, Appendix B, with rows
    for columns as in PyTorch3D.
    """
    first, second = rows[..., :3], rows[..., 3:]
    x = first / (first.square().sum(-1, keepdim=True) + _TINY**2).sqrt()
    y = second - (x * second).sum(-1, keepdim=True) * x
    y = y / (y.square().sum(-1, keepdim=True) + _TINY**2).sqrt()
    return torch.stack((x, y, torch.linalg.cross(x, y)), -2)


def two_rows_from_matrix(R: Float[Tensor, "*b 3 3"]) -> Float[Tensor, "*b 6"]:
    """Return the first two rows of rotations, one after the other."""
    return R[..., :2, :].flatten(-2)


def angle_between(a: Float[Tensor, "*b 3 3"], b: Float[Tensor, "*b 3 3"]) -> Float[Tensor, "*b"]:
    """Return the angles (rad) between rotations; the gradient is finite at 0 and pi."""
    chord = (a - b).square().sum((-1, -2))
    half = (chord / 8.0).clamp(_TINY**2, 1.0 - 1e-6).sqrt()
    return 2.0 * torch.asin(half)
