"""A Gaussian mixture of single poses, as in SMPLify, along a smooth course of the angles.

Bogo et al., "Keep it SMPL", ECCV 2016, Eqs. 6 and 7: the sum over components is replaced by the
best one, which a least-squares solver needs and which is nearly the same.
"""

from __future__ import annotations

import torch
from torch import Tensor

from hand4d_ros.shapes import Float
from hand4d_ros.tracking.priors.none import NoPrior
from hand4d_ros.tracking.priors.spline import ANGLES, POINTS, bend

_EVERY = 0.25
"""Weight of a control point's pose: errors of neighbours are no independent evidence."""


class GmmPrior(NoPrior):
    """Control points are poses of a mixture; latents are as without a prior."""

    name = "gmm"

    def __init__(
        self,
        log_weights: Float[Tensor, " k"],
        means: Float[Tensor, "k 22"],
        factors: Float[Tensor, "k 22 22"],
    ) -> None:
        """Take what was fitted.

        Args:
            log_weights: Of the components, with the log determinants of their factors added.
            means: In everyday spreads from the rest.
            factors: Upper triangular; a pose minus the mean times it is standard normal.
        """
        super().__init__()
        self._log_weights, self._means, self._factors = log_weights, means, factors

    def energy(self, latent: Float[Tensor, "b z"]) -> Float[Tensor, " b"]:
        """Return the bending plus the negative log density of the poses."""
        points = latent.reshape(-1, POINTS, ANGLES)
        smooth = 0.5 * bend(points).square().sum((-1, -2))
        return smooth + _EVERY * self._costs(points).min(-1).values.sum(-1)

    def curvature(self, latent: Float[Tensor, " z"]) -> Float[Tensor, "z z"]:
        """Return the curvature of the bending and of the best component at each control point."""
        factors = self._factors[self._costs(latent.reshape(1, POINTS, ANGLES))[0].argmin(-1)]
        here = torch.eye(POINTS)[:, None, :, None]
        blocks = here * (factors @ factors.mT)[:, :, None]
        return super().curvature(latent) + _EVERY * blocks.reshape(len(latent), -1).to(latent)

    def _costs(self, points: Float[Tensor, "b p 22"]) -> Float[Tensor, "b p k"]:
        """Return the negative log density of poses by component."""
        off = torch.einsum("bpka,kac->bpkc", points[:, :, None] - self._means, self._factors)
        return 0.5 * off.square().sum(-1) - self._log_weights
