"""The tracker node over DDS: what goes in, what comes out, and its life cycle."""

from __future__ import annotations

import math
import time
from typing import Any

import numpy as np
import pytest
from lifecycle_msgs.srv import ChangeState, GetState
from ros_harness import MS, PARAMETER, START_NS, Rig, ScriptedDetector, detection
from sensor_msgs.msg import Image
from visualization_msgs.msg import MarkerArray

from hand4d_ros import wire
from hand4d_ros.errors import HandModelError
from hand4d_ros.msg import HandDetectionArray, HandState
from hand4d_ros.pipeline import HandPipeline, PipelineConfig
from hand4d_ros.ros import compat
from hand4d_ros.ros.convert import message_from_dict
from hand4d_ros.ros.qos import latched_qos, reliable_qos
from hand4d_ros.types import Side
from hand4d_ros.wire_detections import detection_array

pytestmark = pytest.mark.usefixtures("ros_domain")


def _change_state(rig: Rig, label: str) -> bool:
    """Ask for a transition through the service, as a lifecycle manager does."""
    client = rig.change_state
    assert client.wait_for_service(10.0)
    request = ChangeState.Request()
    request.transition.label = label
    future = client.call_async(request)
    rig.wait(future.done, f"{label} was not answered")
    return bool(future.result().success)


def _broken_pipeline(config: PipelineConfig) -> HandPipeline:
    raise HandModelError(f"the test has no hand model for {config.estimator}")


def test_two_hands_in_the_world() -> None:
    """Both hands come out in the world of the odometry, at the capture stamp of the image."""
    detector = ScriptedDetector([detection(Side.RIGHT, 0.1), detection(Side.LEFT, -0.1)])
    with Rig(detector) as rig:
        rig.send_camera_info()
        rig.send_frame(START_NS, x_m=3.0)
        array = rig.wait_hands(1)
        rig.wait(lambda: rig.wrists and rig.transforms)
        assert array.header.stamp.sec == 100
        assert array.header.frame_id == "odom"
        assert (array.camera_frame, array.model_id) == ("cam", "keypoint_fit/builtin")
        assert array.camera_pose.position.x == pytest.approx(3.0)
        by_side = {hand.side: hand for hand in array.hands}
        assert set(by_side) == {HandState.LEFT, HandState.RIGHT}
        for hand in array.hands:
            assert hand.tracking_state == HandState.OBSERVED
            assert hand.age.sec == hand.age.nanosec == 0
            assert 0.3 < hand.wrist.pose.position.z < 0.8
        right, left = by_side[HandState.RIGHT], by_side[HandState.LEFT]
        assert right.wrist.pose.position.x > 3.0 > left.wrist.pose.position.x
        assert rig.wrists[-1].pose.position == right.wrist.pose.position
        frames = {t.child_frame_id: t.header.frame_id for t in rig.transforms[-1].transforms}
        assert frames == {"hand4d/left_wrist": "odom", "hand4d/right_wrist": "odom"}


def test_detections_from_another_detector() -> None:
    """With detector external, hands come from the detections topic; bad ones are counted."""
    with Rig(None, detector="external", external__wait_s=5.0) as rig:
        detections = rig.peer.create_publisher(HandDetectionArray, "detections", reliable_qos(10))
        rig.wait(lambda: detections.get_subscription_count() == 1)
        rig.send_camera_info()
        fields = detection_array(START_NS, "cam", [detection(Side.LEFT, -0.1)])
        detections.publish(message_from_dict(HandDetectionArray, fields))
        rig.send_frame(START_NS)
        (hand,) = rig.wait_hands(1).hands
        assert (hand.side, hand.tracking_state) == (HandState.LEFT, HandState.OBSERVED)
        fields["hands"][0]["landmarks"] = "guessed"
        detections.publish(message_from_dict(HandDetectionArray, fields))
        rig.wait(lambda: rig.drops().get("bad_detections") == 1)


def test_no_hands_is_said_and_a_lost_hand_is_said_once() -> None:
    """Without hands empty arrays go out; a hand that leaves is predicted, lost once, and gone."""
    with Rig() as rig:
        rig.send_camera_info()
        rig.send_frame(START_NS)
        rig.detector.hands = []
        for step in range(1, 8):
            rig.send_frame(START_NS + step * 90 * MS)
        rig.wait_hands(8)
        states = [[hand.tracking_state for hand in array.hands] for array in rig.hands]
        predicted, lost = [HandState.PREDICTED], [HandState.LOST]
        assert states == [[HandState.OBSERVED], *[predicted] * 3, lost, [], [], []]
        rig.wait(lambda: len(rig.wrists) == 4)
        time.sleep(0.1)
        assert len(rig.wrists) == 4, "a lost hand has no wrist pose"


