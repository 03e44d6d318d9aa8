"""Means over clips and their intervals."""

from __future__ import annotations

import numpy as np
import pytest

from hand4d_ros.errors import MetricError
from hand4d_ros.evaluation.aggregate import aggregate
from hand4d_ros.evaluation.scoring import ClipFigures, Figure

RNG = np.random.default_rng(17)


def _clip(name: str, **figures: tuple[float, int]) -> ClipFigures:
    """A clip with (value, frames) by key."""
    return ClipFigures(name, 100, {key: Figure(*given) for key, given in figures.items()})


def test_clips_weigh_by_frames() -> None:
    """10 over 30 frames and 20 over 10 frames are 12.5; the pooled mean over frames."""
    found = aggregate([_clip("a", mpjpe_mm=(10.0, 30)), _clip("b", mpjpe_mm=(20.0, 10))])
    assert found["mpjpe_mm"].value == pytest.approx(12.5)
    assert found["mpjpe_mm"].frames == 40
    assert found["mpjpe_mm"].clips == 2


def test_a_figure_is_averaged_over_the_clips_that_have_it() -> None:
    """A blank is no zero; keys come in the registry's order."""
    found = aggregate(
        [_clip("a", jerk_m_s3=(3.0, 5), mpjpe_mm=(1.0, 5)), _clip("b", mpjpe_mm=(2.0, 5))]
    )
    assert found["jerk_m_s3"].clips == 1
    assert found["jerk_m_s3"].value == found["jerk_m_s3"].low == found["jerk_m_s3"].high == 3.0
    assert list(found) == ["mpjpe_mm", "jerk_m_s3"]


def test_the_interval_is_that_of_the_mean() -> None:
    """About 1.96 standard errors to each side for many alike clips."""
    values = RNG.normal(loc=50.0, scale=10.0, size=200)
    found = aggregate([_clip(str(i), mpjpe_mm=(float(v), 10)) for i, v in enumerate(values)])
    wide = found["mpjpe_mm"].high - found["mpjpe_mm"].low
    assert wide == pytest.approx(2 * 1.96 * values.std() / np.sqrt(200), rel=0.1)
    assert found["mpjpe_mm"].low < found["mpjpe_mm"].value < found["mpjpe_mm"].high


def test_same_seed_same_numbers_whatever_else_is_measured() -> None:
    """The draws depend on the seed and the clips alone."""
    plain = [_clip(str(i), mpjpe_mm=(float(i * i), 10)) for i in range(6)]
    more = [_clip(str(i), auc_j=(0.5, 3), mpjpe_mm=(float(i * i), 10)) for i in range(6)]
    assert aggregate(plain, seed=4)["mpjpe_mm"] == aggregate(more, seed=4)["mpjpe_mm"]
    assert aggregate(plain, seed=4) != aggregate(plain, seed=5)


def test_documented_raises() -> None:
    """No clip, and a key that the registry lacks."""
    with pytest.raises(MetricError, match="no clip given"):
        aggregate([])
    with pytest.raises(MetricError, match=r"has no metric \['mpjpe'\]"):
        aggregate([_clip("a", mpjpe=(1.0, 1))])
