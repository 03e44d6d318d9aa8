"""Bad input to the tracker node: a counted, diagnosed drop or a clear error, and on it goes."""

from __future__ import annotations

import dataclasses
import math
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from nav_msgs.msg import Odometry
from rcl_interfaces.srv import SetParameters
from rclpy.qos import QoSProfile, ReliabilityPolicy
from ros_harness import CAMERA, MS, PARAMETER, START_NS, Rig
from sensor_msgs.msg import Image

from hand4d_ros import wire_sensors
from hand4d_ros.errors import ConfigError
from hand4d_ros.msg import HandState
from hand4d_ros.ros.convert import message_from_dict

pytestmark = pytest.mark.usefixtures("ros_domain")

_FRAME_NS = 33 * MS


def _still_alive(rig: Rig, stamp_ns: int) -> None:
    """Assert that the next good image gives a hand."""
    count = len(rig.hands)
    rig.send_frame(stamp_ns)
    assert rig.wait_hands(count + 1).hands[0].tracking_state == HandState.OBSERVED


@pytest.mark.parametrize(
    "change",
    [
        {"encoding": "32FC2"},
        {"encoding": ""},
        {"step": 10},
        {"height": 4000, "width": 4000},
        {"data": []},
        {"width": 0},
    ],
    ids=["encoding", "no-encoding", "step", "size", "empty", "width"],
)
def test_image_that_cannot_be_read(change: dict[str, Any], capfd: Any) -> None:
    """Unknown encodings and wrong sizes are dropped as bad images, with the reason in the log."""
    with Rig() as rig:
        rig.send_camera_info()
        rig.send_frame(START_NS, **change)
        assert rig.drops() == {"bad_image": 1}
        assert not rig.hands
        _still_alive(rig, START_NS + _FRAME_NS)
    assert "unreadable image: " in capfd.readouterr().err


def test_image_of_another_size_than_camera_info() -> None:
    """A mismatch is dropped and diagnosed, not scaled in silence."""
    with Rig() as rig:
        rig.send_camera_info(dataclasses.replace(CAMERA, width_px=128, height_px=96))
        rig.send_frame(START_NS)
        assert rig.drops() == {"camera_info_size": 1}
        rig.wait(lambda: rig.tracker._statistics.received.age_s > 0.0)
        _, _, values = rig.status("frames")
        assert values["drops.camera_info_size"] == "1"
        rig.parts.cameras._camera = None
        rig.send_camera_info()
        _still_alive(rig, START_NS + _FRAME_NS)


@pytest.mark.parametrize("focal_px", [0.0, math.nan])
def test_uncalibrated_camera(focal_px: float, capfd: Any) -> None:
    """Zero and NaN intrinsics drop images with a remedy; good ones end that."""
    with Rig() as rig:
        rig.send_camera_info(dataclasses.replace(CAMERA, fx_px=focal_px))
        rig.send_frame(START_NS)
        assert rig.drops() == {"camera_info_invalid": 1}
        rig.parts.cameras._fault = ""
        rig.send_camera_info()
        _still_alive(rig, START_NS + _FRAME_NS)
    assert "camera.horizontal_fov_deg" in capfd.readouterr().err


def test_missing_camera_info_names_the_topic(capfd: Any) -> None:
    """Images without intrinsics are dropped, and the resolved topic is named."""
    with Rig() as rig:
        rig.send_frame(START_NS)
        assert rig.drops() == {"no_camera_info": 1}
    assert "no camera_info on /hand4d/camera_info" in capfd.readouterr().err


def test_missing_odometry_makes_the_camera_static() -> None:
    """In mode auto hands come out in the camera's frame after two seconds of images."""
    with Rig() as rig:
        rig.send_camera_info()
        rig.send_image(START_NS)
        assert rig.drops() == {"waiting_for_odometry": 1}
        rig.send_image(START_NS + 2000 * MS)
        assert rig.wait_hands(1).header.frame_id == "cam"
        # Odometry that comes after all starts a new world.
        rig.send_frame(START_NS + 2100 * MS, x_m=1.0)
        array = rig.wait_hands(2)
        assert array.header.frame_id == "odom"
        assert array.hands[0].track_id == "right-2"