def test_more_than_two_hands_become_one_of_each_side() -> None:
    """Of five detections the surest of each side goes out."""
    crowd = [detection(Side.RIGHT, 0.05 * k, 0.5 + 0.1 * k) for k in range(4)]
    with Rig(ScriptedDetector([*crowd, detection(Side.LEFT, -0.1)])) as rig:
        rig.send_camera_info()
        rig.send_frame(START_NS)
        array = rig.wait_hands(1)
        assert sorted(hand.side for hand in array.hands) == [HandState.LEFT, HandState.RIGHT]


def test_compressed_images_on_their_own_topic() -> None:
    """With image_transport compressed the node listens to image/compressed."""
    import array

    import cv2
    from sensor_msgs.msg import CompressedImage

    with Rig(autostart=False, image_transport="compressed") as rig:
        rig.image = rig.peer.create_publisher(CompressedImage, "image/compressed", 5)
        assert _change_state(rig, "configure")
        assert _change_state(rig, "activate")
        rig.wait_until_matched()
        rig.send_camera_info()
        for offset_ms in (-5, 5):
            rig.send_odometry(START_NS + offset_ms * MS)
        message: Any = CompressedImage(format="jpeg")
        message.data = array.array(
            "B", cv2.imencode(".jpg", np.zeros((48, 64, 3), np.uint8))[1].tobytes()
        )
        message.header.stamp.sec, message.header.frame_id = 100, "cam"
        rig.image.publish(message)
        assert len(rig.wait_hands(1).hands) == 1


def test_latency_is_measured_from_capture_to_publication() -> None:
    """Stamps of the node's own clock give a latency; old stamps give none, and say why."""
    with Rig() as rig:
        rig.send_camera_info()
        rig.send_frame(START_NS)
        assert math.isnan(rig.wait_hands(1).latency_ms)
        now_ns = rig.peer.get_clock().now().nanoseconds
        rig.send_frame(now_ns)
        assert 0.0 < rig.wait_hands(2).latency_ms < 10_000.0
        _, _, values = rig.status("frames")
        assert float(values["latency_ms.p50"]) > 0.0
        assert float(values["detect_ms.p99"]) >= 0.0


def test_pictures_are_made_only_for_someone() -> None:
    """Markers and the debug image appear with their first subscriber."""
    with Rig() as rig:
        rig.send_camera_info()
        rig.send_frame(START_NS)
        markers: list[MarkerArray] = []
        pictures: list[Image] = []
        rig.listen(MarkerArray, "tracker/markers", markers)
        rig.listen(Image, "tracker/debug_image", pictures)
        outputs = rig.parts.outputs
        rig.wait(outputs._markers.get_subscription_count)
        rig.wait(outputs._debug_image.get_subscription_count)
        rig.send_frame(START_NS + 33 * MS)
        rig.wait(lambda: markers and pictures)
        assert len(markers) == len(pictures) == 1
        assert {marker.ns for marker in markers[0].markers} == {"hand4d/left", "hand4d/right"}
        assert (pictures[0].width, pictures[0].header.stamp.sec) == (64, 100)
        assert len(set(pictures[0].data)) > 1, "nothing was drawn"


def test_all_joints_on_tf_when_asked() -> None:
    """publish.joint_tf can change while the node runs and gives sixteen frames a hand."""
    with Rig() as rig:
        rig.send_camera_info()
        rig.tracker.set_parameters([PARAMETER("publish.joint_tf", value=True)])
        rig.send_frame(START_NS)
        rig.wait(lambda: rig.transforms)
        frames = {t.child_frame_id: t.transform for t in rig.transforms[-1].transforms}
        assert len(frames) == 16
        hand = rig.wait_hands(1).hands[0]
        mcp = frames["hand4d/right_index1"].translation
        assert (mcp.x, mcp.y) == (hand.keypoints[5].x, hand.keypoints[5].y)


