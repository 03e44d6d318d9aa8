"""Arguments of the launch files and of ``hand4d up``: each once, with default and meaning.

An argument of which the parameter file knows too is empty by default, which leaves it to the
file; given here it wins over the file.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field, fields
from typing import Literal

from hand4d_ros.errors import ConfigError
from hand4d_ros.settings import check

OnOff = Literal["", "true", "false"]
_NAME = re.compile(r"[A-Za-z0-9_/~]*")


@dataclass(frozen=True)
class EgocentricArguments:
    """Arguments of ``egocentric.launch.py``: a camera and odometry that are live."""

    image_topic: str = "/camera/image_raw"
    """Topic of the images, or, for compressed images, that name without /compressed."""
    camera_info_topic: str = "/camera/camera_info"
    """Topic of the camera's calibration."""
    odom_topic: str = "/odom"
    """Topic of the odometry of the camera or of the body that carries it."""
    image_transport: Literal["", "raw", "compressed"] = ""
    """Kind of image messages; empty takes that of the parameter file."""
    image_reliability: Literal["", "best_effort", "reliable"] = ""
    """Quality of service asked of the images; empty takes that of the parameter file."""
    world_frame: str = ""
    """Name of the world frame; empty takes that of the parameter file, or of the odometry."""
    camera_frame: str = ""
    """Name of the camera's optical frame; empty takes that of the parameter file, or of the
    images."""
    odometry_mode: Literal["", "auto", "required", "static"] = ""
    """Whether odometry is needed; empty takes that of the parameter file."""
    publish_tf: OnOff = ""
    """Publish the wrists on /tf; empty takes that of the parameter file."""
    publish_joint_tf: OnOff = ""
    """Publish all joints on /tf; empty takes that of the parameter file."""
    params_file: str = ""
    """Parameter file (YAML) of the nodes; empty takes the one that is installed."""
    namespace: str = "hand4d"
    """Namespace of the nodes: their topics are /hand4d/tracker/hands and so on."""
    log_level: Literal["debug", "info", "warn", "error", "fatal"] = "info"
    """Least severe log lines that are shown."""
    autostart: bool = True
    """Configure and activate the nodes; false leaves both to a lifecycle manager."""
    use_sim_time: bool = False
    """Take the time from /clock, as when a bag is played."""
    forecast: OnOff = ""
    """Start the forecaster, a process beside the tracker; empty starts it for a live camera and
    not for a bag."""
    launch_rviz: bool = False
    """Open RViz on the topics of the nodes."""
    launch_foxglove: bool = False
    """Start foxglove_bridge, to which Foxglove connects on port 8765."""
    record: str = ""
    """Bag (.mcap) to record what the nodes publish to; empty records nothing."""

    def __post_init__(self) -> None:
        """Reject unknown names, and topics and namespaces that no node can have."""
        check(self)
        for name in ("image_topic", "camera_info_topic", "odom_topic", "namespace"):
            value = str(getattr(self, name))
            if not _NAME.fullmatch(value):
                raise ConfigError(
                    f"{name} is {value!r}; expected letters, digits, underscores and slashes"
                )


@dataclass(frozen=True)
class ReplayArguments(EgocentricArguments):
    """Arguments of ``replay.launch.py``: a bag in place of what is live."""

    bag: str = ""
    """Bag to play: a .mcap or .db3 file, or a folder of rosbag2."""
    rate: float = field(default=1.0, metadata={"min": 0.01, "max": 100.0})
    """Speed of the playback; 1 is that of the recording."""
    loop: bool = False
    """Begin anew at the end of the bag; false ends everything there."""
    start_paused: bool = False
    """Wait for ``~/set_paused`` before the first message."""
    image_topic: str = ""
    """Topic of the images in the bag; empty finds it by its type."""
    camera_info_topic: str = ""
    """Topic of the camera's calibration in the bag; empty finds it by its type."""
    odom_topic: str = ""
    """Topic of the odometry in the bag; empty finds it by its type."""
    use_sim_time: bool = True
    """Take the time from /clock, which the player publishes; false gives latencies no sense."""


def replay_from_egocentric(
    arguments: EgocentricArguments, bag: str, rate: float, *, loop: bool
) -> ReplayArguments:
    """Arguments to play a bag with settings that were given for a live graph.

    Args:
        arguments: Those that keep their default become the default of a replay, so that topics
            that were not given are found in the bag.
        bag: Bag to play.
        rate: Speed of the playback.
        loop: Begin anew at the end.

    Returns:
        Arguments of a replay.
    """
    default = EgocentricArguments()
    given = {
        each.name: getattr(arguments, each.name)
        for each in fields(EgocentricArguments)
        if getattr(arguments, each.name) != getattr(default, each.name)
    }
    return ReplayArguments(bag=bag, rate=rate, loop=loop, **given)
