"""The picture of ``benchmarks.motion``."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from benchmarks.motion import Moves

_COLOURS = ("#1f6fb4", "#e07b28")


def write_figure(moves: Mapping[str, Moves], path: Path) -> None:
    """Draw distributions and spectra side by side.

    Args:
        moves: What was measured, by who moved.
        path: PNG to write.
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(11.0, 6.4), dpi=110, layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.subplots(2, 3)
    for (name, found), colour in zip(moves.items(), _COLOURS, strict=False):
        label = f"{name} ({found.seconds:.0f} s)"
        _shares(axes[0, 0], found.speed_m_s, label, colour)
        _shares(axes[0, 1], found.acceleration_m_s2, label, colour)
        _shares(axes[0, 2], found.bending_deg_s, label, colour)
        for axis, power in ((axes[1, 0], found.velocity_psd), (axes[1, 1], found.bending_psd)):
            axis.loglog(found.frequency_hz[1:], power[1:], color=colour, label=label)
    _ranges(axes[1, 2], moves)
    for axis, title, unit in zip(
        axes.ravel(),
        (
            "Speed of the knuckles",
            "Acceleration of the knuckles",
            "Speed of the middle joints",
            "Spectrum of the velocity",
            "Spectrum of the middle joints' speed",
            "Angles: 5 to 95 %, middle",
        ),
        ("m/s", "m/s²", "deg/s", "Hz", "Hz", "deg"),
        strict=True,
    ):
        axis.set_title(title, fontsize=10)
        axis.set_xlabel(unit)
        axis.grid(alpha=0.3)
    for axis in axes[0]:
        axis.set_ylabel("share of the time below")
    axes[1, 0].set_ylabel("m²/s²/Hz")
    axes[1, 1].set_ylabel("deg²/s²/Hz")
    axes[0, 0].legend(fontsize=8)
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path)


def _shares(axis: Any, values: Any, label: str, colour: str) -> None:
    """Draw a cumulative distribution."""
    shares = np.linspace(0.005, 0.995, 199)
    axis.semilogx(np.quantile(values, shares), shares, color=colour, label=label)


def _ranges(axis: Any, moves: Mapping[str, Moves]) -> None:
    """Draw a bar from the 5 to the 95 % quantile of every angle."""
    names = list(next(iter(moves.values())).angles_deg)
    for place, (found, colour) in enumerate(zip(moves.values(), _COLOURS, strict=False)):
        for row, name in enumerate(names):
            low, middle, high = np.percentile(found.angles_deg[name], [5, 50, 95])
            at = row + 0.3 * place - 0.15
            axis.barh(at, high - low, 0.26, left=low, color=colour, alpha=0.75)
            axis.plot([middle, middle], [at - 0.13, at + 0.13], color="black", lw=1.2)
    axis.set_yticks(range(len(names)), names)
    axis.invert_yaxis()
