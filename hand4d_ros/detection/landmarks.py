"""What detectors mark, in terms of the hand model's keypoints.

A detector learnt from pictures where people clicked on skin, so its keypoints are not centres of
rotation. The difference is systematic, and at the wrist almost a fifth of the palm, which a fit
that ignored it would turn into tilt and depth. Each definition is a linear map: every landmark
is a combination of a model keypoint and its neighbours along the bone, with weights that sum to
one, so it moves with the hand and grows with it.

The weights of MediaPipe were fitted robustly to its output on 1079 of 1300 renders in which it
found the hand (two halves of them agree to 0.06); the median error of a landmark on others
fell from 3.6% to 2.4% of the hand's size in the image, that of the wrist from 7.2% to 2.9%.
``python -m benchmarks.detector`` repeats the fit.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from hand4d_ros.hand.orders import OPENPOSE_KEYPOINTS
from hand4d_ros.shapes import Array, Float
from hand4d_ros.types import LandmarkDefinition

_MEDIAPIPE: dict[str, dict[str, float]] = {
    "wrist": {
        "wrist": 0.68,
        "thumb_cmc": 0.24,
        "index_mcp": -0.12,
        "middle_mcp": -0.03,
        "ring_mcp": 0.26,
        "little_mcp": -0.03,
    },
    "thumb_cmc": {"thumb_cmc": 0.78, "wrist": -0.09, "thumb_mcp": 0.31},
    "thumb_mcp": {"thumb_mcp": 0.60, "thumb_cmc": 0.14, "thumb_ip": 0.26},
    "thumb_ip": {"thumb_ip": 0.67, "thumb_mcp": 0.23, "thumb_tip": 0.10},
    "thumb_tip": {"thumb_tip": 0.72, "thumb_ip": 0.28},
    "index_mcp": {"index_mcp": 0.96, "index_pip": 0.04},
    "index_pip": {"index_pip": 0.90, "index_mcp": 0.10},
    "index_dip": {"index_dip": 0.56, "index_pip": 0.28, "index_tip": 0.16},
    "index_tip": {"index_tip": 0.73, "index_dip": 0.27},
    "middle_mcp": {"middle_mcp": 0.87, "wrist": 0.07, "middle_pip": 0.06},
    "middle_pip": {"middle_pip": 0.85, "middle_mcp": 0.16, "middle_dip": -0.01},
    "middle_dip": {"middle_dip": 0.35, "middle_pip": 0.44, "middle_tip": 0.21},
    "middle_tip": {"middle_tip": 0.61, "middle_dip": 0.39},
    "ring_mcp": {"ring_mcp": 0.83, "wrist": 0.06, "ring_pip": 0.11},
    "ring_pip": {"ring_pip": 0.78, "ring_mcp": 0.16, "ring_dip": 0.06},
    "ring_dip": {"ring_dip": 0.42, "ring_pip": 0.39, "ring_tip": 0.19},
    "ring_tip": {"ring_tip": 0.61, "ring_dip": 0.39},
    "little_mcp": {"little_mcp": 0.84, "wrist": 0.04, "little_pip": 0.12},
    "little_pip": {"little_pip": 0.75, "little_mcp": 0.15, "little_dip": 0.10},
    "little_dip": {"little_dip": 0.34, "little_pip": 0.41, "little_tip": 0.25},
    "little_tip": {"little_tip": 0.72, "little_dip": 0.28},
}


def matrix(combinations: Mapping[str, Mapping[str, float]]) -> Float[Array, "21 21"]:
    """Return the map from model keypoints to landmarks, both in OpenPose order.

    Args:
        combinations: For each landmark the weights of model keypoints, which sum to one.
    """
    result = np.zeros((21, 21))
    for landmark, weights in combinations.items():
        for keypoint, weight in weights.items():
            row, column = OPENPOSE_KEYPOINTS.index(landmark), OPENPOSE_KEYPOINTS.index(keypoint)
            result[row, column] = weight
    return result


LANDMARKS: dict[LandmarkDefinition, Float[Array, "21 21"]] = {
    "joints": np.eye(21),
    "mediapipe": matrix(_MEDIAPIPE),
}
"""Every definition by name."""
