"""``sensor_msgs`` images in, RGB arrays out, and back.

``hand4d_ros.imaging`` decodes, here as in offline replay, so that both see the same pixels;
cv_bridge is not used, as its builds for Humble and Jazzy crash with numpy 2.
"""

from __future__ import annotations

import array
from typing import Any

import numpy as np

from hand4d_ros.errors import MediaError, RosError
from hand4d_ros.imaging import rgb_from_compressed_message, rgb_from_image_message
from hand4d_ros.shapes import Array, UInt8


def rgb_from_message(message: Any) -> UInt8[Array, "h w 3"]:
    """Decode a ``sensor_msgs/Image`` or ``sensor_msgs/CompressedImage``.

    Args:
        message: Of rclpy or rosbags.

    Returns:
        RGB.

    Raises:
        RosError: If the encoding is unknown, size, step and data do not fit together, or the
            compressed data is damaged, too large or no picture.
    """
    try:
        if hasattr(message, "encoding"):
            return rgb_from_image_message(message)
        return rgb_from_compressed_message(message)
    except MediaError as error:
        raise RosError(str(error)) from None


def image_fields_from_rgb(rgb: UInt8[Array, "h w 3"]) -> dict[str, Any]:
    """Fields of a ``sensor_msgs/Image`` in rgb8, without its header.

    Args:
        rgb: The image.

    Returns:
        Values by field name. ``data`` is an ``array.array``, which rclpy copies as a whole, while
        it goes through every element of any other sequence.
    """
    height, width = rgb.shape[:2]
    data = array.array("B")
    data.frombytes(np.ascontiguousarray(rgb).data)
    return {
        "height": height,
        "width": width,
        "encoding": "rgb8",
        "is_bigendian": 0,
        "step": width * 3,
        "data": data,
    }
