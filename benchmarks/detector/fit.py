"""Fits the detector's noise model to what the real detector said about rendered clips."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from benchmarks.detector import regression
from benchmarks.detector.matching import Matched
from hand4d_ros.shapes import Array, Bool, Float
from hand4d_ros.synthetic.detector_marks import (
    Parts,
    decomposed,
    location_regressors,
    sureness,
    usual_error,
)
from hand4d_ros.synthetic.detector_parameters import (
    GROUPS,
    NOT_SHAPE,
    NoiseParameters,
    columns,
)
from hand4d_ros.synthetic.detector_process import (
    pair_scores_of,
    quantile_table,
    radius_table,
    scores_of,
)
from hand4d_ros.synthetic.detector_view import FEATURES

_FACTORS = 16
_LAGS = (1, 2, 3, 5, 8, 12, 20, 30)
_LEAST_ERROR = 0.002
"""Added to errors before their logarithm, in sizes: smaller ones are no better."""
_BURST = 1.0
_JITTER, _JITTER_GROWS = -5.5, 0.5
"""Chosen by hand so that errors of the fitted clips change from frame to frame as the detector's:
how unevenly memories fade; log of the jitter where the error is usual, and the power with which
it grows."""
_RANGE = (0.005, 0.995)
_START_PRIOR = 0.5
"""False hands that are added to those that were seen, as there are next to none."""


@dataclass(frozen=True)
class _Sample:
    """One clip taken apart."""

    matched: Matched
    parts: Parts
    x: Float[Array, "f h n"]


def fitted_parameters(clips: Sequence[Matched], card: dict[str, Any]) -> NoiseParameters:
    """Fit all numbers.

    Args:
        clips: What the real detector said.
        card: How they were made, for the file.
    """
    features = np.concatenate([m.views.features.reshape(-1, len(FEATURES)) for m in clips])
    low, high = np.quantile(features, _RANGE, axis=0)
    samples = [
        _Sample(m, decomposed(m.views, m.report), np.clip(m.views.features, low, high))
        for m in clips
    ]
    scale = _keypoint_scale(samples)
    usual = np.log(np.concatenate([_usual(s, scale) for s in samples])).mean()
    follow = _follow(samples, scale)
    marks, location = _marks(samples, scale, follow)
    vectors = marks[:, columns("shape")].reshape(-1, 21, 2)
    x = np.concatenate([_found(s, s.x) for s in samples])
    pairs = pair_scores_of(vectors).reshape(-1, 42)
    lean = np.array([regression.linear(x, column) for column in pairs.T])
    scatter = (pairs - x @ lean.T).std(0)
    scores = np.zeros(marks.shape)
    scores[:, NOT_SHAPE] = scores_of(marks[:, NOT_SHAPE])
    scores[:, columns("shape")] = (pairs - x @ lean.T) / scatter
    by_clip = np.split(scores, np.cumsum([int(m.found.sum()) for m in clips])[:-1])
    memory = _memory(samples, by_clip)
    lose, find = _hazards(samples, by_clip, memory)
    start, end = _false_rates(clips)
    return NoiseParameters(
        card=card,
        feature_low=low,
        feature_high=high,
        feature_usual=np.median(features, axis=0),
        scale=scale,
        follow=follow,
        lean=lean,
        scatter=scatter,
        radii=radius_table(vectors),
        location=location,
        quantiles=quantile_table(marks[:, NOT_SHAPE]),
        factors=_factors(scores),
        memory=memory,
        burst=_BURST,
        jitter=np.array([_JITTER - _JITTER_GROWS * usual, _JITTER_GROWS]),
        lose=lose,
        find=find,
        false_start=start,
        false_end=end,
    )


def _found(sample: _Sample, values: Array) -> Array:
    """Rows of the hands that were found, frame after frame."""
    return np.asarray(values[sample.matched.found])


def _log_error(sample: _Sample) -> Float[Array, "n 21"]:
    return np.log(np.linalg.norm(_found(sample, sample.parts.error), axis=-1) + _LEAST_ERROR)


def _keypoint_scale(samples: Sequence[_Sample]) -> Float[Array, "21 m"]:
    """Regress the log error of each keypoint; what is not sure is taken from all keypoints."""
    y = np.concatenate([_log_error(s) for s in samples])
    x = np.concatenate([_found(s, s.x) for s in samples])
    hidden = np.concatenate([_found(s, s.matched.views.hidden) for s in samples])
    outside = np.concatenate([_found(s, s.matched.views.outside) for s in samples])

    def table(k: int) -> Array:
        return np.concatenate((x, hidden[:, k, None], outside[:, k, None]), axis=1)

    offset = y.mean(0)
    together = regression.linear(
        np.concatenate([table(k) for k in range(21)]), (y - offset).T.ravel()
    )
    rows = []
    for k in range(21):
        prior = together.copy()
        prior[0] += offset[k]
        rows.append(regression.linear(table(k), y[:, k], prior))
    return np.array(rows)


def _relative(sample: _Sample, scale: Float[Array, "21 m"]) -> Float[Array, "n 21"]:
    """Log of the errors in scales."""
    return _log_error(sample) - np.log(_usual(sample, scale))


def _usual(sample: _Sample, scale: Float[Array, "21 m"]) -> Float[Array, "n 21"]:
    return _found(sample, usual_error(sample.matched.views, sample.x, scale))


def _follow(samples: Sequence[_Sample], scale: Float[Array, "21 m"]) -> Float[Array, "21"]:
    """Regress the error of each keypoint on that of the others."""
    relative = np.concatenate([_relative(s, scale) for s in samples])
    slopes = []
    for k in range(21):
        # The keypoint itself is left out, or its own noise would make the slope steeper.
        others = np.delete(relative, k, axis=1).mean(-1)
        slopes.append(float((others * relative[:, k]).sum() / (others * others).sum()))
    return np.array(slopes) / np.mean(slopes)


def _marks(
    samples: Sequence[_Sample], scale: Float[Array, "21 m"], follow: Float[Array, "21"]
) -> tuple[Float[Array, "n marks"], Float[Array, "8 l"]]:
    """Return the marks of the hands that were found, clip after clip, and the locations."""
    log_scale = np.concatenate([_relative(s, scale).mean(-1) for s in samples])
    usual = np.concatenate([_usual(s, scale) for s in samples])
    size = usual * np.exp(follow * log_scale[:, None])
    error = np.concatenate([_found(s, s.parts.error) for s in samples]) / size[..., None]
    x = np.concatenate([_found(s, s.x) for s in samples])
    belief = np.concatenate([_found(s, s.parts.belief) for s in samples])
    alone = location_regressors(x, log_scale, np.zeros(len(x)))
    regressors = location_regressors(x, log_scale, sureness(belief))
    marks, rows = [log_scale[:, None], error.reshape(-1, 42)], []
    for name in tuple(GROUPS)[2:]:
        values = np.concatenate([_found(s, getattr(s.parts, name)) for s in samples])
        values = values.reshape(len(x), -1)
        known = alone if name == "belief" else regressors
        if name in ("flat", "depth"):
            rows.append(regression.linear(known, np.log(np.abs(values) + _LEAST_ERROR).mean(-1)))
            marks.append(values / np.exp(known @ rows[-1])[:, None])
        else:
            rows.append(regression.linear(known, values[:, 0]))
            marks.append(values - (known @ rows[-1])[:, None])
    return np.concatenate(marks, axis=1), np.array(rows)


def _factors(scores: Float[Array, "n marks"]) -> Float[Array, "marks k"]:
    """Principal factors of the correlation of the scores."""
    correlation = np.corrcoef(scores.T)
    shared = np.full(len(correlation), 0.7)
    loadings = np.zeros((len(correlation), _FACTORS))
    for _ in range(30):
        reduced = correlation - np.diag(1.0 - shared)
        values, vectors = np.linalg.eigh(reduced)
        top = np.maximum(values[-_FACTORS:], 0.0)
        loadings = vectors[:, -_FACTORS:] * np.sqrt(top)
        shared = np.minimum((loadings**2).sum(-1), 0.995)
    size = np.sqrt(np.maximum((loadings**2).sum(-1) / 0.995, 1.0))
    return loadings / size[:, None]


def _memory(
    samples: Sequence[_Sample],
    scores: Sequence[Float[Array, "n marks"]],
) -> Float[Array, "10 3"]:
    """Fit how each group is remembered to differences of scores over several lags."""
    rows = []
    for group in GROUPS:
        pairs = [
            _pairs(sample, values[:, columns(group)])
            for sample, values in zip(samples, scores, strict=True)
        ]
        rows.append(
            regression.decay(
                regression.Pairs(*(np.concatenate(v) for v in zip(*pairs, strict=True)))
            )
        )
    memory = np.array(rows)
    # What these two forget at once is the jitter of the keypoints, which has its own numbers.
    memory[:2, 0] = 1.0
    return memory


def _pairs(sample: _Sample, values: Float[Array, "n g"]) -> tuple[Array, Array, Array, Array]:
    """Likeness, time, change and weight of all pairs of frames of a clip."""
    there, views = sample.matched.found, sample.matched.views
    full = np.full((*there.shape, values.shape[1]), np.nan)
    full[there] = values
    time, path = np.cumsum(views.step_s), np.cumsum(views.change, axis=0)
    columns_of_lags = []
    for lag in _LAGS:
        both = there[lag:] & there[:-lag]
        elapsed = np.broadcast_to((time[lag:] - time[:-lag])[:, None], both.shape)[both]
        columns_of_lags.append(
            (
                # Half the squared difference says how little two frames have in common even
                # where the hands that rest are not as spread as all are.
                1.0 - 0.5 * ((full[lag:] - full[:-lag]) ** 2).mean(-1)[both],
                elapsed,
                (path[lag:] - path[:-lag])[both],
                np.full(elapsed.shape, 1.0 / lag),
            )
        )
    likeness, elapsed, change, weight = (
        np.concatenate(v) for v in zip(*columns_of_lags, strict=True)
    )
    return likeness, elapsed, change, weight


def _hazards(
    samples: Sequence[_Sample],
    scores: Sequence[Float[Array, "n marks"]],
    memory: Float[Array, "10 3"],
) -> tuple[Float[Array, "l"], Float[Array, "g"]]:
    """Fit the log odds of losing and of finding a hand."""
    lose_x, lose_y, find_x, find_y = [], [], [], []
    for sample, values in zip(samples, scores, strict=True):
        there = sample.matched.found
        known = _last_known(sample, values, memory)
        age = _ages(there)
        before = np.concatenate((np.zeros((1, there.shape[1]), dtype=bool), there[:-1]))
        for frame, hand in np.argwhere(sample.matched.clip.visibility.seen.any(-1)):
            x = sample.x[frame, hand]
            if before[frame, hand]:
                lose_x.append(np.append(x, known[frame - 1, hand]))
                lose_y.append(not there[frame, hand])
            else:
                # What was known while the hand was lost, not what is known since it was found.
                last = known[frame - 1, hand] if frame else np.zeros(2)
                state = (np.log(age[frame, hand]), frame == 0, before[frame].any())
                find_x.append(np.concatenate((x, last, state)))
                find_y.append(there[frame, hand])
    lose = regression.logistic(np.array(lose_x), np.array(lose_y, dtype=float))
    return lose, regression.logistic(np.array(find_x), np.array(find_y, dtype=float))


def _last_known(
    sample: _Sample, values: Float[Array, "n marks"], memory: Float[Array, "10 3"]
) -> Float[Array, "f h 2"]:
    """Scores of scale and presence, which fade to their mean while a hand is lost."""
    there, views = sample.matched.found, sample.matched.views
    which = [list(GROUPS).index(name) for name in ("scale", "presence")]
    known = np.zeros((*there.shape, 2))
    known[there] = values[:, [columns("scale").start, columns("presence").start]]
    _, time_s, length = memory[which].T
    for frame in range(1, len(there)):
        fade = views.step_s[frame] / time_s + views.change[frame][:, None] / length
        held = there[frame][:, None]
        known[frame] = np.where(held, known[frame], known[frame - 1] * np.exp(-fade))
    return known


def _ages(there: Bool[Array, "f h"]) -> Float[Array, "f h"]:
    """Frames since each hand was lost, one in the first."""
    age = np.ones(there.shape)
    for frame in range(1, len(there)):
        age[frame] = np.where(there[frame - 1], 1.0, age[frame - 1] + 1.0)
    return age


def _false_rates(clips: Sequence[Matched]) -> tuple[float, float]:
    """Probabilities of a false hand appearing and vanishing in a frame."""
    starts, spells, room = _START_PRIOR, 1.0, 1.0
    for m in clips:
        there = m.false_hands > 0
        starts += float((there & ~np.append(False, there[:-1])).sum())
        spells += float(there.sum())
        room += float((~m.found.all(1)).sum())
    return starts / room, min(starts / spells, 0.9)
