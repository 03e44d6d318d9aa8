"""The tracker as a lifecycle node: wiring between topics, parameters and ``HandPipeline``.

Configure builds the pipeline and warms it up, activate subscribes, deactivate unsubscribes and
declares the hands lost, cleanup frees everything.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

from diagnostic_msgs.msg import DiagnosticArray
from nav_msgs.msg import Odometry
from sensor_msgs.msg import CameraInfo, CompressedImage, Image

from hand4d_ros.detection.external import ExternalDetections
from hand4d_ros.errors import DetectionError, GeometryError, RosError
from hand4d_ros.geometry.camera import camera_from_fov
from hand4d_ros.geometry.static_frames import StaticFrames
from hand4d_ros.msg import HandDetectionArray
from hand4d_ros.pipeline import HandPipeline, PipelineConfig
from hand4d_ros.ros import compat, spin
from hand4d_ros.ros.announce import Announcer
from hand4d_ros.ros.camera_input import CameraInput
from hand4d_ros.ros.convert import camera_from_message, message_from_dict
from hand4d_ros.ros.diagnostics import Snapshot, Statistics, diagnostic_array
from hand4d_ros.ros.graph import share_file
from hand4d_ros.ros.lifecycle import ManagedNode
from hand4d_ros.ros.middleware import profile_variable
from hand4d_ros.ros.odometry_input import OdometryInput
from hand4d_ros.ros.params import ConfigParameters
from hand4d_ros.ros.qos import incompatible_qos_callback, reliable_qos, sensor_qos
from hand4d_ros.ros.tracker_config import TrackerNodeConfig
from hand4d_ros.ros.tracker_outputs import TrackerOutputs
from hand4d_ros.ros.tracker_worker import Pipeline, TrackerWorker
from hand4d_ros.wire_detections import detections_from_array
from hand4d_ros.wire_sensors import stamped_pose_from_odometry

_DIAGNOSTICS_PERIOD_S = 1.0
_ODOMETRY_DEPTH = 200
_DETECTIONS_DEPTH = 10
_SWITCH_INTERVAL_S = 0.0005


@dataclass(frozen=True)
class _Parts:
    """What there is between configure and cleanup."""

    cameras: CameraInput
    odometry: OdometryInput
    outputs: TrackerOutputs
    worker: TrackerWorker


class TrackerNode(ManagedNode):
    """Camera and odometry in, hands in the world out."""

    def __init__(
        self,
        build_pipeline: Callable[[PipelineConfig], Pipeline] = HandPipeline,
        *,
        namespace: str = "hand4d",
        **node_options: Any,
    ) -> None:
        """Declare the parameters; nothing is subscribed to before the node is activated.

        Args:
            build_pipeline: Makes the pipeline of its config.
            namespace: In which the topics are, unless the command line says otherwise.
            node_options: As for ``rclpy.node.Node``.

        Raises:
            ConfigError: If a parameter is unknown, has the wrong type or is out of range.
        """
        super().__init__(
            "tracker",
            namespace=namespace,
            automatically_declare_parameters_from_overrides=True,
            **node_options,
        )
        self._settings = ConfigParameters(
            self, TrackerNodeConfig(), lambda: self.state_label != "unconfigured"
        )
        self._make_pipeline = build_pipeline
        self._announcer = Announcer(self.get_logger())
        self._static_frames = StaticFrames()
        self._static_subscription = compat.listen_to_static(self, self._static_frames)
        self._broadcaster = compat.TransformBroadcaster(self)
        self._inputs: list[Any] = []
        self._odometry: compat.Polled | None = None
        self._statistics = Statistics.fresh()
        self._parts: _Parts | None = None
        self._diagnostics = self.create_publisher(DiagnosticArray, "/diagnostics", reliable_qos())
        # ROS time stands still when a bag is paused, and then diagnostics matter most.
        self._timer = self.create_timer(
            _DIAGNOSTICS_PERIOD_S,
            self._publish_diagnostics,
            clock=compat.steady_clock(),
        )

    @property
    def config(self) -> TrackerNodeConfig:
        """The config as the parameters make it now."""
        return self._settings.config

    @property
    def image_topic(self) -> str:
        """Resolved name of the topic that images come on."""
        topic = str(self.resolve_topic_name("image"))
        compressed = self.config.image_transport == "compressed"
        return f"{topic}/compressed" if compressed and not topic.endswith("/compressed") else topic

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
        """Build the pipeline, warm it up, and create the publishers."""
        config = self.config
        self._statistics = Statistics.fresh()
        resolve = self.resolve_topic_name
        cameras = CameraInput(config.camera, self._announcer, resolve("camera_info"))
        odometry = OdometryInput(
            config.odometry,
            config.extrinsic,
            self._static_frames.lookup,
            self._announcer,
            topic=resolve("odom"),
            world_frame=config.world_frame,
            fetch=self._fetch_odometry,
        )
        outputs = TrackerOutputs(self, self._broadcaster)
        try:
            worker = TrackerWorker(
                self._built_pipeline,
                cameras,
                odometry,
                outputs,
                self._announcer,
                statistics=self._statistics,
                config=lambda: self.config,
                now_ns=lambda: self.get_clock().now().nanoseconds,
            )
        except BaseException:
            outputs.destroy()
            raise
        self._parts = _Parts(cameras, odometry, outputs, worker)
        self.get_logger().info(f"configured: {worker.model_id}")

    def _built_pipeline(self) -> Pipeline:
        pipeline = self._make_pipeline(self.config.pipeline)
        pipeline.warm_up(camera_from_fov(640, 480, 1.2))
        return pipeline

    def begin(self) -> None:
        """Start the worker and subscribe."""
        parts, config, topic = self._parts, self.config, self.image_topic
        if parts is None:
            raise RosError("the node is not configured")
        parts.worker.start()
        camera_info = self.resolve_topic_name("camera_info")
        take = partial(self._take_camera_info, parts.cameras)
        self._subscribe(CameraInfo, camera_info, take, sensor_qos(5))
        if config.odometry.mode != "static":
            odom = self.resolve_topic_name("odom")
            self._odometry = compat.Polled(self, Odometry, odom, sensor_qos(_ODOMETRY_DEPTH))
        if config.pipeline.detector == "external":
            detections = self.resolve_topic_name("detections")
            take = partial(self._take_detections, parts.worker)
            self._subscribe(HandDetectionArray, detections, take, sensor_qos(_DETECTIONS_DEPTH))
        # Last, so that whoever waits for a subscriber of the images finds the others there too.
        message = CompressedImage if config.image_transport == "compressed" else Image
        qos = sensor_qos(1, config.image_reliability)
        self._subscribe(message, topic, parts.worker.put, qos, self._images_lost)
        self.get_logger().info(f"active: waiting for images on {topic}")

    def _subscribe(
        self,
        message: Any,
        topic: str,
        callback: Any,
        qos: Any,
        message_lost: Callable[[Any], None] | None = None,
    ) -> None:
        remedy = "set image_reliability to best_effort, or publish with a stronger one"
        self._inputs.append(
            compat.subscribe(
                self,
                message,
                topic,
                callback,
                qos,
                incompatible_qos=incompatible_qos_callback(self._announcer, topic, remedy),
                message_lost=message_lost,
            )
        )

    def _images_lost(self, event: Any) -> None:
        """Count images that the middleware lost; by itself it says nothing."""
        self._statistics.drops.add("lost_in_transit", event.total_count_change)
        self._announcer.repeatedly(
            "lost_in_transit",
            f"{event.total_count} images were lost between the camera's process and this one: "
            f"give the camera's driver more shared memory with {profile_variable()}="
            f"{share_file('config/fastdds.xml')}, or use image_transport compressed",
        )

    def _take_camera_info(self, cameras: CameraInput, message: CameraInfo) -> None:
        try:
            camera = camera_from_message(message, rectified=self.config.camera.rectified)
        except GeometryError as error:
            cameras.put(error)
        else:
            cameras.put(camera)

    def _fetch_odometry(self) -> None:
        """Move what has come on the topic into the ring; called by the worker."""
        if self._odometry is None or self._parts is None:
            return
        for message in self._odometry.take():
            stamp_ns, T_world_base = stamped_pose_from_odometry(message)
            frames = message.header.frame_id, message.child_frame_id
            self._parts.odometry.push(stamp_ns, T_world_base, *frames)

    def _take_detections(self, worker: TrackerWorker, message: HandDetectionArray) -> None:
        detector = worker.detector
        if not isinstance(detector, ExternalDetections):
            return
        try:
            detector.push(*detections_from_array(message))
        except (DetectionError, RosError) as error:
            self._statistics.drops.add("bad_detections")
            self._announcer.repeatedly("bad_detections", f"detections are dropped: {error}")

    def rest(self) -> None:
        """Unsubscribe, and declare the hands lost."""
        for subscription in self._inputs:
            self.destroy_subscription(subscription)
        self._inputs.clear()
        if self._parts is not None:
            self._parts.worker.stop()
        # After the worker, which reads from it.
        if self._odometry is not None:
            self._odometry.destroy()
            self._odometry = None

    def free(self) -> None:
        """Free the pipeline and the publishers."""
        self.rest()
        parts, self._parts = self._parts, None
        if parts is not None:
            parts.worker.close()
            parts.outputs.destroy()

    def _publish_diagnostics(self) -> None:
        parts = self._parts
        snapshot = Snapshot(
            stamp_ns=self.get_clock().now().nanoseconds,
            state=self.state_label,
            engine=parts.worker.model_id if parts else "",
            image_topic=self.image_topic,
            odometry_age_ns=parts.odometry.age_ns if parts else 0,
            odometry_events=parts.odometry.events() if parts else {},
        )
        name = self.get_fully_qualified_name().lstrip("/")
        fields = diagnostic_array(name, self._statistics, snapshot)
        self._diagnostics.publish(message_from_dict(DiagnosticArray, fields))


def main(args: list[str] | None = None) -> int:
    """Run the tracker until it is asked to end."""
    # The worker returns from the networks to a lock that callbacks of clock and odometry hold;
    # by default it waits 5 ms for it, which is a sixth of an image's time.
    sys.setswitchinterval(_SWITCH_INTERVAL_S)
    return spin.run_process(lambda _: TrackerNode(), args)


if __name__ == "__main__":
    raise SystemExit(main())
