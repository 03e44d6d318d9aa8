"""What can be set on the inputs and outputs of a node; part of the node's config."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Literal

from hand4d_ros.errors import ConfigError
from hand4d_ros.geometry.odometry import OdometryConfig
from hand4d_ros.settings import check

_NON_NEGATIVE = {"min": 0.0}


@dataclass(frozen=True)
class CameraInputConfig:
    """Where the intrinsics come from, and what is done when they do not fit."""

    source: Literal["auto", "camera_info", "given"] = "auto"
    """auto: camera_info where it comes, else the intrinsics given here, which is announced once.
    camera_info: never the given ones. given: never camera_info."""
    wait_s: float = field(default=2.0, metadata=_NON_NEGATIVE)
    """How long images wait for camera_info before the given intrinsics are used (s, counted in
    image stamps)."""
    fx_px: float = field(default=0.0, metadata=_NON_NEGATIVE)
    """Given focal length in x (px); 0 where none is given."""
    fy_px: float = field(default=0.0, metadata=_NON_NEGATIVE)
    """Given focal length in y (px); 0 takes fx_px."""
    cx_px: float = 0.0
    """Given principal point in x (px); 0 takes the middle of the image."""
    cy_px: float = 0.0
    """Given principal point in y (px); 0 takes the middle of the image."""
    horizontal_fov_deg: float = field(default=0.0, metadata={"min": 0.0, "max": 179.0})
    """Given horizontal field of view (deg), instead of fx_px; 0 where none is given."""
    rectified: bool = False
    """The images are rectified: take P of camera_info, without distortion."""
    on_size_mismatch: Literal["drop", "scale"] = "drop"
    """When image and camera_info differ in size. drop: drop and say so. scale: the image was
    resized; scale the intrinsics, provided that the sides kept their ratio."""

    def __post_init__(self) -> None:
        """Reject intrinsics that contradict each other or are missing."""
        check(self)
        if self.fx_px > 0.0 and self.horizontal_fov_deg > 0.0:
            raise ConfigError(
                f"camera.fx_px is {self.fx_px} and camera.horizontal_fov_deg is "
                f"{self.horizontal_fov_deg}; give one of them and leave the other at 0"
            )
        if self.source == "given" and not self.is_given:
            raise ConfigError(
                "camera.source is 'given', but no intrinsics are; set camera.fx_px or "
                "camera.horizontal_fov_deg"
            )

    @property
    def is_given(self) -> bool:
        """Whether intrinsics are given here."""
        return self.fx_px > 0.0 or self.horizontal_fov_deg > 0.0


@dataclass(frozen=True)
class ExtrinsicConfig:
    """Pose of the camera on the body whose motion the odometry measures."""

    source: Literal["auto", "tf", "parameter"] = "auto"
    """auto: none is needed where the odometry's child_frame_id is the camera's frame (or empty),
    else /tf_static. tf: always /tf_static. parameter: the values given here."""
    translation_m: tuple[float, float, float] = (0.0, 0.0, 0.0)
    """Camera position on the body (m), for source 'parameter'."""
    quaternion_xyzw: tuple[float, float, float, float] = (0.0, 0.0, 0.0, 1.0)
    """Orientation of the camera's optical frame on the body, in the order of ROS messages (x, y,
    z, w), for source 'parameter'."""

    def __post_init__(self) -> None:
        """Reject what is no rigid transform."""
        check(self)
        norm = math.hypot(*self.quaternion_xyzw)
        if not 0.99 < norm < 1.01:
            raise ConfigError(
                f"extrinsic.quaternion_xyzw is {self.quaternion_xyzw} of length {norm:.3g}; "
                "expected a unit quaternion (x, y, z, w)"
            )
        if not all(math.isfinite(value) for value in self.translation_m):
            raise ConfigError(f"extrinsic.translation_m is {self.translation_m}; expected metres")


@dataclass(frozen=True)
class OdometryInputConfig:
    """Where the camera's pose in the world comes from."""

    mode: Literal["auto", "required", "static"] = "auto"
    """auto: odometry where it comes, else a static camera, which is announced once. required:
    images without odometry are dropped. static: the camera never moves; odometry is ignored."""
    wait_s: float = field(default=2.0, metadata=_NON_NEGATIVE)
    """In mode auto, how long images wait for the first odometry before the camera counts as
    static (s, counted in image stamps)."""
    wait_for_newer_s: float = field(default=0.05, metadata={"min": 0.0, "max": 1.0})
    """How long an image waits for odometry as new as itself, so that its pose is interpolated
    and not extrapolated (s of real time)."""
    buffer: OdometryConfig = field(default=OdometryConfig(), metadata={"flatten": True})


@dataclass(frozen=True)
class OutputConfig:
    """What is published besides the hands and the wrists."""

    tf: bool = True
    """Publish the wrists on /tf."""
    joint_tf: bool = False
    """Publish all 16 joints of each hand on /tf; this loads every listener of /tf."""
    tf_prefix: str = "hand4d/"
    """In front of the frames of the hands: hand4d/left_wrist."""
    markers: bool = True
    """Publish ~/markers for RViz and Foxglove, while someone subscribes."""
    debug_image: bool = True
    """Publish ~/debug_image, the image with the keypoints on it, while someone subscribes."""
