"""Suite ``images``: rendered pictures, seen by the real detector; every method gets the same.

For methods that look at the images themselves this is the only made-up suite that judges them;
the others get the real detector's keypoints, computed once.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

import numpy as np

from hand4d_ros.detection.base import Detector
from hand4d_ros.detection.mediapipe_detector import MediaPipeDetector
from hand4d_ros.evaluation.clips import Clip, ClipTruth, Sample
from hand4d_ros.evaluation.scene_clips import clip_and_truth, no_detections
from hand4d_ros.evaluation.suites import worlds
from hand4d_ros.evaluation.suites.base import (
    Progress,
    SuiteOptions,
    SuiteResult,
    clip_seed,
    no_progress,
    run_clips,
)
from hand4d_ros.geometry import camera as cameras
from hand4d_ros.shapes import Array, Bool
from hand4d_ros.types import HandDetection, Side

FRAMES = 48
"""Of each clip; drawing them takes most of the time."""
FPS = 30.0
SMALL_SHARE = 0.2
"""A hand is small up to this longer side of its box, as a share of the image's width."""


def run(
    options: SuiteOptions, methods: Sequence[str], progress: Progress = no_progress
) -> SuiteResult:
    """Run methods on this suite.

    Args:
        options: Seed, number of clips, difficulty.
        methods: Names from the registry.
        progress: Called after every method and clip.
    """
    return run_clips("images", options, methods, samples(options), progress=progress)


def samples(options: SuiteOptions) -> Iterator[Sample]:
    """Draw the clips of this suite, one after the other.

    Args:
        options: Seed, number of clips, difficulty.
    """
    for index in range(options.clips):
        seed = clip_seed("images", options, index)
        scene = worlds.scene_of(seed, options.difficulty, FRAMES / FPS)
        clip, truth = clip_and_truth(scene, f"images-{index}", no_detections, with_images=True)
        drawn = kept(clip)
        detector = MediaPipeDetector()
        found = detected(drawn, detector)
        detector.close()
        yield Sample(replace(drawn, detections=found), truth, size_groups(clip, truth))


def kept(clip: Clip) -> Clip:
    """Return the same clip with its images in memory, so that each is drawn once.

    Args:
        clip: The clip; without images it is returned as it is.
    """
    if clip.draw is None:
        return clip
    images = [clip.draw(index) for index in range(len(clip))]
    return replace(clip, draw=images.__getitem__)


def detected(clip: Clip, detector: Detector) -> tuple[tuple[HandDetection, ...], ...]:
    """Let a detector look at every image of a clip.

    Args:
        clip: With images.
        detector: Fresh.
    """
    detector.warm_up(clip.camera)
    return tuple(tuple(detector.detect(clip.frame(index))) for index in range(len(clip)))


def size_groups(clip: Clip, truth: ClipTruth) -> dict[str, dict[Side, Bool[Array, "t"]]]:
    """Sort the frames of each hand by its size and place in the image, as HaPTIC's table 6 does.

    Args:
        clip: The clip.
        truth: Where the hands are.
    """
    groups: dict[str, dict[Side, Bool[Array, "t"]]] = {
        name: {} for name in ("small hand", "large hand", "at the border")
    }
    for side, hand in truth.hands.items():
        px = np.where(np.isfinite(hand.keypoints_px), hand.keypoints_px, -1e6)
        whole = np.asarray(cameras.in_image(clip.camera, px).all(axis=1))
        size_px = np.ptp(px, axis=1).max(axis=1)
        small = np.asarray(size_px <= SMALL_SHARE * clip.camera.width_px)
        groups["small hand"][side] = whole & small
        groups["large hand"][side] = whole & ~small
        groups["at the border"][side] = ~whole
    return groups
