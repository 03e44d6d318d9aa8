r"""Measures the real hand detector on rendered clips, fits its noise model and compares the two.

What it does, in order:

1. renders clips (two hands at a table, things in the way, a moving camera, three levels of
   difficulty) and stills (one hand, any pose) and lets the real detector look at them;
2. fits what the detector marks on a hand and prints it beside the map in the code;
3. with --fit, fits the noise model to the clips of --seed and writes its parameters;
4. lets the noise model look at clips that were not fitted and prints both side by side.

Rendering takes nearly all of the time, about half a second a frame on a slow machine. With
--records every clip is kept, and a run that was stopped goes on where it was.

  compare the model that comes with the package with the detector on 20 new clips:
    python -m benchmarks.detector --clips 20 --seed 7 --json out/detector.json

  fit the model anew to 72 clips, five minutes at a time, and compare on 30 others:
    python -m benchmarks.detector --clips 72 --seed 1 --held-out 30 --records out/records \
        --minutes 5 --json out/detector.json --figure docs/images/detector-noise.png \
        --fit hand4d_ros/assets/detector_noise.json --commit $(git rev-parse --short HEAD)
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from benchmarks.detector.clips import ClipMaker, clip_of
from benchmarks.detector.compare import (
    Comparison,
    simulated_again,
    speed,
    visibility_agreement,
)
from benchmarks.detector.figure import draw
from benchmarks.detector.fit import fitted_parameters
from benchmarks.detector.landmark_map import landmark_digest, landmark_report, open_hands
from benchmarks.detector.matching import Matched, matched
from benchmarks.detector.records import ClipRecord
from benchmarks.detector.statistics import statistics
from benchmarks.detector.stills import SHEET, StillMaker, Stills
from hand4d_ros.cli.progress import progress_bar
from hand4d_ros.synthetic.detector_parameters import NoiseParameters, fitted

_REPEATS = 4
"""How often the model looks at every clip, so that its own chance counts little."""
_MODEL_SEED = 1_000_000
_UNFINISHED = 3
"""Exit status of a run that ended for want of time."""


@dataclass(frozen=True)
class Task:
    """What was asked for."""

    clips: int
    seed: int
    json: Path
    fit: Path | None
    held_out: int
    stills: int
    records: Path | None
    minutes: float
    figure: Path | None
    commit: str


class OutOfTimeError(Exception):
    """The time that was allowed is over; the message says what is still missing."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the benchmark.

    Args:
        arguments: Command line; that of the process if None.

    Returns:
        Exit status: 0 when done, 3 when the time was over before all was rendered.
    """
    task = Task(**vars(_parser().parse_args(arguments)))
    try:
        return _run(task)
    except OutOfTimeError as error:
        print(error, file=sys.stderr)
        return _UNFINISHED


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.detector",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add = parser.add_argument
    add("--clips", type=int, default=20, help="clips of two seconds (default 20)")
    add("--seed", type=int, default=7, help="of the clips; same seed, same clips (default 7)")
    add("--json", type=Path, required=True, help="file for all figures")
    add("--fit", type=Path, help="fit the noise model to the clips and write its numbers here")
    add(
        "--held-out",
        type=int,
        default=0,
        help="with --fit: clips of the next seed to compare on (default half of --clips)",
    )
    add("--stills", type=int, default=0, help="stills for the landmark map (default none)")
    add("--records", type=Path, help="folder that keeps what was rendered")
    add(
        "--minutes",
        type=float,
        default=0.0,
        help="stop rendering after so long; needs --records (default no limit)",
    )
    add("--figure", type=Path, help="PNG file for a figure of the comparison")
    add("--commit", default="", help="version of the code, for the card of the fitted numbers")
    return parser


def _run(task: Task) -> int:
    deadline = time.monotonic() + 60.0 * task.minutes if task.minutes else float("inf")
    maker = ClipMaker.start(task.records)
    records = _rendered(maker, task.seed, task.clips, deadline)
    sheets = _stills(task, deadline)
    if task.fit is None:
        numbers, held_out = fitted(), records
        if task.seed == numbers.card.get("seed"):
            print(f"the model was fitted to seed {task.seed}; give another", file=sys.stderr)
            return 2
    else:
        count = task.held_out or max(task.clips // 2, 1)
        held_out = _rendered(maker, task.seed + 1, count, deadline)
        numbers = _fitted(task, [_matched(record) for record in records])
    compared_seed = task.seed if task.fit is None else task.seed + 1
    document: dict[str, object] = {"clips": len(held_out), "seed": compared_seed}
    open_hands_of_stills = [(s.keypoints_px[s.found], s.marked_px[s.found]) for s in sheets]
    clips = [_matched(record) for record in records]
    document["landmark_map"] = landmark_report([*open_hands_of_stills, open_hands(clips)])
    real = [_matched(record) for record in held_out]
    model = simulated_again(real, numbers, seed=_MODEL_SEED, repeats=_REPEATS)
    comparison = Comparison(statistics(real), statistics(model))
    print(comparison.table())
    document |= comparison.document()
    document["visibility"] = visibility_agreement(held_out)
    document["frames_per_second"] = speed(held_out, numbers)
    print(json.dumps({k: document[k] for k in ("visibility", "frames_per_second")}, indent=1))
    task.json.parent.mkdir(parents=True, exist_ok=True)
    task.json.write_text(json.dumps(document, indent=1) + "\n")
    if task.figure is not None:
        draw(task.figure, comparison, real, model)
    return 0


def _rendered(maker: ClipMaker, seed: int, count: int, deadline: float) -> list[ClipRecord]:
    """Make or read clips until the time is over."""
    records = []
    with progress_bar(f"clips of seed {seed}") as advance:
        for index in range(count):
            if time.monotonic() > deadline:
                raise OutOfTimeError(
                    f"{index} of {count} clips of seed {seed} are there; run the same command "
                    "again to go on"
                )
            records.append(maker.clip(seed, index))
            advance(index + 1, count)
    return records


def _stills(task: Task, deadline: float) -> list[Stills]:
    sheets = -(-task.stills // SHEET)
    if not sheets:
        return []
    maker, made = StillMaker.start(task.records), []
    with progress_bar("stills") as advance:
        for index in range(sheets):
            if time.monotonic() > deadline:
                raise OutOfTimeError(
                    f"{SHEET * index} of {task.stills} stills are there; run the same command "
                    "again to go on"
                )
            made.append(maker.sheet(task.seed, index))
            advance(SHEET * (index + 1), SHEET * sheets)
    return made


def _matched(record: ClipRecord) -> Matched:
    return replace(matched(clip_of(record), record.found), difficulty=record.difficulty)


def _fitted(task: Task, clips: Sequence[Matched]) -> NoiseParameters:
    """Fit and write the noise model."""
    card = {
        "what": "noise model of hand4d_ros.detection.mediapipe_detector on rendered clips",
        "made_with": f"python -m benchmarks.detector --clips {task.clips} --seed {task.seed} --fit",
        "seed": task.seed,
        "clips": len(clips),
        "commit": task.commit,
        "hands_found": int(sum(m.found.sum() for m in clips)),
        "landmarks": landmark_digest(),
    }
    assert task.fit is not None
    fitted_parameters(clips, card).save(task.fit)
    return NoiseParameters.load(task.fit)


if __name__ == "__main__":
    sys.exit(main())
