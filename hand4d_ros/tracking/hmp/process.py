"""HMP's fit of one hand over a clip of any length: chunks, two stages each, stitched together."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace

import numpy as np
import torch

from hand4d_ros.geometry import se3, so3
from hand4d_ros.hand.model import HandModel
from hand4d_ros.shapes import Array, Bool, Float
from hand4d_ros.tracking.hmp.config import HmpConfig
from hand4d_ros.tracking.hmp.observations import Observations, blended
from hand4d_ros.tracking.hmp.problem import Belief, ChunkProblem, Unknowns, second_stage
from hand4d_ros.tracking.priors.base import FRAMES, RATE_HZ, MotionPrior
from hand4d_ros.tracking.priors.hmp import HmpPrior
from hand4d_ros.tracking.priors.slerp import filled_rotations
from hand4d_ros.tracking.solvers import gauss_newton, reference
from hand4d_ros.tracking.solvers.gauss_newton import GaussNewtonConfig

CLIP_S = FRAMES / RATE_HZ
_EPSILON_S = 1e-6

Progress = Callable[[int, int], None]
"""Takes the number of chunks done and the number of all."""


@dataclass(frozen=True)
class Motion:
    """One right hand over ``f`` frames, fitted."""

    R: Float[Array, "f 3 3"]
    wrist_m: Float[Array, "f 3"]
    local: Float[Array, "f 15 3 3"]
    betas: Float[Array, "f 10"]

    @property
    def T_world_wrist(self) -> Float[Array, "f 4 4"]:
        """Pose of the wrist."""
        return se3.from_rotation_translation(self.R, self.wrist_m)

    def part(self, rows: slice) -> Motion:
        """Return some of the frames."""
        return Motion(self.R[rows], self.wrist_m[rows], self.local[rows], self.betas[rows])

    def with_start(self, other: Motion) -> Motion:
        """Return the motion with its first frames taken from another."""
        rest = slice(len(other.R), None)
        names = ("R", "wrist_m", "local", "betas")
        return Motion(
            *(np.concatenate((getattr(other, name), getattr(self, name)[rest])) for name in names)
        )


def fit(
    observed: Observations,
    prior: MotionPrior,
    model: HandModel,
    config: HmpConfig,
    progress: Progress | None = None,
) -> Motion:
    """Fit one hand over a clip.

    Args:
        observed: What was seen of it.
        prior: Of its motion.
        model: Right hand.
        config: Settings.
        progress: Called after every chunk.
    """
    whole = _first_estimate(observed)
    rows = list(chunk_rows(observed.times_s, config.overlap))
    end = 0
    for number, part in enumerate(rows):
        fitted = fit_chunk(observed.part(part), prior, model, config)
        whole = stitched(whole, fitted, part, end)
        end = part.stop
        if progress is not None:
            progress(number + 1, len(rows))
    return whole


def fit_chunk(
    observed: Observations, prior: MotionPrior, model: HandModel, config: HmpConfig
) -> Motion:
    """Fit one hand over at most a clip's length in two stages (section 3.4).

    A chunk in which the hand was never seen stays as it was interpolated.
    """
    if not observed.seen.any() or len(observed) < 3:
        return _first_estimate(observed)
    observed = blended(observed, model, config.blend)
    belief = encoded(observed, prior, config)
    first = ChunkProblem(observed, prior, model, belief, config, observed.local)
    x = _solved(first, first.start(), config, 0)
    both = second_stage(first)
    x = _solved(both, x, config, 1)
    betas = np.broadcast_to(x.betas, (len(observed), 10))
    return Motion(x.R, x.wrist_m, both.poses(x.latent), betas)


def _solved(problem: ChunkProblem, x: Unknowns, config: HmpConfig, stage: int) -> Unknowns:
    if config.solver == "adam":
        steps = config.adam_steps[stage]
        return reference.minimise(problem, x, "adam", steps, config.adam_rate)[0]
    settings = GaussNewtonConfig(iterations=config.newton_steps[stage], tolerance=1e-3)
    return gauss_newton.solve(problem, x, settings)[0]


def encoded(observed: Observations, prior: MotionPrior, config: HmpConfig) -> Belief:
    """Return what the prior's encoder makes of the first estimate.

    The frames of a clip are at 30 fps; those of the camera are brought there by SLERP.
    """
    local, seen = resampled(observed)
    rotations = torch.as_tensor(local).float()[None]
    known = torch.as_tensor(seen)[None]
    with torch.no_grad():
        if isinstance(prior, HmpPrior) and config.estimate_weight > 0.0:
            mean, std = (part[0].double().numpy() for part in prior.posterior(rotations, known))
            return tempered(mean, std.clip(config.least_latent_std, 1.0), config.estimate_weight)
        mean = prior.encode(rotations, known)[0].double().numpy()
        return Belief(mean, None, mean)


def tempered(mean: Float[Array, " z"], std: Float[Array, " z"], weight: float) -> Belief:
    """Return the latent's distribution with the evidence in it weakened.

    The standard normal times the likelihood to the power of the weight, where the given normal is
    the standard normal times the likelihood.

    Args:
        mean: Given the estimate.
        std: Given the estimate, at most 1.
        weight: 1 keeps everything, 0 leaves the standard normal.
    """
    precision = 1.0 + weight * (1.0 / std**2 - 1.0)
    return Belief(weight * mean / std**2 / precision, precision**-0.5, mean)


def resampled(observed: Observations) -> tuple[Float[Array, "128 15 3 3"], Bool[Array, "128"]]:
    """Return poses at the frames of a clip, and which of these have a seen frame nearby."""
    times_s = observed.times_s - observed.times_s[0]
    clip_s = np.arange(FRAMES) / RATE_HZ
    every = np.concatenate((times_s, clip_s))
    order = np.argsort(every, kind="stable")
    given = np.concatenate((np.ones(len(times_s), bool), np.zeros(FRAMES, bool)))
    local = np.concatenate((observed.local, np.tile(np.eye(3), (FRAMES, 15, 1, 1))))
    dense = filled_rotations(local[order], given[order], every[order])
    back = np.empty_like(order)
    back[order] = np.arange(len(order))
    known_s = times_s[observed.seen]
    # Between two frames of a slower camera nothing is missing.
    reach_s = max(0.75 / RATE_HZ, 0.51 * float(np.median(np.diff(times_s))))
    near = np.abs(clip_s[:, None] - known_s).min(axis=1) < reach_s
    return dense[back[len(times_s) :]], near


def chunk_rows(times_s: Float[Array, " f"], overlap: int) -> Iterator[slice]:
    """Yield the frames of each chunk; the last one reaches back to be of full length too.

    Args:
        times_s: Rising, from 0.
        overlap: Frames (at 30 fps) that a chunk shares with the next one.
    """
    stride_s = (FRAMES - overlap) / RATE_HZ
    last_s = max(float(times_s[-1]) - CLIP_S + 1.0 / RATE_HZ, 0.0)
    count = 1 + max(int(np.ceil((last_s - _EPSILON_S) / stride_s)), 0)
    for number in range(count):
        start_s = min(number * stride_s, last_s)
        first = np.searchsorted(times_s, start_s - _EPSILON_S)
        stop = np.searchsorted(times_s, times_s[first] + CLIP_S - _EPSILON_S)
        yield slice(int(first), int(stop))


def stitched(whole: Motion, chunk: Motion, rows: slice, end: int) -> Motion:
    """Put a chunk into the motion; where it overlaps, one fades into the other.

    Args:
        whole: What the chunks before it gave.
        chunk: The new one.
        rows: Its frames.
        end: Where the chunks before it end.
    """
    shared = max(min(end, rows.stop) - rows.start, 0)
    share = np.ones(rows.stop - rows.start)
    step = (np.arange(shared) + 1.0) / (shared + 1.0)
    share[:shared] = step * step * (3.0 - 2.0 * step)
    joints = np.repeat(share[:, None], 15, axis=1)
    flat = share[:, None]
    R, wrist_m, local, betas = (
        part.copy() for part in (whole.R, whole.wrist_m, whole.local, whole.betas)
    )
    R[rows] = so3.interpolate(R[rows], chunk.R, share)
    local[rows] = so3.interpolate(local[rows], chunk.local, joints)
    wrist_m[rows] += flat * (chunk.wrist_m - wrist_m[rows])
    betas[rows] += flat * (chunk.betas - betas[rows])
    return replace(whole, R=R, wrist_m=wrist_m, local=local, betas=betas)


def _first_estimate(observed: Observations) -> Motion:
    T = observed.T_world_wrist
    betas = np.tile(observed.betas, (len(observed), 1))
    return Motion(T[:, :3, :3], T[:, :3, 3], observed.local, betas)
