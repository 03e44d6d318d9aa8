"""Latencies, drops, and the table and JSON of a benchmark."""

from __future__ import annotations

import io
import json
import math

import numpy as np
import pytest
from rich.console import Console

from hand4d_ros.errors import MetricError
from hand4d_ros.evaluation import summary
from hand4d_ros.evaluation.summary import BenchRow

ROWS = [
    BenchRow("fit", 120, 3.25, {"jerk_m_s3": 80.0, "pa_mpjpe_mm": 9.5, "auc_j": 0.81}),
    BenchRow("fit+oneeuro", 120, 3.5, {"pa_mpjpe_mm": 10.25, "auc_j": 0.795, "jerk_m_s3": 7.0}),
]


def test_latency_percentiles_by_hand() -> None:
    """0 to 100 ms has its percentiles at their own number."""
    found = summary.latency_summary(np.arange(101.0)[::-1])
    assert (found.p50_ms, found.p95_ms, found.p99_ms, found.max_ms) == (50.0, 95.0, 99.0, 100.0)
    assert (found.count, found.mean_ms) == (101, 50.0)


def test_drops_are_sorted_and_zeros_left_out() -> None:
    """Most frequent first."""
    found = summary.drop_summary(50, {"no_odometry": 3, "stale": 7, "never": 0})
    assert list(found.by_reason) == ["stale", "no_odometry"]
    assert found.dropped == 10
    assert found.fraction == pytest.approx(0.2)
    assert summary.drop_summary(0, {}).fraction == 0.0


def test_bench_json_has_the_documented_form() -> None:
    """The keys of the interface, in the registry's order, and back."""
    text = summary.bench_json("keypoints", 11, ROWS)
    document = json.loads(text)
    assert list(document) == ["suite", "seed", "rows"]
    assert list(document["rows"][0]) == ["method", "frames", "ms_per_frame", "metrics"]
    assert list(document["rows"][1]["metrics"]) == ["pa_mpjpe_mm", "auc_j", "jerk_m_s3"]
    suite, seed, rows = summary.bench_rows(text)
    assert (suite, seed, rows) == ("keypoints", 11, ROWS)
    assert summary.bench_json(suite, seed, rows) == text


def test_bench_json_leaves_out_what_json_lacks() -> None:
    """NaN is no JSON."""
    row = BenchRow("fit", 1, 1.0, {"mpjpe_mm": math.nan, "jerk_m_s3": math.inf, "auc_j": 0.5})
    assert json.loads(summary.bench_json("s", 0, [row]))["rows"][0]["metrics"] == {"auc_j": 0.5}


def test_table_marks_the_best_and_leaves_blanks() -> None:
    """Lower or higher, as the registry says; a missing figure is a dash."""
    rows = [*ROWS, BenchRow("other", 7, 100.0, {"diversity": 41.14})]
    table = summary.bench_table("keypoints", rows)
    by_name = dict(
        zip(
            table.columns[0].cells, zip(*(c.cells for c in table.columns), strict=True), strict=True
        )
    )
    assert by_name["pa_mpjpe_mm"] == ("pa_mpjpe_mm", "mm", "[bold]9.500[/bold]", "10.25", "-")
    assert by_name["auc_j"] == ("auc_j", "", "[bold]0.8100[/bold]", "0.7950", "-")
    assert by_name["jerk_m_s3"] == ("jerk_m_s3", "m/s^3", "80.00", "[bold]7.000[/bold]", "-")
    assert by_name["diversity"][2:] == ("-", "-", "41.14")
    console = Console(file=io.StringIO(), width=120)
    console.print(table)
    assert "fit+oneeuro" in console.file.getvalue()  # type: ignore[attr-defined]


def test_documented_raises() -> None:
    """No latency, impossible drops, unknown keys, a file of another kind."""
    with pytest.raises(MetricError, match="at least one finite number, got 0"):
        summary.latency_summary(np.zeros(0))
    with pytest.raises(MetricError, match="cannot be the drops of 3 frames"):
        summary.drop_summary(3, {"stale": 4})
    wrong = [BenchRow("fit", 1, 1.0, {"mpjpe": 1.0})]
    with pytest.raises(MetricError, match=r"has no metric \['mpjpe'\]"):
        summary.bench_json("s", 0, wrong)
    with pytest.raises(MetricError, match=r"has no metric \['mpjpe'\]"):
        summary.bench_table("s", wrong)
    for text in ("no json", "{}", '{"suite": "s", "seed": 0, "rows": [{"name": "fit"}]}'):
        with pytest.raises(MetricError, match="bench file: expected"):
            summary.bench_rows(text)
