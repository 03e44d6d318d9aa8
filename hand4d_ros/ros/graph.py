"""THE description of the graph of nodes; ``launch/*.launch.py`` and ``hand4d up`` both read it.

No rclpy and no launch is imported here, so that either can start from it, and a test compares
what they start.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import hand4d_ros
from hand4d_ros.errors import ConfigError
from hand4d_ros.ros.graph_arguments import EgocentricArguments, ReplayArguments
from hand4d_ros.ros.schema import Value

PACKAGE = "hand4d_ros"
MODULES = {
    "tracker": "hand4d_ros.ros.tracker_node",
    "forecaster": "hand4d_ros.ros.forecaster_node",
    "player": "hand4d_ros.ros.player_node",
    "recorder": "hand4d_ros.ros.recorder_node",
}
"""Module whose ``main`` each executable of this package runs."""
OUTPUT_TOPICS = ("hands", "left/wrist", "right/wrist", "markers", "debug_image")
"""Topics of the tracker, below its own name."""
RECORDED_TOPICS = ("hands", "left/wrist", "right/wrist", "markers")
"""Those of them that are recorded: the debug image is as large as the input."""
FORECAST_TOPICS = ("forecast", "markers")
"""Topics of the forecaster, below its own name."""


@dataclass(frozen=True)
class NodeSpec:
    """One process of the graph."""

    executable: str
    """Name in ``lib/<package>``."""
    name: str
    """Of the node; also what its output is marked with."""
    package: str = PACKAGE
    namespace: str = "/"
    remappings: tuple[tuple[str, str], ...] = ()
    params_files: tuple[str, ...] = ()
    parameters: tuple[tuple[str, Value], ...] = ()
    """They win over the files."""
    arguments: tuple[str, ...] = ()
    """Of the program, before the arguments of ROS."""
    log_level: str = "info"
    lifecycle: bool = False
    role: Literal["needed", "finite", "optional"] = "needed"
    """needed: its end is a failure and ends the graph. finite: its end is the end of the graph.
    optional: the graph goes on without it."""

    def command_line(self) -> list[str]:
        """Return all that stands after the executable."""
        line = [*self.arguments, "--ros-args", "-r", f"__node:={self.name}"]
        line += ["-r", f"__ns:={self.namespace}"]
        for inside, outside in self.remappings:
            line += ["-r", f"{inside}:={outside}"]
        for path in self.params_files:
            line += ["--params-file", path]
        for parameter, value in self.parameters:
            line += ["-p", f"{parameter}:={_yaml(value)}"]
        return [*line, "--log-level", self.log_level]


def egocentric_graph(arguments: EgocentricArguments) -> tuple[NodeSpec, ...]:
    """Nodes for a live camera.

    Args:
        arguments: Settings.

    Returns:
        The processes, in the order in which they start.

    Raises:
        ConfigError: If a file that is needed is missing.
    """
    specs: list[NodeSpec] = []
    # The viewers first: where one is not installed, launch gives up and would leave nodes behind.
    if arguments.launch_rviz:
        specs.append(_rviz(arguments))
    if arguments.launch_foxglove:
        specs.append(_foxglove(arguments))
    specs.append(_tracker(arguments))
    if arguments.forecast != "false":
        specs.append(_forecaster(arguments))
    if arguments.record:
        specs.append(_recorder(arguments))
    return tuple(specs)


def replay_graph(arguments: ReplayArguments) -> tuple[NodeSpec, ...]:
    """Nodes for a camera and odometry that come from a bag.

    Args:
        arguments: Settings; topics that are empty are found in the bag.

    Returns:
        The processes, in the order in which they start.

    Raises:
        ConfigError: If no bag is given or a file that is needed is missing.
        BagError: If the bag cannot be read or has no images.
    """
    # rosbags has no rosdep key, and a live graph on a robot does without it.
    from hand4d_ros.replay.bags import BagReader
    from hand4d_ros.replay.inputs import find_inputs

    if not arguments.bag:
        raise ConfigError("bag is empty; give bag:=FILE, a .mcap or .db3 file or a folder")
    with BagReader(arguments.bag) as bag:
        found = find_inputs(
            bag, arguments.image_topic, arguments.camera_info_topic, arguments.odom_topic
        )
    live = {
        **{name: getattr(arguments, name) for name in EgocentricArguments.__dataclass_fields__},
        "image_topic": found.image,
        "camera_info_topic": found.camera_info or "/camera/camera_info",
        "odom_topic": found.odometry or "/odom",
        "image_transport": "compressed" if found.compressed else "raw",
        "forecast": arguments.forecast or "false",
    }
    return (*egocentric_graph(EgocentricArguments(**live)), _player(arguments, found.image))


def share_file(relative: str) -> Path:
    """Find a file of this package's ``share`` folder, in the source tree or where installed.

    Args:
        relative: Such as ``config/tracker.yaml``.

    Returns:
        Its path.

    Raises:
        ConfigError: If it is in neither place.
    """
    # The path as imported, not resolved: colcon's --symlink-install links single files, and the
    # prefix is above the link, not above its target.
    package = Path(hand4d_ros.__file__).parent
    places = [package.parent / relative]
    places += [above / "share" / PACKAGE / relative for above in package.parents]
    for place in places:
        if place.is_file():
            return place
    raise ConfigError(f"{relative} of {PACKAGE} is missing; install the package again")


def _tracker(arguments: EgocentricArguments) -> NodeSpec:
    left_to_file: dict[str, str | bool] = {
        "image_transport": arguments.image_transport,
        "image_reliability": arguments.image_reliability,
        "world_frame": arguments.world_frame,
        "camera_frame": arguments.camera_frame,
        "odometry.mode": arguments.odometry_mode,
    }
    for name, value in (
        ("publish.tf", arguments.publish_tf),
        ("publish.joint_tf", arguments.publish_joint_tf),
    ):
        if value:
            left_to_file[name] = value == "true"
    given = {name: value for name, value in left_to_file.items() if value != ""}
    return NodeSpec(
        executable="tracker",
        name="tracker",
        namespace=_absolute(arguments.namespace),
        remappings=(
            ("image", arguments.image_topic),
            ("camera_info", arguments.camera_info_topic),
            ("odom", arguments.odom_topic),
        ),
        params_files=(_params_file(arguments.params_file),),
        parameters=(
            ("use_sim_time", arguments.use_sim_time),
            ("autostart", arguments.autostart),
            *given.items(),
        ),
        log_level=arguments.log_level,
        lifecycle=True,
    )


def _forecaster(arguments: EgocentricArguments) -> NodeSpec:
    return NodeSpec(
        executable="forecaster",
        name="forecaster",
        namespace=_absolute(arguments.namespace),
        params_files=(_params_file(arguments.params_file),),
        parameters=(
            ("use_sim_time", arguments.use_sim_time),
            ("autostart", arguments.autostart),
        ),
        log_level=arguments.log_level,
        lifecycle=True,
    )


def _recorder(arguments: EgocentricArguments) -> NodeSpec:
    namespace = _absolute(arguments.namespace)
    inside = [f"tracker/{name}" for name in RECORDED_TOPICS]
    if arguments.forecast != "false":
        inside += [f"forecaster/{name}" for name in FORECAST_TOPICS]
    topics = tuple(f"{namespace.rstrip('/')}/{name}" for name in inside)
    return NodeSpec(
        executable="recorder",
        name="recorder",
        namespace=namespace,
        parameters=(
            ("use_sim_time", arguments.use_sim_time),
            ("path", arguments.record),
            ("topics", (*topics, "/tf", "/tf_static", "/diagnostics")),
        ),
        log_level=arguments.log_level,
    )


def _player(arguments: ReplayArguments, image_topic: str) -> NodeSpec:
    return NodeSpec(
        executable="player",
        name="player",
        namespace=_absolute(arguments.namespace),
        parameters=(
            ("bag", arguments.bag),
            ("rate", arguments.rate),
            ("loop", arguments.loop),
            ("start_paused", arguments.start_paused),
            ("clock_hz", 200.0),
            ("wait_for", (image_topic,)),
        ),
        role="finite",
        log_level=arguments.log_level,
    )


def _rviz(arguments: EgocentricArguments) -> NodeSpec:
    return NodeSpec(
        package="rviz2",
        executable="rviz2",
        name="rviz2",
        parameters=(("use_sim_time", arguments.use_sim_time),),
        arguments=("-d", str(share_file("rviz/egocentric.rviz"))),
        role="optional",
    )


def _foxglove(arguments: EgocentricArguments) -> NodeSpec:
    return NodeSpec(
        package="foxglove_bridge",
        executable="foxglove_bridge",
        name="foxglove_bridge",
        parameters=(("use_sim_time", arguments.use_sim_time),),
        role="optional",
    )


def _params_file(given: str) -> str:
    if not given:
        return str(share_file("config/tracker.yaml"))
    if not Path(given).is_file():
        raise ConfigError(f"params_file is {given!r}, which is no file")
    return str(Path(given).resolve())


def _absolute(namespace: str) -> str:
    return "/" + namespace.strip("/")


def _yaml(value: Value) -> str:
    """Spell a value so that rcl reads it with the same type."""
    if isinstance(value, tuple):
        return "[" + ", ".join(_yaml(element) for element in value) + "]"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str):
        # In single quotes YAML knows one escape only: a quote is written twice.
        return "'" + value.replace("'", "''") + "'"
    return repr(value)
