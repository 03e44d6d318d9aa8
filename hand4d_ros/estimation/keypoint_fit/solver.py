"""Levenberg-Marquardt over a batch of hands, every hand with its own damping."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from hand4d_ros.estimation.keypoint_fit import residuals
from hand4d_ros.estimation.keypoint_fit.config import KeypointFitConfig
from hand4d_ros.geometry import so3
from hand4d_ros.hand.biomechanics import LOWER_RAD, UPPER_RAD, Anatomy
from hand4d_ros.hand.model import PosedChain, ShapedHand
from hand4d_ros.shapes import Array, Bool, Float
from hand4d_ros.types import CameraModel

_FIRST_DAMPING = 1e-3
_MOST_DAMPING = 1e6
_LONGEST_STEP_RAD = 0.6
_LEAST_GAIN = 1e-3
"""Decrease of the cost, in units of a squared standard deviation, that ends the iterations."""


@dataclass(frozen=True)
class Pose:
    """The 28 unknowns of each hand; left hands live in a world mirrored through x = 0."""

    R: Float[Array, "b 3 3"]
    wrist_m: Float[Array, "b 3"]
    angles: Float[Array, "b 22"]

    def take(self, rows: Array) -> Pose:
        """Return some of the hands."""
        return Pose(self.R[rows], self.wrist_m[rows], self.angles[rows])

    def stepped(self, step: Float[Array, "b 28"]) -> Pose:
        """Move by a step of the solver and clip the angles to their ranges."""
        return Pose(
            so3.exp(step[:, :3]) @ self.R,
            self.wrist_m + step[:, 3:6],
            np.clip(self.angles + step[:, 6:], LOWER_RAD, UPPER_RAD),
        )

    def where(self, mask: Bool[Array, "b"], other: Pose) -> Pose:
        """Return this pose where the mask holds and the other one elsewhere."""
        return Pose(
            np.where(mask[:, None, None], self.R, other.R),
            np.where(mask[:, None], self.wrist_m, other.wrist_m),
            np.where(mask[:, None], self.angles, other.angles),
        )


@dataclass(frozen=True)
class Targets:
    """What the hands must explain."""

    camera: CameraModel
    mirror: Float[Array, "b"]
    """-1 for left hands, 1 for right ones."""
    keypoints_px: Float[Array, "b 21 2"]
    std_px: Float[Array, "b 21"]
    keypoints_3d_m: Float[Array, "b 21 3"]
    """The detector's own, turned to the camera's axes and mirrored like the unknowns."""
    std_3d_m: Float[Array, "b"]
    """Infinite where the detector gives none."""
    landmarks: Float[Array, "b 21 21"]
    """Takes the model's keypoints to what the detector marks."""

    def take(self, rows: Array) -> Targets:
        """Return the targets of some hands."""
        return replace(
            self,
            mirror=self.mirror[rows],
            keypoints_px=self.keypoints_px[rows],
            std_px=self.std_px[rows],
            keypoints_3d_m=self.keypoints_3d_m[rows],
            std_3d_m=self.std_3d_m[rows],
            landmarks=self.landmarks[rows],
        )


@dataclass(frozen=True)
class Linearised:
    """The problem at one pose: robust cost, gradient and Gauss-Newton matrix."""

    posed: PosedChain
    cost: Float[Array, "b"]
    gradient: Float[Array, "b 28"]
    information: Float[Array, "b 28 28"]
    image_rms: Float[Array, "b"]
    """Root mean square of the whitened reprojection error per axis."""
    keypoint_jacobian: Float[Array, "b 21 3 28"]
    weights: Float[Array, "b 21"]
    """Robust weights of the image keypoints."""


