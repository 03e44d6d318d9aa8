"""Forecasts as ``visualization_msgs/MarkerArray``: a path and the tube about it for every mode."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from hand4d_ros import wire
from hand4d_ros.imaging import SIDE_RGB
from hand4d_ros.types import ForecastMode, HandForecast, Side

SPHERES = 8
"""Spheres that a tube is made of, spread over the horizon."""
_LINE_STRIP, _SPHERE = 4, 2
_ADD, _DELETE_ALL = 0, 3
_LIFETIME_NS = 500_000_000
_LINE_WIDTH_M = 0.006
_LINE_ALPHA, _TUBE_ALPHA = 0.9, 0.25


def forecast_markers(
    forecasts: Sequence[HandForecast], stamp_ns: int, world_frame: str
) -> wire.Message:
    """Return the markers of all forecasts; what was there before is deleted.

    The more probable a mode, the more opaque it is; its spheres fade towards the horizon.

    Args:
        forecasts: Of one instant.
        stamp_ns: Capture time of the image.
        world_frame: Frame of the poses.
    """
    head = wire.header(stamp_ns, world_frame)
    markers: list[wire.Message] = [{"header": head, "action": _DELETE_ALL}]
    for forecast in forecasts:
        for number, mode in enumerate(forecast.modes):
            name = f"hand4d/{forecast.side.label}/forecast"
            shapes = [_path(mode, forecast.side), *_tube(mode, forecast.side)]
            markers += [
                {"header": head, "ns": f"{name}/{number}", "id": place, "action": _ADD}
                | {"lifetime": wire.time_from_ns(_LIFETIME_NS)}
                | shape
                for place, shape in enumerate(shapes)
            ]
    return {"markers": markers}


def _path(mode: ForecastMode, side: Side) -> wire.Message:
    return {
        "type": _LINE_STRIP,
        "points": wire.xyz_list(mode.T_world_wrist[:, :3, 3]),
        "scale": {"x": _LINE_WIDTH_M, "y": 0.0, "z": 0.0},
        "color": _color(side, _LINE_ALPHA * mode.probability),
        "pose": wire.pose(np.eye(4)),
    }


def _tube(mode: ForecastMode, side: Side) -> list[wire.Message]:
    last = len(mode.T_world_wrist) - 1
    steps = sorted({round(step) for step in np.linspace(0, last, SPHERES).tolist()})
    spheres = []
    for step in steps:
        T = np.eye(4)
        T[:3, 3] = mode.T_world_wrist[step, :3, 3]
        width_m = 2.0 * float(mode.radius_m[step])
        fade = 1.0 - 0.7 * step / max(last, 1)
        sphere = {
            "type": _SPHERE,
            "pose": wire.pose(T),
            "scale": {"x": width_m, "y": width_m, "z": width_m},
            "color": _color(side, _TUBE_ALPHA * mode.probability * fade),
        }
        spheres.append(sphere)
    return spheres


def _color(side: Side, alpha: float) -> wire.Message:
    r, g, b = (value / 255.0 for value in SIDE_RGB[side])
    return {"r": r, "g": g, "b": b, "a": alpha}
