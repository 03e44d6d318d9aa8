"""From the two bags of a run to what people look at: report, overlay video and figures."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from hand4d_ros.errors import MediaError
from hand4d_ros.replay.context import BagInputConfig
from hand4d_ros.replay.forecasts import review_forecasts
from hand4d_ros.replay.identity import identify
from hand4d_ros.replay.outputs import make_folder
from hand4d_ros.replay.overlay import Overlay, overlay_frames, write_overlay
from hand4d_ros.replay.report import ReportInput, picture_rows, write_report
from hand4d_ros.replay.run_data import load_run
from hand4d_ros.replay.run_metrics import Metrics, run_metrics, write_metrics

REPORT = "report.html"
OVERLAY = "overlay.mp4"
METRICS = "metrics.json"
HANDS = "hands.mcap"


@dataclass(frozen=True)
class ResultOptions:
    """What is known about a run beside its bags."""

    title: str = ""
    """Headline of the report; empty takes the name of the input."""
    mode: str = "offline"
    """``live`` or ``offline``."""
    detector: str = ""
    config: str = ""
    """Settings of the pipeline, as JSON."""
    hand_model: str = ""
    """File of the hand model, where it is not the built-in one."""
    hands_topic: str = ""
    """Topic of the hands; empty finds it."""
    processing_ms: tuple[float, ...] = ()
    """Times of the frames offline."""


def write_results(
    input_bag: Path,
    output_bag: Path,
    out: Path,
    options: ResultOptions | None = None,
    config: BagInputConfig | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> Metrics:
    """Write ``report.html``, ``overlay.mp4`` and ``metrics.json`` into a folder.

    Args:
        input_bag: Images, camera_info, odometry and perhaps the truth.
        output_bag: The hands, recorded live or written by replay.
        out: Folder; made where it is missing.
        options: What else is known.
        config: Topics of the input.
        progress: Called after every image of the overlay.

    Raises:
        BagError: A bag cannot be read.
        MediaError: The folder cannot be written.
    """
    options = options or ResultOptions()
    make_folder(out, MediaError)
    run = load_run(input_bag, output_bag, config, options.hands_topic)
    metrics = run_metrics(run, list(options.processing_ms))
    forecasts = review_forecasts(output_bag, run)
    if forecasts is not None:
        metrics["forecast"] = forecasts.as_dict()
    identity = identify(
        input_bag,
        output_bag,
        mode=options.mode,
        detector=options.detector,
        estimator=run.model_id,
        config=options.config,
    )
    overlay = Overlay(run, options.hand_model)
    drawn = overlay_frames(input_bag, run, overlay, config)
    pictures = write_overlay(out / OVERLAY, drawn, run, picture_rows(run), progress)
    processing_ms = np.array(options.processing_ms, dtype=float)
    title = options.title or input_bag.stem
    content = ReportInput(title, run, metrics, identity, pictures, processing_ms, forecasts)
    write_report(out / REPORT, content)
    metrics["run"] = identity.as_dict()
    write_metrics(out / METRICS, metrics)
    return metrics
