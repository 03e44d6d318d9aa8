"""Score the hands of a recording: against a truth, against themselves, and live against offline."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated

import tyro

from hand4d_ros.evaluation.bag_eval import EvalConfig
from hand4d_ros.pipeline import PipelineConfig
from hand4d_ros.replay.context import BagInputConfig

EXIT_FAILED = 1
"""A limit of the thresholds file does not hold."""


@dataclass(frozen=True)
class Args:
    """Score a recording: replay it offline, and if asked live, and compare with the truth.

    The folder gets eval.json, hands.mcap (and live.mcap), the wrists as left_wrist.tum and
    right_wrist.tum for evo, worst_1.png and so on. Without a truth there are figures of
    self-consistency: variation of the bones' lengths, jitter and drift at rest, reprojection.

    Example: hand4d eval drive.mcap --truth right:mocap.tum --eval.align rigid --out out/eval
    """

    bag: tyro.conf.Positional[Path]
    """Recording with images, and perhaps camera_info and odometry."""
    truth: tuple[str, ...] = ()
    """What is true: a topic (/truth/hands), another bag (OTHER.mcap:/topic), the wrist of a hand
    (left:FILE.tum right:FILE.tum), a dataset (NAME:FOLDER:SEQUENCE), or none. Nothing takes
    /truth/hands where the recording has it."""
    hands: str = ""
    """Score hands that are recorded already, in this bag or topic, instead of running the
    pipeline offline."""
    live: bool = False
    """Play the recording at its own pace through the nodes too, and say what that costs."""
    thresholds: str = ""
    """File (YAML or JSON) of limits such as `mpjpe_mm: {max: 30}`; exit status 1 if one fails."""
    out: Path = Path("out/eval")
    """Folder for the results; files of an earlier run are replaced."""
    worst: int = 3
    """Number of pictures of the worst moments."""
    input: Annotated[BagInputConfig, tyro.conf.arg(name="")] = field(default_factory=BagInputConfig)
    eval: EvalConfig = field(default_factory=EvalConfig)
    pipeline: PipelineConfig = field(default_factory=PipelineConfig)


def run(args: Args) -> int:
    """Make the readings, score them, write the results.

    Returns:
        0, or 1 if a limit of the thresholds file does not hold.

    Raises:
        Hand4DError: The recording, the truth or the thresholds file is unusable, or the nodes
            failed.
    """
    from rich.console import Console

    from hand4d_ros.cli import eval_run
    from hand4d_ros.errors import MediaError
    from hand4d_ros.evaluation.thresholds import read_limits, verdicts
    from hand4d_ros.replay.outputs import make_folder

    # A mistake in the limits must not cost a run.
    limits = read_limits(Path(args.thresholds)) if args.thresholds else []
    make_folder(args.out, MediaError)
    scored = eval_run.scored_readings(args)
    judged = verdicts(limits, {name: each.figures.hands for name, each in scored.readings.items()})
    console = Console(width=None if Console().is_terminal else 140)
    for table in eval_run.tables(scored):
        console.print(table)
    for note in scored.notes:
        print(f"note: {note}")
    for verdict in judged:
        print(verdict.text)
    written = eval_run.write_outputs(args, scored, judged)
    print(f"wrote {', '.join(str(path) for path in written)}")
    return 0 if all(verdict.passed for verdict in judged) else EXIT_FAILED
