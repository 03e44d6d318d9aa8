"""No motion prior: poses are free, and nothing but a smooth course of the angles is asked for.

HMP's "No Motion Prior" (section 4.3), where pose smoothness takes the place of the likelihood.
"""

from __future__ import annotations

import torch
from torch import Tensor

from hand4d_ros.shapes import Bool, Float
from hand4d_ros.tracking.priors.spline import ANGLES, POINTS, SplineMotion, bend


class NoPrior(SplineMotion):
    """The latent is the control points."""

    name = "none"
    latent_size = POINTS * ANGLES

    def encode(
        self, rotations: Float[Tensor, "b f 15 3 3"], seen: Bool[Tensor, "b f"]
    ) -> Float[Tensor, "b z"]:
        """Return the control points of the motion as it is given, interpolations included."""
        del seen
        return self.points(self.scaled_angles(rotations)).flatten(1)

    def decode(
        self, latent: Float[Tensor, "b z"], times: Float[Tensor, " t"]
    ) -> Float[Tensor, "b t 15 3 3"]:
        """Return the motions of latents at times from 0 to 1."""
        return self.rotations(_points(latent), times)

    def tangents(
        self, latent: Float[Tensor, " z"], times: Float[Tensor, " t"]
    ) -> tuple[Float[Tensor, "t 15 3 3"], Float[Tensor, "t 15 3 z"]]:
        """Return one motion and the turns that the latent makes."""
        return self.turns(_points(latent), times)

    def energy(self, latent: Float[Tensor, "b z"]) -> Float[Tensor, " b"]:
        """Return half the squared bending."""
        return 0.5 * bend(_points(latent)).square().sum((-1, -2))

    def curvature(self, latent: Float[Tensor, " z"]) -> Float[Tensor, "z z"]:
        """Return the curvature of the bending."""
        return torch.kron(_BEND_CURVATURE, torch.eye(ANGLES)).to(latent)


def _points(latent: Float[Tensor, "*b z"]) -> Float[Tensor, "*b 35 22"]:
    return latent.reshape(*latent.shape[:-1], POINTS, ANGLES)


def _bend_curvature() -> Float[Tensor, "35 35"]:
    second = bend(torch.eye(POINTS)[None])[0]
    return second.T @ second


_BEND_CURVATURE = _bend_curvature()
