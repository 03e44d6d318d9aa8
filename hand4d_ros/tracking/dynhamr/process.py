"""Frames in, tracks of both hands in the world out: chunk by chunk, in bounded memory."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from hand4d_ros.estimation.keypoint_fit.config import KeypointFitConfig
from hand4d_ros.estimation.keypoint_fit.process import KeypointFit
from hand4d_ros.hand.biomechanics import Anatomy
from hand4d_ros.hand.model import HandModel
from hand4d_ros.shapes import Array, Float
from hand4d_ros.tracking.dynhamr import stages
from hand4d_ros.tracking.dynhamr.config import DynHamrConfig
from hand4d_ros.tracking.dynhamr.latents import PriorClip
from hand4d_ros.tracking.dynhamr.observations import SeenFrame, gathered
from hand4d_ros.tracking.dynhamr.problem import Known, Tie, TrajectoryProblem
from hand4d_ros.tracking.dynhamr.sides import with_sides
from hand4d_ros.tracking.dynhamr.solution import Solution, TrackWriter
from hand4d_ros.tracking.dynhamr.variables import Unknowns
from hand4d_ros.types import Frame, HandDetection, HandTrack, Side

if TYPE_CHECKING:
    from hand4d_ros.tracking.priors.base import MotionPrior

_TIED_FRAMES = 3
_LONGEST_PAUSE_NS = 1_000_000_000
_NO_IMAGE = np.zeros((1, 1, 3), dtype=np.uint8)


@dataclass(frozen=True)
class RefinedFrame:
    """One frame after the optimisation."""

    frame: Frame
    """Without its image; the camera stands where the optimisation has it, in a world of metres.
    Without a pose where nothing was optimised and the odometry was silent."""
    tracks: tuple[HandTrack, ...]
    """Observed and infilled hands."""


@dataclass(frozen=True)
class _Belief:
    """What is known of the logarithms of the hands' size and of the world scale."""

    mean: Float[Array, "2"]
    covariance: Float[Array, "2 2"]

    def of_chunk(self, travel_std: float) -> Known:
        """As a prior on the scale of one chunk's way, which drift has changed a little."""
        covariance = self.covariance + np.diag([0.0, travel_std**2])
        return Known(self.mean, np.linalg.cholesky(np.linalg.inv(covariance)).T)


@dataclass(frozen=True)
class _Carried:
    """What a chunk hands on to the next."""

    tie: Tie
    sides: tuple[Side, ...]
    start_m: Float[Array, "3"]


