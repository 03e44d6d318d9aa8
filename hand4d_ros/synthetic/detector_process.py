"""Correlated random numbers over time whose memory fades with time and with what changes.

A detector that errs on a hand at rest errs in the same way in the next frame; when the hand turns
it errs differently. So the correlation of each number with that of the frame before is
``rho = exp(-dt / time_s - change / change_length)`` for the part that is remembered, and the
rest is drawn anew in every frame: a first-order autoregression plus white noise.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.special import ndtr, ndtri

from hand4d_ros.shapes import Array, Float
from hand4d_ros.synthetic.detector_parameters import QUANTILE_Z, RADIUS, NoiseParameters


@dataclass(frozen=True)
class Pace:
    """How fast a clip lets memories fade."""

    step_s: Float[Array, "f"]
    """Time since the frame before."""
    change: Float[Array, "f h"]
    """Change of the look of each hand since the frame before."""


def remembered_scores(
    rng: np.random.Generator, parameters: NoiseParameters, pace: Pace
) -> tuple[Float[Array, "f h marks"], Float[Array, "f h marks"]]:
    """Draw standard normal scores that are correlated with each other and over time.

    Much is forgotten in few steps: the clock of all memories of a hand runs at a random speed, so
    that errors stay for a while and then jump.

    Args:
        rng: Source of randomness.
        parameters: Factors and memory.
        pace: What happens between the frames.

    Returns:
        Scores of variance one, whose correlation within a frame is that of the factors, and as
        many that no frame shares with another.
    """
    frames, hands = pace.change.shape
    factors = parameters.factors
    marks, shared = factors.shape
    own = np.sqrt(np.maximum(1.0 - (factors * factors).sum(-1), 0.0))
    draws = rng.normal(size=(2, frames, hands, shared + marks))
    news = draws[..., :shared] @ factors.T + draws[..., shared:] * own
    share, time_s, length = parameters.memory.T
    fade = pace.step_s[:, None, None] / time_s + pace.change[..., None] / length
    burst = parameters.burst
    # The mean of the factor is one.
    fade = fade * np.exp(burst * rng.normal(size=(frames, hands, 1)) - 0.5 * burst * burst)
    group = parameters.group_of_mark
    return _blended(news, fade[..., group], 1.0 - share[group]), news[1]


def _blended(
    news: Float[Array, "2 f h n"], fade: Float[Array, "f h n"], fresh: Float[Array, "n"]
) -> Float[Array, "f h n"]:
    """Autoregression plus white noise of the given share of the variance."""
    rho = np.exp(-fade)
    step = np.sqrt(1.0 - rho * rho) * news[0]
    slow = np.empty(fade.shape)
    state = news[0, :1].sum(0)
    for frame in range(len(fade)):
        state = state if frame == 0 else rho[frame] * state + step[frame]
        slow[frame] = state
    return np.sqrt(1.0 - fresh) * slow + np.sqrt(fresh) * news[1]


def shaped(
    scores: Float[Array, "*batch q"], quantiles: Float[Array, "q 13"]
) -> Float[Array, "*batch q"]:
    """Turn normal scores into numbers that have the given quantiles.

    Between the entries of a table the numbers are interpolated linearly in the score, so a
    normal distribution is kept exactly; beyond its ends they keep the last value.

    Args:
        scores: Standard normal.
        quantiles: Values at ``QUANTILE_Z``, rising.
    """
    return _looked_up(scores, QUANTILE_Z, quantiles)


def stretched(
    scores: Float[Array, "*batch k 2"], radii: Float[Array, "k 13"]
) -> Float[Array, "*batch k 2"]:
    """Turn pairs of normal scores into vectors of the same direction and of given lengths.

    Both axes of a keypoint's error are large together, which two tables of quantiles cannot
    express: the length of a pair of independent normal scores has a Rayleigh distribution, and
    the table says which length of error belongs to each length of scores.

    Args:
        scores: Standard normal.
        radii: Lengths at ``RADIUS``, rising from zero.
    """
    length = np.linalg.norm(scores, axis=-1)
    wanted = _looked_up(length, RADIUS, radii)
    return scores * (wanted / np.maximum(length, 1e-9))[..., None]


def _looked_up(
    at: Float[Array, "*batch q"], knots: Float[Array, "13"], table: Float[Array, "q 13"]
) -> Float[Array, "*batch q"]:
    step = knots[1] - knots[0]
    place = np.clip((at - knots[0]) / step, 0.0, len(knots) - 1.000001)
    low = place.astype(np.intp)
    row = np.arange(table.shape[0])
    below, above = table[row, low], table[row, low + 1]
    return below + (place - low) * (above - below)


def quantile_table(values: Float[Array, "n q"]) -> Float[Array, "q 13"]:
    """Return the table with which ``shaped`` gives numbers distributed like some examples.

    Args:
        values: Examples.
    """
    return np.quantile(values, ndtr(QUANTILE_Z), axis=0).T


def radius_table(vectors: Float[Array, "n k 2"]) -> Float[Array, "k 13"]:
    """Return the table with which ``stretched`` gives vectors as long as some examples.

    Args:
        vectors: Examples.
    """
    lengths = np.linalg.norm(vectors, axis=-1)
    table = np.quantile(lengths, _rayleigh(RADIUS), axis=0).T
    table[:, 0] = 0.0
    return table


def scores_of(values: Float[Array, "n q"]) -> Float[Array, "n q"]:
    """Return normal scores of examples by their rank."""
    rank = np.argsort(np.argsort(values, axis=0), axis=0)
    return ndtri((rank + 0.5) / len(values))


def pair_scores_of(vectors: Float[Array, "n k 2"]) -> Float[Array, "n k 2"]:
    """Return pairs of normal scores of examples: by the rank of their length, along them."""
    length = np.linalg.norm(vectors, axis=-1)
    rank = (np.argsort(np.argsort(length, axis=0), axis=0) + 0.5) / len(vectors)
    wanted = np.sqrt(-2.0 * np.log1p(-rank))
    return vectors * (wanted / np.maximum(length, 1e-12))[..., None]


def _rayleigh(length: Float[Array, "n"]) -> Float[Array, "n"]:
    """Probability that a pair of standard normal scores is shorter."""
    return -np.expm1(-0.5 * length * length)
