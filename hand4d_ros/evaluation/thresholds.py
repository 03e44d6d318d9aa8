"""A file of limits for continuous integration: what must hold of a run's figures.

YAML or JSON, one entry a figure::

    mpjpe_mm: {max: 30}                # both hands, of every reading
    left.observed_fraction: {min: 0.9} # one hand
    live.both.jerk_m_s3: {max: 500}    # one reading
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from hand4d_ros.errors import MetricError
from hand4d_ros.types import Side

BOTH = "both"
HANDS = (*(side.label for side in Side), BOTH)

Figures = Mapping[str, Mapping[str, Mapping[str, float]]]
"""Reading, hand, key of a figure."""


@dataclass(frozen=True)
class Limit:
    """One entry of the file."""

    entry: str
    """As it is written."""
    reading: str
    """Empty for every reading."""
    hand: str
    key: str
    low: float
    high: float


@dataclass(frozen=True)
class Verdict:
    """Whether one limit holds for one reading."""

    limit: Limit
    reading: str
    value: float | None
    """None where the figure was not measured, which does not pass."""

    @property
    def passed(self) -> bool:
        """Whether the figure was measured and lies within its limits."""
        return self.value is not None and self.limit.low <= self.value <= self.limit.high

    @property
    def text(self) -> str:
        """One line for people."""
        limit = self.limit
        bounds = " and ".join(
            part
            for part in (
                f"at least {limit.low:g}" if math.isfinite(limit.low) else "",
                f"at most {limit.high:g}" if math.isfinite(limit.high) else "",
            )
            if part
        )
        found = "not measured" if self.value is None else f"{self.value:.6g}"
        verdict = "pass" if self.passed else "FAIL"
        return f"{verdict}  {self.reading} {limit.hand} {limit.key}: {found}, must be {bounds}"


def read_limits(path: Path) -> list[Limit]:
    """Read a file of limits.

    Args:
        path: YAML or JSON.

    Raises:
        MetricError: It cannot be read, or an entry is no limit; the message says which.
    """
    import yaml

    try:
        content = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        msg = f"thresholds: {path} cannot be read: {error}"
        raise MetricError(msg) from error
    if not isinstance(content, dict) or not content:
        msg = f"thresholds: {path} must map figures to limits, such as 'mpjpe_mm: {{max: 30}}'"
        raise MetricError(msg)
    return [_limit(str(entry), bounds) for entry, bounds in content.items()]


def verdicts(limits: list[Limit], figures: Figures) -> list[Verdict]:
    """Hold every limit against the readings that it is about.

    Args:
        limits: From ``read_limits``.
        figures: Of every reading.

    Raises:
        MetricError: A limit is about a reading that was not made.
    """
    found = []
    for limit in limits:
        if limit.reading and limit.reading not in figures:
            msg = f"thresholds: {limit.entry!r} is about a reading that was not made; "
            raise MetricError(msg + f"there are {', '.join(figures)}")
        for reading, hands in figures.items():
            if limit.reading in ("", reading):
                value = hands.get(limit.hand, {}).get(limit.key)
                found.append(Verdict(limit, reading, value))
    return found


def _limit(entry: str, bounds: object) -> Limit:
    reading, hand = "", BOTH
    *before, key = entry.split(".")
    for part in before:
        if part in HANDS:
            hand = part
        else:
            reading = part
    if len(before) > 2 or not isinstance(bounds, dict) or not bounds:
        msg = f"thresholds: {entry!r}: {bounds!r} is no limit; write reading.hand.figure: "
        raise MetricError(msg + "{min: number, max: number}, reading and hand as you like")
    unknown = set(bounds) - {"min", "max"}
    numbers = [v for v in bounds.values() if isinstance(v, (int, float)) and math.isfinite(v)]
    if unknown or len(numbers) != len(bounds):
        msg = f"thresholds: {entry!r}: {bounds!r}; give min, max or both, as numbers"
        raise MetricError(msg)
    low, high = float(bounds.get("min", -math.inf)), float(bounds.get("max", math.inf))
    if low > high:
        msg = f"thresholds: {entry!r}: nothing is at least {low:g} and at most {high:g}"
        raise MetricError(msg)
    return Limit(entry, reading, hand, key, low, high)
