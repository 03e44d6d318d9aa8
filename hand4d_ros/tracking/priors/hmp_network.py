"""HMP's network: a skeleton-aware encoder of local motion and a neural motion field (section 3.3).

Global orientation is no part of it, because hands turn freely in the air; the fit optimises it
beside the latent, as the released code does.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.func import jacfwd, jvp, vmap

from hand4d_ros.hand.builtin import builtin_hand
from hand4d_ros.hand.orders import MANO_PARENTS
from hand4d_ros.nn.hand_chain import HandChain, local_from_global
from hand4d_ros.nn.motion_field import MotionField
from hand4d_ros.nn.rotations import matrix_from_two_rows, two_rows_from_matrix, vee
from hand4d_ros.nn.skeleton import SkeletonResidual, edges_from_parents
from hand4d_ros.shapes import Bool, Float
from hand4d_ros.tracking.priors.base import FRAMES, RATE_HZ
from hand4d_ros.tracking.priors.hmp_config import MotionVaeConfig

JOINTS = 16
FEATURES = 15
"""Of a joint: position (m), velocity, six numbers of the rotation, angular velocity."""
_LOG_VARIANCE_BOUND = 12.0


class Code(NamedTuple):
    """A normal distribution over latents, independent by component."""

    mean: Float[Tensor, "b z"]
    log_variance: Float[Tensor, "b z"]


class LocalEncoder(nn.Module):
    """Skeleton-aware convolutions over time, pooled along the fingers, then two linear maps."""

    def __init__(self, config: MotionVaeConfig) -> None:
        """Make an encoder with random weights.

        Args:
            config: Its size.
        """
        super().__init__()
        edges = edges_from_parents(MANO_PARENTS)
        inputs, frames = FEATURES + config.knows_gaps, FRAMES
        layers = []
        for outputs in config.channels:
            layer = SkeletonResidual(edges, config.distance, inputs, outputs, config.kernel)
            layers.append(nn.Sequential(layer))
            edges, inputs, frames = layer.pooled, outputs, frames // 2
        self.layers = nn.ModuleList(layers)
        width = len(edges) * inputs * frames
        self.mu = nn.Linear(width, config.latent)
        self.logvar = nn.Linear(width, config.latent)

    def forward(self, features: Float[Tensor, "b c f"]) -> Code:
        """Return the distribution of latents."""
        x = features
        for layer in self.layers:
            x = layer(x)
        flat = x.flatten(1)
        bound = _LOG_VARIANCE_BOUND
        return Code(self.mu(flat), bound * torch.tanh(self.logvar(flat) / bound))


class MotionVae(nn.Module):
    """Encoder and field, with the statistics that features are scaled by."""

    feature_mean: Tensor
    feature_std: Tensor

    def __init__(self, config: MotionVaeConfig) -> None:
        """Make a network with random weights.

        Args:
            config: Its size.
        """
        super().__init__()
        self.config = config
        self.local_encoder = LocalEncoder(config)
        self.field = MotionField(config.latent, config.field)
        self.chain = HandChain(builtin_hand().with_shape())
        self.register_buffer("feature_mean", torch.zeros(JOINTS, FEATURES))
        self.register_buffer("feature_std", torch.ones(JOINTS, FEATURES))

    def features(self, rotations: Float[Tensor, "b f 15 3 3"]) -> Float[Tensor, "b f 16 15"]:
        """Return what the encoder sees of a motion, before it is scaled; the wrist rests."""
        turned = self.chain.global_rotations(rotations)
        points = self.chain.points(turned)[..., :JOINTS, :]
        eye = torch.eye(3, dtype=turned.dtype, device=turned.device)
        turned = torch.cat((eye.expand(*turned.shape[:2], 1, 3, 3), turned), 2)
        spin = vee(_derivative(turned) @ turned.transpose(-1, -2))
        parts = (points, _derivative(points), two_rows_from_matrix(turned), spin)
        return torch.cat(parts, -1)

    def encode(self, rotations: Float[Tensor, "b f 15 3 3"], seen: Bool[Tensor, "b f"]) -> Code:
        """Return the distribution of latents of clips.

        Args:
            rotations: Local ones, interpolated where not seen.
            seen: Frames that were observed; the paper's size does not ask.
        """
        x = (self.features(rotations) - self.feature_mean) / self.feature_std
        if self.config.knows_gaps:
            told = seen.to(x)[:, :, None, None].expand(-1, -1, JOINTS, 1)
            x = torch.cat((x, told), -1)
        code: Code = self.local_encoder(x.flatten(2).transpose(1, 2))
        return code

    def turned(
        self, latent: Float[Tensor, "b z"], times: Float[Tensor, " t"]
    ) -> Float[Tensor, "b t 15 3 3"]:
        """Return rotations relative to the wrist at times from 0 to 1."""
        return _turned(self.field(latent, times))

    def decode(
        self, latent: Float[Tensor, "b z"], times: Float[Tensor, " t"]
    ) -> Float[Tensor, "b t 15 3 3"]:
        """Return local joint rotations at times from 0 to 1."""
        return local_from_global(self.turned(latent, times))

    def tangents(
        self, latent: Float[Tensor, " z"], times: Float[Tensor, " t"]
    ) -> tuple[Float[Tensor, "t 15 3 3"], Float[Tensor, "t 15 3 z"]]:
        """Return one motion and the turns (rad, axes of the parent) that the latent makes.

        Forward mode. With a spline it goes through the few channels that a time is told, which
        takes a fifth of the passes that the latent itself would.
        """

        def motion(told: Tensor) -> Tensor:
            return local_from_global(_turned(self.field.at(told, times)))[0]

        told = self.field.told(latent[None], times)
        local = motion(told)
        if self.field.spline is None:
            slope = jacfwd(lambda z: motion(self.field.told(z[None], times)))(latent)
        else:
            # A time's output depends on that time's channels alone, so one channel of all times
            # is one pass.
            ones = torch.eye(told.shape[-1], dtype=told.dtype)[:, None, None]
            every = ones.expand(-1, *told.shape)
            by_channel = vmap(lambda one: jvp(motion, (told,), (one,))[1])(every)
            reach = jacfwd(lambda z: self.field.told(z[None], times)[0])(latent)
            slope = torch.einsum("ctjab,tcz->tjabz", by_channel, reach)
        spin = torch.einsum("tjabz,tjcb->tjzac", slope, local)
        return local, vee(spin).transpose(-1, -2)


def _turned(outputs: Float[Tensor, "b t o"]) -> Float[Tensor, "b t 15 3 3"]:
    """Read rotations relative to the wrist; the wrist's own, the first, is left out."""
    rows = outputs[..., : 6 * JOINTS].reshape(*outputs.shape[:-1], JOINTS, 6)
    return matrix_from_two_rows(rows[..., 1:, :])


def divergence(code: Code) -> Float[Tensor, " b"]:
    """Return the Kullback-Leibler divergence (nats) of codes from the standard normal."""
    variance = torch.exp(code.log_variance)
    return 0.5 * (variance + code.mean.square() - 1.0 - code.log_variance).sum(-1)


def _derivative(x: Float[Tensor, "b f *shape"]) -> Float[Tensor, "b f *shape"]:
    """Return central differences by time (1/s), one-sided ones at both ends."""
    first, last = x[:, 1:2] - x[:, :1], x[:, -1:] - x[:, -2:-1]
    return torch.cat((first, 0.5 * (x[:, 2:] - x[:, :-2]), last), 1) * RATE_HZ
