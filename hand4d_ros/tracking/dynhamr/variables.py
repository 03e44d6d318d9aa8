"""The unknowns of a chunk: both hands in every frame, the cameras, and what all frames share."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from hand4d_ros.geometry import so3
from hand4d_ros.shapes import Array, Float
from hand4d_ros.tracking.costs.camera_terms import inverse_left_jacobian
from hand4d_ros.tracking.costs.projection import CAMERA

HAND = 28
"""Unknowns of a hand in a frame: turn (rad), wrist (m), 22 angles (rad)."""
LOG_SIZE = slice(0, 1)
LOG_SCALE = slice(1, 2)
SHARED = 2
"""Shared unknowns before the latents."""


@dataclass(frozen=True)
class Unknowns:
    """h hands over t frames. A left hand lives in a world mirrored through x = 0."""

    R: Float[Array, "h t 3 3"]
    """Orientation of the wrist."""
    wrist_m: Float[Array, "h t 3"]
    angles: Float[Array, "h t 22"]
    """Anatomical angles (rad)."""
    correction: Float[Array, "t 6"]
    """Turn (rad) and shift (m) of each camera away from the odometry."""
    log_size: float
    """Logarithm of the size of both hands, for they are one person's, relative to what the
    single frames took it to be. A hand that is larger and farther away in proportion makes the
    same pictures, so this is what no picture shows and only the camera's motion does."""
    log_scale: float
    """Logarithm of metres per unit of the odometry."""
    latents: Float[Array, "h z"]
    """Of the motion prior; z is 0 without one."""

    @property
    def hands(self) -> int:
        """Number of hands."""
        return len(self.R)

    @property
    def block(self) -> int:
        """Unknowns of a frame."""
        return HAND * self.hands + CAMERA

    @property
    def border(self) -> int:
        """Shared unknowns."""
        return SHARED + self.latents.size

    def hand_slice(self, hand: int) -> slice:
        """Place of a hand's unknowns in a frame's block."""
        return slice(HAND * hand, HAND * (hand + 1))

    @property
    def camera_slice(self) -> slice:
        """Place of the camera's unknowns in a frame's block."""
        return slice(HAND * self.hands, self.block)

    def latent_slice(self, hand: int) -> slice:
        """Place of a hand's latent among the shared unknowns."""
        size = self.latents.shape[1]
        return slice(SHARED + size * hand, SHARED + size * (hand + 1))

    def stepped(self, frames: Float[Array, "t p"], border: Float[Array, "m"]) -> Unknowns:
        """Move by a step: rotations are turned from the left, all else is added."""
        hands = frames[:, : HAND * self.hands].reshape(len(frames), self.hands, HAND)
        step = np.swapaxes(hands, 0, 1)
        return replace(
            self,
            R=so3.exp(step[..., :3]) @ self.R,
            wrist_m=self.wrist_m + step[..., 3:6],
            angles=self.angles + step[..., 6:],
            correction=self.correction + frames[:, self.camera_slice],
            log_size=self.log_size + float(border[LOG_SIZE][0]),
            log_scale=self.log_scale + float(border[LOG_SCALE][0]),
            latents=self.latents + border[SHARED:].reshape(self.latents.shape),
        )


def pulled_back(step: Float[Array, "t p"], gradient: Float[Array, "t p"]) -> Float[Array, "t p"]:
    """Turn the gradient after a step into one with respect to the step.

    ``exp(s + d) = exp(J_l(s) d) exp(s)`` to first order, so turns get the transpose of the left
    Jacobian; everything else is added and stays as it is.

    Args:
        step: Of all frames.
        gradient: With respect to a further step.
    """
    out = gradient.copy()
    for hand in range((step.shape[1] - CAMERA) // HAND):
        turn = slice(HAND * hand, HAND * hand + 3)
        left = np.linalg.inv(inverse_left_jacobian(step[:, turn]))
        out[:, turn] = np.einsum("tji,tj->ti", left, gradient[:, turn])
    return out
