"""Hands from a bag: ``ros2 launch hand4d_ros replay.launch.py bag:=FILE rate:=1.0``.

The bag is played with ``/clock``, and everything ends with it. For every frame of a bag, without
ROS and with the same result each time, use ``hand4d replay``.
"""

from __future__ import annotations

from launch.launch_description import LaunchDescription

from hand4d_ros.ros.graph import replay_graph
from hand4d_ros.ros.graph_arguments import ReplayArguments
from hand4d_ros.ros.launching import launch_description


def generate_launch_description() -> LaunchDescription:
    """Return the description that ``ros2 launch`` asks for."""
    return launch_description(ReplayArguments(), replay_graph)
