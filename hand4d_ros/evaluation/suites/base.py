"""What every suite shares: its options, its result, and the loop of methods over clips."""

from __future__ import annotations

import zlib
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

import numpy as np

from hand4d_ros.errors import ConfigError
from hand4d_ros.evaluation.aggregate import Aggregate, aggregate
from hand4d_ros.evaluation.clips import Sample
from hand4d_ros.evaluation.estimates import ClipEstimate
from hand4d_ros.evaluation.judging import judge
from hand4d_ros.evaluation.methods import METHODS, Method, Oracle
from hand4d_ros.evaluation.scoring import ClipFigures, ScoringConfig
from hand4d_ros.settings import check

Difficulty = Literal["easy", "normal", "hard"]
Progress = Callable[[int, int], None]
"""Takes the number of frames done and of all, 0 where that is not known."""


def no_progress(done: int, total: int) -> None:
    """Show nothing.

    Args:
        done: Frames that are done.
        total: All frames.
    """
    del done, total


@dataclass(frozen=True)
class SuiteOptions:
    """What a run of a suite is made from; the same options give the same figures."""

    seed: int = field(default=0, metadata={"min": 0})
    """Of everything that is made up."""
    clips: int = field(default=8, metadata={"min": 1, "max": 10000})
    """Number of clips."""
    difficulty: Difficulty = "normal"
    """Of scenes, detector and odometry."""

    def __post_init__(self) -> None:
        """Reject values out of range."""
        check(self)


ALL = "all"
"""Stands for all frames among the groups."""


@dataclass(frozen=True)
class Counts:
    """How many frames of hands figures come from."""

    in_view: int = 0
    """Frames of a hand in view; for forecasts, steps of a hand whose future is known."""
    estimated: int = 0
    """Those of them for which the method said something."""

    def __add__(self, other: Counts) -> Counts:
        """Add up two sets of frames."""
        return Counts(self.in_view + other.in_view, self.estimated + other.estimated)


@dataclass
class MethodResult:
    """What one method did on a suite."""

    method: str
    frames: int = 0
    """Frames, or forecasts, that it was asked for."""
    milliseconds: list[float] = field(default_factory=list)
    """Wall time of each."""
    figures: list[ClipFigures] = field(default_factory=list)
    """Of every clip."""
    groups: dict[str, list[ClipFigures]] = field(default_factory=dict)
    """The same for parts of the clips, such as occlusion bins, in the order of the suite."""
    stage_ms: dict[str, list[float]] = field(default_factory=dict)
    """Mean wall time of each stage in every clip."""
    more_metrics: dict[str, float] = field(default_factory=dict)
    """Figures of all clips together that no single clip has, such as a diversity."""
    counts: dict[str, Counts] = field(default_factory=dict)
    """Of each group, and of all clips under ``ALL``."""
    peak_mib: float = 0.0
    """Most memory that the method's process ever held; 0 where it was not measured."""

    @property
    def ms_per_frame(self) -> float:
        """Mean wall time of a frame; 0 where nothing was timed."""
        return float(np.mean(self.milliseconds)) if self.milliseconds else 0.0

    def aggregated(self) -> dict[str, Aggregate]:
        """Every figure over all clips."""
        return aggregate(self.figures) if self.figures else {}

    def metrics(self) -> dict[str, float]:
        """Every figure over all clips as bare numbers."""
        return {key: each.value for key, each in self.aggregated().items()} | self.more_metrics


@dataclass
class SuiteResult:
    """What a suite found out."""

    suite: str
    options: SuiteOptions
    methods: list[MethodResult]
    notes: list[str] = field(default_factory=list)
    """What a reader must know, and what was left out and why."""

    def of(self, method: str) -> MethodResult:
        """Return the result of a method, made anew where there is none yet."""
        for each in self.methods:
            if each.method == method:
                return each
        self.methods.append(MethodResult(method))
        return self.methods[-1]


def clip_seed(suite: str, options: SuiteOptions, index: int) -> int:
    """A seed for one clip that no other suite, seed or clip shares.

    Args:
        suite: Name of the suite.
        options: Its options.
        index: Number of the clip.
    """
    key = [zlib.crc32(suite.encode()), options.seed, index]
    return int(np.random.default_rng(key).integers(2**31))


def run_clips(
    suite: str,
    options: SuiteOptions,
    names: Sequence[str],
    samples: Iterable[Sample],
    scoring: ScoringConfig | None = None,
    progress: Progress = no_progress,
) -> SuiteResult:
    """Run methods over clips and score them; one clip is in memory at a time.

    Args:
        suite: Name of the suite.
        options: Its options.
        names: Methods, which the registry has.
        samples: Clips with their truth.
        scoring: How clips are cut.
        progress: Called after every method and clip.

    Raises:
        ConfigError: A name is in the registry of forecasters only.
    """
    methods = {name: _made(name) for name in names}
    result = SuiteResult(suite, options, [MethodResult(name) for name in names])
    for number, sample in enumerate(samples):
        frames = len(sample.clip)
        for place, (name, method) in enumerate(methods.items()):
            add_clip(result.of(name), sample, method, scoring)
            done = number * len(names) + place + 1
            progress(done * frames, options.clips * len(names) * frames)
    return result


def add_clip(
    result: MethodResult,
    sample: Sample,
    method: Method | Oracle,
    scoring: ScoringConfig | None = None,
    *,
    only_groups: bool = False,
) -> ClipEstimate:
    """Run one method on one clip and add its figures to the result.

    Args:
        result: Of the method.
        sample: The clip with its truth.
        method: It.
        scoring: How clips are cut.
        only_groups: Leave the clip out of the main figures.
    """
    estimate = (
        method.run_with_truth(sample.clip, sample.truth)
        if isinstance(method, Oracle)
        else method.run(sample.clip)
    )
    judged = judge(sample, estimate, scoring)
    result.frames += len(sample.clip)
    if not isinstance(method, Oracle):
        result.milliseconds += estimate.frame_ms.tolist()
    for stage, milliseconds in estimate.stage_ms.items():
        result.stage_ms.setdefault(stage, []).append(milliseconds)
    if not only_groups:
        result.figures.append(judged.figures)
        _count(result, ALL, judged.counts)
    for name in sample.groups:
        of_group = result.groups.setdefault(name, [])
        if name in judged.groups:
            of_group.append(judged.groups[name])
            _count(result, name, judged.group_counts[name])
    return estimate


def _count(result: MethodResult, name: str, counts: tuple[int, int]) -> None:
    result.counts[name] = result.counts.get(name, Counts()) + Counts(*counts)


def group_metrics(groups: Mapping[str, Sequence[ClipFigures]]) -> dict[str, dict[str, float]]:
    """Every figure of every group as bare numbers; a group without frames is empty.

    Args:
        groups: Figures of the clips of each group.
    """
    return {
        name: {key: each.value for key, each in aggregate(figures).items()} if figures else {}
        for name, figures in groups.items()
    }


def _made(name: str) -> Method | Oracle:
    entry = METHODS.get(name)
    if entry is None:
        raise ConfigError(f"{name!r} is no method for clips; choose one of {', '.join(METHODS)}")
    return entry.make()
