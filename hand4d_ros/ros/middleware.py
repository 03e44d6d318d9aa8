"""The environment in, a middleware with room for images out."""

from __future__ import annotations

import os
import sys
from pathlib import Path

from hand4d_ros.ros.graph import share_file

PROFILE_VARIABLES = ("FASTRTPS_DEFAULT_PROFILES_FILE", "FASTDDS_DEFAULT_PROFILES_FILE")
"""Fast DDS 2 (Humble, Jazzy) knows the first one; Fast DDS 3 (Kilted) prefers the second."""
_OF_THE_USER = (*PROFILE_VARIABLES, "FASTDDS_BUILTIN_TRANSPORTS")


def make_room_for_images() -> bool:
    """Let Fast DDS share memory for images; call it before ``rclpy.init``.

    By default a process has 0.5 MB to send through, less than one image, and of images that are
    sent best effort to another process most are lost without a word. Other middlewares ignore
    these variables.

    Returns:
        Whether the profile of this package is used; a choice of the user is left alone.

    Raises:
        ConfigError: If the profile is not installed.
    """
    if any(os.environ.get(name) for name in _OF_THE_USER):
        return False
    os.environ[profile_variable()] = str(share_file("config/fastdds.xml"))
    return True


def profile_variable() -> str:
    """Return the variable that names a profile to the installed Fast DDS.

    Version 3 warns of the old name, version 2 does not know the new one. Their ROS packages are
    called fastdds and fastrtps.
    """
    prefixes = [*os.environ.get("AMENT_PREFIX_PATH", "").split(os.pathsep), sys.prefix]
    is_new = any((Path(prefix) / "share/fastdds").is_dir() for prefix in prefixes if prefix)
    return PROFILE_VARIABLES[is_new]
