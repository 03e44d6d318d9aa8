"""Drawing primitives for pictures that people read: smooth text, pills, outlined skeletons."""

from __future__ import annotations

import functools
from pathlib import Path

import cv2
import numpy as np

from hand4d_ros.hand.orders import OPENPOSE_BONES
from hand4d_ros.shapes import Array, Bool, Float, Int, UInt8

Colour = tuple[int, int, int]
"""RGB."""

INK: Colour = (24, 28, 33)
PAPER: Colour = (255, 255, 255)

_SHIFT = 4
_SUBPIXEL = 1 << _SHIFT


@functools.lru_cache(maxsize=512)
def text_mask(text: str, height_px: int, *, bold: bool = False) -> UInt8[Array, "h w"]:
    """Return the coverage, 0 to 255, of one line of text in a sans-serif type.

    OpenCV's own letters are strokes and hard to read when small; matplotlib ships DejaVu Sans,
    so the picture is the same on every machine.
    """
    from PIL import Image, ImageDraw, ImageFont

    font = ImageFont.truetype(str(_font_file(bold=bold)), height_px)
    left, _, right, _ = font.getbbox(text)
    ascent, descent = font.getmetrics()
    canvas = Image.new("L", (max(int(right - left) + 2, 1), ascent + descent))
    ImageDraw.Draw(canvas).text((1 - left, 0), text, fill=255, font=font)
    return np.array(canvas)


@functools.cache
def _font_file(*, bold: bool) -> Path:
    import matplotlib as mpl

    name = "DejaVuSans-Bold.ttf" if bold else "DejaVuSans.ttf"
    return Path(mpl.get_data_path()) / "fonts" / "ttf" / name


