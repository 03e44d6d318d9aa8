"""Where the fit starts: from the detector's 3D keypoints, from the last frame, or from views."""

from __future__ import annotations

import numpy as np

from hand4d_ros.estimation.keypoint_fit.solver import Pose
from hand4d_ros.geometry import so3
from hand4d_ros.hand.biomechanics import REST_RAD, Anatomy
from hand4d_ros.hand.model import ShapedHand
from hand4d_ros.shapes import Array, Float

_PALM = [0, 1, 5, 9, 13, 17]
_LEAST_DISTANCE_M = 0.15
_USUAL_DISTANCE_M = 0.5
_TILTS_RAD = np.deg2rad([-45.0, 0.0, 45.0])

VIEWS = 2 * len(_TILTS_RAD)
"""Number of starts that ``from_views`` makes of each hand."""


def wrist_on_rays(
    rays: Float[Array, "b 21 3"], offsets_m: Float[Array, "b 21 3"], weights: Float[Array, "b 21"]
) -> Float[Array, "b 3"]:
    """Return where the wrist must be for its keypoints to lie on their viewing rays.

    Minimises the weighted squared distances sum_i w_i |(I - r_i r_i^T)(o_i + t)|^2, which is
    linear in the position t. A wrong orientation can put the answer behind the camera; then the
    hand starts at arm's length on the mean ray.

    Args:
        rays: Unit bearing of each keypoint.
        offsets_m: Keypoints relative to the wrist, in the camera's axes.
        weights: Non-negative.
    """
    across = np.eye(3) - rays[..., :, None] * rays[..., None, :]
    across = across * weights[..., None, None]
    A = across.sum(axis=1) + 1e-9 * np.eye(3)
    wrist_m = -np.linalg.solve(A, np.einsum("bkij,bkj->bi", across, offsets_m)[..., None])[..., 0]
    ahead = np.einsum("bk,bki->bi", weights, rays)
    ahead /= np.linalg.norm(ahead, axis=1, keepdims=True).clip(1e-9)
    too_near = np.einsum("bi,bi->b", wrist_m, ahead) < _LEAST_DISTANCE_M
    return np.where(too_near[:, None], _USUAL_DISTANCE_M * ahead, wrist_m)


def from_keypoints_3d(
    hand: ShapedHand,
    anatomy: Anatomy,
    target_m: Float[Array, "b 21 3"],
    rays: Float[Array, "b 21 3"],
    weights: Float[Array, "b 21"],
) -> Pose:
    """Start relaxed, turned so that the palm agrees with the detector's 3D keypoints."""
    rest = _relaxed_offsets(hand, anatomy)[_PALM]
    target = target_m[:, _PALM] - target_m[:, _PALM].mean(axis=1, keepdims=True)
    R = so3.nearest_rotation(np.einsum("bki,kj->bij", target, rest - rest.mean(axis=0)))
    return _placed(hand, anatomy, R, rays, weights)


def from_views(
    hand: ShapedHand,
    anatomy: Anatomy,
    along_px: Float[Array, "b 2"],
    rays: Float[Array, "b 21 3"],
    weights: Float[Array, "b 21"],
) -> Pose:
    """Start every hand ``VIEWS`` times: palm or back towards the camera, at three tilts.

    Args:
        hand: Right hand.
        anatomy: Its axes.
        along_px: From the wrist to the middle knuckle in the image, mirrored for left hands.
        rays: Unit bearing of each keypoint, mirrored likewise.
        weights: Non-negative.
    """
    along = along_px / np.linalg.norm(along_px, axis=1, keepdims=True).clip(1e-9)
    rotations = np.empty((len(along), VIEWS, 3, 3))
    for row, (u, v) in enumerate(along):
        for view in range(VIEWS):
            palm = 1.0 if view % 2 else -1.0
            tilt = _TILTS_RAD[view // 2]
            fingers = np.array([u * np.cos(tilt), v * np.cos(tilt), np.sin(tilt)])
            normal = np.array([-u * np.sin(tilt), -v * np.sin(tilt), np.cos(tilt)]) * palm
            rotations[row, view] = np.stack((-fingers, -normal, np.cross(fingers, normal)), axis=1)
    return _placed(
        hand,
        anatomy,
        rotations.reshape(-1, 3, 3),
        np.repeat(rays, VIEWS, axis=0),
        np.repeat(weights, VIEWS, axis=0),
    )


def replaced(
    hand: ShapedHand,
    anatomy: Anatomy,
    pose: Pose,
    rays: Float[Array, "b 21 3"],
    weights: Float[Array, "b 21"],
) -> Pose:
    """Keep orientation and angles of the last frame; move the wrist to where the rays are."""
    local = anatomy.local_rotations(pose.angles)
    offsets = hand.chain(pose.R, np.zeros_like(pose.wrist_m), local).keypoints_m
    return Pose(pose.R, wrist_on_rays(rays, offsets, weights), pose.angles)


def _relaxed_offsets(hand: ShapedHand, anatomy: Anatomy) -> Float[Array, "21 3"]:
    return hand.chain(np.eye(3), np.zeros(3), anatomy.local_rotations(REST_RAD)).keypoints_m


def _placed(
    hand: ShapedHand,
    anatomy: Anatomy,
    R: Float[Array, "b 3 3"],
    rays: Float[Array, "b 21 3"],
    weights: Float[Array, "b 21"],
) -> Pose:
    offsets = _relaxed_offsets(hand, anatomy) @ R.swapaxes(-1, -2)
    angles = np.tile(REST_RAD, (len(R), 1))
    return Pose(R, wrist_on_rays(rays, offsets, weights), angles)
