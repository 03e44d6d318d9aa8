"""Fit how fast the uncertainty of the kinematic forecasts grows.

The radius that holds the wrist with probability 0.9 is a quantile, so the three numbers of
``KinematicConfig`` that set it minimise the quantile loss (Koenker and Bassett, Econometrica 1978)
over the forecasts of worlds whose seeds no benchmark uses. Half of the pasts are tracked, half
are the truth.

``python -m benchmarks.forecast_spread --clips 8``
"""

from __future__ import annotations

import argparse
from dataclasses import dataclass, replace

import numpy as np
from scipy.optimize import minimize

from hand4d_ros.evaluation.forecasts import Recording
from hand4d_ros.evaluation.suites import forecast
from hand4d_ros.evaluation.suites.base import SuiteOptions
from hand4d_ros.forecasting import baselines
from hand4d_ros.forecasting.baselines import KinematicConfig, KinematicForecaster
from hand4d_ros.shapes import Array, Float
from hand4d_ros.types import TrackingState

SEED = 1000
"""Far from those that figures are quoted for."""
QUANTILE = 0.9
METHODS = {
    "STATIC": baselines.STATIC,
    "CONSTANT_VELOCITY": baselines.CONSTANT_VELOCITY,
    "CONSTANT_ACCELERATION": baselines.CONSTANT_ACCELERATION,
}


@dataclass(frozen=True)
class Errors:
    """What one forecaster got wrong."""

    distance_m: Float[Array, "n t"]
    """Of the true wrist from the forecast one; NaN where the truth ended."""
    speed_m_s: Float[Array, "n"]
    covariance_m2: Float[Array, "n 3 3"]
    """Of the wrist now."""


def errors(recordings: list[Recording], config: KinematicConfig) -> Errors:
    """Forecast at every instant and measure."""
    forecaster = KinematicForecaster(config)
    distances, speeds, covariances = [], [], []
    for recording in recordings:
        for row in recording.rows:
            past = recording.past(row)
            tracks = {t.hand.side: t for t in past[-1] if t.tracking_state != TrackingState.LOST}
            for found in forecaster.forecast(past):
                track, (mode,) = tracks[found.side], found.modes
                motion = next(m for m in recording.motions if m.side is found.side)
                true = motion.T_world_wrist[row + 1 : row + 1 + len(mode.T_world_wrist), :3, 3]
                away = np.full(len(mode.T_world_wrist), np.nan)
                away[: len(true)] = np.linalg.norm(
                    mode.T_world_wrist[: len(true), :3, 3] - true, axis=-1
                )
                seen = baselines.observations(past, track, config.window_s)
                fitted = baselines.fitted_motion(track, seen, config.order)
                distances.append(away)
                speeds.append(float(np.linalg.norm(fitted[0, :3])))
                covariances.append(track.hand.wrist_covariance[:3, :3])
    return Errors(np.stack(distances), np.array(speeds), np.stack(covariances))


def radius_m(found: Errors, config: KinematicConfig) -> Float[Array, "n t"]:
    """Radii that a config states for these forecasts."""
    t_s = config.forecast.times_s
    grown_s = config.spread_time_s * -np.expm1(-t_s / config.spread_time_s)
    rate_m_s = config.spread_m_s + config.spread_of_speed * found.speed_m_s
    variance = (rate_m_s[:, None] * grown_s) ** 2
    covariance = found.covariance_m2[:, None] + variance[..., None, None] * np.eye(3)
    flat = baselines.sphere_radius_m(covariance.reshape(-1, 3, 3), QUANTILE)
    return flat.reshape(variance.shape)


def fitted_config(found: Errors, start: KinematicConfig) -> KinematicConfig:
    """Return the config whose radii have the least quantile loss."""
    known = np.isfinite(found.distance_m)

    def config_of(logs: Float[Array, "3"]) -> KinematicConfig:
        spread, share, time = np.exp(logs).tolist()
        return replace(
            start,
            spread_m_s=min(spread, 10.0),
            spread_of_speed=min(share, 10.0),
            spread_time_s=float(np.clip(time, 0.02, 60.0)),
        )

    def loss(logs: Float[Array, "3"]) -> float:
        miss = (found.distance_m - radius_m(found, config_of(logs)))[known]
        return float(np.mean(np.maximum(QUANTILE * miss, (QUANTILE - 1.0) * miss)))

    first = np.log([start.spread_m_s, start.spread_of_speed, start.spread_time_s])
    best = minimize(loss, first, method="Nelder-Mead", options={"maxiter": 250, "xatol": 1e-3})
    return config_of(best.x)


def main() -> None:
    """Fit and print the three numbers of every forecaster, and what they hold."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--clips", type=int, default=8)
    clips = parser.parse_args().clips
    recordings = [
        recording
        for difficulty in ("easy", "normal")
        for recording in forecast.recordings(SuiteOptions(SEED, clips, difficulty))
    ]
    for name, start in METHODS.items():
        found = errors(recordings, start)
        config = fitted_config(found, start)
        print(
            f"{name}: spread_m_s={config.spread_m_s:.3f}, "
            f"spread_of_speed={config.spread_of_speed:.3f}, "
            f"spread_time_s={config.spread_time_s:.3f}, {len(found.speed_m_s)} forecasts"
        )
        for used in (start, config):
            inside = found.distance_m <= radius_m(found, used)
            shares = [
                inside[:, i][np.isfinite(found.distance_m[:, i])].mean() for i in (2, 8, 29, 59)
            ]
            held = ", ".join(f"{share:.2f}" for share in shares)
            print(f"  holds {held} at 0.1, 0.3, 1 and 2 s")


if __name__ == "__main__":
    main()
