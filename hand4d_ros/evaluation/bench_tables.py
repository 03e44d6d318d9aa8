"""The tables that ``hand4d bench`` prints: every figure by theme, then the groups, then times.

One line is one figure, one column one method. The best is bold where the registry of metrics says
which way is better; a method that knows the truth is never the best.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Sequence
from typing import TYPE_CHECKING, Any

from hand4d_ros.evaluation.bench_document import Document
from hand4d_ros.evaluation.methods import FORECASTERS, METHODS
from hand4d_ros.evaluation.metrics import metrics_groups, metrics_registry

if TYPE_CHECKING:
    from rich.table import Table

NO_FIGURE = "-"
_LEAST = 1e-6
"""Smaller numbers are rounding errors of something that is zero."""
FUTURE = "future"
"""Row of the forecasts' suites that shows what really happened."""
REFERENCES = frozenset((FUTURE, *(name for name, e in METHODS.items() if e.is_reference)))
"""Rows that know the truth."""

GROUP_KEYS = {
    "occlusion": (
        *("pa_mpjpe_mm", "ra_mpjpe_mm", "mpjpe_mm", "acc_err_mm_s2", "observed_fraction"),
        "keypoint_coverage_90",
    ),
    "world": (
        *("pa_mpjpe_mm", "g_mpjpe_mm", "ga_mpjpe_mm", "mpjpe_mm", "acc_err_mm_s2", "jerk_m_s3"),
        *("hand_size_err_pct", "world_scale_err_pct"),
    ),
    "images": ("pa_mpjpe_mm", "ra_mpjpe_mm", "mpjpe_mm", "pck_0_05", "pck_0_1", "pck_0_15"),
    "forecast": ("m_cm", "mr_cm", "ade_mean_cm", "coverage_90", "radius_90_cm"),
    "real": (
        *("pa_mpjpe_mm", "g_mpjpe_mm", "mpjpe_mm", "mr_cm", "keypoint_coverage_90"),
        *("m_cm", "ade_mean_cm", "coverage_90", "radius_90_cm"),
    ),
}
"""Figures that the table of groups of each suite shows; the JSON has them all."""


def tables(document: Document) -> list[Table]:
    """Everything to print: figures, groups and times, estimators and forecasters apart.

    Args:
        document: From ``bench_document``.
    """
    names = [row["method"] for row in document["rows"]]
    forecasters = [name for name in names if name in FORECASTERS]
    others = [name for name in names if name not in FORECASTERS and name not in REFERENCES]
    kinds = [names]
    if forecasters and others:
        known = [name for name in names if name in REFERENCES and name != FUTURE]
        kinds = [[*others, *known], [*forecasters, FUTURE]]
    found: list[Table | None] = []
    for kind in kinds:
        part = _part(document, kind)
        found += [figures_table(part), groups_table(part)]
    found.append(timings_table(document))
    return [table for table in found if table is not None and table.row_count]


def figures_table(document: Document) -> Table:
    """Every figure of every method, by theme.

    Args:
        document: From ``bench_document``.
    """
    rows = document["rows"]
    names = [row["method"] for row in rows]
    table = _table(f"{document['suite']}, seed {document['seed']}", ["figure", "unit"], names)
    table.add_row("frames", "", *(str(row["frames"]) for row in rows))
    counts = [document["counts"].get(name, {}).get("all") for name in names]
    if any(counts):
        shares = ["-" if count is None else _share(count) for count in counts]
        table.add_row("hands with an estimate", "%", *shares)
    timed = [document["timings"].get(name, {}) for name in names]
    times = [
        _number(row["ms_per_frame"]) if "p50_ms" in each else NO_FIGURE
        for row, each in zip(rows, timed, strict=True)
    ]
    table.add_row("time a frame", "ms", *times, end_section=True)
    for metrics in metrics_groups.values():
        keys = [key for key in metrics if any(key in row["metrics"] for row in rows)]
        for place, key in enumerate(keys):
            cells = _cells(key, [row["metrics"].get(key) for row in rows], names)
            table.add_row(key, _unit(key), *cells, end_section=place == len(keys) - 1)
    return table


