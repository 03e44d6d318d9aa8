"""How large a forecast's spheres must be to hold the wrist: split conformal calibration.

A forecaster states a covariance at every step, whose root mean over the axes is its deviation. On
worlds that nothing was fitted to, the distance of the true wrist from the nearest mode is measured
in deviations of that mode, and the sphere of a coverage is as many deviations wide as the conformal
quantile of these scores says (Papadopoulos et al., ECML 2002; Lei et al., JASA 2018). A hand of
another kind of motion than those worlds' is held less often, or more.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np

import hand4d_ros
from hand4d_ros.errors import ConfigError
from hand4d_ros.forecasting.base import ForecastConfig, Forecaster
from hand4d_ros.shapes import Array, Float
from hand4d_ros.types import Frame, HandForecast, HandTrack

LEVELS = (0.5, 0.8, 0.9, 0.95, 0.99)
"""Coverages that are tabulated; others between them are interpolated."""
FORMAT = 1
_LEAST_DEVIATION_M = 1e-3
"""Added in squares, so that samples which happen to agree are not taken for certainty."""


@dataclass(frozen=True)
class Calibration:
    """Table of one forecaster."""

    times_s: Float[Array, "n"]
    """Steps after the last image (s), rising."""
    levels: Float[Array, "l"]
    """Coverages, rising."""
    ratios: Float[Array, "l n"]
    """Radius over deviation, for each coverage and step."""
    card: Mapping[str, Any] = field(default_factory=dict)
    """What it was made from."""

    def ratio(self, times_s: Float[Array, "n"], coverage: float) -> Float[Array, "n"]:
        """Radius over deviation at steps of any spacing.

        Between two coverages it is interpolated over the quantiles of a Gaussian, which makes the
        table of a Gaussian exact; before the first step it is that of the first step.

        Args:
            times_s: Times after the last image (s).
            coverage: Probability that a sphere is to hold the wrist with.

        Raises:
            ConfigError: A time or the coverage is outside of the table.
        """
        if times_s.max() > self.times_s[-1] + 1e-6:
            msg = (
                f"the horizon is {times_s.max():.3g} s, but the calibration ends at "
                f"{self.times_s[-1]:.3g} s; shorten horizon_s or set calibrated to false"
            )
            raise ConfigError(msg)
        low, high = float(self.levels[0]), float(self.levels[-1])
        if not low <= coverage <= high:
            msg = (
                f"coverage is {coverage}, but the calibration holds {low:g} to {high:g}; "
                "give one between them or set calibrated to false"
            )
            raise ConfigError(msg)
        marks = [gaussian_ratio(float(level)) for level in self.levels]
        wanted = gaussian_ratio(coverage)
        at_coverage = [np.interp(wanted, marks, column) for column in self.ratios.T]
        return np.interp(times_s, self.times_s, at_coverage)


def gaussian_ratio(coverage: float) -> float:
    """Radius, in deviations, of the sphere that holds a round Gaussian with a probability."""
    from scipy.special import gammaincinv

    return math.sqrt(2.0 * float(gammaincinv(1.5, coverage)))


def deviation_m(covariance_m2: Float[Array, "n 3 3"]) -> Float[Array, "n"]:
    """Root mean over the axes of the variance of each step, and a millimetre."""
    variance = np.einsum("nii->n", covariance_m2) / 3.0
    return np.asarray(np.sqrt(variance + _LEAST_DEVIATION_M**2))


def scores(forecast: HandForecast, true_wrist_m: Float[Array, "n 3"]) -> Float[Array, "n"]:
    """Distance of the true wrist from the nearest mode, in deviations of that mode.

    Args:
        forecast: With at least one mode.
        true_wrist_m: Where the wrist was at its steps; NaN where that is not known.
    """
    each = [
        np.linalg.norm(mode.T_world_wrist[:, :3, 3] - true_wrist_m, axis=1)
        / deviation_m(mode.wrist_covariance_m2)
        for mode in forecast.modes
    ]
    return np.asarray(np.min(each, axis=0))


def conformal_quantiles(
    scores_of_steps: Float[Array, "m n"], levels: Sequence[float] = LEVELS
) -> Float[Array, "l n"]:
    """The score that so many of each step's scores, and the next one, stay below.

    The quantile of coverage c of m scores is the ``ceil((m + 1) c)``-th smallest, with which a
    further score of the same kind is held with probability c or more.

    Args:
        scores_of_steps: One row a forecast; NaN where the truth is not known.
        levels: Coverages.

    Raises:
        ConfigError: A step has too few scores for a coverage.
    """
    found = np.empty((len(levels), scores_of_steps.shape[1]))
    for step, column in enumerate(scores_of_steps.T):
        known = np.sort(column[np.isfinite(column)])
        for row, level in enumerate(levels):
            rank = math.ceil((len(known) + 1) * level - 1e-9)
            if rank > len(known):
                msg = f"{len(known)} forecasts of step {step} are too few for a coverage of {level}"
                raise ConfigError(msg)
            found[row, step] = known[rank - 1]
    return found


class CalibratedForecaster:
    """A forecaster whose spheres hold the wrist as often as they say."""

    def __init__(
        self, forecaster: Forecaster, config: ForecastConfig, calibration: Calibration
    ) -> None:
        """Look up the ratios of its steps.

        Args:
            forecaster: With the steps of the config.
            config: Steps and coverage.
            calibration: Made from this forecaster.

        Raises:
            ConfigError: Horizon or coverage are outside of the calibration.
        """
        self._forecaster = forecaster
        self._coverage = config.coverage
        self._ratio = calibration.ratio(config.times_s, config.coverage)

    @property
    def model_id(self) -> str:
        """That of the forecaster, and that it is calibrated."""
        return f"{self._forecaster.model_id}+conformal"

    def forecast(
        self, past: Sequence[Sequence[HandTrack]], frame: Frame | None = None
    ) -> list[HandForecast]:
        """Forecast every hand that is tracked now; see ``Forecaster``."""
        found = self._forecaster.forecast(past, frame)
        return [calibrated(each, self._ratio, self._coverage) for each in found]


def calibrated(forecast: HandForecast, ratio: Float[Array, "n"], coverage: float) -> HandForecast:
    """Set the radii of a forecast, and scale its covariances to agree with them.

    Args:
        forecast: Of an uncalibrated forecaster.
        ratio: Radius over deviation of every step.
        coverage: What the ratio is for. A round Gaussian of the scaled covariance has the sphere
            of this coverage at the new radius.
    """
    scale = (ratio / gaussian_ratio(coverage)) ** 2
    modes = tuple(
        replace(
            mode,
            radius_m=ratio * deviation_m(mode.wrist_covariance_m2),
            wrist_covariance_m2=scale[:, None, None] * mode.wrist_covariance_m2,
        )
        for mode in forecast.modes
    )
    return replace(forecast, coverage=coverage, modes=modes)


def calibration_path(name: str) -> Path:
    """Where the table of a forecaster lies in this package."""
    return Path(hand4d_ros.__file__).parent / "assets" / f"forecast_calibration_{name}.json"


def load_calibration(path: Path) -> Calibration:
    """Read a table.

    Args:
        path: From ``save_calibration``.

    Raises:
        ConfigError: There is none, or it is of another format.
    """
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        if content["format"] != FORMAT:
            raise ConfigError(f"{path} is of format {content['format']}, expected {FORMAT}")
        times_s, levels, ratios = (
            np.array(content[name], dtype=float) for name in ("times_s", "levels", "ratios")
        )
    except (OSError, ValueError, KeyError, TypeError) as error:
        msg = (
            f"{path} is no calibration ({error}); make one with "
            "python -m benchmarks.forecast_calibration, or set calibrated to false"
        )
        raise ConfigError(msg) from error
    if ratios.shape != (len(levels), len(times_s)):
        msg = f"{path}: {ratios.shape} ratios for {len(levels)} levels and {len(times_s)} times"
        raise ConfigError(msg)
    return Calibration(times_s, levels, ratios, content.get("card", {}))


def save_calibration(path: Path, calibration: Calibration) -> None:
    """Write a table as JSON.

    Args:
        path: File.
        calibration: The table.
    """
    content = {
        "format": FORMAT,
        "card": dict(calibration.card),
        "times_s": np.round(calibration.times_s, 6).tolist(),
        "levels": calibration.levels.tolist(),
        "ratios": np.round(calibration.ratios, 4).tolist(),
    }
    path.write_text(json.dumps(content, separators=(",", ":")) + "\n", encoding="utf-8")
