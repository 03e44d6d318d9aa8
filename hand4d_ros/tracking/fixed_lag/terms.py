"""The energy of windows: the offline optimisation's costs, arranged for few, large products.

Each frame's own terms (image, detector's 3D keypoints, pose) are evaluated for all frames of both
hands in one batch. Motion is linear in the keypoints ``p``: its energy is ``p' W p`` over frames
with one small matrix ``W``, so its normal equations are the products of the keypoints' Jacobians,
all at once, weighted by the entries of ``W``.
"""

from __future__ import annotations

from functools import lru_cache
from typing import NamedTuple

import numpy as np

from hand4d_ros.estimation.keypoint_fit.residuals import posed_with_jacobian
from hand4d_ros.geometry import camera as cameras
from hand4d_ros.hand.biomechanics import Anatomy, limit_excess
from hand4d_ros.hand.model import ShapedHand
from hand4d_ros.shapes import Array, Float, Int
from hand4d_ros.tracking.costs import priors
from hand4d_ros.tracking.costs.robust import geman_mcclure
from hand4d_ros.tracking.costs.smoothness import stencil
from hand4d_ros.tracking.fixed_lag.config import FixedLagConfig
from hand4d_ros.tracking.fixed_lag.window import HAND, Window
from hand4d_ros.types import CameraModel

REACH = 3
"""The jerk of a frame looks at the three frames after it."""


class Own(NamedTuple):
    """What b frames say each on its own: keypoints, normal equations."""

    points_m: Float[Array, "b 21 3"]
    """Relative to the camera."""
    by_hand: Float[Array, "b 21 3 28"]
    information: Float[Array, "b 28 28"]
    gradient: Float[Array, "b 28"]

    def part(self, rows: slice) -> Own:
        """Return some of the frames."""
        return Own(*(each[rows] for each in self))


def own_terms(
    hand: ShapedHand,
    anatomy: Anatomy,
    costs: FixedLagConfig,
    camera: CameraModel,
    landmarks: Float[Array, "21 21"],
    windows: list[Window],
) -> Own:
    """Image (Geman-McClure), the detector's 3D keypoints, relaxed pose and ranges of the joints.

    Args:
        hand: Right hand of the assumed shape.
        anatomy: Its axes.
        costs: Deviations.
        camera: The lens.
        landmarks: Takes the model's keypoints to what the detector marks.
        windows: Whose frames follow each other in the result.
    """
    angles = np.concatenate([w.angles for w in windows])
    b = len(angles)
    posed, by_hand = posed_with_jacobian(
        hand,
        anatomy,
        np.concatenate([w.R for w in windows]),
        np.concatenate([w.relative_m for w in windows]),
        angles,
    )
    points = posed.keypoints_m
    marks = landmarks @ points
    by_marks = (landmarks @ by_hand.reshape(b, 21, -1)).reshape(by_hand.shape)
    residual = np.empty((b, 105))
    slope = np.empty((b, 105, HAND))
    r, J = _image(costs, camera, windows, marks, by_marks)
    residual[:, :42], slope[:, :42] = r.reshape(b, 42), J.reshape(b, 42, HAND)
    target = np.concatenate([w.shape_m for w in windows])
    scale = np.concatenate([w.shape_weight for w in windows])[:, None, None]
    r = (marks - marks.mean(axis=1, keepdims=True) - target) * scale
    J = (by_marks - by_marks.mean(axis=1, keepdims=True)) * scale[..., None]
    residual[:, 42:], slope[:, 42:] = r.reshape(b, 63), J.reshape(b, 63, HAND)
    turned = np.swapaxes(slope, 1, 2)
    information = turned @ slope
    gradient = (turned @ residual[..., None])[..., 0]
    pull = costs.pose_prior_weight**2
    r, J = priors.pose_prior(angles)
    information[:, 6:, 6:] += pull * (J.T @ J)
    excess = limit_excess(angles) / costs.limit_std_rad**2
    gradient[:, 6:] += pull * (r @ J) + excess
    np.einsum("bii->bi", information)[:, 6:] += (excess != 0.0) / costs.limit_std_rad**2
    return Own(points, by_hand, information, gradient)


