"""From camera stamp to published hands, live over DDS, stage by stage.

    python -m benchmarks.latency [--seconds 20] [--json FILE]

Three processes, as on a robot: a camera that publishes 640x480 images at 30 Hz and odometry at
200 Hz with the stamps of now, the tracker node, and this one, which listens. The images show two
hands at work and are rendered before. The goal is a p95 within one frame interval.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import tyro

from hand4d_ros import wire, wire_sensors
from hand4d_ros.imaging import rgb_from_compressed_message
from hand4d_ros.replay.bags import BagReader
from hand4d_ros.replay.media_bag import CAMERA_INFO_TOPIC, COMPRESSED_TOPIC, RAW_TOPIC
from hand4d_ros.replay.scene_bag import write_scene_bag
from hand4d_ros.ros.graph import egocentric_graph
from hand4d_ros.ros.graph_arguments import EgocentricArguments
from hand4d_ros.ros.middleware import make_room_for_images
from hand4d_ros.ros.processes import command_of
from hand4d_ros.synthetic.demo import demo_config
from hand4d_ros.synthetic.scene import build_scene

RATE_HZ = 30.0
_ODOMETRY_HZ = 200.0
_WARM_UP_S = 3.0
_CLIP_S = 6.0
_PERCENTILES = (50, 95, 99)


def publish_camera(bag: Path, seconds: float) -> None:
    """Be the camera: loop over a bag's pictures with the stamps of now."""
    make_room_for_images()
    import rclpy
    from builtin_interfaces.msg import Time
    from nav_msgs.msg import Odometry
    from sensor_msgs.msg import CameraInfo, Image

    from hand4d_ros.ros.convert import message_from_dict
    from hand4d_ros.ros.qos import sensor_qos

    with BagReader(bag) as reader:
        pictures = [
            rgb_from_compressed_message(m.message) for m in reader.messages([COMPRESSED_TOPIC])
        ]
        info = next(iter(reader.messages([CAMERA_INFO_TOPIC]))).message
    camera = wire_sensors.camera_from_info(info)
    rclpy.init()
    node = rclpy.create_node("camera")
    images = node.create_publisher(Image, RAW_TOPIC, sensor_qos(1))
    infos = node.create_publisher(CameraInfo, CAMERA_INFO_TOPIC, sensor_qos(1))
    odometry = node.create_publisher(Odometry, "/odom", sensor_qos(50))
    messages = [
        message_from_dict(Image, wire_sensors.image(picture, 0, "camera")) for picture in pictures
    ]
    pose = message_from_dict(Odometry, wire_sensors.odometry(np.eye(4), 0, "world", "camera"))
    intrinsics = message_from_dict(CameraInfo, wire_sensors.camera_info(camera, 0, "camera"))
    start_s = time.monotonic()
    tick, shown = 0, 0
    while time.monotonic() - start_s < seconds:
        due_s = start_s + tick / _ODOMETRY_HZ
        time.sleep(max(due_s - time.monotonic(), 0.0))
        now_ns = time.time_ns()
        pose.header.stamp = Time(**wire.time_from_ns(now_ns))
        odometry.publish(pose)
        if tick * RATE_HZ / _ODOMETRY_HZ >= shown:
            # Forth and back, so that the hands never jump.
            place = shown % (2 * len(messages) - 2)
            message = messages[min(place, 2 * len(messages) - 2 - place)]
            message.header.stamp = intrinsics.header.stamp = pose.header.stamp
            infos.publish(intrinsics)
            images.publish(message)
            shown += 1
        tick += 1
    rclpy.shutdown()


def listen(seconds: float) -> dict[str, Any]:
    """Collect what the tracker publishes.

    Returns:
        Arrays of latencies (ms), the count of hands, and the last diagnostics.
    """
    import rclpy
    from diagnostic_msgs.msg import DiagnosticArray

    from hand4d_ros.msg import HandStateArray
    from hand4d_ros.ros.qos import reliable_qos

    rclpy.init()
    node = rclpy.create_node("listener")
    rows: list[tuple[float, float, int]] = []
    diagnostics: dict[str, str] = {}
    start_s = time.monotonic()

    def hands(message: Any) -> None:
        received_ms = (time.time_ns() - wire.ns_from_time(message.header.stamp)) * 1e-6
        if time.monotonic() - start_s > _WARM_UP_S:
            rows.append((message.latency_ms, received_ms, len(message.hands)))

    def status(message: Any) -> None:
        for one in message.status:
            diagnostics.update({value.key: value.value for value in one.values})

    node.create_subscription(HandStateArray, "/hand4d/tracker/hands", hands, reliable_qos(50))
    node.create_subscription(DiagnosticArray, "/diagnostics", status, reliable_qos(10))
    while time.monotonic() - start_s < seconds:
        rclpy.spin_once(node, timeout_sec=0.1)
    rclpy.shutdown()
    published, received, count = (
        np.array(column, dtype=float) for column in zip(*rows, strict=True)
    )
    return {
        "published": published,
        "received": received,
        "hands": count,
        "diagnostics": diagnostics,
    }


def summary(found: dict[str, Any]) -> dict[str, Any]:
    """Return percentiles of both latencies, the stages as the node says them, and drops."""
    said = found["diagnostics"]

    def spread(values: Any) -> dict[str, float]:
        return {f"p{p}": round(float(np.percentile(values, p)), 2) for p in _PERCENTILES}

    stages: dict[str, dict[str, float]] = {}
    for key, value in said.items():
        stage, _, percentile = key.partition("_ms.")
        if percentile:
            stages.setdefault(stage, {})[percentile] = float(value)
    return {
        "frames": len(found["published"]),
        "hands_per_frame": round(float(found["hands"].mean()), 2),
        "stamp_to_published_ms": spread(found["published"]),
        "stamp_to_received_ms": spread(found["received"]),
        "stages_ms": stages,
        "drops": {k.partition(".")[2]: int(v) for k, v in said.items() if k.startswith("drops.")},
        "frame_interval_ms": round(1e3 / RATE_HZ, 2),
    }


def main(seconds: float = 20.0, json_file: Path | None = None, camera: Path | None = None) -> None:
    """Measure the latency of the live node.

    Args:
        seconds: How long to measure, after three seconds of warm-up.
        json_file: Where to write the figures.
        camera: For the program's own use: be the camera and publish this bag.
    """
    if camera is not None:
        publish_camera(camera, seconds)
        return
    os.environ.setdefault("ROS_AUTOMATIC_DISCOVERY_RANGE", "LOCALHOST")
    bag = Path("out/bench/latency.mcap")
    bag.parent.mkdir(parents=True, exist_ok=True)
    print(f"rendering {_CLIP_S:g} s of two hands", flush=True)
    write_scene_bag(build_scene(demo_config(seconds=_CLIP_S)), bag)
    (tracker,) = egocentric_graph(EgocentricArguments(log_level="warn", forecast="false"))
    whole_s = seconds + _WARM_UP_S
    again = [sys.executable, "-m", "benchmarks.latency", "--camera", str(bag)]
    with (
        subprocess.Popen(command_of(tracker)) as node,
        subprocess.Popen([*again, "--seconds", str(whole_s + 10.0)]) as source,
    ):
        time.sleep(6.0)
        try:
            figures = summary(listen(whole_s))
        finally:
            for process in (source, node):
                process.send_signal(signal.SIGINT)
    print(json.dumps(figures, indent=2))
    if json_file is not None:
        json_file.write_text(json.dumps(figures, indent=2) + "\n")


if __name__ == "__main__":
    tyro.cli(main)
