"""The JSON of ``hand4d bench``: what a program reads, and what two runs are compared by.

``suite``, ``seed`` and ``rows`` are the interface; all else stands beside them. Everything but
``ms_per_frame`` and ``timings`` is the same, digit for digit, when the run is repeated;
``python -m hand4d_ros.evaluation.bench_document A.json B.json`` compares two files.
"""

from __future__ import annotations

import json
import math
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from hand4d_ros import __version__
from hand4d_ros.errors import MetricError
from hand4d_ros.evaluation.suites.base import ALL, MethodResult, SuiteResult, group_metrics
from hand4d_ros.evaluation.summary import BenchRow, bench_json, bench_rows

TIMING_KEYS = ("ms_per_frame", "timings")
"""What is a wall time and so differs from run to run."""

Document = dict[str, Any]
"""What ``json.loads`` gives."""


def bench_rows_of(result: SuiteResult) -> list[BenchRow]:
    """One row a method, in the order in which they ran.

    Args:
        result: Of a suite.
    """
    return [
        BenchRow(each.method, each.frames, each.ms_per_frame, each.metrics())
        for each in result.methods
    ]


def bench_document(result: SuiteResult) -> Document:
    """Everything that a suite found out.

    Args:
        result: Of the suite.
    """
    rows = bench_rows_of(result)
    document: Document = json.loads(bench_json(result.suite, result.options.seed, rows))
    document |= {
        "version": __version__,
        "options": {"clips": result.options.clips, "difficulty": result.options.difficulty},
        "notes": list(result.notes),
        "intervals": {each.method: _intervals(each) for each in result.methods},
        "counts": {each.method: _counts(each) for each in result.methods},
        "groups": {each.method: _groups(each) for each in result.methods if each.groups},
        "clips": {each.method: _clips(each) for each in result.methods},
        "skipped": {each.method: _skipped(each) for each in result.methods},
        "timings": {each.method: _timings(each) for each in result.methods},
    }
    return document


def document_text(document: Document) -> str:
    """Write a document so that equal ones give equal text.

    Args:
        document: From ``bench_document``.
    """
    return json.dumps(document, indent=1, allow_nan=False) + "\n"


def without_timings(document: Document) -> Document:
    """Leave out what differs from run to run.

    Args:
        document: From ``bench_document``.
    """
    kept = {key: value for key, value in document.items() if key not in TIMING_KEYS}
    kept["rows"] = [
        {key: value for key, value in row.items() if key not in TIMING_KEYS}
        for row in document["rows"]
    ]
    return kept


def _intervals(result: MethodResult) -> Document:
    """Ends of the 95% interval of each figure, over clips."""
    return {
        key: [each.low, each.high]
        for key, each in result.aggregated().items()
        if math.isfinite(each.low) and math.isfinite(each.high)
    }


def _counts(result: MethodResult) -> Document:
    """Frames of hands in view, and those with an estimate, of all clips and of each group."""
    return {
        name: {"in_view": count.in_view, "estimated": count.estimated}
        for name, count in result.counts.items()
        if name == ALL or name in result.groups
    }


def _groups(result: MethodResult) -> Document:
    return {name: _finite(values) for name, values in group_metrics(result.groups).items()}


def _clips(result: MethodResult) -> list[Document]:
    return [
        {"name": clip.name, "frames": clip.frames, "metrics": _finite(clip.values)}
        for clip in result.figures
    ]


def _skipped(result: MethodResult) -> Document:
    """Figures that no clip has, with the reason that the first of them gave."""
    known = {key for clip in result.figures for key in clip.figures}
    reasons: Document = {}
    for clip in result.figures:
        for key, reason in clip.skipped.items():
            if key not in known:
                reasons.setdefault(key, reason)
    return reasons


def _timings(result: MethodResult) -> Document:
    timings: Document = {
        "stage_ms": {name: float(np.mean(each)) for name, each in result.stage_ms.items()}
    }
    if result.milliseconds:
        p50, p95, p99 = (float(v) for v in np.percentile(result.milliseconds, [50, 95, 99]))
        timings |= {"p50_ms": p50, "p95_ms": p95, "p99_ms": p99}
        timings["frames_per_s"] = 1e3 / result.ms_per_frame if result.ms_per_frame else 0.0
    if result.peak_mib:
        timings["peak_mib"] = result.peak_mib
    return timings


def _finite(values: Mapping[str, float]) -> dict[str, float]:
    return {key: float(value) for key, value in values.items() if math.isfinite(value)}


def read_document(path: Path) -> Document:
    """Read a file that ``hand4d bench --json`` wrote.

    Raises:
        MetricError: It is missing or something else.
    """
    try:
        document: Document = json.loads(path.read_text(encoding="utf-8"))
        bench_rows(json.dumps(document))
    except (OSError, ValueError) as error:
        msg = f"{path} cannot be read ({error}); give a file of `hand4d bench --json`"
        raise MetricError(msg) from error
    return document


def differences(first: Document, second: Document) -> list[str]:
    """Names of the parts in which two documents differ, times left out.

    Args:
        first: From ``bench_document`` or its file.
        second: Another one.
    """
    a, b = without_timings(first), without_timings(second)
    return [key for key in dict.fromkeys((*a, *b)) if a.get(key) != b.get(key)]


def main() -> int:
    """Compare the two files given.

    Returns:
        0 where they are equal but for times, 1 where not, 2 without two files.
    """
    if len(sys.argv) != 3:
        sys.stderr.write("usage: python -m hand4d_ros.evaluation.bench_document A.json B.json\n")
        return 2
    first, second = (read_document(Path(name)) for name in sys.argv[1:])
    found = differences(first, second)
    sys.stdout.write(f"differ in {', '.join(found)}\n" if found else "equal but for times\n")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
