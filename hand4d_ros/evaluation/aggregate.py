"""From the figures of many clips to one figure each, with an interval that says how sure it is."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from hand4d_ros.errors import MetricError
from hand4d_ros.evaluation.metrics import metrics_registry
from hand4d_ros.evaluation.scoring import ClipFigures

INTERVAL_PERCENTILES = (2.5, 97.5)


@dataclass(frozen=True)
class Aggregate:
    """One figure over all clips."""

    value: float
    """Mean over clips, weighted with the frames that each was measured on."""
    low: float
    """Lower end of the 95% interval."""
    high: float
    """Upper end of the 95% interval."""
    clips: int
    """Clips that have this figure."""
    frames: int
    """Their frames together."""


def aggregate(
    clips: Sequence[ClipFigures], *, seed: int = 0, resamples: int = 1000
) -> dict[str, Aggregate]:
    """Mean of every figure over clips, with a bootstrap interval.

    Clips are drawn with replacement, not frames: neighbouring frames share their error, so frames
    would make the interval far too narrow. Every figure is resampled with the same draws of its
    own clips, so it does not depend on which other figures there are.

    Args:
        clips: Figures of each clip.
        seed: Seed of the draws; the same seed gives the same interval.
        resamples: Draws of the bootstrap (Efron and Tibshirani, "An Introduction to the
            Bootstrap", 1993, percentile interval).

    Returns:
        By key, in the order of the registry. With one clip the interval is that clip's figure.

    Raises:
        MetricError: No clip is given, or a clip has a key that the registry lacks.
    """
    if not clips:
        msg = "aggregate: no clip given"
        raise MetricError(msg)
    unknown = sorted({key for clip in clips for key in clip.figures} - set(metrics_registry))
    if unknown:
        msg = f"aggregate: the registry has no metric {unknown}; add it there first"
        raise MetricError(msg)
    return {
        key: _aggregate_one([clip for clip in clips if key in clip.figures], key, seed, resamples)
        for key in metrics_registry
        if any(key in clip.figures for clip in clips)
    }


def _aggregate_one(clips: Sequence[ClipFigures], key: str, seed: int, resamples: int) -> Aggregate:
    values = np.array([clip.figures[key].value for clip in clips])
    frames = np.array([clip.figures[key].frames for clip in clips], dtype=np.float64)
    weights = np.maximum(frames, 1.0)
    drawn = np.random.default_rng(seed).integers(len(clips), size=(resamples, len(clips)))
    means = np.sum(values[drawn] * weights[drawn], axis=1) / np.sum(weights[drawn], axis=1)
    low, high = np.percentile(means, INTERVAL_PERCENTILES)
    return Aggregate(
        value=float(np.average(values, weights=weights)),
        low=float(low),
        high=float(high),
        clips=len(clips),
        frames=int(frames.sum()),
    )
