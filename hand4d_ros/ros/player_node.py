"""A bag in, its messages on their topics out, at their pace, with their own stamps.

Messages are published as the bytes they were recorded as. ``ros2 bag play`` does the same where
it is installed; this player also runs without it, waits for subscribers and ends by itself.
"""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass, field
from typing import Any

from rosgraph_msgs.msg import Clock
from std_srvs.srv import SetBool

from hand4d_ros import wire
from hand4d_ros.errors import ConfigError, Hand4DError, RosError
from hand4d_ros.replay.bags import BagReader
from hand4d_ros.ros import compat, spin
from hand4d_ros.ros.convert import message_class, message_from_dict
from hand4d_ros.ros.params import ConfigParameters
from hand4d_ros.ros.qos import latched_qos, reliable_qos
from hand4d_ros.settings import check

_LATCHED = ("/tf_static", "/robot_description")
_POLL_S = 0.05


@dataclass(frozen=True)
class PlayerConfig:
    """Config of the player node."""

    bag: str = field(default="", metadata={"read_only": True})
    """Bag to play: a .mcap or .db3 file, or a folder of rosbag2."""
    topics: tuple[str, ...] = field(default=(), metadata={"read_only": True})
    """Topics to play; empty plays all."""
    rate: float = field(default=1.0, metadata={"min": 0.01, "max": 100.0, "read_only": True})
    """Speed; 1 is that of the recording."""
    loop: bool = field(default=False, metadata={"read_only": True})
    """Begin anew at the end; time then jumps back, as the stamps are those of the bag."""
    start_paused: bool = field(default=False, metadata={"read_only": True})
    """Wait for the service ~/set_paused with false before the first message."""
    clock_hz: float = field(default=200.0, metadata={"min": 0.0, "max": 1000.0, "read_only": True})
    """Rate of /clock, for nodes with use_sim_time; 0 publishes none (Hz of real time)."""
    wait_for: tuple[str, ...] = field(default=(), metadata={"read_only": True})
    """Topics that must have a subscriber before the first message."""
    wait_timeout_s: float = field(default=60.0, metadata={"min": 0.0, "read_only": True})
    """The longest wait for them (s); then the bag is played anyway."""
    linger_s: float = field(default=1.0, metadata={"min": 0.0, "read_only": True})
    """How long /clock goes on after the last message, so that it can be worked on (s)."""

    def __post_init__(self) -> None:
        """Reject values out of range, and a topic that could never be waited for."""
        check(self)
        missing = set(self.wait_for) - set(self.topics)
        if self.topics and missing:
            raise ConfigError(f"wait_for is {sorted(missing)}, which topics leaves out")


class _Timeline:
    """Maps bag time to real time, with pauses, and publishes /clock while it waits."""

    def __init__(self, node: Any, config: PlayerConfig) -> None:
        self._rate = config.rate
        self._publisher = (
            node.create_publisher(Clock, "/clock", reliable_qos(10)) if config.clock_hz else None
        )
        self._tick_s = 1.0 / config.clock_hz if config.clock_hz else _POLL_S
        self._next_tick_s = 0.0
        self._offset_s = 0.0
        self._start_ns = 0
        self.stopped = threading.Event()
        self.paused = threading.Event()
        if config.start_paused:
            self.paused.set()

    def start(self, bag_ns: int) -> None:
        """Let a moment of the bag be now."""
        self._start_ns = bag_ns
        self._offset_s = time.monotonic()
        self._next_tick_s = 0.0

    def wait_until(self, bag_ns: int) -> bool:
        """Wait for a moment of the bag; return False where the player is to stop."""
        due_s = (bag_ns - self._start_ns) * 1e-9 / self._rate
        while not self.stopped.is_set():
            if self.paused.is_set():
                began_s = time.monotonic()
                self.stopped.wait(_POLL_S)
                self._offset_s += time.monotonic() - began_s
                continue
            now_s = time.monotonic() - self._offset_s
            if now_s >= self._next_tick_s:
                self._tell(min(now_s, due_s))
                self._next_tick_s = now_s + self._tick_s
            if now_s >= due_s:
                return True
            self.stopped.wait(max(min(due_s, self._next_tick_s) - now_s, 0.0))
        return False

    def _tell(self, elapsed_s: float) -> None:
        if self._publisher is not None:
            bag_ns = self._start_ns + round(elapsed_s * self._rate * 1e9)
            fields = {"clock": wire.time_from_ns(max(bag_ns, 0))}
            self._publisher.publish(message_from_dict(Clock, fields))


