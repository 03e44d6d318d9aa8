"""Forecasts as nested dicts that mirror ``HandForecastArray``, and back.

Part of ``hand4d_ros.wire``, under the same rules.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from hand4d_ros.errors import RosError
from hand4d_ros.forecasting.base import ForecastConfig
from hand4d_ros.geometry import so3
from hand4d_ros.shapes import Array, Float
from hand4d_ros.types import ForecastMode, HandForecast, Side
from hand4d_ros.wire import (
    Message,
    header,
    matrix_from_pose,
    ns_from_time,
    points_from_list,
    quaternion,
    time_from_ns,
    xyz_list,
)


def forecast_mode(mode: ForecastMode) -> Message:
    """Return ``hand4d_ros/HandForecastMode``."""
    mano_pose = np.zeros(0) if mode.mano_pose is None else mode.mano_pose.reshape(-1)
    return {
        "probability": float(mode.probability),
        "wrist": _poses(mode.T_world_wrist),
        "wrist_position_covariance": np.array(mode.wrist_covariance_m2, dtype=float).reshape(-1),
        "fingertips": xyz_list(mode.fingertips_m.reshape(-1, 3)),
        "radius": mode.radius_m.astype(np.float32),
        "mano_pose": mano_pose.astype(np.float32),
    }


def _poses(T_world_wrist: Float[Array, "n 4 4"]) -> list[Message]:
    """Return a ``geometry_msgs/Pose`` of every step, all quaternions at once."""
    quaternions = so3.quaternion_from_matrix(T_world_wrist[:, :3, :3])
    return [
        {"position": position, "orientation": quaternion(q)}
        for position, q in zip(xyz_list(T_world_wrist[:, :3, 3]), quaternions, strict=True)
    ]


def forecast_array(
    forecasts: Sequence[HandForecast], generated_ns: int, world_frame: str, model_id: str
) -> Message:
    """Return ``hand4d_ros/HandForecastArray`` of the forecasts of one instant.

    Args:
        forecasts: At least one; they share stamp, time step and coverage.
        generated_ns: When the forecast was finished.
        world_frame: Frame of every pose.
        model_id: What made them.

    Raises:
        RosError: There is none, or they differ in stamp, time step or coverage.
    """
    shared = {(f.stamp_ns, f.time_step_ns, f.coverage) for f in forecasts}
    if len(shared) != 1:
        msg = (
            "a forecast array holds forecasts of one stamp, time step and coverage, "
            f"got {sorted(shared)}"
        )
        raise RosError(msg)
    stamp_ns, step_ns, coverage = shared.pop()
    steps = max((len(m.T_world_wrist) for f in forecasts for m in f.modes), default=0)
    return {
        "header": header(stamp_ns, world_frame),
        "generated_at": time_from_ns(generated_ns),
        "time_step": time_from_ns(step_ns),
        "horizon": time_from_ns(step_ns * steps),
        "coverage": float(coverage),
        "model_id": model_id,
        "hands": [
            {
                "side": int(f.side),
                "track_id": f.track_id,
                "existence_probability": float(f.existence_probability),
                "modes": [forecast_mode(mode) for mode in f.modes],
            }
            for f in forecasts
        ],
    }


def no_forecast_array(
    stamp_ns: int, generated_ns: int, world_frame: str, model_id: str, config: ForecastConfig
) -> Message:
    """Return ``hand4d_ros/HandForecastArray`` of an instant at which no hand is tracked.

    Args:
        stamp_ns: Capture time of the image.
        generated_ns: When that was found out.
        world_frame: Frame of the forecasts that there would be.
        model_id: What would have made them.
        config: Their steps and coverage.
    """
    return {
        "header": header(stamp_ns, world_frame),
        "generated_at": time_from_ns(generated_ns),
        "time_step": time_from_ns(config.step_ns),
        "horizon": time_from_ns(config.step_ns * config.steps),
        "coverage": config.coverage,
        "model_id": model_id,
        "hands": [],
    }


def mode_from_message(message: Any) -> ForecastMode:
    """Return the future that a ``HandForecastMode`` message holds."""
    steps = len(message.wrist)
    mano_pose = np.array(message.mano_pose, dtype=float)
    return ForecastMode(
        probability=float(message.probability),
        T_world_wrist=np.array([matrix_from_pose(p) for p in message.wrist]).reshape(-1, 4, 4),
        wrist_covariance_m2=np.array(message.wrist_position_covariance, dtype=float).reshape(
            steps, 3, 3
        ),
        fingertips_m=points_from_list(message.fingertips).reshape(steps, 5, 3),
        radius_m=np.array(message.radius, dtype=float),
        mano_pose=mano_pose.reshape(steps, 48) if mano_pose.size else None,
    )


def forecasts_from_array(message: Any) -> tuple[HandForecast, ...]:
    """Return the forecasts that a ``HandForecastArray`` message holds.

    Raises:
        RosError: A side is none of the message's constants.
    """
    try:
        sides = [Side(int(hand.side)) for hand in message.hands]
    except ValueError as error:
        msg = f"HandForecast: {error}; see the constants in its .msg"
        raise RosError(msg) from None
    return tuple(
        HandForecast(
            stamp_ns=ns_from_time(message.header.stamp),
            side=side,
            track_id=str(hand.track_id),
            existence_probability=float(hand.existence_probability),
            time_step_ns=ns_from_time(message.time_step),
            coverage=float(message.coverage),
            modes=tuple(mode_from_message(mode) for mode in hand.modes),
        )
        for side, hand in zip(sides, message.hands, strict=True)
    )
