"""Many sampled futures in, a few with probabilities out.

The samples of both hands are drawn together, so they are grouped together: the first mode of one
hand belongs to the first mode of the other. Groups are those of k-medoids (Kaufman and Rousseeuw,
"Finding Groups in Data", 1990: PAM's build and swap), so every mode is a sample that the forecaster
drew and no mean of two that go different ways. There is no chance in it, and samples are first put
in an order of their own, so that the order in which they were drawn changes nothing.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np

from hand4d_ros.errors import ConfigError
from hand4d_ros.forecasting.baselines import sphere_radius_m
from hand4d_ros.settings import check
from hand4d_ros.shapes import Array, Float, Int
from hand4d_ros.types import ForecastMode, Side

_POOLED_SAMPLES = 4.0
"""The covariance within all groups counts like so many samples of each group, as a group of one
has no covariance of its own."""


@dataclass(frozen=True)
class ModesConfig:
    """How samples are grouped."""

    modes: int = field(default=3, metadata={"min": 1, "max": 20})
    """The most modes of a forecast."""
    separation_m: float = field(default=0.03, metadata={"min": 0.0, "max": 1.0})
    """Root mean square distance (m) of wrists and fingertips over all steps below which two
    futures are one mode."""

    def __post_init__(self) -> None:
        """Reject values out of range."""
        check(self)


@dataclass(frozen=True)
class HandSamples:
    """``k`` futures of one hand over ``n`` steps, in the world."""

    T_world_wrist: Float[Array, "k n 4 4"]
    fingertips_m: Float[Array, "k n 5 3"]
    mano_pose: Float[Array, "k n 48"]
    now_covariance_m2: Float[Array, "3 3"] = field(default_factory=lambda: np.zeros((3, 3)))
    """Of the wrist's position now, which is added to that of the samples."""

    @property
    def points_m(self) -> Float[Array, "k n 6 3"]:
        """Wrist and fingertips."""
        return np.concatenate((self.T_world_wrist[:, :, None, :3, 3], self.fingertips_m), axis=2)


def modes_from_samples(
    hands: Mapping[Side, HandSamples], coverage: float, config: ModesConfig | None = None
) -> dict[Side, tuple[ForecastMode, ...]]:
    """Reduce samples to modes, the same groups for every hand.

    The probability of a mode is the share of samples in its group. Its covariance is that of the
    group about the mode, drawn a little towards that within all groups; the radius is that of a
    Gaussian, until ``calibration`` replaces it.

    Args:
        hands: Samples of the hands that are there, sample i of one with sample i of the other.
        coverage: Probability that the sphere of each mode is to hold the wrist with.
        config: Settings; None takes the defaults.

    Returns:
        For each hand its modes by falling probability; those of one place belong together.

    Raises:
        ConfigError: There is no sample, or the hands differ in their number.
    """
    config = config or ModesConfig()
    counts = {len(hand.T_world_wrist) for hand in hands.values()}
    if len(counts) != 1 or 0 in counts:
        msg = f"modes need as many samples of every hand and at least one, got {sorted(counts)}"
        raise ConfigError(msg)
    (count,) = counts
    points = np.concatenate([hand.points_m.reshape(count, -1) for hand in hands.values()], axis=1)
    order = np.lexsort(points.T[::-1])
    chosen, group = k_medoids(distances_m(points[order]), config.modes, config.separation_m)
    shares = np.bincount(group, minlength=len(chosen)) / len(group)
    ranked = np.argsort(-shares, kind="stable")
    return {
        side: _modes_of(hand, order, chosen[ranked], np.argsort(ranked)[group], coverage)
        for side, hand in hands.items()
    }


def distances_m(points: Float[Array, "k d"]) -> Float[Array, "k k"]:
    """Root mean square distance of the points of every two samples.

    Args:
        points: Coordinates (m), three a point.
    """
    squares = np.sum((points[:, None] - points[None]) ** 2, axis=-1)
    return np.sqrt(squares / (points.shape[1] / 3.0))


def k_medoids(
    distance: Float[Array, "k k"], count: int, separation: float
) -> tuple[Int[Array, "c"], Int[Array, "k"]]:
    """Group samples about some of them.

    The first medoid has the least sum of distances, each further one lowers the sum of distances
    to the nearest medoid most, as long as it is farther than the separation from all others. Then
    medoids are swapped for other samples while that lowers the sum.

    Args:
        distance: Of every two samples.
        count: The most groups.
        separation: Least distance of two medoids.

    Returns:
        Medoids, and the number of the group of each sample.
    """
    medoids = [int(np.argmin(distance.sum(axis=1)))]
    while len(medoids) < count:
        nearest = distance[:, medoids].min(axis=1)
        gain = np.maximum(nearest[None] - distance, 0.0).sum(axis=1)
        gain[nearest <= separation] = 0.0
        if gain.max() <= 0.0:
            break
        medoids.append(int(np.argmax(gain)))
    while (better := _swapped(distance, medoids, separation)) is not None:
        medoids = better
    group: Int[Array, "k"] = np.argmin(distance[:, medoids], axis=1)
    return np.array(medoids), group


def _swapped(
    distance: Float[Array, "k k"], medoids: list[int], separation: float
) -> list[int] | None:
    """Return the medoids after the swap that lowers the sum most; None where none does."""
    best, found = distance[:, medoids].min(axis=1).sum() * (1.0 - 1e-9), None
    for place in range(len(medoids)):
        others = medoids[:place] + medoids[place + 1 :]
        rest = distance[:, others].min(axis=1, initial=np.inf)
        total = np.minimum(rest[None], distance).sum(axis=1)
        total[rest <= separation] = np.inf
        candidate = int(np.argmin(total))
        if total[candidate] < best:
            best, found = total[candidate], [*others, candidate]
    return found


def _modes_of(
    hand: HandSamples,
    order: Int[Array, "k"],
    medoids: Int[Array, "c"],
    group: Int[Array, "k"],
    coverage: float,
) -> tuple[ForecastMode, ...]:
    """Return the modes of one hand; medoids and groups count samples in their own order."""
    wrist_m = hand.T_world_wrist[order, :, :3, 3]
    offset = wrist_m - wrist_m[medoids[group]]
    outer = offset[..., :, None] * offset[..., None, :]
    pooled = outer.mean(axis=0)
    modes = []
    for place, medoid in enumerate(medoids):
        inside = group == place
        total = outer[inside].sum(axis=0) + _POOLED_SAMPLES * pooled
        covariance = total / (inside.sum() + _POOLED_SAMPLES) + hand.now_covariance_m2
        at = order[medoid]
        modes.append(
            ForecastMode(
                probability=float(inside.mean()),
                T_world_wrist=hand.T_world_wrist[at],
                wrist_covariance_m2=covariance,
                fingertips_m=hand.fingertips_m[at],
                radius_m=sphere_radius_m(covariance, coverage),
                mano_pose=hand.mano_pose[at],
            )
        )
    return tuple(modes)
