"""Denoising diffusion that predicts the clean sample: schedule, noising, posterior, masks.

Ho et al., "Denoising Diffusion Probabilistic Models", NeurIPS 2020, with the cosine schedule of
Nichol and Dhariwal, "Improved DDPM", ICML 2021, as in MDM (Tevet et al., ICLR 2023). Steps count
from 0, the least noise, to ``steps - 1``. Samplers are in ``nn.diffusion_samplers``.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import NamedTuple

import torch
from torch import Tensor

from hand4d_ros.errors import ConfigError
from hand4d_ros.settings import check
from hand4d_ros.shapes import Bool, Float, Int


@dataclass(frozen=True)
class DiffusionConfig:
    """The course of the noise; the defaults are MDM's."""

    steps: int = field(default=1000, metadata={"min": 1, "max": 100_000})
    """From the clean sample to noise."""
    offset: float = field(default=0.008, metadata={"min": 0.0, "max": 1.0})
    """Keeps the first steps from being too small (Improved DDPM, Eq. 17)."""
    beta_max: float = field(default=0.999, metadata={"min": 0.01, "max": 0.9999})
    """Largest variance that one step adds."""

    def __post_init__(self) -> None:
        """Reject values out of range."""
        check(self)


class Posterior(NamedTuple):
    """A normal distribution of one noise level less."""

    mean: Float[Tensor, "b ..."]
    variance: Float[Tensor, "b ..."]


class Diffusion:
    """The noising process and its closed forms."""

    def __init__(self, config: DiffusionConfig) -> None:
        """Work out the schedule.

        Args:
            config: The course of the noise.
        """
        self.config = config
        t = torch.arange(config.steps + 1, dtype=torch.float64) / config.steps
        kept = torch.cos((t + config.offset) / (1.0 + config.offset) * math.pi / 2.0).square()
        self.beta: Float[Tensor, "s"] = (1.0 - kept[1:] / kept[:-1]).clamp(max=config.beta_max)
        """Variance that each step adds."""
        self.alpha_bar: Float[Tensor, "s"] = torch.cumprod(1.0 - self.beta, 0)
        """Share of the clean sample's variance that is left at each step."""
        one = torch.ones(1, dtype=torch.float64)
        self._before = torch.cat((one, self.alpha_bar[:-1]))

    @property
    def steps(self) -> int:
        """How many."""
        return self.config.steps

    def q_sample(
        self, x0: Float[Tensor, "b ..."], step: Int[Tensor, "b"], noise: Float[Tensor, "b ..."]
    ) -> Float[Tensor, "b ..."]:
        """Return samples with the noise of a step (DDPM, Eq. 4)."""
        kept = _beside(self.alpha_bar, step, x0)
        return kept.sqrt() * x0 + (1.0 - kept).sqrt() * noise

    def noise_from(
        self, x_t: Float[Tensor, "b ..."], x0: Float[Tensor, "b ..."], step: Int[Tensor, "b"]
    ) -> Float[Tensor, "b ..."]:
        """Return the noise that ``q_sample`` must have added."""
        kept = _beside(self.alpha_bar, step, x0)
        return (x_t - kept.sqrt() * x0) / (1.0 - kept).sqrt()

    def posterior(
        self, x0: Float[Tensor, "b ..."], x_t: Float[Tensor, "b ..."], step: Int[Tensor, "b"]
    ) -> Posterior:
        """Return q(x at one step less | x_t, x0), DDPM, Eqs. 6 and 7.

        Its variance is the "fixed small" one of ancestral sampling, zero at step 0.
        """
        beta = _beside(self.beta, step, x0)
        kept, before = _beside(self.alpha_bar, step, x0), _beside(self._before, step, x0)
        clean = before.sqrt() * beta / (1.0 - kept)
        noisy = (1.0 - beta).sqrt() * (1.0 - before) / (1.0 - kept)
        variance = beta * (1.0 - before) / (1.0 - kept)
        return Posterior(clean * x0 + noisy * x_t, variance.expand_as(x0))


def drop_tokens(
    tokens: Float[Tensor, "b n d"], share: float, rng: torch.Generator | None = None
) -> Float[Tensor, "b n d"]:
    """Return tokens of which a share is zero: each by itself, or all with a share of one.

    Trained so, a network works where conditions are missing, and without any of them, which is
    what guidance compares with.

    Args:
        tokens: The conditions.
        share: Of tokens that are dropped, 0..1.
        rng: Source of randomness, on their device.

    Raises:
        ConfigError: The share is no share.
    """
    if not 0.0 <= share <= 1.0:
        raise ConfigError(f"the share of dropped tokens is {share}; give a value between 0 and 1")
    if share in (0.0, 1.0):
        return tokens * (1.0 - share)
    drawn = torch.rand(tokens.shape[:2], generator=rng, device=tokens.device)
    return tokens * (drawn >= share)[..., None]


def masked_mean(
    values: Float[Tensor, "b t ..."], mask: Bool[Tensor, "b t ..."]
) -> Float[Tensor, ""]:
    """Return the mean of the values that count; zero where none does.

    Args:
        values: Per frame.
        mask: Frames that count; it may lack the last axes of the values.
    """
    spread = mask.reshape(*mask.shape, *(1,) * (values.ndim - mask.ndim)).expand_as(values)
    # What does not count may be anything, NaN too, and must give no gradient.
    kept = torch.where(spread, values, torch.zeros_like(values))
    return kept.sum() / spread.sum().clamp(min=1)


def _beside(table: Tensor, step: Tensor, like: Tensor) -> Tensor:
    """Return the values of steps so that they multiply samples."""
    values = table.to(like.device)[step].to(like.dtype)
    return values.reshape(-1, *(1,) * (like.ndim - 1))
