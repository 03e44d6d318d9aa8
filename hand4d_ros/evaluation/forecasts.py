"""Forecasts of a recording at many instants, judged by what the hands then did."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from hand4d_ros.errors import MetricError
from hand4d_ros.evaluation.clips import Clip
from hand4d_ros.evaluation.judging import merged
from hand4d_ros.evaluation.metrics_distribution import diversity, motion_embedding, multimodality
from hand4d_ros.evaluation.motions import Motion
from hand4d_ros.evaluation.scoring import ClipFigures, ForecastPair, evaluate_forecast
from hand4d_ros.forecasting.base import Forecaster
from hand4d_ros.geometry import se3, so3
from hand4d_ros.shapes import Array, Float, Int
from hand4d_ros.types import ForecastMode, Frame, HandForecast, HandTrack, Side, TrackingState

STEP_S = 1.0 / 30.0
HORIZON_S = 2.0
PAST_S = 1.0
"""How far back a forecaster may look."""
SLICES_S = (0.1, 0.3, 0.5, 1.0, 2.0)
"""Ends of the parts of the horizon that get figures of their own."""
_ALIGNED_KEYS = ("m_g_cm", "m_f_cm")
"""Figures that are aligned on the whole forecast, which a part of it does not have."""


@dataclass(frozen=True)
class Recording:
    """Hands over ``t`` instants ``STEP_S`` apart: what was tracked, and what they truly did."""

    name: str
    stamps_ns: Int[Array, "t"]
    tracks: tuple[tuple[HandTrack, ...], ...]
    """What a forecaster may see of each instant."""
    motions: tuple[Motion, ...]
    """What is true."""
    rows: tuple[int, ...]
    """Instants to forecast at."""
    clip: Clip | None = None
    """Camera and images; None where there is no camera."""

    def past(self, row: int) -> tuple[tuple[HandTrack, ...], ...]:
        """Return the tracks of the last moments before an instant, and of it."""
        first = int(np.searchsorted(self.stamps_ns, self.stamps_ns[row] - PAST_S * 1e9))
        return self.tracks[first : row + 1]

    def frame(self, row: int, *, with_image: bool) -> Frame | None:
        """Return the camera's frame of an instant; None where there is no camera."""
        return None if self.clip is None else self.clip.frame(row, with_image=with_image)


@dataclass
class Judgement:
    """What one forecaster did on one recording."""

    forecasts: int = 0
    milliseconds: list[float] = field(default_factory=list)
    figures: list[ClipFigures] = field(default_factory=list)
    """One a forecast."""
    slices: dict[str, list[ClipFigures]] = field(default_factory=dict)
    """The same for the parts of the horizon."""
    steps: dict[str, int] = field(default_factory=dict)
    """Steps of hands whose future is known, in each part."""
    embeddings: list[Float[Array, "k d"]] = field(default_factory=list)
    """Futures of both hands, where both were forecast and their whole future is known."""
    true_embeddings: list[Float[Array, "d"]] = field(default_factory=list)

    def merged(self, name: str) -> ClipFigures:
        """All forecasts of the recording as one record."""
        return merged(name, self.figures)

    def merged_slices(self, name: str) -> dict[str, ClipFigures]:
        """The same for each part of the horizon that has figures."""
        return {
            part: merged(name, figures, without=_ALIGNED_KEYS)
            for part, figures in self.slices.items()
            if figures
        }


def slice_names() -> tuple[str, ...]:
    """Names of the parts of the horizon, such as ``0.1-0.3 s``."""
    starts = (0.0, *SLICES_S[:-1])
    return tuple(f"{a:g}-{b:g} s" for a, b in zip(starts, SLICES_S, strict=True))


