"""Compare methods on one suite: a table, a JSON file, figures."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import tyro

from hand4d_ros.cli.progress import progress_bar
from hand4d_ros.errors import ConfigError, MetricError


@dataclass(frozen=True)
class Args:
    """Run methods on one suite of the benchmark and compare them.

    The same seed gives the same figures, digit for digit; only times differ (the suite runtime is
    made of nothing else). docs/benchmark.md says what each suite is.

    Example: hand4d bench keypoints --methods keypoint_fit,keypoint_fit+oneeuro --json out.json
    """

    suite: tyro.conf.Positional[str] = ""
    """Suite to run; --list names all."""
    methods: str = ""
    """Names with commas between them; empty takes all that the suite can run."""
    seed: int = 0
    """Of everything that is made up."""
    clips: int = 0
    """Number of clips; 0 takes the suite's own."""
    difficulty: Literal["easy", "normal", "hard"] = "normal"
    """Of scenes, detector and odometry."""
    json: str = ""
    """File to write all figures to; empty writes none."""
    figures: str = ""
    """Folder to write pictures (PNG) to; empty writes none."""
    list: bool = False
    """List suites and methods and run nothing."""


def run(args: Args) -> int:
    """Run a suite, print its tables and write what was asked for.

    Returns:
        0, also for a suite that is skipped because its recordings are not there.

    Raises:
        ConfigError: The suite or a method is unknown; the message lists what there is.
        MetricError: A file cannot be written.
    """
    from rich.console import Console

    from hand4d_ros.evaluation import bench_tables
    from hand4d_ros.evaluation.bench_document import bench_document, document_text
    from hand4d_ros.evaluation.bench_figures import write_figures
    from hand4d_ros.evaluation.suites.base import SuiteOptions
    from hand4d_ros.evaluation.suites.registry import run_suite, suite_entry

    if args.list:
        print(listing())
        return 0
    if not args.suite:
        raise ConfigError(f"give a suite\n{listing()}")
    entry = suite_entry(args.suite)
    methods = [name.strip() for name in args.methods.split(",") if name.strip()]
    options = SuiteOptions(args.seed, args.clips or entry.clips, args.difficulty)
    with progress_bar(args.suite) as advance:
        result = run_suite(args.suite, methods, options, advance)
    document = bench_document(result)
    console = Console(width=None if Console().is_terminal else _wide(len(result.methods)))
    for table in bench_tables.tables(document):
        console.print(table)
    for note in result.notes:
        print(f"note: {note}")
    if args.json:
        _write(Path(args.json), document_text(document))
    if args.figures:
        for path in write_figures(document, Path(args.figures)):
            print(f"wrote {path}")
    return 0


def listing() -> str:
    """Suites and methods with a line on each."""
    from hand4d_ros.evaluation.methods import FORECASTERS, METHODS, names_for
    from hand4d_ros.evaluation.suites.registry import SUITES

    lines = ["suites:"]
    lines += [
        f"  {name:<12} {entry.summary}; {entry.clips} clips unless told; "
        f"runs {', '.join(names_for(name))}"
        for name, entry in SUITES.items()
    ]
    lines.append("methods:")
    lines += [f"  {name:<22} {entry.summary}" for name, entry in METHODS.items()]
    lines.append("forecasters:")
    lines += [f"  {name:<22} {entry.summary}" for name, entry in FORECASTERS.items()]
    return "\n".join(lines)


def _wide(methods: int) -> int:
    """Width of a table in a log, so that no number is broken."""
    return 60 + 24 * max(methods, 1)


def _write(path: Path, text: str) -> None:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    except OSError as error:
        raise MetricError(f"{path} cannot be written: {error.strerror}; give another") from error
    print(f"wrote {path}")
