"""HMP's objective (Eq. 2) over one chunk as a problem of the shared solvers.

A frame's unknowns are the turn and shift of its wrist; shape and latent are shared by all frames.
Terms that compare with something observed are masked where nothing was, so a gap is left to the
prior and to smoothness ("Occlusion Handling", section 3.4).
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import torch

from hand4d_ros.geometry import so3
from hand4d_ros.hand.model import HandModel
from hand4d_ros.shapes import Array, Float, Int
from hand4d_ros.tracking.costs.projection import Cameras, reprojection
from hand4d_ros.tracking.costs.robust import geman_mcclure
from hand4d_ros.tracking.costs.smoothness import differences, stencil
from hand4d_ros.tracking.hmp import terms
from hand4d_ros.tracking.hmp.config import HmpConfig
from hand4d_ros.tracking.hmp.kinematics import RIGID, SHAPE, Linearised, linearised, posed
from hand4d_ros.tracking.hmp.observations import Observations
from hand4d_ros.tracking.priors.base import FRAMES, RATE_HZ, MotionPrior
from hand4d_ros.tracking.solvers.normal_equations import NormalEquations

_ANCHOR_SCALE = 3.0
"""Deviations from which a first estimate is taken for an outlier."""
_TURN, _MOVE = slice(0, 3), slice(3, 6)


@dataclass(frozen=True)
class Unknowns:
    """What is fitted."""

    R: Float[Array, "f 3 3"]
    wrist_m: Float[Array, "f 3"]
    betas: Float[Array, " 10"]
    latent: Float[Array, " z"]


@dataclass(frozen=True)
class Belief:
    """What the encoder says of the latent."""

    mean: Float[Array, " z"]
    std: Float[Array, " z"] | None
    """None leaves it to the prior's own density."""
    start: Float[Array, " z"]
    """Where the fit starts."""


