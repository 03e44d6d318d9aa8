"""Suite ``runtime``: what a frame costs, stage by stage, and the most memory, on drawn pictures.

The only suite whose figures are not the same again: they are wall times of this machine. Each
method runs in a process of its own, with the real detector before it. A frame is timed on its own;
what DDS and the nodes add is measured by ``python -m benchmarks.latency``.
"""

from __future__ import annotations

import multiprocessing
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import replace

from hand4d_ros.evaluation.runtime_probe import timed
from hand4d_ros.evaluation.scene_clips import clip_and_truth, no_detections
from hand4d_ros.evaluation.suites import worlds
from hand4d_ros.evaluation.suites.base import (
    Progress,
    SuiteOptions,
    SuiteResult,
    clip_seed,
    no_progress,
)

FRAMES = 40
"""Of each clip; drawing them takes most of the time."""
FPS = 30.0


def run(
    options: SuiteOptions, methods: Sequence[str], progress: Progress = no_progress
) -> SuiteResult:
    """Time methods.

    Args:
        options: Seed, number of clips, difficulty.
        methods: Names from the registry.
        progress: Called after every method and clip.
    """
    result = SuiteResult("runtime", options, [])
    for index in range(options.clips):
        seed = clip_seed("runtime", options, index)
        scene = worlds.scene_of(seed, options.difficulty, FRAMES / FPS)
        clip, _ = clip_and_truth(scene, f"runtime-{index}", no_detections, with_images=True)
        images = [clip.frame(frame).image for frame in range(len(clip))]
        bare = replace(clip, draw=None)
        for place, name in enumerate(methods):
            with ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("spawn")) as pool:
                timing = pool.submit(timed, name, bare, images).result()
            row = result.of(name)
            row.frames += len(timing.frame_ms)
            row.milliseconds += timing.frame_ms
            row.peak_mib = max(row.peak_mib, timing.peak_mib)
            for stage, milliseconds in timing.stage_ms.items():
                row.stage_ms.setdefault(stage, []).append(milliseconds)
            done = index * len(methods) + place + 1
            progress(done * len(clip), options.clips * len(methods) * len(clip))
    result.notes.append("wall times of this machine; not the same again")
    return result
