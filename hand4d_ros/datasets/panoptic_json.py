"""What InterHand2.6M and AssemblyHands share: 42 keypoints, tips first, in COCO-like JSON."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from hand4d_ros.datasets import files
from hand4d_ros.datasets.base import HandTrackTruth
from hand4d_ros.datasets.info import DatasetInfo
from hand4d_ros.shapes import Array, Float
from hand4d_ros.types import Side

OPENPOSE_FROM_TIP_FIRST = (
    *(20,),
    *(3, 2, 1, 0),
    *(7, 6, 5, 4),
    *(11, 10, 9, 8),
    *(15, 14, 13, 12),
    *(19, 18, 17, 16),
)
"""Index into one hand's 21 (thumb to little finger, each from the tip, then the wrist)."""

MM = 1e-3
_FIRST = {Side.RIGHT: 0, Side.LEFT: 21}


def keypoints_of_sides(
    frames: Iterable[Mapping[str, Any] | None], path: Path, info: DatasetInfo
) -> dict[Side, Float[Array, "n 21 3"]]:
    """Keypoints in metres and OpenPose order from ``world_coord`` and ``joint_valid``.

    Args:
        frames: One entry a frame; None is not labelled.
        path: Where they are from, for messages.
        info: The dataset.

    Returns:
        For each side, NaN where a keypoint is not valid.

    Raises:
        DatasetError: An entry lacks something or is of another size.
    """
    rows = []
    for frame in frames:
        if frame is None:
            rows.append(np.full((42, 3), np.nan))
            continue
        world = files.entry(frame, "world_coord", path, info)
        points_m = files.numbers(world, path, info, (42, 3)) * MM
        valid = files.numbers(files.entry(frame, "joint_valid", path, info), path, info, (42,))
        points_m[valid == 0.0] = np.nan
        rows.append(points_m)
    every = np.stack(rows)
    order = np.array(OPENPOSE_FROM_TIP_FIRST)
    return {side: every[:, first + order] for side, first in _FIRST.items()}


def hand_of_keypoints(
    side: Side, keypoints_m: Float[Array, "n 21 3"], why_no_mano: str
) -> HandTrackTruth:
    """A record of keypoints alone; valid where any is."""
    names = ("R_world_wrist", "wrist_m", "joint_rotvec", "betas")
    return HandTrackTruth(
        side=side,
        valid=np.isfinite(keypoints_m).all(axis=2).any(axis=1),
        keypoints_m=keypoints_m,
        missing=dict.fromkeys(names, why_no_mano),
    )
