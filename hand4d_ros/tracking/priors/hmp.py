"""HMP's motion prior behind the common interface, and the published weights read into it."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import torch
from torch import Tensor

from hand4d_ros.errors import WeightsError
from hand4d_ros.nn.cards import find_weights, read_card
from hand4d_ros.nn.tensor_files import read_imported
from hand4d_ros.nn.weights import fill, load_weights
from hand4d_ros.shapes import Bool, Float
from hand4d_ros.tracking.priors.base import FRAMES, RATE_HZ
from hand4d_ros.tracking.priors.hmp_config import MotionVaeConfig, paper_size
from hand4d_ros.tracking.priors.hmp_network import JOINTS, MotionVae

WEIGHTS = "motion_prior"
"""Name of the weights that ship."""

_PARTS = {"local_encoder": "local_encoder.pth", "field": "nemf.pth"}
_STATISTICS = ("pos", "velocity", "global_xform", "angular")
"""Of the features, in their order."""
_GLOBAL = ("mlp.8.", "mlp.9.", "mlp.10.", "global_linear.")
"""Layers of global orientation, which HMP's fit leaves at a latent of zero and never reads."""


class HmpPrior:
    """A trained ``MotionVae`` as a prior; its latent is standard normal."""

    name = "hmp"
    frames = FRAMES
    rate_hz = RATE_HZ

    def __init__(self, vae: MotionVae) -> None:
        """Take a trained network.

        Args:
            vae: Frozen from now on.
        """
        self.vae = vae.eval().requires_grad_(requires_grad=False)
        self.latent_size = vae.config.latent

    def encode(
        self, rotations: Float[Tensor, "b f 15 3 3"], seen: Bool[Tensor, "b f"]
    ) -> Float[Tensor, "b z"]:
        """Return the mean latents of clips; see ``MotionPrior``."""
        return self.vae.encode(rotations, seen).mean

    def posterior(
        self, rotations: Float[Tensor, "b f 15 3 3"], seen: Bool[Tensor, "b f"]
    ) -> tuple[Float[Tensor, "b z"], Float[Tensor, "b z"]]:
        """Return mean and standard deviation of the latents given an estimate of a motion.

        What the likelihood of Eq. 9 is about: the encoder learned it on motion with errors and
        gaps, so it is as wide as these leave the motion open.

        Args:
            rotations: Estimated, interpolated where not seen.
            seen: Frames that were observed.
        """
        code = self.vae.encode(rotations, seen)
        return code.mean, torch.exp(0.5 * code.log_variance)

    def decode(
        self, latent: Float[Tensor, "b z"], times: Float[Tensor, " t"]
    ) -> Float[Tensor, "b t 15 3 3"]:
        """Return the motions of latents at times from 0 to 1."""
        return self.vae.decode(latent, times)

    def tangents(
        self, latent: Float[Tensor, " z"], times: Float[Tensor, " t"]
    ) -> tuple[Float[Tensor, "t 15 3 3"], Float[Tensor, "t 15 3 z"]]:
        """Return one motion and the turns that the latent makes; see ``MotionVae.tangents``."""
        return self.vae.tangents(latent, times)

    def energy(self, latent: Float[Tensor, "b z"]) -> Float[Tensor, " b"]:
        """Return half the squared norm."""
        return 0.5 * latent.square().sum(-1)

    def curvature(self, latent: Float[Tensor, " z"]) -> Float[Tensor, "z z"]:
        """Return the identity."""
        return torch.eye(len(latent)).to(latent)


def load_hmp(weights: str = WEIGHTS) -> HmpPrior:
    """Read a prior's weights.

    Args:
        weights: Their name, or a path to a ``.safetensors`` file.

    Raises:
        WeightsError: They are missing, damaged or of another network.
    """
    path = find_weights(weights)
    vae = MotionVae(read_card(path).network_config(MotionVaeConfig))
    load_weights(vae, path)
    return HmpPrior(vae)


def load_official(
    folder: Path, statistics: Path, config: MotionVaeConfig | None = None
) -> HmpPrior:
    """Read the published weights of HMP.

    Args:
        folder: Of ``local_encoder.pth`` and ``nemf.pth``.
        statistics: Folder of ``mean-neutral-128-30fps.pt`` and ``std-neutral-128-30fps.pt``.
        config: Size of weights that somebody trained with the public code; None is the paper's.

    Raises:
        WeightsError: A file is missing, damaged or of another network.
    """
    vae = MotionVae(config or paper_size())
    state: dict[str, Tensor] = {}
    for part, name in _PARTS.items():
        state |= _named(part, read_imported(folder / name))
    for which in ("mean", "std"):
        file = statistics / f"{which}-neutral-{FRAMES}-{RATE_HZ:.0f}fps.pt"
        state[f"feature_{which}"] = _statistics(read_imported(file), file)
    _check_masks(vae, state)
    fill(vae, {k: v for k, v in state.items() if not _is_mask(k)}, str(folder))
    return HmpPrior(vae)


def _named(part: str, tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Name tensors as ``MotionVae`` does; our frequencies are no part of the state."""
    left_out = (*_GLOBAL, "positional_encoding.")
    return {f"{part}.{k}": v for k, v in tensors.items() if not k.startswith(left_out)}


def _statistics(parts: Mapping[str, Tensor], file: Path) -> Float[Tensor, "16 15"]:
    try:
        return torch.cat([parts[name].float().reshape(JOINTS, -1) for name in _STATISTICS], 1)
    except (KeyError, RuntimeError) as error:
        raise WeightsError(
            f"{file} does not hold {', '.join(_STATISTICS)} of {JOINTS} joints: {error}"
        ) from error


def _is_mask(name: str) -> bool:
    """Tell the constants of skeleton layers, which the public files hold beside their weights."""
    return name.startswith("local_encoder.layers.") and name.endswith((".mask", "common.0.weight"))


def _check_masks(vae: MotionVae, state: Mapping[str, Tensor]) -> None:
    """Reject weights of another skeleton, which would fit by shape and mean something else.

    Raises:
        WeightsError: A mask or pooling differs from ours.
    """
    own = dict(vae.named_buffers())
    for name, given in state.items():
        if _is_mask(name) and (name not in own or not torch.equal(*_together(own[name], given))):
            raise WeightsError(f"{name} is of another hand skeleton; give weights for MANO's tree")


def _together(ours: Tensor, given: Tensor) -> tuple[Tensor, Tensor]:
    """Bring both to one shape where that is possible: our masks have one column for all times."""
    if ours.ndim == given.ndim and ours.shape[:2] == given.shape[:2]:
        return ours.expand_as(given), given.to(ours)
    return ours, given
