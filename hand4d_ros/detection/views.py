"""What the networks look at: squares cut from the image, and virtual cameras on one hand.

A hand beside the optical axis is seen from the side and, in a wide image, stretched. A virtual
pinhole camera that turns towards the hand undoes both, whatever the lens: the network sees the
hand as it would in the middle of an ordinary photograph, and its 3D keypoints, which belong to
that camera, are turned back exactly. On frames of a head-worn camera with hands up to 50 degrees
off the axis that took the 3D keypoints, shifted and scaled but not turned to fit, from a mean of
26 mm (left) and 21 mm (right) off the truth to 17 mm and 19 mm.

The rules for where to look next are those of the MediaPipe hand pipeline: Zhang et al.,
"MediaPipe Hands: On-device Real-time Hand Tracking", 2020 (arXiv 2006.10214), section 2.
"""

from __future__ import annotations

import functools
import math
from dataclasses import dataclass

import cv2
import numpy as np

from hand4d_ros.geometry import camera as cameras
from hand4d_ros.shapes import Array, Float, UInt8
from hand4d_ros.types import CameraModel

_CELLS = 16
"""Cells along a side of a view, at whose centres the lens is worked out; 16 divides 224."""
_OUTSIDE_PX = -1e4
_MAX_SUPERSAMPLING = 4
_PALM_SCALE = 2.6
"""The hand's square against that of the palm."""
_PALM_SHIFT = 0.5
"""How far the hand's centre lies from the palm's towards the fingers, in palm squares."""
_LANDMARK_SCALE = 2.0
"""The hand's square against the box of the keypoints that move least with the fingers."""
_LANDMARK_SHIFT = 0.1
"""How far the hand's centre lies from that box's towards the fingers, in box heights."""
_STEADY = (0, 1, 2, 3, 5, 6, 9, 10, 13, 14, 17, 18)
"""Wrist, thumb without its tip, and the two lowest joints of each finger."""
_WIDEST_TAN = 1.2
"""Half a view is at most 50 degrees wide: a hand this near fills any image."""


@dataclass(frozen=True)
class Square:
    """Part of the image, parallel to its edges; it may reach beyond them."""

    left_px: float
    top_px: float
    side_px: float

    def cut(self, image: UInt8[Array, "h w 3"], size_px: int) -> UInt8[Array, "n n 3"]:
        """The square as an image of ``size_px``, black where it lies outside."""
        height, width = image.shape[:2]
        scale = size_px / self.side_px
        left, right = max(round(self.left_px), 0), min(round(self.left_px + self.side_px), width)
        top, bottom = max(round(self.top_px), 0), min(round(self.top_px + self.side_px), height)
        x0, x1 = (min(max(round((x - self.left_px) * scale), 0), size_px) for x in (left, right))
        y0, y1 = (min(max(round((y - self.top_px) * scale), 0), size_px) for y in (top, bottom))
        out = np.zeros((size_px, size_px, 3), dtype=np.uint8)
        if x1 > x0 and y1 > y0 and right > left and bottom > top:
            part = image[top:bottom, left:right]
            if self.side_px > 1.5 * size_px:
                # Twice the size and then the mean of four: far cheaper than an exact area mean.
                part = cv2.resize(part, (2 * (x1 - x0), 2 * (y1 - y0)))
            how = cv2.INTER_AREA if self.side_px > size_px else cv2.INTER_LINEAR
            out[y0:y1, x0:x1] = cv2.resize(part, (x1 - x0, y1 - y0), interpolation=how)
        return out

    def px(self, fraction: Float[Array, "*b 2"]) -> Float[Array, "*b 2"]:
        """Pixels (centres at integers) of points given as fractions of the square's sides."""
        px: Array = fraction * self.side_px + (self.left_px - 0.5, self.top_px - 0.5)
        return px


