"""Stage III: what hands can do, what they usually do, and that they do not share space (Eq. 9)."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from hand4d_ros.geometry import so3
from hand4d_ros.hand.biomechanics import AXIS, JOINT, Anatomy
from hand4d_ros.hand.model import HandModel, ShapedHand
from hand4d_ros.shapes import Array, Float, Int
from hand4d_ros.tracking.costs import biomechanics, priors
from hand4d_ros.tracking.costs.biomechanical_limits import (
    joint_regions,
    population_intervals,
    rest_keypoints,
)
from hand4d_ros.tracking.costs.penetration import Spheres, inscribed_spheres, penetration
from hand4d_ros.tracking.dynhamr.config import DynHamrConfig
from hand4d_ros.tracking.dynhamr.latents import PriorClip
from hand4d_ros.tracking.dynhamr.posing import Posed
from hand4d_ros.tracking.dynhamr.problem import TrajectoryProblem, angles_slice
from hand4d_ros.tracking.dynhamr.variables import HAND, LOG_SIZE, Unknowns
from hand4d_ros.tracking.solvers.normal_equations import NormalEquations
from hand4d_ros.types import Side

_SHAPE_STEPS = 10
_CURVATURE_STD_M = 1.0
"""How far the palm's curvature may leave its interval (1/m)."""


@dataclass(frozen=True)
class InteractionProblem(TrajectoryProblem):
    """Stage II's energy and the terms of Stage III."""

    spheres: Spheres | None = None
    """Fill the hands; None leaves inter-penetration out."""
    with_regions: bool = True
    prior: PriorClip | None = None
    """The motion prior on this chunk."""

    def add_terms(self, into: NormalEquations, x: Unknowns, hands: list[Posed]) -> None:
        """Add every residual of Stages II and III."""
        super().add_terms(into, x, hands)
        for i in range(x.hands):
            if self.with_regions:
                self._add_regions(into, x, i)
            if self.prior is not None:
                self._add_prior(into, x, i, self.prior)
        if self.spheres is not None and x.hands == len(Side):
            self._add_penetration(into, hands, self.spheres)

    def _add_regions(self, into: NormalEquations, x: Unknowns, i: int) -> None:
        residual, slope = biomechanics.region_excess(x.angles[i], joint_regions())
        std = self.costs.region_std_rad
        every = np.arange(len(residual))
        into.add(every, angles_slice(x, i), residual / std, slope[:, :, None] / std)

    def _add_prior(self, into: NormalEquations, x: Unknowns, i: int, prior: PriorClip) -> None:
        rows = prior.rows
        # A trial step needs no derivative, and most of the time goes into it.
        decoded, by_latent = prior.tangents(x.latents[i], with_turns=not into.only_energy)
        anatomy = Anatomy(self.hand)
        angles = x.angles[i, rows]
        residual, by_angle, by_latent = priors.motion_prior(
            anatomy.local_rotations(angles),
            turn_axes(anatomy, angles),
            decoded,
            by_latent,
            self.costs.motion_prior_std_rad,
        )
        shared = (x.latent_slice(i), by_latent)
        into.add(rows, angles_slice(x, i), residual, by_angle[:, :, None], shared)
        into.add_shared(x.latent_slice(i), x.latents[i], np.eye(x.latents.shape[1]))

    def _add_penetration(self, into: NormalEquations, hands: list[Posed], spheres: Spheres) -> None:
        signs = self.observations.signs
        left_m, right_m = (hand.points_m * sign for hand, sign in zip(hands, signs, strict=True))
        found = penetration(left_m, right_m, spheres)
        if not len(found.frame):
            return
        by = (found.by_left * signs[0], found.by_right * signs[1])
        std = self.costs.penetration_std_m
        slope = np.concatenate(
            [
                np.einsum("ckj,ckjp->cp", each, hand.by_hand[found.frame])
                for each, hand in zip(by, hands, strict=True)
            ],
            axis=1,
        )
        by_size = sum(
            np.einsum("ckj,ckj->c", each, hand.by_size[found.frame])
            for each, hand in zip(by, hands, strict=True)
        )
        # As many rows for each frame as the fullest one has; the others' spare rows are zero.
        frames, place = np.unique(found.frame, return_inverse=True)
        count = np.bincount(place)
        row = np.arange(len(place)) - np.repeat(np.cumsum(count) - count, count)
        shape = (len(frames), int(count.max()))
        residual, jacobian = np.zeros(shape), np.zeros((*shape, 1, 2 * HAND))
        shared = np.zeros((*shape, 1))
        residual[place, row] = found.depth_m / std
        jacobian[place, row, 0] = slope / std
        shared[place, row, 0] = by_size / std
        into.add(frames, slice(0, 2 * HAND), residual, jacobian, (LOG_SIZE, shared))


