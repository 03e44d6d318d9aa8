"""Stated uncertainties that are true, too small and too large."""

from __future__ import annotations

import inspect

import numpy as np
import pytest

from hand4d_ros.errors import MetricError
from hand4d_ros.evaluation import metrics_uncertainty as uncertainty

RNG = np.random.default_rng(21)
TRUTH = RNG.normal(size=(400, 21, 3))
STD = RNG.uniform(0.005, 0.02, size=(400, 21))
ESTIMATE = TRUTH + STD[..., None] * RNG.normal(size=TRUTH.shape)


def test_chi_square_against_published_values() -> None:
    """The table of every textbook: 6.251 for 90% of 3 degrees of freedom, 4.605 for 2."""
    assert uncertainty.chi_square_quantile(0.9) == pytest.approx(6.251, abs=5e-4)
    assert uncertainty.chi_square_quantile(0.9, dof=2) == pytest.approx(4.605, abs=5e-4)
    within = uncertainty.chi_square_probability(np.array([1.0, 4.0, 9.0]))
    np.testing.assert_allclose(within, [0.1987, 0.7385, 0.9707], atol=5e-5)
    there = np.array([uncertainty.chi_square_quantile(0.37)])
    assert uncertainty.chi_square_probability(there)[0] == pytest.approx(0.37)


def test_true_deviations_are_calibrated() -> None:
    """Coverages are what they claim and the calibration error is that of 8400 draws."""
    for level in (0.5, 0.9):
        share = uncertainty.keypoint_coverage(TRUTH, ESTIMATE, STD, level=level)
        assert share == pytest.approx(level, abs=0.015)
    assert uncertainty.calibration_error(TRUTH, ESTIMATE, STD) < 0.01


def test_wrong_deviations_are_found() -> None:
    """Too small: nothing is inside; too large: everything is; both cost one half at the limit."""
    for factor, share in ((1e-3, 0.0), (1e3, 1.0)):
        std = STD * factor
        assert uncertainty.keypoint_coverage(TRUTH, ESTIMATE, std, level=0.9) == pytest.approx(
            share, abs=1e-3
        )
        assert uncertainty.calibration_error(TRUTH, ESTIMATE, std) == pytest.approx(0.5, abs=1e-3)


def test_scaling_errors_and_deviations_together_changes_nothing() -> None:
    """Calibration has no unit."""
    larger = TRUTH + 3.0 * (ESTIMATE - TRUTH)
    assert uncertainty.calibration_error(TRUTH, larger, 3.0 * STD) == pytest.approx(
        uncertainty.calibration_error(TRUTH, ESTIMATE, STD)
    )


def test_calibration_error_is_the_integral() -> None:
    """The closed form against 20000 levels."""
    inside = uncertainty.credibility(TRUTH, ESTIMATE, 1.3 * STD).ravel()
    levels = (np.arange(20000) + 0.5) / 20000
    share = np.searchsorted(np.sort(inside), levels, side="right") / len(inside)
    expected = float(np.mean(np.abs(share - levels)))
    found = uncertainty.calibration_error(TRUTH, ESTIMATE, 1.3 * STD)
    assert found == pytest.approx(expected, abs=1e-5)


def test_sphere_coverage_by_hand() -> None:
    """A step counts where any sphere holds the wrist; its surface belongs to it."""
    truth = np.zeros((4, 3))
    modes = np.zeros((2, 4, 3))
    modes[0, :, 0] = [0.01, 0.02, 0.03, 0.04]
    modes[1, :, 1] = 0.03
    radius = np.stack([np.full(4, 0.02), np.array([0.0, 0.0, 0.0, 0.03])])
    assert uncertainty.sphere_coverage(truth, modes, radius) == pytest.approx(3 / 4)
    assert uncertainty.sphere_coverage(truth, modes[:1], radius[:1]) == pytest.approx(0.5)
    mask = np.array([True, True, True, False])
    assert uncertainty.sphere_coverage(truth, modes, radius, mask) == pytest.approx(2 / 3)


def test_gaussian_spheres_cover_what_they_claim() -> None:
    """Radii from the quantile of 90% hold 90% of the draws."""
    truth = np.zeros((4000, 3))
    modes = 0.02 * RNG.normal(size=(1, 4000, 3))
    radius = np.full((1, 4000), 0.02 * np.sqrt(uncertainty.chi_square_quantile(0.9)))
    assert uncertainty.sphere_coverage(truth, modes, radius) == pytest.approx(0.9, abs=0.02)


def test_radius_is_expected_over_modes() -> None:
    """1 cm with 0.75 and 5 cm with 0.25 are 2 cm."""
    radius = np.array([[0.01, 0.01], [0.05, 0.05]])
    assert uncertainty.sphere_radius_cm(radius, np.array([0.75, 0.25])) == pytest.approx(2.0)


def test_documented_raises() -> None:
    """Deviations of zero, negative radii, probabilities of one, mixed shapes, NaN."""
    with pytest.raises(MetricError, match="not positive"):
        uncertainty.calibration_error(TRUTH, ESTIMATE, np.zeros_like(STD))
    with pytest.raises(MetricError, match="NaN"):
        uncertainty.keypoint_coverage(TRUTH, np.full_like(TRUTH, np.nan), STD, level=0.9)
    with pytest.raises(MetricError, match="between 0 and 1, got 1"):
        uncertainty.chi_square_quantile(1.0)
    truth, modes = np.zeros((4, 3)), np.zeros((2, 4, 3))
    with pytest.raises(MetricError, match="radius is negative"):
        uncertainty.sphere_coverage(truth, modes, np.full((2, 4), -1.0))
    with pytest.raises(MetricError, match="k at least 1"):
        inspect.unwrap(uncertainty.sphere_coverage)(truth, modes, np.zeros((1, 4)))
    with pytest.raises(MetricError, match="NaN"):
        uncertainty.sphere_radius_cm(np.full((1, 2), np.nan), np.ones(1))