def judge_forecaster(
    recording: Recording, forecaster: Forecaster, *, with_image: bool = False
) -> Judgement:
    """Forecast at every instant of a recording and compare with what followed.

    A hand that is not tracked at an instant gets no forecast there, and is not judged.

    Args:
        recording: Past and future.
        forecaster: To be judged.
        with_image: Whether to draw the images for it.

    Raises:
        MetricError: A forecast has another step or a shorter horizon than is judged.
    """
    found = Judgement(slices={name: [] for name in slice_names()})
    for row in recording.rows:
        past = recording.past(row)
        frame = recording.frame(row, with_image=with_image)
        started_s = time.perf_counter()
        forecasts = forecaster.forecast(past, frame)
        found.milliseconds.append((time.perf_counter() - started_s) * 1e3)
        pair = forecast_pair(recording, row, forecasts)
        if pair is None:
            continue
        found.forecasts += 1
        found.figures.append(evaluate_forecast(pair))
        _add_slices(found, pair)
        _add_embeddings(found, recording, row, forecasts)
    return found


def forecast_pair(
    recording: Recording, row: int, forecasts: Sequence[HandForecast]
) -> ForecastPair | None:
    """Bring forecast and truth of one instant into arrays over both hands.

    Modes are paired by their place: the most probable of one hand with that of the other.

    Args:
        recording: Past and future.
        row: Number of the instant.
        forecasts: At most one a hand.

    Returns:
        The pair; None where no hand was forecast whose future is known.

    Raises:
        MetricError: A forecast has another step or a shorter horizon than is judged.
    """
    steps = round(HORIZON_S / STEP_S)
    count = max((len(each.modes) for each in forecasts), default=0)
    truth_m = np.full((steps, len(Side), 21, 3), np.nan)
    modes_m = np.full((count, steps, len(Side), 21, 3), np.nan)
    radius_m = np.full((count, steps, len(Side)), np.nan)
    probabilities = np.zeros(count)
    for forecast in forecasts:
        now = _track_now(recording, row, forecast.side)
        motion = _motion_now(recording, row, forecast.side)
        if now is None or motion is None or not forecast.modes:
            continue
        known = min(steps, len(recording.stamps_ns) - row - 1)
        truth_m[:known, forecast.side] = motion.keypoints_m[row + 1 : row + 1 + known]
        for place in range(count):
            mode = forecast.modes[min(place, len(forecast.modes) - 1)]
            _check_horizon(forecast, mode, steps)
            modes_m[place, :, forecast.side] = mode_keypoints(mode, now, motion)[:steps]
            radius_m[place, :, forecast.side] = mode.radius_m[:steps]
            probabilities[place] += mode.probability
    if not np.isfinite(truth_m).any():
        return None
    weights = probabilities / probabilities.sum()
    return ForecastPair(recording.name, truth_m, modes_m, weights, radius_m)


def mode_keypoints(mode: ForecastMode, now: HandTrack, motion: Motion) -> Float[Array, "n 21 3"]:
    """Pose the tracked hand along a mode; fingers that it does not forecast stay as they are.

    Args:
        mode: Of a forecast.
        now: The track that it was made from, whose shape is used.
        motion: For the hand model.
    """
    rotvec = np.broadcast_to(now.hand.joint_rotvec, (len(mode.T_world_wrist), 15, 3))
    if mode.mano_pose is not None:
        rotvec = mode.mano_pose[:, 3:].reshape(-1, 15, 3)
    shaped = motion.hand.model.with_shape(now.hand.betas)
    return shaped.keypoints(mode.T_world_wrist, rotvec)


def spread_metrics(judgements: Sequence[Judgement]) -> tuple[dict[str, float], dict[str, float]]:
    """Diversity and multimodality of all forecasts, and the diversity of the truth.

    Diversity is that of the most probable futures over all instants, multimodality that of the
    futures of one instant.

    Args:
        judgements: Of one forecaster on all recordings.

    Returns:
        Figures of the forecasts and of the truth, as far as there are enough of them.
    """
    samples = [each for judgement in judgements for each in judgement.embeddings]
    truths = [each for judgement in judgements for each in judgement.true_embeddings]
    own: dict[str, float] = {}
    true: dict[str, float] = {}
    if len(samples) >= 2:
        own["diversity"] = diversity(np.stack([each[0] for each in samples]))
        true["diversity"] = diversity(np.stack(truths))
    many = [each for each in samples if len(each) >= 2]
    if many:
        own["multimodality"] = float(np.mean([multimodality(each[None]) for each in many]))
    return own, true


