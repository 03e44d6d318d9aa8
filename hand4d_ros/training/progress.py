"""How far a run is: a bar on a terminal, a line now and then in a log."""

from __future__ import annotations

import math
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Protocol, runtime_checkable

_LINE_EVERY_S = 10.0


@runtime_checkable
class Progress(Protocol):
    """What a trainer tells."""

    def show(self, step: int, loss: float) -> None:
        """Show that so many steps are done, and the loss of the last one."""
        ...

    def say(self, line: str) -> None:
        """Say something that stays."""
        ...


class PlainProgress:
    """Lines on standard error, for logs and where rich is not installed."""

    def __init__(self, start: int, total: int) -> None:
        """Start the clock.

        Args:
            start: Steps that are done already.
            total: Steps of the run.
        """
        self._start = start
        self._total = total
        self._began_s = time.monotonic()
        self._next_s = self._began_s

    def show(self, step: int, loss: float) -> None:
        """Print a line, if the last one is some time ago or this step is the last one."""
        now_s = time.monotonic()
        if now_s < self._next_s and step < self._total:
            return
        self._next_s = now_s + _LINE_EVERY_S
        self.say(plain_line(step, self._total, step - self._start, now_s - self._began_s, loss))

    def say(self, line: str) -> None:
        """Print a line."""
        print(line, file=sys.stderr, flush=True)  # noqa: T201  Progress is for people.


def plain_line(step: int, total: int, done: int, took_s: float, loss: float) -> str:
    """Return one line of progress.

    Args:
        step: Steps done.
        total: Steps of the run.
        done: Steps done in this session.
        took_s: Duration of this session.
        loss: Of the last step.
    """
    rate = done / took_s if took_s > 0.0 else 0.0
    left = clock((total - step) / rate) if rate > 0.0 else "?"
    share = 100.0 * step / total
    return f"step {step}/{total} {share:.1f} %  loss {loss:.4g}  {rate:.1f} steps/s  left {left}"


def clock(seconds: float) -> str:
    """Return a duration as hours, minutes and seconds."""
    whole = math.ceil(seconds)
    return f"{whole // 3600}:{whole // 60 % 60:02d}:{whole % 60:02d}"


@contextmanager
def progress(title: str, start: int, total: int) -> Iterator[Progress]:
    """Show a run while it lasts.

    Args:
        title: What is trained.
        start: Steps that are done already.
        total: Steps of the run.

    Yields:
        What to tell; a bar where standard error is a terminal and rich is installed.
    """
    if not sys.stderr.isatty():
        yield PlainProgress(start, total)
        return
    try:
        import rich  # noqa: F401  Its presence is the question.
    except ModuleNotFoundError:
        plain = PlainProgress(start, total)
        plain.say("rich is not installed: progress as plain lines (pip install rich)")
        yield plain
        return
    with _bar(title, start, total) as shown:
        yield shown


@contextmanager
def _bar(title: str, start: int, total: int) -> Iterator[Progress]:
    from rich.console import Console
    from rich.progress import (
        BarColumn,
        MofNCompleteColumn,
        TextColumn,
        TimeElapsedColumn,
        TimeRemainingColumn,
    )
    from rich.progress import Progress as RichProgress

    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("{task.fields[text]}"),
        TimeElapsedColumn(),
        TimeRemainingColumn(),
    )
    with RichProgress(*columns, console=Console(stderr=True)) as bar:
        job = bar.add_task(title, total=total, completed=start, text="")

        class _Bar:
            def show(self, step: int, loss: float) -> None:
                speed = bar.tasks[0].speed
                rate = f", {speed:.1f} steps/s" if speed else ""
                bar.update(job, completed=step, text=f"loss {loss:.4g}{rate}")

            def say(self, line: str) -> None:
                bar.console.print(line, markup=False, highlight=False)

        yield _Bar()
