"""The stages of Dyn-HaMR on one chunk: initialisation, trajectories in the world, priors."""

from __future__ import annotations

import itertools
from dataclasses import replace

import numpy as np

from hand4d_ros.geometry import so3
from hand4d_ros.shapes import Array, Bool, Float, Int
from hand4d_ros.tracking.dynhamr import interaction
from hand4d_ros.tracking.dynhamr.config import DynHamrConfig
from hand4d_ros.tracking.dynhamr.latents import PriorClip
from hand4d_ros.tracking.dynhamr.observations import FirstGuess, Observations
from hand4d_ros.tracking.dynhamr.problem import TrajectoryProblem
from hand4d_ros.tracking.dynhamr.variables import SHARED, Unknowns
from hand4d_ros.tracking.solvers.banded import factorised, frame_covariances
from hand4d_ros.tracking.solvers.base import Report
from hand4d_ros.tracking.solvers.gauss_newton import solve


def initialised(
    obs: Observations, guess: FirstGuess, log_size: float = 0.0, log_scale: float = 0.0
) -> Unknowns:
    """Stage I: hands of single frames in the world, gaps closed by SLERP and straight lines.

    Args:
        obs: The chunk.
        guess: Hands of single frames.
        log_size: Size to start from; hands keep their place in the image.
        log_scale: World scale to start from; hands move with the camera as its travel is scaled.
    """
    eye_m = obs.T_odom_camera[:, :3, 3]
    centre_m = eye_m[0] + np.exp(log_scale) * (eye_m - eye_m[0])
    h, t = guess.wrist_m.shape[:2]
    ahead_m = guess.wrist_m * obs.signs[:, None] - eye_m
    wrist_m = (centre_m + np.exp(log_size) * ahead_m) * obs.signs[:, None]
    x = Unknowns(
        guess.R, wrist_m, guess.angles, np.zeros((t, 6)), log_size, log_scale, np.zeros((h, 0))
    )
    return interpolated(x, obs)


def neighbours(
    known: Int[Array, "k"], stamps_ns: Int[Array, "t"]
) -> tuple[Int[Array, "t"], Int[Array, "t"], Float[Array, "t"]]:
    """For every frame the known ones before and after it, and how far it is between them.

    Args:
        known: Rising numbers of frames, at least one.
        stamps_ns: Rising capture times.
    """
    frames = np.arange(len(stamps_ns))
    place = np.searchsorted(known, frames)
    after = known[np.clip(place, 0, len(known) - 1)]
    before = np.where(after == frames, after, known[np.clip(place - 1, 0, len(known) - 1)])
    span_ns = (stamps_ns[after] - stamps_ns[before]).astype(np.float64)
    since_ns = (stamps_ns - stamps_ns[before]).astype(np.float64)
    return before, after, np.where(span_ns > 0.0, since_ns / np.maximum(span_ns, 1.0), 0.0)


def covered(seen: Bool[Array, "t"], longest_gap: int) -> Bool[Array, "t"]:
    """Frames from the first to the last in which a hand was seen, without the long gaps.

    Args:
        seen: Where it was.
        longest_gap: Longest gap that is filled.
    """
    known = np.flatnonzero(seen)
    out = seen.copy()
    for before, after in itertools.pairwise(known):
        if after - before - 1 <= longest_gap:
            out[before:after] = True
    return out


def _mixed(
    values: Float[Array, "t d"],
    before: Int[Array, "t"],
    after: Int[Array, "t"],
    alpha: Float[Array, "t"],
) -> Float[Array, "t d"]:
    return (1.0 - alpha[:, None]) * values[before] + alpha[:, None] * values[after]


def optimised(
    problem: TrajectoryProblem,
    start: Unknowns,
    config: DynHamrConfig,
    prior: PriorClip | None = None,
) -> tuple[TrajectoryProblem, Unknowns, Float[Array, "t p p"], Float[Array, "2 2"], Report]:
    """Stages II and III, as far as they are wanted.

    Args:
        problem: The chunk.
        start: From Stage I.
        config: Which stages and terms.
        prior: The motion prior on this chunk.

    Returns:
        The problem solved last, the unknowns, the covariance of each frame's, that of size and
        scale, and how it went.
    """
    x, report = start, Report()
    third = interaction.stage_three(problem, config, prior) if config.stages >= 3 else None
    if third is not None and config.infilling:
        x = interaction.infilled(third, interaction.encoded(third, x))
    if config.stages >= 2:
        x, _, report = solve(problem, replace(x, latents=np.zeros((x.hands, 0))), config.solver)
    if third is not None:
        x, _, more = solve(third, interaction.encoded(third, x), config.solver)
        report = report.followed_by(more)
    last = third or problem
    at = last.linearise(x)
    frames, border = at.diagonal
    factor = factorised(at, 1e-9 * frames, 1e-9 * border)
    if not config.infilling:
        x = interpolated(x, problem.observations)
    own = frame_covariances(at, factor)
    return last, x, own, factor.border_covariance()[:SHARED, :SHARED], report


def interpolated(x: Unknowns, obs: Observations) -> Unknowns:
    """Close the gaps by SLERP and straight lines, whatever the optimisation made of them."""
    closed = [_closed(x.R[i], x.wrist_m[i], x.angles[i], obs, i) for i in range(x.hands)]
    R, wrist_m, angles = (np.stack(each) for each in zip(*closed, strict=True))
    return replace(x, R=R, wrist_m=wrist_m, angles=angles)


def _closed(
    R: Float[Array, "t 3 3"],
    wrist_m: Float[Array, "t 3"],
    angles: Float[Array, "t 22"],
    obs: Observations,
    i: int,
) -> tuple[Float[Array, "t 3 3"], Float[Array, "t 3"], Float[Array, "t 22"]]:
    before, after, alpha = neighbours(np.flatnonzero(obs.seen[i]), obs.stamps_ns)
    turned = so3.interpolate(R[before], R[after], alpha)
    return turned, _mixed(wrist_m, before, after, alpha), _mixed(angles, before, after, alpha)
