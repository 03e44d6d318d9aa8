"""Images get from process to process whole, also best effort."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest

from hand4d_ros.ros.middleware import (
    PROFILE_VARIABLES,
    make_room_for_images,
    profile_variable,
)

ROOT = Path(__file__).parents[2]

_SENDER = """
import array, sys, time
import rclpy
from sensor_msgs.msg import Image
from hand4d_ros.ros.middleware import make_room_for_images
from hand4d_ros.ros.qos import reliable_qos
make_room_for_images()
rclpy.init()
node = rclpy.create_node("sender")
publisher = node.create_publisher(Image, "large", reliable_qos(10))
message = Image(width=640, height=480, step=1920, encoding="rgb8")
message.data = array.array("B", bytes(640 * 480 * 3))
while not publisher.get_subscription_count():
    time.sleep(0.02)
time.sleep(0.3)
for _ in range(30):
    publisher.publish(message)
    time.sleep(0.033)
time.sleep(0.5)
"""
_RECEIVER = """
import time
import rclpy
from sensor_msgs.msg import Image
from hand4d_ros.ros.qos import sensor_qos
rclpy.init()
node = rclpy.create_node("receiver")
got = []
take = lambda message: got.append(len(message.data))
node.create_subscription(Image, "large", take, sensor_qos())
deadline = time.monotonic() + 20.0
quiet = time.monotonic() + 20.0
count = 0
while time.monotonic() < min(deadline, quiet):
    rclpy.spin_once(node, timeout_sec=0.1)
    if len(got) > count:
        count, quiet = len(got), time.monotonic() + 1.0
print(count, set(got))
"""


def test_a_choice_of_the_user_is_left_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    """Ours is used only where nobody named another profile."""
    for name in (*PROFILE_VARIABLES, "FASTDDS_BUILTIN_TRANSPORTS"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("FASTDDS_BUILTIN_TRANSPORTS", "UDPv4")
    assert not make_room_for_images()
    monkeypatch.delenv("FASTDDS_BUILTIN_TRANSPORTS")
    assert make_room_for_images()
    assert not make_room_for_images()
    monkeypatch.delenv(profile_variable())


@pytest.mark.parametrize(("package", "index"), [("fastrtps", 0), ("fastdds", 1)])
def test_each_version_of_fast_dds_has_its_variable(
    package: str, index: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Version 2 does not know the new name, and version 3 complains of the old one."""
    (tmp_path / "share" / package).mkdir(parents=True)
    monkeypatch.setenv("AMENT_PREFIX_PATH", str(tmp_path))
    monkeypatch.setattr(sys, "prefix", str(tmp_path))
    assert profile_variable() == PROFILE_VARIABLES[index]


def test_the_profile_has_room_for_several_images() -> None:
    """The shared memory of a process holds at least five images of 1280x720."""
    root = ET.parse(ROOT / "config/fastdds.xml").getroot()  # noqa: S314 - our own file.
    sizes = [int(each.text or 0) for each in root.iter() if each.tag.endswith("segment_size")]
    assert sizes
    assert min(sizes) >= 5 * 1280 * 720 * 3


@pytest.mark.usefixtures("ros_domain")
def test_best_effort_images_arrive_in_another_process() -> None:
    """Nearly all images arrive; with the default of Fast DDS most do not on a busy machine."""
    command = [sys.executable, "-c"]
    receiver = subprocess.Popen([*command, _RECEIVER], cwd=ROOT, stdout=subprocess.PIPE, text=True)
    subprocess.run([*command, _SENDER], cwd=ROOT, check=True, timeout=60.0)
    said, _ = receiver.communicate(timeout=60.0)
    count, _, sizes = said.partition(" ")
    assert int(count) >= 24
    assert sizes.strip() == "{921600}"
