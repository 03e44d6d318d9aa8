"""What every motion prior offers: latents of a clip, the motion that they stand for, its density.

A clip is 128 frames at 30 fps of the 15 local joint rotations of a right hand in MANO order,
absolute from the flat hand; mirror a left hand first (``types.HandState``). Global orientation,
translation and shape are no part of it, as in HMP (section 3.3).
"""

from __future__ import annotations

from typing import Protocol, runtime_checkable

from torch import Tensor

from hand4d_ros.shapes import Bool, Float

FRAMES = 128
"""Of a clip."""
RATE_HZ = 30.0
"""Frames per second of a clip; frame ``i`` lies at clip time ``i / FRAMES``."""


@runtime_checkable
class MotionPrior(Protocol):
    """A continuous motion by a latent, and how plausible the latent is."""

    name: str
    """In the registry."""
    frames: int
    """Of a clip."""
    rate_hz: float
    """Of a clip's frames."""
    latent_size: int
    """Numbers that describe a clip."""

    def encode(
        self, rotations: Float[Tensor, "b f 15 3 3"], seen: Bool[Tensor, "b f"]
    ) -> Float[Tensor, "b z"]:
        """Return the mean latents of clips.

        Args:
            rotations: Of ``frames`` frames; those not seen hold an interpolation, never NaN.
            seen: Frames that were observed.
        """
        ...

    def decode(
        self, latent: Float[Tensor, "b z"], times: Float[Tensor, " t"]
    ) -> Float[Tensor, "b t 15 3 3"]:
        """Return the motions of latents at any times, differentiable in both.

        Args:
            latent: One a clip.
            times: 0 at the first frame, 1 one frame after the last one.
        """
        ...

    def energy(self, latent: Float[Tensor, "b z"]) -> Float[Tensor, " b"]:
        """Return the negative log density of latents up to a constant."""
        ...

    def tangents(
        self, latent: Float[Tensor, " z"], times: Float[Tensor, " t"]
    ) -> tuple[Float[Tensor, "t 15 3 3"], Float[Tensor, "t 15 3 z"]]:
        """Return one motion and its derivative, for solvers of least squares.

        Args:
            latent: Of one clip.
            times: As for ``decode``.

        Returns:
            Local rotations, and the turn (rad, in the axes of the parent, from the left) that each
            number of the latent makes of each of them.
        """
        ...

    def curvature(self, latent: Float[Tensor, " z"]) -> Float[Tensor, "z z"]:
        """Return the second derivative of the energy; the energy is convex, if only in pieces."""
        ...
