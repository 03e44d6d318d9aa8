"""Samples from a diffusion model: ancestral over all steps, DDIM over few, with guidance."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import pairwise

import torch
from torch import Tensor

from hand4d_ros.errors import ConfigError
from hand4d_ros.nn.diffusion import Diffusion
from hand4d_ros.shapes import Float

Denoise = Callable[[Tensor, Tensor], Tensor]
"""Takes noisy samples (b, …) and their steps (b,), gives clean ones."""


def guided(conditional: Denoise, unconditional: Denoise, scale: float) -> Denoise:
    """Return classifier-free guidance (Ho and Salimans, 2022) for clean-sample prediction.

    Args:
        conditional: Knows the conditions.
        unconditional: The same network without them.
        scale: 0 ignores the conditions, 1 takes them as they are, more exaggerates them.
    """

    def denoise(x_t: Tensor, step: Tensor) -> Tensor:
        free = unconditional(x_t, step)
        return free + scale * (conditional(x_t, step) - free)

    return denoise


def spaced_steps(start: int, count: int) -> tuple[int, ...]:
    """Return falling steps, evenly spaced, of which the first is ``start``.

    Args:
        start: The noisiest; ``steps - 1`` for a sample from noise alone.
        count: How many, up to ``start + 1``, which gives every one.

    Raises:
        ConfigError: There are not so many.
    """
    if not 1 <= count <= start + 1:
        raise ConfigError(f"{count} steps from step {start} on; give 1 to {start + 1}")
    return tuple(round((start + 1) * (count - i) / count) - 1 for i in range(count))


def ancestral(
    diffusion: Diffusion,
    denoise: Denoise,
    x: Float[Tensor, "b ..."],
    rng: torch.Generator,
    start: int | None = None,
) -> Float[Tensor, "b ..."]:
    """Go through every step down to the clean sample (DDPM, Algorithm 2).

    Args:
        diffusion: The process.
        denoise: The network.
        x: Samples with the noise of the first step.
        rng: Source of the noise, on their device.
        start: First step; None is the noisiest.
    """
    first = diffusion.steps - 1 if start is None else start
    for step in range(first, -1, -1):
        at = _everywhere(step, x)
        mean, variance = diffusion.posterior(denoise(x, at), x, at)
        noise = torch.randn(x.shape, generator=rng, device=x.device, dtype=x.dtype)
        x = mean + variance.sqrt() * noise
    return x


def ddim(
    diffusion: Diffusion,
    denoise: Denoise,
    x: Float[Tensor, "b ..."],
    steps: Sequence[int],
    eta: float = 0.0,
    rng: torch.Generator | None = None,
) -> Float[Tensor, "b ..."]:
    """Go through some steps (Song et al., "DDIM", ICLR 2021, Eqs. 12 and 16).

    Args:
        diffusion: The process.
        denoise: The network.
        x: Samples with the noise of the first step.
        steps: Falling; after the last one comes the clean sample.
        eta: 0 adds no noise; 1 adds that of ancestral sampling.
        rng: Source of the noise, on the samples' device.

    Raises:
        ConfigError: The steps do not fall or are not those of the process.
    """
    inside = steps and steps[0] < diffusion.steps and steps[-1] >= 0
    if not inside or any(a <= b for a, b in pairwise(steps)):
        raise ConfigError(f"steps are {tuple(steps)}; give falling ones below {diffusion.steps}")
    for step, following in zip(steps, (*steps[1:], -1), strict=True):
        at = _everywhere(step, x)
        x0 = denoise(x, at)
        if following < 0:
            return x0
        kept, after = float(diffusion.alpha_bar[step]), float(diffusion.alpha_bar[following])
        spread = eta * ((1.0 - after) / (1.0 - kept) * (1.0 - kept / after)) ** 0.5
        straight = (1.0 - after - spread**2) ** 0.5
        x = after**0.5 * x0 + straight * diffusion.noise_from(x, x0, at)
        if spread > 0.0:
            noise = torch.randn(x.shape, generator=rng, device=x.device, dtype=x.dtype)
            x = x + spread * noise
    return x


def _everywhere(step: int, x: Tensor) -> Tensor:
    return torch.full((len(x),), step, dtype=torch.int64, device=x.device)
