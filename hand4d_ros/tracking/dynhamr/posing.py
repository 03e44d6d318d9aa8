"""From the unknowns of a hand to its keypoints, with derivatives."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from hand4d_ros.estimation.keypoint_fit.residuals import posed_with_jacobian
from hand4d_ros.hand.biomechanics import Anatomy
from hand4d_ros.hand.model import HandModel, ShapedHand
from hand4d_ros.hand.sizing import HAND_LENGTH, measured_length
from hand4d_ros.shapes import Array, Float
from hand4d_ros.tracking.dynhamr.variables import Unknowns

_STEP = 1e-4


class Posed(NamedTuple):
    """Keypoints of one hand in every frame, in its own world, with derivatives."""

    points_m: Float[Array, "t 21 3"]
    by_hand: Float[Array, "t 21 3 28"]
    by_size: Float[Array, "t 21 3"]
    """With respect to the logarithm of the size."""


def posed(hand: ShapedHand, x: Unknowns, i: int) -> Posed:
    """Pose one hand in every frame: the shaped hand, scaled about its wrist.

    Args:
        hand: Right hand with the person's proportions.
        x: The unknowns.
        i: Number of the hand.
    """
    size = float(np.exp(x.log_size))
    wrist_m = x.wrist_m[i]
    chain, by_hand = posed_with_jacobian(
        hand, Anatomy(hand), x.R[i], np.zeros_like(wrist_m), x.angles[i]
    )
    by_size = size * chain.keypoints_m
    by_hand *= size
    by_hand[..., 3:6] = np.eye(3)
    return Posed(by_size + wrist_m[:, None], by_hand, by_size)


def scaled_betas(hand: ShapedHand, size: float) -> Float[Array, "10"]:
    """Shape coefficients of the hand that is longer by a factor, the nearest ones that are.

    Args:
        hand: The hand.
        size: The factor.
    """
    model: HandModel = hand.model
    betas = hand.betas.copy()
    target_m = size * hand.hand_length_m
    steps = _STEP * np.eye(10)
    for _ in range(3):
        ahead = [measured_length(model, betas + step, HAND_LENGTH) for step in steps]
        behind = [measured_length(model, betas - step, HAND_LENGTH) for step in steps]
        gradient = (np.array(ahead) - np.array(behind)) / (2.0 * _STEP)
        missing_m = target_m - measured_length(model, betas, HAND_LENGTH)
        betas = betas + gradient * missing_m / (gradient @ gradient)
    return betas
