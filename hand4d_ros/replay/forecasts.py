"""Forecasts in bags: written beside the hands offline, and read again with what then happened."""

from __future__ import annotations

from collections import deque
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from hand4d_ros.forecasting.base import Forecaster
from hand4d_ros.pipeline import PipelineResult
from hand4d_ros.replay.bags import BagReader, BagWriter
from hand4d_ros.replay.run_data import Run
from hand4d_ros.shapes import Array, Float
from hand4d_ros.types import HandForecast, HandTrack, Side
from hand4d_ros.wire_forecast import forecast_array, forecasts_from_array

FORECAST_TOPIC = "/hand4d/forecaster/forecast"
FORECAST_TYPE = "hand4d_ros/msg/HandForecastArray"
PAST_S = 1.0
"""How much of the past the forecaster is shown, as by the live node's default."""
HORIZONS_S = (0.1, 0.3, 0.5, 1.0, 2.0)
"""Steps that get figures."""
SHOWN = 6
"""Instants that are drawn."""


class ForecastWriter:
    """Forecasts from the tracks of every frame, as the live node does, but every frame."""

    def __init__(self, forecaster: Forecaster, writer: BagWriter) -> None:
        """Start without a past.

        Args:
            forecaster: To be asked.
            writer: The output.
        """
        self._forecaster = forecaster
        self._writer = writer
        self._past: deque[tuple[int, tuple[HandTrack, ...]]] = deque()

    def write(self, result: PipelineResult) -> None:
        """Forecast from one frame; offline it is generated at once, so its latency is zero.

        Args:
            result: Of the frame after those before.
        """
        stamp_ns = result.stamp_ns
        if self._past and stamp_ns <= self._past[-1][0]:
            self._past.clear()
        self._past.append((stamp_ns, result.tracks))
        while stamp_ns - self._past[0][0] > PAST_S * 1e9:
            self._past.popleft()
        found = self._forecaster.forecast([tracks for _, tracks in self._past], result.frame)
        if found:
            world, model_id = result.frame.world_frame, self._forecaster.model_id
            message = forecast_array(found, stamp_ns, world, model_id)
            self._writer.write(FORECAST_TOPIC, FORECAST_TYPE, message, stamp_ns)


@dataclass(frozen=True)
class HorizonFigures:
    """How good forecasts were at one time after their image."""

    horizon_s: float
    count: int
    """Forecasts of hands of which it is known where they then were."""
    error_m: float
    """Mean distance of the wrist from that of the most probable mode."""
    best_error_m: float
    """Mean distance from the nearest mode."""
    held: float
    """Share of wrists inside of the sphere of any mode."""
    radius_m: float
    """Mean radius, weighted with the probability of the modes."""


@dataclass(frozen=True)
class ForecastReview:
    """What a bag's forecasts said, and what then happened."""

    model_id: str
    coverage: float
    horizons: tuple[HorizonFigures, ...]
    shown: tuple[tuple[HandForecast, ...], ...]
    """Some instants, spread over the run."""

    def as_dict(self) -> dict[str, Any]:
        """Return the figures as ``metrics.json`` holds them."""
        return {
            "model_id": self.model_id,
            "coverage": self.coverage,
            "horizons": [asdict(figures) for figures in self.horizons],
        }


def review_forecasts(output_bag: Path, run: Run) -> ForecastReview | None:
    """Compare every forecast of a bag with the truth, or with the hands that were tracked later.

    Args:
        output_bag: Of the run.
        run: What happened.

    Returns:
        The review; None where the bag has no forecasts.

    Raises:
        BagError: The bag cannot be read.
    """
    with BagReader(output_bag) as bag:
        topics = [topic.name for topic in bag.topics if topic.msgtype == FORECAST_TYPE]
        if not topics:
            return None
        picked = _picked(run)
        rows: dict[float, list[tuple[float, ...]]] = {time_s: [] for time_s in HORIZONS_S}
        shown, model_id, coverage = [], "", 0.0
        for read in bag.messages(topics):
            forecasts = forecasts_from_array(read.message)
            model_id, coverage = str(read.message.model_id), float(read.message.coverage)
            for forecast in forecasts:
                _judge(forecast, run, rows)
            if forecasts and picked and forecasts[0].stamp_ns >= picked[0]:
                shown.append(forecasts)
                picked = [stamp for stamp in picked if stamp > forecasts[0].stamp_ns]
    figures = [HorizonFigures(t, len(found), *_means(found)) for t, found in rows.items() if found]
    return ForecastReview(model_id, coverage, tuple(figures), tuple(shown))


def wrist_then_m(run: Run, side: Side, stamps_ns: Float[Array, "n"]) -> Float[Array, "n 3"]:
    """Where a wrist was at some times: the truth where there is one, else as it was tracked.

    Args:
        run: What happened.
        side: Which hand.
        stamps_ns: Rising.

    Returns:
        Interpolated between images; NaN where the hand was not there or after the end.
    """
    series = run.truth.get(side, run.hands[side])
    known = run.stamps_ns.astype(float)
    return np.stack(
        [
            np.interp(stamps_ns, known, series.wrist_m[:, axis], left=np.nan, right=np.nan)
            for axis in range(3)
        ],
        axis=1,
    )


def _picked(run: Run) -> list[float]:
    """Return times to show, spread over the run, the last with a future to compare with."""
    first, last = float(run.stamps_ns[0]), float(run.stamps_ns[-1])
    return np.linspace(first + 1e9, max(last - 1.5e9, first + 1e9), SHOWN).tolist()


def _judge(forecast: HandForecast, run: Run, rows: dict[float, list[tuple[float, ...]]]) -> None:
    """Add the errors of one forecast at each horizon that it reaches."""
    for horizon_s, found in rows.items():
        step = round(horizon_s * 1e9 / forecast.time_step_ns) - 1
        if not forecast.modes or not 0 <= step < len(forecast.modes[0].T_world_wrist):
            continue
        then_ns = np.array([forecast.stamp_ns + (step + 1.0) * forecast.time_step_ns])
        (truth,) = wrist_then_m(run, forecast.side, then_ns)
        if not np.isfinite(truth).all():
            continue
        away = [float(np.linalg.norm(m.T_world_wrist[step, :3, 3] - truth)) for m in forecast.modes]
        radii = [float(mode.radius_m[step]) for mode in forecast.modes]
        held = any(a <= r for a, r in zip(away, radii, strict=True))
        radius = sum(m.probability * r for m, r in zip(forecast.modes, radii, strict=True))
        found.append((away[0], min(away), float(held), radius))


def _means(found: list[tuple[float, ...]]) -> tuple[float, float, float, float]:
    error, best, held, radius = np.mean(np.array(found), axis=0).tolist()
    return error, best, held, radius
