"""Time stamps and durations in, rates and latency percentiles out, over a sliding window."""

from __future__ import annotations

import math
import threading
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Percentiles:
    """Spread of a duration over the window, in milliseconds; NaN where nothing was measured."""

    p50_ms: float
    p95_ms: float
    p99_ms: float
    count: int


class LatencyBook:
    """The last durations of every named stage."""

    def __init__(self, size: int = 300) -> None:
        """Make an empty book.

        Args:
            size: Durations kept for each stage; 300 are ten seconds of a 30 Hz camera.
        """
        self._size = size
        self._lock = threading.Lock()
        self._stages: dict[str, deque[float]] = {}

    def add(self, stage: str, duration_ms: float) -> None:
        """Write down one duration; one that is not finite is no measurement and is left out.

        Args:
            stage: Such as ``detect`` or ``total``.
            duration_ms: How long it took.
        """
        if not math.isfinite(duration_ms):
            return
        with self._lock:
            self._stages.setdefault(stage, deque(maxlen=self._size)).append(duration_ms)

    def percentiles(self, stage: str) -> Percentiles:
        """Return the spread of one stage.

        Args:
            stage: A name given to ``add``.
        """
        with self._lock:
            durations = list(self._stages.get(stage, ()))
        if not durations:
            return Percentiles(math.nan, math.nan, math.nan, 0)
        p50, p95, p99 = np.percentile(durations, (50.0, 95.0, 99.0))
        return Percentiles(float(p50), float(p95), float(p99), len(durations))

    def stages(self) -> tuple[str, ...]:
        """Return the names written down so far, in the order of their first entry."""
        with self._lock:
            return tuple(self._stages)


class RateMeter:
    """Events per second over the last seconds, with the total since the start."""

    def __init__(self, clock_s: Callable[[], float], window_s: float = 5.0) -> None:
        """Make a meter at rest.

        Args:
            clock_s: Monotonic time (s).
            window_s: Over how long the rate is taken.
        """
        self._clock_s = clock_s
        self._window_s = window_s
        self._lock = threading.Lock()
        self._start_s = clock_s()
        self._times_s: deque[float] = deque()
        self._last_s = -math.inf
        self.total = 0

    def tick(self) -> None:
        """Count one event now."""
        with self._lock:
            self.total += 1
            self._last_s = self._clock_s()
            self._times_s.append(self._last_s)

    @property
    def rate_hz(self) -> float:
        """Events per second; young meters divide by their own age, not by the whole window."""
        with self._lock:
            now_s = self._clock_s()
            while self._times_s and self._times_s[0] < now_s - self._window_s:
                self._times_s.popleft()
            span_s = min(self._window_s, now_s - self._start_s)
            return len(self._times_s) / span_s if span_s > 0.0 else 0.0

    @property
    def age_s(self) -> float:
        """Seconds since the last event; infinite where there was none."""
        with self._lock:
            return self._clock_s() - self._last_s
