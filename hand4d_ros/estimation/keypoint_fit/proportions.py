"""Hand proportions of one person, gathered over the first confident frames and then held."""

from __future__ import annotations

import numpy as np

from hand4d_ros.estimation.keypoint_fit.residuals import PARAMETERS, shape_jacobian
from hand4d_ros.estimation.keypoint_fit.solver import Linearised, Targets
from hand4d_ros.geometry import camera as cameras
from hand4d_ros.hand.model import ShapedHand
from hand4d_ros.hand.sizing import HandSize
from hand4d_ros.shapes import Array, Bool

_FRAME_WEIGHT = 0.1
"""Errors of the detector last for about ten frames, so each counts as a tenth of a measurement."""


class Proportions:
    """An information filter over the ten shape coefficients.

    Every frame's normal equations, with that frame's pose marginalised (Schur complement), add
    information on the shape. The overall size stays at its prior, because a larger hand farther
    away makes the same picture.
    """

    def __init__(self, prior: HandSize, frames: int) -> None:
        """Start from the prior and stop after ``frames`` confident hands."""
        self._information = np.linalg.inv(prior.covariance)
        self._vector = self._information @ prior.betas
        self._left = frames

    @property
    def settled(self) -> bool:
        """Whether enough has been seen."""
        return self._left <= 0

    @property
    def size(self) -> HandSize:
        """The shape as known now."""
        covariance = np.linalg.inv(self._information)
        return HandSize(covariance @ self._vector, covariance)

    def add(
        self, hand: ShapedHand, targets: Targets, at: Linearised, use: Bool[Array, "b"]
    ) -> None:
        """Add the confident hands of one frame, linearised at the shape ``hand``."""
        marks = targets.landmarks
        J_beta = (marks @ shape_jacobian(hand, at.posed).reshape(-1, 21, 30)).reshape(-1, 21, 3, 10)
        J_pose = at.keypoint_jacobian
        J_pose = (marks @ J_pose.reshape(len(use), 21, -1)).reshape(J_pose.shape)
        signs = np.ones((len(use), 1, 3))
        signs[:, 0, 0] = targets.mirror
        px, slope = cameras.project_with_jacobian(
            targets.camera, marks @ at.posed.keypoints_m * signs
        )
        whiten = np.sqrt(at.weights)[..., None] / targets.std_px[..., None]
        slope = slope * signs[..., None, :] * whiten[..., None]
        residual = ((px - targets.keypoints_px) * whiten).reshape(len(use), 42)
        shape = (slope @ J_beta).reshape(len(use), 42, 10)
        pose = (slope @ J_pose).reshape(len(use), 42, PARAMETERS)
        for row in np.flatnonzero(use & np.isfinite(at.cost))[: max(self._left, 0)]:
            S, P, H = shape[row], pose[row], at.information[row]
            response = np.linalg.solve(H, P.T @ S)
            information = S.T @ S - (S.T @ P) @ response
            # The fit stops before its gradient is zero; what is left must not leak into a
            # direction that the pictures say nothing about, such as the overall size.
            gradient = S.T @ residual[row] - response.T @ at.gradient[row]
            self._information += _FRAME_WEIGHT * information
            self._vector += _FRAME_WEIGHT * (information @ hand.betas - gradient)
            self._left -= 1
