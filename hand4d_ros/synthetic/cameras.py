"""Where the camera is and how it sees: on the head, on the chest or fixed in the room."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Literal

import numpy as np
from scipy.interpolate import CubicSpline

from hand4d_ros.errors import ConfigError
from hand4d_ros.geometry import se3, so3
from hand4d_ros.geometry.camera import camera_from_fov
from hand4d_ros.settings import check
from hand4d_ros.shapes import Array, Float
from hand4d_ros.synthetic.body import Body
from hand4d_ros.synthetic.trajectory import Wander, sampled_wander
from hand4d_ros.types import CameraModel

_GRID_HZ = 50.0
_BEFORE_S = 3.0
_WIDEST_FLAT_DEG = 140.0
_UP = np.array([0.0, 0.0, 1.0])


@dataclass(frozen=True)
class CameraConfig:
    """A camera and where it is mounted."""

    mount: Literal["head", "chest", "static"] = "head"
    """On the head, which follows the hands; on the chest; or fixed, looking at the table."""
    lens: Literal["pinhole", "plumb_bob", "fisheye"] = "plumb_bob"
    """Ideal, with a little radial and tangential distortion, or equidistant."""
    width_px: int = field(default=640, metadata={"min": 16, "max": 8192})
    """Width of the picture."""
    height_px: int = field(default=480, metadata={"min": 16, "max": 8192})
    """Height of the picture."""
    horizontal_fov_deg: float = field(default=76.0, metadata={"min": 10.0, "max": 175.0})
    """Angle of view from the left to the right border; up to 140 but for fisheye."""
    follow: float = field(default=0.65, metadata={"min": 0.0, "max": 1.0})
    """How far the head turns after the hands: 0 never, 1 keeps them in the middle."""
    lag_s: float = field(default=0.25, metadata={"min": 0.01, "max": 5.0})
    """Time constant with which the head follows (s)."""
    sway: float = field(default=1.0, metadata={"min": 0.0, "max": 10.0})
    """Factor on the small motions of head and chest; 0 holds them still between movements."""

    def __post_init__(self) -> None:
        """Reject values out of range."""
        check(self)
        if self.lens != "fisheye" and self.horizontal_fov_deg > _WIDEST_FLAT_DEG:
            raise ConfigError(
                f"horizontal_fov_deg is {self.horizontal_fov_deg} with a {self.lens} lens; give "
                f"at most {_WIDEST_FLAT_DEG:g}, or lens fisheye"
            )


def camera_model(config: CameraConfig) -> CameraModel:
    """Return the calibrated camera of a configuration.

    The field of view of a lens with plumb_bob distortion is that of the pinhole without it.
    """
    half = 0.5 * np.deg2rad(config.horizontal_fov_deg)
    centre = (0.5 * (config.width_px - 1), 0.5 * (config.height_px - 1))
    if config.lens == "fisheye":
        lens = (-0.012, 0.006, -0.004, 0.0008)
        bent = half * (1 + sum(k * half ** (2 * i + 2) for i, k in enumerate(lens)))
        focal = 0.5 * config.width_px / bent
        return CameraModel(
            config.width_px, config.height_px, focal, focal, *centre, "equidistant", lens
        )
    plain = camera_from_fov(config.width_px, config.height_px, 2 * half)
    if config.lens == "pinhole":
        return plain
    # Strong barrel distortion folds the picture over outside of a narrow field.
    weak = min(1.0, 0.6 / np.tan(half) ** 2)
    lens = tuple(weak * k for k in (-0.055, 0.018, 0.0006, -0.0004, 0.0))
    return CameraModel(
        config.width_px, config.height_px, plain.fx_px, plain.fy_px, *centre, "plumb_bob", lens
    )


@dataclass(frozen=True)
class CameraMotion:
    """The camera's pose as a smooth function of time."""

    eye_m: Callable[[Float[Array, " n"]], Float[Array, "n 3"]]
    target_m: Callable[[Float[Array, " n"]], Float[Array, "n 3"]]
    shake_rad: Wander
    sway: float

    def at(self, t_s: Float[Array, " n"]) -> Float[Array, "n 4 4"]:
        """Return ``T_world_camera`` at any times (s)."""
        t = np.asarray(t_s, dtype=np.float64)
        eye = self.eye_m(t)
        R = looking(self.target_m(t) - eye)
        return se3.from_rotation_translation(R @ so3.exp(self.sway * self.shake_rad(t)), eye)


