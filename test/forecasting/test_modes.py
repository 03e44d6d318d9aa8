"""Modes of sampled futures: shares, independence of the order, and what is one future."""

from __future__ import annotations

import numpy as np
import pytest

from hand4d_ros.errors import ConfigError
from hand4d_ros.forecasting.modes import (
    HandSamples,
    ModesConfig,
    distances_m,
    k_medoids,
    modes_from_samples,
)
from hand4d_ros.shapes import Array, Float
from hand4d_ros.types import ForecastMode, Side

STEPS = 8


def samples_to(ends_m: Float[Array, "k 3"]) -> HandSamples:
    """Return futures on straight lines from the origin to these ends."""
    k = len(ends_m)
    T = np.tile(np.eye(4), (k, STEPS, 1, 1))
    T[:, :, :3, 3] = np.linspace(1 / STEPS, 1.0, STEPS)[None, :, None] * ends_m[:, None]
    tips = T[:, :, None, :3, 3] + np.array([0.0, 0.0, 0.1]) + np.zeros((5, 3))
    pose = np.zeros((k, STEPS, 48))
    pose[..., 0] = np.arange(k)[:, None]
    return HandSamples(T, tips, pose)


def two_ways(seed: int = 0) -> Float[Array, "20 3"]:
    """Return the ends of 14 futures to the right and 6 to the left."""
    noise = np.random.default_rng(seed).normal(0.0, 0.01, (20, 3))
    side = np.where(np.arange(20) < 14, 0.4, -0.4)
    return noise + np.stack((side, np.zeros(20), np.zeros(20)), axis=1)


def end_x(mode: ForecastMode) -> float:
    """Return where a mode ends."""
    return float(mode.T_world_wrist[-1, 0, 3])


def test_two_ways_are_two_modes() -> None:
    """Probabilities are the shares of the two ways, sum to one and fall."""
    (modes,) = modes_from_samples({Side.RIGHT: samples_to(two_ways())}, 0.9).values()
    assert [mode.probability for mode in modes] == pytest.approx([0.7, 0.3])
    assert [round(end_x(mode), 1) for mode in modes] == [0.4, -0.4]
    assert all(0.0 < mode.radius_m[-1] < 0.1 for mode in modes)
    assert np.linalg.eigvalsh(modes[0].wrist_covariance_m2).min() >= 0.0


@pytest.mark.parametrize("seed", range(5))
def test_probabilities_sum_to_one(seed: int) -> None:
    """Whatever the samples are, and never more modes than asked for."""
    ends = np.random.default_rng(seed).normal(0.0, 0.3, (17, 3))
    (modes,) = modes_from_samples({Side.LEFT: samples_to(ends)}, 0.9, ModesConfig(modes=4)).values()
    assert len(modes) == 4
    shares = [mode.probability for mode in modes]
    assert sum(shares) == pytest.approx(1.0)
    assert shares == sorted(shares, reverse=True)


def test_the_order_of_the_samples_changes_nothing() -> None:
    """Shuffled samples give the very same modes of both hands."""
    ends = np.random.default_rng(3).normal(0.0, 0.2, (12, 3))
    order = np.random.default_rng(4).permutation(12)
    hands = {Side.LEFT: samples_to(ends), Side.RIGHT: samples_to(ends[::-1].copy())}
    mixed = {
        side: HandSamples(h.T_world_wrist[order], h.fingertips_m[order], h.mano_pose[order])
        for side, h in hands.items()
    }
    first, second = (modes_from_samples(each, 0.9) for each in (hands, mixed))
    for side in Side:
        for one, other in zip(first[side], second[side], strict=True):
            assert one.probability == other.probability
            assert np.array_equal(one.T_world_wrist, other.T_world_wrist)
            assert np.allclose(one.wrist_covariance_m2, other.wrist_covariance_m2, rtol=1e-12)


def test_identical_samples_are_one_mode() -> None:
    """Without spread there is one future, whose covariance is that of now."""
    hand = samples_to(np.tile([0.1, 0.2, 0.3], (6, 1)))
    now = HandSamples(hand.T_world_wrist, hand.fingertips_m, hand.mano_pose, 1e-4 * np.eye(3))
    ((mode,),) = modes_from_samples({Side.RIGHT: now}, 0.9, ModesConfig(separation_m=0.0)).values()
    assert mode.probability == 1.0
    assert np.allclose(mode.wrist_covariance_m2, 1e-4 * np.eye(3))


def test_close_futures_are_one_mode() -> None:
    """Below the separation there is nothing to tell apart."""
    ends = np.array([[0.4, 0.0, 0.0], [0.41, 0.0, 0.0], [0.42, 0.0, 0.0]])
    (modes,) = modes_from_samples({Side.RIGHT: samples_to(ends)}, 0.9).values()
    assert [end_x(mode) for mode in modes] == [0.41]


def test_hands_are_grouped_together() -> None:
    """The left hand does the same in all samples, but has the modes of the right one."""
    still = samples_to(np.zeros((20, 3)))
    found = modes_from_samples({Side.LEFT: still, Side.RIGHT: samples_to(two_ways())}, 0.9)
    left, right = ([m.probability for m in found[side]] for side in Side)
    assert left == right == pytest.approx([0.7, 0.3])


def test_swaps_mend_a_greedy_start() -> None:
    """The best first medoid lies between the groups; in the end it is in one of them."""
    x = np.array([0.0, 1.0, 2.0, 5.0, 8.0, 9.0, 10.0])
    medoids, group = k_medoids(np.abs(x[:, None] - x), 2, 0.0)
    total = np.abs(x - x[medoids][group]).sum()
    best = min(
        np.minimum(np.abs(x - x[i]), np.abs(x - x[j])).sum() for i in range(7) for j in range(i)
    )
    assert total == pytest.approx(best)


def test_distance_is_that_of_points() -> None:
    """Two samples whose points all lie 5 cm apart are 5 cm apart."""
    points = np.zeros((2, 12))
    points[1, 0::3], points[1, 1::3] = 0.03, 0.04
    assert distances_m(points)[0, 1] == pytest.approx(0.05)


def test_samples_that_cannot_be_grouped() -> None:
    """No sample, and hands with different numbers of samples, are refused."""
    some, fewer = samples_to(np.zeros((3, 3))), samples_to(np.zeros((2, 3)))
    with pytest.raises(ConfigError, match="as many samples of every hand"):
        modes_from_samples({Side.LEFT: some, Side.RIGHT: fewer}, 0.9)
    with pytest.raises(ConfigError, match="at least one"):
        modes_from_samples({}, 0.9)
    with pytest.raises(ConfigError, match="modes is 0"):
        ModesConfig(modes=0)
