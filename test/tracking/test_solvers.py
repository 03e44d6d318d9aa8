"""Solvers: the bordered band against dense algebra, and all three on one problem."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pytest

from hand4d_ros.errors import ConfigError
from hand4d_ros.shapes import Array, Float
from hand4d_ros.tracking.solvers import banded, gauss_newton, reference
from hand4d_ros.tracking.solvers.normal_equations import NormalEquations


def system(frames: int = 7, block: int = 4, border: int = 3, reach: int = 3) -> NormalEquations:
    """Random residuals of every width, so that the matrix is positive definite."""
    rng = np.random.default_rng(5)
    into = NormalEquations(frames, block, border, reach)
    for width in range(1, reach + 2):
        rows = np.arange(frames - width + 1)
        shape = (len(rows), 6, width, block)
        shared = rng.normal(size=(len(rows), 6, border))
        residual = rng.normal(size=(len(rows), 6))
        into.add(
            rows, slice(0, block), residual, rng.normal(size=shape), (slice(0, border), shared)
        )
    into.add_shared(slice(0, border), rng.normal(size=border), np.eye(border))
    return into


@pytest.mark.parametrize("frames", [4, 7, 12])
def test_bordered_factor_solves_what_the_dense_matrix_does(frames: int) -> None:
    """Frames and shared unknowns, with damping."""
    at = system(frames)
    matrix, gradient = at.dense()
    np.testing.assert_allclose(matrix, matrix.T)
    factor = banded.factorised(at, np.full((frames, 4), 0.5), np.full(3, 0.5))
    step, shared = factor.solve(at.gradient, at.border_gradient)
    expected = np.linalg.solve(matrix + 0.5 * np.eye(len(matrix)), gradient)
    np.testing.assert_allclose(np.append(step.ravel(), shared), expected, atol=1e-9)


@pytest.mark.parametrize("frames", [4, 7, 12])
def test_covariances_are_the_blocks_of_the_inverse(frames: int) -> None:
    """Of each frame and of the shared unknowns."""
    at = system(frames)
    inverse = np.linalg.inv(at.dense()[0])
    factor = banded.factorised(at, np.zeros((frames, 4)), np.zeros(3))
    found = banded.frame_covariances(at, factor)
    for row in range(frames):
        own = slice(4 * row, 4 * row + 4)
        np.testing.assert_allclose(found[row], inverse[own, own], atol=1e-9)
    np.testing.assert_allclose(factor.border_covariance(), inverse[-3:, -3:], atol=1e-9)


def test_an_indefinite_matrix_is_refused() -> None:
    """Without residuals there is nothing to factor."""
    at = NormalEquations(4, 2, 0, 1)
    with pytest.raises(banded.LinAlgError):
        banded.factorised(at, np.zeros((4, 2)), np.zeros(0))


@dataclass(frozen=True)
class Curve:
    """Noisy samples of a smooth curve with a shared offset and a nonlinear amplitude."""

    data: Float[Array, "n"]

    def linearise(self, x: tuple[Array, Array]) -> NormalEquations:
        """Data, smoothness, and a prior on the offset."""
        values, shared = x
        n = len(values)
        into = NormalEquations(n, 1, 1, 2)
        wave = np.exp(0.3 * values[:, 0])
        residual = (wave + shared[0] - self.data)[:, None]
        slope = (0.3 * wave)[:, None, None, None]
        each = (slice(0, 1), np.ones((n, 1, 1)))
        into.add(np.arange(n), slice(0, 1), residual, slope, each)
        bend = values[2:] - 2.0 * values[1:-1] + values[:-2]
        window = np.tile(np.array([1.0, -2.0, 1.0]).reshape(1, 1, 3, 1), (n - 2, 1, 1, 1))
        into.add(np.arange(n - 2), slice(0, 1), 5.0 * bend, 5.0 * window)
        into.add_shared(slice(0, 1), 3.0 * shared, 3.0 * np.eye(1))
        return into

    def energy(self, x: tuple[Array, Array]) -> float:
        """Half the sum of squares."""
        return self.linearise(x).energy

    def stepped(self, x: tuple[Array, Array], frames: Array, border: Array) -> tuple[Array, Array]:
        """Add."""
        return x[0] + frames, x[1] + border

    def pulled_back(self, step: Array, gradient: Array) -> Array:
        """Steps add up, so nothing changes."""
        del step
        return gradient


def test_all_solvers_find_the_same_minimum_and_ours_in_the_fewest_steps() -> None:
    """Levenberg-Marquardt, L-BFGS and, given longer, Adam."""
    t = np.linspace(0.0, 3.0, 25)
    problem = Curve(1.5 + np.sin(t) + 0.1 * np.random.default_rng(1).normal(size=25))
    start = (np.zeros((25, 1)), np.zeros(1))
    config = gauss_newton.GaussNewtonConfig(tolerance=1e-10)
    x, at, ours = gauss_newton.solve(problem, start, config)
    assert ours.converged
    assert all(b < a for a, b in zip(ours.energies, ours.energies[1:], strict=False))
    assert np.abs(at.gradient).max() < 1e-4
    y, lbfgs = reference.minimise(problem, start, "lbfgs", iterations=20)
    _, adam = reference.minimise(problem, start, "adam", iterations=1500)
    assert lbfgs.energies[-1] == pytest.approx(ours.energies[-1], rel=1e-4)
    assert adam.energies[-1] == pytest.approx(ours.energies[-1], rel=1e-2)
    assert ours.evaluations < lbfgs.evaluations < adam.evaluations
    np.testing.assert_allclose(x[0], y[0], atol=0.05)


def test_config_rejects_no_iterations() -> None:
    """A solver that may not step is a mistake."""
    with pytest.raises(ConfigError, match="iterations"):
        gauss_newton.GaussNewtonConfig(iterations=0)


def test_covariances_stay_positive_over_a_long_chain_of_jerks() -> None:
    """Third differences extrapolate, so what is not symmetric in the recursion would grow."""
    frames = 150
    at = NormalEquations(frames, 2, 1, 3)
    rows = np.arange(frames - 3)
    window = np.zeros((len(rows), 2, 4, 2))
    for unknown in range(2):
        window[:, unknown, :, unknown] = [-1.0, 3.0, -3.0, 1.0]
    at.add(rows, slice(0, 2), np.zeros((len(rows), 2)), 100.0 * window)
    mixed = np.tile(np.array([[1.0, 0.4], [0.0, 0.7]])[:, None], (frames, 1, 1, 1))
    each = (slice(0, 1), np.ones((frames, 2, 1)))
    at.add(np.arange(frames), slice(0, 2), np.zeros((frames, 2)), mixed, each)
    at.add_shared(slice(0, 1), np.zeros(1), np.eye(1))
    found = banded.frame_covariances(at, banded.factorised(at, np.zeros((frames, 2)), np.zeros(1)))
    inverse = np.linalg.inv(at.dense()[0])
    expected = np.stack([inverse[2 * t : 2 * t + 2, 2 * t : 2 * t + 2] for t in range(frames)])
    np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-9)