def looking(forward: Float[Array, "n 3"]) -> Float[Array, "n 3 3"]:
    """Return the rotation of an upright camera that looks along vectors, not straight up."""
    z = forward / np.linalg.norm(forward, axis=-1, keepdims=True)
    x = np.cross(z, _UP)
    x = x / np.linalg.norm(x, axis=-1, keepdims=True)
    return np.stack((x, np.cross(z, x), z), -1)


def mounted_camera(
    config: CameraConfig,
    body: Body,
    table_m: float,
    hands_m: Callable[[Float[Array, " n"]], Float[Array, "n 3"]],
    seconds: float,
    rng: np.random.Generator,
) -> CameraMotion:
    """Mount a camera on a person or in the room.

    Args:
        config: Which, and how it follows.
        body: The person.
        table_m: Height of the table.
        hands_m: The point between the hands over time.
        seconds: Until when the motion is needed.
        rng: Source of the small motions.
    """
    sway = sampled_wander(rng, 3, 0.006)
    shake = sampled_wander(rng, 3, 0.012, 0.0004)
    rest = np.array([0.36, 0.0, table_m + 0.04])
    if config.mount == "static":
        heading = rng.uniform(-0.6, 0.6)
        place = np.array([0.35 + 0.65 * np.cos(heading), 0.65 * np.sin(heading), table_m + 0.5])
        return CameraMotion(_constant(place), _constant(rest), shake, 0.0)
    if config.mount == "chest":
        place = np.array([body.eyes_m[0] + 0.03, 0.0, body.eyes_m[2] - 0.20])

        def chest_m(t: Float[Array, " n"]) -> Float[Array, "n 3"]:
            return np.asarray(place + 0.5 * config.sway * sway(t))

        return CameraMotion(
            chest_m, _constant(rest + np.array([0.04, 0.0, 0.03])), shake, 0.4 * config.sway
        )
    gaze = followed(hands_m, seconds, config.lag_s)
    eyes = np.array(body.eyes_m) + np.array([0.05, 0.0, 0.03])

    def target_m(t: Float[Array, " n"]) -> Float[Array, "n 3"]:
        return np.asarray(rest + config.follow * (gaze(t) - rest))

    def head_m(t: Float[Array, " n"]) -> Float[Array, "n 3"]:
        # The head leans a little towards what it looks at.
        return np.asarray(eyes + 0.12 * (target_m(t) - rest) + config.sway * sway(t))

    return CameraMotion(head_m, target_m, shake, config.sway)


def _constant(value: Float[Array, "3"]) -> Callable[[Float[Array, " n"]], Float[Array, "n 3"]]:
    def still(t: Float[Array, " n"]) -> Float[Array, "n 3"]:
        return np.asarray(np.broadcast_to(value, (len(t), 3)).copy())

    return still


def followed(
    point_m: Callable[[Float[Array, " n"]], Float[Array, "n 3"]], seconds: float, lag_s: float
) -> Callable[[Float[Array, " n"]], Float[Array, "n 3"]]:
    """Follow a point as a critically damped second-order system does, twice differentiable.

    Args:
        point_m: What to follow.
        seconds: Until when.
        lag_s: Time constant of each of the two orders.
    """
    times = np.arange(-_BEFORE_S, seconds + 1.0, 1.0 / _GRID_HZ)
    keep = float(np.exp(-1.0 / (_GRID_HZ * lag_s)))
    values = point_m(times)
    for _ in range(2):
        state = values[0]
        out = np.empty_like(values)
        for i, value in enumerate(values):
            state = keep * state + (1.0 - keep) * value
            out[i] = state
        values = out
    spline = CubicSpline(times, values)

    def smooth(t: Float[Array, " n"]) -> Float[Array, "n 3"]:
        return np.asarray(spline(np.clip(t, times[0], times[-1])))

    return smooth
