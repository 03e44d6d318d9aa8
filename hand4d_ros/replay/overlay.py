"""Hands drawn back onto the images that they came from, as a video and as single pictures.

What is drawn is the published hand itself, projected from the world through the camera's pose
and lens; nothing of the detector is shown, so an error anywhere is seen.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from hand4d_ros.errors import HandModelError
from hand4d_ros.geometry import se3
from hand4d_ros.geometry.camera import project
from hand4d_ros.hand.load import load_hand
from hand4d_ros.hand.model import ShapedHand
from hand4d_ros.imaging import SIDE_RGB
from hand4d_ros.replay.context import BagInputConfig
from hand4d_ros.replay.drawing import draw_pill, draw_skeleton, silhouette_mask, tint
from hand4d_ros.replay.frames import BagFrames
from hand4d_ros.replay.run_data import HandSeries, Run
from hand4d_ros.replay.video import VideoWriter
from hand4d_ros.shapes import Array, Float, UInt8
from hand4d_ros.types import Side, TrackingState

_ALPHA = {TrackingState.OBSERVED: 0.38, TrackingState.INFILLED: 0.25, TrackingState.PREDICTED: 0.18}
_LABEL_SHARE = 1.0 / 43.0
"""Height of the type as a share of the width of the image."""


@dataclass(frozen=True)
class _ProjectedHand:
    """One hand in the pixels of one image."""

    side: Side
    state: TrackingState
    text: str
    keypoints_px: Float[Array, "21 2"]
    vertices_px: Float[Array, "v 2"] | None

    @property
    def outline_px(self) -> Float[Array, "n 2"]:
        """All points of it that have a place in the image."""
        points = self.keypoints_px if self.vertices_px is None else self.vertices_px
        return points[np.isfinite(points).all(axis=1)]


class Overlay:
    """Draws the hands of a run."""

    def __init__(self, run: Run, hand_model: str = "") -> None:
        """Prepare to draw.

        Args:
            run: What was published.
            hand_model: File of the hand model that the run used; needed for the surface of a
                hand that is not the built-in one. Without it the skeleton alone is drawn.
        """
        self._run = run
        self._models = _surfaces(run, hand_model)
        self._shaped: dict[Side, ShapedHand] = {}

    def draw(self, image: UInt8[Array, "h w 3"], row: int) -> UInt8[Array, "h w 3"]:
        """Return a copy of an image with its hands, their labels and the time.

        Args:
            image: RGB.
            row: Of the run: which image this is.
        """
        picture = image.copy()
        T_world_camera = self._run.T_world_camera[row]
        if np.isfinite(T_world_camera).all():
            seen = [hand for hand in self._run.hands.values() if hand.tracked[row]]
            hands = [self._projected(hand, row, se3.inverse(T_world_camera)) for hand in seen]
            for hand in hands:
                self._draw_surface(picture, hand)
            for hand in hands:
                dashed = hand.state is not TrackingState.OBSERVED
                draw_skeleton(picture, hand.keypoints_px, SIDE_RGB[hand.side], dashed=dashed)
            _draw_labels(picture, hands)
        self._draw_status(picture, row)
        return picture

    def _projected(
        self, hand: HandSeries, row: int, T_camera_world: Float[Array, "4 4"]
    ) -> _ProjectedHand:
        camera = self._run.camera
        p_camera = se3.apply(T_camera_world, hand.keypoints_m[row])
        state = TrackingState(int(hand.state[row]))
        text = f"{hand.side.label}  {state.name.lower()}  {p_camera[0, 2]:.2f} m"
        if hand.age_s[row] > 0.0:
            text += f"  {hand.age_s[row]:.2f} s ago"
        shaped = self._shape_of(hand, row)
        vertices_px = None
        if shaped is not None:
            T_camera_wrist = T_camera_world @ hand.T_world_wrist[row]
            vertices_px = project(camera, shaped.vertices(T_camera_wrist, hand.joint_rotvec[row]))
        return _ProjectedHand(hand.side, state, text, project(camera, p_camera), vertices_px)

    def _draw_surface(self, picture: UInt8[Array, "h w 3"], hand: _ProjectedHand) -> None:
        if hand.vertices_px is not None:
            height, width = picture.shape[:2]
            faces = self._models[hand.side].model.faces
            mask = silhouette_mask(hand.vertices_px, faces, width, height)
            tint(picture, mask, SIDE_RGB[hand.side], _ALPHA[hand.state])

    def _draw_status(self, picture: UInt8[Array, "h w 3"], row: int) -> None:
        """Write time and fate of the image into the upper left corner."""
        run, height = self._run, _type_height(picture)
        text = f"{run.seconds[row]:6.2f} s   image {row + 1} of {len(run.stamps_ns)}"
        if np.isfinite(run.latency_ms[row]):
            text += f"   {run.latency_ms[row]:.0f} ms"
        elif not run.processed[row]:
            text += "   not processed"
        draw_pill(picture, text, (height // 2, height // 2), height)

    def _shape_of(self, hand: HandSeries, row: int) -> ShapedHand | None:
        model = self._models.get(hand.side)
        if model is None:
            return None
        shaped = self._shaped.get(hand.side)
        if shaped is None or not np.array_equal(shaped.betas, hand.betas[row]):
            shaped = model.model.with_shape(hand.betas[row])
            self._shaped[hand.side] = shaped
        return shaped


def overlay_frames(
    input_bag: Path, run: Run, overlay: Overlay, config: BagInputConfig | None = None
) -> Iterator[tuple[int, UInt8[Array, "h w 3"]]]:
    """Yield row and picture of every image of a run that can be decoded, each once, in order.

    Raises:
        BagError: The bag cannot be read.
    """
    rows = {int(stamp_ns): row for row, stamp_ns in enumerate(run.stamps_ns)}
    last = -1
    with BagFrames(input_bag, config) as source:
        for read in source.frames():
            row = rows.get(read.stamp_ns, -1)
            # Images that were sent twice or late have been shown already.
            if read.frame is not None and row > last:
                last = row
                yield row, overlay.draw(read.frame.image, row)


def write_overlay(
    path: Path,
    pictures: Iterator[tuple[int, UInt8[Array, "h w 3"]]],
    run: Run,
    keep: Collection[int] = (),
    progress: Callable[[int, int], None] | None = None,
) -> dict[int, UInt8[Array, "h w 3"]]:
    """Write ``overlay.mp4`` and return some of its pictures, in one pass over the images.

    Args:
        path: Video to write.
        pictures: From ``overlay_frames``.
        run: For stamps and rate.
        keep: Rows whose pictures are wanted.
        progress: Called after every image with the number done and the number of all.

    Raises:
        MediaError: The video cannot be written.
    """
    kept: dict[int, UInt8[Array, "h w 3"]] = {}
    n = len(run.stamps_ns)
    rate_hz = (n - 1) / run.duration_s if run.duration_s > 0.0 else 30.0
    with VideoWriter(path, rate_hz) as video:
        for row, picture in pictures:
            video.write(picture, int(run.stamps_ns[row]))
            if row in keep:
                kept[row] = picture
            if progress is not None:
                progress(row + 1, n)
    return kept


def _draw_labels(picture: UInt8[Array, "h w 3"], hands: list[_ProjectedHand]) -> None:
    """Write under each hand what it is, and keep the labels of close hands apart."""
    height = _type_height(picture)
    taken: list[tuple[int, int, int, int]] = []
    for hand in hands:
        known = hand.outline_px
        if not len(known):
            continue
        x = int(known[:, 0].mean()) - 5 * height
        y = min(int(known[:, 1].max()) + height // 3, picture.shape[0] - 2 * height)
        for left, top, width, tall in taken:
            if abs(left - x) < width and abs(top - y) < tall:
                y = top - tall - 2
        width, tall = draw_pill(picture, hand.text, (x, y), height, SIDE_RGB[hand.side])
        taken.append((x, y, width, tall))


def _surfaces(run: Run, hand_model: str) -> dict[Side, ShapedHand]:
    """Load the hand model of a run, where it is the built-in one or its file is given."""
    if run.hand_model != "builtin" and not hand_model:
        return {}
    try:
        return {side: load_hand(hand_model, side).with_shape() for side in Side}
    except HandModelError:
        # The picture is of use without the surface too, and the file may be on another machine.
        return {}


def _type_height(picture: UInt8[Array, "h w 3"]) -> int:
    return max(round(picture.shape[1] * _LABEL_SHARE), 12)
