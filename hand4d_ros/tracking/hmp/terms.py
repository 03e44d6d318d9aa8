"""HMP's terms that are not shared with Dyn-HaMR: each a pure function, whitened, differentiated.

Of the seven terms, L_2D, L_beta and the translation's smoothness are those of ``tracking.costs``;
here are orientation against its first estimate (Eq. 3), its smoothness (Eq. 6) and the motion
prior (Eq. 9). Derivatives are by turns from the left, ``R -> exp(w) R``.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import torch

from hand4d_ros.geometry import so3
from hand4d_ros.shapes import Array, Float
from hand4d_ros.tracking.costs.camera_terms import inverse_left_jacobian
from hand4d_ros.tracking.priors.base import MotionPrior


def turn_away(
    R: Float[Array, "f 3 3"], first: Float[Array, "f 3 3"]
) -> tuple[Float[Array, "f 3"], Float[Array, "f 3 3"]]:
    """Orientation against its first estimate, L_o (Eq. 3): rad, and the derivative.

    Args:
        R: Orientations.
        first: Estimated ones.
    """
    off = so3.log(R @ np.swapaxes(first, -1, -2))
    return off, inverse_left_jacobian(off)


def spin(
    R: Float[Array, "f 3 3"], times_s: Float[Array, " f"]
) -> tuple[Float[Array, "r 3"], Float[Array, "r 3 2 3"]]:
    """Angular velocity between neighbouring frames, L_os (Eq. 6): rad/s, axes of the world.

    Args:
        R: Orientations.
        times_s: Rising.

    Returns:
        One row a pair of frames, and its derivative by the turns of both.
    """
    dt = np.diff(times_s)[:, None]
    step = R[1:] @ np.swapaxes(R[:-1], -1, -2)
    turn = so3.log(step)
    later = inverse_left_jacobian(turn)
    slope = np.stack((-later @ step, later), axis=2) / dt[..., None, None]
    return turn / dt, slope


def spin_change(
    velocity: Float[Array, "r 3"], slope: Float[Array, "r 3 2 3"], times_s: Float[Array, " f"]
) -> tuple[Float[Array, "q 3"], Float[Array, "q 3 3 3"]]:
    """Angular acceleration over three neighbouring frames: rad/s^2, and the derivative.

    Args:
        velocity: Of ``spin``.
        slope: Of ``spin``.
        times_s: Of the frames.
    """
    half_s = 0.5 * (times_s[2:] - times_s[:-2])
    wide = np.zeros((max(len(velocity) - 1, 0), 3, 3, 3))
    wide[:, :, :2] -= slope[:-1]
    wide[:, :, 1:] += slope[1:]
    return np.diff(velocity, axis=0) / half_s[:, None], wide / half_s[:, None, None, None]


def left_jacobian(rotvec: Float[Array, "*b 3"]) -> Float[Array, "*b 3 3"]:
    """Return d log(exp(v + w) exp(-v)) / dw at w = 0; Solà et al., Eq. 145."""
    K = so3.hat(rotvec)
    angle = np.linalg.norm(rotvec, axis=-1)[..., None, None]
    small = angle < 1e-3
    safe = np.where(small, 1.0, angle)
    one = np.where(small, 0.5, (1.0 - np.cos(safe)) / safe**2)
    two = np.where(small, 1.0 / 6.0, (safe - np.sin(safe)) / safe**3)
    return np.asarray(np.eye(3) + one * K + two * (K @ K))


class LatentTerm(NamedTuple):
    """A quadratic that touches the energy of a latent."""

    energy: float
    gradient: Float[Array, " z"]
    curvature: Float[Array, "z z"]


def given_estimate(
    latent: Float[Array, " z"], mean: Float[Array, " z"], std: Float[Array, " z"]
) -> LatentTerm:
    """Likelihood of the latent given the first estimate, L_MP (Eq. 9).

    Args:
        latent: The latent.
        mean: That the encoder gives.
        std: That the encoder gives.
    """
    z = (latent - mean) / std
    return LatentTerm(0.5 * float(z @ z), z / std, np.diag(1.0 / std**2))


def own_density(prior: MotionPrior, latent: Float[Array, " z"]) -> LatentTerm:
    """Negative log density of the prior itself, L_MP of the released code.

    Args:
        prior: Its energy is convex, if only in pieces.
        latent: The latent.
    """
    z = torch.as_tensor(latent, dtype=torch.float32).requires_grad_()
    value = prior.energy(z[None])[0]
    (gradient,) = torch.autograd.grad(value, z)
    curvature = prior.curvature(z.detach())
    return LatentTerm(float(value.detach()), gradient.double().numpy(), curvature.double().numpy())
