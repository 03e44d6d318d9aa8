"""The only module that chooses between a ROS package and a small equivalent of it.

The ROS 2 wheels lack tf2_ros, and older distributions keep some classes elsewhere. Nothing else
in the tree asks what is installed.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import rclpy.clock
import rclpy.executors
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
    import rclpy.experimental as _experimental
except ImportError:  # Humble
    _experimental = None  # type: ignore[assignment]

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
    "Polled",
    "TFMessage",
    "TransformBroadcaster",
    "listen_to_static",
    "make_executor",
    "steady_clock",
    "subscribe",
]

# Before Lyrical rclpy says that it is typed, but half of its methods are not, and a strict type
# checker complains of every call. Nodes derive from these names instead.
LifecycleNode: Any = rclpy.lifecycle.LifecycleNode
Node: Any = rclpy.node.Node
_clock: Any = rclpy.clock


def make_executor(context: Any = None) -> Any:
    """Return an executor of one thread: that which is driven by events where rclpy has it.

    The other one builds a wait set of everything that a node has for every single message.

    Args:
        context: rclpy context; None takes the default one.
    """
    events_executor: Any = getattr(_experimental, "EventsExecutor", None)
    return (events_executor or rclpy.executors.SingleThreadedExecutor)(context=context)


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


class Polled:
    """A subscription whose messages wait in the middleware until somebody asks for them.

    A callback for each of 200 messages a second wakes a thread of Python 200 times, each time with
    cold caches and in the way of the thread that works. Taking them together costs a tenth.
    """

    def __init__(self, node: Any, message: Any, topic: str, qos: Any) -> None:
        """Subscribe.

        Args:
            node: For whom; gives its name.
            message: Message class.
            topic: Resolved name of the topic.
            qos: Profile that any publisher satisfies, because nobody would hear of one that does
                not; its depth is how many messages wait, the newest ones.
        """
        self._message = message
        # An executor serves all that a node has, so this has a node of its own that none serves.
        # The underscore hides it from `ros2 node list`.
        self._node: Any = rclpy.node.Node(
            f"_{node.get_name()}_{topic.rpartition('/')[2]}",
            namespace=node.get_namespace(),
            context=node.context,
            use_global_arguments=False,
            enable_rosout=False,
            start_parameter_services=False,
        )
        self._subscription = self._node.create_subscription(message, topic, lambda _: None, qos)

    def take(self) -> list[Any]:
        """Return all messages that have come since the last call, the oldest first."""
        messages = []
        handle = self._subscription.handle
        with handle:
            while (taken := handle.take_message(self._message, False)) is not None:
                messages.append(taken[0])
        return messages

    def destroy(self) -> None:
        """Unsubscribe."""
        self._node.destroy_node()


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
