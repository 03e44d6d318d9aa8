"""The energy of a chunk: every term of Dyn-HaMR's Eqs. 7 and 9 as residuals with Jacobians."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np

from hand4d_ros.hand.biomechanics import limit_excess
from hand4d_ros.hand.model import ShapedHand
from hand4d_ros.shapes import Array, Float
from hand4d_ros.tracking.costs import camera_terms, priors, projection, smoothness
from hand4d_ros.tracking.costs.robust import geman_mcclure
from hand4d_ros.tracking.dynhamr.config import CostConfig
from hand4d_ros.tracking.dynhamr.observations import Observations
from hand4d_ros.tracking.dynhamr.posing import Posed, posed
from hand4d_ros.tracking.dynhamr.variables import (
    HAND,
    LOG_SCALE,
    LOG_SIZE,
    SHARED,
    Unknowns,
    pulled_back,
)
from hand4d_ros.tracking.solvers.normal_equations import NormalEquations

REACH = 3
"""The jerk of a frame looks at the three frames after it."""
_OF_KEYPOINTS = 1.0 / np.sqrt(21.0)
"""Keypoints of a hand move together, so all of them count as one point."""
_TIE_STD = 1e-3
"""How near cameras start to where the chunk before left them (m, rad)."""


class Known(NamedTuple):
    """What is known of the logarithms of the hands' size and of the world scale."""

    mean: Float[Array, "2"]
    root_information: Float[Array, "2 2"]


class Tie(NamedTuple):
    """The first frames of a chunk as the chunk before left them, at the size that it had."""

    log_size: float
    R: Float[Array, "h k 3 3"]
    wrist_m: Float[Array, "h k 3"]
    angles: Float[Array, "h k 22"]
    correction: Float[Array, "k 6"]


