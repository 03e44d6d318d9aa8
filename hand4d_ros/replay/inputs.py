"""Which topics of a bag are the camera, its calibration, the odometry and the truth."""

from __future__ import annotations

from dataclasses import dataclass

from hand4d_ros.errors import BagError
from hand4d_ros.replay.bags import BagReader
from hand4d_ros.replay.salvage import BagTopic

IMAGE_TYPE = "sensor_msgs/msg/Image"
COMPRESSED_TYPE = "sensor_msgs/msg/CompressedImage"
CAMERA_INFO_TYPE = "sensor_msgs/msg/CameraInfo"
ODOMETRY_TYPE = "nav_msgs/msg/Odometry"
HANDS_TYPE = "hand4d_ros/msg/HandStateArray"
POSE_TYPE = "geometry_msgs/msg/PoseStamped"
TF_TYPE = "tf2_msgs/msg/TFMessage"
DIAGNOSTICS_TYPE = "diagnostic_msgs/msg/DiagnosticArray"

TRUTH_TOPIC = "/truth/hands"
HANDS_TOPIC = "/hand4d/tracker/hands"
_OUR_PREFIX = "/hand4d/"


@dataclass(frozen=True)
class InputTopics:
    """Topics that a replay reads; an empty name is a topic that the bag does not have."""

    image: str
    compressed: bool
    camera_info: str = ""
    odometry: str = ""


def find_inputs(
    bag: BagReader, image: str = "", camera_info: str = "", odometry: str = ""
) -> InputTopics:
    """Find the input topics of a bag by their types.

    Args:
        bag: The bag.
        image: Name of the image topic, raw or compressed; empty finds it.
        camera_info: Name of the camera_info topic; empty finds the one beside the image.
        odometry: Name of the odometry topic; empty finds it.

    Raises:
        BagError: There is no image, a name is not in the bag or of another type, or a choice
            between several is left to you; the message lists what is there.
    """
    images = _of_types(bag, IMAGE_TYPE, COMPRESSED_TYPE)
    chosen = _named(bag, image, images, "an image") if image else _only_image(bag, images)
    infos = _of_types(bag, CAMERA_INFO_TYPE)
    if camera_info:
        info = _named(bag, camera_info, infos, "a camera_info").name
    else:
        info = _info_beside(bag, chosen.name, infos)
    odometries = _of_types(bag, ODOMETRY_TYPE)
    if odometry:
        odom = _named(bag, odometry, odometries, "an odometry").name
    else:
        odom = _only(bag, odometries, "odometry topics", "--odometry-topic")
    return InputTopics(chosen.name, chosen.msgtype == COMPRESSED_TYPE, info, odom)


def find_hands(bag: BagReader, topic: str = "") -> str:
    """Return the topic of tracked hands of an output bag.

    Raises:
        BagError: There is none, or several and no name.
    """
    found = [t for t in _of_types(bag, HANDS_TYPE, ours=True) if t.name != TRUTH_TOPIC]
    if topic:
        return _named(bag, topic, found, "a HandStateArray").name
    if any(t.name == HANDS_TOPIC for t in found):
        return HANDS_TOPIC
    name = _only(bag, found, "topics with hands", "the topic")
    if not name:
        msg = f"{bag.path} has no {HANDS_TYPE}; {bag.listing()}"
        raise BagError(msg)
    return name


def _of_types(bag: BagReader, *types: str, ours: bool = False) -> list[BagTopic]:
    """Return the topics of some types that hold messages; those that we publish only if asked."""
    return [
        topic
        for topic in bag.topics
        if topic.msgtype in types
        and topic.message_count
        and (ours or not topic.name.startswith(_OUR_PREFIX))
    ]


def _named(bag: BagReader, name: str, found: list[BagTopic], what: str) -> BagTopic:
    for topic in found:
        if topic.name == name:
            return topic
    msg = f"{bag.path} has no topic {name} that is {what}; {bag.listing()}"
    raise BagError(msg)


def _only(bag: BagReader, found: list[BagTopic], what: str, option: str) -> str:
    if len(found) > 1:
        names = ", ".join(topic.name for topic in found)
        msg = f"{bag.path} has several {what}: {names}; choose one with {option}"
        raise BagError(msg)
    return found[0].name if found else ""


def _only_image(bag: BagReader, images: list[BagTopic]) -> BagTopic:
    if not images:
        msg = f"{bag.path} has no {IMAGE_TYPE} or {COMPRESSED_TYPE}; {bag.listing()}"
        raise BagError(msg)
    # The same camera is often there twice, raw and compressed: the raw one loses nothing.
    raw = {topic.name for topic in images if topic.msgtype == IMAGE_TYPE}
    cameras = [topic for topic in images if topic.name.rpartition("/")[0] not in raw]
    name = _only(bag, cameras, "images", "--image-topic")
    return next(topic for topic in cameras if topic.name == name)


def _info_beside(bag: BagReader, image: str, infos: list[BagTopic]) -> str:
    """Return the camera_info in the namespace of the image, or the only one that there is."""
    above = image
    while above:
        above = above.rpartition("/")[0]
        for topic in infos:
            if topic.name == f"{above}/camera_info":
                return topic.name
    return _only(bag, infos, "camera_info topics", "--camera-info-topic")
