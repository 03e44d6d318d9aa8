"""A subscription that is asked for its messages, over real DDS."""

from __future__ import annotations

import time
from typing import Any

import pytest
import rclpy
from nav_msgs.msg import Odometry
from rclpy.context import Context

from hand4d_ros import wire
from hand4d_ros.ros import compat
from hand4d_ros.ros.convert import message_from_dict
from hand4d_ros.ros.qos import reliable_qos, sensor_qos
from hand4d_ros.ros.spin import Spinner

pytestmark = pytest.mark.usefixtures("ros_domain")

_LIMIT_S = 20.0


def _collect(polled: compat.Polled, count: int) -> list[Any]:
    messages: list[Any] = []
    deadline_s = time.monotonic() + _LIMIT_S
    while len(messages) < count and time.monotonic() < deadline_s:
        messages += polled.take()
        time.sleep(0.005)
    return messages


def test_messages_wait_in_order_until_they_are_asked_for() -> None:
    """Nothing is lost below the depth, though the node that it is for is spun all the while."""
    context = Context()
    rclpy.init(context=context)
    node: Any = rclpy.create_node("reader", context=context)
    spinner = Spinner(context=context)
    spinner.add_node(node)
    spinner.start()
    polled = compat.Polled(node, Odometry, "/polled/odom", sensor_qos(200))
    publisher = node.create_publisher(Odometry, "/polled/odom", reliable_qos(200))
    deadline_s = time.monotonic() + _LIMIT_S
    while not publisher.get_subscription_count() and time.monotonic() < deadline_s:
        time.sleep(0.01)
    for stamp_ns in range(1, 151):
        publisher.publish(message_from_dict(Odometry, {"header": wire.header(stamp_ns, "odom")}))
    messages = _collect(polled, 150)
    assert [wire.ns_from_time(m.header.stamp) for m in messages] == list(range(1, 151))
    assert polled.take() == []
    polled.destroy()
    spinner.stop()
    node.destroy_node()
    rclpy.shutdown(context=context)
