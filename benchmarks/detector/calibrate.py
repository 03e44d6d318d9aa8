"""Turns the screws of a fitted noise model until what it makes looks like what it was fitted to.

Each number was fitted by itself; together they interact: frames with large errors are lost more
often, jitter adds to slow errors. So the model is run on the very clips that it was fitted to and
its numbers are moved until the same statistics come out (indirect inference: Gourieroux, Monfort
and Renault, J. Applied Econometrics 8, 1993). Random numbers stay the same between the runs, so
that the statistics change smoothly.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np
from scipy.optimize import least_squares

from benchmarks.detector import statistics as stats
from benchmarks.detector.fit import log_scales
from benchmarks.detector.matching import Matched, matched
from benchmarks.detector.records import Detections
from hand4d_ros.shapes import Array, Float
from hand4d_ros.synthetic.detector_noise import DetectorNoiseConfig, simulated
from hand4d_ros.synthetic.detector_parameters import NOT_SHAPE, NoiseParameters, columns

_ROUNDS = 2
_CLIPS_FOR_MEMORY = 48
_LAGS = (1, 3, 10, 30)
_DIFFERENCE_QUANTILES = (0.1, 0.5, 0.9, 0.97)
_LEAST = 1e-4

Progress = Callable[[str], None]


def simulated_again(
    clips: Sequence[Matched], parameters: NoiseParameters, seed: int = 0, repeats: int = 1
) -> list[Matched]:
    """Let the model look at the clips that the real detector looked at.

    Args:
        clips: The clips.
        parameters: The model.
        seed: Of the model's faults.
        repeats: How often it looks, each time with other random numbers.
    """
    result = []
    for repeat in range(repeats):
        for index, m in enumerate(clips):
            config = DetectorNoiseConfig(seed=seed + 1000 * repeat + index)
            made = simulated(m.clip, config, parameters)
            result.append(matched(m.clip, Detections.from_lists(made.detections)))
    return result


def calibrated(
    clips: Sequence[Matched], parameters: NoiseParameters, progress: Progress
) -> NoiseParameters:
    """Move the numbers of a model until it makes what it was fitted to.

    Args:
        clips: What the real detector said.
        parameters: The fitted model.
        progress: Is told what is being done.
    """
    for turn in range(_ROUNDS):
        progress(f"calibrating: errors and misses, round {turn + 1} of {_ROUNDS}")
        for _ in range(3):
            parameters = _levels_moved(clips, parameters)
        progress(f"calibrating: memory, round {turn + 1} of {_ROUNDS}")
        parameters = _memory_moved(clips, parameters)
    for _ in range(3):
        parameters = _levels_moved(clips, parameters)
    return parameters


def _levels_moved(clips: Sequence[Matched], parameters: NoiseParameters) -> NoiseParameters:
    """Shift tables and odds by how much the model is off."""
    made = simulated_again(clips, parameters, repeats=2)
    quantiles = parameters.quantiles.copy()
    real_scale, model_scale = (log_scales(c, parameters) for c in (clips, made))
    quantiles[0] = _matched_table(quantiles[0], real_scale, model_scale)
    presence = int(np.flatnonzero(columns("presence").start == NOT_SHAPE)[0])
    real, model = (_presence(c) for c in (clips, made))
    quantiles[presence] = _matched_table(quantiles[presence], real, model)
    location = parameters.location.copy()
    location[-1, 0] += _log_odds(stats.wrong_share(made)) - _log_odds(stats.wrong_share(clips))
    lose, find = parameters.lose.copy(), parameters.find.copy()
    lose[0] += _log_odds(stats.lost_rate(clips)) - _log_odds(stats.lost_rate(made))
    find[0] += _log_odds(stats.found_rate(clips)) - _log_odds(stats.found_rate(made))
    memory = parameters.memory.copy()
    faster = (stats.side_changes(made) + 0.05) / (stats.side_changes(clips) + 0.05)
    memory[-1, 2] *= np.clip(faster, 0.7, 1.4)
    return replace(
        parameters, quantiles=quantiles, location=location, memory=memory, lose=lose, find=find
    )


def _matched_table(
    table: Float[Array, "13"], real: Float[Array, "n"], model: Float[Array, "m"]
) -> Float[Array, "13"]:
    """Shift a table, and stretch both its halves, by how far the model's output is off.

    The shape of the halves stays, because a frame is kept or lost by what it is drawn for, so the
    quantiles of what was kept do not say which entry to move.
    """
    low, middle, high = np.quantile(real, (0.05, 0.5, 0.95))
    low_made, middle_made, high_made = np.quantile(model, (0.05, 0.5, 0.95))
    below = np.sqrt((middle - low) / (middle_made - low_made))
    above = np.sqrt((high - middle) / (high_made - middle_made))
    centre = table[len(table) // 2]
    stretch = np.where(table < centre, below, above)
    return centre + (middle - middle_made) + stretch * (table - centre)


def _presence(clips: Sequence[Matched]) -> Float[Array, "n"]:
    """Log odds of the presence above its threshold, as a mark."""
    values = np.concatenate([m.report.presence[m.found] for m in clips])
    safe = np.clip(2.0 * values - 1.0, 0.0005, 0.9995)
    return np.log(safe / (1.0 - safe))


def _log_odds(share: float) -> float:
    safe = min(max(share, 1e-4), 1.0 - 1e-4)
    return float(np.log(safe / (1.0 - safe)))


def _memory_moved(clips: Sequence[Matched], parameters: NoiseParameters) -> NoiseParameters:
    """Fit jitter, and how scale and shape are remembered, to the differences between frames."""
    some = clips[:_CLIPS_FOR_MEMORY]
    target = _dynamics(some, parameters)

    def built(screws: Array) -> NoiseParameters:
        memory = parameters.memory.copy()
        memory[:2, 2] = np.exp(screws[:2])
        memory[1, 3] = screws[2]
        return replace(parameters, memory=memory, burst=float(screws[3]), jitter=screws[4:])

    def miss(screws: Array) -> Array:
        numbers = built(screws)
        made = [_as_made(m, numbers, index) for index, m in enumerate(some)]
        return _dynamics(made, numbers) - target

    start = np.concatenate(
        (
            np.log(parameters.memory[:2, 2]),
            [parameters.memory[1, 3], parameters.burst],
            parameters.jitter,
        )
    )
    low = np.array([-5.0, -5.0, 0.0, 0.0, -8.0, 0.0])
    high = np.array([3.0, 3.0, 1.5, 2.5, -1.0, 1.5])
    start = np.clip(start, low + 0.01, high - 0.01)
    found = least_squares(
        miss, start, bounds=(low, high), diff_step=0.03, x_scale=0.3, max_nfev=5, loss="soft_l1"
    )
    return built(found.x)


def _as_made(m: Matched, parameters: NoiseParameters, seed: int) -> Matched:
    """Let the model look at a clip and believe it which hand is which, which is quicker."""
    made = simulated(m.clip, DetectorNoiseConfig(seed=seed), parameters)
    keypoints_px = np.where(made.found[..., None, None], made.report.keypoints_px, np.nan)
    report = replace(made.report, keypoints_px=keypoints_px)
    return replace(m, report=report, found=made.found)


def _dynamics(clips: Sequence[Matched], parameters: NoiseParameters) -> Float[Array, "k"]:
    """Describe how errors change from frame to frame."""
    once, twice, size, change = [], [], [], []
    for m in clips:
        offset = m.views.from_px(m.report.keypoints_px - m.views.landmarks_px)
        both = m.found[1:] & m.found[:-1]
        step = np.linalg.norm(np.diff(offset, axis=0), axis=-1)
        once.append(np.median(step, axis=-1)[both])
        size.append(np.median(np.linalg.norm(offset[:-1], axis=-1), axis=-1)[both])
        change.append(m.views.change[1:][both])
        bend = np.linalg.norm(np.diff(offset, n=2, axis=0), axis=-1)
        twice.append(np.median(bend, axis=-1)[m.found[2:] & both[1:] & both[:-1]])
    d1, d2, e, c = (np.log(np.concatenate(v) + _LEAST) for v in (once, twice, size, change))
    x = np.stack((np.ones(len(d1)), e + 3.0, np.maximum(c, -7.0) + 5.0), axis=1)
    slopes = np.linalg.lstsq(x, d1, rcond=None)[0]
    left = float((d1 - x @ slopes).std())
    return np.concatenate(
        (
            slopes * [1.0, 2.0, 2.0],
            [2.0 * left],
            np.quantile(d1, _DIFFERENCE_QUANTILES),
            np.quantile(d2, _DIFFERENCE_QUANTILES),
            [3.0 * stats.persistence(clips, lag) for lag in _LAGS],
            [2.0 * _scale_persistence(clips, parameters, lag) for lag in _LAGS],
        )
    )


def _scale_persistence(clips: Sequence[Matched], parameters: NoiseParameters, lag: int) -> float:
    """Correlation of the common scale of the errors with that some frames later."""
    now, later = [], []
    for m in clips:
        full = np.full(m.found.shape, np.nan)
        full[m.found] = log_scales([m], parameters)
        both = m.found[lag:] & m.found[:-lag]
        now.append(full[:-lag][both])
        later.append(full[lag:][both])
    return float(np.corrcoef(np.concatenate(now), np.concatenate(later))[0, 1])
