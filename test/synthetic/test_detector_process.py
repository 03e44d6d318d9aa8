"""Correlated random numbers over time."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from scipy.special import ndtr

from hand4d_ros.shapes import Array, Float
from hand4d_ros.synthetic.detector_parameters import (
    GROUPS,
    MARKS,
    QUANTILE_Z,
    NoiseParameters,
    fitted,
)
from hand4d_ros.synthetic.detector_process import (
    Pace,
    pair_scores_of,
    quantile_table,
    radius_table,
    remembered_scores,
    scores_of,
    shaped,
    stretched,
)

_SHAPE = list(GROUPS).index("shape")


def _parameters(memory: tuple[float, float, float], burst: float = 0.0) -> NoiseParameters:
    """Numbers with the same memory for all marks, and with factors that are easy to check."""
    rng = np.random.default_rng(0)
    factors = rng.normal(size=(MARKS, 3))
    factors *= 0.9 / np.linalg.norm(factors, axis=1, keepdims=True)
    return replace(fitted(), memory=np.tile(memory, (len(GROUPS), 1)), burst=burst, factors=factors)


def _drawn(parameters: NoiseParameters, frames: int, hands: int) -> Float[Array, "f h marks"]:
    pace = Pace(np.full(frames, 1 / 30), np.full((frames, hands), 0.02))
    rng = np.random.default_rng(3)
    return remembered_scores(rng, parameters, pace)[0]


@pytest.mark.parametrize("lag", [1, 4, 12])
def test_memory_fades_as_the_parameters_say(lag: int) -> None:
    """The correlation after some frames is share times exp(-time - change)."""
    scores = _drawn(_parameters((0.9, 0.8, 0.25)), 120, 60)
    measured = float((scores[lag:] * scores[:-lag]).mean())
    expected = 0.9 * np.exp(-lag * (1 / 30 / 0.8 + 0.02 / 0.25))
    assert measured == pytest.approx(expected, abs=0.02)


def test_scores_are_standard_normal_with_the_correlation_of_the_factors() -> None:
    """Within a frame, variance is one and the correlation is that of the factors."""
    parameters = _parameters((0.9, 0.05, 0.01))
    scores = _drawn(parameters, 60, 400).reshape(-1, MARKS)
    correlation = parameters.factors @ parameters.factors.T
    np.fill_diagonal(correlation, 1.0)
    np.testing.assert_allclose(np.cov(scores.T), correlation, atol=0.04)


def test_bursts_leave_the_distribution_but_make_steps_uneven() -> None:
    """With bursts, scores stay standard normal while steps get heavier tails."""
    even, bursting = (_drawn(_parameters((1.0, 9.0, 0.2), b), 80, 60) for b in (0.0, 1.5))
    assert bursting.std() == pytest.approx(1.0, abs=0.03)

    def tail(scores: Float[Array, "f h marks"]) -> float:
        steps = np.abs(np.diff(scores, axis=0))
        return float(np.quantile(steps, 0.99) / np.quantile(steps, 0.5))

    assert tail(bursting) > 1.3 * tail(even)


def test_tables_give_back_the_quantiles_of_examples() -> None:
    """Scores shaped by the table of examples have the quantiles of the examples."""
    rng = np.random.default_rng(5)
    examples = np.stack((rng.exponential(size=20000), rng.standard_t(3, size=20000)), axis=1)
    made = shaped(rng.normal(size=(20000, 2)), quantile_table(examples))
    at = [0.05, 0.25, 0.5, 0.75, 0.95]
    np.testing.assert_allclose(
        np.quantile(made, at, axis=0), np.quantile(examples, at, axis=0), rtol=0.08, atol=0.04
    )


def test_a_normal_table_changes_nothing() -> None:
    """The table of a normal distribution is exact between its entries and flat beyond."""
    table = np.array([2.0 * QUANTILE_Z + 1.0])
    scores = np.array([[-2.77], [0.1], [2.9], [7.0]])
    expected = np.array([[-4.54], [1.2], [6.8], [7.0]])
    np.testing.assert_allclose(shaped(scores, table), expected, atol=1e-4)


def test_lengths_of_vectors_are_those_of_examples_and_directions_stay() -> None:
    """Stretched pairs point the same way and are as long as the examples."""
    rng = np.random.default_rng(6)
    examples = rng.normal(size=(20000, 1, 2)) * rng.exponential(size=(20000, 1, 1))
    scores = rng.normal(size=(20000, 1, 2))
    made = stretched(scores, radius_table(examples))
    at = [0.2, 0.5, 0.9]
    lengths = [np.quantile(np.linalg.norm(v, axis=-1), at) for v in (made, examples)]
    np.testing.assert_allclose(lengths[0], lengths[1], rtol=0.08)
    cross = made[..., 0] * scores[..., 1] - made[..., 1] * scores[..., 0]
    np.testing.assert_allclose(cross, 0.0, atol=1e-9)
    assert ((made * scores).sum(-1) >= 0.0).all()


def test_ranks_turn_into_normal_scores() -> None:
    """Scores of examples are standard normal and rise with them; pairs keep their direction."""
    rng = np.random.default_rng(7)
    values = rng.exponential(size=(999, 2))
    scores = scores_of(values)
    np.testing.assert_array_equal(np.argsort(scores, axis=0), np.argsort(values, axis=0))
    assert scores.std() == pytest.approx(1.0, abs=0.02)
    vectors = rng.normal(size=(999, 1, 2)) * rng.exponential(size=(999, 1, 1))
    pairs = pair_scores_of(vectors)
    radius = np.sort(np.linalg.norm(pairs, axis=-1)[:, 0])
    np.testing.assert_allclose(-np.expm1(-(radius**2) / 2), (np.arange(999) + 0.5) / 999)
    np.testing.assert_allclose(np.arctan2(*pairs.T), np.arctan2(*vectors.T), atol=1e-9)
    assert ndtr(scores).max() < 1.0
