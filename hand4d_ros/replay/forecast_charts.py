"""Fans of futures over the path that the hands then took, as inline SVG."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from hand4d_ros.replay.charts import View, equal_axes, path_frame
from hand4d_ros.replay.forecasts import wrist_then_m
from hand4d_ros.replay.run_data import Run
from hand4d_ros.replay.svg import SIDE_HEX, TRUTH
from hand4d_ros.shapes import Array, Float
from hand4d_ros.types import ForecastMode, HandForecast

PAST_S = 1.0
CIRCLES_S = (0.1, 0.3)
"""Times whose spheres are drawn; later ones would hide everything else."""
_STEP_NS = 33e6


def forecast_fan(run: Run, forecasts: Sequence[HandForecast], view: View) -> str:
    """Return one instant: past, every mode of both hands, their spheres, and what then happened.

    Args:
        run: What happened.
        forecasts: Of one instant, at least one.
        view: From which side.
    """
    flip = np.array([1.0, -1.0 if view.flipped else 1.0])

    def flat(points: Float[Array, "n 3"]) -> Float[Array, "n 2"]:
        return np.asarray(points[:, [view.across, view.up]] * flip)

    paths = [flat(m.T_world_wrist[:, :3, 3]) for f in forecasts for m in f.modes]
    thens = [flat(_around(run, f, 0.0, _horizon_s(f))) for f in forecasts]
    pasts = [flat(_around(run, f, -PAST_S, 0.0)) for f in forecasts]
    rims = [flat(_rims(f)) for f in forecasts]
    shown = np.concatenate([*paths, *thens, *pasts, *rims])
    axes, canvas = equal_axes(shown, "forecast and what came")
    path_frame(axes, canvas, view)
    metre = axes.width / (axes.x_range[1] - axes.x_range[0])
    for forecast, past, then in zip(forecasts, pasts, thens, strict=True):
        colour = SIDE_HEX[forecast.side]
        axes.plot(canvas, then[:, 0], then[:, 1], TRUTH, 'stroke-width="5" opacity="0.5"')
        axes.plot(canvas, past[:, 0], past[:, 1], colour, 'stroke-width="1.2" opacity="0.8"')
        for mode in forecast.modes:
            line = flat(mode.T_world_wrist[:, :3, 3])
            faint = f'opacity="{0.25 + 0.75 * mode.probability:.2f}" stroke-width="2"'
            axes.plot(canvas, line[:, 0], line[:, 1], colour, f'{faint} stroke-dasharray="5 3"')
            for step in _circle_steps(forecast, mode):
                x, y = axes.x(line[step, 0]), axes.y(line[step, 1])
                extra = f'fill-opacity="{0.14 * mode.probability:.3f}" stroke="{colour}"'
                radius = round(float(mode.radius_m[step]) * metre, 2)
                canvas.circle(x, y, radius, colour, f'{extra} stroke-opacity="0.35"')
        now = past[np.isfinite(past).all(axis=1)][-1:]
        for x, y in now:
            canvas.circle(axes.x(x), axes.y(y), 4.0, colour)
    return canvas.svg()


def _circle_steps(forecast: HandForecast, mode: ForecastMode) -> list[int]:
    steps = [round(time_s * 1e9 / forecast.time_step_ns) - 1 for time_s in CIRCLES_S]
    return [step for step in steps if 0 <= step < len(mode.radius_m)]


def _rims(forecast: HandForecast) -> Float[Array, "n 3"]:
    """Return the outermost points of the spheres that are drawn."""
    corners = [
        mode.T_world_wrist[step, :3, 3] + sign * mode.radius_m[step]
        for mode in forecast.modes
        for step in _circle_steps(forecast, mode)
        for sign in (-1.0, 1.0)
    ]
    return np.reshape(np.array(corners), (-1, 3))


def _horizon_s(forecast: HandForecast) -> float:
    steps = max(len(mode.T_world_wrist) for mode in forecast.modes)
    return steps * forecast.time_step_ns * 1e-9


def _around(run: Run, forecast: HandForecast, start_s: float, end_s: float) -> Float[Array, "n 3"]:
    """Return where the wrist was from one time to another, relative to the forecast's stamp."""
    count = max(round((end_s - start_s) * 1e9 / _STEP_NS), 2)
    times_ns = forecast.stamp_ns + np.linspace(start_s, end_s, count) * 1e9
    return wrist_then_m(run, forecast.side, times_ns)
