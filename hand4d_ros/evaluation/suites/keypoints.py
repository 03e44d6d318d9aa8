"""Suite ``keypoints``: noisy detections of two hands at a table from a moving head."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from hand4d_ros.evaluation.clips import Sample
from hand4d_ros.evaluation.scene_clips import clip_and_truth
from hand4d_ros.evaluation.suites import worlds
from hand4d_ros.evaluation.suites.base import (
    Progress,
    SuiteOptions,
    SuiteResult,
    clip_seed,
    no_progress,
    run_clips,
)

FRAMES = 128
"""Of each clip, at 30 per second: the length of Dyn-HaMR's segments."""
FPS = 30.0


def run(
    options: SuiteOptions, methods: Sequence[str], progress: Progress = no_progress
) -> SuiteResult:
    """Run methods on this suite.

    Args:
        options: Seed, number of clips, difficulty.
        methods: Names from the registry.
        progress: Called after every method and clip.
    """
    return run_clips("keypoints", options, methods, samples(options), progress=progress)


def samples(options: SuiteOptions) -> Iterator[Sample]:
    """Make the clips of this suite, one after the other.

    Args:
        options: Seed, number of clips, difficulty.
    """
    for index in range(options.clips):
        seed = clip_seed("keypoints", options, index)
        scene = worlds.scene_of(seed, options.difficulty, FRAMES / FPS)
        detect = worlds.noisy_detector(seed, options.difficulty)
        yield Sample(*clip_and_truth(scene, f"keypoints-{index}", detect, with_images=True), {})
