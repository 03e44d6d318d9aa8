"""A video or folder of frames in, a bag with the topics of a camera and its odometry out."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

from hand4d_ros import wire_sensors
from hand4d_ros.errors import MediaError
from hand4d_ros.imaging import jpeg_from_rgb
from hand4d_ros.replay.bags import BagWriter
from hand4d_ros.replay.inputs import (
    CAMERA_INFO_TYPE,
    COMPRESSED_TYPE,
    IMAGE_TYPE,
    ODOMETRY_TYPE,
)
from hand4d_ros.replay.media import MediaSource
from hand4d_ros.types import Frame
from hand4d_ros.wire import Message

RAW_TOPIC = "/camera/image_raw"
COMPRESSED_TOPIC = "/camera/image_raw/compressed"
CAMERA_INFO_TOPIC = "/camera/camera_info"
ODOMETRY_TOPIC = "/odom"
WORLD_FRAME = "odom"


@dataclass(frozen=True)
class MediaBagOptions:
    """How frames are stored."""

    raw: bool = False
    """Store pixels as they are: about ten times larger than JPEG."""
    jpeg_quality: int = 92
    """1 to 100; below about 85 fingertips suffer."""
    max_frames: int = 0
    """Stop after so many frames; 0 takes all."""

    def __post_init__(self) -> None:
        """Reject what is out of range."""
        if not 1 <= self.jpeg_quality <= 100:
            msg = f"jpeg_quality is {self.jpeg_quality}; allowed are 1 to 100"
            raise MediaError(msg)
        if self.max_frames < 0:
            msg = f"max_frames is {self.max_frames}; allowed are 0 (all) and up"
            raise MediaError(msg)


@dataclass(frozen=True)
class MediaBag:
    """What was written."""

    frames: int
    poses: int
    """Frames with a camera pose."""
    duration_s: float
    """From the first to the last frame."""
    topics: tuple[str, ...]


def write_media_bag(
    source: MediaSource,
    out: Path,
    options: MediaBagOptions | None = None,
    progress: Callable[[int], None] | None = None,
) -> MediaBag:
    """Write every frame of a recording into a bag.

    The pose of the camera becomes ``nav_msgs/Odometry`` whose child frame is the camera's, so no
    extrinsic is needed; frames without a pose get none.

    Args:
        source: From ``media.open_media``.
        out: Bag; ``.mcap`` for one file.
        options: How frames are stored.
        progress: Called with the number of frames done.

    Raises:
        MediaError: A frame is missing or damaged; nothing is left at ``out`` then.
        BagError: The bag cannot be written.
    """
    options = options or MediaBagOptions()
    stamps_ns: list[int] = []
    poses = 0
    topics: dict[str, None] = {}
    with BagWriter(out) as bag:
        for read in source.frames():
            frame = read if source.has_poses else replace(read, T_world_camera=None)
            for topic, msgtype, message in camera_messages(frame, options):
                bag.write(topic, msgtype, message, frame.stamp_ns)
                topics[topic] = None
            stamps_ns.append(frame.stamp_ns)
            poses += frame.T_world_camera is not None
            if progress is not None:
                progress(len(stamps_ns))
            if len(stamps_ns) == options.max_frames:
                break
    duration_s = (stamps_ns[-1] - stamps_ns[0]) * 1e-9 if stamps_ns else 0.0
    return MediaBag(len(stamps_ns), poses, duration_s, tuple(topics))


def camera_messages(frame: Frame, options: MediaBagOptions) -> list[tuple[str, str, Message]]:
    """Return topic, type and content of what one frame becomes, in the order of a camera."""
    stamp_ns, name = frame.stamp_ns, frame.camera_frame
    messages = []
    if frame.T_world_camera is not None:
        odometry = wire_sensors.odometry(frame.T_world_camera, stamp_ns, WORLD_FRAME, name)
        messages.append((ODOMETRY_TOPIC, ODOMETRY_TYPE, odometry))
    info = wire_sensors.camera_info(frame.camera, stamp_ns, name)
    messages.append((CAMERA_INFO_TOPIC, CAMERA_INFO_TYPE, info))
    if options.raw:
        image = wire_sensors.image(frame.image, stamp_ns, name)
        messages.append((RAW_TOPIC, IMAGE_TYPE, image))
    else:
        data = jpeg_from_rgb(frame.image, options.jpeg_quality)
        image = wire_sensors.compressed_image(data, "jpeg", stamp_ns, name)
        messages.append((COMPRESSED_TOPIC, COMPRESSED_TYPE, image))
    return messages
