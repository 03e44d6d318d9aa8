"""Suite ``occlusion``: hands behind boards, things and each other, and whole gaps.

In the first part of each clip boards cover the hands, and every frame belongs to a level of
occlusion by the share of the hand's mask that is hidden, as UniHand measures it. In the second
part the detector falls silent for stated times; those frames belong to a gap and to no level.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from hand4d_ros.evaluation.clips import Clip, Sample
from hand4d_ros.evaluation.occlusion_ratio import BINS, bin_names, in_bin, occlusion_ratios
from hand4d_ros.evaluation.scene_clips import clip_and_truth
from hand4d_ros.evaluation.screens import with_screens
from hand4d_ros.evaluation.suites import worlds
from hand4d_ros.evaluation.suites.base import (
    Progress,
    SuiteOptions,
    SuiteResult,
    clip_seed,
    no_progress,
    run_clips,
)
from hand4d_ros.shapes import Array, Bool, Float
from hand4d_ros.types import Side

SECONDS = 8.0
COVERED_S = 5.2
"""How long boards are about."""
FPS = 30.0
GAPS_S = ((0.25, 1.0), (0.1, 0.5))
"""Lengths of the two gaps of one hand; the other hand has the other pair, clips take turns."""
_GAP_START_S = 5.5
_BETWEEN_S = 0.4


@dataclass(frozen=True)
class Gap:
    """A time without detections of one hand."""

    side: Side
    start_s: float
    length_s: float

    @property
    def name(self) -> str:
        """Of the group of its frames."""
        return f"gap {self.length_s:g} s"


def run(
    options: SuiteOptions, methods: Sequence[str], progress: Progress = no_progress
) -> SuiteResult:
    """Run methods on this suite.

    Args:
        options: Seed, number of clips, difficulty.
        methods: Names from the registry.
        progress: Called after every method and clip.
    """
    return run_clips("occlusion", options, methods, samples(options), progress=progress)


def samples(options: SuiteOptions) -> Iterator[Sample]:
    """Make the clips of this suite, one after the other.

    Args:
        options: Seed, number of clips, difficulty.
    """
    for index in range(options.clips):
        seed = clip_seed("occlusion", options, index)
        scene = worlds.scene_of(seed, options.difficulty, SECONDS)
        scene = with_screens(scene, seed, COVERED_S)
        detect = worlds.noisy_detector(seed, options.difficulty)
        clip, truth = clip_and_truth(scene, f"occlusion-{index}", detect, with_images=True)
        gaps = sampled_gaps(seed, index)
        clip = without_detections(clip, gaps)
        yield Sample(clip, truth, frame_groups(clip, occlusion_ratios(scene), gaps))


def sampled_gaps(seed: int, index: int) -> tuple[Gap, ...]:
    """Draw when the detector falls silent for each hand.

    Args:
        seed: Of the clip.
        index: Its number, which decides what hand gets what lengths.
    """
    rng = np.random.default_rng([seed, 47])
    gaps = []
    for side in Side:
        start_s = _GAP_START_S + float(rng.uniform(0.0, 0.2))
        for length_s in GAPS_S[(index + int(side)) % 2]:
            gaps.append(Gap(side, start_s, length_s))
            start_s += length_s + _BETWEEN_S + float(rng.uniform(0.0, 0.2))
    return tuple(gaps)


def without_detections(clip: Clip, gaps: Sequence[Gap]) -> Clip:
    """Take the detections of the gaps out of a clip.

    Args:
        clip: The clip.
        gaps: When nothing is detected of which hand.
    """
    silent = _silent(clip, gaps)
    detections = tuple(
        tuple(d for d in found if not silent[d.side][row])
        for row, found in enumerate(clip.detections)
    )
    return replace(clip, detections=detections)


def frame_groups(
    clip: Clip, ratios: Mapping[Side, Float[Array, "t"]], gaps: Sequence[Gap]
) -> dict[str, dict[Side, Bool[Array, "t"]]]:
    """Sort the frames of each hand into levels of occlusion and gaps.

    Args:
        clip: The clip.
        ratios: Share of each hand that is hidden.
        gaps: Times without detections.
    """
    silent = _silent(clip, gaps)
    groups: dict[str, dict[Side, Bool[Array, "t"]]] = {
        name: {side: in_bin(ratios[side], place) & ~silent[side] for side in ratios}
        for place, name in zip(range(len(BINS)), bin_names(), strict=True)
    }
    for length_s in sorted({gap.length_s for gap in gaps}):
        chosen = [gap for gap in gaps if gap.length_s == length_s]
        groups[chosen[0].name] = _silent(clip, chosen)
    return groups


def _silent(clip: Clip, gaps: Sequence[Gap]) -> dict[Side, Bool[Array, "t"]]:
    """Tell in which frames nothing is detected of each hand."""
    t_s = (clip.stamps_ns - clip.stamps_ns[0]) * 1e-9
    silent = {side: np.zeros(len(clip), dtype=bool) for side in Side}
    for gap in gaps:
        silent[gap.side] |= (t_s >= gap.start_s) & (t_s < gap.start_s + gap.length_s)
    return silent
