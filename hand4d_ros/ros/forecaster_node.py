"""The forecaster as a lifecycle node: the tracker's hands in, their possible futures out.

It is a process of its own with less priority than others, so the tracker never waits for it.
Configure builds the forecaster, activate subscribes, deactivate unsubscribes and forgets the past,
cleanup frees everything.
"""

from __future__ import annotations

import math
import os
from collections.abc import Callable
from typing import Any

from diagnostic_msgs.msg import DiagnosticArray
from visualization_msgs.msg import MarkerArray

from hand4d_ros import wire_sensors
from hand4d_ros.errors import RosError
from hand4d_ros.forecasting.base import Forecaster
from hand4d_ros.forecasting.registry import ForecasterConfig, make_forecaster
from hand4d_ros.msg import HandForecastArray, HandStateArray
from hand4d_ros.ros import compat, spin
from hand4d_ros.ros.announce import Announcer
from hand4d_ros.ros.convert import message_from_dict
from hand4d_ros.ros.diagnostics import ERROR, OK, WARN, Statistics
from hand4d_ros.ros.forecaster_config import ForecasterNodeConfig
from hand4d_ros.ros.forecaster_worker import ForecasterWorker
from hand4d_ros.ros.lifecycle import ManagedNode
from hand4d_ros.ros.params import ConfigParameters
from hand4d_ros.ros.qos import incompatible_qos_callback, reliable_qos, sensor_qos
from hand4d_ros.types import TrackingState

HANDS = "tracker/hands"
"""Topic of the hands, in the node's namespace; remap it for a tracker elsewhere."""
_HANDS_DEPTH = 30
_DIAGNOSTICS_PERIOD_S = 1.0
_SILENT_S = 2.0
_NICENESS = 5


class ForecasterNode(ManagedNode):
    """Hands in the world in, forecasts of them out."""

    def __init__(
        self,
        build_forecaster: Callable[[ForecasterConfig], Forecaster] = make_forecaster,
        *,
        namespace: str = "hand4d",
        **node_options: Any,
    ) -> None:
        """Declare the parameters; nothing is subscribed to before the node is activated.

        Args:
            build_forecaster: Makes the forecaster of its config.
            namespace: In which the topics are, unless the command line says otherwise.
            node_options: As for ``rclpy.node.Node``.

        Raises:
            ConfigError: If a parameter is unknown, has the wrong type or is out of range.
        """
        super().__init__(
            "forecaster",
            namespace=namespace,
            automatically_declare_parameters_from_overrides=True,
            **node_options,
        )
        self._settings = ConfigParameters(
            self, ForecasterNodeConfig(), lambda: self.state_label != "unconfigured"
        )
        self._make_forecaster = build_forecaster
        self._announcer = Announcer(self.get_logger())
        self._statistics = Statistics.fresh()
        self._worker: ForecasterWorker | None = None
        self._publishers: list[Any] = []
        self._subscription: Any = None
        self._diagnostics = self.create_publisher(DiagnosticArray, "/diagnostics", reliable_qos())
        # ROS time stands still when a bag is paused, and then diagnostics matter most.
        self._timer = self.create_timer(
            _DIAGNOSTICS_PERIOD_S, self._publish_diagnostics, clock=compat.steady_clock()
        )

    @property
    def config(self) -> ForecasterNodeConfig:
        """The config as the parameters make it now."""
        return self._settings.config

    def start(self) -> None:
        """Configure and activate where ``autostart`` says so.

        Raises:
            RosError: If a transition fails; the reason was logged.
        """
        if self.config.autostart:
            self.bring_up()
        else:
            self.get_logger().info("waiting to be configured (autostart is false)")

    def build(self) -> None:
        """Build the forecaster and create the publishers."""
        self._statistics = Statistics.fresh()
        forecaster = self._make_forecaster(self.config.forecaster)
        make, qos = self.create_lifecycle_publisher, reliable_qos()
        forecasts = make(HandForecastArray, "~/forecast", qos)
        markers = make(MarkerArray, "~/markers", qos)
        self._publishers = [forecasts, markers]
        self._worker = ForecasterWorker(
            forecaster,
            forecasts,
            markers,
            self._announcer,
            statistics=self._statistics,
            config=lambda: self.config,
            now_ns=lambda: self.get_clock().now().nanoseconds,
        )
        self.get_logger().info(f"configured: {forecaster.model_id}")

    def begin(self) -> None:
        """Start the worker and subscribe."""
        if self._worker is None:
            raise RosError("the node is not configured")
        self._worker.start()
        topic = self.resolve_topic_name(HANDS)
        self._subscription = compat.subscribe(
            self,
            HandStateArray,
            topic,
            self._worker.put,
            sensor_qos(_HANDS_DEPTH),
            incompatible_qos=incompatible_qos_callback(
                self._announcer, topic, "publish the hands as volatile or latched"
            ),
        )
        self.get_logger().info(f"active: waiting for hands on {topic}")

    def rest(self) -> None:
        """Unsubscribe, and forget the past."""
        if self._subscription is not None:
            self.destroy_subscription(self._subscription)
            self._subscription = None
        if self._worker is not None:
            self._worker.stop()

    def free(self) -> None:
        """Free the forecaster and the publishers."""
        self.rest()
        self._worker = None
        for publisher in self._publishers:
            self.destroy_lifecycle_publisher(publisher)
        self._publishers = []

    def _publish_diagnostics(self) -> None:
        statistics = self._statistics
        values: dict[str, object] = {
            "state": self.state_label,
            "method": self._worker.model_id if self._worker else "",
            "received": statistics.received.total,
            "received_hz": f"{statistics.received.rate_hz:.1f}",
            "published": statistics.published.total,
            "published_hz": f"{statistics.published.rate_hz:.1f}",
            "time_jumps": statistics.time_jumps,
            "hands": sum(t.tracking_state is not TrackingState.LOST for t in statistics.tracks),
        }
        # Not the key of dropped images, which reports of a run add up.
        skipped = statistics.drops.snapshot()
        values |= {f"skipped.{reason}": count for reason, count in skipped.items()}
        for stage in statistics.stages.stages():
            spread = statistics.stages.percentiles(stage)
            values[f"{stage}_ms.p50"] = f"{spread.p50_ms:.2f}"
            values[f"{stage}_ms.p95"] = f"{spread.p95_ms:.2f}"
        level, text = self._judge()
        name = f"{self.get_fully_qualified_name().lstrip('/')}: forecasts"
        stamp_ns = self.get_clock().now().nanoseconds
        fields = wire_sensors.diagnostic_array(stamp_ns, level, name, text, values)
        self._diagnostics.publish(message_from_dict(DiagnosticArray, fields))

    def _judge(self) -> tuple[int, str]:
        statistics = self._statistics
        if self.state_label != "active":
            return OK, f"the node is {self.state_label}"
        silent_s = statistics.received.age_s
        if silent_s > _SILENT_S:
            since = "yet" if math.isinf(silent_s) else f"for {silent_s:.1f} s"
            return WARN, f"no hands on {self.resolve_topic_name(HANDS)} {since}"
        if statistics.published.age_s > _SILENT_S:
            return ERROR, "hands come, but nothing is forecast; the log says why"
        return OK, f"{statistics.published.rate_hz:.1f} forecasts/s"


def main(args: list[str] | None = None) -> int:
    """Run the forecaster until it is asked to end."""
    os.nice(_NICENESS)
    return spin.run_process(lambda _: ForecasterNode(), args)


if __name__ == "__main__":
    raise SystemExit(main())
