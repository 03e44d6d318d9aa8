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
from hand4d_ros.evaluation.dynhamr_method import DynHamrMethod
from hand4d_ros.evaluation.estimates import ClipEstimate
from hand4d_ros.evaluation.hmp_method import HmpMethod
from hand4d_ros.evaluation.pipeline_method import PipelineMethod, TruthMethod
from hand4d_ros.forecasting.base import Forecaster
from hand4d_ros.forecasting.registry import ForecasterConfig, make_forecaster
from hand4d_ros.pipeline import PipelineConfig
from hand4d_ros.tracking.config import TrackerConfig
from hand4d_ros.tracking.dynhamr.config import DynHamrConfig
from hand4d_ros.tracking.hmp.config import HmpConfig


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
    "noprior": MethodEntry(
        lambda: HmpMethod(HmpConfig(prior="none")),
        "HMP's fit of whole clips without a motion prior: a smooth course of the angles instead",
        CLIP_SUITES,
    ),
    "pca": MethodEntry(
        lambda: HmpMethod(HmpConfig(prior="pca")),
        "HMP's fit with principal components of clips as the prior",
        CLIP_SUITES,
    ),
    "gmm": MethodEntry(
        lambda: HmpMethod(HmpConfig(prior="gmm")),
        "HMP's fit with a Gaussian mixture of single poses as the prior",
        CLIP_SUITES,
    ),
    "hmp": MethodEntry(
        HmpMethod,
        "HMP: offline fit of whole clips through the latent of a neural motion field",
        CLIP_SUITES,
    ),
    "fixed_lag": MethodEntry(
        lambda: PipelineMethod(PipelineConfig(tracker=TrackerConfig(refine="fixed_lag"))),
        "keypoint_fit, smoothed online over the last frames with the costs of dynhamr",
        (*CLIP_SUITES, "runtime"),
    ),
    "dynhamr_stage1": MethodEntry(
        lambda: DynHamrMethod(DynHamrConfig(stages=1)),
        "Dyn-HaMR's Stage I: sides mended offline, single frames in the world, gaps interpolated",
        CLIP_SUITES,
    ),
    "dynhamr_stage2": MethodEntry(
        lambda: DynHamrMethod(DynHamrConfig(stages=2)),
        "Stages I and II: smooth trajectories, cameras, hand size and world scale",
        CLIP_SUITES,
    ),
    "dynhamr": MethodEntry(
        lambda: DynHamrMethod(DynHamrConfig(motion_prior="hmp")),
        "all three stages: with biomechanics, inter-penetration and motion prior",
        CLIP_SUITES,
    ),
    "dynhamr-biomechanics": MethodEntry(
        lambda: DynHamrMethod(DynHamrConfig(motion_prior="hmp", biomechanics=False)),
        "dynhamr without the biomechanical constraints",
        CLIP_SUITES,
    ),
    "dynhamr-penetration": MethodEntry(
        lambda: DynHamrMethod(DynHamrConfig(motion_prior="hmp", penetration=False)),
        "dynhamr without the term against inter-penetration",
        CLIP_SUITES,
    ),
    "dynhamr-infilling": MethodEntry(
        lambda: DynHamrMethod(DynHamrConfig(motion_prior="hmp", infilling=False)),
        "dynhamr with gaps interpolated",
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
        lambda: make_forecaster(ForecasterConfig("static")), "the hand stays as it is"
    ),
    "constant_velocity": ForecasterEntry(
        lambda: make_forecaster(ForecasterConfig("constant_velocity")),
        "translation and rotation of the wrist go on as they are",
    ),
    "constant_acceleration": ForecasterEntry(
        lambda: make_forecaster(ForecasterConfig("constant_acceleration")),
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