def turn_axes(anatomy: Anatomy, angles: Float[Array, "t 22"]) -> Float[Array, "t 15 3 22"]:
    """How each angle turns its joint, from the left, in the axes of the parent.

    Args:
        anatomy: Axes of the right hand.
        angles: Angles (rad).
    """
    each = anatomy.axis_rotations(angles)
    flexed = each[..., 0, :, :] @ each[..., 1, :, :]
    before = np.empty((len(angles), 15, 3, 3))
    before[:, :, 0] = anatomy.axes[:, 0]
    before[:, :, 1] = np.einsum("tjxy,jy->tjx", each[..., 0, :, :], anatomy.axes[:, 1])
    before[:, :, 2] = np.einsum("tjxy,jy->tjx", flexed, anatomy.axes[:, 2])
    out = np.zeros((len(angles), 15, 3, 22))
    columns: Int[Array, "22"] = np.arange(22)
    out[:, JOINT, :, columns] = before[:, JOINT, AXIS].swapaxes(0, 1)
    return out


def plausible_shape(model: HandModel, betas: Float[Array, "10"], bone_std: float) -> ShapedHand:
    """Return the shape nearest to a given one whose bones and palm are those of a hand.

    The parametric hand moves bones and palm by its shape alone, so these constraints (L_bl and
    L_palm) are a small problem of their own: they matter for shapes beyond the population's.

    Args:
        model: Right hand.
        betas: Shape coefficients.
        bone_std: How far bones, relative to their length, and palm angles (rad) may leave their
            intervals.
    """
    limits = population_intervals(model)
    directions = rest_keypoints(model, np.eye(10)) - rest_keypoints(model, np.zeros((1, 10)))
    slope_of = np.moveaxis(directions, 0, -1)
    measures = (
        (biomechanics.bone_lengths, limits.bone_m, bone_std * limits.bone_m.mean(axis=0)),
        (biomechanics.palm_angles, limits.palm_rad, np.full(4, bone_std)),
        (biomechanics.palm_curvatures, limits.curvature_m, np.full(4, _CURVATURE_STD_M)),
    )
    here = betas.copy()
    for _ in range(_SHAPE_STEPS):
        information, gradient = np.eye(10), here - betas
        points = rest_keypoints(model, here[None])
        for measure, (low, high), std in measures:
            values, by_point = measure(points)
            excess, active = biomechanics.interval_excess(values[0], low, high)
            J = np.einsum("mkc,kcs->ms", by_point[0], slope_of) * (active / std)[:, None]
            information = information + J.T @ J
            gradient = gradient + J.T @ (excess / std)
        step = np.linalg.solve(information, gradient)
        here = here - step
        if np.abs(step).max() < 1e-6:
            break
    return model.with_shape(here)


def stage_three(
    problem: TrajectoryProblem, config: DynHamrConfig, prior: PriorClip | None
) -> InteractionProblem:
    """Return the problem of Stage III that follows on one of Stage II.

    Args:
        problem: Of Stage II.
        config: Which terms.
        prior: The motion prior on this chunk.
    """
    hand = problem.hand
    if config.biomechanics:
        hand = plausible_shape(hand.model, hand.betas, problem.costs.bone_std)
    spheres = inscribed_spheres(hand.model) if config.penetration else None
    return InteractionProblem(
        *(problem.observations, hand, problem.known, problem.costs, problem.tie),
        spheres=spheres,
        with_regions=config.biomechanics,
        prior=prior,
    )


def encoded(problem: InteractionProblem, x: Unknowns) -> Unknowns:
    """Give both hands the latents that the prior's encoder makes of their motion."""
    if problem.prior is None:
        return x
    anatomy = Anatomy(problem.hand)
    seen = problem.observations.seen
    latents = [
        problem.prior.encoded(anatomy.local_rotations(x.angles[i]), seen[i]) for i in range(x.hands)
    ]
    return replace(x, latents=np.stack(latents))


def infilled(problem: InteractionProblem, x: Unknowns) -> Unknowns:
    """Stage I's generative infilling: unseen frames take the pose of the prior's motion.

    The prior's motion is turned, frame by frame, by what it misses at both ends of the gap, so
    that the pose goes on where it was seen.
    """
    if problem.prior is None or not x.latents.shape[1]:
        return x
    obs = problem.observations
    anatomy = Anatomy(problem.hand)
    angles = x.angles.copy()
    rows = problem.prior.rows
    for i in range(x.hands):
        decoded, _ = problem.prior.tangents(x.latents[i])
        missed = so3.log(anatomy.local_rotations(x.angles[i, rows]) @ decoded.swapaxes(-1, -2))
        own = np.flatnonzero(obs.seen[i, rows])
        if not len(own):
            continue
        for joint in range(15):
            for axis in range(3):
                missed[:, joint, axis] = np.interp(rows, rows[own], missed[own, joint, axis])
        hidden = ~obs.seen[i, rows]
        whole = anatomy.angles(so3.exp(missed) @ decoded)
        angles[i, rows[hidden]] = whole[hidden]
    return replace(x, angles=angles)
