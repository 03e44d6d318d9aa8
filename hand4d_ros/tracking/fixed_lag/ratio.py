"""The one number that no picture shows: world scale over hand size, as a histogram filter.

A hand that is s times as large and s times as far away makes the same pictures. With u the hand's
place relative to the camera at the assumed size, and c the camera in units of the odometry, its
place in the world is ``s u + w c``: a hand at rest keeps ``u + k c`` with ``k = w / s``. So while
hands rest, the camera's own motion shows k. Where the odometry is metric, w is one and k shows the
size; where it is not, k shows the world scale as well as the size is known.

The odometry drifts as a hand seems to move, so a regression of one on the other would find a k
that is too small. Here each k is judged by its own residual over the deviation that both errors
give it (Deming's regression), and a hand that moves can cost no more than a bound (Geman-McClure).
That has several minima, so the filter keeps the whole density on a grid.
"""

from __future__ import annotations

from collections import deque
from typing import NamedTuple

import numpy as np

from hand4d_ros.shapes import Array, Float
from hand4d_ros.tracking.costs.robust import geman_mcclure
from hand4d_ros.tracking.fixed_lag.config import FixedLagConfig
from hand4d_ros.types import Side

_BASELINE_S = 0.25
"""Places so far apart in time are compared: a rest lasts as long, and the camera has moved."""
_REST_M = 0.008
"""How far a hand at rest moves in that time."""
_ACROSS, _ALONG = 0.006, 0.06
"""Errors of u across and along the viewing ray, relative to the distance."""
_ROBUST_SCALE = 2.0
_EVIDENCE = 3.0
"""Independent comparisons within one baseline: errors of a detector last for about ten frames,
but those across the ray, which count, less."""
_WIDTH = 3.0
_CELLS = 241


class Ratio(NamedTuple):
    """World scale, and size of the hands relative to the assumed one, with relative deviations."""

    world_scale: float
    world_scale_std: float
    size: float
    size_std: float

    @property
    def ratio(self) -> float:
        """From units of the odometry to units of the assumed hand."""
        return self.world_scale / self.size


class RatioFilter:
    """Learns the ratio frame by frame; what it has learnt of a person stays."""

    def __init__(self, costs: FixedLagConfig, size_std: float, scale_std: float) -> None:
        """Start from what is known.

        Args:
            costs: Deviations of the odometry.
            size_std: Of the logarithm of the size.
            scale_std: Of the logarithm of the world scale.
        """
        self._costs = costs
        self._size_variance, self._scale_variance = size_std**2, scale_std**2
        spread = float(np.hypot(size_std, scale_std))
        self._log_ratio = spread * np.linspace(-_WIDTH, _WIDTH, _CELLS)
        self._ratio = np.exp(self._log_ratio)[:, None]
        self._prior = -0.5 * np.linspace(-_WIDTH, _WIDTH, _CELLS) ** 2
        self._energy = np.zeros(_CELLS)
        self._past: deque[tuple[int, Float[Array, "3"], dict[Side, Float[Array, "3"]]]] = deque()
        self.estimate = Ratio(1.0, scale_std, 1.0, size_std)

    def forget_motion(self) -> None:
        """Forget where hands and camera were, as after a jump in time; the ratio stays."""
        self._past.clear()

    def add(
        self, stamp_ns: int, centre: Float[Array, "3"], relative_m: dict[Side, Float[Array, "3"]]
    ) -> None:
        """Learn from one frame.

        Args:
            stamp_ns: Its time.
            centre: Of the camera, in units of the odometry.
            relative_m: Each hand seen, relative to the camera, in the axes of the world.
        """
        self._past.append((stamp_ns, centre, relative_m))
        while len(self._past) > 1 and stamp_ns - self._past[1][0] >= _BASELINE_S * 1e9:
            self._past.popleft()
        then_ns, then, before_m = self._past[0]
        dt_s = (stamp_ns - then_ns) * 1e-9
        if not 0.5 * _BASELINE_S <= dt_s <= 2.0 * _BASELINE_S:
            return
        share = _EVIDENCE * (stamp_ns - self._past[-2][0]) * 1e-9 / dt_s
        for side in relative_m.keys() & before_m.keys():
            moved_m = relative_m[side] - before_m[side]
            self._energy += share * self._cost(moved_m, centre - then, relative_m[side], dt_s)
        self.estimate = self._summary()

    def _cost(
        self,
        moved_m: Float[Array, "3"],
        travel: Float[Array, "3"],
        at_m: Float[Array, "3"],
        dt_s: float,
    ) -> Float[Array, "c"]:
        """What a comparison costs for each ratio."""
        distance_m = float(np.linalg.norm(at_m))
        residual = moved_m + self._ratio * travel
        along = residual @ (at_m / distance_m)
        across = np.einsum("ci,ci->c", residual, residual) - along**2
        noise = self._costs.odometry_drift_m**2 * dt_s + 2.0 * self._costs.odometry_noise_m**2
        common = _REST_M**2 + self._ratio[:, 0] ** 2 * noise
        squared = across / (common + 2.0 * (_ACROSS * distance_m) ** 2)
        squared += along**2 / (common + 2.0 * (_ALONG * distance_m) ** 2)
        return geman_mcclure(squared, _ROBUST_SCALE)[0]

    def _summary(self) -> Ratio:
        """Split the ratio between size and world scale by how well each was known."""
        logarithm = self._prior - 0.5 * self._energy
        density = np.exp(logarithm - logarithm.max())
        density /= density.sum()
        mean = float(density @ self._log_ratio)
        variance = float(density @ (self._log_ratio - mean) ** 2)
        total = self._size_variance + self._scale_variance
        of_size = self._size_variance / total
        of_scale = 1.0 - of_size
        # Given the ratio, what is left of either is their common, unseen part.
        hidden = self._size_variance * of_scale
        return Ratio(
            world_scale=float(np.exp(of_scale * mean)),
            world_scale_std=float(np.sqrt(hidden + of_scale**2 * variance)),
            size=float(np.exp(-of_size * mean)),
            size_std=float(np.sqrt(hidden + of_size**2 * variance)),
        )
