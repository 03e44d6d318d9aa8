"""What an odometry gets wrong: noise, drift, scale, rate, latency, gaps and jumps.

Each fault has its own switch (zero or one means off) and its own stream of random numbers, so
that turning one on does not change another.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np

from hand4d_ros.geometry import so3
from hand4d_ros.settings import check
from hand4d_ros.shapes import Array, Bool, Float


@dataclass(frozen=True)
class OdometryNoise:
    """Faults of an odometry; the defaults are a perfect one at 200 Hz."""

    seed: int = field(default=0, metadata={"min": 0})
    """Of all faults."""
    rate_hz: float = field(default=200.0, metadata={"min": 1.0, "max": 2000.0})
    """Poses per second."""
    position_std_m: float = field(default=0.0, metadata={"min": 0.0})
    """White noise of every pose along each axis (m)."""
    rotation_std_deg: float = field(default=0.0, metadata={"min": 0.0, "max": 180.0})
    """White noise of every pose about each axis (deg)."""
    drift_m_per_sqrt_s: float = field(default=0.0, metadata={"min": 0.0})
    """Random walk of the position: its deviation along each axis after one second."""
    drift_deg_per_sqrt_s: float = field(default=0.0, metadata={"min": 0.0})
    """Random walk of the heading: its deviation after one second."""
    scale: float = field(default=1.0, metadata={"min": 0.1, "max": 10.0})
    """Constant factor on all distances travelled, as monocular odometry has."""
    latency_s: float = field(default=0.0, metadata={"min": 0.0, "max": 60.0})
    """Time from the instant of a pose to its arrival (s)."""
    gaps_per_s: float = field(default=0.0, metadata={"min": 0.0, "max": 100.0})
    """How often the odometry falls silent."""
    gap_s: float = field(default=0.3, metadata={"min": 0.0, "max": 60.0})
    """How long it is silent each time (s)."""
    jumps_per_s: float = field(default=0.0, metadata={"min": 0.0, "max": 100.0})
    """How often the position jumps and stays off, as after a loop closure."""
    jump_m: float = field(default=0.2, metadata={"min": 0.0})
    """Length of each jump (m)."""

    def __post_init__(self) -> None:
        """Reject values out of range."""
        check(self)


@dataclass(frozen=True)
class OdometryRecord:
    """What an odometry reports, in order of time; silent gaps are left out."""

    t_s: Float[Array, " n"]
    """Instants of the poses."""
    arrival_s: Float[Array, " n"]
    T_odom_base: Float[Array, "n 4 4"]


def noisy_odometry(
    pose_at: Callable[[Float[Array, " n"]], Float[Array, "n 4 4"]],
    seconds: float,
    noise: OdometryNoise,
    before_s: float = 0.0,
) -> OdometryRecord:
    """Record a moving body with a faulty odometry.

    The odometry's frame is the true world at the first pose, so nothing but the faults differs.

    Args:
        pose_at: True pose of the body over time.
        seconds: Until when; one pose after it is recorded too, so that the end is covered.
        noise: The faults.
        before_s: How long before time zero the record starts.
    """
    count = int(np.ceil((seconds + before_s) * noise.rate_hz)) + 2
    t = np.arange(count) / noise.rate_hz - before_s
    true = pose_at(t)
    streams = [np.random.default_rng([noise.seed, i]) for i in range(5)]
    step_s = 1.0 / noise.rate_hz
    turn = np.cumsum(streams[0].normal(size=count)) * np.sqrt(step_s)
    turn *= np.deg2rad(noise.drift_deg_per_sqrt_s)
    R_odom_world = so3.exp(np.stack((0 * turn, 0 * turn, turn - turn[0]), -1))
    walk = np.cumsum(streams[1].normal(size=(count, 3)), 0) * np.sqrt(step_s)
    steps = np.diff(true[:, :3, 3], axis=0)
    turned = noise.scale * np.einsum("nij,nj->ni", R_odom_world[:-1], steps)
    position = np.concatenate((np.zeros((1, 3)), np.cumsum(turned, 0))) + true[0, :3, 3]
    position += noise.drift_m_per_sqrt_s * (walk - walk[0])
    position += _jumps(streams[2], t, noise)
    out = true.copy()
    wobble = streams[3].normal(size=(2, count, 3))
    out[:, :3, :3] = R_odom_world @ true[:, :3, :3]
    out[:, :3, :3] = out[:, :3, :3] @ so3.exp(np.deg2rad(noise.rotation_std_deg) * wobble[0])
    out[:, :3, 3] = position + noise.position_std_m * wobble[1]
    heard = ~_silent(streams[4], t, noise)
    return OdometryRecord(t[heard], t[heard] + noise.latency_s, out[heard])


def _jumps(
    rng: np.random.Generator, t: Float[Array, " n"], noise: OdometryNoise
) -> Float[Array, "n 3"]:
    """Sum of the jumps up to each instant."""
    length = float(t[-1] - t[0])
    times = t[0] + np.sort(rng.uniform(0, length, rng.poisson(noise.jumps_per_s * length)))
    direction = rng.normal(size=(len(times), 3))
    direction *= noise.jump_m / np.linalg.norm(direction, axis=-1, keepdims=True).clip(1e-9)
    return np.asarray((t[:, None] >= times).astype(float) @ direction)


def _silent(
    rng: np.random.Generator, t: Float[Array, " n"], noise: OdometryNoise
) -> Bool[Array, " n"]:
    """Say where the odometry is silent."""
    length = float(t[-1] - t[0])
    starts = t[0] + rng.uniform(0, length, rng.poisson(noise.gaps_per_s * length))
    since = t[:, None] - starts
    return np.asarray(((since >= 0) & (since < noise.gap_s)).any(-1))
