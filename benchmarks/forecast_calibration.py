"""Calibrate the spheres of the forecasts on worlds that nothing was fitted to, and check them.

    python -m benchmarks.forecast_calibration --worlds 60 --check 40

The pasts are tracked by the pipeline, as on a robot. Tables go to ``hand4d_ros/assets``; the check
runs on further worlds and prints how often the spheres held the wrist, and how wide they were,
before and after.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import tyro

from hand4d_ros.evaluation.forecasts import Recording
from hand4d_ros.evaluation.suites import forecast
from hand4d_ros.evaluation.suites.base import SuiteOptions
from hand4d_ros.forecasting import calibration
from hand4d_ros.forecasting.base import ForecastConfig, Forecaster
from hand4d_ros.forecasting.registry import KINEMATIC, ForecasterConfig, Method, make_forecaster
from hand4d_ros.shapes import Array, Float
from hand4d_ros.types import HandForecast

FIT_SEED, CHECK_SEED = 2000, 3000
"""Neither those of figures nor that which the baselines' spread was fitted with."""
HORIZON_S = 3.0
SHOWN_S = (0.1, 0.3, 0.5, 1.0, 2.0, 3.0)
Pairs = list[tuple[HandForecast, Float[Array, "n 3"]]]


def pairs_of(recording: Recording, forecaster: Forecaster) -> Pairs:
    """Forecast at every instant; return each forecast with where the wrist then was."""
    found: Pairs = []
    for row in recording.rows:
        for each in forecaster.forecast(recording.past(row)):
            steps = len(each.modes[0].T_world_wrist)
            motion = next((m for m in recording.motions if m.side is each.side), None)
            if motion is None or not motion.there[row]:
                continue
            wrist_m = np.full((steps, 3), np.nan)
            known = motion.T_world_wrist[row + 1 : row + 1 + steps, :3, 3]
            wrist_m[: len(known)] = known
            found.append((each, wrist_m))
    return found


def collected(
    seed: int, worlds: int, forecasters: Mapping[Method, Forecaster]
) -> dict[Method, Pairs]:
    """Return forecasts and truth of many worlds, for every forecaster."""
    pairs: dict[Method, Pairs] = {name: [] for name in forecasters}
    for index, recording in enumerate(forecast.recordings(SuiteOptions(seed, worlds, "normal"))):
        for name, forecaster in forecasters.items():
            pairs[name] += pairs_of(recording, forecaster)
        print(f"world {index + 1} of {worlds}", flush=True)
    return pairs


def report(name: str, pairs: Pairs, config: ForecastConfig) -> None:
    """Print coverage and mean radius at some steps."""
    distance_m = np.stack(
        [
            np.linalg.norm(each.modes[0].T_world_wrist[:, :3, 3] - true, axis=1)
            for each, true in pairs
        ]
    )
    radius_m = np.stack([each.modes[0].radius_m for each, _ in pairs])
    line = f"{name:38s}"
    for time_s in SHOWN_S:
        step = int(np.argmin(np.abs(config.times_s - time_s)))
        known = np.isfinite(distance_m[:, step])
        held = (distance_m[:, step] <= radius_m[:, step])[known].mean()
        line += f" | {time_s:g} s: {held:.3f}, {100 * radius_m[:, step].mean():5.1f} cm"
    print(line)


def main(worlds: int = 60, check: int = 40) -> None:
    """Make the tables, then check them.

    Args:
        worlds: To calibrate on; 0 checks the tables that there are.
        check: Further worlds to check on.
    """
    config = ForecastConfig(horizon_s=HORIZON_S)
    raw: dict[Method, Forecaster] = {
        name: make_forecaster(ForecasterConfig(name, calibrated=False, forecast=config))
        for name in KINEMATIC
    }
    fitted = collected(FIT_SEED, worlds, raw) if worlds else {}
    for name, pairs in fitted.items():
        table = np.stack([calibration.scores(each, true) for each, true in pairs])
        card = {
            "what": f"spheres of the forecaster {name}, pasts tracked by the pipeline",
            "made_with": f"python -m benchmarks.forecast_calibration --worlds {worlds}",
            "seed": FIT_SEED,
            "worlds": worlds,
            "forecasts": len(pairs),
        }
        levels = np.array(calibration.LEVELS)
        ratios = calibration.conformal_quantiles(table, calibration.LEVELS)
        made = calibration.Calibration(config.times_s, levels, ratios, card)
        calibration.save_calibration(calibration.calibration_path(name), made)
    checked = collected(CHECK_SEED, check, raw)
    for coverage in (0.9, 0.95):
        for name, pairs in checked.items():
            table_of = calibration.load_calibration(calibration.calibration_path(name))
            ratio = table_of.ratio(config.times_s, coverage)
            if coverage == config.coverage:
                report(f"{name}, as fitted, {coverage}", pairs, config)
            again = [(calibration.calibrated(e, ratio, coverage), true) for e, true in pairs]
            report(f"{name}, calibrated, {coverage}", again, config)


if __name__ == "__main__":
    tyro.cli(main)
