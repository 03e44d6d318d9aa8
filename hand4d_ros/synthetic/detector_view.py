"""What a detector's errors depend on: how large, how hidden and how fast each hand looks.

Errors are written down in the hand's own axes in the image, in units of its size there, so that
one model serves both hands, every direction and every picture size: the first axis points
across the hand towards the thumb of a right hand seen from its back, the second from the wrist
to the fingers. The detector looks at hands in these axes too (``detection.views``).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from hand4d_ros.detection.landmarks import LANDMARKS
from hand4d_ros.geometry import camera as cameras
from hand4d_ros.shapes import Array, Bool, Float
from hand4d_ros.synthetic.hand_clip import HandClip
from hand4d_ros.types import Side

FEATURES = (
    "one",
    "size",
    "hidden",
    "outside",
    "buried",
    "speed",
    "end_on",
    "crossed",
    "back",
    "edge",
)
"""Columns of ``HandViews.features``: a constant; log of the size; shares of keypoints that are
hidden and outside of the picture; by how much more than most are either; log of the speed; how
foreshortened the fingers are; how near the other hand is; whether the back (1) or the palm (-1)
is seen; whether the hand is edge-on."""
_MOST = 0.6
"""Share of keypoints out of sight from which a hand counts as buried."""
_REFERENCE_PX = 150.0
_LEAST_PX = 4.0
_FASTEST = 12.0


@dataclass(frozen=True)
class HandViews:
    """``h`` hands over ``f`` frames as the detector's task."""

    landmarks_m: Float[Array, "f h 21 3"]
    """What the detector should mark, in the camera's frame."""
    landmarks_px: Float[Array, "f h 21 2"]
    """The same in the image; finite even where nothing can be seen."""
    size_px: Float[Array, "f h"]
    """Longer side of the box about the landmarks."""
    axes: Float[Array, "f h 2 2"]
    """Columns: the hand's own axes in the image, of length one."""
    features: Float[Array, "f h n"]
    """What errors and misses depend on, see ``FEATURES``."""
    hidden: Bool[Array, "f h 21"]
    """Keypoints inside of the picture that something is in front of."""
    outside: Bool[Array, "f h 21"]
    """Keypoints outside of the picture."""
    change: Float[Array, "f h"]
    """How much the look of the hand changed since the frame before, in sizes; 0 at the start."""
    step_s: Float[Array, "f"]
    """Time since the frame before; 0 at the start."""

    def to_px(self, offset: Float[Array, "f h 21 2"]) -> Float[Array, "f h 21 2"]:
        """Turn errors in the hand's axes and sizes into pixels."""
        turned = np.einsum("fhij,fhkj->fhki", self.axes, offset)
        return turned * self.size_px[..., None, None]

    def from_px(self, offset_px: Float[Array, "f h 21 2"]) -> Float[Array, "f h 21 2"]:
        """Turn errors in pixels into the hand's axes and sizes."""
        return np.einsum("fhij,fhki->fhkj", self.axes, offset_px) / self.size_px[..., None, None]


