"""A small canvas for charts as inline SVG: sharp at any size, no library, no external resource."""

from __future__ import annotations

import html
import math
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from hand4d_ros.imaging import SIDE_RGB
from hand4d_ros.shapes import Array, Float

SIDE_HEX = {side: "#{:02x}{:02x}{:02x}".format(*rgb) for side, rgb in SIDE_RGB.items()}
INK = "#1f2933"
MUTED = "#66727f"
GRID = "#e4e8ec"
EMPTY = "#eef1f4"
TRUTH = "#8a94a0"

MAX_POINTS = 1200
"""Points of a line; more would make the report large and look the same."""


def ticks(low: float, high: float, count: int = 5) -> list[float]:
    """Return about ``count`` round values (1, 2 or 5 times a power of ten) within a range."""
    span = high - low
    if not (math.isfinite(span) and span > 0.0):
        return [low]
    raw = span / max(count, 1)
    power = 10.0 ** math.floor(math.log10(raw))
    step = next(m * power for m in (1.0, 2.0, 5.0, 10.0) if m * power >= raw * 0.999)
    first = math.ceil(low / step - 1e-9)
    last = math.floor(high / step + 1e-9)
    return [round(i * step, 12) for i in range(first, last + 1)]


def label(value: float) -> str:
    """Return a tick's value without needless zeros."""
    return f"{value:.10g}"


def thinned(
    x: Float[Array, "n"], y: Float[Array, "n"], limit: int = MAX_POINTS
) -> tuple[Float[Array, "m"], Float[Array, "m"]]:
    """Return a line with fewer points that keeps every peak: the extremes of each stretch."""
    n = len(x)
    if n <= limit:
        return x, y
    keep: set[int] = {0, n - 1}
    for part in np.array_split(np.arange(n), limit // 2):
        values = y[part]
        if np.isfinite(values).any():
            keep |= {int(part[np.nanargmin(values)]), int(part[np.nanargmax(values)])}
        # A gap in a stretch stays a gap.
        keep |= {int(i) for i in part[~np.isfinite(values)][:1]}
    chosen = np.array(sorted(keep))
    return x[chosen], y[chosen]


@dataclass
class Canvas:
    """An SVG picture in the making; coordinates are its own pixels."""

    width: float
    height: float
    title: str
    """What it shows, for screen readers."""
    parts: list[str] = field(default_factory=list)

    def rect(self, x: float, y: float, w: float, h: float, fill: str, extra: str = "") -> None:
        """Add a rectangle."""
        self.parts.append(
            f'<rect x="{x:.2f}" y="{y:.2f}" width="{max(w, 0.0):.2f}" height="{h:.2f}" '
            f'fill="{fill}" {extra}/>'
        )

    def line(
        self, x0: float, y0: float, x1: float, y1: float, stroke: str, extra: str = ""
    ) -> None:
        """Add a straight line."""
        self.parts.append(
            f'<line x1="{x0:.2f}" y1="{y0:.2f}" x2="{x1:.2f}" y2="{y1:.2f}" '
            f'stroke="{stroke}" {extra}/>'
        )

    def circle(self, x: float, y: float, r: float, fill: str, extra: str = "") -> None:
        """Add a disc."""
        self.parts.append(f'<circle cx="{x:.2f}" cy="{y:.2f}" r="{r}" fill="{fill}" {extra}/>')

    def text(self, x: float, y: float, content: str, extra: str = "") -> None:
        """Add a line of text, which is escaped here."""
        safe = html.escape(content)
        self.parts.append(f'<text x="{x:.2f}" y="{y:.2f}" {extra}>{safe}</text>')

    def path(
        self, x: Float[Array, "n"], y: Float[Array, "n"], stroke: str, extra: str = ""
    ) -> None:
        """Add a line through points, broken where one is not finite."""
        commands: list[str] = []
        pen = "M"
        for px, py in zip(x.tolist(), y.tolist(), strict=True):
            if not (math.isfinite(px) and math.isfinite(py)):
                pen = "M"
                continue
            commands.append(f"{pen}{px:.1f} {py:.1f}")
            pen = "L"
        if commands:
            self.parts.append(
                f'<path d="{" ".join(commands)}" fill="none" stroke="{stroke}" '
                f'stroke-linejoin="round" stroke-linecap="round" {extra}/>'
            )

    def svg(self) -> str:
        """Return the picture."""
        name = html.escape(self.title)
        return (
            f'<svg viewBox="0 0 {self.width:g} {self.height:g}" role="img" '
            f'aria-label="{name}">{"".join(self.parts)}</svg>'
        )


@dataclass(frozen=True)
class Axes:
    """A rectangle of a canvas with a range of values on each axis."""

    left: float
    top: float
    width: float
    height: float
    x_range: tuple[float, float]
    y_range: tuple[float, float]
    """Lower and upper value; the upper is at the top."""

    def x(self, value: float) -> float:
        """Return where on the canvas a value of the x axis is."""
        low, high = self.x_range
        return float(self.left + (value - low) / (high - low or 1.0) * self.width)

    def y(self, value: float) -> float:
        """Return where on the canvas a value of the y axis is."""
        low, high = self.y_range
        return float(self.top + (1.0 - (value - low) / (high - low or 1.0)) * self.height)

    def place(
        self, x: Float[Array, "n"], y: Float[Array, "n"]
    ) -> tuple[Float[Array, "n"], Float[Array, "n"]]:
        """Return where on the canvas points are."""
        (x_low, x_high), (y_low, y_high) = self.x_range, self.y_range
        across = self.left + (x - x_low) / (x_high - x_low or 1.0) * self.width
        up = self.top + (1.0 - (y - y_low) / (y_high - y_low or 1.0)) * self.height
        return across, up

    def frame(
        self,
        canvas: Canvas,
        x_title: str,
        y_title: str,
        x_ticks: Sequence[float] | None = None,
        y_ticks: Sequence[float] | None = None,
    ) -> None:
        """Draw the grid, the values and the titles of both axes."""
        bottom = self.top + self.height
        for value in ticks(min(self.x_range), max(self.x_range), 8) if x_ticks is None else x_ticks:
            x = self.x(value)
            canvas.line(x, self.top, x, bottom, GRID)
            canvas.text(x, bottom + 15, label(value), 'class="tick" text-anchor="middle"')
        for value in ticks(min(self.y_range), max(self.y_range)) if y_ticks is None else y_ticks:
            y = self.y(value)
            canvas.line(self.left, y, self.left + self.width, y, GRID)
            canvas.text(self.left - 7, y + 4, label(value), 'class="tick" text-anchor="end"')
        middle = self.left + self.width / 2
        canvas.text(middle, bottom + 33, x_title, 'class="axis" text-anchor="middle"')
        at = self.top + self.height / 2
        left = self.left - 42
        turn = f'transform="rotate(-90 {left:.1f} {at:.1f})"'
        canvas.text(left, at, y_title, f'class="axis" text-anchor="middle" {turn}')

    def plot(
        self,
        canvas: Canvas,
        x: Float[Array, "n"],
        y: Float[Array, "n"],
        stroke: str,
        extra: str = 'stroke-width="1.6"',
    ) -> None:
        """Draw a line through values."""
        canvas.path(*self.place(*thinned(x, y)), stroke, extra)
