"""Tracks of a fitted motion: what is published of it."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from hand4d_ros.geometry import so3
from hand4d_ros.hand.model import HandModel
from hand4d_ros.tracking.hmp.observations import ROTVEC_MIRROR, mirrored_pose
from hand4d_ros.tracking.hmp.process import Motion
from hand4d_ros.types import HandTrack, Side, TrackingState

_INFILLED_PRESENCE = 0.9
_INFILLED_STD = 2.0
"""How much wider the deviations of an infilled hand are than those of the last one seen."""


def refined_track(
    given: HandTrack, stamp_ns: int, motion: Motion, row: int, right: HandModel
) -> HandTrack:
    """Return a track with the hand of a fitted motion.

    Args:
        given: Track of this frame where it was observed, else of the last one that was.
        stamp_ns: Of the frame.
        motion: Fitted, as a right hand.
        row: Of the frame in the motion.
        right: Right hand model.
    """
    side = given.hand.side
    T, rotvec = motion.T_world_wrist[row], so3.log(motion.local[row])
    model = right
    if side is Side.LEFT:
        T, rotvec, model = mirrored_pose(T), rotvec * ROTVEC_MIRROR, right.mirrored()
    shaped = model.with_shape(motion.betas[row])
    observed = given.stamp_ns == stamp_ns
    wider = 1.0 if observed else _INFILLED_STD
    hand = replace(
        given.hand,
        T_frame_wrist=T,
        joint_rotvec=rotvec,
        betas=motion.betas[row],
        rest_wrist_m=shaped.joints_m[0],
        keypoints_m=shaped.keypoints(T, rotvec),
        keypoint_std_m=wider * given.hand.keypoint_std_m,
        wrist_covariance=wider**2 * given.hand.wrist_covariance,
        keypoints_px=given.hand.keypoints_px if observed else np.full((21, 2), np.nan),
        reprojection_px=given.hand.reprojection_px if observed else float("nan"),
    )
    return replace(
        given,
        stamp_ns=stamp_ns,
        tracking_state=TrackingState.OBSERVED if observed else TrackingState.INFILLED,
        age_ns=stamp_ns - given.stamp_ns,
        presence=given.presence if observed else _INFILLED_PRESENCE,
        hand=hand,
        reacquired=given.reacquired and observed,
    )
