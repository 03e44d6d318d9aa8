"""Gaps of a track filled in offline: SLERP of all rotations, straight lines of the wrist.

The usual baseline for hands that were not seen, as in HMP (section 4.1) and Dyn-HaMR (Stage I):
what is between two observations is interpolated, what is before the first or after the last one
stays as it was there.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from hand4d_ros.errors import MetricError
from hand4d_ros.evaluation.estimates import HandEstimate
from hand4d_ros.geometry import se3, so3
from hand4d_ros.shapes import Array, Float, Int
from hand4d_ros.types import TrackingState


def filled(hand: HandEstimate, stamps_ns: Int[Array, "t"]) -> HandEstimate:
    """Return a track with an estimate in every frame; one that was never observed stays empty.

    Args:
        hand: Its observed frames are kept, all others are interpolated and called infilled.
        stamps_ns: Rising capture times.

    Raises:
        MetricError: The track has no hand model to pose.
    """
    if hand.model is None:
        msg = f"the {hand.side.label} hand has no hand model, so its gaps cannot be posed"
        raise MetricError(msg)
    known = np.flatnonzero(hand.observed & hand.there)
    if not len(known):
        return hand
    before, after, alpha = _neighbours(known, stamps_ns)
    T = hand.T_world_wrist
    R = so3.interpolate(T[before, :3, :3], T[after, :3, :3], alpha)
    wrist_m = _mixed(T[:, :3, 3], before, after, alpha)
    local = so3.exp(hand.joint_rotvec[known])
    places = np.searchsorted(known, np.stack((before, after)))
    each = np.repeat(alpha[:, None], 15, axis=1)
    joints = so3.interpolate(local[places[0]], local[places[1]], each)
    filled_T = se3.from_rotation_translation(R, wrist_m)
    rotvec = so3.log(joints)
    betas = _mixed(hand.betas, before, after, alpha)
    keypoints_m = np.stack(
        [
            hand.model.with_shape(b).keypoints(pose, joint)
            for b, pose, joint in zip(betas, filled_T, rotvec, strict=True)
        ]
    )
    std_m = None
    if hand.keypoint_std_m is not None:
        std_m = _mixed(hand.keypoint_std_m, before, after, alpha)
    state = np.full(len(stamps_ns), int(TrackingState.INFILLED))
    state[known] = int(TrackingState.OBSERVED)
    return replace(
        hand,
        state=state,
        keypoints_m=keypoints_m,
        T_world_wrist=filled_T,
        joint_rotvec=rotvec,
        betas=betas,
        keypoint_std_m=std_m,
    )


def _neighbours(
    known: Int[Array, "k"], stamps_ns: Int[Array, "t"]
) -> tuple[Int[Array, "t"], Int[Array, "t"], Float[Array, "t"]]:
    """For every frame the known ones before and after it, and how far it is between them."""
    frames = np.arange(len(stamps_ns))
    place = np.searchsorted(known, frames)
    after = known[np.clip(place, 0, len(known) - 1)]
    exact = after == frames
    before = np.where(exact, after, known[np.clip(place - 1, 0, len(known) - 1)])
    span_ns = (stamps_ns[after] - stamps_ns[before]).astype(np.float64)
    since_ns = (stamps_ns - stamps_ns[before]).astype(np.float64)
    inside = span_ns > 0.0
    alpha = np.where(inside, since_ns / np.where(inside, span_ns, 1.0), 0.0)
    return before, after, alpha


def _mixed(
    values: Float[Array, "t *shape"],
    before: Int[Array, "t"],
    after: Int[Array, "t"],
    alpha: Float[Array, "t"],
) -> Float[Array, "t *shape"]:
    """Interpolate linearly between the known frames on both sides."""
    weight = alpha.reshape(-1, *[1] * (values.ndim - 1))
    return np.asarray((1.0 - weight) * values[before] + weight * values[after])
