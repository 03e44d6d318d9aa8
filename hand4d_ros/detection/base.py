"""What every detector does, so that the pipeline does not know which one it has."""

from __future__ import annotations

from typing import Literal, Protocol, runtime_checkable

import numpy as np

from hand4d_ros.errors import DetectionError
from hand4d_ros.shapes import Array, Bool, Float
from hand4d_ros.types import CameraModel, Frame, HandDetection

DetectorName = Literal["mediapipe", "external", "truth"]
"""Detectors that a configuration can name."""


@runtime_checkable
class Detector(Protocol):
    """Finds hands in single frames; frames come in the order of capture."""

    def detect(self, frame: Frame) -> list[HandDetection]:
        """Hands in one frame, the surest first; none is an empty list.

        Args:
            frame: The image with its camera.

        Returns:
            One detection for each hand.

        Raises:
            DetectionError: If the detector could not run; never for a frame without hands.
        """
        ...

    def warm_up(self, camera: CameraModel) -> None:
        """Do the slow first run now, so that the first frame is as fast as the others.

        Args:
            camera: The camera that frames will come from.

        Raises:
            DetectionError: If the detector cannot run.
        """
        ...

    def close(self) -> None:
        """Give threads and memory back; ``detect`` raises afterwards."""
        ...


def check_image(frame: Frame) -> None:
    """Complain about an image that no detector can work on.

    Args:
        frame: The frame to look at.

    Raises:
        DetectionError: If the image is empty, is no 8-bit RGB image, or is not of the size that
            the frame's camera has.
    """
    image = frame.image
    if image.ndim != 3 or image.shape[2] != 3 or str(image.dtype) != "uint8":
        msg = f"image has shape {image.shape} of {image.dtype}; expected (h, w, 3) of uint8, RGB"
        raise DetectionError(msg)
    if image.size == 0:
        raise DetectionError(f"image is empty: its shape is {image.shape}")
    expected = (frame.camera.height_px, frame.camera.width_px)
    if image.shape[:2] != expected:
        msg = (
            f"image is {image.shape[1]}x{image.shape[0]} but its camera is "
            f"{expected[1]}x{expected[0]}; scale the camera with geometry.camera.scaled"
        )
        raise DetectionError(msg)


def fill_unseen(
    px: Float[Array, "21 2"],
) -> tuple[Float[Array, "21 2"], Bool[Array, "21"]]:
    """Give keypoints without a pixel that of the hand's middle, and say which had one.

    A keypoint behind the camera or outside of the lens's field has no pixel. Solvers need a
    number there all the same; the confidence of such a keypoint must be zero.

    Args:
        px: Projected keypoints, NaN where there is no pixel.

    Returns:
        Pixels without NaN, unless no keypoint has a pixel at all, and whether each had one.
    """
    seen = np.isfinite(px).all(axis=-1)
    if seen.all() or not seen.any():
        return px, seen
    return np.where(seen[:, None], px, px[seen].mean(axis=0)), seen
