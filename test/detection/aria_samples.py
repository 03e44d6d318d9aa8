"""Frames of the Aria recording with their camera and the glasses' own landmarks, for tests."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

from hand4d_ros.geometry import camera as cameras
from hand4d_ros.geometry import se3
from hand4d_ros.shapes import Array, Float
from hand4d_ros.types import CameraModel, Frame, Side

FROM_ARIA = (5, -1, 6, 7, 0, 8, 9, 10, 1, 11, 12, 13, 2, 14, 15, 16, 3, 17, 18, 19, 4)
"""Aria's index of each OpenPose keypoint; it has no base of the thumb."""


@dataclass(frozen=True)
class AriaFrame:
    """One frame with its landmarks, NaN where Aria has none."""

    frame: Frame
    keypoints_m: dict[Side, Float[Array, "21 3"]]
    """Camera axes."""
    keypoints_px: dict[Side, Float[Array, "21 2"]]


def aria_frames(real_data: Path, camera_name: str) -> Iterator[AriaFrame]:
    """All frames of one of the two cameras."""
    folder = real_data / "aria_gen2"
    sequence = json.loads((folder / "sequence.json").read_text())
    recorded = sequence["cameras"][camera_name]
    K = recorded["K"]
    camera = CameraModel(recorded["width"], recorded["height"], K[0][0], K[1][1], K[0][2], K[1][2])
    for entry in recorded["frames"]:
        bgr = cv2.imread(str(folder / entry["file"]))
        assert bgr is not None
        T_world_camera = np.array(entry["T_world_camera"])
        sample = min(sequence["hands_world"], key=lambda s: abs(s["t_ns"] - entry["t_ns"]))
        keypoints_m = {}
        for side in Side:
            landmarks = np.array(sample[side.label]["landmarks_world"])
            p_camera = se3.apply(se3.inverse(T_world_camera), landmarks)
            keypoints_m[side] = np.where(
                np.array(FROM_ARIA)[:, None] >= 0, p_camera[list(FROM_ARIA)], np.nan
            )
        keypoints_px = {side: cameras.project(camera, p) for side, p in keypoints_m.items()}
        image = np.ascontiguousarray(bgr[..., ::-1])
        frame = Frame(entry["t_ns"], image, camera, T_world_camera)
        yield AriaFrame(frame, keypoints_m, keypoints_px)
