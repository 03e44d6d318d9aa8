"""Checks and masks that the metrics share: arrays of frames in which some frames are missing."""

from __future__ import annotations

from math import factorial

import numpy as np

from hand4d_ros.errors import MetricError
from hand4d_ros.shapes import Array, Bool, Float, Int

NS_PER_S = 1e9


def finite_frames(points: Float[Array, "t ..."]) -> Bool[Array, "t"]:
    """True for the frames that hold neither NaN nor infinity."""
    finite: Bool[Array, "t"] = np.isfinite(points).reshape(len(points), -1).all(axis=1)
    return finite


def valid_frames(
    mask: Bool[Array, "_"] | None, *arrays: Float[Array, "..."], least: int = 1
) -> Bool[Array, "_"]:
    """The mask of the frames that a metric uses, after checking that it can use them.

    A frame that is used must be finite everywhere. A metric never leaves out NaN by itself: an
    estimator that fails would then look better than it is.

    Args:
        mask: Frames to use; None uses all.
        *arrays: Whatever the metric reads, one row a frame.
        least: Fewest frames on which the metric is defined.

    Raises:
        MetricError: Lengths differ, a used frame is not finite, or fewer than ``least`` remain.
    """
    length = len(arrays[0])
    used = np.ones(length, dtype=bool) if mask is None else mask
    if any(len(array) != length for array in (*arrays, used)):
        lengths = [len(array) for array in (*arrays, used)]
        msg = f"metric: truth, estimate, stamps and mask must be equally long, got {lengths}"
        raise MetricError(msg)
    for array in arrays:
        bad = used & ~finite_frames(array)
        if np.any(bad):
            msg = (
                f"metric: {int(bad.sum())} used frames hold NaN or infinity, the first is frame "
                f"{int(np.argmax(bad))}; mark them as missing in the mask"
            )
            raise MetricError(msg)
    if int(used.sum()) < least:
        msg = f"metric: {int(used.sum())} usable frames of {length}, at least {least} needed"
        raise MetricError(msg)
    return used


def same_shape(truth: Float[Array, "..."], estimate: Float[Array, "..."]) -> None:
    """Refuse arrays that cannot be compared element by element.

    Raises:
        MetricError: The shapes differ.
    """
    if truth.shape != estimate.shape:
        msg = f"metric: truth {truth.shape} and estimate {estimate.shape} must have one shape"
        raise MetricError(msg)


def seconds_from_stamps(stamps_ns: Int[Array, "t"]) -> Float[Array, "t"]:
    """Seconds since the first stamp.

    Raises:
        MetricError: The stamps do not rise.
    """
    if np.any(np.diff(stamps_ns) <= 0):
        late = int(np.argmax(np.diff(stamps_ns) <= 0)) + 1
        msg = f"metric: stamps must rise from frame to frame, but frame {late} does not; sort them"
        raise MetricError(msg)
    return np.asarray((stamps_ns - stamps_ns[0]) / NS_PER_S) if len(stamps_ns) else np.zeros(0)


def finite_derivative(
    points: Float[Array, "t ..."],
    stamps_s: Float[Array, "t"],
    order: int,
    mask: Bool[Array, "t"] | None = None,
) -> Float[Array, "n ..."]:
    """Derivative of a trajectory from ``order`` + 1 consecutive frames each.

    ``order!`` times Newton's divided difference: exact for polynomials of that degree whatever
    the spacing of the frames, and for equal steps the usual difference over ``dt**order``
    ([1, -2, 1] / dt^2 for acceleration, [-1, 3, -3, 1] / dt^3 for jerk).

    Args:
        points: One row a frame; rows outside ``mask`` may be anything.
        stamps_s: Rising time (s) of the rows.
        order: 1 for velocity, 2 for acceleration, 3 for jerk.
        mask: Frames that count; a group of frames with a missing one in it is left out, so
            nothing is ever differenced across a gap.

    Returns:
        One row for each complete group, in order of time; possibly none.
    """
    count = max(len(points) - order, 0)
    used = np.ones(len(points), dtype=bool) if mask is None else mask
    complete = np.ones(count, dtype=bool)
    for step in range(order + 1):
        complete &= used[step : step + count]
    difference = np.where(used.reshape((-1,) + (1,) * (points.ndim - 1)), points, 0.0)
    for step in range(1, order + 1):
        span = stamps_s[step:] - stamps_s[:-step]
        rise = np.diff(difference, axis=0)
        difference = rise / span.reshape((-1,) + (1,) * (points.ndim - 1))
    derivative: Float[Array, "n ..."] = factorial(order) * difference[:count][complete]
    return derivative


def runs(mask: Bool[Array, "t"]) -> list[tuple[int, int]]:
    """Stretches of True as (first, one past the last), in order."""
    edges = np.flatnonzero(np.diff(np.concatenate([[False], mask, [False]]).astype(np.int8)))
    return [(int(first), int(stop)) for first, stop in zip(edges[::2], edges[1::2], strict=True)]