def test_odometry_that_is_late_or_ends() -> None:
    """Images beyond the odometry move the tracks on, as predicted, then lost, and are counted."""
    with Rig(odometry__wait_for_newer_s=0.0) as rig:
        rig.send_camera_info()
        rig.send_frame(START_NS)
        for step in (1, 2, 3, 4, 5):
            rig.send_image(START_NS + step * 120 * MS)
        rig.wait_hands(6)
        states = [[hand.tracking_state for hand in array.hands] for array in rig.hands]
        predicted, lost = HandState.PREDICTED, HandState.LOST
        assert states == [[HandState.OBSERVED], [predicted], [predicted], [lost], [], []]
        assert rig.drops() == {"odometry_too_new": 5}
        assert math.isnan(rig.hands[-1].camera_pose.position.x), "an unknown pose is not zero"
        _, _, values = rig.status("frames")
        assert float(values["odometry_age_ms"]) == pytest.approx(595.0)
        _still_alive(rig, START_NS + 700 * MS)


def test_odometry_that_is_not_finite() -> None:
    """NaN odometry is counted and left out; the samples around it are interpolated."""
    with Rig() as rig:
        rig.send_camera_info()
        rig.send_odometry(START_NS - 20 * MS)
        bad = message_from_dict(Odometry, wire_sensors.odometry(np.eye(4), START_NS, "odom", "cam"))
        bad.pose.pose.position.x = math.nan
        rig.odom.publish(bad)
        bad.pose.pose.position.x, bad.pose.pose.orientation.w = 0.0, 0.0
        rig.odom.publish(bad)
        rig.send_odometry(START_NS + 20 * MS)
        rig.wait_odometry(lambda: len(rig.parts.odometry._buffer) == 2)
        rig.send_image(START_NS)
        assert rig.wait_hands(1).hands
        _, _, values = rig.status("frames")
        assert values["odometry.non_finite"] == "2"


def test_odometry_that_teleports() -> None:
    """After a jump of the odometry hands start anew instead of flying across the room."""
    with Rig() as rig:
        rig.send_camera_info()
        rig.send_frame(START_NS)
        rig.send_frame(START_NS + _FRAME_NS, x_m=40.0)
        array = rig.wait_hands(2)
        assert array.hands[0].track_id == "right-2"
        assert array.hands[0].velocity.linear.x == 0.0
        _, _, values = rig.status("frames")
        assert values["odometry.teleport"] == "1"


def test_missing_extrinsic_names_both_frames(capfd: Any) -> None:
    """Odometry of a body whose camera nobody places gives no hands."""
    with Rig() as rig:
        rig.send_camera_info()
        for offset_ms in (-5, 5):
            rig.send_odometry(START_NS + offset_ms * MS, child="base")
        rig.wait_odometry(lambda: rig.parts.odometry._pushes == 2)
        rig.send_image(START_NS)
        assert rig.drops() == {"no_extrinsic": 1}
        assert not rig.hands
    assert "moves 'base', images come from 'cam'" in capfd.readouterr().err


def test_stamps_that_repeat_or_run_backwards() -> None:
    """Duplicates and late images are dropped and counted; nothing is published twice."""
    with Rig() as rig:
        rig.send_camera_info()
        rig.send_frame(START_NS + _FRAME_NS)
        rig.send_image(START_NS + _FRAME_NS)
        rig.send_image(START_NS)
        assert rig.drops() == {"out_of_order": 1, "repeated_stamp": 1}
        _still_alive(rig, START_NS + 2 * _FRAME_NS)
        assert len(rig.hands) == 2


def test_images_without_a_stamp(capfd: Any) -> None:
    """A driver that does not stamp its images is told so."""
    with Rig() as rig:
        rig.send_camera_info()
        rig.send_image(0)
        assert rig.drops() == {"no_stamp": 1}
    assert "images have no stamp" in capfd.readouterr().err


def test_a_bag_that_loops(capfd: Any) -> None:
    """Time that jumps back starts everything anew, with one warning and no drop."""
    with Rig() as rig:
        rig.send_camera_info()
        for loop in range(2):
            for step in range(30):
                rig.send_frame(START_NS + step * _FRAME_NS, x_m=0.001 * step)
            rig.wait_hands(30 * (loop + 1))
        assert rig.drops() == {}
        assert {hand.track_id for array in rig.hands for hand in array.hands} == {
            "right-1",
            "right-2",
        }
        assert all(array.hands[0].tracking_state == HandState.OBSERVED for array in rig.hands)
    assert capfd.readouterr().err.count("time jumped back") == 1


def test_detector_that_fails_and_recovers() -> None:
    """Failures are counted and diagnosed; after five in a row the pipeline is built anew."""
    with Rig(max_failures=5) as rig:
        rig.send_camera_info()
        rig.send_frame(START_NS)
        rig.detector.failing = True
        for step in range(1, 8):
            rig.send_frame(START_NS + step * _FRAME_NS)
        assert rig.drops() == {"detector_error": 7}
        level, text, values = rig.status("frames")
        assert level == 2
        assert "the test's detector fails" in text
        assert values["drops.detector_error"] == "7"
        assert (rig.detector.warmed_up, rig.detector.closed) == (2, 1)
        rig.detector.failing = False
        _still_alive(rig, START_NS + 9 * _FRAME_NS)
        assert rig.status("frames")[0] == 0


