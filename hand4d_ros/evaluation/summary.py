"""Latency and drops of a run, and the table and JSON that a benchmark ends in."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from hand4d_ros.errors import MetricError
from hand4d_ros.evaluation.metrics import metrics_registry
from hand4d_ros.shapes import Array, Float

if TYPE_CHECKING:
    from rich.table import Table

NO_FIGURE = "-"


@dataclass(frozen=True)
class LatencySummary:
    """Percentiles of a latency in milliseconds."""

    count: int
    mean_ms: float
    p50_ms: float
    p95_ms: float
    p99_ms: float
    max_ms: float


@dataclass(frozen=True)
class DropSummary:
    """Frames that came in and did not come out, by reason."""

    frames: int
    """Frames that came in."""
    dropped: int
    by_reason: Mapping[str, int]
    """Most frequent first."""

    @property
    def fraction(self) -> float:
        """Share of the frames that were dropped; 0 where none came in."""
        return self.dropped / self.frames if self.frames else 0.0


@dataclass(frozen=True)
class BenchRow:
    """One method on one suite."""

    method: str
    frames: int
    ms_per_frame: float
    metrics: Mapping[str, float] = field(default_factory=dict)
    """By registry key."""


def latency_summary(latencies_ms: Float[Array, "n"]) -> LatencySummary:
    """Percentiles (linear between neighbours) of latencies.

    Args:
        latencies_ms: One number a frame.

    Raises:
        MetricError: None is given or one is not finite.
    """
    if len(latencies_ms) == 0 or not np.all(np.isfinite(latencies_ms)):
        msg = f"latency: needs at least one finite number, got {len(latencies_ms)} numbers"
        raise MetricError(msg)
    p50, p95, p99 = (float(value) for value in np.percentile(latencies_ms, [50, 95, 99]))
    return LatencySummary(
        count=len(latencies_ms),
        mean_ms=float(np.mean(latencies_ms)),
        p50_ms=p50,
        p95_ms=p95,
        p99_ms=p99,
        max_ms=float(np.max(latencies_ms)),
    )


def drop_summary(frames: int, by_reason: Mapping[str, int]) -> DropSummary:
    """Drops by falling count, names breaking ties.

    Args:
        frames: Frames that came in.
        by_reason: Frames dropped for each reason.

    Raises:
        MetricError: A count is negative or more frames were dropped than came in.
    """
    dropped = sum(by_reason.values())
    if frames < 0 or min(by_reason.values(), default=0) < 0 or dropped > frames:
        msg = f"drops: {dict(by_reason)} cannot be the drops of {frames} frames"
        raise MetricError(msg)
    ordered = sorted(by_reason.items(), key=lambda item: (-item[1], item[0]))
    return DropSummary(frames, dropped, {name: count for name, count in ordered if count})


def bench_json(suite: str, seed: int, rows: Sequence[BenchRow]) -> str:
    """The JSON document of ``hand4d bench``: suite, seed and one row for each method.

    Figures that are not finite are left out, for JSON has no NaN; keys keep the registry's order,
    so the same figures give the same text.

    Args:
        suite: Name of the suite.
        seed: Seed that it ran with.
        rows: One row a method.

    Raises:
        MetricError: A row has a key that the registry lacks.
    """
    document = {"suite": suite, "seed": seed, "rows": [asdict(_clean(row)) for row in rows]}
    return json.dumps(document, indent=2, allow_nan=False) + "\n"


def bench_rows(text: str) -> tuple[str, int, list[BenchRow]]:
    """Suite, seed and rows of a document that ``bench_json`` wrote.

    Args:
        text: The JSON.

    Raises:
        MetricError: It is not such a document.
    """
    try:
        document = json.loads(text)
        rows = [BenchRow(**row) for row in document["rows"]]
        return str(document["suite"]), int(document["seed"]), rows
    except (ValueError, KeyError, TypeError) as error:
        msg = (
            'bench file: expected {"suite", "seed", "rows": [{"method", "frames", "ms_per_frame", '
            f'"metrics"}}]}}, but reading it failed: {error}'
        )
        raise MetricError(msg) from error


def bench_table(title: str, rows: Sequence[BenchRow]) -> Table:
    """The same as a table for the terminal: one line a figure, one column a method.

    The best method of each figure is bold, where the registry says which way is better.

    Args:
        title: Printed above.
        rows: One row a method.

    Raises:
        MetricError: A row has a key that the registry lacks.
    """
    from rich.table import Table

    cleaned = [_clean(row) for row in rows]
    table = Table(title=title)
    table.add_column("figure")
    table.add_column("unit")
    for row in cleaned:
        table.add_column(row.method, justify="right")
    table.add_row("frames", "1", *(str(row.frames) for row in cleaned))
    table.add_row("time per frame", "ms", *(_number(row.ms_per_frame) for row in cleaned))
    for key, info in metrics_registry.items():
        values = [row.metrics.get(key) for row in cleaned]
        known = [value for value in values if value is not None]
        if not known:
            continue
        best = None
        if info.lower_is_better is not None and len(known) > 1:
            best = min(known) if info.lower_is_better else max(known)
        table.add_row(
            key, "" if info.unit == "1" else info.unit, *(_cell(value, best) for value in values)
        )
    return table


def _clean(row: BenchRow) -> BenchRow:
    """The row with finite figures only, in the registry's order."""
    unknown = sorted(set(row.metrics) - set(metrics_registry))
    if unknown:
        msg = f"bench row {row.method!r}: the registry has no metric {unknown}; add it there first"
        raise MetricError(msg)
    metrics = {
        key: float(row.metrics[key])
        for key in metrics_registry
        if key in row.metrics and math.isfinite(row.metrics[key])
    }
    return BenchRow(row.method, row.frames, float(row.ms_per_frame), metrics)


def _cell(value: float | None, best: float | None) -> str:
    if value is None:
        return NO_FIGURE
    return f"[bold]{_number(value)}[/bold]" if value == best else _number(value)


def _number(value: float) -> str:
    """Four significant digits, plain up to a million."""
    if value == 0.0 or not math.isfinite(value):
        return f"{value:g}"
    digits = max(0, 3 - math.floor(math.log10(abs(value))))
    return f"{value:.{min(digits, 9)}f}" if abs(value) < 1e6 else f"{value:.3e}"
