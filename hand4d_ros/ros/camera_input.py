"""camera_info or given intrinsics in, the camera model of each image out, or why there is none."""

from __future__ import annotations

import dataclasses
import math
import threading

from hand4d_ros.errors import GeometryError
from hand4d_ros.geometry.camera import camera_from_fov, check_camera, scaled
from hand4d_ros.ros.announce import Announcer
from hand4d_ros.ros.input_config import CameraInputConfig
from hand4d_ros.types import CameraModel

_RATIO_TOLERANCE = 0.01


class NoCamera(Exception):  # noqa: N818 - an answer, not a fault of the program.
    """An image has no usable intrinsics.

    Attributes:
        reason: Word under which the image is counted.
    """

    def __init__(self, reason: str) -> None:
        """Give the reason for the count of drops."""
        super().__init__(reason)
        self.reason = reason


class CameraInput:
    """Knows the newest camera_info and decides which intrinsics an image gets."""

    def __init__(self, config: CameraInputConfig, announcer: Announcer, topic: str) -> None:
        """Start without any camera_info.

        Args:
            config: Where intrinsics come from.
            announcer: Says what is missing or wrong.
            topic: Resolved name of the camera_info topic, for messages to people.
        """
        self.config = config
        self._announcer = announcer
        self._topic = topic
        self._lock = threading.Lock()
        self._camera: CameraModel | None = None
        self._fault = ""
        self._first_image_ns: int | None = None

    def put(self, camera: CameraModel | GeometryError) -> None:
        """Take the content of a camera_info message.

        Args:
            camera: The camera, or why the message holds none.
        """
        with self._lock:
            if isinstance(camera, GeometryError):
                self._fault = str(camera)
            else:
                self._camera, self._fault = camera, ""

    def camera_for(self, width_px: int, height_px: int, stamp_ns: int) -> CameraModel:
        """Camera model of one image.

        Args:
            width_px: Width of the image.
            height_px: Height of the image.
            stamp_ns: Capture time of the image.

        Returns:
            Intrinsics that fit the image.

        Raises:
            NoCamera: If there are none, with the reason under which the image is dropped.
        """
        with self._lock:
            camera, fault = self._camera, self._fault
            if self._first_image_ns is None or stamp_ns < self._first_image_ns:
                self._first_image_ns = stamp_ns
            waited_s = (stamp_ns - self._first_image_ns) * 1e-9
        if self.config.source == "given":
            return self._given(width_px, height_px)
        if camera is not None and not fault:
            self._announcer.forget("camera_info")
            return self._fitted(camera, width_px, height_px)
        if fault:
            self._announcer.repeatedly(
                "camera_info",
                f"camera_info on {self._topic} is unusable: {fault}. Calibrate the camera, or "
                "give camera.fx_px or camera.horizontal_fov_deg",
                "error",
            )
        if self.config.source == "auto" and self.config.is_given:
            if fault or waited_s >= self.config.wait_s:
                self._announcer.once(
                    "given_intrinsics",
                    f"no usable camera_info on {self._topic}: the given intrinsics are used",
                )
                return self._given(width_px, height_px)
        elif not fault:
            self._announcer.repeatedly(
                "camera_info",
                f"images come, but no camera_info on {self._topic}: remap camera_info, or give "
                "camera.fx_px or camera.horizontal_fov_deg",
            )
        raise NoCamera("camera_info_invalid" if fault else "no_camera_info")

    def _given(self, width_px: int, height_px: int) -> CameraModel:
        config = self.config
        if config.horizontal_fov_deg > 0.0:
            fov_rad = math.radians(config.horizontal_fov_deg)
            camera = camera_from_fov(width_px, height_px, fov_rad)
        else:
            fx_px, fy_px = config.fx_px, config.fy_px or config.fx_px
            centre_px = ((width_px - 1) / 2.0, (height_px - 1) / 2.0)
            camera = CameraModel(width_px, height_px, fx_px, fy_px, *centre_px)
        return check_camera(
            dataclasses.replace(
                camera,
                cx_px=config.cx_px or camera.cx_px,
                cy_px=config.cy_px or camera.cy_px,
            )
        )

    def _fitted(self, camera: CameraModel, width_px: int, height_px: int) -> CameraModel:
        if (camera.width_px, camera.height_px) == (width_px, height_px):
            return camera
        ratio = (width_px / camera.width_px) / (height_px / camera.height_px)
        if self.config.on_size_mismatch == "scale" and abs(ratio - 1.0) <= _RATIO_TOLERANCE:
            self._announcer.once(
                "scaled",
                f"images are {width_px}x{height_px}, camera_info on {self._topic} says "
                f"{camera.width_px}x{camera.height_px}: the intrinsics are scaled",
            )
            return scaled(camera, width_px, height_px)
        self._announcer.repeatedly(
            "camera_size",
            f"images are {width_px}x{height_px}, but camera_info on {self._topic} says "
            f"{camera.width_px}x{camera.height_px}: remap camera_info to that of this image, or, "
            "if the image was resized, set camera.on_size_mismatch to scale (the sides must keep "
            "their ratio)",
            "error",
        )
        raise NoCamera("camera_info_size")
