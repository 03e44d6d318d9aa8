"""Calibrated spheres: they hold what they say, on errors of any distribution."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from bench_samples import moving_hand, stamps

from hand4d_ros.errors import ConfigError
from hand4d_ros.evaluation.motions import tracks_from_motions
from hand4d_ros.forecasting.base import ForecastConfig, Forecaster
from hand4d_ros.forecasting.calibration import (
    LEVELS,
    Calibration,
    calibrated,
    conformal_quantiles,
    deviation_m,
    gaussian_ratio,
    load_calibration,
    save_calibration,
    scores,
)
from hand4d_ros.forecasting.registry import KINEMATIC, ForecasterConfig, Method, make_forecaster
from hand4d_ros.shapes import Array, Float
from hand4d_ros.types import ForecastMode, HandForecast, Side, TrackingState

STEPS = 4
TIMES_S = 0.1 * np.arange(1, STEPS + 1)


def toy(rng: np.random.Generator) -> tuple[HandForecast, Float[Array, "4 3"]]:
    """Return a forecast that thinks itself twice as sure as it is, with heavy tails, and truth."""
    spread_m = rng.uniform(0.02, 0.1) * np.arange(1, STEPS + 1)
    covariance = spread_m[:, None, None] ** 2 * np.eye(3)
    tips = np.zeros((STEPS, 5, 3))
    mode = ForecastMode(1.0, np.tile(np.eye(4), (STEPS, 1, 1)), covariance, tips, spread_m)
    made = HandForecast(0, Side.RIGHT, "right-1", 1.0, 100_000_000, 0.9, (mode,))
    return made, 2.0 * spread_m[:, None] * rng.standard_t(3.0, (STEPS, 3))


@pytest.mark.parametrize("coverage", [0.5, 0.9, 0.95])
def test_the_radius_holds_what_it_says(coverage: float) -> None:
    """On further forecasts of the same kind the share inside is the coverage, at every step."""
    rng = np.random.default_rng(0)
    fitted = [toy(rng) for _ in range(2000)]
    table = np.stack([scores(made, truth) for made, truth in fitted])
    found = Calibration(TIMES_S, np.array(LEVELS), conformal_quantiles(table))
    ratio = found.ratio(TIMES_S, coverage)
    held = []
    for made, truth in (toy(rng) for _ in range(2000)):
        (mode,) = calibrated(made, ratio, coverage).modes
        held.append(np.linalg.norm(truth, axis=1) <= mode.radius_m)
    # Both halves are random: 3.5 deviations of the difference of two shares of 2000.
    slack = 3.5 * np.sqrt(2.0 * coverage * (1.0 - coverage) / 2000)
    assert np.allclose(np.mean(held, axis=0), coverage, atol=slack)


def test_covariance_and_radius_agree() -> None:
    """The sphere of a Gaussian with the scaled covariance is the calibrated one."""
    made, _ = toy(np.random.default_rng(1))
    (mode,) = calibrated(made, np.full(STEPS, 5.0), 0.9).modes
    expected = gaussian_ratio(0.9) * np.sqrt(mode.wrist_covariance_m2[:, 0, 0])
    assert np.allclose(mode.radius_m, expected, rtol=2e-3)


def test_a_gaussian_needs_no_calibration() -> None:
    """Its table is that of the chi distribution, also between the levels that are tabulated."""
    ratios = np.array([[gaussian_ratio(level)] * 2 for level in LEVELS])
    table = Calibration(np.array([0.1, 0.2]), np.array(LEVELS), ratios)
    for coverage in (0.5, 0.6, 0.87, 0.97, 0.99):
        assert table.ratio(np.array([0.15]), coverage) == pytest.approx(gaussian_ratio(coverage))
    inside = np.linalg.norm(np.random.default_rng(0).normal(size=(40_000, 3)), axis=1)
    assert np.mean(inside <= gaussian_ratio(0.9)) == pytest.approx(0.9, abs=0.006)


def test_the_quantile_is_conformal() -> None:
    """Of nine scores, the ninth is the 0.9 quantile; for more there are too few."""
    nine = np.arange(9.0)[::-1, None].copy()
    assert conformal_quantiles(nine, (0.9,)) == pytest.approx(8.0)
    assert conformal_quantiles(np.append(nine, [[np.nan]], axis=0), (0.5,)) == pytest.approx(4.0)
    with pytest.raises(ConfigError, match="9 forecasts of step 0 are too few"):
        conformal_quantiles(nine, (0.95,))


def test_the_nearest_mode_counts() -> None:
    """The score of several modes is that of the one that the truth is nearest to, in deviations."""
    made, _ = toy(np.random.default_rng(2))
    (mode,) = made.modes
    away = mode.T_world_wrist.copy()
    away[:, :3, 3] += 1.0
    both = replace(made, modes=(mode, replace(mode, T_world_wrist=away)))
    truth = np.full((STEPS, 3), 0.9)
    expected = np.linalg.norm(np.full(3, 0.1)) / deviation_m(mode.wrist_covariance_m2)
    assert scores(both, truth) == pytest.approx(expected)


def test_outside_of_the_table() -> None:
    """A horizon or a coverage that nothing is known of is refused."""
    ratios = np.ones((len(LEVELS), STEPS))
    table = Calibration(TIMES_S, np.array(LEVELS), ratios)
    with pytest.raises(ConfigError, match=r"horizon is 0\.5 s, but the calibration ends at 0\.4"):
        table.ratio(np.array([0.5]), 0.9)
    with pytest.raises(ConfigError, match=r"coverage is 0\.999, but the calibration holds 0\.5"):
        table.ratio(TIMES_S, 0.999)


def test_round_trip(tmp_path: Path) -> None:
    """A table is read as it was written; anything else is refused."""
    ratios = np.linspace(1.0, 2.0, len(LEVELS) * STEPS).reshape(len(LEVELS), STEPS)
    path = tmp_path / "table.json"
    save_calibration(path, Calibration(TIMES_S, np.array(LEVELS), ratios, {"worlds": 3}))
    found = load_calibration(path)
    assert np.allclose(found.ratios, ratios, atol=1e-4)
    assert found.card == {"worlds": 3}
    for text in ("{", '{"format": 7}', '{"format": 1, "times_s": [], "levels": [1], "ratios": []}'):
        path.write_text(text)
        with pytest.raises(ConfigError, match=r"table\.json"):
            load_calibration(path)


@pytest.mark.parametrize("method", KINEMATIC)
def test_shipped_tables(method: Method) -> None:
    """Every forecaster is made by its name and calibrated; hands that are lost have no future."""
    motion = moving_hand(frames=12)
    tracks = tracks_from_motions(stamps(12), (motion,))
    config = ForecasterConfig(method, forecast=ForecastConfig(horizon_s=0.6, coverage=0.8))
    forecaster = make_forecaster(config)
    assert isinstance(forecaster, Forecaster)
    assert forecaster.model_id.endswith("+conformal")
    (found,) = forecaster.forecast(tracks)
    raw = make_forecaster(replace(config, calibrated=False)).forecast(tracks)[0].modes[0]
    (mode,) = found.modes
    assert (found.coverage, len(mode.radius_m)) == (0.8, 18)
    assert np.array_equal(mode.T_world_wrist, raw.T_world_wrist)
    assert not np.allclose(mode.radius_m, raw.radius_m)
    lost = tuple(replace(t, tracking_state=TrackingState.LOST) for t in tracks[-1])
    assert forecaster.forecast([*tracks[:-1], lost]) == []


def test_too_long_a_horizon_names_the_way_out() -> None:
    """A forecaster cannot be calibrated beyond its table, but go without."""
    far = ForecasterConfig(forecast=ForecastConfig(horizon_s=9.0))
    with pytest.raises(ConfigError, match="set calibrated to false"):
        make_forecaster(far)
    assert make_forecaster(replace(far, calibrated=False)).model_id == "kinematic-1"