@dataclass(frozen=True)
class View:
    """A virtual pinhole camera with a square image, turned towards a hand."""

    R_camera_view: Float[Array, "3 3"]
    """Its axes in those of the real camera: x right, y down, z towards the hand."""
    half_tan: float
    """Tangent of half its angle of view."""

    def rays(self, fraction: Float[Array, "*b 2"]) -> Float[Array, "*b 3"]:
        """Directions in the real camera of points given as fractions of the view's sides."""
        xy = (2.0 * fraction - 1.0) * self.half_tan
        ones = np.ones((*xy.shape[:-1], 1))
        rays: Array = np.concatenate([xy, ones], axis=-1) @ self.R_camera_view.T
        return rays

    def is_near(self, other: View, fraction: float) -> bool:
        """Whether the middles of two views are within a fraction of half the wider's angle."""
        cosine = float(self.R_camera_view[:, 2] @ other.R_camera_view[:, 2])
        return cosine > math.cos(fraction * math.atan(max(self.half_tan, other.half_tan)))

    def moved_on(self, before: View, share: float) -> View:
        """The view turned on, as it turned from where it was before to where it is.

        Args:
            before: Where it was.
            share: How much further to turn, 1 for as far again.

        Returns:
            The view of the same width further on.
        """
        x, y, z = (before.R_camera_view[:, 2] @ self.R_camera_view).tolist()
        across = math.hypot(x, y)
        angle = share * math.atan2(across, z)
        sine = math.sin(angle) / max(across, 1e-12)
        ahead = turn_towards(np.array([-x * sine, -y * sine, math.cos(angle)]))
        return View(self.R_camera_view @ ahead, self.half_tan)

    def cut(
        self, image: UInt8[Array, "h w 3"], camera: CameraModel, size_px: int
    ) -> UInt8[Array, "n n 3"]:
        """What the virtual camera sees, black outside of the real image.

        The map is worked out through the real lens on a coarse grid and interpolated; where
        the real image is finer than the view it is averaged, not skipped.
        """
        px = cameras.project(camera, self.rays(_grid()))
        middle = _CELLS // 2
        step_px = px[middle, middle + 1] - px[middle, middle]
        scale = float(np.hypot(*step_px)) * _CELLS / size_px
        factor = min(max(int(scale), 1), _MAX_SUPERSAMPLING) if math.isfinite(scale) else 1
        coarse = np.where(np.isfinite(px), px, _OUTSIDE_PX).astype(np.float32)
        # The grid has one cell more on each side, which is cut off again: within it every
        # pixel of the view lies between grid points.
        cell = size_px * factor // _CELLS
        wide = cv2.resize(coarse, None, fx=cell, fy=cell, interpolation=cv2.INTER_LINEAR)
        x, y = cv2.split(wide[cell:-cell, cell:-cell])
        seen = cv2.remap(image, x, y, cv2.INTER_LINEAR, borderMode=cv2.BORDER_CONSTANT)
        if factor > 1:
            seen = cv2.resize(seen, (size_px, size_px), interpolation=cv2.INTER_AREA)
        return np.asarray(seen)


@functools.lru_cache(maxsize=1)
def _grid() -> Float[Array, "n n 2"]:
    """Centres of a view's cells, and of those around it, as fractions of the view's sides."""
    centres = (np.arange(-1, _CELLS + 1) + 0.5) / _CELLS
    return np.stack(np.meshgrid(centres, centres), axis=-1)


def view_from_palm(
    corners: Float[Array, "4 3"], wrist: Float[Array, "3"], middle_mcp: Float[Array, "3"]
) -> View | None:
    """View on the hand that a palm belongs to, its fingers upwards.

    Args:
        corners: Directions to the corners of the palm's box.
        wrist: Direction to the wrist.
        middle_mcp: Direction to the knuckle of the middle finger.

    Returns:
        The view, or None where a direction is outside of the camera's field.
    """
    flat = _flatten(np.vstack([corners, wrist, middle_mcp]))
    if flat is None:
        return None
    R, xy = flat
    side = float(np.ptp(xy[:4], axis=0).max())
    up = _unit(xy[5] - xy[4])
    centre = 0.5 * (xy[:4].min(axis=0) + xy[:4].max(axis=0)) + _PALM_SHIFT * side * up
    return _turned(R, centre, up, 0.5 * _PALM_SCALE * side)


