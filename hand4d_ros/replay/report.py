"""One self-contained HTML page about a run: pictures first, then charts, then tables.

Everything is inside of the file: pictures as base64, charts as SVG, system fonts, no script.
"""

from __future__ import annotations

import base64
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

import hand4d_ros
from hand4d_ros.errors import MediaError
from hand4d_ros.evaluation.metrics import metrics_registry
from hand4d_ros.imaging import jpeg_from_rgb
from hand4d_ros.replay import charts
from hand4d_ros.replay.forecast_charts import CIRCLES_S, forecast_fan
from hand4d_ros.replay.forecasts import ForecastReview
from hand4d_ros.replay.identity import RunIdentity
from hand4d_ros.replay.outputs import staged
from hand4d_ros.replay.run_data import Run
from hand4d_ros.replay.run_metrics import LIVE_LATENCY, Metrics
from hand4d_ros.replay.svg import SIDE_HEX, TRUTH
from hand4d_ros.shapes import Array, Float, UInt8
from hand4d_ros.types import Side, TrackingState

PICTURES = 6
NO_FIGURE = "-"
PICTURE_WIDTH_PX = 800

_OWN_FIGURES = {
    "wrist_error_median_m": ("Median distance of the wrist from the true one, in the world", "m"),
    "wrist_error_p95_m": ("95th percentile of the same", "m"),
    "observed_fraction_of_processed": (
        "Share of the images in view that were processed and have an observed estimate",
        "1",
    ),
}
"""Figures that are not in the registry: description and unit."""

_FIRST = ("observed_fraction", "observed_fraction_of_processed", "wrist_error_median_m")


@dataclass(frozen=True)
class ReportInput:
    """All that a report shows."""

    title: str
    run: Run
    metrics: Metrics
    identity: RunIdentity
    pictures: Mapping[int, UInt8[Array, "h w 3"]]
    """Overlay pictures by row of the run."""
    processing_ms: Float[Array, "n"] | None = None
    """Time of each processed frame offline, where the messages have no latency."""
    forecasts: ForecastReview | None = None
    """None where nothing was forecast."""


def picture_rows(run: Run, count: int = PICTURES) -> list[int]:
    """Choose images for the page: spread over the run, each with as many hands as possible."""
    hands = np.stack([hand.tracked for hand in run.hands.values()]).sum(axis=0)
    rows = []
    for part in np.array_split(np.arange(len(run.stamps_ns)), count):
        if len(part):
            best = part[hands[part] == hands[part].max()]
            rows.append(int(best[np.argmin(np.abs(best - part.mean()))]))
    return rows


def write_report(path: Path, content: ReportInput) -> None:
    """Write the page.

    Raises:
        MediaError: The folder cannot be written.
    """
    text = report_html(content)
    with staged(path, MediaError) as aside:
        aside.write_text(text, encoding="utf-8")


def report_html(content: ReportInput) -> str:
    """Return the page."""
    import jinja2

    folder = Path(hand4d_ros.__file__).parent / "assets"
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(folder),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    return environment.get_template("report.html.j2").render(**_context(content))


def _context(content: ReportInput) -> dict[str, Any]:
    from markupsafe import Markup

    run, metrics, identity = content.run, content.metrics, content.identity
    latency, seconds = _latency_series(content)
    kind = metrics["latency_ms"]["kind"]
    interval_ms = _interval_ms(run)
    # Charts escape the text that they are given; all else in them is ours.
    svg = Markup
    return {
        "title": content.title,
        "kind": "live run over DDS" if identity.mode == "live" else "offline replay, every frame",
        "summary": summary_sentence(run, metrics),
        "colours": {side.label: SIDE_HEX[side] for side in Side} | {"truth": TRUTH},
        "identity": identity,
        "tiles": _tiles(run, metrics),
        "notes": run.notes,
        "pictures": [_picture(run, row, content.pictures[row]) for row in sorted(content.pictures)],
        "world_frame": run.world_frame,
        "has_truth": bool(run.truth),
        "moves": not run.is_static,
        "paths": [
            {"svg": svg(charts.wrist_paths(run, view)), "caption": view.title}
            for view in charts.views(run)
        ],
        "timeline": svg(charts.state_timeline(run)),
        "timeline_caption": (
            f"{len(run.stamps_ns)} images in {run.duration_s:.1f} s. Black ticks below the hands "
            "are images that gave no result."
        ),
        "wrist_error": svg(charts.wrist_error_chart(run)) if run.truth else "",
        "in_view_rule": metrics["in_view_rule"],
        "forecasts": _forecasts(run, content.forecasts) if content.forecasts else {},
        "gesture": svg(charts.gesture_chart(run)),
        "latency_caption": _latency_caption(metrics["latency_ms"], interval_ms),
        "latency_timeline": svg(charts.latency_timeline(seconds, latency, interval_ms, kind))
        if latency.size
        else "",
        "latency_histogram": svg(charts.latency_histogram(latency)) if latency.size else "",
        "drops": svg(charts.drop_bars(run.drops, len(run.stamps_ns))) if run.drops else "",
        "drops_caption": _drops_caption(run),
        "figures": _figures(metrics),
        "facts": _facts(run, identity),
    }


