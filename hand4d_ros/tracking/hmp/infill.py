"""A motion that was seen in part, completed: the most plausible latent that explains what was seen.

The simplest use of a prior, and the one to compare priors by: no camera, no wrist, no shape.
"""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from hand4d_ros.geometry import so3
from hand4d_ros.nn.rotations import vee
from hand4d_ros.shapes import Bool, Float
from hand4d_ros.tracking.hmp.terms import own_density
from hand4d_ros.tracking.priors.base import FRAMES, MotionPrior
from hand4d_ros.tracking.priors.slerp import filled_values

STEPS = 4
_DAMPING = 1e-3


def infilled(
    prior: MotionPrior,
    rotations: Float[Tensor, "f 15 3 3"],
    seen: Bool[Tensor, " f"],
    std_rad: float,
    steps: int = STEPS,
    *,
    keep: bool = False,
) -> Float[Tensor, "f 15 3 3"]:
    """Return a whole motion.

    Args:
        prior: Of motion.
        rotations: Of a clip's frames; interpolated where not seen.
        seen: Frames that count.
        std_rad: Deviation of the rotations that were seen.
        steps: Of Gauss-Newton, from what the prior's encoder says.
        keep: Leave frames that were seen as they are; what the prior cannot say of them is
            interpolated into the gaps, so that nothing jumps. For exact motion.
    """
    times = torch.arange(FRAMES) / FRAMES
    with torch.no_grad():
        latent = prior.encode(rotations[None], seen[None])[0].double().numpy()
    for _ in range(steps):
        local, turns = prior.tangents(torch.as_tensor(latent).float(), times)
        # For small angles the antisymmetric part of a rotation is its axis times its angle.
        off = vee(rotations @ local.transpose(-1, -2))[seen].double().numpy().ravel() / std_rad
        J = turns[seen].double().numpy().reshape(len(off), -1) / std_rad
        term = own_density(prior, latent)
        H = J.T @ J + term.curvature
        H += _DAMPING * np.diag(H.diagonal() + 1.0)
        latent = latent + np.linalg.solve(H, J.T @ off - term.gradient)
    with torch.no_grad():
        made = prior.decode(torch.as_tensor(latent).float()[None], times)[0]
    if not keep:
        return made
    left = so3.log((rotations @ made.transpose(-1, -2)).double().numpy())
    frames_s = np.arange(FRAMES) / prior.rate_hz
    left = filled_values(left, seen.numpy(), frames_s)
    return torch.as_tensor(so3.exp(left)).float() @ made
