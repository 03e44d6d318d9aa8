"""The pictures of ``hand4d bench --figures``: errors by clip, and by group or horizon."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from hand4d_ros.errors import MetricError
from hand4d_ros.evaluation.bench_document import Document
from hand4d_ros.evaluation.bench_tables import REFERENCES
from hand4d_ros.evaluation.metrics import metrics_registry

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

COLOURS = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9", "#444444")
"""Of methods, in turn; told apart by people who see few colours (Okabe and Ito, 2008)."""

HEADLINES = {
    "keypoints": ("pa_mpjpe_mm", "g_mpjpe_mm", "acc_err_mm_s2", "jerk_m_s3"),
    "occlusion": ("pa_mpjpe_mm", "ra_mpjpe_mm", "acc_err_mm_s2", "observed_fraction"),
    "world": ("g_mpjpe_mm", "ga_mpjpe_mm", "jerk_m_s3", "trans_err_pct"),
    "images": ("ga_mpjpe_mm", "fa_mpjpe_mm", "acc_norm", "pck_0_1"),
    "forecast": ("m_cm", "ade_mean_cm", "coverage_90", "radius_90_cm"),
    "real": ("pa_mpjpe_mm", "mpjpe_mm", "m_cm", "coverage_90"),
}
"""Figures that the pictures of a suite show."""
_DPI = 110
_NO_GOAL = "closer to the truth's"


def write_figures(document: Document, folder: Path) -> list[Path]:
    """Draw what a suite found out.

    Args:
        document: From ``bench_document``.
        folder: To write to; made where it is missing.

    Returns:
        The pictures (PNG).

    Raises:
        MetricError: The folder cannot be written.
    """
    drawn = {"clips": clips_figure(document), "groups": groups_figure(document)}
    drawn["times"] = times_figure(document)
    paths = []
    for name, figure in drawn.items():
        if figure is None:
            continue
        path = folder / f"{document['suite']}_{name}.png"
        try:
            folder.mkdir(parents=True, exist_ok=True)
            figure.savefig(path, dpi=_DPI)
        except OSError as error:
            msg = f"{path} cannot be written: {error.strerror}; give another folder"
            raise MetricError(msg) from error
        paths.append(path)
    return paths


def clips_figure(document: Document) -> Figure | None:
    """One point a clip and method, and the mean with its interval; None without clips.

    Args:
        document: From ``bench_document``.
    """
    names = _shown(document, "clips")
    keys = [key for key in _keys(document) if any(_of_clips(document, n, key) for n in names)]
    if not keys:
        return None
    figure, axes = _grid(len(keys), f"{document['suite']}: one point is one clip")
    for axis, key in zip(axes, keys, strict=True):
        own = [name for name in names if _of_clips(document, name, key)]
        for place, name in enumerate(own):
            _draw_clips(axis, place, document, name, key)
        labels = [name.replace("+", "\n+").replace("_", "_\n", 1) for name in own]
        axis.set_xticks(range(len(own)), labels)
        axis.set_xlim(-0.6, len(own) - 0.4)
        _label(axis, key)
    return figure


def groups_figure(document: Document) -> Figure | None:
    """Figures over the groups of a suite, one line a method; None without groups.

    Args:
        document: From ``bench_document``.
    """
    groups: Document = document.get("groups", {})
    names = [name for name in groups if name not in REFERENCES and any(groups[name].values())]
    parts = list(dict.fromkeys(part for name in names for part in groups[name]))
    keys = [
        key
        for key in _keys(document)
        if any(key in groups[name][part] for name in names for part in groups[name])
    ]
    if not keys:
        return None
    figure, axes = _grid(len(keys), f"{document['suite']} by group of frames")
    for axis, key in zip(axes, keys, strict=True):
        own = [p for p in parts if any(key in groups[name].get(p, {}) for name in names)]
        for place, name in enumerate(names):
            values = [groups[name].get(part, {}).get(key, np.nan) for part in own]
            if np.isfinite(values).any():
                colour = COLOURS[place % len(COLOURS)]
                axis.plot(own, values, "o-", color=colour, label=name)
        _label(axis, key)
        axis.tick_params(axis="x", rotation=30)
        axis.legend(fontsize=7)
    return figure


def times_figure(document: Document) -> Figure | None:
    """Time of each stage, stacked; None unless the suite is about time.

    Args:
        document: From ``bench_document``.
    """
    if document["suite"] != "runtime" or not document["timings"]:
        return None
    timings = document["timings"]
    stages = list(dict.fromkeys(s for each in timings.values() for s in each["stage_ms"]))
    figure, axes = _grid(1, "time of a frame by stage")
    left = np.zeros(len(timings))
    for place, stage in enumerate(stages):
        width = np.array([each["stage_ms"].get(stage, 0.0) for each in timings.values()])
        colour = COLOURS[place % len(COLOURS)]
        axes[0].barh(list(timings), width, left=left, color=colour, label=stage)
        left += width
    axes[0].set_xlabel("ms")
    axes[0].legend(fontsize=8)
    return figure


def _draw_clips(axis: Axes, place: int, document: Document, name: str, key: str) -> None:
    """Points of the clips of one method, and its mean with the interval."""
    values = _of_clips(document, name, key)
    spread = np.linspace(-0.18, 0.18, len(values)) if len(values) > 1 else np.zeros(1)
    colour = COLOURS[place % len(COLOURS)]
    axis.scatter(place + spread, values, s=22, color=colour, alpha=0.65, linewidths=0)
    row = next(row for row in document["rows"] if row["method"] == name)
    mean = row["metrics"].get(key)
    if mean is not None:
        low, high = document["intervals"].get(name, {}).get(key, (mean, mean))
        reach = [[max(mean - low, 0.0)], [max(high - mean, 0.0)]]
        axis.errorbar([place], [mean], reach, fmt="_", markersize=26, capsize=5, color=colour)


def _keys(document: Document) -> tuple[str, ...]:
    return HEADLINES.get(document["suite"], ())


def _shown(document: Document, part: str) -> list[str]:
    """Methods that have something to show; the truth has no errors."""
    return [name for name, each in document[part].items() if each and name not in REFERENCES]


def _of_clips(document: Document, name: str, key: str) -> list[float]:
    return [c["metrics"][key] for c in document["clips"].get(name, []) if key in c["metrics"]]


def _grid(count: int, title: str) -> tuple[Figure, Sequence[Axes]]:
    from matplotlib.figure import Figure

    columns = min(count, 2)
    rows = -(-count // columns)
    # Not pyplot: it would keep every figure and might ask for a display.
    figure = Figure(figsize=(4.6 * columns, 3.1 * rows), layout="constrained")
    figure.suptitle(title, fontsize=11)
    grid: Any = figure.subplots(rows, columns, squeeze=False)
    axes = list(grid.ravel())
    for spare in axes[count:]:
        spare.set_visible(False)
    return figure, axes[:count]


def _label(axis: Axes, key: str) -> None:
    """Name the figure, its unit and which way is better."""
    info = metrics_registry[key]
    unit = "" if info.unit == "1" else f" ({info.unit})"
    axis.set_title(f"{key}{unit}, {info.better} is better", fontsize=9)
    axis.tick_params(labelsize=8)
    axis.grid(axis="y", alpha=0.3)
    axis.margins(y=0.08)
    if info.lower_is_better:
        axis.set_ylim(0.0, 1.08 * axis.get_ylim()[1])
    elif info.lower_is_better is None and info.better != _NO_GOAL:
        goal = float(info.better.removeprefix("closer to "))
        axis.axhline(goal, color="#888888", linestyle="--", linewidth=1)
        axis.set_title(f"{key}{unit}, {info.better}", fontsize=9)