def paint(
    image: UInt8[Array, "h w 3"], mask: UInt8[Array, "mh mw"], at: tuple[int, int], colour: Colour
) -> None:
    """Lay a colour on an image through a coverage mask, in place.

    Args:
        image: Painted on.
        mask: 0 to 255.
        at: Column and row of the mask's corner; what falls outside is cut off.
        colour: RGB.
    """
    x, y = at
    top, left = max(y, 0), max(x, 0)
    bottom = min(y + mask.shape[0], image.shape[0])
    right = min(x + mask.shape[1], image.shape[1])
    if bottom <= top or right <= left:
        return
    part = mask[top - y : bottom - y, left - x : right - x, None].astype(np.uint16)
    region = image[top:bottom, left:right]
    mixed = region * (255 - part) + np.array(colour, dtype=np.uint16) * part
    region[:] = ((mixed + 127) // 255).astype(np.uint8)


def draw_pill(
    image: UInt8[Array, "h w 3"],
    text: str,
    at: tuple[int, int],
    height_px: int,
    accent: Colour | None = None,
) -> tuple[int, int]:
    """Draw dark text on a light, rounded ground, in place, and keep it inside of the image.

    Args:
        image: Painted on.
        text: One line.
        at: Column and row of the upper left corner that is wanted.
        height_px: Size of the type.
        accent: Colour of a dot before the text.

    Returns:
        Width and height of the pill (px).
    """
    mask = text_mask(text, height_px)
    pad = max(height_px // 3, 3)
    dot = height_px if accent is not None else 0
    width, height = mask.shape[1] + 2 * pad + dot, mask.shape[0] + pad
    x = int(np.clip(at[0], 0, max(image.shape[1] - width, 0)))
    y = int(np.clip(at[1], 0, max(image.shape[0] - height, 0)))
    paint(image, _pill_mask(width, height), (x, y), PAPER)
    if accent is not None:
        centre = (x + pad + dot // 3, y + height // 2)
        cv2.circle(image, centre, max(height_px // 3, 2), accent, -1, cv2.LINE_AA)
    paint(image, mask, (x + pad + dot, y + pad // 2), INK)
    return width, height


@functools.lru_cache(maxsize=256)
def _pill_mask(width: int, height: int) -> UInt8[Array, "h w"]:
    """Return a rounded rectangle, opaque enough to read on anything."""
    mask = np.zeros((height, width), dtype=np.uint8)
    radius = min(height // 2, width // 2, 6)
    cv2.rectangle(mask, (radius, 0), (width - 1 - radius, height - 1), 225, -1)
    cv2.rectangle(mask, (0, radius), (width - 1, height - 1 - radius), 225, -1)
    for x in (radius, width - 1 - radius):
        for y in (radius, height - 1 - radius):
            cv2.circle(mask, (x, y), radius, 225, -1, cv2.LINE_AA)
    return mask


def silhouette_mask(
    vertices_px: Float[Array, "v 2"], faces: Int[Array, "f 3"], width_px: int, height_px: int
) -> UInt8[Array, "h w"]:
    """Return the silhouette of a closed mesh, 255 inside; faces with a NaN are left out."""
    mask = np.zeros((height_px, width_px), dtype=np.uint8)
    corners = vertices_px[faces]
    edge, other = corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0]
    # One orientation is enough: the front of a closed surface covers what its back does.
    facing: Bool[Array, "f"] = edge[:, 0] * other[:, 1] - edge[:, 1] * other[:, 0] > 0.0
    near: Bool[Array, "f"] = (np.abs(corners) < 8.0 * max(width_px, height_px)).all(axis=(1, 2))
    shown = corners[facing & near]
    cv2.fillPoly(mask, list(np.rint(shown * _SUBPIXEL).astype(np.int32)), 255, shift=_SHIFT)
    return mask


def tint(
    image: UInt8[Array, "h w 3"], mask: UInt8[Array, "h w"], colour: Colour, alpha: float
) -> None:
    """Tint the inside of a mask and draw its outline, in place."""
    box = cv2.boundingRect(mask)
    if box[2] == 0:
        return
    x, y, w, h = box
    coverage = (mask[y : y + h, x : x + w].astype(float) * alpha).astype(np.uint8)
    paint(image, coverage, (x, y), colour)
    outlines, _ = cv2.findContours(mask, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
    thickness = max(round(image.shape[1] / 640), 1)
    cv2.drawContours(image, outlines, -1, colour, thickness, cv2.LINE_AA)


def draw_skeleton(
    image: UInt8[Array, "h w 3"],
    keypoints_px: Float[Array, "21 2"],
    colour: Colour,
    *,
    dashed: bool = False,
) -> None:
    """Draw the bones in a colour on a light border, and the keypoints, in place.

    Args:
        image: Painted on.
        keypoints_px: OpenPose order; what is NaN or far outside is left out.
        colour: RGB.
        dashed: Break the bones, for a hand that is not seen in this image.
    """
    width = max(image.shape[1] / 640, 1.0)
    limit = 4.0 * max(image.shape[:2])
    drawable = np.isfinite(keypoints_px).all(axis=1) & (np.abs(keypoints_px) < limit).all(axis=1)
    bones = [bone for bone in OPENPOSE_BONES if drawable[list(bone)].all()]
    for thickness, shade in ((round(4 * width), PAPER), (round(2 * width), colour)):
        for near, far in bones:
            for start, end in _pieces(keypoints_px[near], keypoints_px[far], dashed=dashed):
                cv2.line(image, start, end, shade, thickness, cv2.LINE_AA, _SHIFT)
    for point in keypoints_px[drawable]:
        centre = _fixed(point)
        cv2.circle(image, centre, round(3.0 * width * _SUBPIXEL), PAPER, -1, cv2.LINE_AA, _SHIFT)
        cv2.circle(image, centre, round(2.0 * width * _SUBPIXEL), colour, -1, cv2.LINE_AA, _SHIFT)


def _pieces(
    start: Float[Array, "2"], end: Float[Array, "2"], *, dashed: bool
) -> list[tuple[tuple[int, int], tuple[int, int]]]:
    """Return a line, or its dashes, in fixed point."""
    if not dashed:
        return [(_fixed(start), _fixed(end))]
    count = max(int(np.linalg.norm(end - start) // 12), 1)
    cuts = start + np.linspace(0.0, 1.0, 2 * count + 1)[:, None] * (end - start)
    return [(_fixed(cuts[2 * i]), _fixed(cuts[2 * i + 1])) for i in range(count)]


def _fixed(point: Float[Array, "2"]) -> tuple[int, int]:
    x, y = np.rint(point * _SUBPIXEL).astype(int).tolist()
    return x, y
