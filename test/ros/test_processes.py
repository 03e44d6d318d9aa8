"""Nodes as processes: clean ends, hard ends, and the graph that ``hand4d up`` starts."""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import rclpy
from rclpy.context import Context
from sensor_msgs.msg import CameraInfo, Image

from hand4d_ros import wire, wire_sensors
from hand4d_ros.msg import HandStateArray
from hand4d_ros.replay.bags import BagReader, BagWriter
from hand4d_ros.ros import compat
from hand4d_ros.ros.convert import message_from_dict
from hand4d_ros.ros.graph import NodeSpec
from hand4d_ros.ros.images import image_fields_from_rgb
from hand4d_ros.ros.processes import command_of
from hand4d_ros.ros.qos import reliable_qos
from hand4d_ros.ros.spin import Spinner
from hand4d_ros.types import CameraModel

pytestmark = pytest.mark.usefixtures("ros_domain")

ROOT = Path(__file__).parents[2]
_CAMERA = CameraModel(64, 48, 50.0, 50.0, 31.5, 23.5)
_MS = 1_000_000
_START_NS = 100_000 * _MS
_STATIC = ("odometry.mode", "static")


def _start(spec: NodeSpec) -> subprocess.Popen[str]:
    return subprocess.Popen(
        command_of(spec), cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    )


def _tracker(*parameters: tuple[str, Any]) -> NodeSpec:
    return NodeSpec("tracker", "tracker", namespace="/hand4d", parameters=parameters)


def _wait_for_line(process: subprocess.Popen[str], text: str) -> str:
    """Read the output up to a line that holds a text; pytest's timeout ends a wait in vain."""
    assert process.stdout is not None
    read = ""
    for line in process.stdout:
        read += line
        if text in line:
            return read
    raise AssertionError(f"{text!r} was not said, but:\n{read}")


def _image(stamp_ns: int) -> Any:
    fields = image_fields_from_rgb(np.full((48, 64, 3), 90, np.uint8))
    return message_from_dict(Image, fields | {"header": wire.header(stamp_ns, "cam")})


@contextmanager
def _peer() -> Iterator[Any]:
    """A node of the test's own, spinning."""
    context = Context()
    rclpy.init(context=context)
    node: Any = compat.Node("peer", namespace="hand4d", context=context)
    spinner = Spinner(context=context)
    spinner.add_node(node)
    spinner.start()
    try:
        yield node
    finally:
        spinner.stop()
        node.destroy_node()
        rclpy.shutdown(context=context)


def _write_bag(path: Path, frames: int = 20) -> None:
    """Write a short bag of grey images with camera_info and odometry."""
    rgb = np.full((48, 64, 3), 90, np.uint8)
    with BagWriter(path) as bag:
        for step in range(frames):
            stamp_ns = _START_NS + step * 33 * _MS
            odometry = wire_sensors.odometry(np.eye(4), stamp_ns, "odom", "cam")
            info = wire_sensors.camera_info(_CAMERA, stamp_ns, "cam")
            image = wire_sensors.image(rgb, stamp_ns, "cam")
            bag.write("/vio", "nav_msgs/msg/Odometry", odometry, stamp_ns)
            bag.write("/eye/camera_info", "sensor_msgs/msg/CameraInfo", info, stamp_ns)
            bag.write("/eye/image", "sensor_msgs/msg/Image", image, stamp_ns)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_the_tracker_cleanly(number: signal.Signals) -> None:
    """Asked to end, the node ends with 0 and without a stack trace."""
    process = _start(_tracker(_STATIC))
    _wait_for_line(process, "active: waiting for images on /hand4d/image")
    process.send_signal(number)
    rest, _ = process.communicate(timeout=30.0)
    assert process.returncode == 0
    assert "Traceback" not in rest


@pytest.mark.parametrize(
    ("parameter", "text"),
    [
        (("tracker.hold_s", -1.0), "tracker.hold_s is -1.0, but must be float in 0..10"),
        (("tracker.holds", 1.0), "no parameter 'tracker.holds'; did you mean tracker.hold_s"),
        (("hand_model", "/no/such.npz"), "/no/such.npz"),
    ],
)
def test_a_wrong_parameter_ends_the_start(parameter: tuple[str, Any], text: str) -> None:
    """The process ends at once, not with 0, and says what was given and what is allowed."""
    process = _start(_tracker(parameter))
    said, _ = process.communicate(timeout=60.0)
    assert process.returncode in (1, 2)
    assert text in said
    assert "Traceback" not in said


def test_killed_and_started_again_while_a_subscriber_stays() -> None:
    """After SIGKILL and a new start the same subscriber hears the tracker again."""
    arrays: list[Any] = []
    with _peer() as peer:
        peer.create_subscription(HandStateArray, "tracker/hands", arrays.append, reliable_qos())
        image = peer.create_publisher(Image, "image", reliable_qos())
        info = peer.create_publisher(CameraInfo, "camera_info", reliable_qos())
        message = message_from_dict(CameraInfo, wire_sensors.camera_info(_CAMERA, 0, "cam"))
        stamp_ns = _START_NS
        for life in (1, 2):
            process = _start(_tracker(_STATIC))
            _wait_for_line(process, "active")
            arrays.clear()
            deadline_s = time.monotonic() + 30.0
            while len(arrays) < 3:
                assert time.monotonic() < deadline_s, f"nothing was heard in life {life}"
                stamp_ns += 33 * _MS
                info.publish(message)
                image.publish(_image(stamp_ns))
                time.sleep(0.033)
            process.kill()
            process.communicate(timeout=30.0)