def views_from_clip(clip: HandClip, definition: Float[Array, "21 21"] | None = None) -> HandViews:
    """Describe the detector's task in every frame of a clip.

    Args:
        clip: The truth.
        definition: Map from model keypoints to what the detector marks; MediaPipe's where None.
    """
    landmark_map = LANDMARKS["mediapipe"] if definition is None else definition
    landmarks_m = np.einsum("kj,fhjx->fhkx", landmark_map, clip.keypoints_m)
    px = _filled(cameras.project(clip.camera, landmarks_m), clip)
    size_px = np.maximum(np.ptp(px, axis=2).max(-1), _LEAST_PX)
    axes = _axes(px, clip.sides)
    step_s = np.diff(clip.t_s, prepend=clip.t_s[:1])
    inside, seen = clip.visibility.inside, clip.visibility.seen
    shape = np.einsum("fhij,fhki->fhkj", axes, px - px.mean(2, keepdims=True))
    shape = shape / size_px[..., None, None]
    change = np.zeros(size_px.shape)
    change[1:] = np.linalg.norm(np.diff(shape, axis=0), axis=-1).mean(-1)
    moved = np.zeros(size_px.shape)
    moved[1:] = np.linalg.norm(np.diff(px, axis=0), axis=-1).mean(-1) / size_px[1:]
    speed = np.minimum(moved / np.maximum(step_s, 1e-3)[:, None], _FASTEST)
    length_m = np.linalg.norm(np.diff(landmarks_m[:, :, [0, 9, 10, 11, 12]], axis=2), axis=-1)
    reach_px = clip.camera.fx_px * length_m.sum(-1) / np.maximum(landmarks_m[:, :, 9, 2], 0.05)
    back = _back(shape)
    covered, beyond = (inside & ~seen).mean(-1), (~inside).mean(-1)
    features = np.stack(
        (
            np.ones(size_px.shape),
            np.log(size_px / _REFERENCE_PX),
            covered,
            beyond,
            np.maximum(covered + beyond - _MOST, 0.0),
            np.log1p(speed),
            np.clip(np.log(reach_px / size_px), -0.5, 2.0),
            _crossed(px, size_px),
            back,
            1.0 - np.abs(back),
        ),
        axis=-1,
    )
    return HandViews(
        landmarks_m, px, size_px, axes, features, inside & ~seen, ~inside, change, step_s
    )


def _filled(px: Float[Array, "f h 21 2"], clip: HandClip) -> Float[Array, "f h 21 2"]:
    """Put landmarks that have no pixel (behind the camera) far below the picture."""
    nowhere = np.array([0.5 * clip.camera.width_px, 10.0 * clip.camera.height_px])
    return np.where(np.isfinite(px), px, nowhere)


def _axes(px: Float[Array, "f h 21 2"], sides: tuple[Side, ...]) -> Float[Array, "f h 2 2"]:
    fingers = 0.25 * (px[:, :, 6] + px[:, :, 14]) + 0.5 * px[:, :, 10]
    up = fingers - px[:, :, 0]
    length = np.linalg.norm(up, axis=-1, keepdims=True)
    up = np.where(length > 1e-6, up / np.maximum(length, 1e-6), [0.0, -1.0])
    mirror = np.array([1.0 if side is Side.RIGHT else -1.0 for side in sides])
    across = np.stack((up[..., 1], -up[..., 0]), axis=-1) * mirror[:, None]
    return np.stack((across, up), axis=-1)


def _back(shape: Float[Array, "f h 21 2"]) -> Float[Array, "f h"]:
    """How much the back of the hand is turned to the camera: 1 fully, -1 the palm, 0 edge-on."""
    index, little = shape[:, :, 5] - shape[:, :, 0], shape[:, :, 17] - shape[:, :, 0]
    cross = index[..., 0] * little[..., 1] - index[..., 1] * little[..., 0]
    lengths = np.linalg.norm(index, axis=-1) * np.linalg.norm(little, axis=-1)
    # The angle between the two bones is about 0.75 rad where the palm is seen straight on.
    return np.clip(cross / np.maximum(lengths, 1e-4) / 0.7, -1.0, 1.0)


def _crossed(px: Float[Array, "f h 21 2"], size_px: Float[Array, "f h"]) -> Float[Array, "f h"]:
    """How near the next hand is in the image: 1 on top of each other, 0 a size or more apart."""
    middle = px[:, :, 9]
    apart = np.linalg.norm(middle[:, :, None] - middle[:, None], axis=-1)
    larger = np.maximum(size_px[:, :, None], size_px[:, None])
    apart = apart / larger + 9.0 * np.eye(px.shape[1])
    return np.clip(1.0 - apart.min(-1, initial=9.0), 0.0, 1.0)