class DynHamr:
    """Dyn-HaMR offline: feed every frame in order, then ``finish``."""

    def __init__(
        self,
        config: DynHamrConfig,
        model: HandModel,
        *,
        odometry_is_metric: bool = True,
        keypoint_fit: KeypointFitConfig | None = None,
    ) -> None:
        """Refine the hands of one person.

        Args:
            config: Settings.
            model: Hand model of either side.
            odometry_is_metric: Whether its distances are metres; else its scale is estimated.
            keypoint_fit: Of the hands of single frames.

        Raises:
            HandModelError: The calibration file is unusable.
        """
        self.config = config
        self._right = model if model.side is Side.RIGHT else model.mirrored()
        self._fit = KeypointFit(keypoint_fit or KeypointFitConfig(), self._right)
        self._metric = odometry_is_metric
        costs = config.costs
        scale_std = costs.metric_scale_std if odometry_is_metric else costs.unknown_scale_std
        size_std = self._fit.size.relative_std(self._right)
        self._belief = _Belief(np.zeros(2), np.diag([size_std**2, scale_std**2]))
        self._prior = _motion_prior(config)
        self._frames: list[SeenFrame] = []
        self._fresh: list[tuple[Frame, tuple[HandDetection, ...]]] = []
        self._carried: _Carried | None = None
        self._writer = TrackWriter(self._right, config.longest_gap_frames)
        self.solutions: list[Solution] = []
        """What the last call of ``push`` or ``finish`` solved."""

    @property
    def model_id(self) -> str:
        """Method and hand model, as published with every message."""
        return f"dynhamr{self.config.stages}/{self._right.name}"

    def push(self, frame: Frame, detections: Sequence[HandDetection]) -> list[RefinedFrame]:
        """Take a frame with what the detector found, unscreened; return those that are done.

        A frame of another camera, one whose stamp runs back, or one after a long pause starts
        anew.
        """
        self.solutions = []
        done: list[RefinedFrame] = []
        if self._breaks_off(frame):
            done = self.finish()
        elif len(self._frames) + len(self._fresh) >= self.config.chunk_frames:
            done = self._solve(last=False)
        self._fresh.append((replace(frame, image=_NO_IMAGE), tuple(detections)))
        return done

    def finish(self) -> list[RefinedFrame]:
        """Solve what is left; the next frame starts anew, but for the size of the hands."""
        done = self._solve(last=True) if self._fresh or self._frames else []
        self._frames, self._fresh, self._carried = [], [], None
        self._fit.reset()
        return done

    def _breaks_off(self, frame: Frame) -> bool:
        last = self._fresh[-1][0] if self._fresh else None
        if last is None and self._frames:
            last = self._frames[-1].frame
        if last is None:
            return False
        pause_ns = frame.stamp_ns - last.stamp_ns
        return frame.camera != last.camera or not 0 < pause_ns <= _LONGEST_PAUSE_NS

    def _solve(self, *, last: bool) -> list[RefinedFrame]:
        """Solve one chunk, hand out its settled frames and keep the rest."""
        self._estimate_fresh()
        frames = self._frames
        hand = self._right.with_shape(self._fit.size.betas)
        # A metric odometry's world is kept; one of another scale goes on where the last chunk is.
        start_m = None if self._carried is None or self._metric else self._carried.start_m
        found = gathered(frames, Anatomy(hand), self.config.costs, start_m)
        if found is None:
            settled = len(frames) if last else max(len(frames) - self.config.overlap_frames, 1)
            self._frames, self._carried = frames[settled:], None
            return [RefinedFrame(each.frame, ()) for each in frames[:settled]]
        obs, guess = found
        known = self._belief.of_chunk(obs.travel_std)
        tie = None
        if self._carried is not None and self._carried.sides == obs.sides:
            tie = self._carried.tie
        problem = TrajectoryProblem(obs, hand, known, self.config.costs, tie)
        start = stages.initialised(obs, guess, *known.mean)
        prior = None if self._prior is None else PriorClip(self._prior, obs.stamps_ns)
        solution = Solution(*stages.optimised(problem, start, self.config, prior))
        if tie is not None:
            solution = _joined(solution, tie, self.config.overlap_frames)
        self.solutions.append(solution)
        settled = len(frames) if last else self._settled(solution)
        refined = [
            RefinedFrame(replace(each.frame, T_world_camera=T), tracks)
            for each, T, tracks in zip(
                frames[:settled],
                solution.T_world_camera,
                self._writer.tracks(solution, settled),
                strict=False,
            )
        ]
        self._learn(solution)
        self._carried = None if last else _carry(solution, settled)
        self._frames = frames[settled:]
        return refined

    def _estimate_fresh(self) -> None:
        """Give sides to the new detections, seen together with the kept frames, and fit them."""
        frames = [each.frame for each in self._frames] + [frame for frame, _ in self._fresh]
        found = [each.detections for each in self._frames]
        # What the chunk before has settled is as good as certain.
        settled = [tuple(replace(d, score=1.0) for d in each) for each in found]
        raw = settled + [each for _, each in self._fresh]
        R = np.tile(np.eye(3), (len(frames), 1, 1))
        for row, frame in enumerate(frames):
            if frame.T_world_camera is not None:
                R[row] = frame.T_world_camera[:3, :3]
            elif row:
                R[row] = R[row - 1]
        stamps_ns = np.array([frame.stamp_ns for frame in frames])
        sided = with_sides(raw, frames[0].camera, R, stamps_ns)
        for frame, each in zip(frames[len(found) :], sided[len(found) :], strict=True):
            states = tuple(self._fit.estimate(frame, each))
            self._frames.append(SeenFrame(frame, each, states))
        self._fresh = []

    def _learn(self, solution: Solution) -> None:
        """Keep what a chunk has found out about the size, and about an unknown scale."""
        x, covariance = solution.unknowns, solution.shared_covariance
        mean = np.array([x.log_size, x.log_scale])
        if self._metric:
            # The scale of a chunk's way is its own; that of the odometry stays what it was.
            mean[1] = self._belief.mean[1]
            kept = np.diag([covariance[0, 0], self._belief.covariance[1, 1]])
        else:
            kept = covariance + np.diag([0.0, solution.observations.travel_std**2])
        self._belief = _Belief(mean, kept)

    def _settled(self, solution: Solution) -> int:
        """Frames that are handed out now; an open gap waits for where the hand comes back."""
        n = len(solution.observations.stamps_ns)
        settled = n - min(self.config.overlap_frames, n - 1)
        for seen in solution.observations.seen:
            known = np.flatnonzero(seen)
            open_gap = n - 1 - known[-1] if len(known) else 0
            if 0 < open_gap <= self.config.longest_gap_frames:
                settled = min(settled, int(known[-1]) + 1)
        return max(settled, n // 2)


def _carry(solution: Solution, settled: int) -> _Carried:
    x: Unknowns = solution.unknowns
    first = slice(settled, settled + _TIED_FRAMES)
    # The next chunk's odometry is moved to start where this camera stands, correction included.
    correction = x.correction[first].copy()
    correction[:, 3:] -= x.correction[settled, 3:]
    tie = Tie(x.log_size, x.R[:, first], x.wrist_m[:, first], x.angles[:, first], correction)
    start_m = solution.T_world_camera[settled, :3, 3]
    return _Carried(tie, solution.observations.sides, start_m)


def _joined(solution: Solution, tie: Tie, frames: int) -> Solution:
    """Let the hands start where the chunk before left them, and fade into this chunk's places.

    A better idea of the size moves a hand along its viewing ray, which must not look like a jump.
    """
    x = solution.unknowns
    fade = np.clip(1.0 - np.arange(x.wrist_m.shape[1]) / frames, 0.0, None)
    missing_m = tie.wrist_m[:, :1] - x.wrist_m[:, :1]
    unknowns = replace(x, wrist_m=x.wrist_m + fade[:, None] * missing_m)
    return replace(solution, unknowns=unknowns)


def _motion_prior(config: DynHamrConfig) -> MotionPrior | None:
    if not config.motion_prior or config.stages < 3:
        return None
    from hand4d_ros.tracking.priors.registry import load_prior

    return load_prior(config.motion_prior)
