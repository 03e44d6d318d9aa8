"""What the lifting model is told: 2D keypoints, camera poses, Plücker rays and KPE (section 3.2).

Hands come in the order right, left. What was not seen is zero in all of them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from hand4d_ros.geometry import camera as cameras
from hand4d_ros.geometry.rays import kpe_from_bearings, plucker_from_bearings, relative_poses
from hand4d_ros.shapes import Array, Bool, Float
from hand4d_ros.types import CameraModel, HandDetection, Side

SIDES = (Side.RIGHT, Side.LEFT)
"""The order of hands in everything that goes into and comes out of the model."""


@dataclass(frozen=True)
class SeenKeypoints:
    """Both hands' keypoints in images, free of the camera's size and lens."""

    uv: Float[Array, "*b 2 21 2"]
    """Place in the image, -1..1 from border to border; zero where not seen."""
    bearings: Float[Array, "*b 2 21 3"]
    """Unit vectors in camera axes; zero where not seen."""
    valid: Bool[Array, "*b 2 21"]
    """Which were seen."""


def seen_keypoints(
    camera: CameraModel, detections: Sequence[Sequence[HandDetection]]
) -> SeenKeypoints:
    """Take the surest detection of each hand in every frame.

    Args:
        camera: That all frames were taken with.
        detections: Of every frame.

    Raises:
        GeometryError: The camera is unusable.
    """
    px = np.full((len(detections), 2, 21, 2), np.nan)
    for frame, found in zip(px, detections, strict=True):
        for detection in sorted(found, key=lambda d: d.score):
            frame[SIDES.index(detection.side)] = detection.keypoints_px
    bearings = cameras.unproject(camera, px)
    valid = np.isfinite(px).all(-1) & np.isfinite(bearings).all(-1)
    uv = 2.0 * (px + 0.5) / [camera.width_px, camera.height_px] - 1.0
    seen = valid[..., None]
    return SeenKeypoints(np.where(seen, uv, 0.0), np.where(seen, bearings, 0.0), valid)


def conditions_from_keypoints(
    seen: SeenKeypoints, T_world_camera: Float[Array, "*b t 4 4"]
) -> dict[str, Float[Array, "*b t d"]]:
    """Return all conditions in the frame of the first camera.

    Args:
        seen: Keypoints of every frame.
        T_world_camera: Camera poses, NaN where unknown; an unknown first one makes all unknown.

    Returns:
        Arrays of the widths in ``config.WIDTHS``, float32.
    """
    T_first_camera = relative_poses(T_world_camera)
    posed = np.isfinite(T_first_camera).all((-1, -2))[..., None, None]
    T_first_camera = np.where(posed, T_first_camera, 0.0)
    lines = plucker_from_bearings(
        seen.bearings.reshape(*seen.bearings.shape[:-3], 42, 3), T_first_camera
    )
    flat = {
        "keypoints": seen.uv,
        "camera": T_first_camera,
        "plucker": lines,
        "kpe": np.where(seen.valid[..., None], kpe_from_bearings(seen.bearings), 0.0),
    }
    batch = T_world_camera.shape[:-2]
    return {name: value.reshape(*batch, -1).astype(np.float32) for name, value in flat.items()}
