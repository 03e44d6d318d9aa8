"""A variational auto-encoder of single hand poses: which of the 22 anatomical angles go together.

A small network that scores poses and pulls implausible ones back: encoder and decoder are
multi-layer perceptrons, the latent is standard normal (Kingma and Welling, "Auto-encoding
variational Bayes", ICLR 2014), as in VPoser (Pavlakos et al., CVPR 2019), for the hand. Poses are
of a right hand; mirror a left one first.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import NamedTuple

import torch
from torch import Tensor, nn

from hand4d_ros.hand.biomechanics import REST_RAD, STD_RAD
from hand4d_ros.settings import check
from hand4d_ros.shapes import Float

ANGLES = len(REST_RAD)
_LOG_2PI = math.log(2.0 * math.pi)
_LOG_STD_START = -1.0
"""Of the decoder, in units of an angle's everyday spread: near enough that the latent is used."""


@dataclass(frozen=True)
class PosePriorConfig:
    """Size of the network."""

    latent: int = field(default=8, metadata={"min": 1, "max": 64})
    """Numbers that describe a pose."""
    width: int = field(default=128, metadata={"min": 8, "max": 2048})
    """Of the hidden layers."""
    depth: int = field(default=2, metadata={"min": 1, "max": 8})
    """Hidden layers of encoder and decoder."""

    def __post_init__(self) -> None:
        """Reject values out of range."""
        check(self)


class Code(NamedTuple):
    """A normal distribution over latents, independent by component."""

    mean: Float[Tensor, "*b d"]
    log_std: Float[Tensor, "*b d"]


class PosePrior(nn.Module):
    """The network. Angles are radians, in the order of ``DEGREES_OF_FREEDOM``."""

    centre_rad: Tensor
    spread_rad: Tensor

    def __init__(self, config: PosePriorConfig) -> None:
        """Make a network with random weights.

        Args:
            config: Its size.
        """
        super().__init__()
        self.config = config
        self.encoder = _perceptron(ANGLES, 2 * config.latent, config)
        self.decoder = _perceptron(config.latent, ANGLES, config)
        self.log_std = nn.Parameter(torch.full((ANGLES,), _LOG_STD_START))
        self.register_buffer("centre_rad", torch.tensor(REST_RAD, dtype=torch.float32))
        self.register_buffer("spread_rad", torch.tensor(STD_RAD, dtype=torch.float32))

    def encode(self, angles_rad: Float[Tensor, "*b 22"]) -> Code:
        """Return the distribution of latents of poses."""
        scaled = (angles_rad - self.centre_rad) / self.spread_rad
        mean, log_std = self.encoder(scaled).chunk(2, dim=-1)
        # Bounded, because one pose far from all others must not make the loss infinite.
        return Code(mean, 5.0 * torch.tanh(log_std / 5.0))

    def decode(self, latent: Float[Tensor, "*b d"]) -> Float[Tensor, "*b 22"]:
        """Return the mean pose (rad) of latents."""
        angles: Tensor = self.centre_rad + self.spread_rad * self.decoder(latent)
        return angles

    def project(self, angles_rad: Float[Tensor, "*b 22"]) -> Float[Tensor, "*b 22"]:
        """Return the plausible poses (rad) nearest to given ones: through the code and back."""
        return self.decode(self.encode(angles_rad).mean)

    def log_likelihood(
        self, angles_rad: Float[Tensor, "*b 22"], latent: Float[Tensor, "*b d"]
    ) -> Float[Tensor, "*b"]:
        """Return log p(pose | latent) as a density over radians."""
        log_std = self.log_std + self.spread_rad.log()
        z = (angles_rad - self.decode(latent)) * torch.exp(-log_std)
        return (-0.5 * z.square() - log_std - 0.5 * _LOG_2PI).sum(-1)

    def log_evidence(
        self, angles_rad: Float[Tensor, "b 22"], samples: int, rng: torch.Generator
    ) -> Float[Tensor, "b"]:
        """Return a lower bound of log p(pose), tight for many samples.

        Importance-weighted: Burda, Grosse and Salakhutdinov, ICLR 2016, Eq. 8.

        Args:
            angles_rad: Poses.
            samples: Latents drawn for each.
            rng: Source of randomness, on the network's device.
        """
        code = self.encode(angles_rad)
        shape = (samples, *code.mean.shape)
        noise = torch.randn(shape, generator=rng, device=angles_rad.device, dtype=code.mean.dtype)
        latent = code.mean + torch.exp(code.log_std) * noise
        log_prior = (-0.5 * latent.square() - 0.5 * _LOG_2PI).sum(-1)
        log_code = (-0.5 * noise.square() - code.log_std - 0.5 * _LOG_2PI).sum(-1)
        poses = angles_rad.expand(samples, *angles_rad.shape)
        weights = self.log_likelihood(poses, latent) + log_prior - log_code
        return torch.logsumexp(weights, dim=0) - math.log(samples)


def divergence(code: Code) -> Float[Tensor, "*b"]:
    """Return the Kullback-Leibler divergence (nats) of codes from the standard normal."""
    variance = torch.exp(2.0 * code.log_std)
    return 0.5 * (variance + code.mean.square() - 1.0 - 2.0 * code.log_std).sum(-1)


def _perceptron(inputs: int, outputs: int, config: PosePriorConfig) -> nn.Sequential:
    layers: list[nn.Module] = []
    width = inputs
    for _ in range(config.depth):
        layers += [nn.Linear(width, config.width), nn.SiLU()]
        width = config.width
    return nn.Sequential(*layers, nn.Linear(width, outputs))
