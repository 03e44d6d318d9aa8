"""Principal components of whole clips: the linear rival, whitened as a normal distribution."""

from __future__ import annotations

import torch
from torch import Tensor

from hand4d_ros.nn.motion_field import spline_weights
from hand4d_ros.shapes import Bool, Float
from hand4d_ros.tracking.priors.spline import ANGLES, KNOTS, POINTS, SplineMotion, frame_times

ERROR = 0.3
"""Of an estimated angle, in everyday spreads: how much observed frames pull on the latent."""


class PcaPrior(SplineMotion):
    """Control points are a mean plus components, each times a standard normal number."""

    name = "pca"

    def __init__(self, mean: Float[Tensor, " n"], components: Float[Tensor, "n z"]) -> None:
        """Take what was fitted.

        Args:
            mean: Of the control points.
            components: Each times its standard deviation.
        """
        super().__init__()
        self._mean, self._components = mean, components
        self.latent_size = components.shape[1]
        shape = (POINTS, ANGLES, self.latent_size)
        weights = spline_weights(frame_times(), KNOTS)
        self._angles_by_latent = torch.einsum("fp,paz->faz", weights, components.reshape(shape))
        self._mean_angles = weights @ mean.reshape(POINTS, ANGLES)

    def encode(
        self, rotations: Float[Tensor, "b f 15 3 3"], seen: Bool[Tensor, "b f"]
    ) -> Float[Tensor, "b z"]:
        """Return the conditional mean of the latent given the frames that were seen."""
        off = (self.scaled_angles(rotations) - self._mean_angles) / ERROR
        A = self._angles_by_latent / ERROR
        per_frame = torch.einsum("faz,fay->fzy", A, A)
        eye = torch.eye(self.latent_size)
        use = seen.to(off)
        information = torch.einsum("bf,fzy->bzy", use, per_frame) + eye
        latent: Tensor = torch.linalg.solve(
            information, torch.einsum("bf,faz,bfa->bz", use, A, off)
        )
        return latent

    def decode(
        self, latent: Float[Tensor, "b z"], times: Float[Tensor, " t"]
    ) -> Float[Tensor, "b t 15 3 3"]:
        """Return the motions of latents at times from 0 to 1."""
        points = self._mean + latent @ self._components.T
        return self.rotations(points.reshape(-1, POINTS, ANGLES), times)

    def tangents(
        self, latent: Float[Tensor, " z"], times: Float[Tensor, " t"]
    ) -> tuple[Float[Tensor, "t 15 3 3"], Float[Tensor, "t 15 3 z"]]:
        """Return one motion and the turns that the latent makes."""
        points = self._mean + self._components @ latent
        local, slope = self.turns(points.reshape(POINTS, ANGLES), times)
        return local, slope @ self._components

    def energy(self, latent: Float[Tensor, "b z"]) -> Float[Tensor, " b"]:
        """Return half the squared norm."""
        return 0.5 * latent.square().sum(-1)

    def curvature(self, latent: Float[Tensor, " z"]) -> Float[Tensor, "z z"]:
        """Return the identity."""
        return torch.eye(len(latent)).to(latent)
