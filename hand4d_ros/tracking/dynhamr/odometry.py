"""The camera's path as the odometry has it, with as little of its noise as a head's motion allows.

Size and world scale come from regressing how hands seem to move on how the camera moves. Noise of
the regressor would make that look like more travel for the same motion, and hands too large. The
expected path given the odometry has no such effect (regression calibration: Carroll et al.,
"Measurement error in nonlinear models", 2006, chapter 4). Drift is a random walk whose steps are
as rough as a head's motion is smooth, so the path is that which trades jerk against steps of
drift. How noisy the odometry is, it shows itself.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from hand4d_ros.geometry import se3, so3
from hand4d_ros.shapes import Array, Bool, Float, Int
from hand4d_ros.tracking.costs.smoothness import stencil

_LEAST_STEP = 1e-6
"""Of noise (m or rad): a perfect odometry stays as it is."""
_TO_STD = 1.4826
"""Takes a median absolute deviation to a standard deviation."""


class CameraPath(NamedTuple):
    """Where the cameras are taken to be."""

    T_world_camera: Float[Array, "t 4 4"]
    relative_std: float
    """Of the length of the way: what drift does to the chunk's own scale."""


def expected_path(
    poses: Float[Array, "t 4 4"],
    known: Bool[Array, "t"],
    stamps_ns: Int[Array, "t"],
    jerk_m_s3: float,
    jerk_rad_s3: float,
) -> CameraPath:
    """Return the smooth path that the odometry tells of, through its silences too.

    Args:
        poses: Of the odometry; anything where it is not known.
        known: Where the odometry has a pose, at least once.
        stamps_ns: Rising capture times.
        jerk_m_s3: Deviation of the camera's jerk along each axis.
        jerk_rad_s3: The same of its turning.
    """
    rows = np.flatnonzero(known)
    middle = poses[rows[len(rows) // 2], :3, :3]
    turn = so3.log(np.swapaxes(middle, 0, 1) @ poses[:, :3, :3])
    position_m, step_m = _smoothed(poses[:, :3, 3], rows, stamps_ns, jerk_m_s3)
    turn, _ = _smoothed(turn, rows, stamps_ns, jerk_rad_s3)
    path = se3.from_rotation_translation(middle @ so3.exp(turn), position_m)
    travel = float(np.square(np.diff(position_m, axis=0)).sum())
    return CameraPath(path, step_m / max(np.sqrt(travel), 1e-6))


def _smoothed(
    values: Float[Array, "t 3"], rows: Int[Array, "k"], stamps_ns: Int[Array, "t"], jerk: float
) -> tuple[Float[Array, "t 3"], float]:
    """Minimise squared steps of drift and squared jerk, each in its deviation.

    Returns:
        The path and the deviation of a step of drift from frame to frame, along each axis.
    """
    t = len(values)
    step = _roughness(values[rows])
    if len(rows) < 2:
        return np.tile(values[rows[0]], (t, 1)), step
    steps = np.zeros((len(rows) - 1, t))
    each = np.arange(len(rows) - 1)
    frames = np.diff(rows)
    weight = 1.0 / (step * np.sqrt(frames))
    steps[each, rows[1:]] = weight
    steps[each, rows[:-1]] = -weight
    start = np.zeros((1, t))
    start[0, rows[0]] = 1.0 / step
    bends = np.zeros((max(t - 3, 0), t))
    for k in range(4):
        if t > 3:
            bends[np.arange(t - 3), np.arange(t - 3) + k] = stencil(stamps_ns, 3)[:, k] / jerk
    # Where nothing holds the path, as before the first pose, it must not be free.
    A = np.concatenate((steps, start, bends, 1e-6 * np.eye(t)))
    told = np.concatenate((steps, start)) @ np.where(_is_in(rows, t)[:, None], values, 0.0)
    b = np.concatenate((told, np.zeros((len(bends), 3)), 1e-6 * values))
    path = np.linalg.lstsq(A, b, rcond=None)[0]
    # Smoothness goes on with the last speed for ever; a camera of which nothing is heard does not.
    return path[np.clip(np.arange(t), rows[0], rows[-1])], step


def _is_in(rows: Int[Array, "k"], t: int) -> Bool[Array, "t"]:
    mask = np.zeros(t, dtype=bool)
    mask[rows] = True
    return mask


def _roughness(values: Float[Array, "k 3"]) -> float:
    """Deviation of a frame's step of noise along each axis, from what no smooth motion has.

    Third differences of a random walk with steps q, and white noise w on it, have the variance
    ``6 q^2 + 20 w^2``; with ``q^2 + 2 w^2`` for one step that is between 6 and 10 of them.
    """
    if len(values) < 5:
        return _LEAST_STEP
    third = np.diff(values, 3, axis=0)
    spread = _TO_STD * float(np.median(np.abs(third)))
    return max(spread / np.sqrt(8.0), _LEAST_STEP)