def _image(
    costs: FixedLagConfig,
    camera: CameraModel,
    windows: list[Window],
    marks: Float[Array, "b 21 3"],
    by_marks: Float[Array, "b 21 3 28"],
) -> tuple[Float[Array, "b 21 2"], Float[Array, "b 21 2 28"]]:
    """Projected minus marked keypoints with their robust weights; zero where nothing was seen."""
    R = np.concatenate([w.R_world_camera for w in windows])
    sign = np.concatenate([np.broadcast_to(w.sign, (len(w), 1, 3)) for w in windows])
    target = np.concatenate([w.target_px for w in windows])
    weight = np.concatenate([w.weight for w in windows])
    px, slope = cameras.project_with_jacobian(camera, (marks @ R) * sign)
    good = np.isfinite(px).all(axis=-1) & (weight > 0.0)
    scale = np.where(good, weight, 0.0)
    residual = np.where(good[..., None], px - target, 0.0) * scale[..., None]
    share = geman_mcclure(np.einsum("bki,bki->bk", residual, residual), costs.robust_scale)[1]
    root = np.sqrt(share)
    slope = np.where(good[..., None, None], slope, 0.0) * (scale * root)[..., None, None]
    slope = (slope * sign[:, :, None]).reshape(len(R), 42, 3) @ np.swapaxes(R, -1, -2)
    slope = slope.reshape(len(R), 21, 2, 3, 1)
    # Three products of whole arrays are faster than hundreds of small matrix products.
    J = slope[..., 0, :] * by_marks[:, :, None, 0]
    J += slope[..., 1, :] * by_marks[:, :, None, 1]
    J += slope[..., 2, :] * by_marks[:, :, None, 2]
    return residual * root[..., None], J


class Motion(NamedTuple):
    """How the frames of a window hang together."""

    keypoints: Float[Array, "n n"]
    """W of the 63 coordinates of the keypoints in the world."""
    angles: Float[Array, "n n"]
    """W of the 22 angles."""
    first_keypoints: Float[Array, "f f"]
    """The share of the differences that involve the oldest frame."""
    first_angles: Float[Array, "f f"]


@lru_cache(maxsize=64)
def _places(n: int) -> tuple[tuple[Int[Array, "r"], Int[Array, "r k"]], ...]:
    """Rows and columns of the coefficients of velocity, acceleration and jerk of n frames."""
    out, first = [], 0
    for order in (1, 2, 3):
        rows = max(n - order, 0)
        each = np.arange(rows)
        out.append((first + each, each[:, None] + np.arange(order + 1)))
        first += rows
    return tuple(out)


def motion(costs: FixedLagConfig, window: Window, world_m: Float[Array, "n 63"]) -> Motion:
    """Weights of velocity (of hands at rest or unseen), acceleration and jerk of the keypoints.

    Args:
        costs: Deviations.
        window: Whose frames.
        world_m: Its keypoints in the world.
    """
    n = len(window)
    places = _places(n)
    coefficients = np.zeros((sum(len(rows) for rows, _ in places), n))
    for order, (rows, columns) in enumerate(places, start=1):
        if len(rows):
            coefficients[rows[:, None], columns] = stencil(window.stamps_ns, order)
    first, second, third = (rows for rows, _ in places)
    of_points = np.empty(len(coefficients))
    squared = np.square(coefficients[first] @ world_m).sum(axis=1) / (21.0 * costs.rest_std_m_s**2)
    share = geman_mcclure(squared, costs.rest_scale)[1]
    unseen = ~(window.seen[1:] & window.seen[:-1])
    of_points[first] = share / costs.rest_std_m_s**2 + unseen / costs.unseen_speed_m_s**2
    of_points[second] = 1.0 / costs.acceleration_std_m_s2**2
    of_points[third] = 1.0 / costs.jerk_std_m_s3**2
    # Keypoints of a hand move together, so all of them count as one point.
    weighted = coefficients * (of_points / 21.0)[:, None]
    bent = coefficients[second] / costs.angle_acceleration_std_rad_s2
    oldest = [rows[0] for rows, _ in places if len(rows)]
    f = min(REACH + 1, n)
    return Motion(
        weighted.T @ coefficients,
        bent.T @ bent,
        weighted[oldest, :f].T @ coefficients[oldest, :f],
        bent[:1, :f].T @ bent[:1, :f],
    )


def coupled(
    by_hand: Float[Array, "n 63 28"],
    world_m: Float[Array, "n 63"],
    angles: Float[Array, "n 22"],
    of_keypoints: Float[Array, "n n"],
    of_angles: Float[Array, "n n"],
) -> tuple[Float[Array, "n 28 n 28"], Float[Array, "n 28"]]:
    """Normal equations of the motion terms.

    Args:
        by_hand: Jacobian of each frame's keypoints.
        world_m: Keypoints in the world.
        angles: Angles (rad).
        of_keypoints: W of the keypoints.
        of_angles: W of the angles.
    """
    n = len(angles)
    flat = np.ascontiguousarray(np.swapaxes(by_hand, 0, 1)).reshape(63, n * HAND)
    H = (flat.T @ flat).reshape(n, HAND, n, HAND)
    H *= of_keypoints[:, None, :, None]
    np.einsum("apbp->pab", H[:, 6:, :, 6:])[...] += of_angles
    pulled = (np.swapaxes(by_hand, 1, 2) @ (of_keypoints @ world_m)[..., None])[..., 0]
    pulled[:, 6:] += of_angles @ angles
    return H, pulled
