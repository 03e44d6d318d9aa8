"""A motion prior on the frames of one chunk, in numpy."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from hand4d_ros.geometry import so3
from hand4d_ros.shapes import Array, Bool, Float, Int

if TYPE_CHECKING:
    from hand4d_ros.tracking.priors.base import MotionPrior


class PriorClip:
    """Places a chunk on the clip of a prior: frames after the clip's end have no prior."""

    def __init__(self, prior: MotionPrior, stamps_ns: Int[Array, "t"]) -> None:
        """Look at one chunk.

        Args:
            prior: The prior.
            stamps_ns: Capture times of the chunk.
        """
        self._prior = prior
        self._seconds = (stamps_ns - stamps_ns[0]) * 1e-9
        times = self._seconds * prior.rate_hz / prior.frames
        self.rows: Int[Array, "r"] = np.flatnonzero(times < 1.0)
        """Frames that the clip covers."""
        self._times = times[self.rows]

    def tangents(
        self, latent: Float[Array, "z"], *, with_turns: bool = True
    ) -> tuple[Float[Array, "r 15 3 3"], Float[Array, "r 15 3 z"]]:
        """Rotations of a latent in the frames of the chunk, and their turns by the latent.

        Args:
            latent: Of one hand, mirrored where it is a left one.
            with_turns: Work the turns out; else they are zero.
        """
        import torch

        with torch.no_grad():
            dtype = torch.get_default_dtype()
            z = torch.as_tensor(latent, dtype=dtype)
            times = torch.as_tensor(self._times, dtype=dtype)
            if with_turns:
                rotations, turns = self._prior.tangents(z, times)
            else:
                rotations = self._prior.decode(z[None], times)[0]
                turns = torch.zeros((len(times), 15, 3, len(latent)))
        exact = so3.nearest_rotation(rotations.detach().numpy().astype(np.float64))
        return exact, turns.detach().numpy().astype(np.float64)

    def encoded(self, local: Float[Array, "t 15 3 3"], seen: Bool[Array, "t"]) -> Float[Array, "z"]:
        """Latent of a motion, brought to the frames of the clip.

        Args:
            local: Rotations in the frames of the chunk.
            seen: Where the hand was.
        """
        import torch

        grid_s = np.arange(self._prior.frames) / self._prior.rate_hz
        after = np.searchsorted(self._seconds, grid_s).clip(1, len(self._seconds) - 1)
        span = self._seconds[after] - self._seconds[after - 1]
        alpha = ((grid_s - self._seconds[after - 1]) / span).clip(0.0, 1.0)
        each = np.repeat(alpha[:, None], 15, axis=1)
        rotations = so3.interpolate(local[after - 1], local[after], each)
        there = np.where(alpha < 0.5, seen[after - 1], seen[after])
        there &= grid_s <= self._seconds[-1] + 1e-9
        with torch.no_grad():
            latent = self._prior.encode(
                torch.as_tensor(rotations[None], dtype=torch.get_default_dtype()),
                torch.as_tensor(there[None]),
            )
        return latent[0].detach().numpy().astype(np.float64)
