"""Hands from a live camera and odometry: ``ros2 launch hand4d_ros egocentric.launch.py``.

``ros2 launch hand4d_ros egocentric.launch.py --show-args`` lists the arguments;
``hand4d up`` starts the same graph where the launch tools are not installed.
"""

from __future__ import annotations

from launch.launch_description import LaunchDescription

from hand4d_ros.ros.graph import egocentric_graph
from hand4d_ros.ros.graph_arguments import EgocentricArguments
from hand4d_ros.ros.launching import launch_description


def generate_launch_description() -> LaunchDescription:
    """Return the description that ``ros2 launch`` asks for."""
    return launch_description(EgocentricArguments(), egocentric_graph)
