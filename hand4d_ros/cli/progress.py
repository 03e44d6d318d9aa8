"""A progress bar that is one line on a terminal and silent in a log."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

Advance = Callable[[int, int], None]
"""Takes the number of items done and of all, 0 where that is not known."""


@contextmanager
def progress_bar(title: str) -> Iterator[Advance]:
    """Show how far a command is, with the rate and the time that is left.

    Args:
        title: What is being done.

    Yields:
        A function to call after every item.
    """
    from rich.console import Console
    from rich.progress import (
        BarColumn,
        MofNCompleteColumn,
        Progress,
        TextColumn,
        TimeElapsedColumn,
        TimeRemainingColumn,
    )

    console = Console(stderr=True)
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("{task.fields[rate]}"),
        TimeElapsedColumn(),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=console, disable=not console.is_terminal) as bar:
        task = bar.add_task(title, total=None, rate="")

        def advance(done: int, total: int) -> None:
            speed = bar.tasks[0].speed
            rate = f"{speed:.0f} frames/s" if speed else ""
            bar.update(task, completed=done, total=total or None, rate=rate)

        yield advance
