"""Rays through keypoints as numbers for networks: Plücker coordinates and angular encodings.

Plücker coordinates are those of Zhang et al., "Cameras as Rays", ICLR 2024; the encoding of
angles is KPE of Prakash et al., "Mitigating Perspective Distortion-induced Shape Ambiguity in
Image Crops", ECCV 2024. Both start from unit bearing vectors (``geometry.camera.unproject``), so
they hold for every lens; for an ideal one they are the formulas of the papers.
"""

from __future__ import annotations

import numpy as np

from hand4d_ros.geometry import se3
from hand4d_ros.shapes import Array, Float

OCTAVES = 4
"""Of the encoding of angles in ForeHand4D."""


def plucker_from_bearings(
    bearings: Float[Array, "*batch n 3"], T_frame_camera: Float[Array, "*batch 4 4"]
) -> Float[Array, "*batch n 6"]:
    """Return the lines that pixels look along, in another frame.

    Args:
        bearings: Unit vectors in camera axes.
        T_frame_camera: Pose of the camera in that frame.

    Returns:
        Unit direction, then moment (m): the cross product of any point of the line with the
        direction. It does not depend on which point, and its length is the distance of the line
        from the frame's origin.
    """
    directions = bearings @ np.swapaxes(T_frame_camera[..., :3, :3], -1, -2)
    eye_m = T_frame_camera[..., None, :3, 3]
    return np.concatenate((directions, np.cross(eye_m, directions)), axis=-1)


def angles_from_bearings(bearings: Float[Array, "*batch 3"]) -> Float[Array, "*batch 2"]:
    """Return the angles (rad) of rays from the optical axis, to the right and downwards.

    For an ideal lens these are atan((x - cx) / fx) and atan((y - cy) / fy) of a pixel.

    Args:
        bearings: Vectors of any length in camera axes.
    """
    angles: Array = np.arctan2(bearings[..., :2], bearings[..., 2:])
    return angles


def kpe_from_bearings(
    bearings: Float[Array, "*batch 3"], octaves: int = OCTAVES
) -> Float[Array, "*batch d"]:
    """Return the keypoint-ray positional encoding: sines and cosines of multiples of the angles.

    Args:
        bearings: Vectors of any length in camera axes.
        octaves: Multiples 1, 2, 4… of the angles.

    Returns:
        Four numbers an octave: sine to the right and downwards for every octave, then cosines.
    """
    angles = angles_from_bearings(bearings)
    multiples = angles[..., None, :] * 2.0 ** np.arange(octaves)[:, None]
    both = np.stack((np.sin(multiples), np.cos(multiples)), axis=-3)
    return both.reshape(*bearings.shape[:-1], 4 * octaves)


def relative_poses(T_world_camera: Float[Array, "*batch t 4 4"]) -> Float[Array, "*batch t 4 4"]:
    """Return the camera's poses over time in its own frame at the first instant."""
    first = se3.inverse(T_world_camera[..., :1, :, :])
    poses: Array = first @ T_world_camera
    return poses
