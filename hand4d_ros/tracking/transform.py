"""Rigid motion of a whole hand state."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from hand4d_ros.geometry import se3
from hand4d_ros.shapes import Array, Float
from hand4d_ros.types import HandState


def moved(hand: HandState, T_new_old: Float[Array, "4 4"]) -> HandState:
    """Return a state in another frame, or the state of a hand that moved rigidly.

    Args:
        hand: State in the old frame.
        T_new_old: Maps coordinates in the old frame to the new one.
    """
    turn = np.kron(np.eye(2), T_new_old[:3, :3])
    return replace(
        hand,
        T_frame_wrist=T_new_old @ hand.T_frame_wrist,
        keypoints_m=se3.apply(T_new_old, hand.keypoints_m),
        wrist_covariance=turn @ hand.wrist_covariance @ turn.T,
    )
