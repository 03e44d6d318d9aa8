"""Smooth motion in time: minimum-jerk movements between rests, twice differentiable everywhere.

A movement from rest to rest of least squared jerk is a quintic (Flash and Hogan, "The
coordination of arm movements", J. Neuroscience 5(7), 1985); through via-points it is the
quintic spline, whose first four derivatives are continuous. Rotations turn along the shortest
arc with the same course of speed.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from math import factorial

import numpy as np
from scipy.interpolate import PPoly, make_interp_spline

from hand4d_ros.errors import SceneError
from hand4d_ros.geometry import so3
from hand4d_ros.shapes import Array, Float


def minimum_jerk(share: Float[Array, "*batch"]) -> Float[Array, "*batch"]:
    """Return the course 0..1 of a movement from rest to rest; ``share`` of its time is clipped."""
    s = np.clip(share, 0.0, 1.0)
    return np.asarray(s * s * s * (10.0 + s * (6.0 * s - 15.0)))


@dataclass(frozen=True)
class Movement:
    """One movement from rest to rest."""

    start_s: float
    end_s: float
    points: Float[Array, "n d"]
    """Where it starts, what it passes, where it ends."""
    shares: tuple[float, ...] = (0.0, 1.0)
    """Share of the time at which it is at each point; rising from 0 to 1."""


class Path:
    """A vector over time: movements with rests between them, constant before and after."""

    def __init__(self, start: Float[Array, " d"], movements: Sequence[Movement]) -> None:
        """Join movements.

        Args:
            start: Where it is before the first movement.
            movements: In order of time; each starts where the one before it ended.

        Raises:
            SceneError: If movements overlap, last no time or do not join.
        """
        breaks: list[float] = []
        pieces: list[Array] = []
        here = np.asarray(start, dtype=np.float64)
        self._start = here
        for move in movements:
            if move.end_s <= move.start_s or (breaks and move.start_s < breaks[-1] - 1e-9):
                raise SceneError(
                    f"a movement from {move.start_s} s to {move.end_s} s cannot follow one that "
                    f"ends at {breaks[-1] if breaks else 0.0} s: give rising times"
                )
            if not np.allclose(move.points[0], here, atol=1e-9):
                raise SceneError(
                    f"a movement starts at {move.points[0]}, but the one before it ended at {here}"
                )
            knots, coefficients = _spline(move)
            rest = np.zeros((6, 1, here.size))
            rest[5, 0] = here
            if not breaks:
                breaks.append(float(knots[0]))
            elif knots[0] > breaks[-1] + 1e-9:
                pieces.append(rest)
                breaks.append(float(knots[0]))
            pieces.append(coefficients)
            breaks.extend(knots[1:].tolist())
            here = np.asarray(move.points[-1], dtype=np.float64)
        self._end = here
        self._poly = PPoly(np.concatenate(pieces, 1), np.array(breaks)) if pieces else None

    def __call__(self, t_s: Float[Array, " n"], derivative: int = 0) -> Float[Array, "n d"]:
        """Return the vector, or a derivative of it by time, at any times (s)."""
        t = np.asarray(t_s, dtype=np.float64)
        if self._poly is None:
            still = np.broadcast_to(self._start, (*t.shape, self._start.size))
            return still.copy() if derivative == 0 else np.zeros_like(still)
        first, last = self._poly.x[0], self._poly.x[-1]
        value = np.asarray(self._poly(np.clip(t, first, last), derivative))
        if derivative:
            value[(t < first) | (t > last)] = 0.0
        return value


def _spline(move: Movement) -> tuple[Float[Array, " k"], Float[Array, "6 m d"]]:
    """Return knots and coefficients of the quintic spline that starts and ends at rest."""
    t = move.start_s + np.asarray(move.shares) * (move.end_s - move.start_s)
    zero = np.zeros(move.points.shape[1])
    rest = [(1, zero), (2, zero)]
    spline = make_interp_spline(t, move.points, k=5, bc_type=(rest, rest))
    knots = np.unique(spline.t)
    # The Taylor coefficients at the start of each piece, highest power first.
    powers = [spline(knots[:-1], nu=m) / factorial(m) for m in range(5, -1, -1)]
    return knots, np.stack(powers)


@dataclass(frozen=True)
class Turn:
    """One turn from rest to rest."""

    start_s: float
    end_s: float
    R_start: Float[Array, "3 3"]
    R_end: Float[Array, "3 3"]


@dataclass(frozen=True)
class Orientation:
    """A rotation over time: turns along shortest arcs with rests between them."""

    R_start: Float[Array, "3 3"]
    turns: tuple[Turn, ...] = ()

    @cached_property
    def _starts_s(self) -> Float[Array, " k"]:
        return np.array([turn.start_s for turn in self.turns])

    def __call__(self, t_s: Float[Array, " n"]) -> Float[Array, "n 3 3"]:
        """Return the rotation at any times (s)."""
        t = np.asarray(t_s, dtype=np.float64)
        if not self.turns:
            return np.asarray(np.broadcast_to(self.R_start, (*t.shape, 3, 3)).copy())
        index = np.clip(np.searchsorted(self._starts_s, t, side="right") - 1, 0, None)
        starts = self._starts_s[index]
        ends = np.array([turn.end_s for turn in self.turns])[index]
        R_start = np.stack([turn.R_start for turn in self.turns])
        arcs = so3.log(np.swapaxes(R_start, -1, -2) @ np.stack([x.R_end for x in self.turns]))
        share = minimum_jerk((t - starts) / (ends - starts))
        return np.asarray(R_start[index] @ so3.exp(share[:, None] * arcs[index]))


@dataclass(frozen=True)
class Wander:
    """What people never stop doing: slow sway and a fine tremor, as a sum of waves.

    Amplitudes fall with frequency between 0.15 and 2 Hz; physiological tremor lies at 8-12 Hz
    (Elble and Randall, J. Neurophysiology 39(3), 1976).
    """

    frequency_hz: Float[Array, " k"]
    phase_rad: Float[Array, "k d"]
    amplitude: Float[Array, "k d"]

    def __call__(self, t_s: Float[Array, " n"]) -> Float[Array, "n d"]:
        """Return the deviation at any times (s)."""
        angle = 2 * np.pi * np.asarray(t_s)[:, None, None] * self.frequency_hz[:, None]
        return np.asarray((self.amplitude * np.sin(angle + self.phase_rad)).sum(1))


def sampled_wander(
    rng: np.random.Generator,
    dimensions: int,
    sway: float | Float[Array, " d"],
    tremor: float = 0.0,
) -> Wander:
    """Draw a wander.

    Args:
        rng: Source of randomness.
        dimensions: How many numbers wander.
        sway: Root mean square of the slow part, in the unit of the result; one for all numbers or
            one for each.
        tremor: Root mean square of the fast part.
    """
    slow, fast = rng.uniform(0.15, 2.0, 7), rng.uniform(8.0, 12.0, 3)
    weight = rng.normal(size=(7, dimensions)) / slow[:, None]
    weight /= np.sqrt((weight**2).sum(0) / 2)
    shake = rng.normal(size=(3, dimensions))
    shake /= np.sqrt((shake**2).sum(0) / 2)
    return Wander(
        np.concatenate((slow, fast)),
        rng.uniform(0, 2 * np.pi, (10, dimensions)),
        np.concatenate((sway * weight, tremor * shake)),
    )


def effort(t_s: Float[Array, " n"], movements: Sequence[Movement]) -> Float[Array, "n d"]:
    """Return how far each number is on its way: 0 at rest, its way's length amid a movement.

    The bump is 64 s^3 (1 - s)^3 over the share s of the time, so two derivatives vanish at rest.

    Args:
        t_s: Any times.
        movements: At least one, in order of time.
    """
    starts = np.array([move.start_s for move in movements])
    ends = np.array([move.end_s for move in movements])
    ways = np.stack([np.abs(np.diff(move.points, axis=0)).sum(0) for move in movements])
    index = np.clip(np.searchsorted(starts, t_s, side="right") - 1, 0, None)
    share = np.clip((t_s - starts[index]) / (ends[index] - starts[index]), 0.0, 1.0)
    return np.asarray((64.0 * (share * (1.0 - share)) ** 3)[:, None] * ways[index])


def sampled_ripple(rng: np.random.Generator, dimensions: int) -> Wander:
    """Draw what makes movements uneven: waves of 2 to 8 Hz that fall with the square, of rms 1.

    Noise of muscles grows with their effort (Harris and Wolpert, Nature 394, 1998) and people
    correct on the way, so this is to be scaled by ``effort``.

    Args:
        rng: Source of randomness.
        dimensions: How many numbers.
    """
    frequency_hz = rng.uniform(2.0, 8.0, 8)
    amplitude = rng.normal(size=(8, dimensions)) / frequency_hz[:, None] ** 2
    amplitude /= np.sqrt((amplitude**2).sum(0) / 2)
    return Wander(frequency_hz, rng.uniform(0, 2 * np.pi, (8, dimensions)), amplitude)
