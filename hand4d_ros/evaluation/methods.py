"""The methods that ``hand4d bench`` compares: one entry each, so a later system adds one.

A method takes a ``Clip`` and returns a ``ClipEstimate``; whether it works frame by frame, in
windows or offline is its own affair. Those of this package run through ``HandPipeline.step``, so
what is judged is what runs on a robot. A forecaster is one of ``forecasting.base``.
"""

from __future__ import annotations

import difflib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

from hand4d_ros.errors import ConfigError
from hand4d_ros.evaluation.clips import Clip, ClipTruth
from hand4d_ros.evaluation.estimates import ClipEstimate
from hand4d_ros.evaluation.pipeline_method import PipelineMethod, TruthMethod
from hand4d_ros.forecasting import baselines
from hand4d_ros.forecasting.base import Forecaster
from hand4d_ros.pipeline import PipelineConfig
from hand4d_ros.tracking.config import TrackerConfig


@runtime_checkable
class Method(Protocol):
    """Estimates both hands of a clip."""

    def run(self, clip: Clip) -> ClipEstimate:
        """Return both hands in the world of the clip's camera poses, one row a frame.

        A method is asked for one clip after the other and must forget the last one.
        """
        ...


@runtime_checkable
class Oracle(Protocol):
    """A method that knows the truth, for figures that need something to compare with."""

    def run_with_truth(self, clip: Clip, truth: ClipTruth) -> ClipEstimate:
        """Return an estimate made from the truth."""
        ...


@dataclass(frozen=True)
class MethodEntry:
    """One row of the registry of methods."""

    make: Callable[[], Method | Oracle]
    """Builds it; called once a run."""
    summary: str
    """One line."""
    suites: tuple[str, ...]
    """Suites that it can run on."""
    is_reference: bool = False
    """Knows the truth, so it never counts as the best."""


@dataclass(frozen=True)
class ForecasterEntry:
    """One row of the registry of forecasters."""

    make: Callable[[], Forecaster]
    """Builds it; called once a run."""
    summary: str
    """One line."""
    suites: tuple[str, ...] = ("forecast", "real")
    """Suites that it can run on."""
    needs_image: bool = False
    """Whether the image of now is drawn for it."""


CLIP_SUITES = ("keypoints", "occlusion", "world", "images", "real")
"""Suites of clips, which any method that needs no more than detections can run on."""

METHODS: Mapping[str, MethodEntry] = {
    "keypoint_fit": MethodEntry(
        PipelineMethod,
        "fit of the hand model to the keypoints of single frames, placed by odometry",
        (*CLIP_SUITES, "runtime"),
    ),
    "keypoint_fit+oneeuro": MethodEntry(
        lambda: PipelineMethod(PipelineConfig(tracker=TrackerConfig(smoothing="one_euro"))),
        "the same, smoothed by a One-Euro filter in the world",
        (*CLIP_SUITES, "runtime"),
    ),
    "keypoint_fit+slerp": MethodEntry(
        lambda: PipelineMethod(fill_gaps=True),
        "the same as keypoint_fit, gaps interpolated offline: SLERP and straight lines",
        CLIP_SUITES,
    ),
    "truth": MethodEntry(
        TruthMethod,
        "the truth itself, for what its own jerk, acceleration and overlap are",
        CLIP_SUITES,
        is_reference=True,
    ),
}
"""Every method by its name, in the order of tables."""

FORECASTERS: Mapping[str, ForecasterEntry] = {
    "static": ForecasterEntry(
        lambda: baselines.KinematicForecaster(baselines.STATIC), "the hand stays as it is"
    ),
    "constant_velocity": ForecasterEntry(
        lambda: baselines.KinematicForecaster(baselines.CONSTANT_VELOCITY),
        "translation and rotation of the wrist go on as they are",
    ),
    "constant_acceleration": ForecasterEntry(
        lambda: baselines.KinematicForecaster(baselines.CONSTANT_ACCELERATION),
        "velocity and acceleration of the wrist go on and die away",
    ),
}
"""Every forecaster by its name, in the order of tables."""


def names_for(suite: str) -> tuple[str, ...]:
    """Methods and forecasters that a suite can run, in the order of tables."""
    suites = {name: entry.suites for name, entry in METHODS.items()}
    suites |= {name: entry.suites for name, entry in FORECASTERS.items()}
    return tuple(name for name, possible in suites.items() if suite in possible)


def chosen_names(suite: str, wanted: Sequence[str]) -> tuple[str, ...]:
    """Check the names of methods that a user gave.

    Args:
        suite: The suite that they are to run on.
        wanted: Names; empty takes all that apply.

    Raises:
        ConfigError: A name is unknown, does not apply to the suite or is given twice; the message
            lists what there is.
    """
    possible = names_for(suite)
    for name in wanted:
        if name in possible:
            continue
        known = name in METHODS or name in FORECASTERS
        close = difflib.get_close_matches(name, possible, n=1)
        hint = f"did you mean {close[0]!r}? " if close and not known else ""
        what = f"does not run on the suite {suite!r}" if known else "is no method"
        raise ConfigError(f"{name!r} {what}; {hint}{suite!r} runs {', '.join(possible)}")
    if len(set(wanted)) != len(wanted):
        raise ConfigError(f"methods {', '.join(wanted)}: give each name once")
    return tuple(wanted) or possible
