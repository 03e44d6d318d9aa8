"""Suite ``world``: odometry with drift, and in every other clip with an unknown constant scale.

The clips whose scale is unknown are what Dyn-HaMR solves for; the metric ones are those from which
the camera's own motion can show the size of the hand.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from hand4d_ros.evaluation.clips import Sample
from hand4d_ros.evaluation.scene_clips import clip_and_truth
from hand4d_ros.evaluation.suites import worlds
from hand4d_ros.evaluation.suites.base import (
    Difficulty,
    Progress,
    SuiteOptions,
    SuiteResult,
    clip_seed,
    no_progress,
    run_clips,
)
from hand4d_ros.synthetic.odometry_noise import OdometryNoise

FRAMES = 128
FPS = 30.0
UNKNOWN, METRIC = "scale unknown", "scale metric"
"""The two groups of clips."""
_SCALE_LOG_STD = 0.25
_SCALE_LIMITS = (0.5, 2.0)
_SWAY = 2.5
"""The head moves more than in the other suites: a camera at rest shows no scale."""


def run(
    options: SuiteOptions, methods: Sequence[str], progress: Progress = no_progress
) -> SuiteResult:
    """Run methods on this suite.

    Args:
        options: Seed, number of clips, difficulty.
        methods: Names from the registry.
        progress: Called after every method and clip.
    """
    return run_clips("world", options, methods, samples(options), progress=progress)


def samples(options: SuiteOptions) -> Iterator[Sample]:
    """Make the clips of this suite, one after the other; those with an even number lack a scale.

    Args:
        options: Seed, number of clips, difficulty.
    """
    for index in range(options.clips):
        seed = clip_seed("world", options, index)
        unknown = index % 2 == 0
        odometry = drifting_odometry(seed, options.difficulty, scale_is_known=not unknown)
        scene = worlds.scene_of(seed, options.difficulty, FRAMES / FPS, odometry, sway=_SWAY)
        detect = worlds.noisy_detector(seed, options.difficulty)
        clip, truth = clip_and_truth(scene, f"world-{index}", detect, with_images=True)
        every = np.ones(len(clip), dtype=bool)
        name = UNKNOWN if unknown else METRIC
        yield Sample(clip, truth, {name: dict.fromkeys(truth.hands, every)})


def drifting_odometry(seed: int, difficulty: Difficulty, *, scale_is_known: bool) -> OdometryNoise:
    """Odometry of a single camera: it drifts, and its scale is a guess.

    Args:
        seed: Of its faults.
        difficulty: Scales them.
        scale_is_known: Whether distances are metres, as with an inertial sensor.
    """
    rng = np.random.default_rng([seed, 43])
    scale = float(np.clip(np.exp(rng.normal(0.0, _SCALE_LOG_STD)), *_SCALE_LIMITS))
    drift = worlds.LEVELS[difficulty].drift
    return OdometryNoise(
        seed=seed,
        rate_hz=100.0,
        position_std_m=0.001 * drift,
        rotation_std_deg=0.1 * drift,
        drift_m_per_sqrt_s=0.008 * drift,
        drift_deg_per_sqrt_s=0.3 * drift,
        scale=1.0 if scale_is_known else scale,
    )
