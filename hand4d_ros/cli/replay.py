"""Run the pipeline over every frame of a bag and report what it did."""

from __future__ import annotations

import dataclasses
import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any

import tyro

from hand4d_ros.cli.progress import progress_bar
from hand4d_ros.errors import BagError
from hand4d_ros.pipeline import HandPipeline, PipelineConfig
from hand4d_ros.replay.context import BagInputConfig
from hand4d_ros.replay.outputs import make_folder
from hand4d_ros.replay.replayer import ReplayRecord, replay
from hand4d_ros.replay.results import HANDS, METRICS, OVERLAY, REPORT, ResultOptions, write_results


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
    pipeline: PipelineConfig = field(default_factory=PipelineConfig)


def run(args: Args) -> int:
    """Replay, write the results and say the most important of them.

    Raises:
        BagError: The bag cannot be read or a topic is missing.
        MediaError: The folder cannot be written.
    """
    make_folder(args.out, BagError)
    hands = args.out / HANDS
    pipeline = HandPipeline(args.pipeline)
    try:
        with progress_bar("tracking") as advance:
            record = replay(args.bag, hands, pipeline, args.input, advance)
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
