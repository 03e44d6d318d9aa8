"""What a benchmark gives a method, and, kept apart from it, what is true.

A clip holds only what a robot would have: stamps, the camera, what the detector found, where the
odometry says the camera is, and the images, drawn when they are asked for.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np

from hand4d_ros.errors import MetricError
from hand4d_ros.hand.model import ShapedHand
from hand4d_ros.shapes import Array, Bool, Float, Int, UInt8
from hand4d_ros.types import CameraModel, Frame, HandDetection, Side

Draw = Callable[[int], UInt8[Array, "h w 3"]]
"""Takes the number of a frame and gives its image (RGB)."""

IN_VIEW_KEYPOINTS = 15
"""True keypoints inside of the image from which on a hand counts as in view, as in replay."""


@dataclass(frozen=True)
class Clip:
    """``t`` frames of one camera, as a method may see them."""

    name: str
    stamps_ns: Int[Array, "t"]
    """Rising capture times."""
    camera: CameraModel
    detections: tuple[tuple[HandDetection, ...], ...]
    """Of each frame; any number of hands, of any side."""
    T_world_camera: Float[Array, "t 4 4"]
    """From the odometry, with its errors; NaN where it has no answer."""
    odometry_is_metric: bool = True
    """False where distances travelled carry an unknown constant factor, as in monocular SLAM."""
    hand_length_m: float = 0.0
    """Length of this person's hand, wrist to tip of the middle finger; 0 if not measured."""
    draw: Draw | None = None
    """Makes the image of a frame; None where the clip has none."""

    def __post_init__(self) -> None:
        """Reject parts that do not belong together.

        Raises:
            MetricError: The numbers of stamps, detections and poses differ.
        """
        counts = (len(self.stamps_ns), len(self.detections), len(self.T_world_camera))
        if len(set(counts)) != 1:
            msg = f"clip {self.name!r}: {counts} stamps, detections and poses; give as many of each"
            raise MetricError(msg)

    def __len__(self) -> int:
        """Number of frames."""
        return len(self.stamps_ns)

    @property
    def fps(self) -> float:
        """Mean rate of the frames (Hz)."""
        return (len(self) - 1) / max(1e-9 * float(self.stamps_ns[-1] - self.stamps_ns[0]), 1e-9)

    def frame(self, index: int, *, with_image: bool = True) -> Frame:
        """Return a frame as the pipeline takes it.

        Args:
            index: Its number.
            with_image: Draw the image; else, and where there is none, it is black.
        """
        size = (self.camera.height_px, self.camera.width_px, 3)
        image = np.broadcast_to(np.zeros((), dtype=np.uint8), size)
        if with_image and self.draw is not None:
            image = self.draw(index)
        T_world_camera = self.T_world_camera[index]
        known = bool(np.isfinite(T_world_camera).all())
        return Frame(
            int(self.stamps_ns[index]), image, self.camera, T_world_camera if known else None
        )


@dataclass(frozen=True)
class HandSeriesTruth:
    """One hand over the frames of a clip, as it truly is; NaN where nobody knows."""

    side: Side
    keypoints_m: Float[Array, "t 21 3"]
    """In the world."""
    keypoints_px: Float[Array, "t 21 2"]
    """In the image; NaN behind the camera."""
    in_view: Bool[Array, "t"]
    """At least ``IN_VIEW_KEYPOINTS`` inside of the image."""
    T_world_wrist: Float[Array, "t 4 4"] | None = None
    joint_rotvec: Float[Array, "t 15 3"] | None = None
    """Axis-angle (rad) of joints 1..15 in MANO order."""
    hand: ShapedHand | None = None
    """The shaped model that the parameters belong to; None where the truth has no parameters."""
    rest: Bool[Array, "t"] | None = None
    """Frames in which the hand is known to rest; None finds them in the keypoints."""


@dataclass(frozen=True)
class ClipTruth:
    """What is true of a clip."""

    T_world_camera: Float[Array, "t 4 4"]
    hands: Mapping[Side, HandSeriesTruth]
    world_scale: float | None = None
    """Metres per unit of the odometry; None where nobody knows."""


@dataclass(frozen=True)
class Sample:
    """A clip, its truth, and the parts of it that get figures of their own."""

    clip: Clip
    truth: ClipTruth
    groups: Mapping[str, Mapping[Side, Bool[Array, "t"]]]
    """Name of a group to the frames of each hand that are in it, such as an occlusion bin."""
