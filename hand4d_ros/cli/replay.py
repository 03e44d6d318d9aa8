"""Run the pipeline over every frame of a bag and report what it did."""

from __future__ import annotations

import dataclasses
import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any, Literal

import tyro

from hand4d_ros.cli.progress import Advance, progress_bar
from hand4d_ros.errors import BagError, ConfigError
from hand4d_ros.forecasting.base import ForecastConfig, Forecaster
from hand4d_ros.forecasting.registry import ForecasterConfig, Method, make_forecaster
from hand4d_ros.pipeline import HandPipeline, PipelineConfig
from hand4d_ros.replay.context import BagInputConfig
from hand4d_ros.replay.outputs import make_folder
from hand4d_ros.replay.refining import Refiner, refine
from hand4d_ros.replay.replayer import ReplayRecord, replay
from hand4d_ros.replay.results import HANDS, METRICS, OVERLAY, REPORT, ResultOptions, write_results
from hand4d_ros.tracking.dynhamr.config import DynHamrConfig
from hand4d_ros.tracking.dynhamr.process import DynHamr
from hand4d_ros.tracking.hmp.config import HmpConfig


@dataclass(frozen=True)
class Args:
    """Replay a bag offline: every frame, in order, the same result every time.

    Writes hands.mcap with the topics of the tracker node, report.html, overlay.mp4 and
    metrics.json. Where the bag has /truth/hands, errors are measured against it.

    Example: hand4d replay drive.mcap --out out/drive
    """

    bag: tyro.conf.Positional[Path]
    """Bag with images, and perhaps camera_info and odometry: .mcap, .db3 or a rosbag2 folder."""
    out: Path
    """Folder for the results; files of an earlier replay are replaced."""
    title: str = ""
    """Headline of the report; empty takes the name of the bag."""
    input: Annotated[BagInputConfig, tyro.conf.arg(name="")] = field(default_factory=BagInputConfig)
    refine: Literal["none", "hmp", "dynhamr"] = "none"
    """What to publish: the tracks of the pipeline, frame by frame, or hands that HMP or Dyn-HaMR
    have optimised over many frames, gaps filled in and marked as such."""
    odometry_is_metric: bool = True
    """Whether distances of the odometry are metres; if not, `--refine dynhamr` finds its scale."""
    forecast: Literal["none"] | Method = "none"
    """Forecast from every frame with this forecaster: /hand4d/forecaster/forecast in hands.mcap,
    fans of futures over what then happened in the report."""
    horizon: ForecastConfig = field(default_factory=ForecastConfig)
    pipeline: PipelineConfig = field(default_factory=PipelineConfig)
    hmp: HmpConfig = field(default_factory=HmpConfig)
    dynhamr: DynHamrConfig = field(default_factory=DynHamrConfig)


def run(args: Args) -> int:
    """Replay, write the results and say the most important of them.

    Raises:
        BagError: The bag cannot be read or a topic is missing.
        MediaError: The folder cannot be written.
        ConfigError: The forecaster cannot do what is asked of it.
    """
    if args.forecast != "none" and args.refine != "none":
        raise ConfigError(
            f"forecast is {args.forecast!r} and refine {args.refine!r}: refined hands know their "
            "future, so nothing can be forecast from them; give one of the two"
        )
    make_folder(args.out, BagError)
    hands = args.out / HANDS
    pipeline = HandPipeline(args.pipeline)
    try:
        with progress_bar("tracking") as advance:
            record = _tracked(args, hands, pipeline, advance)
    finally:
        pipeline.close()
    for note in record.notes:
        print(f"note: {note}")
    options = ResultOptions(
        title=args.title,
        mode="offline",
        detector=args.pipeline.detector,
        config=json.dumps(dataclasses.asdict(args.pipeline), indent=2),
        hand_model=args.pipeline.hand_model,
        processing_ms=tuple(record.processing_ms),
    )
    with progress_bar("drawing") as advance:
        metrics = write_results(args.bag, hands, args.out, options, args.input, advance)
    print(summary(record, metrics))
    print(f"wrote {', '.join(str(args.out / n) for n in (REPORT, OVERLAY, HANDS, METRICS))}")
    return 0


def _tracked(args: Args, hands: Path, pipeline: HandPipeline, advance: Advance) -> ReplayRecord:
    """Write the bag of hands, as they come or refined."""
    if args.refine == "none":
        return replay(args.bag, hands, pipeline, args.input, advance, _forecaster(args))
    name = pipeline.hand.name
    refiner = _refiner(args, pipeline)
    return refine(args.bag, hands, pipeline.detector, refiner, name, args.input, advance)


def _forecaster(args: Args) -> Forecaster | None:
    if args.forecast == "none":
        return None
    hand_model = args.pipeline.hand_model
    return make_forecaster(
        ForecasterConfig(args.forecast, hand_model=hand_model, forecast=args.horizon)
    )


def _refiner(args: Args, pipeline: HandPipeline) -> Refiner:
    fit = args.pipeline.keypoint_fit
    if args.refine == "hmp":
        # Its prior takes PyTorch, which Dyn-HaMR and a plain replay do without.
        from hand4d_ros.tracking.hmp.refiner import Hmp

        return Hmp(args.hmp, pipeline.hand, None, fit, args.pipeline.tracker)
    return DynHamr(
        args.dynhamr,
        pipeline.hand,
        odometry_is_metric=args.odometry_is_metric,
        keypoint_fit=fit,
    )


def summary(record: ReplayRecord, metrics: dict[str, Any]) -> str:
    """Return the most important results in a few lines."""
    first = f"{record.published} of {record.frames} frames gave a result"
    if record.drops:
        first += f" ({', '.join(f'{n} {reason}' for reason, n in record.drops.most_common())})"
    return "\n".join([first, *summary_lines(metrics)])


def summary_lines(metrics: dict[str, Any]) -> list[str]:
    """Return a line for each hand, and one for the time."""
    lines = []
    for side, hand in metrics["hands"].items():
        if "observed_fraction" not in hand:
            lines.append(f"{side}: not found")
            continue
        text = f"{side}: observed in {100 * hand['observed_fraction']:.1f} % of "
        text += f"{hand['in_view_frames']} frames"
        if "wrist_error_median_m" in hand:
            text += f", wrist error {1e3 * hand['wrist_error_median_m']:.1f} mm (median)"
        lines.append(text)
    latency = metrics["latency_ms"]
    if latency["count"]:
        lines.append(f"{latency['p50']:.1f} ms a frame (median), {latency['p95']:.1f} ms (p95)")
    return lines
