"""Bags: every message survives MCAP, other readers agree, and bad bags say what is wrong."""

from __future__ import annotations

import json
import resource
import shutil
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from mcap.reader import make_reader
from rosbags.rosbag2 import CompressionFormat, CompressionMode, StoragePlugin, Writer
from wire_samples import STAMP_NS, tracked_hands

import hand4d_ros
from hand4d_ros import wire, wire_forecast, wire_markers, wire_sensors
from hand4d_ros.errors import BagError
from hand4d_ros.replay import typestore
from hand4d_ros.replay.bags import BagReader, BagWriter, Storage
from hand4d_ros.types import CameraModel, ForecastMode, HandForecast, Side

CAMERA = CameraModel(6, 4, 5.0, 5.0, 2.5, 1.5, "plumb_bob", (0.1, 0.0, 0.0, 0.0, 0.0))
RGB = np.random.default_rng(0).integers(0, 256, (4, 6, 3), dtype=np.uint8)


def every_message() -> list[tuple[str, str, wire.Message]]:
    """Return topic, type and content of one message of every type that this package writes."""
    T = np.eye(4)
    transform = wire.transform_stamped(T, STAMP_NS, "odom", "left_wrist")
    mode = ForecastMode(1.0, T[None], np.eye(3)[None], np.zeros((1, 5, 3)), np.ones(1))
    forecast = HandForecast(STAMP_NS, Side.LEFT, "left-1", 1.0, 10**8, 0.875, (mode,))
    stamp = STAMP_NS
    return [
        ("/hands", "hand4d_ros/msg/HandStateArray", wire.hand_state_array(tracked_hands())),
        (
            "/forecast",
            "hand4d_ros/msg/HandForecastArray",
            wire_forecast.forecast_array((forecast,), stamp, "odom", "m"),
        ),
        ("/wrist", "geometry_msgs/msg/PoseStamped", wire.pose_stamped(T, stamp, "odom")),
        ("/tf", "tf2_msgs/msg/TFMessage", wire.tf_message([transform])),
        ("/tf_static", "tf2_msgs/msg/TFMessage", wire.tf_message([transform])),
        ("/info", "sensor_msgs/msg/CameraInfo", wire_sensors.camera_info(CAMERA, stamp, "cam")),
        ("/odom", "nav_msgs/msg/Odometry", wire_sensors.odometry(T, stamp, "odom", "base")),
        ("/image", "sensor_msgs/msg/Image", wire_sensors.image(RGB, stamp, "cam")),
        (
            "/image/compressed",
            "sensor_msgs/msg/CompressedImage",
            wire_sensors.compressed_image(b"\xff\xd8", "jpeg", stamp, "cam"),
        ),
        (
            "/diagnostics",
            "diagnostic_msgs/msg/DiagnosticArray",
            wire_sensors.diagnostic_array(stamp, 1, "t", "ok", {"drops.late": 2}),
        ),
        (
            "/markers",
            "visualization_msgs/msg/MarkerArray",
            wire_markers.marker_array(tracked_hands()),
        ),
    ]


def assert_same(got: Any, want: Any, where: str = "") -> None:
    """Compare a message object with the dict that it was made of, every field of it."""
    if isinstance(want, dict):
        for key, value in want.items():
            assert_same(getattr(got, key), value, f"{where}.{key}")
    elif isinstance(want, list):
        assert len(got) == len(want), where
        for index, value in enumerate(want):
            assert_same(got[index], value, f"{where}[{index}]")
    elif isinstance(want, np.ndarray):
        np.testing.assert_array_equal(np.asarray(got), want, err_msg=where)
    elif isinstance(want, float):
        np.testing.assert_allclose(got, want, rtol=1e-6, err_msg=where)
    else:
        assert got == want, where


def write(path: Path, copies: int = 1, storage: Storage = "mcap") -> Path:
    """Write a bag that holds every message some times."""
    with BagWriter(path, storage) as bag:
        for index in range(copies):
            for topic, msgtype, content in every_message():
                bag.write(topic, msgtype, content, STAMP_NS + index)
    return path


