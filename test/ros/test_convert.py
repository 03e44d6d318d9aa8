"""Dicts to rclpy messages of any shape, and messages to types."""

from __future__ import annotations

import array
import dataclasses
from typing import Any

import numpy as np
import pytest
from diagnostic_msgs.msg import DiagnosticArray
from geometry_msgs.msg import PoseStamped
from nav_msgs.msg import Odometry
from rclpy.serialization import deserialize_message, serialize_message
from sensor_msgs.msg import CameraInfo, Image
from visualization_msgs.msg import MarkerArray
from wire_samples import tracked_hands

from hand4d_ros import wire, wire_sensors
from hand4d_ros.errors import GeometryError, RosError
from hand4d_ros.msg import HandState, HandStateArray
from hand4d_ros.ros.convert import (
    camera_from_message,
    message_class,
    message_from_dict,
    tracks_from_hand_state_array,
)
from hand4d_ros.types import CameraModel
from hand4d_ros.wire_markers import marker_array

_CAMERA = CameraModel(640, 480, 500.0, 510.0, 320.0, 240.0, "plumb_bob", (0.1, -0.2, 0.0, 0.0, 0.0))


def _info(camera: CameraModel = _CAMERA) -> Any:
    return message_from_dict(CameraInfo, wire_sensors.camera_info(camera, 7, "cam"))


def _over_the_network(message: Any) -> Any:
    return deserialize_message(serialize_message(message), type(message))


def test_hands_survive_the_network() -> None:
    """Every field of every hand comes back from CDR as it went in, to float32 where it is that."""
    hands = tracked_hands()
    message = _over_the_network(message_from_dict(HandStateArray, wire.hand_state_array(hands)))
    tracks = tracks_from_hand_state_array(message)
    assert len(tracks) == len(hands.tracks) > 0
    for sent, got in zip(hands.tracks, tracks, strict=True):
        assert (got.track_id, got.tracking_state, got.age_ns, got.stamp_ns) == (
            sent.track_id,
            sent.tracking_state,
            sent.age_ns,
            sent.stamp_ns,
        )
        np.testing.assert_allclose(got.hand.keypoints_m, sent.hand.keypoints_m)
        np.testing.assert_allclose(got.hand.T_frame_wrist, sent.hand.T_frame_wrist, atol=1e-12)
        np.testing.assert_allclose(got.hand.wrist_covariance, sent.hand.wrist_covariance)
        np.testing.assert_allclose(got.hand.joint_rotvec, sent.hand.joint_rotvec, atol=1e-6)


@pytest.mark.parametrize(
    ("cls", "fields"),
    [
        (MarkerArray, marker_array(tracked_hands())),
        (Odometry, wire_sensors.odometry(np.eye(4), 5, "odom", "base")),
        (PoseStamped, wire.pose_stamped(np.eye(4), 5, "odom")),
        (DiagnosticArray, wire_sensors.diagnostic_array(5, 1, "name", "text", {"a": 1.5})),
        (CameraInfo, wire_sensors.camera_info(_CAMERA, 5, "cam")),
    ],
    ids=lambda value: getattr(value, "__name__", ""),
)
def test_every_message_that_we_make_can_be_sent(cls: Any, fields: dict[str, Any]) -> None:
    """Whatever ``wire`` makes fills its rclpy message and is the same after the network."""
    # The first trip rounds to float32 what the message has as such; the second changes nothing.
    once = _over_the_network(message_from_dict(cls, fields))
    assert _over_the_network(once) == once
    assert once.get_fields_and_field_types().keys() == fields.keys()


def test_bytes_go_in_whole() -> None:
    """Bytes may be an array.array, a numpy array or a list."""
    data = array.array("B", range(6))
    for given in (data, np.arange(6, dtype=np.uint8), list(range(6))):
        assert message_from_dict(Image, {"data": given}).data == data


def test_fields_left_out_keep_their_default() -> None:
    """A message may be filled in part."""
    message = message_from_dict(HandState, {"side": 1, "header": {"frame_id": "odom"}})
    assert (message.side, message.header.frame_id, message.track_id) == (1, "odom", "")


@pytest.mark.parametrize(
    ("fields", "match"),
    [
        ({"hight": 3}, "Image has no field 'hight'; it has"),
        ({"height": "tall"}, "Image cannot hold"),
    ],
)
def test_what_does_not_fit_is_refused(fields: dict[str, Any], match: str) -> None:
    """Unknown fields, wrong types and numbers out of range are ``RosError``."""
    with pytest.raises(RosError, match=match):
        message_from_dict(Image, fields)


def test_a_type_that_is_not_installed_names_its_package() -> None:
    """The remedy is in the message."""
    with pytest.raises(RosError, match="install the package 'teleop_msgs'"):
        message_class("teleop_msgs/msg/Anything")
    with pytest.raises(RosError, match="sensor_msgs/msg/Nothing"):
        message_class("sensor_msgs/msg/Nothing")


def test_camera_info_round_trip() -> None:
    """A camera comes back from its own camera_info."""
    assert camera_from_message(_info()) == _CAMERA


@pytest.mark.parametrize("name", ["fisheye", "equidistant"])
def test_fisheye_has_two_names(name: str) -> None:
    """OpenCV's and ROS's names of the equidistant model are one model."""
    camera = dataclasses.replace(_CAMERA, model="equidistant", distortion=(0.1, 0.0, 0.0, 0.0))
    info = _info(camera)
    info.distortion_model = name
    assert camera_from_message(info) == camera


def test_binning_and_region_of_interest() -> None:
    """The camera is that of the published image: cut out, then binned."""
    info = _info()
    info.roi.x_offset, info.roi.y_offset, info.roi.width, info.roi.height = 40, 20, 400, 300
    info.binning_x = info.binning_y = 2
    camera = camera_from_message(info)
    assert (camera.width_px, camera.height_px) == (200, 150)
    assert (camera.fx_px, camera.cx_px, camera.cy_px) == (250.0, 140.0, 110.0)


def test_rectified_images_take_p_without_distortion() -> None:
    """For image_rect the projection matrix holds, and the distortion is gone already."""
    info = _info()
    info.p[0], info.p[5], info.p[2] = 450.0, 455.0, 330.0
    camera = camera_from_message(info, rectified=True)
    assert (camera.fx_px, camera.fy_px, camera.cx_px, camera.cy_px) == (450.0, 455.0, 330.0, 240.0)
    assert not any(camera.distortion)


@pytest.mark.parametrize("value", [0.0, float("nan"), -5.0])
def test_uncalibrated_cameras_are_refused(value: float) -> None:
    """Zeros, NaN and negative focal lengths are no calibration, rectified or not."""
    info = _info()
    info.k[0] = info.p[0] = value
    for rectified in (False, True):
        with pytest.raises(GeometryError, match="fx_px"):
            camera_from_message(info, rectified=rectified)