def test_life_cycle_by_service() -> None:
    """Unconfigured, inactive, active and back, twice; hands flow only while active."""
    with Rig(autostart=False) as rig:
        state = rig.peer.create_client(GetState, "tracker/get_state")
        assert state.wait_for_service(10.0)
        for round_number in (1, 2):
            assert _change_state(rig, "configure")
            assert rig.detector.warmed_up == round_number
            assert not rig.image.get_subscription_count()
            assert _change_state(rig, "activate")
            rig.wait_until_matched()
            rig.send_camera_info()
            rig.send_frame(START_NS + round_number * 1000 * MS)
            rig.wait_hands(2 * round_number - 1)
            assert _change_state(rig, "deactivate")
            # The hand that was there is declared lost, once.
            array = rig.wait_hands(2 * round_number)
            assert [hand.tracking_state for hand in array.hands] == [HandState.LOST]
            assert _change_state(rig, "cleanup")
            assert rig.detector.closed == round_number
        future = state.call_async(GetState.Request())
        rig.wait(future.done)
        assert future.result().current_state.label == "unconfigured"


def test_a_transition_that_is_not_allowed_does_not_end_the_node() -> None:
    """Activating twice is refused by rclpy with an exception; the node goes on."""
    with Rig() as rig:
        client = rig.peer.create_client(ChangeState, "tracker/change_state")
        assert client.wait_for_service(10.0)
        request = ChangeState.Request()
        request.transition.label = "activate"
        client.call_async(request)
        rig.send_camera_info()
        rig.send_frame(START_NS)
        rig.wait_hands(1)


def test_a_pipeline_that_cannot_be_built_fails_the_configuration() -> None:
    """Configure reports the failure and can be asked again."""
    with Rig(autostart=False) as rig:
        working, rig.tracker._make_pipeline = rig.tracker._make_pipeline, _broken_pipeline
        assert not _change_state(rig, "configure")
        rig.tracker._make_pipeline = working
        assert _change_state(rig, "configure")
        assert _change_state(rig, "activate")


def test_diagnostics_once_a_second_from_the_start() -> None:
    """Before any image a warning names the topic; then rates, engine and hands follow."""
    with Rig() as rig:
        level, text, _ = rig.status("frames")
        assert (level, text) == (1, "no image on /hand4d/image yet")
        rig.send_camera_info()
        rig.send_frame(START_NS)
        level, _, values = rig.status("frames")
        assert level == 0
        assert (values["received"], values["published"], values["dropped"]) == ("1", "1", "0")
        assert values["engine"] == "keypoint_fit/builtin"
        _, text, values = rig.status("hands")
        assert text == "left absent, right observed"
        assert values["right.track_id"].startswith("right-")


def test_sim_time_is_the_clock_of_latencies() -> None:
    """Under use_sim_time the latency is that of /clock, although the stamps are long past."""
    from rosgraph_msgs.msg import Clock

    with Rig(use_sim_time=True) as rig:
        clock = rig.peer.create_publisher(Clock, "/clock", 10)
        message: Any = Clock()
        message.clock.sec, message.clock.nanosec = 100, 50 * MS
        rig.wait(clock.get_subscription_count)
        clock.publish(message)
        rig.wait(lambda: rig.tracker.get_clock().now().nanoseconds == START_NS + 50 * MS)
        rig.send_camera_info()
        rig.send_frame(START_NS)
        assert rig.wait_hands(1).latency_ms == pytest.approx(50.0)


def test_a_camera_on_a_moving_body_is_placed_by_tf_static() -> None:
    """Odometry moves the base; where the camera sits on it comes from /tf_static, latched."""
    with Rig() as rig:
        T_base_cam = np.eye(4)
        T_base_cam[:3, 3] = (0.5, 0.0, 1.5)
        transform = wire.transform_stamped(T_base_cam, START_NS, "base", "cam")
        static = rig.peer.create_publisher(compat.TFMessage, "/tf_static", latched_qos())
        static.publish(message_from_dict(compat.TFMessage, wire.tf_message([transform])))
        rig.send_camera_info()
        for offset_ms in (-5, 5):
            rig.send_odometry(START_NS + offset_ms * MS, x_m=3.0, child="base")
        rig.wait_odometry(lambda: rig.parts.odometry._pushes == 2)
        rig.wait(lambda: rig.tracker._static_frames.lookup("base", "cam") is not None)
        rig.send_image(START_NS)
        position = rig.wait_hands(1).camera_pose.position
        assert (position.x, position.y, position.z) == (3.5, 0.0, 1.5)
