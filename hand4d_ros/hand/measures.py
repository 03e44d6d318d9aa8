"""Scalar measures of a hand's shape and gesture from its 21 keypoints.

They depend on the keypoints only, so they hold in any frame and for hands of any source.
Keypoints are in OpenPose order (``hand4d_ros.hand.orders``), in metres.
"""

from __future__ import annotations

import numpy as np

from hand4d_ros.shapes import Array, Float

PINCH_CLOSED = 0.10
"""Thumb tip to index tip, in hand lengths, at which ``pinch`` is 1 (19 mm on a hand of 0.19 m).

The tips are points on the ends of the fingers, so they stay apart when the pads touch."""
PINCH_OPEN = 0.40
"""Thumb tip to index tip, in hand lengths, from which on ``pinch`` is 0 (76 mm on 0.19 m)."""
GRASP_FLAT_RAD = 0.5
"""Bend of a finger (rad) up to which it counts as flat.

The metacarpals fan out and fingers are never quite straight: 0.5 is what keypoints of an open
real hand show."""
GRASP_FIST_RAD = 4.0
"""Bend of a finger (rad) from which on it counts as closed.

A fist bends the three joints by about 90, 100 and 60 degrees, of which keypoints of real hands
show 230 degrees in sum."""

_MIDDLE = (0, 9, 10, 11, 12)
_THUMB_TIP, _INDEX_TIP = 4, 8
_FINGER_CHAINS = ((0, 5, 6, 7, 8), (0, 9, 10, 11, 12), (0, 13, 14, 15, 16), (0, 17, 18, 19, 20))


def hand_length_m(keypoints_m: Float[Array, "*batch 21 3"]) -> Float[Array, "*batch"]:
    """Wrist to the tip of the straight middle finger, along its bones (m).

    ``L = |k9 - k0| + |k10 - k9| + |k11 - k10| + |k12 - k11|``, which no bending changes.
    """
    bones = np.diff(keypoints_m[..., _MIDDLE, :], axis=-2)
    return np.asarray(np.linalg.norm(bones, axis=-1).sum(axis=-1))


def pinch(keypoints_m: Float[Array, "*batch 21 3"]) -> Float[Array, "*batch"]:
    """How far thumb and index finger are pinched: 0 open to 1 tips touch.

    ``pinch = clip((PINCH_OPEN - d) / (PINCH_OPEN - PINCH_CLOSED), 0, 1)`` with
    ``d = |k4 - k8| / L`` and L of ``hand_length_m``.
    """
    gap_m = np.linalg.norm(
        keypoints_m[..., _THUMB_TIP, :] - keypoints_m[..., _INDEX_TIP, :], axis=-1
    )
    relative = gap_m / np.maximum(hand_length_m(keypoints_m), 1e-9)
    return np.asarray(np.clip((PINCH_OPEN - relative) / (PINCH_OPEN - PINCH_CLOSED), 0.0, 1.0))


def finger_flexion_rad(keypoints_m: Float[Array, "*batch 21 3"]) -> Float[Array, "*batch 4"]:
    """Bend of index, middle, ring and little finger (rad), 0 for a straight line of bones.

    The sum of the angles between consecutive bones of wrist, mcp, pip, dip and tip:
    ``sum_i atan2(|b_i x b_(i+1)|, b_i . b_(i+1))``.
    """
    bones = np.diff(keypoints_m[..., _FINGER_CHAINS, :], axis=-2)
    near, far = bones[..., :-1, :], bones[..., 1:, :]
    cosine = (near * far).sum(axis=-1)
    # |a x b|^2 = |a|^2 |b|^2 - (a . b)^2; rounding may leave a straight finger below zero.
    squared = (near * near).sum(axis=-1) * (far * far).sum(axis=-1) - cosine**2
    return np.asarray(np.arctan2(np.sqrt(squared.clip(0.0)), cosine).sum(axis=-1))


def grasp(keypoints_m: Float[Array, "*batch 21 3"]) -> Float[Array, "*batch"]:
    """How far the four fingers are closed: 0 flat to 1 fist.

    ``grasp = clip((f - GRASP_FLAT_RAD) / (GRASP_FIST_RAD - GRASP_FLAT_RAD), 0, 1)`` with f the
    mean of ``finger_flexion_rad`` over the four fingers; the thumb does not count.
    """
    mean_rad = finger_flexion_rad(keypoints_m).mean(axis=-1)
    share = (mean_rad - GRASP_FLAT_RAD) / (GRASP_FIST_RAD - GRASP_FLAT_RAD)
    return np.asarray(np.clip(share, 0.0, 1.0))
