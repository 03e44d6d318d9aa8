"""Masks and derivatives of frame sequences."""

from __future__ import annotations

import inspect

import numpy as np
import pytest

from hand4d_ros.errors import MetricError
from hand4d_ros.evaluation.sequences import (
    finite_derivative,
    finite_frames,
    runs,
    same_shape,
    seconds_from_stamps,
    valid_frames,
)


@pytest.mark.parametrize("order", [1, 2, 3])
def test_derivative_of_a_polynomial_is_exact_for_uneven_steps(order: int) -> None:
    """The k-th derivative of t^k is k! whatever the spacing."""
    rng = np.random.default_rng(order)
    time_s = np.cumsum(rng.uniform(0.01, 0.05, size=12))
    points = (time_s**order)[:, None, None] * np.ones((12, 2, 3))
    found = finite_derivative(points, time_s, order)
    assert found.shape == (12 - order, 2, 3)
    np.testing.assert_allclose(found, {1: 1.0, 2: 2.0, 3: 6.0}[order], rtol=1e-6)


def test_equal_steps_give_the_usual_stencils() -> None:
    """[1, -2, 1] and [-1, 3, -3, 1] over powers of dt."""
    points = np.random.default_rng(0).normal(size=(9, 3))
    time_s = 0.1 * np.arange(9)
    second = (points[:-2] - 2 * points[1:-1] + points[2:]) / 0.01
    third = (-points[:-3] + 3 * points[1:-2] - 3 * points[2:-1] + points[3:]) / 0.001
    np.testing.assert_allclose(finite_derivative(points, time_s, 2), second, rtol=1e-9)
    np.testing.assert_allclose(finite_derivative(points, time_s, 3), third, rtol=1e-9)


def test_no_difference_spans_a_missing_frame() -> None:
    """Only complete groups remain, and NaN in a missing frame does not leak."""
    points = np.arange(8.0)[:, None] ** 2
    points[3] = np.nan
    mask = finite_frames(points)
    found = finite_derivative(points, np.arange(8.0), 2, mask)
    np.testing.assert_allclose(found.ravel(), [2.0, 2.0, 2.0])
    assert finite_derivative(points[:2], np.arange(2.0), 3, mask[:2]).shape == (0, 1)


def test_runs_are_half_open() -> None:
    """Stretches of True, including those at both ends."""
    assert runs(np.array([True, True, False, True])) == [(0, 2), (3, 4)]
    assert runs(np.zeros(3, dtype=bool)) == []


def test_seconds_keep_nanoseconds_of_large_stamps() -> None:
    """Epoch stamps are differenced as integers."""
    stamps = np.array([1_700_000_000_000_000_000, 1_700_000_000_000_000_007])
    np.testing.assert_array_equal(seconds_from_stamps(stamps), [0.0, 7e-9])
    assert seconds_from_stamps(np.zeros(0, dtype=np.int64)).shape == (0,)


def test_documented_raises() -> None:
    """NaN in a used frame, no frame left, mixed lengths and shapes, stamps that stand still."""
    points = np.zeros((4, 2, 3))
    points[2] = np.nan
    with pytest.raises(
        MetricError, match="1 used frames hold NaN or infinity, the first is frame 2"
    ):
        valid_frames(None, points)
    assert valid_frames(finite_frames(points), points).sum() == 3
    with pytest.raises(MetricError, match="0 usable frames of 4, at least 1 needed"):
        valid_frames(np.zeros(4, dtype=bool), points)
    with pytest.raises(MetricError, match="must be equally long"):
        inspect.unwrap(valid_frames)(np.ones(3, dtype=bool), points)
    with pytest.raises(MetricError, match="must have one shape"):
        same_shape(points, points[:2])
    with pytest.raises(MetricError, match="frame 2 does not"):
        seconds_from_stamps(np.array([0, 5, 5]))
