"""Topics in, a bag out, which is whole when the node is asked to end.

Messages are written as the bytes that arrive. ``ros2 bag record`` does the same where it is
installed; this recorder also runs without it.
"""

from __future__ import annotations

from contextlib import ExitStack
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from rclpy.qos import DurabilityPolicy, ReliabilityPolicy

from hand4d_ros.errors import BagError, ConfigError, RosError
from hand4d_ros.replay.bags import BagWriter
from hand4d_ros.ros import compat, spin
from hand4d_ros.ros.convert import message_class
from hand4d_ros.ros.params import ConfigParameters
from hand4d_ros.ros.qos import latched_qos, reliable_qos, sensor_qos

_LOOK_PERIOD_S = 0.2
_DEPTH = 500


@dataclass(frozen=True)
class RecorderConfig:
    """Config of the recorder node."""

    path: str = field(default="", metadata={"read_only": True})
    """Bag to write: a .mcap file, or a folder of rosbag2. It appears when the node ends."""
    topics: tuple[str, ...] = field(default=(), metadata={"read_only": True})
    """Topics to record, from when each is first published."""

    def __post_init__(self) -> None:
        """Reject names that are no topics."""
        relative = [topic for topic in self.topics if not topic.startswith("/")]
        if relative:
            raise ConfigError(f"topics holds {relative}; expected full names such as /tf")


class RecorderNode(compat.Node):  # type: ignore[misc]
    """Records some topics into one bag."""

    def __init__(self, done: spin.Done, **node_options: Any) -> None:
        """Open the bag; topics are subscribed to as they appear.

        Args:
            done: Called when nothing can be written any more.
            node_options: As for ``rclpy.node.Node``.

        Raises:
            ConfigError: If a parameter is unknown, missing or of the wrong type.
            BagError: If the bag cannot be written.
        """
        super().__init__(
            "recorder",
            namespace=node_options.pop("namespace", "hand4d"),
            automatically_declare_parameters_from_overrides=True,
            **node_options,
        )
        config = ConfigParameters(self, RecorderConfig()).config
        if not config.path or not config.topics:
            raise ConfigError(
                f"path is {config.path!r} and topics {list(config.topics)}; give both"
            )
        self._done = done
        self._stack = ExitStack()
        self._bag = self._stack.enter_context(BagWriter(config.path))
        self._path = config.path
        self._wanted = set(config.topics)
        self._error: BagError | None = None
        self.recorded: dict[str, int] = dict.fromkeys(config.topics, 0)
        self._timer = self.create_timer(_LOOK_PERIOD_S, self._look, clock=compat.steady_clock())

    def start(self) -> None:
        """Look for the topics; the first look does not wait for the timer."""
        self.get_logger().info(f"recording {', '.join(sorted(self._wanted))} to {self._path}")

    def close(self) -> None:
        """Write the index and move the bag to its place.

        Raises:
            BagError: If that fails.
        """
        if self._error is not None:
            # The bag was given up when writing failed.
            return
        self._stack.close()
        total = sum(self.recorded.values())
        silent = sorted(topic for topic, count in self.recorded.items() if not count)
        note = f"; nothing came on {', '.join(silent)}" if silent else ""
        self.get_logger().info(f"recorded {total} messages to {self._path}{note}")

    def _look(self) -> None:
        """Subscribe to the topics that have appeared since the last look."""
        for topic, types in self.get_topic_names_and_types():
            if topic not in self._wanted or not self.count_publishers(topic):
                continue
            self._wanted.discard(topic)
            if len(types) != 1:
                self.get_logger().error(f"{topic} is left out: it has the types {types}")
                continue
            try:
                cls = message_class(types[0])
            except RosError as error:
                self.get_logger().error(f"{topic} is left out: {error}")
                continue
            take = partial(self._write, topic, types[0])
            self.create_subscription(cls, topic, take, self._qos(topic), raw=True)

    def _qos(self, topic: str) -> Any:
        """Ask for as much as every publisher offers, so that nothing is lost or refused."""
        offered = [info.qos_profile for info in self.get_publishers_info_by_topic(topic)]
        if any(qos.reliability != ReliabilityPolicy.RELIABLE for qos in offered):
            return sensor_qos(_DEPTH)
        if all(qos.durability == DurabilityPolicy.TRANSIENT_LOCAL for qos in offered):
            return latched_qos(_DEPTH)
        return reliable_qos(_DEPTH)

    def _write(self, topic: str, msgtype: str, data: bytes) -> None:
        if self._error is not None:
            return
        try:
            self._bag.write_serialized(topic, msgtype, data, self.get_clock().now().nanoseconds)
        except BagError as error:
            self._error = error
            self.get_logger().fatal(str(error))
            self._stack.__exit__(BagError, error, error.__traceback__)
            self._done(spin.EXIT_FAILURE)
            return
        self.recorded[topic] += 1


def main(args: list[str] | None = None) -> int:
    """Record until asked to end."""
    return spin.run_process(RecorderNode, args)


if __name__ == "__main__":
    raise SystemExit(main())