def _forecasts(run: Run, review: ForecastReview) -> dict[str, Any]:
    from markupsafe import Markup

    view, svg = charts.views(run)[0], Markup
    fans = []
    for forecasts in review.shown:
        seconds = (forecasts[0].stamp_ns - run.stamps_ns[0]) * 1e-9
        modes = [m for forecast in forecasts for m in forecast.modes if m.probability < 1.0]
        text = ", ".join(f"{mode.probability:.2f}" for mode in modes)
        caption = f"{seconds:.2f} s" + (f"; probabilities {text}" if text else "")
        fans.append({"svg": svg(forecast_fan(run, forecasts, view)), "caption": caption})
    rows = [
        {
            "horizon": f"{each.horizon_s:g} s",
            "count": str(each.count),
            "error": f"{100 * each.error_m:.1f}",
            "best": f"{100 * each.best_error_m:.1f}",
            "radius": f"{100 * each.radius_m:.1f}",
            "held": f"{100 * each.held:.1f}",
        }
        for each in review.horizons
    ]
    return {
        "fans": fans,
        "rows": rows,
        "model_id": review.model_id,
        "coverage": f"{100 * review.coverage:g}",
        "view": view.title,
        "circles": " and ".join(f"{time_s:g}" for time_s in CIRCLES_S),
        "truth": "the truth" if run.truth else "what was tracked later",
    }


def summary_sentence(run: Run, metrics: Metrics) -> str:
    """Return what happened in a few sentences."""
    processed = metrics["frames"]["processed"]
    parts = [f"{processed} of {len(run.stamps_ns)} images in {run.duration_s:.1f} s gave a result."]
    where = "the images in which it is in view" if run.truth else "all images"
    for side in Side:
        hand = metrics["hands"][side.label]
        if not hand["tracked_frames"]:
            parts.append(f"No {side.label} hand was found.")
            continue
        text = (
            f"The {side.label} hand was seen in {100 * hand['observed_fraction']:.1f} % of {where}"
        )
        if "wrist_error_median_m" in hand:
            text += (
                f", its wrist {1e3 * hand['wrist_error_median_m']:.0f} mm from the truth (median)"
            )
        parts.append(text + ".")
    return " ".join(parts)


def _tiles(run: Run, metrics: Metrics) -> list[dict[str, str]]:
    tiles = []
    where = "of the images in view" if run.truth else "of all images"
    for side in Side:
        hand = metrics["hands"][side.label]
        label = f"no {side.label} hand found"
        tile = {"side": side.label, "value": "none", "unit": "", "label": label}
        if "observed_fraction" in hand:
            seen = f"{100 * hand['observed_fraction']:.1f}"
            label = f"{side.label} hand observed, {where}"
            tile |= {"value": seen, "unit": "%", "label": label}
        tiles.append(tile)
    for side in Side:
        error_m = metrics["hands"][side.label].get("wrist_error_median_m")
        if error_m is not None:
            label = f"{side.label} wrist from the truth, median"
            value = f"{1e3 * error_m:.1f}"
            tiles.append({"side": side.label, "value": value, "unit": "mm", "label": label})
    latency = metrics["latency_ms"]
    if latency["count"]:
        value = f"{latency['p95']:.1f}"
        tiles.append({"side": "", "value": value, "unit": "ms", "label": f"p95, {latency['kind']}"})
    dropped = len(run.stamps_ns) - metrics["frames"]["processed"]
    label = f"of {len(run.stamps_ns)} images without a result"
    tiles.append({"side": "", "value": str(dropped), "unit": "", "label": label})
    return tiles


