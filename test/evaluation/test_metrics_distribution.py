"""Spread and distance of sets of motions, on sets whose answer is known."""

from __future__ import annotations

import inspect

import numpy as np
import pytest

from hand4d_ros.errors import MetricError
from hand4d_ros.evaluation import metrics_distribution as spread
from hand4d_ros.geometry import so3

RNG = np.random.default_rng(12)


def test_diversity_by_hand() -> None:
    """A 3-4-5 triangle has a mean side of 4; copies of one motion have none."""
    corners = np.array([[0.0, 0.0], [3.0, 0.0], [0.0, 4.0]])
    assert spread.diversity(corners) == pytest.approx(4.0)
    assert spread.diversity(2.0 * corners[[2, 0, 1]] + 7.0) == pytest.approx(8.0)
    assert spread.diversity(np.ones((5, 3))) == 0.0


def test_diversity_of_a_gaussian_and_in_blocks() -> None:
    """Two draws of N(0, 1) are 2 / sqrt(pi) apart; more rows than a block agree with one block."""
    draws = RNG.normal(size=(700, 1))
    assert spread.diversity(draws) == pytest.approx(2 / np.sqrt(np.pi), rel=0.05)
    every = np.abs(draws - draws.T)
    assert spread.diversity(draws) == pytest.approx(every.sum() / (700 * 699))


def test_multimodality_ignores_the_distance_between_inputs() -> None:
    """Samples 2 apart in each of two inputs that are far from each other."""
    samples = np.array([[[0.0], [2.0]], [[1000.0], [1002.0]]])
    assert spread.multimodality(samples) == pytest.approx(2.0)


def test_frechet_distance_of_gaussians_by_hand() -> None:
    """Sets whose sample moments are exact: the closed form for diagonal covariances."""
    square = np.array([[1.0, 1.0], [1.0, -1.0], [-1.0, 1.0], [-1.0, -1.0]])
    variance = 4.0 / 3.0
    wide = square * np.array([3.0, 1.0]) + np.array([2.0, 0.0])
    expected = 2.0**2 + (np.sqrt(9 * variance) - np.sqrt(variance)) ** 2
    assert spread.frechet_pose(square, wide) == pytest.approx(expected)


def test_frechet_distance_is_symmetric_zero_on_itself_and_turns_along() -> None:
    """A metric's axioms that hold for it, also with fewer samples than dimensions."""
    one, other = RNG.normal(size=(200, 6)), 1.5 * RNG.normal(size=(150, 6)) + 0.3
    distance = spread.frechet_pose(one, other)
    assert spread.frechet_pose(other, one) == pytest.approx(distance)
    assert spread.frechet_pose(one, one) == pytest.approx(0.0, abs=1e-9)
    turn = np.linalg.qr(RNG.normal(size=(6, 6)))[0]
    assert spread.frechet_pose(one @ turn, other @ turn) == pytest.approx(distance)
    few = RNG.normal(size=(4, 30))
    assert spread.frechet_pose(few, few + 1.0) == pytest.approx(30.0)


def test_pose_embedding_ignores_place_orientation_and_size() -> None:
    """A similarity of the hand leaves it alone, a bent finger does not."""
    hand = 0.05 * RNG.normal(size=(4, 21, 3))
    rotation = so3.exp(RNG.normal(size=(4, 3)))
    moved = 1.8 * hand @ np.swapaxes(rotation, 1, 2) + RNG.normal(size=(4, 1, 3))
    np.testing.assert_allclose(spread.pose_embedding(moved), spread.pose_embedding(hand), atol=1e-9)
    bent = hand.copy()
    bent[:, 8] += 0.01
    assert np.abs(spread.pose_embedding(bent) - spread.pose_embedding(hand)).max() > 0.05
    middle = spread.pose_embedding(hand).reshape(4, 20, 3)[:, 8]
    np.testing.assert_allclose(middle, np.array([[0.0, 1.0, 0.0]] * 4), atol=1e-12)


def test_bimanual_embedding_sees_the_hands_relative_pose() -> None:
    """Both hands together may move and scale; one of them may not."""
    left, right = 0.05 * RNG.normal(size=(2, 4, 21, 3))
    rotation = so3.exp(np.array([0.5, -0.2, 1.0]))

    def moved(points: np.ndarray) -> np.ndarray:
        return np.asarray(1.4 * points @ rotation.T + 0.7)

    plain = spread.bimanual_embedding(left, right)
    np.testing.assert_allclose(
        spread.bimanual_embedding(moved(left), moved(right)), plain, atol=1e-9
    )
    assert np.abs(spread.bimanual_embedding(left, moved(right)) - plain).max() > 0.1
    np.testing.assert_allclose(plain[:, :60], spread.pose_embedding(left))


def test_motion_embedding_has_99_numbers_a_hand_and_frame() -> None:
    """The flat hand at the origin is the identity's two rows; a full turn changes nothing."""
    pose, wrist = np.zeros((5, 7, 2, 48)), np.zeros((5, 7, 2, 3))
    embedded = spread.motion_embedding(pose, wrist)
    assert embedded.shape == (5, 99 * 7 * 2)
    np.testing.assert_allclose(embedded[0, :6], [1, 0, 0, 0, 1, 0])
    turned = pose.copy()
    turned[..., 0] = 2 * np.pi
    np.testing.assert_allclose(spread.motion_embedding(turned, wrist), embedded, atol=1e-12)
    shifted = spread.motion_embedding(pose[0], wrist[0] + np.array([0.3, 0.0, 0.4]))
    assert np.linalg.norm(shifted - embedded[0]) == pytest.approx(0.5 * np.sqrt(14))


def test_documented_raises() -> None:
    """Sets that are too small, not finite or of other dimensions; a palm without size."""
    with pytest.raises(MetricError, match="at least two finite motions"):
        spread.diversity(np.zeros((1, 3)))
    with pytest.raises(MetricError, match="at least two finite motions"):
        spread.multimodality(np.full((2, 3, 4), np.nan))
    with pytest.raises(MetricError, match="no input given"):
        spread.multimodality(np.zeros((0, 3, 4)))
    with pytest.raises(MetricError, match="with one d"):
        inspect.unwrap(spread.frechet_pose)(np.zeros((4, 3)), np.zeros((4, 2)))
    with pytest.raises(MetricError, match="NaN or infinity"):
        spread.frechet_pose(np.zeros((4, 3)), np.full((4, 3), np.inf))
    with pytest.raises(MetricError, match="palm has no size"):
        spread.pose_embedding(np.zeros((2, 21, 3)))
