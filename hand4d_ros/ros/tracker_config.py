"""Everything that can be set on the tracker node; its ROS parameters are declared from this."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

from hand4d_ros.pipeline import PipelineConfig
from hand4d_ros.ros.input_config import (
    CameraInputConfig,
    ExtrinsicConfig,
    OdometryInputConfig,
    OutputConfig,
)
from hand4d_ros.settings import check

_RECONFIGURE = {"reconfigure": True}


@dataclass(frozen=True)
class TrackerNodeConfig:
    """Config of the tracker node."""

    autostart: bool = field(default=True, metadata={"read_only": True})
    """Configure and activate at start; false leaves both to a lifecycle manager."""
    image_transport: Literal["raw", "compressed"] = field(default="raw", metadata=_RECONFIGURE)
    """raw: sensor_msgs/Image on the image topic. compressed: sensor_msgs/CompressedImage on that
    topic with /compressed behind it."""
    image_reliability: Literal["best_effort", "reliable"] = field(
        default="best_effort", metadata=_RECONFIGURE
    )
    """Quality of service asked of the image topic; best_effort matches every camera."""
    world_frame: str = field(default="", metadata=_RECONFIGURE)
    """Name of the world frame in everything published; empty takes the frame_id of the
    odometry, or the camera's frame where the camera is static."""
    camera_frame: str = field(default="", metadata=_RECONFIGURE)
    """Name of the camera's optical frame; empty takes the frame_id of the images."""
    max_failures: int = field(default=5, metadata={"min": 1})
    """So many failures of the pipeline in a row make the node build it again."""
    camera: CameraInputConfig = field(default=CameraInputConfig(), metadata=_RECONFIGURE)
    odometry: OdometryInputConfig = field(default=OdometryInputConfig(), metadata=_RECONFIGURE)
    extrinsic: ExtrinsicConfig = field(default=ExtrinsicConfig(), metadata=_RECONFIGURE)
    publish: OutputConfig = field(default=OutputConfig())
    pipeline: PipelineConfig = field(
        default=PipelineConfig(), metadata={"flatten": True, "reconfigure": True}
    )

    def __post_init__(self) -> None:
        """Reject values out of range."""
        check(self)
