"""The figures of a run, as ``metrics.json`` holds them and the report shows them."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from hand4d_ros.errors import MediaError
from hand4d_ros.evaluation.scoring import (
    ClipFigures,
    SequencePair,
    evaluate_sequence,
    evaluate_two_hands,
)
from hand4d_ros.evaluation.summary import latency_summary
from hand4d_ros.replay.outputs import staged
from hand4d_ros.replay.run_data import IN_VIEW_RULE, HandSeries, Run
from hand4d_ros.shapes import Array, Bool, Float
from hand4d_ros.types import Side

LIVE_LATENCY = "capture to publication"
OFFLINE_LATENCY = "processing of one frame, offline"

Metrics = dict[str, Any]
"""Content of ``metrics.json``: numbers are finite or left out."""


def run_metrics(run: Run, processing_ms: list[float] | None = None) -> Metrics:
    """Compute every figure that a run's data allows.

    Args:
        run: What happened.
        processing_ms: Time of each frame offline, where the messages have no latency.
    """
    live = run.latency_ms[np.isfinite(run.latency_ms)]
    latency = live if live.size else np.array(processing_ms or [], dtype=float)
    pairs = {side: _pair(run, side) for side in Side}
    scored = {side: evaluate_sequence(pair) for side, pair in pairs.items()}
    metrics: Metrics = {
        "frames": {
            "images": len(run.stamps_ns),
            "processed": int(run.processed.sum()),
            "duration_s": round(run.duration_s, 6),
            "drops": dict(run.drops),
        },
        "latency_ms": _latency(latency, LIVE_LATENCY if live.size else OFFLINE_LATENCY),
        "in_view_rule": IN_VIEW_RULE if run.truth else "every image, as there is no truth",
        "hands": {side.label: _hand(run, side, scored[side]) for side in Side},
    }
    if run.truth:
        both = evaluate_two_hands(pairs[Side.LEFT], pairs[Side.RIGHT])
        metrics["both_hands"] = _finite(both.values)
    return metrics


def write_metrics(path: Path, metrics: Mapping[str, Any]) -> None:
    """Write ``metrics.json``.

    Raises:
        MediaError: The folder cannot be written.
    """
    text = json.dumps(metrics, indent=2, allow_nan=False) + "\n"
    with staged(path, MediaError) as aside:
        aside.write_text(text, encoding="utf-8")


def wrist_errors_m(run: Run, side: Side) -> Float[Array, "n"]:
    """Return the distance of the published wrist from the true one, in the world, per image.

    NaN where the hand is not in view or not published.
    """
    if side not in run.truth:
        return np.full(len(run.stamps_ns), np.nan)
    errors = np.linalg.norm(run.hands[side].wrist_m - run.truth[side].wrist_m, axis=1)
    return np.where(run.in_view[side], errors, np.nan)


def visible_rows(run: Run, side: Side) -> Bool[Array, "n"]:
    """Return the images in which a hand counts as in view; all without a truth."""
    every = np.ones(len(run.stamps_ns), dtype=bool)
    return run.in_view.get(side, every)


def _pair(run: Run, side: Side) -> SequencePair:
    hand: HandSeries = run.hands[side]
    truth = run.truth.get(side)
    visible = visible_rows(run, side)
    return SequencePair(
        name=side.label,
        stamps_ns=run.stamps_ns,
        truth_m=np.full_like(hand.keypoints_m, np.nan) if truth is None else truth.keypoints_m,
        estimate_m=hand.keypoints_m,
        visible=visible,
        observed=hand.observed,
        scored=visible,
        keypoint_std_m=None if truth is None else hand.keypoint_std_m,
    )


def _hand(run: Run, side: Side, scored: ClipFigures) -> Metrics:
    visible = visible_rows(run, side)
    processed = visible & run.processed
    observed = int((visible & run.hands[side].observed).sum())
    tracked = int(run.hands[side].tracked.sum())
    metrics: Metrics = {"observed_frames": observed, "tracked_frames": tracked}
    if not (tracked or run.truth):
        # A person may have shown one hand only; without a truth nobody knows.
        return metrics
    metrics["in_view_frames"] = int(visible.sum())
    values = dict(scored.values)
    if processed.any():
        values["observed_fraction_of_processed"] = observed / int(processed.sum())
    errors_m = wrist_errors_m(run, side)
    errors_m = errors_m[np.isfinite(errors_m)]
    if errors_m.size:
        values["wrist_error_median_m"] = float(np.median(errors_m))
        values["wrist_error_p95_m"] = float(np.percentile(errors_m, 95))
    return metrics | _finite(values)


def _latency(latency_ms: Float[Array, "n"], kind: str) -> Metrics:
    if not latency_ms.size:
        return {"kind": kind, "count": 0}
    summary = latency_summary(latency_ms)
    return {
        "kind": kind,
        "count": summary.count,
        **{
            name: round(getattr(summary, f"{name}_ms"), 3)
            for name in ("mean", "p50", "p95", "p99", "max")
        },
    }


def _finite(values: Mapping[str, float]) -> Metrics:
    return {key: float(value) for key, value in values.items() if math.isfinite(value)}