def groups_table(document: Document) -> Table | None:
    """The figures of the groups of frames; None where the suite has none.

    Args:
        document: From ``bench_document``.
    """
    groups: Document = document.get("groups", {})
    keys = GROUP_KEYS.get(document["suite"], ())
    if not groups or not keys:
        return None
    names = list(groups)
    parts = list(dict.fromkeys(part for each in groups.values() for part in each))
    table = _table(f"{document['suite']} by group", ["group", "figure", "unit"], names)
    for part in parts:
        counts = [document["counts"].get(name, {}).get(part) for name in names]
        most = max((count["in_view"] for count in counts if count), default=0)
        lines = [(key, [groups[name].get(part, {}).get(key) for name in names]) for key in keys]
        lines = [(key, values) for key, values in lines if any(v is not None for v in values)]
        shares = ["-" if count is None else _share(count) for count in counts]
        table.add_row(f"{part} ({most})", "with an estimate", "%", *shares, end_section=not lines)
        for place, (key, values) in enumerate(lines):
            cells = _cells(key, values, names)
            table.add_row("", key, _unit(key), *cells, end_section=place == len(lines) - 1)
    return table


def timings_table(document: Document) -> Table | None:
    """Wall times; None where nothing was timed.

    Args:
        document: From ``bench_document``.
    """
    timings: Document = document["timings"]
    names = [name for name, each in timings.items() if "p50_ms" in each]
    if not names:
        return None
    table = _table(f"{document['suite']}, wall times", ["time", "unit"], names)
    stages = list(dict.fromkeys(s for name in names for s in timings[name]["stage_ms"]))
    for stage in stages:
        values = [timings[name]["stage_ms"].get(stage) for name in names]
        table.add_row(f"stage {stage}", "ms", *(cell_text(value) for value in values))
    for key, label, unit in (
        ("p50_ms", "median", "ms"),
        ("p95_ms", "p95", "ms"),
        ("frames_per_s", "frames per second", "1/s"),
        ("peak_mib", "peak memory", "MiB"),
    ):
        values = [timings[name].get(key) for name in names]
        if any(value is not None for value in values):
            table.add_row(label, unit, *(cell_text(value) for value in values))
    return table


def _part(document: Document, names: Collection[str]) -> Document:
    """The same document with some of its methods, and the groups that these have figures in."""
    groups = {
        name: {part: values for part, values in each.items() if values}
        for name, each in document.get("groups", {}).items()
        if name in names
    }
    rows = [row for row in document["rows"] if row["method"] in names]
    return {**document, "rows": rows, "groups": groups}


def _table(title: str, first: Sequence[str], names: Sequence[str]) -> Table:
    from rich.table import Table

    table = Table(title=title)
    for heading in first:
        table.add_column(heading, no_wrap=True)
    for name in names:
        table.add_column(name, justify="right", overflow="fold")
    return table


def _cells(key: str, values: Sequence[float | None], names: Sequence[str]) -> list[str]:
    """Numbers with the best in bold."""
    own = [v for v, name in zip(values, names, strict=True) if name not in REFERENCES]
    best = _best(key, [value for value in own if value is not None])
    return [
        f"[bold]{_number(value)}[/bold]"
        if value is not None and value == best and name not in REFERENCES
        else cell_text(value)
        for value, name in zip(values, names, strict=True)
    ]


def _best(key: str, values: Collection[float]) -> float | None:
    """The best of several values, where one is better than another."""
    info = metrics_registry[key]
    if len(values) < 2:
        return None
    if info.lower_is_better is not None:
        return min(values) if info.lower_is_better else max(values)
    try:
        goal = float(info.better.removeprefix("closer to "))
    except ValueError:
        return None
    return min(values, key=lambda value: abs(value - goal))


def _unit(key: str) -> str:
    unit = metrics_registry[key].unit
    return "" if unit == "1" else unit


def _share(count: dict[str, Any]) -> str:
    return f"{100.0 * count['estimated'] / max(count['in_view'], 1):.1f}"


def cell_text(value: float | None) -> str:
    """Return a number with four digits, or a dash where there is none.

    Args:
        value: The number.
    """
    return NO_FIGURE if value is None else _number(value)


def _number(value: float) -> str:
    """Four significant digits, plain up to a million."""
    if abs(value) < _LEAST:
        return "0"
    if not math.isfinite(value):
        return f"{value:g}"
    digits = max(0, 3 - math.floor(math.log10(abs(value))))
    return f"{value:.{min(digits, 6)}f}" if abs(value) < 1e6 else f"{value:.3e}"