def test_player_and_recorder_pass_a_bag_on(tmp_path: Path) -> None:
    """A bag that is played and recorded is the same bag, message by message."""
    _write_bag(tmp_path / "in.mcap")
    topics = ("/vio", "/eye/camera_info", "/eye/image", "/clock")
    recorder = _start(
        NodeSpec(
            "recorder",
            "recorder",
            parameters=(("path", str(tmp_path / "out.mcap")), ("topics", topics)),
        )
    )
    _wait_for_line(recorder, "recording")
    parameters = (
        ("bag", str(tmp_path / "in.mcap")),
        ("rate", 2.0),
        ("wait_for", topics[:3]),
        ("linger_s", 0.2),
    )
    player = _start(NodeSpec("player", "player", parameters=parameters))
    said, _ = player.communicate(timeout=60.0)
    assert player.returncode == 0, said
    assert "played 60 messages" in said
    recorder.send_signal(signal.SIGTERM)
    said, _ = recorder.communicate(timeout=30.0)
    assert recorder.returncode == 0, said
    with BagReader(tmp_path / "in.mcap") as sent, BagReader(tmp_path / "out.mcap") as got:
        for topic in topics[:3]:
            # Not the bytes: DDS leaves the padding between fields undefined.
            before = [repr(each.message) for each in sent.messages([topic])]
            assert [repr(each.message) for each in got.messages([topic])] == before
            assert len(before) == 20
        ticks = [wire.ns_from_time(m.message.clock) for m in got.messages(["/clock"])]
    assert ticks == sorted(ticks)
    assert ticks[0] == _START_NS
    # Nineteen frames at twice the speed and the time after them, at 200 ticks a second.
    assert len(ticks) > 40


def test_player_loops_and_pauses(tmp_path: Path) -> None:
    """Paused at start nothing comes; resumed by service the bag comes again and again."""
    from std_srvs.srv import SetBool

    _write_bag(tmp_path / "in.mcap", frames=4)
    images: list[Any] = []
    with _peer() as peer:
        peer.create_subscription(Image, "/eye/image", images.append, reliable_qos())
        parameters = (
            ("bag", str(tmp_path / "in.mcap")),
            ("loop", True),
            ("start_paused", True),
            ("clock_hz", 0.0),
            ("wait_for", ("/eye/image",)),
        )
        player = _start(NodeSpec("player", "player", namespace="/hand4d", parameters=parameters))
        said = _wait_for_line(player, "playing")
        assert "ros2 service call /hand4d/player/set_paused" in said
        client = peer.create_client(SetBool, "/hand4d/player/set_paused")
        assert client.wait_for_service(10.0)
        assert not images
        client.call_async(SetBool.Request(data=False))
        deadline_s = time.monotonic() + 30.0
        while len(images) < 12:
            assert time.monotonic() < deadline_s
            time.sleep(0.01)
        stamps = [wire.ns_from_time(image.header.stamp) for image in images[:12]]
        assert stamps == [_START_NS + step * 33 * _MS for step in range(4)] * 3
        player.send_signal(signal.SIGINT)
        assert player.wait(30.0) == 0


@pytest.mark.parametrize(
    ("executable", "parameters", "text"),
    [
        ("player", (("bag", "/no/such.mcap"),), "there is no bag at /no/such.mcap"),
        ("player", (), "bag is empty"),
        ("recorder", (("path", "/proc/out.mcap"), ("topics", ("/tf",))), "/proc/out.mcap"),
        ("recorder", (("path", "x.mcap"), ("topics", ("tf",))), "expected full names"),
        ("recorder", (("path", "x.mcap"),), "give both"),
    ],
)
def test_bags_that_cannot_be_used(
    executable: str, parameters: tuple[tuple[str, Any], ...], text: str
) -> None:
    """A missing bag and a place that cannot be written end the process with the reason."""
    done = subprocess.run(
        command_of(NodeSpec(executable, executable, parameters=parameters)),
        capture_output=True,
        text=True,
        check=False,
        cwd=ROOT,
    )
    assert done.returncode == 2
    assert text in done.stderr
    assert "Traceback" not in done.stderr


def test_up_with_a_bag_runs_to_its_end_and_records(tmp_path: Path) -> None:
    """``hand4d up --bag`` tracks every kind of frame it can and leaves what was said in a bag."""
    _write_bag(tmp_path / "in.mcap", frames=30)
    command = [sys.executable, "-m", "hand4d_ros.cli.main", "up"]
    command += ["--bag", str(tmp_path / "in.mcap"), "--record", str(tmp_path / "out.mcap")]
    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=ROOT)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "[tracker] " in done.stdout
    assert "[player] ended with exit code 0" in done.stdout
    with BagReader(tmp_path / "out.mcap") as bag:
        stamps = [
            wire.ns_from_time(m.message.header.stamp)
            for m in bag.messages(["/hand4d/tracker/hands"])
        ]
        assert bag.count("/diagnostics") >= 1
    # How many depends on the machine; those that are late are dropped, never queued.
    assert len(stamps) >= 5
    assert stamps == sorted(set(stamps))


def test_up_ends_when_a_node_dies(tmp_path: Path) -> None:
    """A node that is killed ends the others, and ``hand4d up`` does not end with 0."""
    command = [sys.executable, "-m", "hand4d_ros.cli.main", "up"]
    command += ["--record", str(tmp_path / "out.mcap")]
    up = subprocess.Popen(
        command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    )
    said = _wait_for_line(up, "active")
    pid = int(said.split("[tracker] started, process ")[1].split()[0])
    subprocess.run(["kill", "-9", str(pid)], check=True)
    rest, _ = up.communicate(timeout=60.0)
    assert up.returncode == 9
    assert "[tracker] ended with exit code -9" in rest
    assert (tmp_path / "out.mcap").exists(), "the recorder was asked to end, not killed"
