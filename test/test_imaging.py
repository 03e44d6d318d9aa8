"""Properties of image decoding: every encoding shows the same picture, bad ones are refused."""

from __future__ import annotations

import array
from types import SimpleNamespace

import cv2
import numpy as np
import pytest

from hand4d_ros import imaging
from hand4d_ros.errors import MediaError

HEIGHT, WIDTH = 12, 16
COLOR = np.array([200, 120, 40], dtype=np.uint8)
PICTURE = np.broadcast_to(COLOR, (HEIGHT, WIDTH, 3)).copy()
GREY = np.array(cv2.cvtColor(PICTURE, cv2.COLOR_RGB2GRAY))


def raw(encoding: str) -> np.ndarray:
    """Return the uniform test picture in an encoding, rows of bytes."""
    name, bits = encoding.rstrip("0123456789"), 16 if encoding.endswith("16") else 8
    alpha = np.full((HEIGHT, WIDTH, 1), 7, dtype=np.uint8)
    if encoding in ("8UC1", "mono8", "mono16"):
        values = GREY[..., None]
    elif encoding in ("8UC3", "8UC4"):
        values = np.concatenate((PICTURE[..., ::-1], alpha), axis=2)[..., : int(encoding[-1])]
    elif name.startswith("bayer"):
        values = mosaic(name.removeprefix("bayer_"))[..., None]
    elif encoding in ("yuv422", "uyvy", "yuv422_yuy2", "yuyv"):
        return yuv(uyvy=encoding in ("yuv422", "uyvy"))
    else:
        order = PICTURE if name.startswith("rgb") else PICTURE[..., ::-1]
        values = np.concatenate((order, alpha), axis=2)[..., : 4 if name.endswith("a") else 3]
    if bits == 16:
        values = values.astype("<u2") * 257
    return np.ascontiguousarray(values).view(np.uint8).reshape(HEIGHT, -1)


def mosaic(pattern: str) -> np.ndarray:
    """Return the picture through a colour filter, two rows of two letters."""
    channel = {"r": 0, "g": 1, "b": 2}
    out = np.empty((HEIGHT, WIDTH), dtype=np.uint8)
    for at, letter in enumerate(pattern):
        row, column = divmod(at, 2)
        out[row::2, column::2] = PICTURE[row::2, column::2, channel[letter]]
    return out


