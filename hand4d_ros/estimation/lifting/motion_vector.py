"""Both hands in 198 numbers a frame, and back (ForeHand4D, Fig. 3).

The first two rows of 16 rotations of the right hand (wrist, then MANO's joints relative to their
parents), the same of the left hand, then both wrists' positions, scaled to mean 0 and spread 1.
Each hand's rotations are those of the model of its own side. Everything is in one frame, that of
the first camera.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor

from hand4d_ros.nn.hand_chain import HandChain
from hand4d_ros.nn.rotations import matrix_from_two_rows, two_rows_from_matrix
from hand4d_ros.shapes import Float

FEATURES = 2 * 16 * 6 + 2 * 3
"""Numbers a frame."""
_ROTATIONS = 2 * 16 * 6
_MIRROR = ((1.0, -1.0, -1.0), (-1.0, 1.0, 1.0), (-1.0, 1.0, 1.0))
"""Signs that mirror a rotation through x = 0."""


class Hands(NamedTuple):
    """Motion of the right and the left hand, in this order."""

    rotations: Float[Tensor, "*b 2 16 3 3"]
    """Of the wrist in the frame, then of joints 1..15 relative to their parents."""
    wrist_m: Float[Tensor, "*b 2 3"]


class Scale(NamedTuple):
    """Mean and spread of wrist positions in the training data."""

    mean_m: Float[Tensor, "3"]
    std_m: Float[Tensor, "3"]


def two_row_vector_from_hands(hands: Hands, scale: Scale) -> Float[Tensor, "*b 198"]:
    """Return the motion vector, rotations by their first two rows."""
    rows = two_rows_from_matrix(hands.rotations).flatten(-3)
    places = (hands.wrist_m - scale.mean_m) / scale.std_m
    return torch.cat((rows, places.flatten(-2)), -1)


def hands_from_two_row_vector(vector: Float[Tensor, "*b 198"], scale: Scale) -> Hands:
    """Return the hands of a motion vector; rows need not be orthonormal."""
    batch = vector.shape[:-1]
    rows = vector[..., :_ROTATIONS].reshape(*batch, 2, 16, 6)
    places = vector[..., _ROTATIONS:].reshape(*batch, 2, 3)
    return Hands(matrix_from_two_rows(rows), places * scale.std_m + scale.mean_m)


def mirrored_rotations(R: Float[Tensor, "*b 3 3"]) -> Float[Tensor, "*b 3 3"]:
    """Return rotations of the mirror image through x = 0: of the other hand."""
    return R * torch.tensor(_MIRROR, dtype=R.dtype, device=R.device)


def keypoints_from_hands(chain: HandChain, hands: Hands) -> Float[Tensor, "*b 2 21 3"]:
    """Return both hands' 21 keypoints (m), OpenPose order.

    Args:
        chain: The right hand; the left one is its mirror image.
        hands: How they are posed.
    """
    local = hands.rotations[..., 1:, :, :]
    both = torch.stack((local[..., 0, :, :, :], mirrored_rotations(local[..., 1, :, :, :])), -4)
    sides = both.new_tensor([[1.0, 1.0, 1.0], [-1.0, 1.0, 1.0]])
    points = chain.keypoints(both) * sides[:, None]
    turned = points @ hands.rotations[..., 0, :, :].transpose(-1, -2)
    return turned + hands.wrist_m[..., None, :]