def _add_slices(found: Judgement, pair: ForecastPair) -> None:
    """Judge the parts of the horizon by themselves."""
    start = 0
    for name, end_s in zip(slice_names(), SLICES_S, strict=True):
        rows = slice(start, round(end_s / STEP_S))
        start = rows.stop
        known = int(np.isfinite(pair.truth_m[rows]).all(axis=(2, 3)).sum())
        found.steps[name] = found.steps.get(name, 0) + known
        if known:
            radius = pair.radius_m
            part = ForecastPair(
                name=pair.name,
                truth_m=pair.truth_m[rows],
                modes_m=pair.modes_m[:, rows],
                probabilities=pair.probabilities,
                radius_m=None if radius is None else radius[:, rows],
            )
            found.slices[name].append(evaluate_forecast(part))


def _add_embeddings(
    found: Judgement, recording: Recording, row: int, forecasts: Sequence[HandForecast]
) -> None:
    """Keep the futures of both hands for figures of their spread."""
    steps = round(HORIZON_S / STEP_S)
    rows = np.arange(row + 1, row + 1 + steps)
    motions = [_motion_now(recording, row, side) for side in Side]
    both = {forecast.side: forecast for forecast in forecasts if forecast.modes}
    if len(both) != len(Side) or rows[-1] >= len(recording.stamps_ns):
        return
    known = [motion for motion in motions if motion is not None and motion.there[rows].all()]
    if len(known) != len(Side):
        return
    T_now_world = np.eye(4)
    if recording.clip is not None:
        T_now_world = se3.inverse(recording.clip.T_world_camera[row])
    poses = [_embedded(T_now_world, m.T_world_wrist[rows], m.mano_pose(rows)) for m in known]
    found.true_embeddings.append(_joined(poses))
    count = min(len(both[side].modes) for side in Side)
    futures = []
    for place in range(count):
        modes = [both[side].modes[place] for side in Side]
        if any(mode.mano_pose is None for mode in modes):
            return
        futures.append(
            _joined(
                [
                    _embedded(T_now_world, mode.T_world_wrist[:steps], mode.mano_pose[:steps])
                    for mode in modes
                    if mode.mano_pose is not None
                ]
            )
        )
    found.embeddings.append(np.stack(futures))


def _embedded(
    T_now_world: Float[Array, "4 4"],
    T_world_wrist: Float[Array, "n 4 4"],
    mano_pose: Float[Array, "n 48"],
) -> tuple[Float[Array, "n 48"], Float[Array, "n 3"]]:
    """Pose and wrist of one hand in the camera of now."""
    T = T_now_world @ T_world_wrist
    return np.concatenate((so3.log(T[:, :3, :3]), mano_pose[:, 3:]), axis=1), T[:, :3, 3]


def _joined(
    hands: Sequence[tuple[Float[Array, "n 48"], Float[Array, "n 3"]]],
) -> Float[Array, "d"]:
    poses = np.stack([pose for pose, _ in hands], axis=1)
    return motion_embedding(poses, np.stack([wrist for _, wrist in hands], axis=1))


def _track_now(recording: Recording, row: int, side: Side) -> HandTrack | None:
    for track in recording.tracks[row]:
        if track.hand.side is side and track.tracking_state is not TrackingState.LOST:
            return track
    return None


def _motion_now(recording: Recording, row: int, side: Side) -> Motion | None:
    for motion in recording.motions:
        if motion.side is side and motion.there[row]:
            return motion
    return None


def _check_horizon(forecast: HandForecast, mode: ForecastMode, steps: int) -> None:
    if abs(forecast.time_step_ns * 1e-9 - STEP_S) > 1e-6 or len(mode.T_world_wrist) < steps:
        msg = (
            f"a forecast of {len(mode.T_world_wrist)} steps of {forecast.time_step_ns} ns; "
            f"{steps} steps of {STEP_S:.6f} s are judged"
        )
        raise MetricError(msg)
