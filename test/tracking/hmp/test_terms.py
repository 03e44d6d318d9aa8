"""HMP's terms on cases worked out by hand, and their derivatives against differences."""

from __future__ import annotations

import numpy as np
import torch

from hand4d_ros.geometry import so3
from hand4d_ros.shapes import Array, Float
from hand4d_ros.tracking.hmp import terms
from hand4d_ros.tracking.hmp.process import tempered
from hand4d_ros.tracking.priors.none import NoPrior

RNG = np.random.default_rng(3)
TIMES_S = np.cumsum(RNG.uniform(0.02, 0.05, 6))
R = so3.exp(0.4 * RNG.normal(size=(6, 3)))
_STEP = 1e-6


def _turned(frame: int, axis: int, sign: float) -> Float[Array, "6 3 3"]:
    step = np.zeros((6, 3))
    step[frame, axis] = sign * _STEP
    return so3.exp(step) @ R


def test_turn_away_is_the_geodesic_distance() -> None:
    """Equation 3, and its derivative by a turn from the left."""
    first = so3.exp(0.3 * RNG.normal(size=(6, 3)))
    off, slope = terms.turn_away(R, first)
    np.testing.assert_allclose(np.linalg.norm(off, axis=1), so3.angle_between(R, first))
    for axis in range(3):
        ahead, behind = (terms.turn_away(_turned(2, axis, s), first)[0] for s in (1.0, -1.0))
        wanted = (ahead - behind)[2] / (2.0 * _STEP)
        np.testing.assert_allclose(slope[2, :, axis], wanted, atol=1e-7)


def test_spin_of_a_steady_turn_is_its_rate() -> None:
    """For uneven frames; its change is zero."""
    steady = so3.exp(TIMES_S[:, None] * [[0.3, -0.2, 0.9]]) @ so3.exp(np.array([0.5, 0.1, -2.0]))
    velocity, slope = terms.spin(steady, TIMES_S)
    np.testing.assert_allclose(velocity, np.tile([0.3, -0.2, 0.9], (5, 1)), atol=1e-9)
    change, _ = terms.spin_change(velocity, slope, TIMES_S)
    np.testing.assert_allclose(change, 0.0, atol=1e-7)


def test_spin_does_not_ask_where_it_started() -> None:
    """Turning the whole motion from the right changes nothing."""
    turned = R @ so3.exp(np.array([0.3, 1.0, -0.4]))
    np.testing.assert_allclose(terms.spin(turned, TIMES_S)[0], terms.spin(R, TIMES_S)[0])


def test_slopes_of_spin_and_its_change() -> None:
    """Against central differences, for every frame that a row looks at."""
    velocity, slope = terms.spin(R, TIMES_S)
    _, wide = terms.spin_change(velocity, slope, TIMES_S)
    for frame in range(6):
        for axis in range(3):
            both = [terms.spin(_turned(frame, axis, s), TIMES_S) for s in (1.0, -1.0)]
            wanted = (both[0][0] - both[1][0]) / (2.0 * _STEP)
            for row in {frame - 1, frame} & set(range(5)):
                found = slope[row, :, frame - row, axis]
                np.testing.assert_allclose(found, wanted[row], rtol=1e-5, atol=1e-4)
            bent = [terms.spin_change(v, s, TIMES_S)[0] for v, s in both]
            wanted = (bent[0] - bent[1]) / (2.0 * _STEP)
            for row in {frame - 2, frame - 1, frame} & set(range(4)):
                found = wide[row, :, frame - row, axis]
                np.testing.assert_allclose(found, wanted[row], rtol=1e-4, atol=5e-3)


def test_left_jacobian_is_that_of_the_exponential() -> None:
    """Also near zero."""
    for rotvec in (np.array([0.4, -1.0, 0.3]), np.array([1e-5, 0.0, 0.0])):
        J = terms.left_jacobian(rotvec)
        for axis in range(3):
            step = _STEP * np.eye(3)[axis]
            found = so3.log(so3.exp(rotvec + step) @ so3.exp(rotvec).T) / _STEP
            np.testing.assert_allclose(J[:, axis], found, atol=1e-5)


def test_likelihood_of_the_latent_is_a_normal_distribution() -> None:
    """Equation 9 up to its constant."""
    mean, std = RNG.normal(size=4), np.array([0.5, 1.0, 2.0, 0.1])
    at_mean = terms.given_estimate(mean, mean, std)
    assert at_mean.energy == 0.0
    np.testing.assert_allclose(at_mean.gradient, 0.0)
    off = terms.given_estimate(mean + 2.0 * std, mean, std)
    np.testing.assert_allclose(off.energy, 8.0)
    np.testing.assert_allclose(off.gradient, 2.0 / std)


def test_own_density_has_the_gradient_and_curvature_of_the_energy() -> None:
    """For a quadratic energy the three say the same."""
    prior = NoPrior()
    latent = 0.2 * RNG.normal(size=prior.latent_size)
    term = terms.own_density(prior, latent)
    wanted = float(prior.energy(torch.as_tensor(latent).float()[None])[0])
    np.testing.assert_allclose(term.energy, wanted, rtol=1e-5)
    np.testing.assert_allclose(0.5 * latent @ term.curvature @ latent, wanted, rtol=1e-4)
    np.testing.assert_allclose(term.curvature @ latent, term.gradient, atol=1e-3)


def test_tempering_goes_from_the_standard_normal_to_the_whole_evidence() -> None:
    """Where nothing was learned, nothing is believed at any weight."""
    mean, std = np.array([1.0, -2.0, 0.0]), np.array([0.1, 0.5, 1.0])
    whole, none = tempered(mean, std, 1.0), tempered(mean, std, 0.0)
    assert whole.std is not None
    assert none.std is not None
    np.testing.assert_allclose(whole.mean, mean)
    np.testing.assert_allclose(whole.std, std)
    np.testing.assert_allclose(none.mean, 0.0)
    np.testing.assert_allclose(none.std, 1.0)
    half = tempered(mean, std, 0.5)
    assert half.std is not None
    np.testing.assert_allclose(half.std[2], 1.0)
    assert 0.1 < half.std[0] < 1.0
    np.testing.assert_allclose(half.start, mean)
