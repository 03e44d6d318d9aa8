"""Image messages: real ``sensor_msgs`` in, RGB out, every fault a clear ``RosError``."""

from __future__ import annotations

import array

import cv2
import numpy as np
import pytest
from sensor_msgs.msg import CompressedImage, Image

from hand4d_ros.errors import RosError
from hand4d_ros.ros.images import image_fields_from_rgb, rgb_from_message

_RGB = np.random.default_rng(5).integers(0, 256, (6, 8, 3), dtype=np.uint8)


def test_round_trip_through_a_message() -> None:
    """What goes out as a debug image comes back as it was."""
    message = Image(**image_fields_from_rgb(_RGB))
    np.testing.assert_array_equal(rgb_from_message(message), _RGB)


@pytest.mark.parametrize(
    ("encoding", "channels"), [("bgr8", [2, 1, 0]), ("rgba8", [0, 1, 2, 0]), ("mono8", [1])]
)
def test_other_encodings_become_rgb(encoding: str, channels: list[int]) -> None:
    """Channels are put in the order red, green, blue."""
    pixels = np.ascontiguousarray(_RGB[..., channels])
    fields = image_fields_from_rgb(_RGB)
    data = array.array("B", pixels.tobytes())
    fields |= {"encoding": encoding, "step": 8 * len(channels), "data": data}
    expected = _RGB if len(channels) > 1 else np.repeat(_RGB[..., 1:2], 3, axis=2)
    np.testing.assert_array_equal(rgb_from_message(Image(**fields)), expected)


def test_compressed_png_is_exact() -> None:
    """A compressed image is decoded, and its channels are not swapped."""
    data = array.array("B", cv2.imencode(".png", _RGB[..., ::-1])[1].tobytes())
    np.testing.assert_array_equal(rgb_from_message(CompressedImage(format="png", data=data)), _RGB)


@pytest.mark.parametrize(
    ("change", "match"),
    [
        ({"encoding": "32FC7"}, "encoding '32FC7'"),
        ({"step": 10}, "step is 10"),
        ({"height": 9}, "144 bytes"),
        ({"width": 0}, "0 x 6"),
    ],
)
def test_faulty_images_are_refused(change: dict[str, object], match: str) -> None:
    """Unknown encodings and sizes that do not fit are ``RosError`` with the numbers."""
    with pytest.raises(RosError, match=match):
        rgb_from_message(Image(**(image_fields_from_rgb(_RGB) | change)))


@pytest.mark.parametrize("data", [b"", b"\x00\x00\x00\x01\x67 video", b"\xff\xd8\xff"])
def test_undecodable_data_is_refused(data: bytes) -> None:
    """Nothing, a video stream and a cut JPEG are errors, not crashes."""
    with pytest.raises(RosError, match="compressed image"):
        rgb_from_message(CompressedImage(format="jpeg", data=array.array("B", data)))
