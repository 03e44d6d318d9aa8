"""Every forecaster by the name that parameters and options give it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Literal

from hand4d_ros.forecasting import baselines
from hand4d_ros.forecasting.base import ForecastConfig, Forecaster
from hand4d_ros.forecasting.calibration import (
    CalibratedForecaster,
    calibration_path,
    load_calibration,
)
from hand4d_ros.settings import check

Method = Literal["static", "constant_velocity", "constant_acceleration"]

KINEMATIC: Mapping[Method, baselines.KinematicConfig] = {
    "static": baselines.STATIC,
    "constant_velocity": baselines.CONSTANT_VELOCITY,
    "constant_acceleration": baselines.CONSTANT_ACCELERATION,
}
"""Settings of the forecasters that need no weights."""


@dataclass(frozen=True)
class ForecasterConfig:
    """Which forecaster, how far, and how sure."""

    method: Method = "constant_velocity"
    """static: the hand stays as it is. constant_velocity: the wrist goes on as it does.
    constant_acceleration: so does its acceleration, and both die away."""
    calibrated: bool = True
    """Take radii and covariances from the calibration on held-out worlds; false takes the
    forecaster's own."""
    hand_model: str = ""
    """Hand model file that the tracks' parameters belong to; empty is the built-in hand."""
    forecast: ForecastConfig = field(default=ForecastConfig(), metadata={"flatten": True})

    def __post_init__(self) -> None:
        """Reject unknown methods."""
        check(self)


def make_forecaster(config: ForecasterConfig | None = None) -> Forecaster:
    """Build a forecaster.

    Args:
        config: Settings; None takes constant velocity, calibrated.

    Raises:
        ConfigError: The calibration does not reach as far as the horizon or the coverage.
        HandModelError: The hand model file is unusable.
    """
    config = config or ForecasterConfig()
    kinematic = replace(
        KINEMATIC[config.method], hand_model=config.hand_model, forecast=config.forecast
    )
    forecaster = baselines.KinematicForecaster(kinematic)
    if not config.calibrated:
        return forecaster
    table = load_calibration(calibration_path(config.method))
    return CalibratedForecaster(forecaster, config.forecast, table)
