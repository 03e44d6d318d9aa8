"""Names of qualities of service in, rclpy profiles out; and what to do when they do not match.

REP-2003: consumers ask for sensor data (best effort), producers offer reliable, and everything
matches everything.
"""

from __future__ import annotations

from typing import Any, Literal

import rclpy.qos
from rclpy.qos import DurabilityPolicy, ReliabilityPolicy

from hand4d_ros.ros.announce import Announcer

# rclpy's profile class has no annotations before Kilted.
_Profile: Any = rclpy.qos.QoSProfile


def sensor_qos(
    depth: int = 1, reliability: Literal["best_effort", "reliable"] = "best_effort"
) -> Any:
    """Return the profile for a stream of measurements.

    Args:
        depth: Messages kept while a callback is busy.
        reliability: What is asked of the publisher.
    """
    policies = {
        "best_effort": ReliabilityPolicy.BEST_EFFORT,
        "reliable": ReliabilityPolicy.RELIABLE,
    }
    return _Profile(depth=depth, reliability=policies[reliability])


def reliable_qos(depth: int = 5) -> Any:
    """Return the profile of everything that this package publishes.

    Args:
        depth: Messages kept for slow subscribers.
    """
    return _Profile(depth=depth, reliability=ReliabilityPolicy.RELIABLE)


def latched_qos(depth: int = 1) -> Any:
    """Return the profile of what a late subscriber still gets, such as /tf_static.

    Args:
        depth: Messages kept.
    """
    return _Profile(
        depth=depth,
        reliability=ReliabilityPolicy.RELIABLE,
        durability=DurabilityPolicy.TRANSIENT_LOCAL,
    )


def incompatible_qos_callback(announcer: Announcer, topic: str, remedy: str) -> Any:
    """Return what to call when a publisher offers less than a subscription asks for.

    Args:
        announcer: Says it, once for each topic.
        topic: Resolved name of the topic.
        remedy: What to do about it.
    """

    def tell(event: Any) -> None:
        policy = str(rclpy.qos.qos_policy_name_from_kind(event.last_policy_kind))
        announcer.once(
            f"qos {topic}",
            f"a publisher of {topic} offers an incompatible quality of service ({policy}), so "
            f"none of its messages arrive: {remedy}",
            "error",
        )

    return tell
