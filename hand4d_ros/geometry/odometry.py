"""Pose of the robot's base at the stamp of an image, from a stream of odometry.

Odometry arrives at its own rate, late, sometimes twice, sometimes not at all. The buffer keeps
the last seconds in the order of capture and answers for any instant, or says why it cannot: a
wrong pose would put a hand in the wrong place, so no pose is given across gaps and jumps.
"""

from __future__ import annotations

import bisect
import enum
import threading
from dataclasses import dataclass, field

import numpy as np

from hand4d_ros.errors import ConfigError, GeometryError
from hand4d_ros.geometry import se3, so3
from hand4d_ros.settings import check
from hand4d_ros.shapes import Array, Float

_NS = 1e-9


@dataclass(frozen=True)
class OdometryConfig:
    """How much odometry to keep and what to believe of it."""

    buffer_s: float = field(default=5.0, metadata={"min": 0.1, "max": 600.0})
    """Length of the odometry that is kept; images older than it get no pose (s)."""
    max_gap_s: float = field(default=0.25, metadata={"min": 0.001, "max": 60.0})
    """Longest time between two odometry samples that is bridged by interpolation (s)."""
    max_extrapolation_s: float = field(default=0.05, metadata={"min": 0.0, "max": 10.0})
    """How far beyond the newest odometry an image may be for its pose to be extrapolated (s)."""
    max_late_s: float = field(default=0.5, metadata={"min": 0.0, "max": 60.0})
    """A sample this much older than the newest is late; an older one means that time jumped
    back, as in a bag that loops, and clears the buffer (s)."""
    max_speed_m_s: float = field(default=10.0, metadata={"min": 0.01, "max": 1000.0})
    """Two samples that imply a higher speed are a jump of the odometry, not a motion (m/s)."""
    max_angular_speed_rad_s: float = field(default=25.0, metadata={"min": 0.01, "max": 1000.0})
    """Two samples that imply a faster turn are a jump of the odometry, not a motion (rad/s)."""
    jump_slack_m: float = field(default=0.02, metadata={"min": 0.0, "max": 10.0})
    """Noise of one odometry sample's position, which is no jump however close in time (m)."""
    jump_slack_rad: float = field(default=0.02, metadata={"min": 0.0, "max": 3.2})
    """Noise of one odometry sample's orientation, no jump however close in time (rad)."""

    def __post_init__(self) -> None:
        """Reject values out of range, and a buffer that late samples would not fit into."""
        check(self)
        if self.max_late_s >= self.buffer_s:
            msg = f"max_late_s is {self.max_late_s}; give less than buffer_s ({self.buffer_s})"
            raise ConfigError(msg)


class OdometryEvent(enum.Enum):
    """What became of a sample that was pushed."""

    ACCEPTED = "accepted"
    """Kept."""
    NON_FINITE = "non_finite"
    """Refused: entries that are not finite, or no rigid transform."""
    OUT_OF_ORDER = "out_of_order"
    """Older than the newest sample; sorted in, or ignored where its stamp is known already."""
    TELEPORT = "teleport"
    """Kept, but faster than any motion from the sample before; never interpolated across."""
    RESET = "reset"
    """Time jumped back; all older samples are gone and this one is the first."""


class OdometryStatus(enum.Enum):
    """How a pose was obtained, or why there is none."""

    INTERPOLATED = "interpolated"
    """Between two samples, or exactly on one."""
    EXTRAPOLATED = "extrapolated"
    """At most ``max_extrapolation_s`` past the newest sample."""
    TOO_OLD = "too_old"
    """No pose: before the oldest sample."""
    TOO_NEW = "too_new"
    """No pose: further past the newest sample than is extrapolated; odometry lags or ended."""
    EMPTY = "empty"
    """No pose: no odometry yet."""
    GAP = "gap"
    """No pose: between two samples too far apart in time, or with a jump between them."""


@dataclass(frozen=True)
class OdometrySample:
    """Answer of the buffer for one instant."""

    T_world_base: Float[Array, "4 4"] | None
    """Pose of the base; None unless interpolated or extrapolated."""
    status: OdometryStatus
    """How the pose was obtained, or why there is none."""
    age_ns: int
    """Asked stamp minus newest odometry stamp: positive where odometry lags behind images,
    negative where it is ahead; 0 where there is none."""


