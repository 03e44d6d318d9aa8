"""HMP over a stream of any length: frames in, refined tracks out, a few chunks in memory.

Frames are kept until a chunk is full and the longest gap that may follow it has passed, so that a
gap at the chunk's end has its other side. A solved chunk gives out its frames but for those that
it shares with the next one, into which it fades.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import pairwise

import numpy as np

from hand4d_ros.estimation.keypoint_fit.config import KeypointFitConfig
from hand4d_ros.estimation.keypoint_fit.process import KeypointFit
from hand4d_ros.hand.model import HandModel
from hand4d_ros.shapes import Array, Bool, Float, Int
from hand4d_ros.tracking.config import TrackerConfig
from hand4d_ros.tracking.dynhamr.process import RefinedFrame
from hand4d_ros.tracking.hmp.config import HmpConfig
from hand4d_ros.tracking.hmp.observations import observations_from_tracks
from hand4d_ros.tracking.hmp.process import CLIP_S, Motion, chunk_rows, fit_chunk, stitched
from hand4d_ros.tracking.hmp.tracks import refined_track
from hand4d_ros.tracking.priors.base import RATE_HZ, MotionPrior
from hand4d_ros.tracking.priors.registry import load_prior
from hand4d_ros.tracking.tracker import Tracker
from hand4d_ros.types import (
    Frame,
    HandDetection,
    HandTrack,
    LandmarkDefinition,
    Side,
    TrackingState,
)

_LONGEST_PAUSE_NS = 1_000_000_000
_NO_IMAGE = np.zeros((1, 1, 3), dtype=np.uint8)


@dataclass(frozen=True)
class _Kept:
    """A frame that waits, without its image."""

    frame: Frame
    tracks: tuple[HandTrack, ...]


class Hmp:
    """HMP offline: feed every frame in order, then ``finish``."""

    def __init__(
        self,
        config: HmpConfig,
        model: HandModel,
        prior: MotionPrior | None = None,
        keypoint_fit: KeypointFitConfig | None = None,
        tracker: TrackerConfig | None = None,
    ) -> None:
        """Refine the hands of one person.

        Args:
            config: Settings.
            model: Right hand.
            prior: Of motion; None loads the configured one.
            keypoint_fit: Of the first estimates.
            tracker: Of their identities.

        Raises:
            WeightsError: The prior's weights are missing or unusable.
            HandModelError: The calibration file is unusable.
        """
        self.config = config
        self._model = model
        self._prior = prior or load_prior(config.prior)
        self._estimator = KeypointFit(keypoint_fit or KeypointFitConfig(), model)
        self._tracker = Tracker(tracker or TrackerConfig(), model)
        self._kept: list[_Kept] = []
        self._solved: dict[Side, Motion] = {}
        self._seen: dict[Side, HandTrack] = {}
        self._landmarks: LandmarkDefinition = "joints"

    @property
    def model_id(self) -> str:
        """Method and hand model, as published with every message."""
        return f"{self._prior.name}/{self._model.name}"

    def push(self, frame: Frame, detections: Sequence[HandDetection]) -> list[RefinedFrame]:
        """Take a frame with what the detector found, unscreened; return those that are done.

        A frame of another camera, one whose stamp runs back, or one after a long pause starts
        anew.
        """
        done: list[RefinedFrame] = []
        if self._breaks_off(frame):
            done = self.finish()
        states = []
        if frame.T_world_camera is not None:
            screened = self._tracker.screen(frame, detections)
            states = self._estimator.estimate(frame, screened)
            self._landmarks = screened[0].landmarks if screened else self._landmarks
        tracks = tuple(self._tracker.update(frame, states))
        self._kept.append(_Kept(replace(frame, image=_NO_IMAGE), tracks))
        waits_ns = (CLIP_S + self.config.longest_gap_s) * 1e9
        if frame.stamp_ns - self._kept[0].frame.stamp_ns >= waits_ns:
            done += self._solve()
        return done

    def finish(self) -> list[RefinedFrame]:
        """Solve what is left; the next frame starts anew."""
        done: list[RefinedFrame] = []
        while self._kept:
            done += self._solve(last=True)
        self._estimator.reset()
        self._tracker.reset()
        self._solved, self._seen = {}, {}
        return done

    def _breaks_off(self, frame: Frame) -> bool:
        if not self._kept:
            return False
        last = self._kept[-1].frame
        pause_ns = frame.stamp_ns - last.stamp_ns
        return frame.camera != last.camera or not 0 < pause_ns <= _LONGEST_PAUSE_NS

    def _solve(self, *, last: bool = False) -> list[RefinedFrame]:
        """Solve the first chunk of what is kept and hand out its settled frames."""
        stamps_ns = np.array([kept.frame.stamp_ns for kept in self._kept])
        times_s = (stamps_ns - stamps_ns[0]) * 1e-9
        stop = next(chunk_rows(times_s, self.config.overlap)).stop
        shared = int((times_s[:stop] >= times_s[stop - 1] - self.config.overlap / RATE_HZ).sum())
        over = last and stop == len(stamps_ns)
        settled = stop if over else max(stop - shared, 1)
        refined: list[list[HandTrack]] = [[] for _ in range(settled)]
        for side in Side:
            motion = self._fitted(side, stamps_ns, stop)
            for row, track in enumerate(self._tracks(side, stamps_ns[:settled], motion)):
                refined[row] += track
            self._solved.pop(side, None)
            if motion is not None and not over:
                self._solved[side] = motion[0].part(slice(settled, stop))
        kept = self._kept[:settled]
        self._kept = self._kept[settled:]
        return [RefinedFrame(k.frame, tuple(t)) for k, t in zip(kept, refined, strict=True)]

    def _fitted(
        self, side: Side, stamps_ns: Int[Array, " n"], stop: int
    ) -> tuple[Motion, Bool[Array, " f"]] | None:
        """Fit one side's chunk; with it comes which frames have a hand."""
        camera = self._kept[0].frame.camera
        poses = [kept.frame.T_world_camera for kept in self._kept]
        T = np.stack([np.full((4, 4), np.nan) if pose is None else pose for pose in poses])
        tracks = [kept.tracks for kept in self._kept]
        observed = observations_from_tracks(
            side, stamps_ns, tracks, camera, T, self._landmarks, self.config
        )
        if observed is None:
            return None
        there = within_gaps(observed.seen, observed.times_s, self.config.longest_gap_s)
        first = int(np.argmax(observed.seen))
        before = self._seen.get(side)
        if before is not None:
            # A gap that began before the first frame that is kept.
            gap_s = 1e-9 * float(stamps_ns[first] - before.stamp_ns)
            there[:first] = gap_s <= self.config.longest_gap_s
        carried = self._solved.get(side)
        motion = fit_chunk(observed.part(slice(0, stop)), self._prior, self._model, self.config)
        if carried is not None:
            whole = motion.with_start(carried)
            motion = stitched(whole, motion, slice(0, stop), len(carried.R))
        return motion, there[:stop]

    def _tracks(
        self,
        side: Side,
        stamps_ns: Int[Array, " n"],
        fitted: tuple[Motion, Bool[Array, " f"]] | None,
    ) -> list[list[HandTrack]]:
        """Return the tracks of one side: refined where there is a hand, else as they were."""
        given = [
            next((t for t in kept.tracks if t.hand.side is side), None)
            for kept in self._kept[: len(stamps_ns)]
        ]
        out: list[list[HandTrack]] = [[] if track is None else [track] for track in given]
        if fitted is None:
            return out
        motion, there = fitted
        for row in np.flatnonzero(there[: len(stamps_ns)]):
            own = given[row]
            if own is not None and own.tracking_state is TrackingState.OBSERVED:
                self._seen[side] = own
            template = self._seen.get(side)
            if template is not None:
                stamp_ns = int(stamps_ns[row])
                out[row] = [refined_track(template, stamp_ns, motion, int(row), self._model)]
        return out


def within_gaps(
    seen: Bool[Array, " f"], times_s: Float[Array, " f"], longest_s: float
) -> Bool[Array, " f"]:
    """Tell which frames are seen or in a gap, between seen ones, that is not too long.

    Args:
        seen: Frames that were seen.
        times_s: Rising.
        longest_s: Longest gap.
    """
    known = np.flatnonzero(seen)
    there = np.array(seen)
    for before, after in pairwise(known):
        if times_s[after] - times_s[before] <= longest_s:
            there[before:after] = True
    return there
