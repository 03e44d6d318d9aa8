"""What ``hand4d eval`` does between its options and its exit status."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hand4d_ros.cli.eval_live import live_hands
from hand4d_ros.cli.progress import progress_bar
from hand4d_ros.errors import MediaError
from hand4d_ros.evaluation.bag_eval import (
    BOTH,
    ReadingFigures,
    figures_of,
    online_penalty,
    truth_on_images,
    unit_of,
    worst_rows,
)
from hand4d_ros.evaluation.clips import ClipTruth
from hand4d_ros.evaluation.metrics import metrics_registry
from hand4d_ros.evaluation.summary import latency_summary
from hand4d_ros.evaluation.thresholds import Verdict
from hand4d_ros.evaluation.tum import write_tum
from hand4d_ros.pipeline import HandPipeline
from hand4d_ros.replay.eval_pictures import write_worst
from hand4d_ros.replay.eval_readings import Detections, Reading, read_offline, read_recorded
from hand4d_ros.replay.eval_truth import read_truth
from hand4d_ros.replay.outputs import staged
from hand4d_ros.replay.results import HANDS

if TYPE_CHECKING:
    from rich.table import Table

    from hand4d_ros.cli.eval import Args

DOCUMENT = "eval.json"
LIVE = "live.mcap"
_SIDES = ("left", "right", BOTH)


@dataclass(frozen=True)
class Scored:
    """One reading with its truth and figures."""

    reading: Reading
    truth: ClipTruth
    figures: ReadingFigures


@dataclass
class ScoredReadings:
    """Everything that was measured."""

    readings: dict[str, Scored]
    truth_sources: list[str]
    penalty: dict[str, float] = field(default_factory=dict)
    """Live minus offline; empty unless both were made."""
    notes: list[str] = field(default_factory=list)


def scored_readings(args: Args) -> ScoredReadings:
    """Run or read everything that was asked for and score it.

    Args:
        args: Options of the command.

    Raises:
        Hand4DError: Something that was given is unusable, or the nodes failed.
    """
    tracks = read_truth(args.truth, args.bag)
    readings = _readings(args)
    scored = {}
    for reading in readings:
        truth = truth_on_images(reading.clip, reading.estimate, tracks, args.eval)
        figures = figures_of(reading.name, reading.clip, reading.estimate, truth)
        scored[reading.name] = Scored(reading, truth, figures)
    sources = list(dict.fromkeys(f"{track.side.label}: {track.source}" for track in tracks))
    found = ScoredReadings(scored, sources)
    if len(readings) == 2:
        first, live = readings
        estimates = (first.estimate, live.estimate)
        ours, theirs = (scored[each.name].figures for each in readings)
        found.penalty = online_penalty(ours, theirs, estimates)
    found.notes = list(dict.fromkeys(note for r in readings for note in r.run.notes))
    if not tracks:
        found.notes.append("no truth: figures of self-consistency only")
    return found


def tables(scored: ScoredReadings) -> list[Table]:
    """Figures of every reading and hand, and the price of running live.

    Args:
        scored: What was measured.
    """
    from rich.table import Table

    table = Table(title="hands of the recording")
    table.add_column("figure", no_wrap=True)
    table.add_column("unit")
    columns = [
        (name, label)
        for name, each in scored.readings.items()
        for label in _SIDES
        if label in each.figures.hands and (label != BOTH or len(each.figures.hands) > 2)
    ]
    for name, label in columns:
        table.add_column(f"{name} {label}", justify="right")
    if scored.penalty:
        table.add_column("live minus offline", justify="right")
    known = [scored.readings[name].figures.hands[label] for name, label in columns]
    keys = [*metrics_registry, *(k for each in known for k in each if k not in metrics_registry)]
    for key in dict.fromkeys(keys):
        if any(key in each for each in known):
            cells = [_number(each.get(key)) for each in known]
            if scored.penalty:
                cells.append(_number(scored.penalty.get(key)))
            table.add_row(key, unit_of(key), *cells)
    return [table]


def write_outputs(args: Args, scored: ScoredReadings, verdicts: Sequence[Verdict]) -> list[Path]:
    """Write the JSON, the wrists' paths and the pictures.

    Args:
        args: Options of the command.
        scored: What was measured.
        verdicts: Of the limits.

    Returns:
        The files.

    Raises:
        MediaError: The folder cannot be written.
        BagError: The recording's images cannot be read again.
    """
    path = args.out / DOCUMENT
    text = json.dumps(_document(args, scored, verdicts), indent=1, allow_nan=False) + "\n"
    with staged(path, MediaError) as aside:
        aside.write_text(text, encoding="utf-8")
    paths = [path]
    first = next(iter(scored.readings.values()))
    for side, hand in first.reading.estimate.hands.items():
        if hand.there.any():
            tum = args.out / f"{side.label}_wrist.tum"
            with staged(tum, MediaError) as aside:
                write_tum(aside, first.reading.clip.stamps_ns, hand.T_world_wrist)
            paths.append(tum)
    for side, truth in first.truth.hands.items():
        if truth.T_world_wrist is not None:
            tum = args.out / f"truth_{side.label}_wrist.tum"
            with staged(tum, MediaError) as aside:
                write_tum(aside, first.reading.clip.stamps_ns, truth.T_world_wrist)
            paths.append(tum)
    worst = worst_rows(first.reading.clip, first.reading.estimate, first.truth, args.worst)
    return paths + write_worst(args.out, args.bag, first.reading, first.truth, worst, args.input)


def _readings(args: Args) -> list[Reading]:
    """The offline or recorded reading, and the live one if asked."""
    seen: Detections = {}
    if args.hands:
        is_topic = args.hands.startswith("/") and not Path(args.hands).exists()
        bag, topic = (args.bag, args.hands) if is_topic else (Path(args.hands), "")
        readings = [read_recorded("recorded", args.bag, bag, args.input, hands_topic=topic)]
    else:
        pipeline = HandPipeline(args.pipeline)
        try:
            with progress_bar("offline") as advance:
                first, seen = read_offline(
                    args.bag, args.out / HANDS, pipeline, args.input, advance
                )
        finally:
            pipeline.close()
        readings = [first]
    if args.live:
        hands = live_hands(args.bag, args.out / LIVE, args.pipeline, args.input)
        readings.append(read_recorded("live", args.bag, hands, args.input, seen))
    return readings


def _document(args: Args, scored: ScoredReadings, verdicts: Sequence[Verdict]) -> dict[str, Any]:
    """Everything as JSON."""
    readings = {
        name: {
            "model_id": each.reading.run.model_id,
            "images": len(each.reading.clip),
            "processed": int(each.reading.run.processed.sum()),
            "drops": dict(each.reading.run.drops),
            "hands": {label: _finite(values) for label, values in each.figures.hands.items()},
            "skipped": dict(each.figures.skipped),
            "milliseconds": _milliseconds(each.reading),
        }
        for name, each in scored.readings.items()
    }
    first = next(iter(scored.readings.values()))
    worst = worst_rows(first.reading.clip, first.reading.estimate, first.truth, args.worst)
    return {
        "bag": args.bag.name,
        "truth": scored.truth_sources,
        "align": args.eval.align,
        "readings": readings,
        "live_minus_offline": _finite(scored.penalty),
        "worst": [
            {"stamp_ns": int(first.reading.clip.stamps_ns[row]), "error_m": error}
            for row, error in worst
        ],
        "thresholds": [
            {"entry": v.limit.entry, "reading": v.reading, "value": v.value, "passed": v.passed}
            for v in verdicts
        ],
        "notes": scored.notes,
    }


def _milliseconds(reading: Reading) -> dict[str, float]:
    """Processing of a frame offline, capture to publication live."""
    if not len(reading.estimate.frame_ms):
        return {}
    found = latency_summary(reading.estimate.frame_ms)
    return {
        "mean": found.mean_ms,
        "p50": found.p50_ms,
        "p95": found.p95_ms,
        "p99": found.p99_ms,
        "max": found.max_ms,
    }


def _finite(values: Any) -> dict[str, float]:
    return {key: float(value) for key, value in values.items() if math.isfinite(value)}


def _number(value: float | None) -> str:
    if value is None or not math.isfinite(value):
        return "-"
    return "0" if abs(value) < 1e-9 else f"{value:.4g}" if abs(value) < 1e4 else f"{value:.0f}"