class OdometryBuffer:
    """The last seconds of odometry in the order of capture; safe to use from several threads."""

    def __init__(self, config: OdometryConfig | None = None) -> None:
        """Start empty.

        Args:
            config: How much to keep and what to believe; defaults if None.
        """
        self._config = config or OdometryConfig()
        self._lock = threading.Lock()
        self._stamps_ns: list[int] = []
        self._poses: list[Float[Array, "4 4"]] = []
        # Whether the motion from the sample before to this one is believable; for the first
        # sample there is none, so False.
        self._linked: list[bool] = []

    @property
    def latest_ns(self) -> int | None:
        """Stamp of the newest sample (ns); None while empty."""
        with self._lock:
            return self._stamps_ns[-1] if self._stamps_ns else None

    def __len__(self) -> int:
        """Number of samples kept."""
        with self._lock:
            return len(self._stamps_ns)

    def clear(self) -> None:
        """Forget everything."""
        with self._lock:
            self._clear()

    def push(self, stamp_ns: int, T_world_base: Array) -> OdometryEvent:
        """Add one sample; bad data is refused and reported, never raised.

        Args:
            stamp_ns: Capture time (ns).
            T_world_base: Pose of the base in the world, 4x4.

        Returns:
            What became of it.
        """
        try:
            pose = se3.check_rigid(T_world_base, "T_world_base")
        except GeometryError:
            return OdometryEvent.NON_FINITE
        with self._lock:
            event = OdometryEvent.ACCEPTED
            if self._stamps_ns and stamp_ns <= self._stamps_ns[-1]:
                if (self._stamps_ns[-1] - stamp_ns) * _NS <= self._config.max_late_s:
                    return self._insert_late(stamp_ns, pose)
                self._clear()
                event = OdometryEvent.RESET
            self._stamps_ns.append(stamp_ns)
            self._poses.append(pose.copy())
            self._linked.append(False)
            self._link(len(self._stamps_ns) - 1)
            if len(self._stamps_ns) > 1 and not self._linked[-1]:
                event = OdometryEvent.TELEPORT
            self._trim()
            return event

    def at(self, stamp_ns: int) -> OdometrySample:
        """Pose of the base at an instant.

        Args:
            stamp_ns: Capture time of an image (ns).

        Returns:
            The pose, or why there is none.
        """
        with self._lock:
            if not self._stamps_ns:
                return OdometrySample(None, OdometryStatus.EMPTY, 0)
            age_ns = stamp_ns - self._stamps_ns[-1]
            after = bisect.bisect_left(self._stamps_ns, stamp_ns)
            if after == len(self._stamps_ns):
                return self._extrapolate(age_ns)
            if self._stamps_ns[after] == stamp_ns:
                pose = self._poses[after].copy()
                return OdometrySample(pose, OdometryStatus.INTERPOLATED, age_ns)
            if after == 0:
                return OdometrySample(None, OdometryStatus.TOO_OLD, age_ns)
            start_ns, end_ns = self._stamps_ns[after - 1], self._stamps_ns[after]
            if not self._linked[after] or (end_ns - start_ns) * _NS > self._config.max_gap_s:
                return OdometrySample(None, OdometryStatus.GAP, age_ns)
            alpha = (stamp_ns - start_ns) / (end_ns - start_ns)
            pose = se3.interpolate(self._poses[after - 1], self._poses[after], alpha)
            return OdometrySample(pose, OdometryStatus.INTERPOLATED, age_ns)

    def _extrapolate(self, age_ns: int) -> OdometrySample:
        """Go on at the mean velocity of the last samples, or stand still where it is unknown."""
        if age_ns * _NS > self._config.max_extrapolation_s:
            return OdometrySample(None, OdometryStatus.TOO_NEW, age_ns)
        # A baseline at least as long as the extrapolation keeps it from amplifying noise.
        first = last = len(self._stamps_ns) - 1
        while self._linked[first] and self._stamps_ns[last] - self._stamps_ns[first] < age_ns:
            first -= 1
        baseline_ns = self._stamps_ns[last] - self._stamps_ns[first]
        pose = self._poses[last].copy()
        if 0.0 < baseline_ns * _NS <= self._config.max_gap_s:
            pose = se3.interpolate(self._poses[first], pose, 1.0 + age_ns / baseline_ns)
        return OdometrySample(pose, OdometryStatus.EXTRAPOLATED, age_ns)

    def _insert_late(self, stamp_ns: int, pose: Float[Array, "4 4"]) -> OdometryEvent:
        index = bisect.bisect_left(self._stamps_ns, stamp_ns)
        if self._stamps_ns[index] != stamp_ns:
            self._stamps_ns.insert(index, stamp_ns)
            self._poses.insert(index, pose.copy())
            self._linked.insert(index, False)
            self._link(index)
            self._link(index + 1)
        return OdometryEvent.OUT_OF_ORDER

    def _link(self, index: int) -> None:
        """Judge the motion from the sample before ``index`` to it."""
        if index == 0:
            self._linked[0] = False
            return
        config = self._config
        T0, T1 = self._poses[index - 1], self._poses[index]
        elapsed_s = (self._stamps_ns[index] - self._stamps_ns[index - 1]) * _NS
        moved_m = float(np.linalg.norm(T1[:3, 3] - T0[:3, 3]))
        turned_rad = float(so3.angle_between(T0[:3, :3], T1[:3, :3]))
        self._linked[index] = (
            moved_m <= config.max_speed_m_s * elapsed_s + config.jump_slack_m
            and turned_rad <= config.max_angular_speed_rad_s * elapsed_s + config.jump_slack_rad
        )

    def _trim(self) -> None:
        """Drop what is older than the buffer, and keep the first sample unlinked."""
        oldest_ns = self._stamps_ns[-1] - round(self._config.buffer_s / _NS)
        keep = bisect.bisect_left(self._stamps_ns, oldest_ns)
        if keep:
            del self._stamps_ns[:keep], self._poses[:keep], self._linked[:keep]
            self._linked[0] = False

    def _clear(self) -> None:
        self._stamps_ns.clear()
        self._poses.clear()
        self._linked.clear()
