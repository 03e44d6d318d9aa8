"""Pipeline results in, messages on the tracker's topics out."""

from __future__ import annotations

from typing import Any

import numpy as np
from geometry_msgs.msg import PoseStamped, TransformStamped
from sensor_msgs.msg import Image
from visualization_msgs.msg import MarkerArray

from hand4d_ros import wire
from hand4d_ros.hand.orders import MANO_JOINTS, OPENPOSE_FROM_MANO
from hand4d_ros.imaging import SIDE_RGB
from hand4d_ros.msg import HandStateArray
from hand4d_ros.pipeline import PipelineResult
from hand4d_ros.replay.drawing import draw_skeleton
from hand4d_ros.ros.convert import message_from_dict
from hand4d_ros.ros.images import image_fields_from_rgb
from hand4d_ros.ros.input_config import OutputConfig
from hand4d_ros.ros.qos import reliable_qos
from hand4d_ros.shapes import Array, UInt8
from hand4d_ros.types import HandTrack, Side, TrackingState
from hand4d_ros.wire_markers import marker_array

_KEYPOINT_FROM_JOINT = tuple(OPENPOSE_FROM_MANO.index(joint) for joint in range(16))


class TrackerOutputs:
    """All publishers of the tracker, which publish only while the node is active."""

    def __init__(self, node: Any, broadcaster: Any) -> None:
        """Create the publishers.

        Args:
            node: A lifecycle node.
            broadcaster: Publishes transforms; from ``compat.TransformBroadcaster``.
        """
        self._node = node
        make, qos = node.create_lifecycle_publisher, reliable_qos()
        self._hands = make(HandStateArray, "~/hands", qos)
        self._wrists = {side: make(PoseStamped, f"~/{side.label}/wrist", qos) for side in Side}
        self._markers = make(MarkerArray, "~/markers", qos)
        self._debug_image = make(Image, "~/debug_image", qos)
        self._broadcaster = broadcaster

    def destroy(self) -> None:
        """Take the publishers off the network."""
        publishers = (self._hands, *self._wrists.values(), self._markers, self._debug_image)
        for publisher in publishers:
            self._node.destroy_lifecycle_publisher(publisher)

    def hands_message(self, hands: wire.TrackedHands) -> HandStateArray:
        """Return the message of all hands at one instant.

        Args:
            hands: What is known of them.

        Raises:
            RosError: If a value is not finite; such a hand is never sent.
        """
        return message_from_dict(HandStateArray, wire.hand_state_array(hands))

    def publish_hands(self, message: HandStateArray, latency_ms: float) -> None:
        """Publish all hands, the latency measured at the last moment.

        Args:
            message: From ``hands_message``.
            latency_ms: From capture to now.
        """
        message.latency_ms = latency_ms
        self._hands.publish(message)

    def publish_wrists(self, hands: wire.TrackedHands, config: OutputConfig) -> None:
        """Publish wrists as poses and as transforms; lost hands have neither.

        Args:
            hands: All hands at one instant.
            config: Which transforms to publish.
        """
        transforms: list[wire.Message] = []
        for track in hands.tracks:
            if track.tracking_state is TrackingState.LOST:
                continue
            T_world_wrist = track.hand.T_frame_wrist
            wrist = wire.pose_stamped(T_world_wrist, hands.stamp_ns, hands.world_frame)
            self._wrists[track.hand.side].publish(message_from_dict(PoseStamped, wrist))
            if config.joint_tf:
                transforms += _joint_transforms(track, hands, config.tf_prefix)
            elif config.tf:
                child = f"{config.tf_prefix}{track.hand.side.label}_wrist"
                transforms.append(
                    wire.transform_stamped(T_world_wrist, hands.stamp_ns, hands.world_frame, child)
                )
        if transforms:
            self._broadcaster.sendTransform(
                [message_from_dict(TransformStamped, transform) for transform in transforms]
            )

    def publish_pictures(
        self, result: PipelineResult, hands: wire.TrackedHands, config: OutputConfig
    ) -> None:
        """Publish what only people look at, where it is enabled and someone does.

        Args:
            result: What the pipeline made of the image.
            hands: All hands at one instant.
            config: What is enabled.
        """
        if config.markers and self._markers.get_subscription_count():
            self._markers.publish(message_from_dict(MarkerArray, marker_array(hands)))
        if config.debug_image and self._debug_image.get_subscription_count():
            fields = image_fields_from_rgb(_overlay(result))
            fields["header"] = wire.header(result.stamp_ns, result.frame.camera_frame)
            self._debug_image.publish(message_from_dict(Image, fields))


def _joint_transforms(
    track: HandTrack, hands: wire.TrackedHands, prefix: str
) -> list[wire.Message]:
    """Return the poses of all 16 joints in the world, named as MANO names them."""
    T_world_joint = np.tile(np.eye(4), (16, 1, 1))
    T_world_joint[:, :3, :3] = wire.joint_rotations(track.hand)
    T_world_joint[:, :3, 3] = track.hand.keypoints_m[list(_KEYPOINT_FROM_JOINT)]
    return [
        wire.transform_stamped(
            T, hands.stamp_ns, hands.world_frame, f"{prefix}{track.hand.side.label}_{joint}"
        )
        for joint, T in zip(MANO_JOINTS, T_world_joint, strict=True)
    ]


def _overlay(result: PipelineResult) -> UInt8[Array, "h w 3"]:
    """Return the image with the detected keypoints and their bones drawn on it."""
    picture = np.array(result.frame.image)
    for detection in result.detections:
        draw_skeleton(picture, detection.keypoints_px, SIDE_RGB[detection.side])
    return picture
