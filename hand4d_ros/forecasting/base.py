"""What every forecaster is: the recent past of both hands in, their possible futures out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Protocol, runtime_checkable

import numpy as np

from hand4d_ros.errors import ConfigError
from hand4d_ros.settings import check
from hand4d_ros.shapes import Array, Float
from hand4d_ros.types import Frame, HandForecast, HandTrack


@dataclass(frozen=True)
class ForecastConfig:
    """How far into the future to look, and in which steps."""

    horizon_s: float = field(default=2.0, metadata={"min": 0.02, "max": 10.0})
    """Time from the last image to the last step (s)."""
    step_s: float = field(default=1.0 / 30.0, metadata={"min": 0.005, "max": 1.0})
    """Time between two steps (s)."""
    coverage: float = field(default=0.9, metadata={"min": 0.01, "max": 0.999})
    """Probability with which the published radius is to hold the wrist."""

    def __post_init__(self) -> None:
        """Reject values out of range and a horizon without a step."""
        check(self)
        if self.horizon_s < self.step_s:
            msg = f"horizon_s is {self.horizon_s}; give at least one step of {self.step_s} s"
            raise ConfigError(msg)

    @property
    def steps(self) -> int:
        """Number of steps, the first one step after the last image."""
        return round(self.horizon_s / self.step_s)

    @property
    def step_ns(self) -> int:
        """Time between two steps (ns)."""
        return round(self.step_s * 1e9)

    @property
    def times_s(self) -> Float[Array, "n"]:
        """Time of every step after the last image (s)."""
        return np.arange(1, self.steps + 1) * (self.step_ns * 1e-9)


@runtime_checkable
class Forecaster(Protocol):
    """Says where the hands will be."""

    @property
    def model_id(self) -> str:
        """Name of the method and its weights, as published with every forecast."""
        ...

    def forecast(
        self, past: Sequence[Sequence[HandTrack]], frame: Frame | None = None
    ) -> list[HandForecast]:
        """Forecast every hand that is tracked now.

        Args:
            past: Tracks of the last images, oldest first; the last entry is now. Each holds what
                ``HandPipeline.step`` returned for its image.
            frame: The image of now with its camera; None where there is no camera.

        Returns:
            One forecast for each hand that is not lost now, left before right, all with the
            stamp of now; none where no hand is tracked.
        """
        ...