def yuv(*, uyvy: bool) -> np.ndarray:
    """Return the picture with halved chroma (ITU-R BT.601, studio range)."""
    r, g, b = COLOR.astype(float)
    y = 16 + 0.257 * r + 0.504 * g + 0.098 * b
    u = 128 - 0.148 * r - 0.291 * g + 0.439 * b
    v = 128 + 0.439 * r - 0.368 * g - 0.071 * b
    four = (u, y, v, y) if uyvy else (y, u, y, v)
    return np.tile(np.round(four).astype(np.uint8), (HEIGHT, WIDTH // 2))


def message(name: str, rows: np.ndarray, **change: object) -> SimpleNamespace:
    """Return an image message."""
    values: dict[str, object] = {
        "encoding": name,
        "width": WIDTH,
        "height": HEIGHT,
        "step": rows.shape[1],
        "is_bigendian": 0,
        "data": rows.reshape(-1),
    }
    return SimpleNamespace(**{**values, **change})


@pytest.mark.parametrize("encoding", sorted(imaging.LAYOUTS))
def test_every_encoding_shows_the_same_picture(encoding: str) -> None:
    """All encodings decode to the same RGB, also with padded rows."""
    rows = raw(encoding)
    grey = encoding.startswith(("mono", "8UC1"))
    want = np.repeat(GREY[..., None], 3, axis=2) if grey else PICTURE
    padded = np.pad(rows, ((0, 0), (0, 5)), constant_values=99)
    for each in (rows, padded):
        got = imaging.rgb_from_image_message(message(encoding, each))
        assert got.shape == (HEIGHT, WIDTH, 3)
        assert got.dtype == np.uint8
        np.testing.assert_allclose(got.astype(int), want.astype(int), atol=3)


def test_big_endian_keeps_the_upper_byte() -> None:
    """16-bit values decode alike in both byte orders."""
    little = (GREY.astype(np.uint16) * 256 + 3).astype("<u2").view(np.uint8)
    big = (GREY.astype(np.uint16) * 256 + 3).astype(">u2").view(np.uint8)
    one = imaging.rgb_from_image_message(message("mono16", little))
    other = imaging.rgb_from_image_message(message("mono16", big, is_bigendian=1))
    np.testing.assert_array_equal(one, other)
    np.testing.assert_array_equal(one[..., 0], GREY)


@pytest.mark.parametrize("kind", [bytes, bytearray, lambda x: array.array("B", bytes(x)), list])
def test_every_container_of_bytes(kind: type) -> None:
    """The data may be bytes, an array.array as rclpy has it, or a list."""
    rows = raw("rgb8")
    got = imaging.rgb_from_image_message(message("rgb8", rows, data=kind(rows.tobytes())))
    np.testing.assert_array_equal(got, PICTURE)


@pytest.mark.parametrize(
    ("encoding", "change", "text"),
    [
        ("rgb8", {"encoding": "h264"}, "encoding 'h264'; understood are"),
        ("rgb8", {"encoding": "16UC1"}, "encoding '16UC1'"),
        ("rgb8", {"step": WIDTH * 3 - 1}, "step is 47 bytes, but a row of 16 rgb8 pixels takes 48"),
        ("rgb8", {"step": 0}, "step is 0 bytes"),
        ("rgb8", {"height": HEIGHT + 1}, "holds 576 bytes, but step 48 times height 13 is 624"),
        ("rgb8", {"data": b""}, "holds 0 bytes"),
        ("rgb8", {"width": 0}, "0 x 12 pixels is refused"),
        ("rgb8", {"width": 2**31, "height": 2**31}, "pixels is refused"),
        ("yuv422", {"width": WIDTH - 1}, "even width"),
    ],
)
def test_bad_images(encoding: str, change: dict[str, object], text: str) -> None:
    """Unknown encodings and sizes that do not fit say what is wrong."""
    with pytest.raises(MediaError, match=text):
        imaging.rgb_from_image_message(message(encoding, raw(encoding), **change))


@pytest.mark.parametrize("suffix", [".png", ".jpg"])
def test_compressed(suffix: str) -> None:
    """JPEG and PNG decode to RGB."""
    data = cv2.imencode(suffix, PICTURE[..., ::-1])[1]
    got = imaging.rgb_from_compressed_message(SimpleNamespace(format="jpeg", data=data))
    np.testing.assert_allclose(got.astype(int), PICTURE, atol=4)


def test_jpeg_round_trip() -> None:
    """What is encoded here decodes to nearly the same picture."""
    got = imaging.rgb_from_encoded(imaging.jpeg_from_rgb(PICTURE, quality=98))
    np.testing.assert_allclose(got.astype(int), PICTURE, atol=4)


@pytest.mark.parametrize("suffix", [".png", ".jpg"])
def test_too_large_compressed_is_refused_before_decoding(suffix: str) -> None:
    """The pixel limit is checked on the header."""
    data = cv2.imencode(suffix, PICTURE)[1].tobytes()
    with pytest.raises(MediaError, match="16 x 12 pixels is refused; 1 to 100 pixels"):
        imaging.rgb_from_encoded(data, max_pixels=100)


@pytest.mark.parametrize(
    ("data", "text"),
    [
        (b"", "neither JPEG nor PNG"),
        (b"GIF89a..........", "neither JPEG nor PNG"),
        (b"\xff\xd8\xff", "neither JPEG nor PNG"),
    ],
)
def test_foreign_compressed(data: bytes, text: str) -> None:
    """Foreign and empty bytes are refused."""
    with pytest.raises(MediaError, match=text):
        imaging.rgb_from_encoded(data)


def test_damaged_compressed() -> None:
    """A file that ends after its header is refused, and so is a depth image."""
    data = cv2.imencode(".png", PICTURE)[1].tobytes()
    with pytest.raises(MediaError, match=r"damaged|cannot be decoded"):
        imaging.rgb_from_encoded(data[:40])
    with pytest.raises(MediaError, match="depth image"):
        imaging.rgb_from_compressed_message(
            SimpleNamespace(format="16UC1; compressedDepth png", data=data)
        )


def test_empty_image_is_not_encoded() -> None:
    """There is no JPEG of nothing."""
    with pytest.raises(MediaError, match="cannot be encoded"):
        imaging.jpeg_from_rgb(np.zeros((0, 4, 3), dtype=np.uint8))