def view_from_keypoints(rays: Float[Array, "21 3"]) -> View | None:
    """View on a hand whose keypoints are known, its fingers upwards.

    Args:
        rays: Directions to the keypoints, OpenPose order.

    Returns:
        The view, or None where the keypoints span more than a camera can see.
    """
    flat = _flatten(rays)
    if flat is None:
        return None
    R, xy = flat
    up = _unit(0.25 * (xy[6] + xy[14]) + 0.5 * xy[10] - xy[0])
    across = np.array([-up[1], up[0]])
    steady = xy[list(_STEADY)] @ np.stack([across, up], axis=-1)
    low, high = steady.min(axis=0), steady.max(axis=0)
    middle = 0.5 * (low + high) + (0.0, _LANDMARK_SHIFT * (high - low)[1])
    centre = middle[0] * across + middle[1] * up
    return _turned(R, centre, up, 0.5 * _LANDMARK_SCALE * float((high - low).max()))


def squares_of_image(width_px: int, height_px: int) -> list[Square]:
    """Overlapping squares that cover an image, lower ones first: hands reach in from below.

    Args:
        width_px: Width of the image.
        height_px: Height of the image.

    Returns:
        At least four squares, each 0.82 of the shorter side.
    """
    side = 0.82 * min(width_px, height_px)
    lefts = _starts(width_px, side)
    tops = _starts(height_px, side)[::-1]
    return [Square(left, top, side) for top in tops for left in lefts]


def square_around_image(width_px: int, height_px: int) -> Square:
    """Smallest square that holds the whole image in its middle."""
    side = float(max(width_px, height_px))
    return Square(0.5 * (width_px - side), 0.5 * (height_px - side), side)


def equalised(image: UInt8[Array, "n n 3"]) -> UInt8[Array, "n n 3"]:
    """The image with its local contrast raised, which brings out hands in the dark."""
    lab = cv2.cvtColor(image, cv2.COLOR_RGB2LAB)
    # The object is cheap to make and not safe to share between threads.
    lab[..., 0] = cv2.createCLAHE(3.0, (8, 8)).apply(np.ascontiguousarray(lab[..., 0]))
    return np.asarray(cv2.cvtColor(lab, cv2.COLOR_LAB2RGB))


def turn_towards(direction: Float[Array, "3"]) -> Float[Array, "3 3"]:
    """Shortest rotation that takes the z axis to a direction other than straight back."""
    x, y, z = (direction / np.linalg.norm(direction)).tolist()
    # Rodrigues' formula about the axis (-y, x, 0), whose length is the angle's sine.
    share = 1.0 / max(1.0 + z, 1e-12)
    return np.array(
        [
            [1.0 - x * x * share, -x * y * share, x],
            [-x * y * share, 1.0 - y * y * share, y],
            [-x, -y, z],
        ]
    )


def _starts(length_px: int, side: float) -> list[float]:
    """Evenly spaced starts of squares that overlap by at least a quarter of their side."""
    count = max(2, math.ceil((length_px - side) / (0.75 * side)) + 1)
    return [float(start) for start in np.linspace(0.0, length_px - side, count)]


def _unit(v: Float[Array, "2"]) -> Float[Array, "2"]:
    unit: Array = v / max(float(np.hypot(v[0], v[1])), 1e-12)
    return unit


def _flatten(rays: Float[Array, "n 3"]) -> tuple[Array, Array] | None:
    """Rotation towards the middle of directions, and them in its image plane at distance 1."""
    if not np.isfinite(rays).all():
        return None
    R = turn_towards(rays.mean(axis=0))
    turned = rays @ R
    if turned[:, 2].min() <= 0.1 * np.linalg.norm(turned, axis=-1).max():
        return None
    return R, turned[:, :2] / turned[:, 2:]


def _turned(
    R: Float[Array, "3 3"], centre: Float[Array, "2"], up: Float[Array, "2"], half_tan: float
) -> View:
    """View at a point of the image plane of ``R``, with the direction ``up`` upwards."""
    turn = turn_towards(np.array([centre[0], centre[1], 1.0]))
    sine, cosine = float(up[0]), -float(up[1])
    roll = np.array([[cosine, -sine, 0.0], [sine, cosine, 0.0], [0.0, 0.0, 1.0]])
    return View(R @ turn @ roll, min(half_tan, _WIDEST_TAN))