def _picture(run: Run, row: int, picture: UInt8[Array, "h w 3"]) -> dict[str, str]:
    import cv2

    height, width = picture.shape[:2]
    if width > PICTURE_WIDTH_PX:
        size = (PICTURE_WIDTH_PX, round(height * PICTURE_WIDTH_PX / width))
        picture = np.asarray(cv2.resize(picture, size, interpolation=cv2.INTER_AREA))
    states = [
        f"{side.label} {TrackingState(int(hand.state[row])).name.lower()}"
        for side, hand in run.hands.items()
        if hand.tracked[row]
    ]
    caption = f"{run.seconds[row]:.2f} s: {', '.join(states) or 'no hand'}"
    data = base64.b64encode(jpeg_from_rgb(picture, quality=85)).decode("ascii")
    return {"data": data, "caption": caption}


def _latency_series(content: ReportInput) -> tuple[Float[Array, "n"], Float[Array, "n"]]:
    """Return latencies (ms) with their times, or the times of processing offline."""
    run = content.run
    if np.isfinite(run.latency_ms).any():
        return run.latency_ms, run.seconds
    processing = content.processing_ms
    if processing is None or not len(processing):
        return np.zeros(0), np.zeros(0)
    return processing, np.linspace(0.0, max(run.duration_s, 1e-3), len(processing))


def _interval_ms(run: Run) -> float:
    return float(np.median(np.diff(run.stamps_ns))) * 1e-6 if len(run.stamps_ns) > 1 else 0.0


def _latency_caption(latency: Mapping[str, Any], interval_ms: float) -> str:
    if not latency["count"]:
        return "No times were measured."
    what = (
        "From the capture stamp of an image to the publication of its hands."
        if latency["kind"] == LIVE_LATENCY
        else "Time that one frame took offline, which is not a latency: nothing waits or is late."
    )
    return (
        f"{what} Median {latency['p50']:.1f} ms, p95 {latency['p95']:.1f} ms, p99 "
        f"{latency['p99']:.1f} ms, longest {latency['max']:.1f} ms; images come every "
        f"{interval_ms:.1f} ms."
    )


def _drops_caption(run: Run) -> str:
    missing = int((~run.processed).sum())
    return (
        f"{missing} of {len(run.stamps_ns)} images gave no result. Below are all counted reasons; "
        "an image without a pose of the camera still moves the hands that are known on."
    )


def _figures(metrics: Metrics) -> list[dict[str, str]]:
    """Return one row for each figure that a hand has, the most important ones first."""
    hands = [metrics["hands"][side.label] for side in Side]
    order = [*_FIRST, *_OWN_FIGURES, *metrics_registry]
    rows = []
    for key in dict.fromkeys(order):
        if not any(key in hand for hand in hands):
            continue
        if key in metrics_registry:
            info = metrics_registry[key]
            description, unit, better = info.description, info.unit, info.better
        else:
            description, unit = _OWN_FIGURES[key]
            better = "higher" if unit == "1" else "lower"
        left, right = (number(hand.get(key)) for hand in hands)
        unit = "" if unit == "1" else unit.replace("^2", "²").replace("^3", "³")
        row = {"key": key, "description": description, "unit": unit}
        rows.append(row | {"left": left, "right": right, "better": better})
    return rows


def number(value: float | None) -> str:
    """Return a figure with four significant digits, without an exponent where it can be read."""
    if value is None:
        return NO_FIGURE
    if value == 0.0:
        return "0"
    size = abs(value)
    if size >= 1000.0:
        return f"{value:,.0f}" if size < 1e9 else f"{value:.3g}"
    return f"{value:.4g}" if size >= 1e-4 else f"{value:.2e}"


def _facts(run: Run, identity: RunIdentity) -> list[dict[str, Any]]:
    camera = run.camera
    pixels = (
        f"{camera.width_px} x {camera.height_px} px, {camera.model}, focal length "
        f"{camera.fx_px:.1f} px"
    )
    rows = [
        ("Version", f"{identity.version}, commit {identity.commit}", False),
        ("Detector", identity.detector, False),
        ("Estimator", identity.estimator, True),
        ("Hand model", run.hand_model, False),
        ("Camera", pixels, False),
        ("World and camera frame", f"{run.world_frame}, {run.camera_frame}", True),
        ("Input bag", identity.input_bag, True),
        ("SHA-256", identity.input_sha256, True),
        ("Output bag", identity.output_bag, True),
        ("SHA-256", identity.output_sha256, True),
        ("Machine", identity.machine, False),
        ("Software", identity.software, False),
    ]
    return [{"name": name, "value": value, "code": code} for name, value, code in rows if value]