def test_newer_images_overtake_those_that_wait() -> None:
    """While one image is worked on only the newest waits; the others are counted."""
    import threading

    gate, entered = threading.Event(), threading.Event()
    with Rig() as rig:
        rig.send_camera_info()
        detect = rig.detector.detect

        def slow(frame: Any) -> Any:
            entered.set()
            gate.wait(10.0)
            return detect(frame)

        rig.detector.detect = slow  # type: ignore[method-assign]
        for step in range(6):
            rig.send_odometry(START_NS + step * _FRAME_NS)
        for step in range(5):
            rig.publish_image(START_NS + step * _FRAME_NS)
            rig.wait(lambda: rig.tracker._statistics.received.total == step + 1)  # noqa: B023
            assert entered.wait(10.0)
        gate.set()
        rig.wait_hands(2)
        assert rig.drops() == {"overtaken": 3}
        assert [array.header.stamp.nanosec for array in rig.hands] == [0, 4 * _FRAME_NS]


@pytest.mark.parametrize(
    ("name", "value", "match"),
    [
        ("max_failures", 0, "max_failures is 0, but must be int >= 1"),
        ("tracker__hold_s", "long", "tracker.hold_s is 'long', but must be float in 0..10"),
        ("tracker__hold", 1.0, "no parameter 'tracker.hold'; did you mean tracker.hold_s"),
        ("extrinsic__quaternion_xyzw", [0.0, 0.0, 0.0, 0.0], "expected a unit quaternion"),
    ],
)
def test_parameter_out_of_range_at_start(name: str, value: Any, match: str) -> None:
    """Wrong types, values and names are refused before anything runs."""
    with pytest.raises(ConfigError, match=match):
        Rig(**{name: value})


def test_parameter_out_of_range_at_run_time() -> None:
    """A set request is refused with what was given and is allowed, and nothing changes."""
    with Rig() as rig:
        client = rig.peer.create_client(SetParameters, "tracker/set_parameters")
        assert client.wait_for_service(10.0)
        asked = [
            PARAMETER("max_failures", value=-3),
            PARAMETER("publish.tf", value="yes"),
            PARAMETER("tracker.hold_s", value=1.0),
            PARAMETER("autostart", value=False),
            PARAMETER("no_such_thing", value=1),
            PARAMETER("publish.markers", value=False),
        ]
        request = SetParameters.Request(parameters=[p.to_parameter_msg() for p in asked])
        future = client.call_async(request)
        rig.wait(future.done)
        results = future.result().results
        assert [result.successful for result in results] == [False] * 5 + [True]
        reasons = [result.reason for result in results]
        assert "max_failures" in reasons[0]
        assert "-3" in reasons[0]
        assert reasons[1] == "publish.tf is 'yes', but must be bool"
        assert "tracker.hold_s cannot change while the node is configured" in reasons[2]
        assert "read-only" in reasons[3]
        assert "undeclared parameter" in reasons[4]
        config = rig.tracker.config
        assert (config.max_failures, config.publish.tf, config.publish.markers) == (5, True, False)


def test_incompatible_quality_of_service_names_topic_and_remedy(capfd: Any) -> None:
    """A best-effort camera under image_reliability reliable is silent; the log says why."""
    with Rig(image_reliability="reliable") as rig:
        profile: Any = QoSProfile
        qos = profile(depth=1, reliability=ReliabilityPolicy.BEST_EFFORT)
        rig.peer.create_publisher(Image, "image", qos)
        rig.wait(lambda: "qos /hand4d/image" in rig.tracker._announcer._said_s)
    text = capfd.readouterr().err
    assert "publisher of /hand4d/image offers an incompatible" in text
    assert "RELIABILITY" in text
    assert "set image_reliability to best_effort" in text


def test_images_that_the_middleware_loses_are_counted(capfd: Any) -> None:
    """Losses on the way are drops like any other, with a remedy in the log."""
    with Rig() as rig:
        rig.tracker._images_lost(SimpleNamespace(total_count=7, total_count_change=3))
        assert rig.drops() == {"lost_in_transit": 3}
        _, _, values = rig.status("frames")
        assert values["drops.lost_in_transit"] == "3"
    said = capfd.readouterr().err
    assert "7 images were lost" in said
    assert "config/fastdds.xml" in said
