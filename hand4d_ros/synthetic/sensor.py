"""From light to the numbers of a camera: exposure, vignetting, tone curve, noise, blocks."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field

import torch

from hand4d_ros.settings import check
from hand4d_ros.shapes import Float, UInt8

_SRGB_GAMMA = 1.0 / 2.2
_LUMA_TABLE = (
    (16, 11, 10, 16, 24, 40, 51, 61),
    (12, 12, 14, 19, 26, 58, 60, 55),
    (14, 13, 16, 24, 40, 57, 69, 56),
    (14, 17, 22, 29, 51, 87, 80, 62),
    (18, 22, 37, 56, 68, 109, 103, 77),
    (24, 35, 55, 64, 81, 104, 113, 92),
    (49, 64, 78, 87, 103, 121, 120, 101),
    (72, 92, 95, 98, 112, 100, 103, 99),
)
"""Quantisation of brightness at quality 50 (ITU-T T.81, table K.1)."""


@dataclass(frozen=True)
class SensorConfig:
    """How the camera turns light into 8-bit sRGB."""

    exposure: float = field(default=1.0, metadata={"min": 1e-3, "max": 1e3})
    """Factor on the light."""
    red_gain: float = field(default=1.0, metadata={"min": 0.1, "max": 10.0})
    """White balance: factor on red."""
    blue_gain: float = field(default=1.0, metadata={"min": 0.1, "max": 10.0})
    """White balance: factor on blue."""
    vignetting: float = field(default=0.15, metadata={"min": 0.0, "max": 1.0})
    """Loss of light in the corners."""
    read_noise: float = field(default=0.004, metadata={"min": 0.0, "max": 1.0})
    """Standard deviation of the noise in the dark, of full scale after the tone curve."""
    shot_noise: float = field(default=0.008, metadata={"min": 0.0, "max": 1.0})
    """Standard deviation of the noise at full scale, growing with the root of the signal."""
    jpeg_quality: int = field(default=0, metadata={"min": 0, "max": 100})
    """Quality of a JPEG-like loss in blocks of 8x8, 1 to 100; 0 leaves it out."""

    def __post_init__(self) -> None:
        """Reject values out of range."""
        check(self)


def developed(
    light: Float[torch.Tensor, "b h w 3"], configs: Sequence[SensorConfig], seeds: Sequence[int]
) -> UInt8[torch.Tensor, "b h w 3"]:
    """Turn linear light into 8-bit sRGB.

    Args:
        light: Linear RGB, 1 is white at unit exposure.
        configs: The camera of each picture.
        seeds: Of the noise of each picture.
    """

    def each(*values: list[float]) -> torch.Tensor:
        return light.new_tensor(values).T[:, None, None]

    _, height, width, _ = light.shape
    exposure = [c.exposure for c in configs]
    gain = each(
        [c.exposure * c.red_gain for c in configs],
        exposure,
        [c.exposure * c.blue_gain for c in configs],
    )
    x = torch.linspace(-1.0, 1.0, width, device=light.device)
    y = torch.linspace(-1.0, 1.0, height, device=light.device)
    corner = 0.5 * (x[None, :] ** 2 + y[:, None] ** 2)[..., None]
    value = light * (gain * (1.0 - each([c.vignetting for c in configs]) * corner))
    # Highlights roll off before they clip: x (1 + x/9) / (1 + 2x/3), white at x = 1.85.
    value = value * (1.0 + value / 9.0) / (1.0 + 0.6667 * value)
    value = value.clamp(0.0, 1.0) ** _SRGB_GAMMA
    lossy = [i for i, c in enumerate(configs) if c.jpeg_quality]
    for i in lossy:
        value[i : i + 1] = _block_loss(value[i : i + 1], configs[i].jpeg_quality)
    read, shot = each([c.read_noise for c in configs]), each([c.shot_noise for c in configs])
    value = value + (read + shot * value.sqrt()) * _white_noise(value, seeds)
    return (value * 255.0 + 0.5).clamp(0.0, 255.0).to(torch.uint8)


def _white_noise(like: torch.Tensor, seeds: Sequence[int]) -> torch.Tensor:
    """Draw noise of unit deviation for each picture from its own seed."""
    generator = torch.Generator(device=like.device)
    rows = [
        torch.randn(like.shape[1:], generator=generator.manual_seed(s), device=like.device)
        for s in seeds
    ]
    return torch.stack(rows)


def _block_loss(value: Float[torch.Tensor, "b h w 3"], quality: int) -> torch.Tensor:
    """Quantise the cosine transform of 8x8 blocks as JPEG does, all channels as brightness."""
    b, h, w, c = value.shape
    scale = 50.0 / quality if quality < 50 else 2.0 - quality / 50.0
    table = value.new_tensor(_LUMA_TABLE) * max(scale, 0.02) / 255.0
    k = torch.arange(8, device=value.device, dtype=value.dtype)
    basis = torch.cos(torch.pi * (2 * k[None, :] + 1) * k[:, None] / 16) * 0.5
    basis[0] /= math.sqrt(2.0)
    rows, columns = -(-h // 8) * 8, -(-w // 8) * 8
    padded = torch.nn.functional.pad(
        value.permute(0, 3, 1, 2), (0, columns - w, 0, rows - h), mode="replicate"
    )
    blocks = padded.reshape(b, c, rows // 8, 8, columns // 8, 8).transpose(3, 4)
    blocks = basis @ blocks @ basis.T
    blocks = torch.round(blocks / table) * table
    blocks = (basis.T @ blocks @ basis).transpose(3, 4)
    return blocks.reshape(b, c, rows, columns)[:, :, :h, :w].permute(0, 2, 3, 1).clamp(0.0, 1.0)
