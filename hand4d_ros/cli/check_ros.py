"""The checks of ``hand4d doctor`` on ROS: distribution, middleware, messages, launch tools."""

from __future__ import annotations

import importlib
import os
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path

from hand4d_ros.cli.findings import Finding, import_problem, version_of

GROUP = "ROS"
INSTALL_ADVICE = (
    "source /opt/ros/<distribution>/setup.bash, or in the source tree type scripts/setup and use "
    ".venv/bin/hand4d"
)
BUILD_ADVICE = (
    "in the source tree type scripts/setup; on a robot, colcon build and source install/setup.bash"
)
_WHEEL_DISTRIBUTIONS = {"7": "Jazzy", "9": "Kilted"}
"""Distribution by the major version of the wheel of rclpy."""
_RECEIVE_BUFFER_BYTES = 2**21
"""Fast DDS's own advice for messages as large as images over a network."""


def check_ros() -> Iterator[Finding]:
    """Look for ROS 2, its middleware, this package's messages and the launch tools."""
    yield _distribution()
    if import_problem("rclpy") is None:
        yield _middleware()
    yield _messages("hand4d_ros.msg", BUILD_ADVICE)
    yield _messages("tf2_msgs.msg", "rosdep install --from-paths . -y, or scripts/setup")
    yield _launch()
    yield _discovery()
    yield _receive_buffer()


def _distribution() -> Finding:
    """Say which ROS 2 answers to ``import rclpy``."""
    problem = import_problem("rclpy")
    sourced = os.environ.get("ROS_DISTRO", "")
    if problem is not None:
        there = sorted(path.name for path in Path("/opt/ros").glob("*"))
        known = f" (not sourced: {', '.join(there)})" if there and not sourced else ""
        return Finding(GROUP, "distribution", "missing", f"none: {problem}{known}", INSTALL_ADVICE)
    wheel = version_of("ros-rclpy")
    location = importlib.import_module("rclpy").__file__ or ""
    if wheel is not None and Path(location).is_relative_to(sys.prefix):
        name = _WHEEL_DISTRIBUTIONS.get(wheel.split(".")[0], "unknown distribution")
        if sourced:
            return Finding(
                GROUP,
                "distribution",
                "note",
                f"{name} wheels, rclpy {wheel}, while {sourced} is sourced",
                "the two do not mix: use one shell for each",
            )
        return Finding(GROUP, "distribution", "ok", f"{name} wheels, rclpy {wheel}")
    folder = Path(location).parent
    return Finding(GROUP, "distribution", "ok", f"{sourced or 'unnamed'} at {folder}")


def _middleware() -> Finding:
    """Name the RMW implementation that nodes get."""
    asked = os.environ.get("RMW_IMPLEMENTATION", "")
    try:
        implementation = importlib.import_module("rclpy.utilities")
        name = str(implementation.get_rmw_implementation_identifier())
    except Exception as error:  # noqa: BLE001  The C layer raises its own types.
        return Finding(
            GROUP,
            "RMW",
            "missing",
            f"cannot be loaded: {error}".splitlines()[0],
            f"unset RMW_IMPLEMENTATION (now {asked!r}) or install that implementation",
        )
    return Finding(GROUP, "RMW", "ok", name)


def _messages(module: str, advice: str) -> Finding:
    problem = import_problem(module)
    if problem is None:
        return Finding(GROUP, module, "ok", "built")
    return Finding(GROUP, module, "missing", problem, advice)


def _launch() -> Finding:
    """Look for the launch tools, which the wheels lack."""
    problem = import_problem("launch_ros.actions")
    if problem is None:
        tool = shutil.which("ros2")
        return Finding(GROUP, "launch", "ok", f"launch_ros, {tool or 'without the ros2 command'}")
    return Finding(
        GROUP, "launch", "note", "launch_ros is not installed", "hand4d up starts the same nodes"
    )


def _discovery() -> Finding:
    """Say where nodes will look for each other."""
    domain = os.environ.get("ROS_DOMAIN_ID", "0")
    reach = os.environ.get("ROS_AUTOMATIC_DISCOVERY_RANGE", "SUBNET")
    local = os.environ.get("ROS_LOCALHOST_ONLY", "0") == "1"
    return Finding(
        GROUP, "discovery", "ok", f"domain {domain}, {'localhost only' if local else reach}"
    )


def _receive_buffer() -> Finding:
    """Compare the kernel's limit on receive buffers with what large images need."""
    limit = Path("/proc/sys/net/core/rmem_max")
    try:
        size = int(limit.read_text())
    except (OSError, ValueError):
        return Finding(GROUP, "receive buffer", "ok", "unknown on this system")
    if size >= _RECEIVE_BUFFER_BYTES:
        return Finding(GROUP, "receive buffer", "ok", f"{size // 1024} KiB")
    return Finding(
        GROUP,
        "receive buffer",
        "note",
        f"{size // 1024} KiB: raw images from another machine may get lost",
        f"sudo sysctl -w net.core.rmem_max={_RECEIVE_BUFFER_BYTES}",
    )
