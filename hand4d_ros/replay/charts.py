"""The charts of a report: paths, timelines, errors, latency and drops, as inline SVG."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from hand4d_ros.replay.run_data import Run
from hand4d_ros.replay.run_metrics import wrist_errors_m
from hand4d_ros.replay.svg import (
    EMPTY,
    GRID,
    INK,
    MUTED,
    SIDE_HEX,
    TRUTH,
    Axes,
    Canvas,
    label,
    thinned,
    ticks,
)
from hand4d_ros.shapes import Array, Bool, Float, Int
from hand4d_ros.types import Side, TrackingState

_STATE_FILL = {
    TrackingState.OBSERVED: 'fill-opacity="1"',
    TrackingState.INFILLED: 'fill-opacity="0.55"',
    TrackingState.PREDICTED: 'fill-opacity="0.3"',
}


@dataclass(frozen=True)
class View:
    """One side from which the world is looked at."""

    title: str
    across: int
    """World axis that points to the right."""
    up: int
    """World axis that points up, or down where ``flipped``."""
    names: tuple[str, str]
    """Titles of the two axes."""
    flipped: bool = False


def views(run: Run) -> tuple[View, View]:
    """Return the two sides that show the paths of a run best."""
    if run.is_static:
        right, below, ahead = (f"{way} the camera (m)" for way in ("right of", "below", "ahead of"))
        return (
            View("As the camera sees them", 0, 1, (right, below), flipped=True),
            View("From above the camera", 0, 2, (right, ahead)),
        )
    points = np.concatenate([hand.wrist_m for hand in run.hands.values()])
    points = points[np.isfinite(points).all(axis=1)]
    spread = np.ptp(points, axis=0) if len(points) else np.ones(3)
    across, name = (0, "x") if spread[0] >= spread[1] else (1, "y")
    return (
        View("From above", 0, 1, ("world x (m)", "world y (m)")),
        View("From the side", across, 2, (f"world {name} (m)", "world z, up (m)")),
    )


def wrist_paths(run: Run, view: View) -> str:
    """Return the paths of wrists and camera in the world from one side, with equal axes."""
    flip = np.array([1.0, -1.0 if view.flipped else 1.0])

    def flat(points: Float[Array, "n 3"]) -> Float[Array, "n 2"]:
        return np.asarray(points[:, [view.across, view.up]] * flip)

    # A dropped image is no break in a path; a hand that was not there is one.
    lines = {side: flat(hand.wrist_m[run.processed]) for side, hand in run.hands.items()}
    truths = {side: flat(hand.wrist_m) for side, hand in run.truth.items()}
    camera = flat(run.T_world_camera[run.processed, :3, 3])
    # A camera that stands still is no path, and would only push the hands together.
    camera = np.full_like(camera, np.nan) if run.is_static else camera
    shown = [*lines.values(), *truths.values(), camera]
    axes, canvas = equal_axes(np.concatenate(shown), f"wrist paths: {view.title}")
    path_frame(axes, canvas, view)
    axes.plot(canvas, camera[:, 0], camera[:, 1], INK, 'stroke-width="1.2" opacity="0.55"')
    _ends(axes, canvas, camera, INK, square=True)
    for side, line in truths.items():
        seen = np.where(run.in_view[side][:, None], line, np.nan)
        axes.plot(canvas, seen[:, 0], seen[:, 1], TRUTH, 'stroke-width="5" opacity="0.4"')
    for side, line in lines.items():
        axes.plot(canvas, line[:, 0], line[:, 1], SIDE_HEX[side])
        _ends(axes, canvas, line, SIDE_HEX[side])
    return canvas.svg()


def equal_axes(points: Float[Array, "n 2"], title: str) -> tuple[Axes, Canvas]:
    """Return axes in which a metre is as long across as up, around all points."""
    finite = points[np.isfinite(points).all(axis=1)]
    if not len(finite):
        finite = np.zeros((1, 2))
    low, high = finite.min(axis=0), finite.max(axis=0)
    centre, span = (low + high) / 2.0, np.maximum(high - low, 0.1) * 1.12
    left, top, width, height = 58.0, 10.0, 432.0, 330.0
    metre = max(span[0] / width, span[1] / height)
    half = np.array([width, height]) * metre / 2.0
    x_range = (float(centre[0] - half[0]), float(centre[0] + half[0]))
    y_range = (float(centre[1] - half[1]), float(centre[1] + half[1]))
    canvas = Canvas(500.0, 386.0, title)
    return Axes(left, top, width, height, x_range, y_range), canvas


def path_frame(axes: Axes, canvas: Canvas, view: View) -> None:
    """Draw the frame with one step on both axes; a flipped axis keeps its true values."""
    steps = ticks(*axes.x_range, 8)
    step = steps[1] - steps[0] if len(steps) > 1 else 1.0
    low, high = axes.y_range
    first, last = int(np.ceil(low / step)), int(np.floor(high / step))
    axes.frame(canvas, *view.names, steps, [])
    for value in (round(index * step, 9) for index in range(first, last + 1)):
        y = axes.y(value)
        canvas.line(axes.left, y, axes.left + axes.width, y, GRID)
        text = label(-value if view.flipped and value else value)
        canvas.text(axes.left - 7, y + 4, text, 'class="tick" text-anchor="end"')


def _ends(
    axes: Axes, canvas: Canvas, line: Float[Array, "n 2"], colour: str, *, square: bool = False
) -> None:
    """Mark where a path begins (hollow) and ends (filled)."""
    known = line[np.isfinite(line).all(axis=1)]
    if not len(known):
        return
    for point, fill in ((known[0], "#fff"), (known[-1], colour)):
        x, y = axes.x(point[0]), axes.y(point[1])
        outline = f'stroke="{colour}" stroke-width="1.6"'
        if square:
            canvas.rect(x - 3.2, y - 3.2, 6.4, 6.4, fill, outline)
        else:
            canvas.circle(x, y, 4.2, fill, outline)


def state_timeline(run: Run) -> str:
    """Return what was published for each hand over time, and which images had no result."""
    row, gap, top = 26.0, 22.0, 12.0
    height = top + 2 * (row + gap) + 24.0
    canvas = Canvas(1000.0, height + 40.0, "tracking state of each hand over time")
    axes = _time_axes(run, top, height - top, (0.0, 1.0))
    axes.frame(canvas, "time since the first image (s)", "", None, [])
    edges = _edges(run)
    for index, side in enumerate(Side):
        y = top + 8 + index * (row + gap)
        canvas.text(axes.left - 10, y + 18, side.label, 'class="name" text-anchor="end"')
        canvas.rect(axes.left, y, axes.width, row, EMPTY)
        for state, extra in _STATE_FILL.items():
            for start, stop in _stretches(_held_state(run, side) == int(state)):
                x0, x1 = axes.x(edges[start]), axes.x(edges[stop])
                canvas.rect(x0, y, x1 - x0, row, SIDE_HEX[side], extra)
        if side in run.in_view:
            for start, stop in _stretches(run.in_view[side]):
                x0, x1 = axes.x(edges[start]), axes.x(edges[stop])
                canvas.rect(x0, y + row + 2, x1 - x0, 4.0, TRUTH)
    y = top + 8 + 2 * (row + gap) - 8
    canvas.text(axes.left - 10, y + 11, "no result", 'class="tick" text-anchor="end"')
    for start, stop in _stretches(~run.processed):
        x0, x1 = axes.x(edges[start]), axes.x(edges[stop])
        canvas.rect(x0, y, max(x1 - x0, 1.2), 14.0, INK)
    return canvas.svg()


def wrist_error_chart(run: Run) -> str:
    """Return the distance of each published wrist from the true one over time (mm)."""
    errors = {side: wrist_errors_m(run, side) * 1e3 for side in Side}
    known = np.concatenate(list(errors.values()))
    known = known[np.isfinite(known)]
    highest = float(np.percentile(known, 99.5)) * 1.15 if known.size else 1.0
    canvas = Canvas(1000.0, 250.0, "wrist error over time")
    axes = _time_axes(run, 10.0, 196.0, (0.0, highest))
    axes.frame(canvas, "time since the first image (s)", "wrist error (mm)")
    for side, error in errors.items():
        shown = np.minimum(error, highest)[run.processed]
        axes.plot(canvas, run.seconds[run.processed], shown, SIDE_HEX[side])
    return canvas.svg()


def gesture_chart(run: Run) -> str:
    """Return grasp (solid) and pinch (thin) of each hand over time."""
    canvas = Canvas(1000.0, 210.0, "grasp and pinch over time")
    axes = _time_axes(run, 10.0, 156.0, (-0.02, 1.02))
    axes.frame(canvas, "time since the first image (s)", "grasp, pinch", None, [0.0, 0.5, 1.0])
    seconds, dotted = run.seconds[run.processed], 'stroke-width="1.1" stroke-dasharray="2 3"'
    for side, hand in run.hands.items():
        grasp, pinch = hand.grasp[run.processed], hand.pinch[run.processed]
        axes.plot(canvas, seconds, grasp, SIDE_HEX[side], 'stroke-width="2"')
        axes.plot(canvas, seconds, pinch, SIDE_HEX[side], dotted)
    return canvas.svg()


def latency_timeline(
    seconds: Float[Array, "n"], latency_ms: Float[Array, "n"], interval_ms: float, title: str
) -> str:
    """Return one dot a frame over time, with the frame interval as a line."""
    known = latency_ms[np.isfinite(latency_ms)]
    highest = max(float(known.max()) if known.size else 1.0, interval_ms) * 1.08
    canvas = Canvas(640.0, 250.0, title)
    end = max(float(seconds[-1]), 1e-3)
    axes = Axes(64.0, 10.0, 560.0, 196.0, (0.0, end), (0.0, highest))
    axes.frame(canvas, "time since the first image (s)", "ms")
    across, up = axes.place(*thinned(seconds, latency_ms))
    for x, y in zip(across.tolist(), up.tolist(), strict=True):
        if np.isfinite(y):
            canvas.circle(x, y, 1.6, INK, 'opacity="0.55"')
    y = axes.y(interval_ms)
    canvas.line(axes.left, y, axes.left + axes.width, y, MUTED, 'stroke-dasharray="5 4"')
    text = f"one frame interval, {interval_ms:.1f} ms"
    canvas.text(axes.left + axes.width - 4, y - 5, text, 'class="tick strong" text-anchor="end"')
    return canvas.svg()


def latency_histogram(latency_ms: Float[Array, "n"]) -> str:
    """Return the distribution of latencies with their 50th, 95th and 99th percentile."""
    known = latency_ms[np.isfinite(latency_ms)]
    canvas = Canvas(360.0, 250.0, "distribution of latency")
    if not known.size:
        return canvas.svg()
    # The last percent may be far out; it is gathered in the last bar.
    end = max(float(np.percentile(known, 99.0)) * 1.15, float(known.min()) * 1.01, 1e-3)
    counts, edges = np.histogram(np.minimum(known, end * 0.9999), bins=28, range=(0.0, end))
    share = 100.0 * counts / known.size
    axes = Axes(52.0, 10.0, 296.0, 196.0, (0.0, end), (0.0, float(share.max()) * 1.18))
    axes.frame(canvas, "ms", "share of frames (%)", ticks(0.0, end, 5))
    for value, start, stop in zip(share, edges[:-1], edges[1:], strict=True):
        x0, x1, y = axes.x(start), axes.x(stop), axes.y(float(value))
        canvas.rect(x0 + 0.5, y, x1 - x0 - 1, axes.top + axes.height - y, "#7d8b99")
    at = [(p, float(np.percentile(known, p))) for p in (50, 95, 99)]
    for _, value in at:
        x = axes.x(min(value, end))
        canvas.line(x, axes.top, x, axes.top + axes.height, INK, 'stroke-dasharray="3 3"')
    for index, (percent, value) in enumerate(at):
        x = axes.x(min(value, end))
        # Labels step down so that percentiles that lie close together stay readable.
        y = axes.top + 11 + 13 * index
        left = x > axes.left + 0.6 * axes.width
        turn = 'text-anchor="end"' if left else ""
        text = f"p{percent} {value:.1f}"
        canvas.text(x - 4 if left else x + 4, y, text, f'class="tick strong" {turn}')
    return canvas.svg()


def drop_bars(drops: Mapping[str, int], images: int) -> str:
    """Return how many images had no result or no pose, by reason."""
    row = 24.0
    canvas = Canvas(1000.0, row * max(len(drops), 1) + 8, "images not used, by reason")
    most = max(drops.values(), default=1)
    for index, (reason, count) in enumerate(drops.items()):
        y = 4 + index * row
        width = 560.0 * count / most
        canvas.text(200.0, y + 15, reason.replace("_", " "), 'class="name" text-anchor="end"')
        canvas.rect(212.0, y + 3, width, row - 8, "#7d8b99")
        text = f"{count}  ({100.0 * count / max(images, 1):.1f} %)"
        canvas.text(220 + width, y + 15, text, 'class="tick"')
    return canvas.svg()


def _time_axes(run: Run, top: float, height: float, y_range: tuple[float, float]) -> Axes:
    return Axes(76.0, top, 908.0, height, (0.0, max(run.duration_s, 1e-3)), y_range)


def _held_state(run: Run, side: Side) -> Int[Array, "n"]:
    """Return the state of a hand as a subscriber knows it: images without a result keep it."""
    rows = np.arange(len(run.stamps_ns))
    newest = np.maximum.accumulate(np.where(run.processed, rows, 0))
    return np.asarray(run.hands[side].state[newest])


def _edges(run: Run) -> Float[Array, "m"]:
    """Return the time at which each image's stretch begins, and the end of the last one."""
    seconds = run.seconds
    step = float(np.median(np.diff(seconds))) if len(seconds) > 1 else 1e-3
    # An image stands for the time until the next one, but not for a break in the recording.
    return np.append(seconds, min(seconds[-1] + step, max(run.duration_s, 1e-3)))


def _stretches(flags: Bool[Array, "n"]) -> list[tuple[int, int]]:
    """Return first and one past the last row of every stretch of true rows."""
    padded = np.concatenate(([False], flags, [False])).astype(np.int8)
    change: Int[Array, "m"] = np.diff(padded)
    return list(
        zip(
            np.flatnonzero(change == 1).tolist(), np.flatnonzero(change == -1).tolist(), strict=True
        )
    )
