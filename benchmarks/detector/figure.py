"""The figure of the documentation: the real detector and its noise model on held-out renders."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from benchmarks.detector.compare import GOAL, Comparison
from benchmarks.detector.matching import Matched
from benchmarks.detector.statistics import DIFFICULTIES, JOINT_GROUPS, LAGS, QUANTILES, gap_lengths

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_REAL, _MODEL = "#1f4e79", "#e07b39"
_GRID = np.linspace(0.01, 0.99, 99)


def draw(
    path: Path, comparison: Comparison, real: Sequence[Matched], model: Sequence[Matched]
) -> None:
    """Draw six panels.

    Args:
        path: PNG file to write.
        comparison: Statistics of both.
        real: What the real detector said.
        model: What the model said about the same clips.
    """
    import matplotlib as mpl

    mpl.use("Agg")
    from matplotlib import pyplot as plt

    figure, axes = plt.subplots(2, 3, figsize=(13.0, 7.6), layout="constrained")
    panels = axes.ravel()
    _distribution(panels[0], real, model)
    _ratios(panels[1], comparison)
    _memory(panels[2], comparison)
    _found(panels[3], comparison)
    _gaps(panels[4], real, model)
    _scores(panels[5], real, model)
    panels[0].legend(frameon=False)
    for panel in panels:
        panel.spines[["top", "right"]].set_visible(False)
    figure.suptitle(
        f"The real detector and its noise model on {len(real)} rendered clips that were not fitted"
    )
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, dpi=110)
    plt.close(figure)


def _distribution(panel: Axes, real: Sequence[Matched], model: Sequence[Matched]) -> None:
    for clips, colour, name in ((real, _REAL, "real detector"), (model, _MODEL, "noise model")):
        error = np.concatenate([m.error[m.found] for m in clips])
        panel.plot(np.quantile(error, _GRID), _GRID, color=colour, label=name, lw=2)
    panel.set(xscale="log", xlabel="error of a keypoint, sizes of the hand", ylabel="share below")
    panel.grid(alpha=0.3)


def _ratios(panel: Axes, comparison: Comparison) -> None:
    ratios = comparison.ratios("error quantiles")
    kinds = (*(f"{name} clips" for name in DIFFICULTIES), "keypoints in sight", "keypoints hidden")
    names = [name for name in ("all", *JOINT_GROUPS, *kinds) if name in ratios]
    for row, name in enumerate(names):
        panel.scatter(ratios[name], [row] * len(ratios[name]), c=range(len(QUANTILES)), s=22)
        panel.text(0.52, row, name, va="center", fontsize=8)
    panel.axvspan(1.0 - GOAL, 1.0 + GOAL, color=_MODEL, alpha=0.15)
    panel.set(xlim=(0.5, 1.5), yticks=[], xlabel="model over real: quantiles at 10 (dark) to 95%")
    panel.invert_yaxis()


def _memory(panel: Axes, comparison: Comparison) -> None:
    for statistics, colour in ((comparison.real, _REAL), (comparison.model, _MODEL)):
        values = [row[0] for row in statistics["autocorrelation"].values()]
        panel.plot(LAGS, values, "o-", color=colour, lw=2)
    label = "errors, correlation with those later"
    panel.set(xscale="log", ylim=(0.0, 1.0), xlabel="frames later", ylabel=label)
    panel.grid(alpha=0.3)


def _found(panel: Axes, comparison: Comparison) -> None:
    names = [n for n, v in comparison.real["found"].items() if v and n != "all hands"]
    place = np.arange(len(names))
    for offset, statistics, colour in (
        (-0.2, comparison.real, _REAL),
        (0.2, comparison.model, _MODEL),
    ):
        height = [statistics["found"][name][0] for name in names]
        panel.bar(place + offset, height, 0.38, color=colour)
    panel.set(ylim=(0.0, 1.0), ylabel="share of the hands that are found")
    panel.set_xticks(place, [n.replace(" in sight", "\nin sight") for n in names], fontsize=7)


def _gaps(panel: Axes, real: Sequence[Matched], model: Sequence[Matched]) -> None:
    for clips, colour in ((real, _REAL), (model, _MODEL)):
        lengths = np.sort(gap_lengths(clips))
        panel.step(lengths, np.arange(1, len(lengths) + 1) / len(lengths), color=colour, lw=2)
    panel.set(xscale="log", xlabel="length of a gap, frames", ylabel="share not longer")
    panel.grid(alpha=0.3)


def _scores(panel: Axes, real: Sequence[Matched], model: Sequence[Matched]) -> None:
    edges = np.linspace(0.3, 1.0, 36)
    for clips, colour in ((real, _REAL), (model, _MODEL)):
        score = np.concatenate([m.score[m.found] for m in clips])
        panel.hist(score, edges.tolist(), density=True, histtype="step", color=colour, lw=2)
    panel.set(xlabel="score of a detection", ylabel="density")
