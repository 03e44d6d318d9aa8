"""The only module that chooses between a ROS package and a small equivalent of it.

The ROS 2 wheels lack tf2_ros, and older distributions keep some classes elsewhere. Nothing else
in the tree asks what is installed.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import rclpy.clock
import rclpy.lifecycle
import rclpy.node

from hand4d_ros.errors import RosError
from hand4d_ros.geometry.static_frames import StaticFrames
from hand4d_ros.ros.qos import latched_qos, reliable_qos
from hand4d_ros.wire import matrix_from_transform

try:
    from rclpy.event_handler import SubscriptionEventCallbacks, UnsupportedEventTypeError
except ImportError:  # Humble
    from rclpy.qos_event import SubscriptionEventCallbacks, UnsupportedEventTypeError

try:
    from tf2_ros import TransformBroadcaster as _Tf2Broadcaster
except ImportError:
    _Tf2Broadcaster = None

try:
    from tf2_msgs.msg import TFMessage
except ImportError:
    raise RosError(
        "the package tf2_msgs is missing: install it with rosdep on a robot; in the project's "
        "virtual environment scripts/test builds it"
    ) from None

__all__ = [
    "LifecycleNode",
    "Node",
    "TFMessage",
    "TransformBroadcaster",
    "listen_to_static",
    "steady_clock",
    "subscribe",
]

# Before Lyrical rclpy says that it is typed, but half of its methods are not, and a strict type
# checker complains of every call. Nodes derive from these names instead.
LifecycleNode: Any = rclpy.lifecycle.LifecycleNode
Node: Any = rclpy.node.Node
_clock: Any = rclpy.clock


def steady_clock() -> Any:
    """Return a clock for timers that go on while ROS time stands still."""
    return _clock.Clock(clock_type=_clock.ClockType.STEADY_TIME)


class _PlainBroadcaster:
    """Publishes transforms on /tf as tf2_ros does: reliable, the last hundred."""

    def __init__(self, node: Any) -> None:
        self._publisher = node.create_publisher(TFMessage, "/tf", reliable_qos(depth=100))

    def sendTransform(self, transform: Any) -> None:
        """Publish one transform or several in one message."""
        transforms = list(transform) if isinstance(transform, Sequence) else [transform]
        self._publisher.publish(TFMessage(transforms=transforms))


def TransformBroadcaster(node: Any) -> Any:
    """Return a broadcaster with ``sendTransform``: that of tf2_ros where it is installed.

    Args:
        node: Publishes the transforms.
    """
    return _PlainBroadcaster(node) if _Tf2Broadcaster is None else _Tf2Broadcaster(node)


def listen_to_static(node: Any, frames: StaticFrames) -> Any:
    """Keep a tree of static frames up to date from /tf_static.

    tf2_ros's listener would subscribe to /tf as well, whose load in Python is what users
    complain of (ros/geometry2 issue 513), so /tf_static is read directly everywhere.

    Args:
        node: Subscribes.
        frames: Filled from every message.

    Returns:
        The subscription, to be destroyed with ``node.destroy_subscription``.
    """

    def take(message: Any) -> None:
        for stamped in message.transforms:
            T_parent_child = matrix_from_transform(stamped.transform)
            frames.put(stamped.header.frame_id, stamped.child_frame_id, T_parent_child)

    return node.create_subscription(TFMessage, "/tf_static", take, latched_qos(depth=100))


def subscribe(
    node: Any,
    message: Any,
    topic: str,
    callback: Callable[[Any], None],
    qos: Any,
    *,
    incompatible_qos: Callable[[Any], None],
    message_lost: Callable[[Any], None] | None = None,
) -> Any:
    """Subscribe and be told why messages do not come.

    Args:
        node: Subscribes.
        message: Message class.
        topic: Name of the topic.
        callback: Called with each message.
        qos: Profile.
        incompatible_qos: Called when a publisher offers less than is asked for.
        message_lost: Called when messages were lost on their way; not every middleware can tell.

    Returns:
        The subscription, to be destroyed with ``node.destroy_subscription``.
    """
    events = SubscriptionEventCallbacks(
        incompatible_qos=incompatible_qos, message_lost=message_lost
    )
    try:
        return node.create_subscription(message, topic, callback, qos, event_callbacks=events)
    except UnsupportedEventTypeError:
        events = SubscriptionEventCallbacks()
        return node.create_subscription(message, topic, callback, qos, event_callbacks=events)