@pytest.mark.parametrize(
    ("name", "storage"), [("bag.mcap", "mcap"), ("bag", "mcap"), ("bag", "sqlite3")]
)
def test_every_message_survives(tmp_path: Path, name: str, storage: Storage) -> None:
    """All fields of all types read back equal, from a file, a folder and SQLite."""
    path = write(tmp_path / name, storage=storage)
    assert path.is_file() == name.endswith(".mcap")
    assert [p.name for p in tmp_path.iterdir()] == [name]
    with BagReader(path) as bag:
        read = {message.topic: message for message in bag.messages()}
        assert bag.note == ""
    for topic, msgtype, content in every_message():
        assert read[topic].msgtype == msgtype
        assert read[topic].log_ns == STAMP_NS
        assert_same(read[topic].message, content, topic)


def test_hands_survive_a_bag(tmp_path: Path) -> None:
    """Tracked hands go through a bag and come back as types."""
    hands = tracked_hands()
    path = tmp_path / "hands.mcap"
    with BagWriter(path) as bag:
        bag.write("/hands", "hand4d_ros/msg/HandStateArray", wire.hand_state_array(hands), 1)
    with BagReader(path) as bag:
        (read,) = bag.messages(["/hands"])
    got = wire.tracked_hands_from_array(read.message)
    for one, other in zip(got.tracks, hands.tracks, strict=True):
        np.testing.assert_allclose(one.hand.keypoints_m, other.hand.keypoints_m, atol=1e-12)
        assert one.tracking_state == other.tracking_state


def test_an_independent_reader_agrees(tmp_path: Path) -> None:
    """The mcap library finds the same topics, schemas, stamps and bytes."""
    path = write(tmp_path / "bag.mcap", copies=3)
    with path.open("rb") as stream:
        reader = make_reader(stream, validate_crcs=True)
        assert reader.get_header().profile == "ros2"
        found = [
            (channel.topic, schema.name, message.log_time, message.data)
            for schema, channel, message in reader.iter_messages()
            if schema is not None
        ]
    with BagReader(path) as bag:
        ours = list(bag.serialized())
    assert sorted(found) == sorted((t, k, ns, bytes(d)) for t, k, ns, d in ours)
    assert len(found) == 3 * len(every_message())


def test_ros_deserialises_what_is_written(tmp_path: Path) -> None:
    """The bytes in a bag are what rclpy reads as our generated messages."""
    serialization = pytest.importorskip("rclpy.serialization")
    generated = pytest.importorskip("hand4d_ros.msg")
    path = write(tmp_path / "bag.mcap")
    with BagReader(path) as bag:
        data = {topic: bytes(raw) for topic, _, _, raw in bag.serialized({"/hands", "/forecast"})}
    for topic, msgtype, content in every_message()[:2]:
        kind = getattr(generated, msgtype.rpartition("/")[2])
        assert_same(serialization.deserialize_message(data[topic], kind), content, topic)


