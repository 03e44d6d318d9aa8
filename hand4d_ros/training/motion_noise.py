"""What a detector makes of a motion: angles with errors that last, bursts of them, and gaps.

Not the noise of one estimator but a mixture of all sizes and durations, so that what is trained
on it serves them all.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import torch
from torch import Tensor

from hand4d_ros.hand.biomechanics import REST_RAD, STD_RAD
from hand4d_ros.settings import check
from hand4d_ros.shapes import Bool, Float
from hand4d_ros.tracking.priors.base import RATE_HZ


@dataclass(frozen=True)
class SpoiltConfig:
    """How bad it gets. Errors are in units of an angle's everyday spread."""

    clean_share: float = field(default=0.2, metadata={"min": 0.0, "max": 1.0})
    """Share of clips without errors."""
    error: float = field(default=0.7, metadata={"min": 0.0, "max": 3.0})
    """Largest root mean square error of a clip; each clip draws its own below."""
    burst: float = field(default=1.0, metadata={"min": 0.0, "max": 5.0})
    """Root mean square of what bursts add."""
    burst_share: float = field(default=0.2, metadata={"min": 0.01, "max": 0.99})
    """Share of the frames in bursts, half a second each."""
    relaxed: float = field(default=0.7, metadata={"min": 0.0, "max": 1.0})
    """How far bursts pull the pose towards the relaxed hand at most, as fits of single frames do
    where they see little."""
    shortest_s: float = field(default=0.03, metadata={"min": 0.001, "max": 1.0})
    """Shortest time that errors last."""
    longest_s: float = field(default=1.0, metadata={"min": 0.001, "max": 10.0})
    """Longest time that errors last."""
    gaps: int = field(default=3, metadata={"min": 0, "max": 20})
    """Gaps of a clip, up to so many."""
    longest_gap_s: float = field(default=1.5, metadata={"min": 0.05, "max": 4.0})
    """Longest gap."""

    def __post_init__(self) -> None:
        """Reject values out of range."""
        check(self)


def spoilt(
    angles_rad: Float[Tensor, "b f 22"], config: SpoiltConfig, rng: torch.Generator
) -> tuple[Float[Tensor, "b f 22"], Bool[Tensor, "b f"]]:
    """Return what a detector might have said, gaps filled by straight lines, and what it saw.

    Args:
        angles_rad: The truth.
        config: How bad it gets.
        rng: Source of randomness.
    """
    count, frames, _ = angles_rad.shape

    def uniform(*shape: int) -> Tensor:
        return torch.rand(shape, generator=rng, device=angles_rad.device)

    seen = ~_gaps(uniform(count, config.gaps, 2), uniform(count, config.gaps), frames, config)
    spread = torch.as_tensor(STD_RAD, dtype=angles_rad.dtype, device=angles_rad.device)
    size = uniform(count, 1, 1) * (uniform(count, 1, 1) >= config.clean_share)
    slow = _lasting(angles_rad.shape, config, rng, angles_rad)
    inside = _lasting((count, frames, 1), config, rng, angles_rad, 0.5)
    limit = torch.special.ndtri(torch.tensor(1.0 - config.burst_share))
    # A burst comes and goes within a few frames, not at once.
    burst = torch.sigmoid(6.0 * (inside - limit))
    wild = config.burst * burst * _lasting(angles_rad.shape, config, rng, angles_rad)
    off = size * spread * (config.error * slow + wild)
    rest = torch.as_tensor(REST_RAD, dtype=angles_rad.dtype, device=angles_rad.device)
    pull = config.relaxed * uniform(count, 1, 1) * (size > 0.0) * burst
    return interpolated(angles_rad + off + pull * (rest - angles_rad), seen), seen


def interpolated(
    values: Float[Tensor, "b f c"], seen: Bool[Tensor, "b f"]
) -> Float[Tensor, "b f c"]:
    """Fill frames that were not seen by straight lines, at the ends by the nearest seen value.

    Args:
        values: Anything in frames not seen.
        seen: At least one frame of each row.
    """
    frames = torch.arange(seen.shape[1], device=seen.device).expand_as(seen)
    before = torch.where(seen, frames, -1).cummax(1).values
    after = torch.where(seen, frames, len(frames[0])).flip(1).cummin(1).values.flip(1)
    before = torch.where(before < 0, after, before)
    after = torch.where(after >= seen.shape[1], before, after)
    alpha = (frames - before) / (after - before).clamp(min=1)
    first = torch.take_along_dim(values, before[..., None], 1)
    last = torch.take_along_dim(values, after[..., None], 1)
    return first + alpha[..., None].to(values.dtype) * (last - first)


def _gaps(
    place: Float[Tensor, "b g 2"], there: Float[Tensor, "b g"], frames: int, config: SpoiltConfig
) -> Bool[Tensor, "b f"]:
    """Tell which frames are in gaps; a clip that would be one whole gap has none."""
    length = place[..., 1:] * config.longest_gap_s * RATE_HZ * (there[..., None] < 0.5)
    # Gaps may begin before the clip and end after it.
    start = place[..., :1] * (frames + length) - length
    now = torch.arange(frames, device=place.device)
    inside = ((now >= start) & (now < start + length)).any(1)
    return inside & ~inside.all(1, keepdim=True)


def _lasting(
    shape: torch.Size | tuple[int, ...],
    config: SpoiltConfig,
    rng: torch.Generator,
    like: Tensor,
    lasts_s: float = 0.0,
) -> Tensor:
    """Draw noise of unit variance that lasts for a time of its own in every clip."""
    white = torch.randn(shape, generator=rng, device=like.device, dtype=like.dtype)
    draw = torch.rand((shape[0], 1, 1), generator=rng, device=like.device, dtype=like.dtype)
    ratio = config.longest_s / config.shortest_s
    tau_s = lasts_s or config.shortest_s * ratio**draw
    share = torch.as_tensor(-1.0 / RATE_HZ / tau_s).exp()
    # The stationary process x[i] = share x[i-1] + sqrt(1 - share^2) w[i], as one small matrix.
    frames = torch.arange(shape[1], device=like.device)
    lag = (frames[:, None] - frames).clamp(min=0)
    kernel = torch.where(frames[:, None] >= frames, share**lag, 0.0)
    gain = torch.where(frames > 0, (1.0 - share.square()).sqrt(), torch.ones_like(share))
    return (kernel * gain) @ white
