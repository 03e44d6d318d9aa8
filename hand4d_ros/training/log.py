"""Metrics of a run as JSON lines, and the picture of their course."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from hand4d_ros.training.files import whole_file

TRAINING, EVALUATION = "train", "evaluate"
"""Kinds of lines."""
_RATES = ("rate", "grad_norm")
_MAX_FIGURES = 8
"""Of evaluations, in the picture."""


class MetricsLog:
    """``metrics.jsonl``: one line for every few steps and one for every evaluation.

    Every line has ``kind``, ``step`` (steps done) and ``seconds`` (since the run began, pauses
    left out). A resumed run drops the lines after its checkpoint, since it makes them again.
    """

    def __init__(self, path: Path) -> None:
        """Look at a file; it is made by the first line.

        Args:
            path: Of the file.
        """
        self._path = path

    def add(self, kind: str, step: int, seconds: float, values: Mapping[str, float]) -> None:
        """Append a line. JSON knows no NaN, so what is not finite is null."""
        clean = {name: v if math.isfinite(v) else None for name, v in values.items()}
        line = {"kind": kind, "step": step, "seconds": round(seconds, 3), **clean}
        with self._path.open("a", encoding="utf-8") as file:
            file.write(json.dumps(line) + "\n")

    def lines(self) -> list[dict[str, Any]]:
        """Return all lines; a last one that was cut off is left out."""
        if not self._path.exists():
            return []
        whole, _, _half = self._path.read_text(encoding="utf-8").rpartition("\n")
        # A process that was killed may leave half a line, which has no end.
        return [json.loads(text) for text in whole.splitlines()]

    def cut(self, step: int) -> None:
        """Drop lines after a step."""
        kept = [line for line in self.lines() if line["step"] <= step]
        with whole_file(self._path) as aside:
            aside.write_text("".join(json.dumps(line) + "\n" for line in kept), encoding="utf-8")


def draw_curve(lines: Sequence[Mapping[str, Any]], path: Path, title: str) -> bool:
    """Draw losses, figures of evaluations, gradient norm and learning rate over steps.

    Args:
        lines: Of a ``MetricsLog``.
        path: Picture to write, ``.png``.
        title: Above it.

    Returns:
        Whether it was drawn: not without matplotlib, nor without a line.
    """
    try:
        from matplotlib.backends.backend_agg import FigureCanvasAgg
        from matplotlib.figure import Figure
    except ModuleNotFoundError:
        return False
    train = _columns([line for line in lines if line["kind"] == TRAINING])
    if not train:
        return False
    rates = {name: c for name, c in train.items() if name.rpartition("/")[2] in _RATES}
    panels = {"training": {name: c for name, c in train.items() if name not in rates}}
    # Figures have different units, so each gets a panel of its own.
    held_out = _columns([line for line in lines if line["kind"] == EVALUATION])
    panels.update({name: {name: column} for name, column in list(held_out.items())[:_MAX_FIGURES]})
    panels["optimiser"] = rates
    height = 1.0 + 2.0 * len(panels)
    figure = Figure(figsize=(9.0, height))
    FigureCanvasAgg(figure)
    rows = figure.subplots(len(panels), 1, sharex=True)
    for axes, (name, columns) in zip(rows, panels.items(), strict=True):
        _draw_panel(axes, name, columns)
    rows[-1].set_xlabel("step")
    figure.suptitle(title)
    # A layout engine would draw everything twice.
    figure.subplots_adjust(0.12, 0.6 / height, 0.8, 1.0 - 0.5 / height, hspace=0.12)
    with whole_file(path) as aside:
        figure.savefig(aside, dpi=100)
    return True


_Columns = dict[str, tuple[list[int], list[float]]]


def _draw_panel(axes: Any, name: str, columns: _Columns) -> None:
    for label, (steps, values) in columns.items():
        axes.plot(steps, values, label=label, linewidth=1.2, marker="." * (len(steps) < 30))
    every = [v for _, values in columns.values() for v in values]
    if min(every) > 0.0 and max(every) > 20.0 * min(every):
        axes.set_yscale("log")
    axes.set_ylabel(name)
    axes.grid(visible=True, alpha=0.3)
    if len(columns) > 1:
        axes.legend(fontsize="small", loc="center left", bbox_to_anchor=(1.0, 0.5))


def _columns(lines: Sequence[Mapping[str, Any]]) -> _Columns:
    """Turn lines into a course for every name."""
    columns: _Columns = {}
    for line in lines:
        for name, value in line.items():
            if name not in ("kind", "step", "seconds", "samples_per_s") and value is not None:
                steps, values = columns.setdefault(name, ([], []))
                steps.append(int(line["step"]))
                values.append(float(value))
    return columns