def test_definitions_travel_in_the_bag(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A reader whose own definitions differ reads the bag by the bag's."""
    path = write(tmp_path / "bag.mcap")
    foreign = dict(typestore.default_typestore().fielddefs)
    foreign["hand4d_ros/msg/HandStateArray"] = foreign["std_msgs/msg/Header"]

    class Other:
        fielddefs = foreign

    monkeypatch.setattr(typestore, "default_typestore", Other)
    with BagReader(path) as bag:
        (read,) = bag.messages(["/hands"])
    assert_same(read.message, every_message()[0][2])


def test_topics_counts_and_hash(tmp_path: Path) -> None:
    """A bag lists its topics with types and counts, and equal bags have equal hashes."""
    path = write(tmp_path / "bag.mcap", copies=2)
    again = write(tmp_path / "again.mcap", copies=2)
    with BagReader(path) as one, BagReader(again) as other:
        assert {t.name: t.message_count for t in one.topics} == dict.fromkeys(
            (topic for topic, _, _ in every_message()), 2
        )
        assert one.count("/odom") == 2
        assert one.count("/nowhere") == 0
        assert one.duration_ns == 2
        assert "/odom (nav_msgs/msg/Odometry, 2)" in one.listing()
        assert len(one.sha256()) == 64
        assert one.sha256() != BagReader(write(tmp_path / "b.mcap")).sha256()
        assert other.topics == one.topics


def test_missing_topic_lists_what_is_there(tmp_path: Path) -> None:
    """Asking for a topic that is not there names those that are."""
    with (
        BagReader(write(tmp_path / "bag.mcap")) as bag,
        pytest.raises(BagError, match=r"no topic /camera.*/hands \(hand4d_ros/msg/HandState"),
    ):
        list(bag.messages(["/camera"]))


def bad_bags(folder: Path) -> dict[str, tuple[Path, str]]:
    """Return bags that cannot be read, each with what the error says."""
    (folder / "empty.mcap").touch()
    (folder / "text.mcap").write_text("no bag at all, but long enough to hold a header\n" * 9)
    (folder / "text.db3").write_text("no bag at all, but long enough to hold a header\n" * 9)
    (folder / "old.bag").write_text("#ROSBAG V2.0\n")
    (folder / "video.mp4").write_bytes(b"\0" * 64)
    (folder / "folder").mkdir()
    (folder / "folder" / "notes.txt").touch()
    (folder / "broken").mkdir()
    (folder / "broken" / "metadata.yaml").write_text("rosbag2_bagfile_information: 3\n")
    write(folder / "broken" / "a.mcap")
    whole = write(folder / "whole.mcap").read_bytes()
    (folder / "head.mcap").write_bytes(whole[:40])
    protobuf = bytearray(whole)
    protobuf[21:25] = b"xxxx"
    (folder / "foreign.mcap").write_bytes(protobuf)
    return {
        "missing": (folder / "nothing.mcap", "there is no bag at"),
        "empty": (folder / "empty.mcap", "is empty"),
        "text": (folder / "text.mcap", "cannot be read as a bag of ROS 2"),
        "sqlite": (folder / "text.db3", "cannot be read as a bag of ROS 2"),
        "ros1": (folder / "old.bag", "convert ROS 1 bags with rosbags-convert"),
        "video": (folder / "video.mp4", "expected .mcap, .db3 or a folder"),
        "folder": (folder / "folder", "expected a folder with metadata.yaml.*notes.txt"),
        "metadata": (folder / "broken", "cannot be read as a bag of ROS 2"),
        "head": (folder / "head.mcap", "truncated before its first whole message"),
        "foreign": (folder / "foreign.mcap", "cannot be read as a bag of ROS 2: Profile"),
    }


@pytest.mark.parametrize(
    "kind",
    [
        *("missing", "empty", "text", "sqlite", "ros1"),
        *("video", "folder", "metadata", "head", "foreign"),
    ],
)
def test_bad_bags(tmp_path: Path, kind: str) -> None:
    """A bag that cannot be read is one clear error."""
    path, text = bad_bags(tmp_path)[kind]
    with pytest.raises(BagError, match=text):
        BagReader(path)


def big_bag(path: Path) -> bytes:
    """Write a bag of several chunks and return its bytes."""
    rgb = np.random.default_rng(1).integers(0, 256, (200, 300, 3), dtype=np.uint8)
    with BagWriter(path) as bag:
        for index in range(30):
            stamp = STAMP_NS + index * 10**8
            message = wire_sensors.image(rgb + np.uint8(index), stamp, "cam")
            bag.write("/image", "sensor_msgs/msg/Image", message, stamp)
    return path.read_bytes()


@pytest.mark.parametrize("share", [0.3, 0.7, 0.999])
def test_truncated_bag_is_recovered(tmp_path: Path, share: float) -> None:
    """What was written whole before the break is read, in order, and the note says how much."""
    whole = big_bag(tmp_path / "whole.mcap")
    cut = tmp_path / "cut.mcap"
    cut.write_bytes(whole[: int(len(whole) * share)])
    with BagReader(cut) as bag, BagReader(tmp_path / "whole.mcap") as full:
        read = list(bag.messages())
        expected = list(full.messages())[: len(read)]
        assert bag.count("/image") == len(read)
        assert "is truncated" in bag.note
        assert f"first {len(read)} messages" in bag.note
    assert len(read) >= int(30 * share) - 6
    for one, other in zip(read, expected, strict=True):
        assert one.log_ns == other.log_ns
        np.testing.assert_array_equal(one.message.data, other.message.data)


def test_folder_without_metadata_is_read(tmp_path: Path) -> None:
    """A recorder that was killed leaves no metadata.yaml; its file is read all the same."""
    path = write(tmp_path / "bag")
    (path / "metadata.yaml").unlink()
    with BagReader(path) as bag:
        assert bag.count("/hands") == 1


def test_compressed_folder_is_read(tmp_path: Path) -> None:
    """Recordings that ros2 bag compressed as files are read as they are."""
    path = tmp_path / "bag"
    writer = Writer(path, version=9, storage_plugin=StoragePlugin.MCAP)
    writer.set_compression(CompressionMode.FILE, CompressionFormat.ZSTD)
    with BagReader(write(tmp_path / "plain.mcap")) as plain, writer:
        store = typestore.default_typestore()
        topic, msgtype, log_ns, data = next(plain.serialized(["/odom"]))
        writer.write(writer.add_connection(topic, msgtype, typestore=store), log_ns, data)
    assert [p.name for p in path.glob("*.zstd")] == ["bag.mcap.zstd"]
    with BagReader(path) as bag:
        assert bag.count("/odom") == 1
        assert len(bag.sha256()) == 64


def test_one_of_several_files_is_truncated(tmp_path: Path) -> None:
    """A recording in several files, one of which breaks off, is not read in part in silence."""
    path = write(tmp_path / "bag")
    whole = big_bag(tmp_path / "big.mcap")
    (path / "bag_1.mcap").write_bytes(whole[: len(whole) // 2])
    text = (path / "metadata.yaml").read_text(encoding="utf-8")
    text = text.replace("- bag.mcap\n", "- bag.mcap\n  - bag_1.mcap\n", 1)
    (path / "metadata.yaml").write_text(text, encoding="utf-8")
    with pytest.raises(BagError, match=r"read its \.mcap files one by one"):
        BagReader(path)


def test_damage_in_the_middle_is_an_error(tmp_path: Path) -> None:
    """Bytes that changed in the middle of a bag are not passed over in silence."""
    whole = bytearray(big_bag(tmp_path / "whole.mcap"))
    start = whole.index(b"\x05", 200_000)
    whole[start : start + 200_000] = b"\xff" * 200_000
    (tmp_path / "bad.mcap").write_bytes(whole)
    with BagReader(tmp_path / "bad.mcap") as bag, pytest.raises(BagError, match=r"damaged|read"):
        list(bag.messages())


def test_failed_writing_leaves_what_was_there(tmp_path: Path) -> None:
    """An error inside leaves no half bag and keeps the old one."""
    path = tmp_path / "bag.mcap"

    def write_then_fail() -> None:
        with BagWriter(path) as bag:
            bag.write("/h", "std_msgs/msg/Header", wire.header(1, ""), 1)
            bag.write("/h", "std_msgs/msg/Header", {}, 1)

    for existed in (False, True):
        with pytest.raises(BagError, match="has the fields"):
            write_then_fail()
        assert path.exists() is existed
        write(path)
    assert [p.name for p in tmp_path.iterdir()] == ["bag.mcap"]
    assert BagReader(path).count("/hands") == 1


def test_writing_replaces_a_folder(tmp_path: Path) -> None:
    """A new bag takes the place of an older one of the same name."""
    path = write(tmp_path / "bag", copies=3)
    with BagReader(write(path)) as bag:
        assert bag.count("/odom") == 1


@pytest.mark.skipif(not Path("/sys/kernel").is_dir(), reason="needs Linux's /sys")
@pytest.mark.parametrize("name", ["out.mcap", "out"])
def test_read_only_folder(name: str) -> None:
    """A folder that cannot be written is an error before anything is computed."""
    with pytest.raises(BagError, match="cannot be written"), BagWriter(Path("/sys/kernel") / name):
        pass


def test_folder_that_is_a_file(tmp_path: Path) -> None:
    """A file where a folder should be is named."""
    (tmp_path / "file").touch()
    with (
        pytest.raises(BagError, match=r"is a file, not a folder|cannot be written"),
        BagWriter(tmp_path / "file" / "out.mcap"),
    ):
        pass


@pytest.mark.skipif(sys.platform == "win32", reason="needs file size limits")
def test_full_disk(tmp_path: Path) -> None:
    """A disk that fills up while writing is an error, and no half bag stays."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (2_000_000, hard))
    try:
        with pytest.raises(BagError, match=r"cannot be written.*limit"):
            big_bag(tmp_path / "bag.mcap")
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("msgtype", "content", "text"),
    [
        ("hand4d_ros/msg/Nothing", {}, "'hand4d_ros/msg/Nothing' is not known"),
        ("std_msgs/msg/Header", {"stamp": {"sec": 1, "nanosec": 2}}, "has the fields"),
        ("std_msgs/msg/Header", {"stamp": 3, "frame_id": ""}, "got int"),
        ("sensor_msgs/msg/CameraInfo", {}, "has the fields"),
    ],
)
def test_wrong_content(tmp_path: Path, msgtype: str, content: dict[str, Any], text: str) -> None:
    """A message that does not fit its type is refused and named."""
    with pytest.raises(BagError, match=text), BagWriter(tmp_path / "bag.mcap") as bag:
        bag.write("/topic", msgtype, content, 1)


def test_wrong_array_length_and_type_change(tmp_path: Path) -> None:
    """Fixed arrays keep their length, and a topic keeps its type."""
    info = every_message()[5][2]
    with pytest.raises(BagError, match="9 elements was given 4"), BagWriter(tmp_path / "b") as bag:
        bag.write("/info", "sensor_msgs/msg/CameraInfo", {**info, "k": np.zeros(4)}, 1)
    with BagWriter(tmp_path / "b") as bag:
        bag.write("/info", "sensor_msgs/msg/CameraInfo", info, 1)
        with pytest.raises(BagError, match="/info holds"):
            bag.write("/info", "std_msgs/msg/Header", wire.header(1, ""), 1)


def test_writer_outside_of_with(tmp_path: Path) -> None:
    """A writer that was not opened says so."""
    with pytest.raises(BagError, match="with statement"):
        BagWriter(tmp_path / "b").write("/h", "std_msgs/msg/Header", wire.header(1, ""), 1)


def test_message_folder_is_found_in_an_installation(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Definitions are found in a prefix's share folder, by AMENT_PREFIX_PATH, or not at all."""
    package = tmp_path / "prefix" / "lib" / "python3.11" / "site-packages" / "hand4d_ros"
    package.mkdir(parents=True)
    monkeypatch.setattr(hand4d_ros, "__file__", str(package / "__init__.py"))
    monkeypatch.setenv("AMENT_PREFIX_PATH", "")
    with pytest.raises(BagError, match="AMENT_PREFIX_PATH"):
        typestore.message_folder()
    source = Path(__file__).parents[2] / "msg"
    other = tmp_path / "other" / "share" / "hand4d_ros" / "msg"
    shutil.copytree(source, other)
    monkeypatch.setenv("AMENT_PREFIX_PATH", str(tmp_path / "other"))
    assert typestore.message_folder() == other
    share = tmp_path / "prefix" / "share" / "hand4d_ros" / "msg"
    shutil.copytree(source, share)
    assert typestore.message_folder() == share


def test_own_definitions_equal_the_generated_ones() -> None:
    """The type hashes of our definitions are those of the messages that ROS generated."""
    store = typestore.default_typestore()
    folder = Path(sys.prefix) / "share" / "hand4d_ros" / "msg"
    if not folder.is_dir():
        pytest.skip(f"the messages are not built into {sys.prefix}; run scripts/test")
    for name in typestore.own_definitions():
        text = (folder / f"{name.rpartition('/')[2]}.json").read_text(encoding="utf-8")
        hashes = {h["type_name"]: h["hash_string"] for h in json.loads(text)["type_hashes"]}
        assert store.hash_rihs01(name) == hashes[name]
