"""Interpolation between frames that were seen: where fits start, and the simplest rival.

SLERP of every rotation, straight lines of positions; before the first and after the last frame
that was seen, what was there stays (HMP, section 3.2; Dyn-HaMR, Stage I).
"""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor
from torch.func import jacfwd

from hand4d_ros.errors import TrackingError
from hand4d_ros.geometry import so3
from hand4d_ros.nn.rotations import matrix_from_rotvec, vee
from hand4d_ros.shapes import Array, Bool, Float, Int
from hand4d_ros.tracking.priors.base import FRAMES, RATE_HZ

EVERY = 4
"""Frames from one key pose of ``SlerpPrior`` to the next."""
KEYS = FRAMES // EVERY + 1


def neighbours(
    seen: Bool[Array, " f"], times_s: Float[Array, " f"]
) -> tuple[Int[Array, " f"], Int[Array, " f"], Float[Array, " f"]]:
    """Return for every frame the seen ones before and after it, and how far it is between them.

    Args:
        seen: Frames that were seen.
        times_s: Rising.

    Raises:
        TrackingError: None was seen.
    """
    known = np.flatnonzero(seen)
    if not len(known):
        raise TrackingError("no frame was seen, so there is nothing to interpolate between")
    frames = np.arange(len(seen))
    place = np.searchsorted(known, frames)
    after = known[np.minimum(place, len(known) - 1)]
    before = np.where(after == frames, frames, known[np.maximum(place - 1, 0)])
    after = np.maximum(after, before)
    span = times_s[after] - times_s[before]
    alpha = (times_s - times_s[before]) / np.where(span > 0.0, span, 1.0)
    return before, after, np.where(span > 0.0, alpha, 0.0)


def filled_rotations(
    rotations: Float[Array, "f *joints 3 3"], seen: Bool[Array, " f"], times_s: Float[Array, " f"]
) -> Float[Array, "f *joints 3 3"]:
    """Return rotations with those of unseen frames interpolated.

    Args:
        rotations: Anything, NaN too, in frames not seen.
        seen: Frames that were seen.
        times_s: Rising.

    Raises:
        TrackingError: None was seen.
    """
    before, after, alpha = neighbours(seen, times_s)
    share = np.broadcast_to(
        alpha.reshape(-1, *[1] * (rotations.ndim - 3)), rotations.shape[:-2]
    ).copy()
    return so3.interpolate(rotations[before], rotations[after], share)


def filled_values(
    values: Float[Array, "f *shape"], seen: Bool[Array, " f"], times_s: Float[Array, " f"]
) -> Float[Array, "f *shape"]:
    """Return numbers with those of unseen frames on straight lines; as ``filled_rotations``."""
    before, after, alpha = neighbours(seen, times_s)
    share = alpha.reshape(-1, *[1] * (values.ndim - 1))
    return np.asarray((1.0 - share) * values[before] + share * values[after])


class SlerpPrior:
    """Key poses, one every four frames, and SLERP between them; every pose is as plausible."""

    name = "slerp"
    frames = FRAMES
    rate_hz = RATE_HZ
    latent_size = KEYS * 45

    def encode(
        self, rotations: Float[Tensor, "b f 15 3 3"], seen: Bool[Tensor, "b f"]
    ) -> Float[Tensor, "b z"]:
        """Return the key poses (axis-angle) of motions, gaps interpolated; see ``MotionPrior``."""
        times_s = np.arange(FRAMES) / RATE_HZ
        keys = np.minimum(np.arange(KEYS) * EVERY, FRAMES - 1)
        whole = rotations.detach().cpu().double().numpy()
        each = [
            so3.log(filled_rotations(R, known, times_s)[keys]).ravel()
            for R, known in zip(whole, seen.cpu().numpy(), strict=True)
        ]
        return torch.as_tensor(np.stack(each), dtype=rotations.dtype)

    def decode(
        self, latent: Float[Tensor, "b z"], times: Float[Tensor, " t"]
    ) -> Float[Tensor, "b t 15 3 3"]:
        """Return the motions of latents at times from 0 to 1."""
        keys = matrix_from_rotvec(latent.reshape(-1, KEYS, 15, 3))
        place = times * (FRAMES / EVERY)
        first = place.detach().floor().long().clamp(0, KEYS - 2)
        start = keys[:, first]
        step = _rotvec_from_matrix(start.transpose(-1, -2) @ keys[:, first + 1])
        return start @ matrix_from_rotvec((place - first)[:, None, None] * step)

    def tangents(
        self, latent: Float[Tensor, " z"], times: Float[Tensor, " t"]
    ) -> tuple[Float[Tensor, "t 15 3 3"], Float[Tensor, "t 15 3 z"]]:
        """Return one motion and the turns that the latent makes."""
        local = self.decode(latent[None], times)[0]
        slope = jacfwd(lambda z: self.decode(z[None], times)[0])(latent)
        return local, vee(torch.einsum("tjabz,tjcb->tjzac", slope, local)).transpose(-1, -2)

    def energy(self, latent: Float[Tensor, "b z"]) -> Float[Tensor, " b"]:
        """Return zero."""
        return torch.zeros_like(latent[:, 0])

    def curvature(self, latent: Float[Tensor, " z"]) -> Float[Tensor, "z z"]:
        """Return zero."""
        return torch.zeros(len(latent), len(latent)).to(latent)


def _rotvec_from_matrix(R: Float[Tensor, "*b 3 3"]) -> Float[Tensor, "*b 3"]:
    """Return axis-angle (rad) of rotations well below half a turn, as between key poses."""
    axis = torch.stack(
        (
            R[..., 2, 1] - R[..., 1, 2],
            R[..., 0, 2] - R[..., 2, 0],
            R[..., 1, 0] - R[..., 0, 1],
        ),
        -1,
    )
    cosine = (0.5 * (R.diagonal(dim1=-2, dim2=-1).sum(-1) - 1.0)).clamp(-0.999, 1.0 - 1e-6)
    angle = torch.acos(cosine)
    return axis * (0.5 * angle / angle.sin())[..., None]
