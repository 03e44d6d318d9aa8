"""Odometry in, the camera's pose in the world at the stamp of an image out, or why there is none.

An image usually arrives before the odometry of its instant, so it may wait a little for newer
odometry: a pose between two samples is far better than one beyond the last.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from hand4d_ros.geometry import se3, so3
from hand4d_ros.geometry.odometry import OdometryBuffer, OdometryEvent
from hand4d_ros.ros.announce import Announcer
from hand4d_ros.ros.input_config import ExtrinsicConfig, OdometryInputConfig
from hand4d_ros.shapes import Array, Float

_NS = 1e-9
_POLL_S = 0.001

StaticLookup = Callable[[str, str], "Float[Array, '4 4'] | None"]
"""From a target and a source frame to ``T_target_source``."""


@dataclass(frozen=True)
class CameraPose:
    """Answer for one image."""

    T_world_camera: Float[Array, "4 4"] | None
    """Pose of the camera's optical frame; None where it is unknown."""
    world_frame: str
    """Empty while not even the name of the world is known."""
    reason: str = ""
    """Why there is no pose, as a word to count drops by."""
    jumped: bool = False
    """Whether the world is another one than at the last image, so that tracks do not carry
    over: the odometry jumped, or took the place of a static camera."""


class OdometryInput:
    """Keeps the odometry and answers for images, all in one thread."""

    def __init__(
        self,
        config: OdometryInputConfig,
        extrinsic: ExtrinsicConfig,
        lookup: StaticLookup,
        announcer: Announcer,
        *,
        topic: str,
        world_frame: str = "",
        fetch: Callable[[], None] = lambda: None,
    ) -> None:
        """Start without odometry.

        Args:
            config: Whether odometry is needed, and how long to wait for it.
            extrinsic: Where the pose of the camera on the moving body comes from.
            lookup: Finds static transforms.
            announcer: Says what is missing or wrong.
            topic: Resolved name of the odometry topic, for messages to people.
            world_frame: Name of the world; empty takes that of the odometry.
            fetch: Pushes what has arrived; called before every answer.
        """
        self.config = config
        self._fetch = fetch
        self._extrinsic = extrinsic
        self._lookup = lookup
        self._announcer = announcer
        self._topic = topic
        self._world_frame = world_frame
        self._buffer = OdometryBuffer(config.buffer)
        self._pushes = 0
        self._pushes_at_timeout = -1
        self._frames = ("", "")
        self._first_image_ns: int | None = None
        self._was_static = False
        self._last: tuple[int, Float[Array, "4 4"]] | None = None
        self._events: Counter[str] = Counter()
        self.age_ns = 0
        """Last image stamp minus newest odometry stamp; positive where odometry lags."""

    def push(
        self, stamp_ns: int, T_world_base: Float[Array, "4 4"], frame: str, child_frame: str
    ) -> None:
        """Take one odometry message; bad ones are counted and left out.

        Args:
            stamp_ns: Its stamp.
            T_world_base: Its pose.
            frame: Its frame_id: the world.
            child_frame: Its child_frame_id: the body that moves.
        """
        event = self._buffer.push(stamp_ns, T_world_base)
        if event is not OdometryEvent.ACCEPTED:
            # Replaced, never changed in place: diagnostics read it from another thread.
            self._events = self._events + Counter([event.value])
        if event is not OdometryEvent.NON_FINITE:
            self._frames = (frame, child_frame)
            self._pushes += 1
        else:
            self._announcer.repeatedly(
                "odometry_non_finite",
                f"odometry on {self._topic} holds a pose that is not finite or no rigid "
                "transform; it is left out",
                "error",
            )

    def events(self) -> dict[str, int]:
        """Return how often odometry was late, not finite, jumped or started anew."""
        return dict(sorted(self._events.items()))

    def forget_future(self, stamp_ns: int) -> None:
        """Forget odometry from before time jumped back to an image's stamp.

        Args:
            stamp_ns: Stamp of the first image after the jump.
        """
        latest_ns = self._buffer.latest_ns
        if latest_ns is not None and (latest_ns - stamp_ns) * _NS > self.config.buffer.max_late_s:
            self._buffer.clear()
        self._last = None
        self._first_image_ns = stamp_ns

    def pose_at(self, stamp_ns: int, camera_frame: str) -> CameraPose:
        """Pose of the camera at the stamp of an image, waiting a little where that helps.

        Args:
            stamp_ns: Capture time of the image.
            camera_frame: Name of the camera's optical frame.

        Returns:
            The pose, or why there is none.
        """
        if self._first_image_ns is None:
            self._first_image_ns = stamp_ns
        if self.config.mode == "static":
            return self._static(camera_frame)
        self._fetch()
        if not self._pushes:
            return self._without_odometry(stamp_ns, camera_frame)
        self._wait_for(stamp_ns)
        sample = self._buffer.at(stamp_ns)
        self.age_ns = sample.age_ns
        frame, child_frame = self._frames
        world_frame = self._world_frame or frame or "odom"
        if sample.T_world_base is None:
            reason = f"odometry_{sample.status.value}"
            self._announcer.repeatedly(reason, self._diagnosis(sample.age_ns), "warning")
            return CameraPose(None, world_frame, reason)
        T_base_camera = self._camera_on_base(child_frame, camera_frame)
        if T_base_camera is None:
            return CameraPose(None, world_frame, "no_extrinsic")
        jumped = self._was_static or self._jumped(stamp_ns, sample.T_world_base)
        if self._was_static:
            self._announcer.once(
                "odometry_came",
                f"odometry comes on {self._topic} now: the camera is static no longer, and "
                "hands start anew",
            )
        self._was_static = False
        self._last = (stamp_ns, sample.T_world_base)
        return CameraPose(sample.T_world_base @ T_base_camera, world_frame, jumped=jumped)

    def _static(self, camera_frame: str) -> CameraPose:
        return CameraPose(np.eye(4), self._world_frame or camera_frame)

    def _without_odometry(self, stamp_ns: int, camera_frame: str) -> CameraPose:
        if self.config.mode == "required":
            self._announcer.repeatedly(
                "no_odometry",
                f"images come, but no odometry on {self._topic}: remap odom, or set "
                "odometry.mode to static",
            )
            return CameraPose(None, self._world_frame, "no_odometry")
        first_ns = stamp_ns if self._first_image_ns is None else self._first_image_ns
        if (stamp_ns - first_ns) * _NS < self.config.wait_s:
            return CameraPose(None, "", "waiting_for_odometry")
        self._announcer.once(
            "static_camera",
            f"no odometry on {self._topic}: the camera counts as static, and hands are published "
            f"in its frame {self._world_frame or camera_frame!r}",
        )
        self._was_static = True
        return self._static(camera_frame)

    def _wait_for(self, stamp_ns: int) -> None:
        """Wait for odometry as new as an image, but not again and again for one that stopped."""
        deadline_s = time.monotonic() + self.config.wait_for_newer_s
        while not self._reaches(stamp_ns) and self._pushes != self._pushes_at_timeout:
            if time.monotonic() >= deadline_s:
                self._pushes_at_timeout = self._pushes
                return
            time.sleep(_POLL_S)
            self._fetch()

    def _reaches(self, stamp_ns: int) -> bool:
        latest_ns = self._buffer.latest_ns
        return latest_ns is not None and latest_ns >= stamp_ns

    def _camera_on_base(self, base: str, camera: str) -> Float[Array, "4 4"] | None:
        extrinsic = self._extrinsic
        if extrinsic.source == "parameter":
            x, y, z, w = extrinsic.quaternion_xyzw
            return se3.from_quaternion_translation(
                np.array([w, x, y, z]), np.array(extrinsic.translation_m)
            )
        if extrinsic.source == "auto" and base.lstrip("/") in ("", camera.lstrip("/")):
            return np.eye(4)
        T_base_camera = self._lookup(base, camera)
        if T_base_camera is None:
            self._announcer.repeatedly(
                "no_extrinsic",
                f"odometry on {self._topic} moves {base!r}, images come from {camera!r}, and "
                "/tf_static does not join the two: publish that static transform, or set "
                "extrinsic.source to parameter with extrinsic.translation_m and "
                "extrinsic.quaternion_xyzw",
                "error",
            )
        return T_base_camera

    def _jumped(self, stamp_ns: int, T_world_base: Float[Array, "4 4"]) -> bool:
        """Whether the body moved further since the last image than any motion could."""
        if self._last is None:
            return False
        last_ns, T_world_last = self._last
        limits = self.config.buffer
        elapsed_s = abs(stamp_ns - last_ns) * _NS
        moved_m = float(np.linalg.norm(T_world_base[:3, 3] - T_world_last[:3, 3]))
        turned_rad = float(so3.angle_between(T_world_last[:3, :3], T_world_base[:3, :3]))
        jumped = (
            moved_m > limits.max_speed_m_s * elapsed_s + limits.jump_slack_m
            or turned_rad > limits.max_angular_speed_rad_s * elapsed_s + limits.jump_slack_rad
        )
        if jumped:
            self._announcer.repeatedly(
                "odometry_jump",
                f"odometry on {self._topic} jumped by {moved_m:.2f} m and {turned_rad:.2f} rad "
                f"within {elapsed_s:.3f} s: hands start anew",
            )
        return jumped

    def _diagnosis(self, age_ns: int) -> str:
        age_ms = age_ns * 1e-6
        if age_ns > 0:
            state = f"is {age_ms:.0f} ms behind the images"
        else:
            state = f"has no pose {-age_ms:.0f} ms before its newest one, that of the image"
        return (
            f"odometry on {self._topic} {state}: images get no pose, and hands are extrapolated. "
            "Check its rate, that both clocks agree (use_sim_time), or raise "
            "odometry.max_extrapolation_s"
        )
