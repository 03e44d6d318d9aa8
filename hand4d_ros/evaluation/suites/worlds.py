"""The made-up worlds of the suites: what easy, normal and hard mean, and the detector."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from hand4d_ros.evaluation.scene_clips import Detect
from hand4d_ros.evaluation.suites.base import Difficulty
from hand4d_ros.synthetic.cameras import CameraConfig
from hand4d_ros.synthetic.detector_noise import DetectorNoiseConfig, simulated
from hand4d_ros.synthetic.hand_clip import HandClip
from hand4d_ros.synthetic.odometry_noise import OdometryNoise
from hand4d_ros.synthetic.scene import Scene, SceneConfig, build_scene
from hand4d_ros.types import HandDetection


@dataclass(frozen=True)
class Level:
    """What a difficulty sets."""

    detector_errors: float
    """Factor on the errors of the simulated detector; 1 is the real one's."""
    sway: float
    """Factor on the motion of the head."""
    shape_spread: float
    """Factor on the spread of hand shapes in the population."""
    drift: float
    """Factor on noise and drift of the odometry."""


LEVELS: Mapping[Difficulty, Level] = {
    "easy": Level(detector_errors=0.5, sway=0.5, shape_spread=0.5, drift=0.5),
    "normal": Level(detector_errors=1.0, sway=1.0, shape_spread=1.0, drift=1.0),
    "hard": Level(detector_errors=1.5, sway=2.0, shape_spread=1.5, drift=3.0),
}
"""Every difficulty by name."""


def good_odometry(seed: int, difficulty: Difficulty) -> OdometryNoise:
    """Visual-inertial odometry of good glasses: half a millimetre of noise, little drift.

    Args:
        seed: Of its faults.
        difficulty: Scales them.
    """
    drift = LEVELS[difficulty].drift
    return OdometryNoise(
        seed=seed,
        position_std_m=0.0005 * drift,
        rotation_std_deg=0.03 * drift,
        drift_m_per_sqrt_s=0.001 * drift,
        drift_deg_per_sqrt_s=0.03 * drift,
    )


def scene_of(
    seed: int,
    difficulty: Difficulty,
    seconds: float,
    odometry: OdometryNoise | None = None,
    *,
    sway: float = 1.0,
) -> Scene:
    """Make up two hands at a table, seen from a moving head.

    Args:
        seed: Of everything.
        difficulty: See ``LEVELS``.
        seconds: Length.
        odometry: Its faults; None takes ``good_odometry``.
        sway: Factor on the motion of the head, on top of the difficulty's.
    """
    level = LEVELS[difficulty]
    config = SceneConfig(
        seed=seed,
        seconds=seconds,
        difficulty=difficulty,
        shape_spread=level.shape_spread,
        camera=CameraConfig(sway=sway * level.sway),
        odometry=odometry or good_odometry(seed, difficulty),
    )
    return build_scene(config)


def noisy_detector(seed: int, difficulty: Difficulty) -> Detect:
    """The simulated detector (``synthetic.detector_noise``) as a function of the truth.

    Args:
        seed: Of its errors.
        difficulty: Scales them.
    """
    config = DetectorNoiseConfig(seed=seed, errors=LEVELS[difficulty].detector_errors)

    def detect(clip: HandClip) -> tuple[tuple[HandDetection, ...], ...]:
        return simulated(clip, config).detections

    return detect
