"""The hand model fitted to recorded keypoints, some of which may be missing.

Real recordings come as keypoints of a tracker: without a wrist, without joint angles, each with
its own idea of a hand. Forecasters and errors over 21 keypoints need a whole hand, so the model
is fitted to what is there: its size to the lengths of the bones, its pose to every instant by
damped least squares with a weak pull to the relaxed hand and within the ranges of the joints.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from hand4d_ros.errors import MetricError
from hand4d_ros.estimation.keypoint_fit import residuals
from hand4d_ros.estimation.keypoint_fit.solver import Pose
from hand4d_ros.geometry import se3, so3
from hand4d_ros.hand.biomechanics import REST_RAD, STD_RAD, Anatomy
from hand4d_ros.hand.model import HandModel, ShapedHand
from hand4d_ros.hand.orders import OPENPOSE_BONES, OPENPOSE_KEYPOINTS
from hand4d_ros.hand.sizing import hand_size
from hand4d_ros.shapes import Array, Bool, Float
from hand4d_ros.types import Side

_MIRROR = np.array([-1.0, 1.0, 1.0])
_PALM = (0, 1, 5, 9, 13, 17)
_POINT_STD_M = 0.003
_BONE_STD_M = 0.004
"""Trackers and models place joints differently, by about so much."""
_ITERATIONS = 40
_FIRST_DAMPING = 1e-2
_MOST_DAMPING = 1e6
_LEAST_GAIN = 1e-5
"""Relative decrease of the cost from which on a frame counts as solved."""
_LEAST_PALM_POINTS = 4
_LEAST_BONE_M = 0.005


@dataclass(frozen=True)
class ModelFit:
    """A whole hand for each of ``t`` frames; NaN where too little was recorded."""

    hand: ShapedHand
    """Of the recorded side and size."""
    T_world_wrist: Float[Array, "t 4 4"]
    joint_rotvec: Float[Array, "t 15 3"]
    keypoints_m: Float[Array, "t 21 3"]
    """Of the model, so all 21."""
    residual_m: float
    """Root mean square distance of the model's keypoints from those recorded."""

    def completed(self, recorded_m: Float[Array, "t 21 3"]) -> Float[Array, "t 21 3"]:
        """Return the recorded keypoints, and the model's where none were recorded.

        Args:
            recorded_m: What the fit was made from.
        """
        return np.where(np.isfinite(recorded_m), recorded_m, self.keypoints_m)


def fitted(recorded_m: Float[Array, "t 21 3"], side: Side, right_hand: HandModel) -> ModelFit:
    """Fit the hand model to recorded keypoints.

    Args:
        recorded_m: OpenPose order, in any frame that does not move; NaN where missing.
        side: Of the hand.
        right_hand: Hand model of the right side.

    Raises:
        MetricError: No frame has four points of the palm.
    """
    mirror = _MIRROR if side is Side.LEFT else np.ones(3)
    target_m = recorded_m * mirror
    seen = np.isfinite(target_m).all(axis=-1)
    usable = seen[:, _PALM].sum(axis=1) >= _LEAST_PALM_POINTS
    if not usable.any():
        msg = f"no frame of the {side.label} hand has {_LEAST_PALM_POINTS} points of the palm"
        raise MetricError(msg)
    shaped = right_hand.with_shape(_betas(right_hand, target_m, seen))
    pose = _solved(shaped, np.where(seen, 1.0, 0.0)[usable], np.nan_to_num(target_m[usable]))
    local = Anatomy(shaped).local_rotations(pose.angles)
    found_m = shaped.chain(pose.R, pose.wrist_m, local).keypoints_m
    errors = np.linalg.norm(found_m - target_m[usable], axis=-1)[seen[usable]]
    M = np.diag(mirror)
    count = len(recorded_m)
    T, rotvec = np.full((count, 4, 4), np.nan), np.full((count, 15, 3), np.nan)
    keypoints_m = np.full((count, 21, 3), np.nan)
    T[usable] = se3.from_rotation_translation(M @ pose.R @ M, pose.wrist_m * mirror)
    # A mirrored rotation vector keeps its component along the mirror's normal.
    rotvec[usable] = so3.log(local) * (-mirror if side is Side.LEFT else mirror)
    keypoints_m[usable] = found_m * mirror
    own = right_hand.mirrored() if side is Side.LEFT else right_hand
    hand = own.with_shape(shaped.betas)
    return ModelFit(hand, T, rotvec, keypoints_m, float(np.sqrt(np.mean(errors**2))))


