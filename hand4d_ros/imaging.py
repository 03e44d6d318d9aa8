"""Image messages and image bytes to RGB arrays, without cv_bridge.

cv_bridge of Humble and Jazzy crashes with numpy 2 (vision_opencv issue 535), and the live node
and offline replay must decode alike, so both call this module.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from hand4d_ros.errors import MediaError
from hand4d_ros.shapes import Array, UInt8
from hand4d_ros.types import Side

SIDE_RGB: dict[Side, tuple[int, int, int]] = {Side.LEFT: (0, 114, 178), Side.RIGHT: (213, 94, 0)}
"""Colour of each hand in every picture: blue left, vermilion right, of the palette that people
with any colour vision can tell apart (Okabe and Ito, 2008)."""

MAX_PIXELS = 64_000_000
"""Largest image that is decoded; a forged header must not make us allocate gigabytes."""


@dataclass(frozen=True)
class _Layout:
    """How one raw encoding lays out a pixel."""

    channels: int
    depth_bytes: int
    order: Literal["rgb", "bgr", "mono", "bayer", "uyvy", "yuyv"]
    pattern: str = ""


def _layouts() -> dict[str, _Layout]:
    table: dict[str, _Layout] = {
        "mono8": _Layout(1, 1, "mono"),
        "mono16": _Layout(1, 2, "mono"),
        "8UC1": _Layout(1, 1, "mono"),
        # OpenCV's type names do not say the colour order; cv_bridge's users mean OpenCV's own.
        "8UC3": _Layout(3, 1, "bgr"),
        "8UC4": _Layout(4, 1, "bgr"),
        "yuv422": _Layout(2, 1, "uyvy"),
        "uyvy": _Layout(2, 1, "uyvy"),
        "yuv422_yuy2": _Layout(2, 1, "yuyv"),
        "yuyv": _Layout(2, 1, "yuyv"),
    }
    for bits, depth in ((8, 1), (16, 2)):
        table[f"rgb{bits}"] = _Layout(3, depth, "rgb")
        table[f"bgr{bits}"] = _Layout(3, depth, "bgr")
        table[f"rgba{bits}"] = _Layout(4, depth, "rgb")
        table[f"bgra{bits}"] = _Layout(4, depth, "bgr")
        # OpenCV names a pattern by its second row's second and third pixel, ROS by its first two
        # rows: see ``cv::COLOR_BayerBG2RGB``, which is RGGB.
        for pattern, name in (("rggb", "BG"), ("bggr", "RG"), ("gbrg", "GR"), ("grbg", "GB")):
            table[f"bayer_{pattern}{bits}"] = _Layout(1, depth, "bayer", name)
    return table


LAYOUTS = _layouts()
"""Every raw encoding that is understood, named as ``sensor_msgs/image_encodings`` names it."""


def rgb_from_image_message(message: Any) -> UInt8[Array, "h w 3"]:
    """Return the RGB image of a ``sensor_msgs/Image``.

    Raises:
        MediaError: As ``rgb_from_raw``.
    """
    return rgb_from_raw(
        message.data,
        encoding=str(message.encoding),
        width_px=int(message.width),
        height_px=int(message.height),
        step_bytes=int(message.step),
        big_endian=bool(message.is_bigendian),
    )


def rgb_from_compressed_message(message: Any) -> UInt8[Array, "h w 3"]:
    """Return the RGB image of a ``sensor_msgs/CompressedImage``.

    Raises:
        MediaError: As ``rgb_from_encoded``, or the format is that of a depth image.
    """
    image_format = str(message.format)
    if "compresseddepth" in image_format.lower():
        msg = (
            f"the compressed image has the format {image_format!r}, which is a depth image; "
            "subscribe to the camera's colour or grey topic"
        )
        raise MediaError(msg)
    return rgb_from_encoded(_buffer(message.data).tobytes())


def rgb_from_raw(
    data: Any,
    *,
    encoding: str,
    width_px: int,
    height_px: int,
    step_bytes: int,
    big_endian: bool = False,
) -> UInt8[Array, "h w 3"]:
    """Decode raw pixels; 16-bit values keep their upper byte, alpha is dropped.

    Args:
        data: ``step_bytes * height_px`` bytes, in any object with a buffer.
        encoding: One of ``LAYOUTS``.
        width_px: Image width.
        height_px: Image height.
        step_bytes: Length of a row with its padding.
        big_endian: Byte order of 16-bit values.

    Raises:
        MediaError: The encoding is unknown, or width, height, step and data do not fit.
    """
    layout = LAYOUTS.get(encoding)
    if layout is None:
        msg = (
            f"the image has the encoding {encoding!r}; understood are {', '.join(sorted(LAYOUTS))}"
        )
        raise MediaError(msg)
    row_bytes = width_px * layout.channels * layout.depth_bytes
    pixels = _buffer(data)
    _check_size(width_px, height_px)
    if step_bytes < row_bytes:
        msg = (
            f"the image's step is {step_bytes} bytes, but a row of {width_px} {encoding} pixels "
            f"takes {row_bytes}"
        )
        raise MediaError(msg)
    if len(pixels) != step_bytes * height_px:
        msg = (
            f"the image holds {len(pixels)} bytes, but step {step_bytes} times height "
            f"{height_px} is {step_bytes * height_px}"
        )
        raise MediaError(msg)
    rows = pixels.reshape(height_px, step_bytes)[:, :row_bytes]
    if layout.depth_bytes == 2:
        rows = rows[:, 0::2] if big_endian else rows[:, 1::2]
    return _to_rgb(rows.reshape(height_px, width_px, layout.channels), layout, encoding)


def _to_rgb(values: UInt8[Array, "h w c"], layout: _Layout, encoding: str) -> UInt8[Array, "h w 3"]:
    """Reorder, demosaic or convert the channels of 8-bit values to a fresh RGB array."""
    if layout.order == "rgb":
        return values[..., :3].copy()
    if layout.order == "bgr":
        return values[..., 2::-1].copy()
    if layout.order == "mono":
        return np.repeat(values, 3, axis=2)
    import cv2

    if layout.order == "bayer":
        code = getattr(cv2, f"COLOR_Bayer{layout.pattern}2RGB")
        mosaic = np.ascontiguousarray(values[..., 0])
    else:
        if values.shape[1] % 2:
            msg = f"an image in {encoding} has an even width, got {values.shape[1]} pixels"
            raise MediaError(msg)
        code = cv2.COLOR_YUV2RGB_UYVY if layout.order == "uyvy" else cv2.COLOR_YUV2RGB_YUY2
        mosaic = np.ascontiguousarray(values)
    return np.asarray(cv2.cvtColor(mosaic, code))


def rgb_from_encoded(data: bytes, max_pixels: int = MAX_PIXELS) -> UInt8[Array, "h w 3"]:
    """Decode a JPEG or PNG; an orientation tag is ignored, as camera_info ignores it too.

    Args:
        data: The whole file.
        max_pixels: Images with more pixels are refused before they are decoded.

    Raises:
        MediaError: The bytes are empty, neither format, too large, or damaged.
    """
    import cv2

    size = _encoded_size(data)
    if size is None:
        head = data[:8].hex(" ") or "nothing"
        msg = f"the compressed image is neither JPEG nor PNG ({len(data)} bytes, start: {head})"
        raise MediaError(msg)
    _check_size(*size, max_pixels=max_pixels)
    flags = cv2.IMREAD_COLOR | cv2.IMREAD_IGNORE_ORIENTATION
    try:
        bgr = cv2.imdecode(np.frombuffer(data, dtype=np.uint8), flags)
    except cv2.error as error:
        msg = f"the compressed image cannot be decoded: {error}"
        raise MediaError(msg) from None
    if bgr is None:
        msg = f"the compressed image is damaged ({len(data)} bytes, header says {size} pixels)"
        raise MediaError(msg)
    return np.asarray(cv2.cvtColor(bgr, cv2.COLOR_BGR2RGB))


def jpeg_from_rgb(rgb: UInt8[Array, "h w 3"], quality: int = 92) -> bytes:
    """Encode an image as JPEG, ``quality`` 1..100.

    Raises:
        MediaError: The image has no pixels or cannot be encoded.
    """
    import cv2

    if 0 in rgb.shape:
        msg = f"an image of shape {rgb.shape} cannot be encoded"
        raise MediaError(msg)
    bgr = cv2.cvtColor(rgb, cv2.COLOR_RGB2BGR)
    done, data = cv2.imencode(".jpg", bgr, [cv2.IMWRITE_JPEG_QUALITY, quality])
    if not done:
        msg = f"an image of shape {rgb.shape} could not be encoded as JPEG"
        raise MediaError(msg)
    return bytes(data)


def _buffer(data: Any) -> UInt8[Array, "n"]:
    """Return the bytes of an array.array, numpy array, bytes or list, copied only if a list."""
    if isinstance(data, (bytes, bytearray, memoryview)):
        return np.frombuffer(data, dtype=np.uint8)
    return np.asarray(data, dtype=np.uint8).reshape(-1)


def _check_size(width_px: int, height_px: int, max_pixels: int = MAX_PIXELS) -> None:
    if width_px < 1 or height_px < 1 or width_px * height_px > max_pixels:
        msg = (
            f"an image of {width_px} x {height_px} pixels is refused; "
            f"1 to {max_pixels} pixels are allowed"
        )
        raise MediaError(msg)


def _encoded_size(data: bytes) -> tuple[int, int] | None:
    """Return (width, height) from a PNG's or JPEG's header without decoding it."""
    if data.startswith(b"\x89PNG\r\n\x1a\n") and len(data) >= 24:
        width, height = struct.unpack(">II", data[16:24])
        return width, height
    if not data.startswith(b"\xff\xd8"):
        return None
    at = 2
    while at + 9 <= len(data):
        marker, length = data[at + 1], struct.unpack(">H", data[at + 2 : at + 4])[0]
        if data[at] != 0xFF:
            return None
        # Start-of-frame markers are C0..CF without the tables C4, C8 and CC (ITU-T T.81, B.1.1.3).
        if 0xC0 <= marker <= 0xCF and marker not in (0xC4, 0xC8, 0xCC):
            height, width = struct.unpack(">HH", data[at + 5 : at + 9])
            return width, height
        at += 1 if marker == 0xFF else 2 + length
    return None
