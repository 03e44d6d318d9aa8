"""The worst moments of a recording as pictures: before, at and after, with the truth in white."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np

from hand4d_ros.errors import MediaError
from hand4d_ros.evaluation.clips import ClipTruth
from hand4d_ros.replay.context import BagInputConfig
from hand4d_ros.replay.drawing import PAPER, draw_pill, draw_skeleton
from hand4d_ros.replay.eval_readings import Reading
from hand4d_ros.replay.outputs import staged
from hand4d_ros.replay.overlay import Overlay, overlay_frames
from hand4d_ros.shapes import Array, UInt8

APART_S = 0.2
"""Time between the three images of a picture."""
_WIDTH_PX = 1500
"""Widest picture, so that it can be looked at whole."""


def write_worst(
    folder: Path,
    bag: Path,
    reading: Reading,
    truth: ClipTruth,
    worst: Sequence[tuple[int, float]],
    config: BagInputConfig | None = None,
) -> list[Path]:
    """Draw the worst moments, one picture each.

    Args:
        folder: To write to.
        bag: The recording, for its images.
        reading: What is drawn in colour.
        truth: What is drawn in white, where it is known.
        worst: Rows and errors (m), from ``bag_eval.worst_rows``.
        config: Topics of the recording.

    Returns:
        The pictures (PNG).

    Raises:
        BagError: The recording cannot be read.
        MediaError: The folder cannot be written.
    """
    near = {row: _neighbours(reading, row) for row, _ in worst}
    wanted = {row for rows in near.values() for row in rows}
    overlay = Overlay(reading.run)
    drawn = {
        row: picture
        for row, picture in overlay_frames(bag, reading.run, overlay, config)
        if row in wanted
    }
    paths = []
    for number, (row, error_m) in enumerate(worst, start=1):
        images = [_with_truth(drawn[r], truth, r) for r in near[row] if r in drawn]
        if not images:
            continue
        strip = np.concatenate(images, axis=1)
        height = max(strip.shape[0] // 24, 14)
        text = f"{reading.name}  worst {number}: {1e3 * error_m:.0f} mm; white is the truth"
        draw_pill(strip, text, (height // 2, strip.shape[0] - 2 * height), height)
        path = folder / f"worst_{number}.png"
        _save(path, strip)
        paths.append(path)
    return paths


def _neighbours(reading: Reading, row: int) -> list[int]:
    """Rows before, at and after a moment, without repetition at the ends."""
    stamps_ns = reading.clip.stamps_ns
    wanted = [stamps_ns[row] + round(shift * APART_S * 1e9) for shift in (-1, 0, 1)]
    rows = [int(np.abs(stamps_ns - stamp).argmin()) for stamp in wanted]
    return sorted(set(rows))


def _with_truth(picture: UInt8[Array, "h w 3"], truth: ClipTruth, row: int) -> Array:
    """Draw the true skeletons of a row."""
    for hand in truth.hands.values():
        px = hand.keypoints_px[row]
        if np.isfinite(px).all():
            draw_skeleton(picture, px, PAPER, dashed=True)
    return picture


def _save(path: Path, picture: UInt8[Array, "h w 3"]) -> None:
    shrink = _WIDTH_PX / picture.shape[1]
    if shrink < 1.0:
        picture = cv2.resize(picture, None, fx=shrink, fy=shrink, interpolation=cv2.INTER_AREA)
    ok, data = cv2.imencode(".png", picture[..., ::-1], [cv2.IMWRITE_PNG_COMPRESSION, 9])
    if not ok:
        msg = f"{path}: the picture could not be encoded"
        raise MediaError(msg)
    with staged(path, MediaError) as aside:
        aside.write_bytes(data.tobytes())
