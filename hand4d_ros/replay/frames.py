"""The images of a bag as camera frames with intrinsics and the camera's pose at each stamp.

What the live node drops is dropped here too, under the same name, except what comes late:
offline every image is processed.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import final

from hand4d_ros.errors import MediaError
from hand4d_ros.imaging import rgb_from_compressed_message, rgb_from_image_message
from hand4d_ros.replay.bags import BagMessage, BagReader
from hand4d_ros.replay.context import BagInputConfig, CameraPoses, Cameras
from hand4d_ros.replay.inputs import find_inputs
from hand4d_ros.types import Frame
from hand4d_ros.wire import ns_from_time


@dataclass(frozen=True)
class BagFrame:
    """One image of a bag, or why it is none."""

    stamp_ns: int
    """Capture time."""
    frame: Frame | None
    """None where the image cannot be used at all."""
    reason: str = ""
    """Why there is no frame, or no pose in it: the word under which drops are counted."""


@final
class BagFrames:
    """The camera of a bag, open for reading; ``frames`` may be called again for another pass."""

    def __init__(self, path: Path | str, config: BagInputConfig | None = None) -> None:
        """Open a bag and find its topics.

        Raises:
            BagError: The bag cannot be read, a topic is missing, or a choice is left to you.
        """
        self.config = config or BagInputConfig()
        self._stack = ExitStack()
        self.bag = BagReader(path)
        self._stack.callback(self.bag.close)
        self.topics = find_inputs(
            self.bag,
            self.config.image_topic,
            self.config.camera_info_topic,
            self.config.odometry_topic,
        )
        self.count = self.bag.count(self.topics.image)
        """Number of images."""
        self.notes: list[str] = []
        """What is missing, guessed or assumed, for people."""
        if self.bag.note:
            self._note(self.bag.note)
        if not self._odometry_topic:
            self._note("without odometry the camera counts as static; the world is its frame")

    def __enter__(self) -> BagFrames:
        """Return the open bag."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Close the bag."""
        self._stack.close()

    @property
    def _odometry_topic(self) -> str:
        return "" if self.config.static_camera else self.topics.odometry

    def frames(self) -> Iterator[BagFrame]:
        """Yield every image in the order of recording.

        Raises:
            BagError: The bag is damaged, or odometry and camera are not joined by /tf_static.
        """
        cameras = Cameras(self.config, self._note)
        info = self.topics.camera_info
        if info:
            # Images from before the first camera_info have the same camera.
            cameras.put(next(self.bag.messages([info])).message)
        with BagReader(self.bag.path) as other:
            poses = CameraPoses(other, self._odometry_topic, self.config, self._note)
            for read in self.bag.messages([self.topics.image, *([info] if info else [])]):
                if read.topic == info:
                    cameras.put(read.message)
                else:
                    yield self._frame(read, cameras, poses)

    def _frame(self, read: BagMessage, cameras: Cameras, poses: CameraPoses) -> BagFrame:
        stamp_ns = ns_from_time(read.message.header.stamp)
        if stamp_ns <= 0:
            self._note("images without a stamp (0) are dropped: a driver must stamp at capture")
            return BagFrame(stamp_ns, None, "no_stamp")
        compressed = self.topics.compressed
        decode = rgb_from_compressed_message if compressed else rgb_from_image_message
        try:
            image = decode(read.message)
        except MediaError as error:
            self._note(f"images are dropped: {error}")
            return BagFrame(stamp_ns, None, "bad_image")
        camera, reason = cameras.for_size(image.shape[1], image.shape[0])
        if camera is None:
            return BagFrame(stamp_ns, None, reason)
        camera_frame = str(read.message.header.frame_id) or "camera"
        pose, world_frame, reason = poses.at(stamp_ns, read.log_ns, camera_frame)
        frame = Frame(stamp_ns, image, camera, pose, camera_frame, world_frame)
        return BagFrame(stamp_ns, frame, reason)

    def _note(self, text: str) -> None:
        if text not in self.notes:
            self.notes.append(text)
