"""Colours of visible points under the lights, in linear RGB.

Diffuse light wraps around the terminator, reddest furthest, as blood does to light under the
skin (the wrapped diffusion of Green, "Real-time approximations to subsurface scattering", GPU
Gems, 2004). Highlights are normalised Blinn-Phong with Schlick's Fresnel term.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch

from hand4d_ros.shapes import Float, Int
from hand4d_ros.synthetic.lighting import Lights
from hand4d_ros.synthetic.skin_detail import LOW_M, SIZE_M
from hand4d_ros.synthetic.surface import HAND_TEXTURE_M

_WRAP = (0.42, 0.20, 0.13)
"""How far red, green and blue light wraps around skin."""
_BLOOD = (1.0, 0.62, 0.5)
"""What is left of white light after a little way under the skin."""
_CREASE = (0.30, 0.42, 0.46)
"""Light that the deepest crease takes away."""
_NAIL_TINT = (1.10, 1.02, 1.02)
_NAIL_RIM_MM = 0.7


@dataclass(frozen=True)
class Points:
    """Visible points of surfaces."""

    image: Int[torch.Tensor, " n"]
    position_m: Float[torch.Tensor, "n 3"]
    normal: Float[torch.Tensor, "n 3"]
    to_eye: Float[torch.Tensor, "n 3"]
    """Unit vectors."""
    look: Float[torch.Tensor, "n c"]
    """Channels as in ``surface.Look``."""
    lit: Float[torch.Tensor, " n"]
    """Share of the key light that gets there."""
    openness: Float[torch.Tensor, " n"]
    """Share of the ambient light that gets there."""


@dataclass(frozen=True)
class Patterns:
    """Pictures that all surfaces share."""

    noise: Float[torch.Tensor, "n n n"]
    """Periodic volume, about -1..1."""
    creases: Float[torch.Tensor, "2 h w"]
    """Palm and back of the hand, as ``skin_detail`` paints them."""


def shaded(points: Points, lights: Lights, patterns: Patterns) -> Float[torch.Tensor, "n 3"]:
    """Return the light that points send to the eye."""
    look = points.look
    albedo, specular, gloss = look[:, :3], look[:, 3:4], look[:, 4:5]
    scatter, mottle, nail_mm = look[:, 5:6], look[:, 6:7], look[:, 7:8]
    grain = _noise_at(patterns.noise, look[:, 9:12])
    crease = _crease_at(patterns.creases, look[:, 8], look[:, 9:12])
    nail = (nail_mm / _NAIL_RIM_MM + 0.5).clamp(0.0, 1.0)
    rim = 1.0 - 0.18 * (1.0 - (nail_mm / (1.5 * _NAIL_RIM_MM)).abs()).clamp(min=0.0)
    albedo = albedo * (1.0 - crease[:, None] * albedo.new_tensor(_CREASE))
    albedo = albedo * (1.0 + mottle * grain[:, None]).clamp(min=0.2) * rim
    albedo = albedo * (1.0 + nail * (albedo.new_tensor(_NAIL_TINT) - 1.0)) + nail * 0.02
    gloss = gloss * (1.0 + 1.2 * nail)
    specular = specular * (1.0 + 0.5 * nail)
    wrap = scatter * albedo.new_tensor(_WRAP)
    to_key, to_fill = lights.to_key[points.image], lights.to_fill[points.image]
    key = _wrapped(points.normal, to_key, wrap) * _tinted(points.lit[:, None], scatter)
    fill = _wrapped(points.normal, to_fill, wrap)
    up = (0.5 + 0.5 * points.normal[:, 2:3]).clamp(0.0, 1.0)
    sky, ground = lights.sky[points.image], lights.ground[points.image]
    # Dim corners of bright things are lit by their own walls, so they are less dark and tinted.
    ambient = points.openness[:, None] ** (1.0 - 0.55 * albedo)
    light = lights.key[points.image] * key + lights.fill[points.image] * fill * ambient
    light = light + (ground + (sky - ground) * up) * ambient
    shine = _highlight(points, to_key, specular, gloss) * points.lit[:, None]
    return albedo * light + shine * lights.key[points.image] + _sheen(points, specular) * sky


def _wrapped(normal: torch.Tensor, to_light: torch.Tensor, wrap: torch.Tensor) -> torch.Tensor:
    cosine = (normal * to_light).sum(-1, keepdim=True)
    return ((cosine + wrap) / ((1.0 + wrap) * (1.0 + 0.5 * wrap))).clamp(min=0.0)


def _tinted(lit: torch.Tensor, scatter: torch.Tensor) -> torch.Tensor:
    """Redden the rim of shadows on skin."""
    blood = 1.0 + scatter * (lit.new_tensor(_BLOOD) - 1.0)
    return lit**blood


def _highlight(
    points: Points, to_key: torch.Tensor, specular: torch.Tensor, gloss: torch.Tensor
) -> torch.Tensor:
    half = torch.nn.functional.normalize(to_key + points.to_eye, dim=-1)
    slope = (points.normal * half).sum(-1, keepdim=True).clamp(min=0.0)
    facing = (points.to_eye * half).sum(-1, keepdim=True).clamp(0.0, 1.0)
    fresnel = specular + (1.0 - specular) * (1.0 - facing) ** 5
    cosine = (points.normal * to_key).sum(-1, keepdim=True).clamp(min=0.0)
    return fresnel * (gloss + 8.0) * 0.125 * slope**gloss * cosine


def _sheen(points: Points, specular: torch.Tensor) -> torch.Tensor:
    """Reflection of the room, which only shows at grazing angles."""
    facing = (points.normal * points.to_eye).sum(-1, keepdim=True).clamp(0.0, 1.0)
    fresnel = specular + (0.25 - specular).clamp(min=0.0) * (1.0 - facing) ** 5
    return fresnel * points.openness[:, None]


def _crease_at(
    creases: Float[torch.Tensor, "2 h w"],
    facing: Float[torch.Tensor, " m"],
    where: Float[torch.Tensor, "m 3"],
) -> Float[torch.Tensor, " m"]:
    """Look up the creases of the palm or the back."""
    x = (where[:, 0] * HAND_TEXTURE_M - LOW_M[0]) / SIZE_M[0]
    z = (where[:, 2] * HAND_TEXTURE_M - LOW_M[1]) / SIZE_M[1]
    grid = 2.0 * torch.stack((x, z), -1)[None, None] - 1.0
    found = torch.nn.functional.grid_sample(creases[None], grid, align_corners=True)[0, :, 0]
    return found[0] * facing.clamp(min=0.0) + found[1] * (-facing).clamp(min=0.0)


def _noise_at(
    noise: Float[torch.Tensor, "n n n"], where: Float[torch.Tensor, "m 3"]
) -> Float[torch.Tensor, " m"]:
    """Look up the periodic volume at two scales."""
    grid = torch.stack((where, 3.7 * where))
    grid = 2.0 * (grid - torch.floor(grid)) - 1.0
    found = torch.nn.functional.grid_sample(
        noise[None, None].expand(2, -1, -1, -1, -1),
        grid[:, None, None],
        mode="bilinear",
        padding_mode="border",
        align_corners=True,
    )
    return 0.6 * found[0, 0, 0, 0] + 0.4 * found[1, 0, 0, 0]