def _betas(
    model: HandModel, target_m: Float[Array, "t 21 3"], seen: Bool[Array, "t 21"]
) -> Float[Array, "10"]:
    """Shape from the median lengths of the bones that were recorded."""
    lengths: dict[str, float] = {}
    for near, far in OPENPOSE_BONES:
        both = seen[:, near] & seen[:, far]
        if not both.any():
            continue
        each_m = np.linalg.norm(target_m[both, far] - target_m[both, near], axis=-1)
        length_m = float(np.median(each_m))
        # Some trackers lay two keypoints on one place: that is no bone.
        if length_m > _LEAST_BONE_M:
            lengths[f"{OPENPOSE_KEYPOINTS[near]}-{OPENPOSE_KEYPOINTS[far]}"] = length_m
    return hand_size(model, lengths, _BONE_STD_M).betas


def _solved(
    hand: ShapedHand, weights: Float[Array, "n 21"], target_m: Float[Array, "n 21 3"]
) -> Pose:
    """Minimise the weighted squared distances of all frames at once, each with its own damping."""
    anatomy = Anatomy(hand)
    pose = _start(hand, anatomy, weights, target_m)
    cost, gradient, information = _normal(hand, anatomy, pose, weights, target_m)
    damping = np.full(len(cost), _FIRST_DAMPING)
    settled = np.zeros(len(cost), dtype=bool)
    for _ in range(_ITERATIONS):
        damped = information.copy()
        diagonal = np.einsum("bii->bi", damped)
        diagonal += damping[:, None] * diagonal
        step = -np.linalg.solve(damped, gradient[..., None])[..., 0]
        candidate = pose.stepped(step)
        trial = _normal(hand, anatomy, candidate, weights, target_m)
        better = trial[0] < cost
        settled |= better & (cost - trial[0] < _LEAST_GAIN * (1.0 + cost))
        pose = candidate.where(better, pose)
        cost = np.where(better, trial[0], cost)
        gradient = np.where(better[:, None], trial[1], gradient)
        information = np.where(better[:, None, None], trial[2], information)
        damping = np.where(better, damping / 4.0, np.minimum(damping * 6.0, _MOST_DAMPING))
        if (settled | (damping >= _MOST_DAMPING)).all():
            break
    return pose


def _normal(
    hand: ShapedHand,
    anatomy: Anatomy,
    pose: Pose,
    weights: Float[Array, "n 21"],
    target_m: Float[Array, "n 21 3"],
) -> tuple[Float[Array, "n"], Float[Array, "n 28"], Float[Array, "n 28 28"]]:
    """Cost, gradient and Gauss-Newton matrix of every frame."""
    posed, J = residuals.posed_with_jacobian(hand, anatomy, pose.R, pose.wrist_m, pose.angles)
    scale = weights[..., None] / _POINT_STD_M
    r = (scale * (posed.keypoints_m - target_m)).reshape(len(weights), 63)
    A = (scale[..., None] * J).reshape(len(weights), 63, -1)
    bend = (pose.angles - REST_RAD) / STD_RAD
    gradient = np.einsum("brp,br->bp", A, r)
    gradient[:, 6:] += bend / STD_RAD
    information = A.swapaxes(1, 2) @ A
    diagonal = np.einsum("bii->bi", information)
    diagonal[:, 6:] += 1.0 / STD_RAD**2
    return 0.5 * ((r**2).sum(axis=1) + (bend**2).sum(axis=1)), gradient, information


def _start(
    hand: ShapedHand,
    anatomy: Anatomy,
    weights: Float[Array, "n 21"],
    target_m: Float[Array, "n 21 3"],
) -> Pose:
    """Lay the palm of the relaxed hand on the recorded one: weighted Procrustes."""
    rest = hand.chain(np.eye(3), np.zeros(3), anatomy.local_rotations(REST_RAD)).keypoints_m
    rest, own = rest[list(_PALM)], target_m[:, _PALM]
    w = weights[:, _PALM] / weights[:, _PALM].sum(axis=1, keepdims=True)
    rest_middle = np.einsum("bk,ki->bi", w, rest)
    middle = np.einsum("bk,bki->bi", w, own)
    across = np.einsum(
        "bk,bki,bkj->bij", w, own - middle[:, None], rest[None] - rest_middle[:, None]
    )
    R = so3.nearest_rotation(across)
    wrist_m = middle - np.einsum("bij,bj->bi", R, rest_middle)
    return Pose(R, wrist_m, np.tile(REST_RAD, (len(target_m), 1)))