@dataclass(frozen=True)
class TrajectoryProblem:
    """Stage II: trajectories of both hands, shape, cameras and world scale (Eq. 7)."""

    observations: Observations
    hand: ShapedHand
    """Right hand with the person's proportions."""
    known: Known
    costs: CostConfig = field(default_factory=CostConfig)
    tie: Tie | None = None

    def linearise(self, x: Unknowns) -> NormalEquations:
        """Return energy, gradient and Gauss-Newton matrix; see ``solvers.base.Problem``."""
        return self._evaluated(x, only_energy=False)

    def energy(self, x: Unknowns) -> float:
        """Return the energy alone."""
        return self._evaluated(x, only_energy=True).energy

    def _evaluated(self, x: Unknowns, *, only_energy: bool) -> NormalEquations:
        frames = len(self.observations.stamps_ns)
        reach = min(REACH, frames - 1)
        into = NormalEquations(frames, x.block, x.border, reach, only_energy=only_energy)
        self.add_terms(into, x, [posed(self.hand, x, i) for i in range(x.hands)])
        return into

    def stepped(
        self, x: Unknowns, frames: Float[Array, "n p"], border: Float[Array, "m"]
    ) -> Unknowns:
        """Move the unknowns."""
        return x.stepped(frames, border)

    def pulled_back(
        self, step: Float[Array, "n p"], gradient: Float[Array, "n p"]
    ) -> Float[Array, "n p"]:
        """Return the gradient with respect to a step; see ``solvers.base.Problem``."""
        return pulled_back(step, gradient)

    def add_terms(self, into: NormalEquations, x: Unknowns, hands: list[Posed]) -> None:
        """Add every residual of this stage."""
        cameras = projection.corrected_cameras(
            self.observations.T_odom_camera, x.correction, x.log_scale
        )
        for i in range(x.hands):
            self._add_image(into, x, cameras, hands[i], i)
            self._add_detector_3d(into, x, hands[i], i)
            self._add_motion(into, x, hands[i], i)
            self._add_pose(into, x, i)
        self._add_cameras(into, x, cameras)
        values = np.array([x.log_size, x.log_scale])
        shared = slice(0, SHARED)
        into.add_shared(shared, *priors.gaussian_prior(values, *self.known))
        if self.tie is not None:
            self._add_tie(into, x, self.tie)

    def _add_image(
        self, into: NormalEquations, x: Unknowns, cameras: projection.Cameras, at: Posed, i: int
    ) -> None:
        obs = self.observations
        rows = np.flatnonzero(obs.seen[i])
        marks, sign = obs.landmarks[i, rows], obs.signs[i]
        n = len(rows)
        chosen = projection.Cameras(*(each[rows] for each in cameras))
        points = (marks @ at.points_m[rows]) * sign
        found = projection.reprojection(
            obs.camera, chosen, points, obs.target_px[i, rows], obs.weight[i, rows]
        )
        cost, weight = geman_mcclure(
            np.square(found.residual).sum(axis=-1), self.costs.robust_scale
        )
        root = np.sqrt(weight)[..., None, None]
        slope = found.point * sign * root
        by_hand = (marks @ at.by_hand[rows].reshape(n, 21, -1)).reshape(n, 21, 3, HAND)
        by_size = marks @ at.by_size[rows]
        jacobian = np.zeros((n, 42, 1, x.block))
        jacobian[:, :, 0, x.hand_slice(i)] = (slope @ by_hand).reshape(n, 42, HAND)
        jacobian[:, :, 0, x.camera_slice] = (found.camera * root).reshape(n, 42, -1)
        by_size = (slope @ by_size[..., None])[..., 0]
        shared = np.stack((by_size, found.log_scale * root[..., 0]), axis=-1).reshape(n, 42, 2)
        residual = (found.residual * root[..., 0]).reshape(n, 42)
        every = slice(0, x.block)
        into.add(
            rows, every, residual, jacobian, (slice(0, SHARED), shared), 0.5 * cost.sum(axis=1)
        )

    def _add_detector_3d(self, into: NormalEquations, x: Unknowns, at: Posed, i: int) -> None:
        obs = self.observations
        rows = np.flatnonzero(obs.shape_weight[i])
        marks, n = obs.landmarks[i, rows], len(rows)
        own_size = np.exp(-x.log_size)
        jacobian = (marks @ at.by_hand[rows].reshape(n, 21, -1)).reshape(n, 21, 3, HAND)
        residual, slope = projection.relative_shape(
            (marks @ at.points_m[rows]) * own_size,
            jacobian * own_size,
            *(obs.shape_m[i, rows], obs.shape_weight[i, rows]),
        )
        slope = slope.reshape(n, 63, 1, HAND)
        into.add(rows, x.hand_slice(i), residual.reshape(n, 63), slope)

    def _add_motion(self, into: NormalEquations, x: Unknowns, at: Posed, i: int) -> None:
        """Smooth keypoints in the world, rests, and smooth joint angles (L_smooth)."""
        costs, stamps_ns = self.costs, self.observations.stamps_ns
        n = len(stamps_ns)
        points = at.points_m.reshape(n, 63)
        by_hand, by_size = at.by_hand.reshape(n, 63, HAND), at.by_size.reshape(n, 63)
        size = float(np.exp(x.log_size))
        terms = (
            (1, costs.rest_std_m_s, costs.rest_scale),
            (2, costs.acceleration_std_m_s2, None),
            (3, costs.jerk_std_m_s3, None),
        )
        for order, std, robust in terms:
            if n <= order:
                continue
            coefficients = smoothness.stencil(stamps_ns, order) * (_OF_KEYPOINTS / std)
            residual, slope = smoothness.differences(points, by_hand, coefficients)
            change = smoothness.differences(by_size, by_hand[:, :, :0], coefficients)[0]
            residual, shared = smoothness.over_size(residual, change, size)
            slope = slope / size
            cost = np.square(residual).sum(axis=1)
            if robust is not None:
                cost, weight = geman_mcclure(cost, robust)
                root = np.sqrt(weight)[:, None]
                residual, slope = root * residual, root[..., None, None] * slope
                shared = root * shared
            first = np.arange(n - order)
            into.add(
                first, x.hand_slice(i), residual, slope, (LOG_SIZE, shared[..., None]), 0.5 * cost
            )
        if n > 2:
            coefficients = smoothness.stencil(stamps_ns, 2) / costs.angle_acceleration_std_rad_s2
            identity = np.broadcast_to(np.eye(22), (n, 22, 22))
            residual, slope = smoothness.differences(x.angles[i], identity, coefficients)
            into.add(np.arange(n - 2), angles_slice(x, i), residual, slope)

    def _add_pose(self, into: NormalEquations, x: Unknowns, i: int) -> None:
        """Relaxed pose (L_J) and the ranges of the joints."""
        n = len(self.observations.stamps_ns)
        every = np.arange(n)
        residual, slope = priors.pose_prior(x.angles[i])
        pull = self.costs.pose_prior_weight
        jacobian = np.broadcast_to(pull * slope, (n, *slope.shape))[:, :, None]
        into.add(every, angles_slice(x, i), pull * residual, jacobian)
        excess = limit_excess(x.angles[i]) / self.costs.limit_std_rad
        inside = (excess == 0.0)[..., None]
        slope = np.where(inside, 0.0, np.eye(22) / self.costs.limit_std_rad)[:, :, None]
        into.add(every, angles_slice(x, i), excess, slope)

    def _add_cameras(self, into: NormalEquations, x: Unknowns, cameras: projection.Cameras) -> None:
        """Near the odometry where there is one, smooth where it is silent (L_cam)."""
        obs, costs = self.observations, self.costs
        known = obs.odometry_known
        n = len(known)
        dt_s = np.diff(obs.stamps_ns) * 1e-9
        noise = np.array([costs.odometry_std_rad] * 3 + [costs.odometry_std_m] * 3)
        residual, slope = camera_terms.odometry_deviation(x.correction, noise)
        rows = np.flatnonzero(known)
        jacobian = np.broadcast_to(slope, (len(rows), 6, 6))[:, :, None]
        into.add(rows, x.camera_slice, residual[rows], jacobian)
        heard = known[1:] & known[:-1]
        rows = np.flatnonzero(~heard)
        if not len(rows) or n < 2:
            return
        speed = np.array([costs.camera_turn_rad_s] * 3 + [costs.camera_speed_m_s] * 3)
        steps, slope = camera_terms.smooth_camera(
            cameras.R_world_camera, cameras.centre_m, speed * dt_s[:, None]
        )
        for offset in (0, 1):
            turn = cameras.by_turn[offset : n - 1 + offset]
            slope[:, :, offset, :3] = slope[:, :, offset, :3] @ turn
        by_scale = np.zeros((n - 1, 6, 1))
        by_scale[:, 3:, 0] = np.diff(cameras.travel_m, axis=0) / (speed * dt_s[:, None])[:, 3:]
        shared = (LOG_SCALE, by_scale[rows])
        into.add(rows, x.camera_slice, steps[rows], slope[rows], shared)

    def _add_tie(self, into: NormalEquations, x: Unknowns, tie: Tie) -> None:
        """Go on from where the chunk before ended."""
        k = len(tie.correction)
        for i in range(x.hands):
            # A hand of another size has the same picture, so it was as much farther away.
            eye_m = self.observations.T_odom_camera[0, :3, 3] * self.observations.signs[i]
            ahead_m = np.exp(x.log_size - tie.log_size) * (tie.wrist_m[i] - eye_m)
            residual, slope = priors.pose_tie(
                *(x.R[i], x.wrist_m[i], x.angles[i]), *(tie.R[i], eye_m + ahead_m, tie.angles[i])
            )
            moved = np.einsum("kdw,kw->kd", slope[:, :, 0, 3:6], -ahead_m)[..., None]
            into.add(np.arange(k), x.hand_slice(i), residual, slope, (LOG_SIZE, moved))
        std = np.full(6, _TIE_STD)
        correction = x.correction[:k] - tie.correction
        residual, slope = camera_terms.odometry_deviation(correction, std)
        jacobian = np.broadcast_to(slope, (k, 6, 6))[:, :, None]
        into.add(np.arange(k), x.camera_slice, residual, jacobian)


def angles_slice(x: Unknowns, i: int) -> slice:
    """Place of a hand's angles in a frame's block."""
    return slice(x.hand_slice(i).start + 6, x.hand_slice(i).stop)
