"""The fitted numbers of the detector's noise model, and the file that they live in.

A frame of one hand is described by ``MARKS``: a vector of numbers, one Gaussian process in
disguise. Each number is a location that depends on how the hand looks (``detector_view``) plus
a spread, shaped by a table of quantiles, whose normal scores are correlated with those of the
other numbers and with those of the frames before.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, fields
from functools import lru_cache
from importlib import resources
from pathlib import Path
from typing import Any

import numpy as np

from hand4d_ros.errors import SceneError
from hand4d_ros.shapes import Array, Float, Int
from hand4d_ros.synthetic.detector_view import FEATURES

GROUPS: dict[str, int] = {
    "scale": 1,
    "shape": 42,
    "flat": 42,
    "depth": 21,
    "extent": 1,
    "slope": 1,
    "tilt_across": 1,
    "tilt_along": 1,
    "presence": 1,
    "belief": 1,
}
"""Numbers of each kind in a vector of marks: log of the common scale of the errors in the image;
their shape (x and y of each keypoint); of the 3D keypoints, the deviations in the image plane and
in depth, log of the size, the share of the true depth that they show, and how they are tilted about
both axes of the hand; log odds of a hand being there and of its side being the true one."""
MARKS = sum(GROUPS.values())
"""Numbers in all."""
QUANTILE_Z: Float[Array, "13"] = np.linspace(-3.0, 3.0, 13)
"""Normal scores at which the quantile tables have their entries."""
RADIUS: Float[Array, "13"] = np.linspace(0.0, 3.6, 13)
"""Lengths of pairs of normal scores at which the tables of error lengths have their entries."""
MEMORIES = ("slow_share", "time_s", "change")
LOSE_FEATURES = (*FEATURES, "scale", "presence")
"""What losing a hand depends on: its look, the normal scores of these two marks before."""
FIND_FEATURES = (*LOSE_FEATURES, "log_age", "first", "other")
"""What finding one depends on: the same, log of the frames since, whether this is the first
frame, and whether another hand is held."""
_FILE = "detector_noise.json"
_FORMAT = 2


NOT_SHAPE: Int[Array, "q"] = np.array([0, *range(1 + GROUPS["shape"], MARKS)])
"""Marks that have tables of quantiles; those of ``shape`` have tables of lengths."""


def columns(group: str) -> slice:
    """Return where a group of ``GROUPS`` lies in a vector of marks."""
    names = list(GROUPS)
    first = sum(GROUPS[name] for name in names[: names.index(group)])
    return slice(first, first + GROUPS[group])


@dataclass(frozen=True)
class NoiseParameters:
    """All fitted numbers; ``n`` is the number of ``FEATURES``."""

    card: Mapping[str, Any]
    """How they were made."""
    feature_low: Float[Array, "n"]
    """Features are clipped to the range that was fitted."""
    feature_high: Float[Array, "n"]
    feature_usual: Float[Array, "n"]
    """Medians, which stand in where an effect is switched off."""
    scale: Float[Array, "21 n+2"]
    """Log of the usual error of each keypoint, on the features, hidden and outside."""
    follow: Float[Array, "21"]
    """Power with which the error of each keypoint follows the common scale; one in the mean."""
    lean: Float[Array, "42 n"]
    """Mean of the normal scores of ``shape`` on the features: where errors usually point."""
    scatter: Float[Array, "42"]
    """Standard deviation of these scores about their mean."""
    radii: Float[Array, "21 13"]
    """Lengths of each keypoint's errors, in scales, at the lengths ``RADIUS`` of its scores."""
    location: Float[Array, "8 n+2"]
    """Of the groups after ``shape``, in their order, on the features, the log scale of the errors
    and the belief in the side (from -1 to 1; 0 for the belief itself): logs of the spread for
    ``flat`` and ``depth``, values for the others. A hand that is taken for the other one is taken
    for one seen from the other side, so its depth is reversed."""
    quantiles: Float[Array, "q 13"]
    """Values of each mark but those of ``shape`` at the normal scores ``QUANTILE_Z``."""
    factors: Float[Array, "marks k"]
    """Correlation of the normal scores: factors times their transpose plus a diagonal."""
    memory: Float[Array, "10 3"]
    """Of each group (see ``MEMORIES``): share of the variance that is remembered, time constant
    (s), and the change of look after which the memory has fallen to 1/e."""
    burst: float
    """Standard deviation of the log of the speed with which memories fade in a frame."""
    jitter: Float[Array, "2"]
    """Of the errors that no frame shares with another: log of their size where all other errors
    are as large as the hand, and the power of these with which they grow."""
    lose: Float[Array, "n+2"]
    """Log odds of losing a hand in a frame, on ``LOSE_FEATURES``."""
    find: Float[Array, "n+5"]
    """Log odds of finding a hand in a frame, on ``FIND_FEATURES``."""
    false_start: float
    """Probability of a false hand appearing in a frame with a hand missing."""
    false_end: float
    """Probability of a false hand vanishing in a frame."""

    @property
    def group_of_mark(self) -> Int[Array, "marks"]:
        """Index of the group of each mark."""
        return np.repeat(np.arange(len(GROUPS)), list(GROUPS.values()))

    def save(self, path: Path) -> None:
        """Write a JSON file of four significant digits."""
        document = {
            "format": _FORMAT,
            "features": list(FEATURES),
            **{field.name: _plain(getattr(self, field.name)) for field in fields(self)},
        }
        path.write_text(json.dumps(document, separators=(",", ":")) + "\n")

    @classmethod
    def load(cls, path: Path) -> NoiseParameters:
        """Read what ``save`` wrote.

        Raises:
            SceneError: If the file is missing, foreign or of another version.
        """
        try:
            document = json.loads(path.read_text())
            if (document["format"], document["features"]) != (_FORMAT, list(FEATURES)):
                raise SceneError(
                    f"{path} has format {document['format']} and features "
                    f"{document['features']}; this version reads format {_FORMAT} with "
                    f"{list(FEATURES)}: fit it anew with python -m benchmarks.detector --fit"
                )
            values = {field.name: document[field.name] for field in fields(cls)}
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise SceneError(
                f"{path} is no file of detector noise parameters ({error!r}); "
                "make one with python -m benchmarks.detector --fit"
            ) from error
        return cls(**{key: _array(value) for key, value in values.items()})


def _plain(value: Any) -> Any:
    """Return what JSON can hold, numbers with four significant digits."""
    if isinstance(value, np.ndarray):
        return [_plain(row) for row in value]
    if isinstance(value, (float, np.floating)):
        return float(f"{float(value):.4g}")
    return dict(value)


def _array(value: Any) -> Any:
    return np.array(value, dtype=np.float64) if isinstance(value, list) else value


@lru_cache(maxsize=1)
def fitted() -> NoiseParameters:
    """Return the parameters that come with the package.

    Raises:
        SceneError: If the installation lacks them.
    """
    with resources.as_file(resources.files("hand4d_ros") / "assets" / _FILE) as path:
        return NoiseParameters.load(path)
