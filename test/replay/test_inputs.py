"""Topics of a bag are found by their types, or named, and a choice is never made in silence."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from wire_samples import STAMP_NS, tracked_hands

from hand4d_ros import wire, wire_sensors
from hand4d_ros.errors import BagError
from hand4d_ros.replay.bags import BagReader, BagWriter
from hand4d_ros.replay.inputs import InputTopics, find_hands, find_inputs
from hand4d_ros.types import CameraModel

CAMERA = CameraModel(6, 4, 5.0, 5.0, 2.5, 1.5)
RGB = np.zeros((4, 6, 3), dtype=np.uint8)
CONTENT = {
    "sensor_msgs/msg/Image": wire_sensors.image(RGB, STAMP_NS, "cam"),
    "sensor_msgs/msg/CompressedImage": wire_sensors.compressed_image(b"", "jpeg", STAMP_NS, "cam"),
    "sensor_msgs/msg/CameraInfo": wire_sensors.camera_info(CAMERA, STAMP_NS, "cam"),
    "nav_msgs/msg/Odometry": wire_sensors.odometry(np.eye(4), STAMP_NS, "odom", "base"),
    "hand4d_ros/msg/HandStateArray": wire.hand_state_array(tracked_hands()),
}
SHORT = {name.rpartition("/")[2]: name for name in CONTENT}


def bag_of(folder: Path, **topics: str) -> BagReader:
    """Write a bag with one message on each topic (``__`` stands for a slash) and open it."""
    path = folder / "bag.mcap"
    with BagWriter(path) as bag:
        for topic, short in topics.items():
            bag.write("/" + topic.replace("__", "/"), SHORT[short], CONTENT[SHORT[short]], 1)
    return BagReader(path)


def test_found_by_type(tmp_path: Path) -> None:
    """One topic of each type is found whatever its name."""
    bag = bag_of(tmp_path, eye="Image", calib="CameraInfo", vio="Odometry")
    assert find_inputs(bag) == InputTopics("/eye", False, "/calib", "/vio")


def test_image_alone(tmp_path: Path) -> None:
    """Calibration and odometry may be missing."""
    bag = bag_of(tmp_path, eye="CompressedImage")
    assert find_inputs(bag) == InputTopics("/eye", True)


def test_raw_wins_over_its_compressed_twin(tmp_path: Path) -> None:
    """The same camera raw and compressed is one camera, and ours are no cameras."""
    bag = bag_of(
        tmp_path,
        cam__image="Image",
        cam__image__compressed="CompressedImage",
        hand4d__tracker__debug_image="Image",
    )
    assert find_inputs(bag) == InputTopics("/cam/image", False)


def test_camera_info_of_the_same_camera(tmp_path: Path) -> None:
    """Of several calibrations the one in the image's namespace is taken."""
    bag = bag_of(
        tmp_path,
        left__image_raw__compressed="CompressedImage",
        left__camera_info="CameraInfo",
        right__camera_info="CameraInfo",
    )
    assert find_inputs(bag).camera_info == "/left/camera_info"


def test_names_choose(tmp_path: Path) -> None:
    """Of several cameras and odometries the named ones are taken."""
    bag = bag_of(
        tmp_path, a__image="Image", b__image="Image", x="Odometry", y="Odometry", i="CameraInfo"
    )
    with pytest.raises(BagError, match="several images: /a/image, /b/image; choose one with"):
        find_inputs(bag)
    with pytest.raises(BagError, match="several odometry topics: /x, /y"):
        find_inputs(bag, image="/a/image")
    got = find_inputs(bag, image="/b/image", camera_info="/i", odometry="/y")
    assert got == InputTopics("/b/image", False, "/i", "/y")


@pytest.mark.parametrize("names", [{"image": "/no"}, {"odometry": "/a"}, {"camera_info": "/a"}])
def test_wrong_names_list_what_is_there(tmp_path: Path, names: dict[str, str]) -> None:
    """A name that is not there, or of another type, is an error that lists the topics."""
    bag = bag_of(tmp_path, a="Image")
    with pytest.raises(BagError, match=r"it has /a \(sensor_msgs/msg/Image, 1\)"):
        find_inputs(bag, **names)


def test_no_image(tmp_path: Path) -> None:
    """A bag without images is refused."""
    with pytest.raises(BagError, match="has no sensor_msgs/msg/Image"):
        find_inputs(bag_of(tmp_path, vio="Odometry"))


def test_find_hands(tmp_path: Path) -> None:
    """The tracker's topic is found, the truth is not taken for it."""
    bag = bag_of(tmp_path, truth__hands="HandStateArray", other__hands="HandStateArray")
    assert find_hands(bag) == "/other/hands"
    both = bag_of(tmp_path, hand4d__tracker__hands="HandStateArray", b="HandStateArray")
    assert find_hands(both) == "/hand4d/tracker/hands"
    assert find_hands(both, "/b") == "/b"
    with pytest.raises(BagError, match="has no hand4d_ros/msg/HandStateArray"):
        find_hands(bag_of(tmp_path, truth__hands="HandStateArray"))
