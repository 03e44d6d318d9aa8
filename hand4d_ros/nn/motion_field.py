"""A neural motion field: joint rotations as a function of time and a latent.

NeMF (He et al., NeurIPS 2022) as HMP uses it (section 3.3): a multi-layer perceptron of encoded
time and a latent, both fed in again at every layer, evaluated at all times in parallel. The names
of the parameters are those of the public code.

With ``knots`` the latent reaches a time through a spline instead: a linear map and a small
perceptron turn it into control points, and the field sees their cubic B-spline at that time. A
perceptron must learn from nothing which part of a latent belongs to which time, which takes days
on a GPU; the spline gives it that, and the field stays continuous and parallel in time.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

import torch
from torch import Tensor, nn

from hand4d_ros.settings import check
from hand4d_ros.shapes import Float


@dataclass(frozen=True)
class MotionFieldConfig:
    """Size of the field; the defaults are the paper's."""

    hidden: int = field(default=1024, metadata={"min": 8, "max": 4096})
    """Width of the layers."""
    layers: int = field(default=8, metadata={"min": 2, "max": 16})
    """How many there are."""
    octaves: int = field(default=7, metadata={"min": 1, "max": 16})
    """Frequencies of the time's encoding, each twice the one before."""
    outputs: int = field(default=144, metadata={"min": 96, "max": 1024})
    """Numbers that the field gives; the first 96 are the rotations of 16 joints."""
    knots: int = field(default=0, metadata={"min": 0, "max": 128})
    """Intervals of the spline over a clip; 0 gives the whole latent at every time."""
    channels: int = field(default=24, metadata={"min": 1, "max": 512})
    """Of the spline."""
    activation: Literal["relu", "silu"] = "relu"
    """Of the layers; silu makes motion without kinks."""

    def __post_init__(self) -> None:
        """Reject values out of range."""
        check(self)


class PositionalEncoding(nn.Module):
    """Sines and cosines of growing frequency, in turn."""

    frequencies: Tensor

    def __init__(self, octaves: int) -> None:
        """Choose frequencies 1, 2, 4, … (rad per half clip)."""
        super().__init__()
        self.register_buffer("frequencies", 2.0 ** torch.arange(octaves), persistent=False)

    def forward(self, t: Float[Tensor, " t"]) -> Float[Tensor, "t c"]:
        """Return the encoding of times from -1 to 1."""
        angle = t[:, None] * self.frequencies
        return torch.stack((angle.sin(), angle.cos()), -1).flatten(-2)


class FieldLayer(nn.Module):
    """Linear, norm, activation."""

    def __init__(self, inputs: int, outputs: int, activation: Literal["relu", "silu"]) -> None:
        """Make a layer."""
        super().__init__()
        self.fc = nn.Linear(inputs, outputs)
        self.norm_layer = nn.LayerNorm(outputs)
        self.activation = nn.ReLU() if activation == "relu" else nn.SiLU()

    def forward(self, x: Float[Tensor, "*b i"]) -> Float[Tensor, "*b o"]:
        """Return the activations."""
        result: Tensor = self.activation(self.norm_layer(self.fc(x)))
        return result


class LatentSpline(nn.Module):
    """A latent as control points of a cubic B-spline over the clip."""

    def __init__(self, latent: int, knots: int, channels: int) -> None:
        """Make the map.

        Args:
            latent: Size of the latent.
            knots: Intervals over the clip.
            channels: Of the spline.
        """
        super().__init__()
        self.knots, self.channels = knots, channels
        points = (knots + 3) * channels
        self.straight = nn.Linear(latent, points)
        self.bent = nn.Sequential(nn.Linear(latent, 256), nn.SiLU(), nn.Linear(256, points))

    def forward(
        self, latent: Float[Tensor, "b z"], times: Float[Tensor, " t"]
    ) -> Float[Tensor, "b t c"]:
        """Return the spline at times from 0 to 1."""
        points: Tensor = self.straight(latent) + self.bent(latent)
        control = points.reshape(*points.shape[:-1], -1, self.channels)
        return spline_weights(times, self.knots) @ control


def spline_weights(times: Float[Tensor, " t"], knots: int) -> Float[Tensor, "t p"]:
    """Return the weights of the ``knots + 3`` control points of a uniform cubic B-spline.

    Args:
        times: From 0 to 1.
        knots: Intervals between 0 and 1.
    """
    centres = torch.arange(-1, knots + 2, device=times.device, dtype=times.dtype)
    far = (times[:, None] * knots - centres).abs()
    inner = 2.0 / 3.0 - far.square() * (1.0 - 0.5 * far)
    outer = (2.0 - far).clamp(min=0.0).pow(3) / 6.0
    return torch.where(far < 1.0, inner, outer)


class MotionField(nn.Module):
    """The decoder."""

    def __init__(self, latent: int, config: MotionFieldConfig) -> None:
        """Make a field with random weights.

        Args:
            latent: Size of the latent.
            config: Sizes.
        """
        super().__init__()
        self.positional_encoding = PositionalEncoding(config.octaves)
        spline = LatentSpline(latent, config.knots, config.channels) if config.knots else None
        self.spline = spline
        inputs = 2 * config.octaves + (config.channels if config.knots else latent)
        widths = [inputs] + [config.hidden + inputs] * (config.layers - 1)
        self.mlp = nn.ModuleList(
            FieldLayer(width, config.hidden, config.activation) for width in widths
        )
        self.local_linear = nn.Sequential(nn.Linear(config.hidden, config.outputs))

    def told(
        self, latent: Float[Tensor, "b z"], times: Float[Tensor, " t"]
    ) -> Float[Tensor, "b t c"]:
        """Return what the layers are told of the latent at times from 0 to 1."""
        if self.spline is None:
            return latent[:, None].expand(-1, len(times), -1)
        told: Tensor = self.spline(latent, times)
        return told

    def at(
        self, told: Float[Tensor, "b t c"], times: Float[Tensor, " t"]
    ) -> Float[Tensor, "b t o"]:
        """Return the outputs given what the layers are told; times are independent."""
        moment = self.positional_encoding(2.0 * times - 1.0)
        given = torch.cat((moment.expand(len(told), -1, -1), told), -1)
        x = given
        for number, layer in enumerate(self.mlp):
            x = layer(torch.cat((x, given), -1) if number else given)
        result: Tensor = self.local_linear(x)
        return result

    def forward(
        self, latent: Float[Tensor, "b z"], times: Float[Tensor, " t"]
    ) -> Float[Tensor, "b t o"]:
        """Return the outputs at times from 0 to 1."""
        return self.at(self.told(latent, times), times)
