"""A tracker node and a peer that talk over real DDS, for the tests of the nodes."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import Any, TypeVar

import numpy as np
import rclpy
import rclpy.parameter
from diagnostic_msgs.msg import DiagnosticArray
from geometry_msgs.msg import PoseStamped
from lifecycle_msgs.srv import ChangeState
from nav_msgs.msg import Odometry
from rclpy.context import Context
from sensor_msgs.msg import CameraInfo, Image
from typing_extensions import Self

from hand4d_ros import wire, wire_sensors
from hand4d_ros.errors import DetectionError
from hand4d_ros.geometry import camera as cameras
from hand4d_ros.geometry import se3
from hand4d_ros.hand.load import load_hand
from hand4d_ros.msg import HandStateArray
from hand4d_ros.pipeline import HandPipeline, PipelineConfig
from hand4d_ros.ros import compat
from hand4d_ros.ros.convert import message_from_dict
from hand4d_ros.ros.images import image_fields_from_rgb
from hand4d_ros.ros.qos import reliable_qos
from hand4d_ros.ros.spin import Spinner
from hand4d_ros.ros.tracker_node import TrackerNode
from hand4d_ros.types import CameraModel, Frame, HandDetection, Side

# rclpy has no annotations here before Lyrical.
PARAMETER: Any = rclpy.parameter.Parameter

CAMERA = CameraModel(64, 48, 50.0, 50.0, 31.5, 23.5)
MS = 1_000_000
START_NS = 100_000 * MS
RigT = TypeVar("RigT", bound="Rig")
LIMIT_S = 20.0


def detection(side: Side = Side.RIGHT, x_m: float = 0.0, score: float = 0.9) -> HandDetection:
    """Return what a perfect detector sees of a flat hand half a metre in front of the camera."""
    T_camera_wrist = se3.from_rotation_translation(np.eye(3), np.array([x_m, 0.05, 0.5]))
    hand = load_hand("", side).with_shape(np.zeros(10))
    keypoints_m = hand.keypoints(T_camera_wrist, np.zeros((15, 3)))
    return HandDetection(side, score, cameras.project(CAMERA, keypoints_m), np.full(21, 0.9))


class ScriptedDetector:
    """Says what the test wants it to say."""

    def __init__(self, hands: Sequence[HandDetection] = ()) -> None:
        """See these hands in every frame."""
        self.hands = list(hands)
        self.failing = False
        self.frames: list[Frame] = []
        self.warmed_up = 0
        self.closed = 0

    def detect(self, frame: Frame) -> list[HandDetection]:
        """Return the hands, or fail."""
        self.frames.append(frame)
        if self.failing:
            raise DetectionError("the test's detector fails")
        return list(self.hands)

    def warm_up(self, camera: CameraModel) -> None:
        """Count."""
        del camera
        self.warmed_up += 1

    def close(self) -> None:
        """Count."""
        self.closed += 1


class Rig:
    """The tracker, and a peer that plays camera, odometry and consumer."""

    def __init__(self, detector: ScriptedDetector | None = None, /, **parameters: Any) -> None:
        """Start both; the tracker is active where ``autostart`` is left alone.

        Args:
            detector: What the real pipeline uses to detect.
            parameters: Of the tracker; two underscores stand for a dot.
        """
        self.detector = detector or ScriptedDetector([detection()])
        self.context = Context()
        rclpy.init(context=self.context)
        overrides = [
            PARAMETER(name.replace("__", "."), value=value) for name, value in parameters.items()
        ]
        self.peer: Any = compat.Node("peer", namespace="hand4d", context=self.context)
        try:
            self.tracker = TrackerNode(
                self._pipeline, context=self.context, parameter_overrides=overrides
            )
        except BaseException:
            self._destroy_peer()
            raise
        self.hands: list[HandStateArray] = []
        self.wrists: list[PoseStamped] = []
        self.diagnostics: list[DiagnosticArray] = []
        self.transforms: list[Any] = []
        make = self.peer.create_publisher
        self.image = make(Image, "image", reliable_qos())
        self.camera_info = make(CameraInfo, "camera_info", reliable_qos())
        self.odom = make(Odometry, "odom", reliable_qos(100))
        # One client for all transitions: each new one would have to be discovered first.
        self.change_state = self.peer.create_client(ChangeState, "tracker/change_state")
        self.listen(HandStateArray, "tracker/hands", self.hands)
        self.listen(PoseStamped, "tracker/right/wrist", self.wrists)
        self.listen(DiagnosticArray, "/diagnostics", self.diagnostics)
        self.listen(compat.TFMessage, "/tf", self.transforms)
        self.spinner = Spinner(context=self.context)
        self.spinner.add_node(self.peer)
        self.spinner.add_node(self.tracker)
        self.spinner.start()
        self.tracker.start()
        if self.tracker.config.autostart:
            self.wait_until_matched()

    def _pipeline(self, config: PipelineConfig) -> HandPipeline:
        if config.detector == "external":
            return HandPipeline(config)
        return HandPipeline(config, detector=self.detector)

    def __enter__(self) -> Self:
        """Return the running rig."""
        return self

    def __exit__(self, *_: object) -> None:
        """Shut everything down."""
        self.spinner.stop()
        self.tracker.close()
        self.tracker.destroy_node()
        self._destroy_peer()

    @property
    def parts(self) -> Any:
        """What the tracker has between configure and cleanup."""
        assert self.tracker._parts is not None
        return self.tracker._parts

    def _destroy_peer(self) -> None:
        self.peer.destroy_node()
        rclpy.shutdown(context=self.context)

    def listen(self, cls: Any, topic: str, into: list[Any]) -> None:
        """Collect the messages of a topic."""
        self.peer.create_subscription(cls, topic, into.append, reliable_qos(100))

    def wait_until_matched(self) -> None:
        """Wait until the tracker hears and is heard."""
        self.wait(lambda: all(p.get_subscription_count() for p in (self.image, self.camera_info)))
        self.wait(lambda: bool(self.peer.count_publishers("/hand4d/tracker/hands")))

    def wait(self, condition: Callable[[], Any], what: str = "") -> None:
        """Wait for something to become true, or fail."""
        deadline_s = time.monotonic() + LIMIT_S
        while not condition():
            assert time.monotonic() < deadline_s, what or f"waited {LIMIT_S} s in vain"
            time.sleep(0.005)

    def send_camera_info(self, camera: CameraModel = CAMERA) -> None:
        """Publish camera_info and wait until the tracker has it."""
        fields = wire_sensors.camera_info(camera, START_NS, "cam")
        self.camera_info.publish(message_from_dict(CameraInfo, fields))
        parts = self.parts
        self.wait(lambda: parts.cameras._camera is not None or parts.cameras._fault)

    def send_odometry(self, stamp_ns: int, x_m: float = 0.0, child: str = "cam") -> None:
        """Publish one sample of odometry."""
        T_world_base = np.eye(4)
        T_world_base[0, 3] = x_m
        fields = wire_sensors.odometry(T_world_base, stamp_ns, "odom", child)
        self.odom.publish(message_from_dict(Odometry, fields))

    def wait_odometry(self, condition: Callable[[], Any]) -> None:
        """Wait for odometry, which the tracker itself fetches but once there is an image."""
        fetch = self.parts.odometry._fetch
        self.wait(lambda: fetch() or condition(), "odometry did not arrive")

    def publish_image(self, stamp_ns: int, **changes: Any) -> None:
        """Publish one image."""
        fields = image_fields_from_rgb(np.full((48, 64, 3), 90, np.uint8))
        fields["header"] = wire.header(stamp_ns, "cam")
        self.image.publish(message_from_dict(Image, fields | changes))

    def send_image(self, stamp_ns: int, **changes: Any) -> None:
        """Publish one image and wait until the tracker has answered or dropped it."""
        statistics = self.tracker._statistics
        before = statistics.finished
        self.publish_image(stamp_ns, **changes)
        self.wait(
            lambda: statistics.finished > before,
            f"the image of {stamp_ns} ns was neither answered nor dropped",
        )

    def send_frame(self, stamp_ns: int, x_m: float = 0.0, **changes: Any) -> None:
        """Publish odometry around a stamp, then the image of that stamp."""
        parts = self.parts
        for offset_ms in (-5, 5):
            self.send_odometry(stamp_ns + offset_ms * MS, x_m)
        newest = stamp_ns + 5 * MS
        self.wait_odometry(lambda: parts.odometry._buffer.latest_ns == newest)
        self.send_image(stamp_ns, **changes)

    def drops(self) -> dict[str, int]:
        """Return the counts of dropped images by reason."""
        return self.tracker._statistics.drops.snapshot()

    def wait_hands(self, count: int) -> HandStateArray:
        """Wait for so many messages of hands and return the newest."""
        self.wait(lambda: len(self.hands) >= count, f"fewer than {count} messages of hands")
        return self.hands[-1]

    def status(self, name: str) -> tuple[int, str, dict[str, str]]:
        """Wait for fresh diagnostics and return level, message and values of one status."""
        self.diagnostics.clear()
        self.wait(lambda: self.diagnostics)
        for status in self.diagnostics[-1].status:
            if status.name.endswith(name):
                values = {pair.key: pair.value for pair in status.values}
                return int.from_bytes(status.level, "little"), str(status.message), values
        raise AssertionError(f"no status {name}")