def linearise(
    hand: ShapedHand, anatomy: Anatomy, config: KeypointFitConfig, targets: Targets, pose: Pose
) -> Linearised:
    """Evaluate every residual and assemble the normal equations."""
    posed, J = residuals.posed_with_jacobian(hand, anatomy, pose.R, pose.wrist_m, pose.angles)
    marks = targets.landmarks @ posed.keypoints_m
    J_marks = (targets.landmarks @ J.reshape(len(J), 21, -1)).reshape(J.shape)
    r_image, J_image = residuals.reprojection(
        targets.camera, targets.mirror, marks, J_marks, targets.keypoints_px, targets.std_px
    )
    squared = np.einsum("bki,bki->bk", r_image, r_image)
    scaled = squared / config.robust_scale**2
    weights = 1.0 / (1.0 + scaled)
    cost = 0.5 * config.robust_scale**2 * np.log1p(scaled).sum(axis=1)
    r_shape, J_shape = residuals.relative_shape(
        marks, J_marks, targets.keypoints_3d_m, targets.std_3d_m
    )
    r_pose, J_pose = residuals.relaxed_pose(pose.angles)
    r_coupled, J_coupled = residuals.coupled_joints(pose.angles)
    b = len(marks)
    root = np.sqrt(weights)[..., None]
    r = np.concatenate(((root * r_image).reshape(b, 42), r_shape.reshape(b, 63)), axis=1)
    A = np.concatenate(
        ((root[..., None] * J_image).reshape(b, 42, -1), J_shape.reshape(b, 63, -1)), axis=1
    )
    prior = config.prior_weight**2
    gradient = np.einsum("brp,br->bp", A, r) + prior * (r_pose @ J_pose + r_coupled @ J_coupled)
    information = A.swapaxes(1, 2) @ A + prior * (J_pose.T @ J_pose + J_coupled.T @ J_coupled)
    cost = cost + 0.5 * np.einsum("bki,bki->b", r_shape, r_shape)
    cost = cost + 0.5 * prior * ((r_pose**2).sum(axis=1) + (r_coupled**2).sum(axis=1))
    cost = np.where(np.isfinite(cost), cost, np.inf)
    image_rms = np.sqrt(squared.mean(axis=1) / 2.0)
    return Linearised(posed, cost, gradient, information, image_rms, J, weights)


def solve(
    hand: ShapedHand,
    anatomy: Anatomy,
    config: KeypointFitConfig,
    targets: Targets,
    pose: Pose,
    iterations: int,
) -> tuple[Pose, Linearised]:
    """Minimise the robust cost of every hand; a step that does not lower it is taken back.

    Args:
        hand: Right hand of the person's shape.
        anatomy: Its anatomical axes.
        config: Settings.
        targets: What to explain.
        pose: Where to start.
        iterations: Number of steps.
    """
    best = linearise(hand, anatomy, config, targets, pose)
    damping = np.full(len(pose.wrist_m), _FIRST_DAMPING)
    for _ in range(iterations):
        step = _damped_step(best, pose.angles, damping)
        candidate = pose.stepped(step)
        trial = linearise(hand, anatomy, config, targets, candidate)
        better = trial.cost < best.cost
        damping = np.where(better, damping / 5.0, np.minimum(damping * 8.0, _MOST_DAMPING))
        settled = better & (trial.cost > best.cost - _LEAST_GAIN)
        pose = candidate.where(better, pose)
        best = trial if better.all() else _merge(better, trial, best)
        if settled.all():
            break
    return pose, best


def _damped_step(
    at: Linearised, angles: Float[Array, "b 22"], damping: Float[Array, "b"]
) -> Float[Array, "b 28"]:
    """Solve the damped normal equations; angles pressed against their range stay there."""
    finite = np.isfinite(at.cost)
    information = np.where(finite[:, None, None], at.information, np.eye(residuals.PARAMETERS))
    gradient = np.where(finite[:, None], at.gradient, 0.0)
    pressed = np.zeros(gradient.shape, dtype=bool)
    pressed[:, 6:] = ((angles <= LOWER_RAD) & (gradient[:, 6:] > 0.0)) | (
        (angles >= UPPER_RAD) & (gradient[:, 6:] < 0.0)
    )
    free = ~pressed
    information = information * (free[:, :, None] & free[:, None, :])
    diagonal = np.einsum("bii->bi", information)
    diagonal += damping[:, None] * diagonal.clip(1e-9) + pressed
    step = -np.linalg.solve(information, (gradient * free)[..., None])[..., 0]
    turn = np.abs(step[:, :3]).max(axis=1).clip(_LONGEST_STEP_RAD)
    bend = np.abs(step[:, 6:]).max(axis=1).clip(_LONGEST_STEP_RAD)
    return step * (_LONGEST_STEP_RAD / np.maximum(turn, bend))[:, None]


def _merge(mask: Bool[Array, "b"], a: Linearised, b: Linearised) -> Linearised:
    """Take rows of ``a`` where the mask holds and of ``b`` elsewhere."""

    def pick(x: Array, y: Array) -> Array:
        return np.where(mask.reshape(-1, *[1] * (x.ndim - 1)), x, y)

    posed = PosedChain(
        pick(a.posed.rotations, b.posed.rotations),
        pick(a.posed.joints_m, b.posed.joints_m),
        pick(a.posed.tips_m, b.posed.tips_m),
    )
    return Linearised(
        posed,
        pick(a.cost, b.cost),
        pick(a.gradient, b.gradient),
        pick(a.information, b.information),
        pick(a.image_rms, b.image_rms),
        pick(a.keypoint_jacobian, b.keypoint_jacobian),
        pick(a.weights, b.weights),
    )