@dataclass(frozen=True)
class ChunkProblem:
    """One hand over at most a clip's length."""

    observed: Observations
    prior: MotionPrior
    model: HandModel
    belief: Belief
    config: HmpConfig
    local: Float[Array, "f 15 3 3"] | None = None
    """Poses of stage 1, in which they stand still; None is stage 2."""

    def start(self) -> Unknowns:
        """Return the first estimate and the encoder's latent."""
        T = self.observed.T_world_wrist
        return Unknowns(T[:, :3, :3], T[:, :3, 3], self.observed.betas, self.belief.start)

    def poses(self, latent: Float[Array, " z"]) -> Float[Array, "f 15 3 3"]:
        """Return the joint rotations in every frame."""
        if self.local is not None:
            return self.local
        with torch.no_grad():
            local = self.prior.decode(torch.as_tensor(latent).float()[None], self._clip_times)
        poses: Array = local[0].double().numpy()
        return poses

    def linearise(self, x: Unknowns) -> NormalEquations:
        """Return energy, gradient and Gauss-Newton matrix; see ``solvers.base.Problem``."""
        turns = None
        local = self.local
        if local is None:
            latent = torch.as_tensor(x.latent).float()
            rotations, slope = self.prior.tangents(latent, self._clip_times)
            local, turns = rotations.double().numpy(), slope.double().numpy()
        hand = self.model.with_shape(x.betas)
        chain = posed(hand, x.R, x.wrist_m, local)
        return self._equations(x, linearised(hand, chain, turns), with_latent=turns is not None)

    def energy(self, x: Unknowns) -> float:
        """Return the energy alone."""
        chain = posed(self.model.with_shape(x.betas), x.R, x.wrist_m, self.poses(x.latent))
        points = chain.keypoints_m
        empty = Linearised(points, np.zeros((*points.shape, RIGID)), np.zeros((*points.shape, 0)))
        return self._equations(x, empty, with_latent=False, shared=False).energy

    def stepped(
        self, x: Unknowns, frames: Float[Array, "n p"], border: Float[Array, " m"]
    ) -> Unknowns:
        """Move the unknowns by a step."""
        return Unknowns(
            so3.exp(frames[:, _TURN]) @ x.R,
            x.wrist_m + frames[:, _MOVE],
            x.betas + border[:SHAPE],
            x.latent if len(border) == SHAPE else x.latent + border[SHAPE:],
        )

    def pulled_back(
        self, step: Float[Array, "n p"], gradient: Float[Array, "n p"]
    ) -> Float[Array, "n p"]:
        """Return the gradient by a step from the one at where it leads."""
        pulled = np.array(gradient)
        J = terms.left_jacobian(step[:, _TURN])
        pulled[:, _TURN] = np.einsum("fab,fa->fb", J, gradient[:, _TURN])
        return pulled

    @property
    def _clip_times(self) -> torch.Tensor:
        times_s = self.observed.times_s
        return torch.as_tensor((times_s - times_s[0]) * RATE_HZ / FRAMES).float()

    def _equations(
        self, x: Unknowns, at: Linearised, *, with_latent: bool, shared: bool = True
    ) -> NormalEquations:
        border = at.by_shared.shape[-1] if shared else SHAPE
        equations = NormalEquations(len(self.observed), RIGID, border, 2)
        self._add_keypoints(equations, at, shared=shared)
        self._add_anchors(equations, x)
        self._add_smoothness(equations, x)
        shape = (x.betas - self.observed.betas) / self.config.shape_std
        equations.add_shared(slice(0, SHAPE), shape, np.eye(SHAPE) / self.config.shape_std)
        if self.local is None:
            self._add_latent(equations, x, with_latent=with_latent)
        return equations

    def _add_keypoints(self, to: NormalEquations, at: Linearised, *, shared: bool) -> None:
        """L_2D (Eq. 8) in the frames that were seen."""
        seen, config = self.observed, self.config
        rows = np.flatnonzero(seen.seen)
        if not len(rows):
            return
        px = seen.keypoints_px[rows]
        size_px = np.ptp(px, axis=1).max(axis=1)
        std_px = np.maximum(config.keypoint_std * size_px, config.keypoint_std_min_px)
        weight = seen.confidence[rows] / std_px[:, None]
        eyes = Cameras(*(part[rows] for part in seen.cameras))
        marks = seen.landmarks @ at.points_m[rows]
        image = reprojection(seen.camera, eyes, marks, px, weight)
        cost, keep = geman_mcclure(np.square(image.residual).sum(-1), config.robust_scale)
        root = np.sqrt(config.keypoint_weight * keep)[..., None]
        through = np.einsum("fkia,kl->fkila", image.point * root[..., None], seen.landmarks)
        flat = through.reshape(len(rows), 42, 63)
        rigid = flat @ at.by_rigid[rows].reshape(len(rows), 63, RIGID)
        residual = (image.residual * root).reshape(len(rows), 42)
        energy = 0.5 * config.keypoint_weight * cost.sum(-1)
        pair = None
        if shared:
            columns = at.by_shared.shape[-1]
            slope = flat @ at.by_shared[rows].reshape(len(rows), 63, columns)
            pair = (slice(0, columns), slope)
        to.add(rows, slice(0, RIGID), residual, rigid[:, :, None], pair, energy)

    def _add_anchors(self, to: NormalEquations, x: Unknowns) -> None:
        """L_o and L_tr (Eqs. 3 and 4) in the frames that were seen."""
        seen, config = self.observed, self.config
        rows = np.flatnonzero(seen.seen)
        T = seen.T_world_wrist[rows]
        off, slope = terms.turn_away(x.R[rows], T[:, :3, :3])
        _add_robust(
            to, rows, _TURN, off / config.orientation_std_rad, slope / config.orientation_std_rad
        )
        shift = (x.wrist_m[rows] - T[:, :3, 3]) / config.translation_std_m
        eye = np.broadcast_to(np.eye(3) / config.translation_std_m, (len(rows), 3, 3))
        _add_robust(to, rows, _MOVE, shift, eye)

    def _add_smoothness(self, to: NormalEquations, x: Unknowns) -> None:
        """L_os and L_ts (Eqs. 6 and 7), of speeds as in the paper and of accelerations."""
        config, times_s = self.config, self.observed.times_s
        velocity, slope = terms.spin(x.R, times_s)
        scale = config.turn_speed_rad_s
        to.add(np.arange(len(velocity)), _TURN, velocity / scale, slope / scale)
        change, wide = terms.spin_change(velocity, slope, times_s)
        scale = config.turn_std_rad_s2
        to.add(np.arange(len(change)), _TURN, change / scale, wide / scale)
        stamps_ns = np.round(times_s * 1e9).astype(np.int64)
        eye = np.broadcast_to(np.eye(3), (len(times_s), 3, 3))
        for order, scale in ((1, config.speed_m_s), (2, config.move_std_m_s2)):
            residual, slopes = differences(x.wrist_m, eye, stencil(stamps_ns, order) / scale)
            to.add(np.arange(len(residual)), _MOVE, residual, slopes)

    def _add_latent(self, to: NormalEquations, x: Unknowns, *, with_latent: bool) -> None:
        """L_MP (Eq. 9)."""
        belief, weight = self.belief, self.config.prior_weight
        if belief.std is not None:
            term = terms.given_estimate(x.latent, belief.mean, belief.std)
        elif with_latent:
            term = terms.own_density(self.prior, x.latent)
        else:
            value = self.prior.energy(torch.as_tensor(x.latent).float()[None])
            to.energy += weight * float(value[0])
            return
        to.energy += weight * term.energy
        if with_latent:
            to.border_gradient[SHAPE:] += weight * term.gradient
            to.corner[SHAPE:, SHAPE:] += weight * term.curvature


def _add_robust(
    to: NormalEquations,
    rows: Int[Array, " r"],
    where: slice,
    residual: Float[Array, "r 3"],
    slope: Float[Array, "r 3 3"],
) -> None:
    """Add residuals of single frames, each with the cost of Geman and McClure."""
    cost, keep = geman_mcclure(np.square(residual).sum(-1), _ANCHOR_SCALE)
    root = np.sqrt(keep)
    weighted = (residual * root[:, None], (slope * root[:, None, None])[:, :, None])
    to.add(rows, where, *weighted, energy=0.5 * cost)


def second_stage(problem: ChunkProblem) -> ChunkProblem:
    """Return the same problem with the poses free."""
    return replace(problem, local=None)
