"""``hand4d doctor``: the checks of a machine in, a table or JSON and an exit status out."""

from __future__ import annotations

import contextlib
import dataclasses
import io
import json
import os
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import chain
from pathlib import Path

from hand4d_ros import __version__
from hand4d_ros.cli.check_machine import check_machine
from hand4d_ros.cli.check_models import check_engines, check_libraries, check_models
from hand4d_ros.cli.check_ros import check_ros
from hand4d_ros.cli.findings import Finding

_MARKS = {"ok": ("✓", "green"), "note": ("!", "yellow"), "missing": ("✗", "red")}


@dataclass(frozen=True)
class Args:
    """Say what this machine has and lacks to run hand4d_ros, and what to do about each.

    Exits with 0 where all that the nodes need is there, else with 1.
    """

    json: bool = False
    """Print JSON instead of a table."""
    out: Path = Path("out")
    """Folder that outputs would go to; room and permission are checked there."""


def run(args: Args) -> int:
    """Check everything and print it.

    Returns:
        0 where all that the nodes need is there, else 1.
    """
    with _quiet_libraries():
        findings = examine(args.out)
    print(as_json(findings) if args.json else as_text(findings))
    return 0 if is_able(findings) else 1


def examine(out: Path) -> list[Finding]:
    """Make every check, in the order of the report.

    Args:
        out: Folder that outputs would go to.
    """
    return list(
        chain(
            check_ros(),
            check_models(),
            check_libraries(),
            check_engines(),
            check_machine(out.absolute()),
        )
    )


def is_able(findings: Sequence[Finding]) -> bool:
    """Return whether nothing that the nodes need is missing."""
    return all(finding.status != "missing" for finding in findings)


def as_json(findings: Sequence[Finding]) -> str:
    """The findings as a JSON object, for scripts and bug reports."""
    return json.dumps(
        {
            "hand4d_ros": __version__,
            "able": is_able(findings),
            "findings": [dataclasses.asdict(finding) for finding in findings],
        },
        indent=2,
        ensure_ascii=False,
    )


def as_text(findings: Sequence[Finding]) -> str:
    """The findings as a table where rich is installed, else as plain lines."""
    try:
        return _table(findings)
    except ModuleNotFoundError:
        return "\n".join(
            f"{_MARKS[finding.status][0]} {finding.group}/{finding.name}: {finding.value}"
            + (f"  ->  {finding.advice}" if finding.advice else "")
            for finding in findings
        )


def _table(findings: Sequence[Finding]) -> str:
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    table = Table(title=f"hand4d_ros {__version__} on this machine", title_justify="left")
    for heading in ("", "what", "found", "what to do"):
        table.add_column(heading, overflow="fold")
    group = ""
    for finding in findings:
        if finding.group != group:
            table.add_section()
            group = finding.group
            table.add_row("", Text(group, style="bold"), "", "")
        mark, colour = _MARKS[finding.status]
        # Text, not markup: a version or path may hold square brackets.
        table.add_row(
            Text(mark, style=colour), Text(finding.name), Text(finding.value), Text(finding.advice)
        )
    console = Console(file=io.StringIO(), force_terminal=sys.stdout.isatty())
    if not sys.stdout.isatty():
        console.width = 120
    with console.capture() as capture:
        console.print(table)
        console.print(_verdict(findings))
    return capture.get().rstrip()


def _verdict(findings: Sequence[Finding]) -> str:
    missing = [finding.name for finding in findings if finding.status == "missing"]
    if missing:
        return f"Missing: {', '.join(missing)}."
    return "Everything that the nodes need is here."


@contextlib.contextmanager
def _quiet_libraries() -> Iterator[None]:
    """Send what C++ libraries print while they load to nowhere; the report says what matters."""
    sys.stderr.flush()
    kept = os.dup(2)
    nowhere = os.open(os.devnull, os.O_WRONLY)
    try:
        os.dup2(nowhere, 2)
        yield
    finally:
        os.dup2(kept, 2)
        os.close(kept)
        os.close(nowhere)
