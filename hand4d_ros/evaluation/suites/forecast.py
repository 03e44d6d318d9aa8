"""Suite ``forecast``: what both hands do in the next two seconds, from what was tracked so far.

The past is what the pipeline made of the simulated detector's keypoints, with the size of the
person's hand known, so that errors are those of the future and not of the hand's size; with
``easy`` it is the truth. The camera moves as in ``keypoints``.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace

from hand4d_ros.evaluation.forecasts import (
    HORIZON_S,
    PAST_S,
    STEP_S,
    Judgement,
    Recording,
    judge_forecaster,
    slice_names,
    spread_metrics,
)
from hand4d_ros.evaluation.methods import FORECASTERS
from hand4d_ros.evaluation.motions import motions_from_truth, tracks_from_motions
from hand4d_ros.evaluation.pipeline_method import PipelineMethod
from hand4d_ros.evaluation.scene_clips import clip_and_truth
from hand4d_ros.evaluation.suites import worlds
from hand4d_ros.evaluation.suites.base import (
    Counts,
    MethodResult,
    Progress,
    SuiteOptions,
    SuiteResult,
    clip_seed,
    no_progress,
)
from hand4d_ros.types import Side

SECONDS = 9.0
EVERY_S = 0.4
"""Time between two forecasts of one clip."""
FUTURE = "future"
"""Row that shows the spread of what really happened."""


def run(
    options: SuiteOptions, methods: Sequence[str], progress: Progress = no_progress
) -> SuiteResult:
    """Run forecasters on this suite.

    Args:
        options: Seed, number of clips, difficulty.
        methods: Names from the registry of forecasters.
        progress: Called after every forecaster and clip.
    """
    result = SuiteResult("forecast", options, [])
    run_forecasters(result, recordings(options), methods, progress, total=options.clips)
    result.notes.append(
        "M, M-G, M-F and MR are those of the best future, ADE and FDE both of the best and mean"
    )
    return result


def recordings(options: SuiteOptions) -> Iterator[Recording]:
    """Make the recordings of this suite, one after the other.

    Args:
        options: Seed, number of clips, difficulty.
    """
    rows = tuple(range(round(PAST_S / STEP_S), round((SECONDS - HORIZON_S) / STEP_S) - 1))
    for index in range(options.clips):
        seed = clip_seed("forecast", options, index)
        scene = worlds.scene_of(seed, options.difficulty, SECONDS)
        detect = worlds.noisy_detector(seed, options.difficulty)
        name = f"forecast-{index}"
        clip, truth = clip_and_truth(scene, name, detect, with_images=True)
        length_m = scene.hands[Side.RIGHT].hand.hand_length_m
        clip = replace(clip, hand_length_m=round(float(length_m), 3))
        motions = motions_from_truth(truth)
        if options.difficulty == "easy":
            tracks = tracks_from_motions(clip.stamps_ns, motions)
        else:
            tracks = PipelineMethod().track(clip).tracks
        chosen = rows[:: round(EVERY_S / STEP_S)]
        yield Recording(name, clip.stamps_ns, tracks, motions, chosen, clip)


def run_forecasters(
    result: SuiteResult,
    recorded: Iterable[Recording],
    names: Sequence[str],
    progress: Progress = no_progress,
    *,
    total: int,
) -> None:
    """Run forecasters over recordings and add their figures to a result.

    Args:
        result: Of the suite; rows are added to it.
        recorded: Past and future; one is in memory at a time.
        names: Forecasters, which the registry has.
        progress: Called after every forecaster and recording, with the number of forecasts.
        total: Number of recordings.
    """
    forecasters = {name: FORECASTERS[name].make() for name in names}
    judged: dict[str, list[Judgement]] = {name: [] for name in names}
    done = 0
    for recording in recorded:
        for name, forecaster in forecasters.items():
            needs_image = FORECASTERS[name].needs_image
            judgement = judge_forecaster(recording, forecaster, with_image=needs_image)
            judged[name].append(judgement)
            _add(result.of(name), recording.name, judgement)
            done += len(recording.rows)
            progress(done, total * len(names) * len(recording.rows))
    truth: dict[str, float] = {}
    for name in names:
        own, truth = spread_metrics(judged[name])
        result.of(name).more_metrics.update(own)
    if truth:
        result.of(FUTURE).more_metrics.update(truth)


def _add(result: MethodResult, name: str, judgement: Judgement) -> None:
    """Add the forecasts of one recording."""
    result.frames += judgement.forecasts
    result.milliseconds += judgement.milliseconds
    if judgement.figures:
        result.figures.append(judgement.merged(name))
    for part, count in judgement.steps.items():
        result.counts[part] = result.counts.get(part, Counts()) + Counts(count, count)
    slices = judgement.merged_slices(name)
    for part in slice_names():
        result.groups.setdefault(part, []).extend([slices[part]] if part in slices else [])
