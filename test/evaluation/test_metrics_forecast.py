"""Forecast errors by hand and under the motions that each must not see."""

from __future__ import annotations

import inspect

import numpy as np
import pytest

from hand4d_ros.errors import MetricError
from hand4d_ros.evaluation import metrics_forecast as forecast
from hand4d_ros.geometry import so3
from hand4d_ros.shapes import Array, Float

RNG = np.random.default_rng(4)
TRUTH = 0.05 * RNG.normal(size=(6, 2, 21, 3)) + np.array([-0.2, 0.2])[:, None, None]
X = np.array([1.0, 0.0, 0.0])


def _similar(points: Float[Array, "t j 3"]) -> Float[Array, "t j 3"]:
    """All frames of one hand moved by one similarity."""
    return np.asarray(1.3 * points @ so3.exp(np.array([0.1, 2.0, -0.4])).T + 0.5)


def test_m_by_hand() -> None:
    """The left hand 2 cm off and the right one right is 1 cm; without the right one 2 cm."""
    guess = TRUTH.copy()
    guess[:, 0] += 0.02 * X
    assert forecast.m_cm(TRUTH, guess) == pytest.approx(1.0)
    left_only = np.array([[True, False]] * 6)
    assert forecast.m_cm(TRUTH, guess, left_only) == pytest.approx(2.0)
    sometimes = np.array([[True, True]] * 3 + [[True, False]] * 3)
    assert forecast.m_cm(TRUTH, guess, sometimes) == pytest.approx((3 * 1.0 + 3 * 2.0) / 6)


def test_m_g_and_m_f_align_each_hand_by_itself() -> None:
    """One similarity for each hand is undone, one for each frame is not."""
    guess = np.stack([_similar(TRUTH[:, 0]), _similar(_similar(TRUTH[:, 1]))], axis=1)
    assert forecast.m_g_cm(TRUTH, guess) == pytest.approx(0.0, abs=1e-9)
    assert forecast.m_f_cm(TRUTH, guess) == pytest.approx(0.0, abs=1e-9)
    assert forecast.m_cm(TRUTH, guess) > 10.0
    drifting = TRUTH + 0.01 * np.arange(6)[:, None, None, None] * X
    assert forecast.m_f_cm(TRUTH, drifting) == pytest.approx(2.5)
    assert forecast.m_g_cm(TRUTH, drifting) < 2.0


def test_m_f_starts_at_the_first_frame_with_a_truth() -> None:
    """Frames before it may be NaN."""
    guess = np.stack([_similar(TRUTH[:, 0]), TRUTH[:, 1]], axis=1)
    guess[0, 0] = np.nan
    mask = np.isfinite(guess).all(axis=(2, 3))
    assert forecast.m_f_cm(TRUTH, guess, mask) == pytest.approx(0.0, abs=1e-9)


def test_mr_sees_the_hands_relative_place_only() -> None:
    """Moving both is not seen, moving one by 3 cm is 3 cm."""
    both = TRUTH + RNG.normal(size=(6, 1, 1, 3))
    assert forecast.mr_cm(TRUTH, both) == pytest.approx(0.0, abs=1e-9)
    one = both.copy()
    one[:, 1] += 0.03 * X
    assert forecast.mr_cm(TRUTH, one) == pytest.approx(3.0)


def test_the_best_sample_is_one_for_all_figures() -> None:
    """It has the least sum, even where another is better in one figure."""
    far_but_right = TRUTH + 0.05 * X
    near_but_wrong = TRUTH + 0.02 * RNG.normal(size=TRUTH.shape)
    exact = TRUTH.copy()
    samples = np.stack([far_but_right, near_but_wrong])
    chosen = forecast.best_sample(TRUTH, samples)
    assert forecast.m_cm(TRUTH, samples[1 - chosen]) < forecast.m_cm(TRUTH, samples[chosen])
    assert chosen == 0
    assert forecast.best_sample(TRUTH, np.stack([far_but_right, near_but_wrong, exact])) == 2
    one_hand = forecast.best_sample(TRUTH[:, :1], samples[:, :, :1])
    assert one_hand == 0


def test_displacements_by_hand() -> None:
    """Modes that run 1 and 3 cm a step away: best and expected, on average and at the end."""
    truth = np.zeros((4, 3))
    steps = np.arange(1, 5)[:, None] * X / 100.0
    modes = np.stack([3.0 * steps, 1.0 * steps])
    probabilities = np.array([0.75, 0.25])
    assert forecast.ade_cm(truth, modes) == pytest.approx(2.5)
    assert forecast.fde_cm(truth, modes) == pytest.approx(4.0)
    assert forecast.ade_mean_cm(truth, modes, probabilities) == pytest.approx(0.75 * 7.5 + 0.625)
    assert forecast.fde_mean_cm(truth, modes, probabilities) == pytest.approx(0.75 * 12 + 1.0)


def test_more_modes_never_hurt_the_best_and_order_is_free() -> None:
    """The best of K falls with K; the mode order changes nothing."""
    truth = RNG.normal(size=(8, 3))
    modes = truth + RNG.normal(size=(5, 8, 3))
    probabilities = np.full(5, 0.2)
    best = [forecast.ade_cm(truth, modes[: k + 1]) for k in range(5)]
    assert np.all(np.diff(best) < 1e-9)
    assert best[-1] < best[0]
    order = [3, 1, 4, 0, 2]
    assert forecast.fde_cm(truth, modes[order]) == forecast.fde_cm(truth, modes)
    assert forecast.ade_mean_cm(truth, modes[order], probabilities) == pytest.approx(
        forecast.ade_mean_cm(truth, modes, probabilities)
    )
    mask = np.array([True] * 6 + [False] * 2)
    broken = truth.copy()
    broken[6:] = np.nan
    assert forecast.fde_cm(broken, modes, mask) == forecast.fde_cm(truth[:6], modes[:, :6])


def test_documented_raises() -> None:
    """Shapes, NaN, no truth, one hand for MR, probabilities, hands that never meet."""
    broken = TRUTH.copy()
    broken[2, 1] = np.nan
    with pytest.raises(MetricError, match="used hand holds NaN"):
        forecast.m_cm(TRUTH, broken)
    with pytest.raises(MetricError, match="no hand has a truth"):
        forecast.m_g_cm(TRUTH, TRUTH, np.zeros((6, 2), dtype=bool))
    with pytest.raises(MetricError, match="needs the two hands"):
        forecast.mr_cm(TRUTH[:, :1], TRUTH[:, :1])
    with pytest.raises(MetricError, match="never have a truth at the same time"):
        forecast.mr_cm(TRUTH, TRUTH, np.array([[True, False], [False, True]] * 3))
    with pytest.raises(MetricError, match="must sum to one"):
        forecast.ade_mean_cm(TRUTH[:, 0, 0], TRUTH[None, :, 0, 0], np.array([0.5]))
    with pytest.raises(MetricError, match="mode holds NaN"):
        forecast.ade_cm(TRUTH[:, 0, 0], np.full((1, 6, 3), np.nan))
    with pytest.raises(MetricError, match="k at least 1"):
        forecast.fde_cm(TRUTH[:, 0, 0], np.zeros((0, 6, 3)))
    with pytest.raises(MetricError, match=r"must be \(t, h, j, 3\) twice"):
        inspect.unwrap(forecast.m_f_cm)(TRUTH, TRUTH[:3])
    with pytest.raises(MetricError, match="one line or in one place"):
        forecast.m_f_cm(TRUTH, np.zeros_like(TRUTH))
