"""Small scenes, clips and a detector without randomness for the tests of the benchmark."""

from __future__ import annotations

import functools
from dataclasses import replace

import numpy as np

from hand4d_ros.detection.truth import TrueHand, TruthConfig, TruthDetector
from hand4d_ros.evaluation.clips import Clip, ClipTruth
from hand4d_ros.evaluation.motions import Motion
from hand4d_ros.evaluation.scene_clips import Detect, clip_and_truth
from hand4d_ros.geometry import se3, so3
from hand4d_ros.hand.builtin import builtin_hand
from hand4d_ros.synthetic.hand_clip import HandClip
from hand4d_ros.synthetic.odometry_noise import OdometryNoise
from hand4d_ros.synthetic.scene import Scene, SceneConfig, build_scene
from hand4d_ros.types import Frame, HandDetection, Side

STEP_NS = 33_333_333


@functools.cache
def simple_scene(config: SceneConfig) -> Scene:
    """Return a scene in which both hands gesture: grasps take long to plan."""
    return build_scene(replace(config, things=0, activities=("right:gesture", "left:wave")))


@functools.cache
def short_scene(seconds: float = 0.4, seed: int = 2, noise_seed: int = 0) -> Scene:
    """Return a scene of a few frames, with perfect odometry unless a seed of noise is given."""
    noise = OdometryNoise(seed=noise_seed, position_std_m=0.01 if noise_seed else 0.0)
    return simple_scene(SceneConfig(seed=seed, seconds=seconds, odometry=noise))


def truth_detector(seed: int = 0, noise_px: float = 0.0) -> Detect:
    """Return a detector that marks the joints themselves, with a little noise if asked."""

    def detect(clip: HandClip) -> tuple[tuple[HandDetection, ...], ...]:
        detector = TruthDetector(TruthConfig(noise_px=noise_px, seed=seed))
        shape = (clip.camera.height_px, clip.camera.width_px, 3)
        image = np.broadcast_to(np.zeros((), dtype=np.uint8), shape)
        found = []
        for row, stamp in enumerate(clip.stamps_ns):
            hands = [TrueHand(s, clip.keypoints_m[row, h]) for h, s in enumerate(clip.sides)]
            detector.put(int(stamp), hands, np.eye(4))
            frame = Frame(int(stamp), image, clip.camera, np.eye(4))
            found.append(tuple(detector.detect(frame)))
        return tuple(found)

    return detect


@functools.cache
def exact_clip(seconds: float = 0.4, seed: int = 2) -> tuple[Clip, ClipTruth]:
    """Return a clip that the detector marks exactly, and its truth."""
    return clip_and_truth(short_scene(seconds, seed), "exact", truth_detector())


def moving_hand(
    side: Side = Side.RIGHT,
    frames: int = 40,
    velocity_m_s: tuple[float, float, float] = (0.3, -0.1, 0.05),
    turn_rad_s: tuple[float, float, float] = (0.0, 0.4, 0.0),
) -> Motion:
    """Return a hand that moves and turns steadily, its fingers bent and still."""
    t_s = np.arange(frames) * STEP_NS * 1e-9
    model = builtin_hand(side)
    hand = model.with_shape(np.linspace(-0.5, 0.5, 10))
    R = so3.exp(t_s[:, None] * np.array(turn_rad_s))
    y = 0.15 if side is Side.LEFT else -0.15
    path = np.array([0.1, y, 0.5]) + t_s[:, None] * np.array(velocity_m_s)
    T = se3.from_rotation_translation(R, path)
    sign = np.array([1.0, -1.0, -1.0]) if side is Side.LEFT else np.ones(3)
    rotvec = np.tile(np.array([0.05, 0.02, 0.3]) * sign, (frames, 15, 1))
    return Motion(side, f"{side.label}-1", hand, T, rotvec, hand.keypoints(T, rotvec))


def stamps(frames: int) -> np.ndarray:
    """Return stamps at 30 per second."""
    return 1_700_000_000_000_000_000 + np.arange(frames) * STEP_NS
