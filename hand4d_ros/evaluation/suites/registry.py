"""The suites that ``hand4d bench`` knows; a module is imported when its suite is asked for."""

from __future__ import annotations

import difflib
import importlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from hand4d_ros.errors import ConfigError
from hand4d_ros.evaluation.methods import chosen_names
from hand4d_ros.evaluation.suites.base import Progress, SuiteOptions, SuiteResult, no_progress


@dataclass(frozen=True)
class SuiteEntry:
    """One row of the registry of suites."""

    module: str
    """Module with a function ``run(options, methods, progress) -> SuiteResult``."""
    summary: str
    """One line."""
    clips: int
    """Clips where a user gives no number."""


def _entry(name: str, summary: str, clips: int) -> SuiteEntry:
    return SuiteEntry(f"hand4d_ros.evaluation.suites.{name}", summary, clips)


SUITES: Mapping[str, SuiteEntry] = {
    "keypoints": _entry("keypoints", "noisy detections, moving camera, 128 frames", 8),
    "occlusion": _entry("occlusion", "levels of occlusion as in UniHand, and whole gaps", 8),
    "world": _entry("world", "odometry with drift and unknown scale, 128 frames", 8),
    "images": _entry("images", "rendered pictures seen by the real detector", 4),
    "forecast": _entry("forecast", "the next two seconds of both hands", 8),
    "real": _entry("real", "recordings of real glasses and of a real hand sensor", 8),
    "runtime": _entry("runtime", "time a frame by stage, frames per second, memory", 1),
}
"""Every suite by its name, in the order of the list."""


def run_suite(
    name: str,
    methods: Sequence[str] = (),
    options: SuiteOptions | None = None,
    progress: Progress = no_progress,
) -> SuiteResult:
    """Run one suite.

    Args:
        name: Of the suite.
        methods: Names of methods; none takes all that apply.
        options: Seed, number of clips, difficulty; None takes the suite's defaults.
        progress: Called after every method and clip.

    Raises:
        ConfigError: The suite or a method is unknown; the message lists what there is.
    """
    entry = suite_entry(name)
    chosen = chosen_names(name, methods)
    run = importlib.import_module(entry.module).run
    result: SuiteResult = run(options or SuiteOptions(clips=entry.clips), chosen, progress)
    return result


def suite_entry(name: str) -> SuiteEntry:
    """Return the row of a suite.

    Raises:
        ConfigError: There is no such suite; the message lists what there is.
    """
    if name in SUITES:
        return SUITES[name]
    close = difflib.get_close_matches(name, SUITES, n=1)
    hint = f"did you mean {close[0]!r}? " if close else ""
    raise ConfigError(f"there is no suite {name!r}; {hint}there are {', '.join(SUITES)}")