class PlayerNode(compat.Node):  # type: ignore[misc]
    """Plays one bag."""

    def __init__(self, done: spin.Done, **node_options: Any) -> None:
        """Open the bag and create its publishers.

        Args:
            done: Called at the end of the bag.
            node_options: As for ``rclpy.node.Node``.

        Raises:
            ConfigError: If a parameter is unknown, has the wrong type or is out of range.
            BagError: If the bag cannot be read.
            RosError: If no message type of the bag is installed.
        """
        super().__init__(
            "player",
            namespace=node_options.pop("namespace", "hand4d"),
            automatically_declare_parameters_from_overrides=True,
            **node_options,
        )
        self.config = ConfigParameters(self, PlayerConfig()).config
        if not self.config.bag:
            raise ConfigError("bag is empty; give a .mcap or .db3 file or a folder of rosbag2")
        self._done = done
        self._bag = BagReader(self.config.bag)
        if self._bag.note:
            self.get_logger().warning(self._bag.note)
        self._topics = self._make_publishers()
        self._timeline = _Timeline(self, self.config)
        self._service = self.create_service(SetBool, "~/set_paused", self._set_paused)
        self._thread = threading.Thread(target=self._run, name="player", daemon=True)
        self.published = 0

    def start(self) -> None:
        """Begin to play, in a thread."""
        self._thread.start()

    def close(self) -> None:
        """Stop playing and close the bag."""
        self._timeline.stopped.set()
        if self._thread.ident is not None:
            self._thread.join()
        self._bag.close()

    def _make_publishers(self) -> dict[str, Any]:
        publishers: dict[str, Any] = {}
        for topic in self._bag.topics:
            if self.config.topics and topic.name not in self.config.topics:
                continue
            try:
                cls = message_class(topic.msgtype)
            except RosError as error:
                self.get_logger().warning(f"{topic.name} is left out: {error}")
                continue
            qos = latched_qos(100) if topic.name in _LATCHED else reliable_qos(10)
            publishers[topic.name] = self.create_publisher(cls, topic.name, qos)
        missing = {*self.config.topics, *self.config.wait_for} - set(publishers)
        if not publishers or missing:
            raise RosError(f"{sorted(missing) or 'nothing'} can be played; {self._bag.listing()}")
        return publishers

    def _set_paused(self, request: Any, response: Any) -> Any:
        if request.data:
            self._timeline.paused.set()
        else:
            self._timeline.paused.clear()
        response.success, response.message = True, "paused" if request.data else "playing"
        return response

    def _run(self) -> None:
        try:
            self._wait_for_subscribers()
            self._announce()
            while self._play_once() and self.config.loop:
                self.get_logger().info("the bag begins anew")
        except Hand4DError as error:
            self.get_logger().fatal(str(error))
            self._done(spin.EXIT_FAILURE)
            return
        self.get_logger().info(f"played {self.published} messages")
        self._done()

    def _announce(self) -> None:
        hint = ""
        if self.config.start_paused:
            service = f"{self.get_fully_qualified_name()}/set_paused"
            hint = f"; resume: ros2 service call {service} std_srvs/srv/SetBool '{{data: false}}'"
        names = ", ".join(sorted(self._topics))
        config = self.config
        self.get_logger().info(f"playing {config.bag} at rate {config.rate:g}: {names}{hint}")

    def _wait_for_subscribers(self) -> None:
        deadline_s = time.monotonic() + self.config.wait_timeout_s
        waiting = set(self.config.wait_for)
        while waiting and not self._timeline.stopped.wait(_POLL_S):
            waiting = {t for t in waiting if not self._topics[t].get_subscription_count()}
            if waiting and time.monotonic() > deadline_s:
                self.get_logger().warning(
                    f"nobody subscribed to {', '.join(sorted(waiting))} within "
                    f"{self.config.wait_timeout_s:g} s; the bag is played anyway"
                )
                return

    def _play_once(self) -> bool:
        """Play from the first message to the last; return False where the player is to stop."""
        last_ns: int | None = None
        for topic, _, log_ns, data in self._bag.serialized(tuple(self._topics)):
            if last_ns is None:
                self._timeline.start(log_ns)
            last_ns = log_ns
            if not self._timeline.wait_until(log_ns):
                return False
            self._topics[topic].publish(bytes(data))
            self.published += 1
        if last_ns is None:
            raise RosError(f"{self.config.bag} has no messages to play")
        linger_s = 0.0 if self.config.loop else self.config.linger_s
        return self._timeline.wait_until(last_ns + round(linger_s * self.config.rate * 1e9))


def main(args: list[str] | None = None) -> int:
    """Play a bag until its end or until asked to end."""
    return spin.run_process(PlayerNode, args)


if __name__ == "__main__":
    raise SystemExit(main())
