"""Intrinsics and camera pose of each image of a bag, from its other topics.

The answers and the words for what is missing are those of the live node.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from hand4d_ros.errors import BagError, GeometryError
from hand4d_ros.geometry.odometry import OdometryBuffer, OdometryConfig, OdometryEvent
from hand4d_ros.geometry.static_frames import StaticFrames
from hand4d_ros.replay.bags import BagMessage, BagReader
from hand4d_ros.replay.inputs import TF_TYPE
from hand4d_ros.replay.media import MediaOptions, camera_of_video
from hand4d_ros.shapes import Array, Float
from hand4d_ros.types import CameraModel
from hand4d_ros.wire import matrix_from_transform
from hand4d_ros.wire_sensors import camera_from_info, stamped_pose_from_odometry

Note = Callable[[str], None]
"""Takes a remark for people; saying the same twice says it once."""

_STATIC_TF = "/tf_static"
_LOOK_AHEAD_NS = 2_000_000_000


@dataclass(frozen=True)
class BagInputConfig:
    """Which topics of a bag are read, and what stands in for those it lacks."""

    image_topic: str = ""
    """Image topic, raw or compressed; empty finds it by its type."""
    camera_info_topic: str = ""
    """camera_info topic; empty finds the one beside the image."""
    odometry_topic: str = ""
    """Odometry topic; empty finds it by its type."""
    fov_deg: float = 0.0
    """Field of view along the longer side of the image (deg), where the bag has no camera_info;
    0 takes a guess, which is announced."""
    static_camera: bool = False
    """Ignore the odometry: the camera never moves, and the world is its frame."""
    odometry_is_camera: bool = False
    """The odometry is the camera's own, whatever its child_frame_id says; else /tf_static has to
    join the two frames."""
    odometry: OdometryConfig = field(default_factory=OdometryConfig)


class Cameras:
    """The newest camera_info, or what stands in for one."""

    def __init__(self, config: BagInputConfig, note: Note) -> None:
        """Start without any camera_info."""
        self._options = MediaOptions(fov_deg=config.fov_deg)
        self._note = note
        self._camera: CameraModel | None = None
        self._fault = ""

    def put(self, message: Any) -> None:
        """Take a camera_info message."""
        try:
            self._camera, self._fault = camera_from_info(message), ""
        except GeometryError as error:
            self._fault = "camera_info_invalid"
            self._note(f"camera_info is unusable: {error}")

    def for_size(self, width_px: int, height_px: int) -> tuple[CameraModel | None, str]:
        """Return the intrinsics of an image, or why there are none."""
        if self._fault:
            return None, self._fault
        if self._camera is None:
            self._camera, note = camera_of_video(width_px, height_px, self._options)
            if note:
                self._note(note)
        if (self._camera.width_px, self._camera.height_px) == (width_px, height_px):
            return self._camera, ""
        self._note(
            f"images are {width_px} x {height_px}, but the camera's intrinsics are for "
            f"{self._camera.width_px} x {self._camera.height_px}: images are dropped"
        )
        return None, "camera_info_size"


class CameraPoses:
    """Odometry merged in the order of time, a little ahead of the images, in bounded memory."""

    def __init__(self, bag: BagReader, topic: str, config: BagInputConfig, note: Note) -> None:
        """Start before the first odometry.

        Args:
            bag: A reader of its own: its messages are read beside those of the images.
            topic: Odometry; empty where there is none, which makes the camera static.
            config: What to believe, and whether the odometry is the camera's own.
            note: Takes remarks.
        """
        self._config = config
        self._note = note
        self._buffer = OdometryBuffer(config.odometry)
        self._static = _static_frames(bag)
        self._odometry = _Peekable(bag.messages([topic])) if topic else None
        self._frames = ("", "")
        self.events: Counter[str] = Counter()
        """How often odometry was not finite, out of order, jumped or started anew."""

    def at(
        self, stamp_ns: int, log_ns: int, camera_frame: str
    ) -> tuple[Float[Array, "4 4"] | None, str, str]:
        """Return the camera's pose, the name of the world, and why there is no pose.

        Args:
            stamp_ns: Capture time of the image.
            log_ns: When the image was recorded.
            camera_frame: Frame of the image.

        Raises:
            BagError: The odometry is that of another body, and /tf_static does not join the two.
        """
        if self._odometry is None:
            return np.eye(4), camera_frame, ""
        self._read_up_to(stamp_ns, log_ns, self._odometry)
        sample = self._buffer.at(stamp_ns)
        world_frame, base_frame = self._frames
        if sample.T_world_base is None:
            return None, world_frame or "odom", f"odometry_{sample.status.value}"
        T_base_camera = self._camera_on_base(base_frame, camera_frame)
        return sample.T_world_base @ T_base_camera, world_frame or "odom", ""

    def _read_up_to(self, stamp_ns: int, log_ns: int, odometry: _Peekable) -> None:
        """Push what was recorded before the image, and on until its stamp is covered."""
        while (read := odometry.peek()) is not None:
            odometry_ns, T_world_base = stamped_pose_from_odometry(read.message)
            if read.log_ns > log_ns:
                latest_ns = self._buffer.latest_ns
                covered = latest_ns is not None and latest_ns >= stamp_ns
                # Time may jump back in the odometry a moment before it does in the images.
                late_ns = self._config.odometry.max_late_s * 1e9
                jumps = latest_ns is not None and odometry_ns < latest_ns - late_ns
                if covered or jumps or read.log_ns > log_ns + _LOOK_AHEAD_NS:
                    return
            odometry.advance()
            self._push(odometry_ns, T_world_base, read.message)

    def _push(self, stamp_ns: int, T_world_base: Float[Array, "4 4"], message: Any) -> None:
        event = self._buffer.push(stamp_ns, T_world_base)
        if event is not OdometryEvent.ACCEPTED:
            self.events[event.value] += 1
            self._note(f"odometry has samples that are {event.value.replace('_', ' ')}")
        if event is not OdometryEvent.NON_FINITE:
            self._frames = (str(message.header.frame_id), str(message.child_frame_id))

    def _camera_on_base(self, base: str, camera: str) -> Float[Array, "4 4"]:
        if self._config.odometry_is_camera or base.lstrip("/") in ("", camera.lstrip("/")):
            return np.eye(4)
        T_base_camera = self._static.lookup(base, camera)
        if T_base_camera is None:
            msg = (
                f"the odometry is that of {base!r}, the images are those of {camera!r}, and "
                "/tf_static does not join the two: record /tf_static, or give --odometry-is-camera "
                "if the odometry is the camera's own"
            )
            raise BagError(msg)
        return T_base_camera


class _Peekable:
    """An iterator whose next item can be looked at before it is taken."""

    def __init__(self, messages: Iterator[BagMessage]) -> None:
        self._messages = messages
        self._next = next(messages, None)

    def peek(self) -> BagMessage | None:
        """Return the next item, None at the end."""
        return self._next

    def advance(self) -> None:
        """Go to the item after it."""
        self._next = next(self._messages, None)


def _static_frames(bag: BagReader) -> StaticFrames:
    frames = StaticFrames()
    if any(t.name == _STATIC_TF and t.msgtype == TF_TYPE for t in bag.topics):
        for read in bag.messages([_STATIC_TF]):
            for each in read.message.transforms:
                placed = matrix_from_transform(each.transform)
                frames.put(str(each.header.frame_id), str(each.child_frame_id), placed)
    return frames
