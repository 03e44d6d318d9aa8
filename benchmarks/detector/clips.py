"""Renders clips and stills of many kinds and lets the real detector look at them.

Clip ``i`` of a seed depends on nothing else, so clips can be made in any order, in several
runs, and are read from their folder where they exist.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from benchmarks.detector.records import ClipRecord, Detections
from hand4d_ros.detection.mediapipe_detector import MediaPipeConfig, MediaPipeDetector
from hand4d_ros.geometry import se3
from hand4d_ros.synthetic.cameras import CameraConfig
from hand4d_ros.synthetic.film import Film
from hand4d_ros.synthetic.hand_clip import HandClip, make_clip, obstacles_from_scene
from hand4d_ros.synthetic.render import Renderer
from hand4d_ros.synthetic.scene import SceneConfig, build_scene
from hand4d_ros.types import HandDetection, Side

CLIP_S = 2.0
_SCENE_S = 9.0
_FPS = 30.0
_SIZES_PX = ((640, 480), (480, 360), (320, 240))


@dataclass(frozen=True)
class ClipMaker:
    """Renders and detects; keeps what it made."""

    renderer: Renderer
    detector: MediaPipeDetector
    folder: Path | None = None
    """Where records are kept; None keeps none."""

    @classmethod
    def start(cls, folder: Path | None) -> ClipMaker:
        """Load renderer and detector, as the pipeline uses it.

        Args:
            folder: Where records are kept; None keeps none.
        """
        if folder is not None:
            folder.mkdir(parents=True, exist_ok=True)
        return cls(Renderer(), MediaPipeDetector(MediaPipeConfig()), folder)

    def clip(self, seed: int, index: int) -> ClipRecord:
        """Make or read one clip."""
        name = f"clip-{seed}-{index:04d}"
        path = None if self.folder is None else self.folder / f"{name}.npz"
        if path is not None and path.exists():
            return ClipRecord.load(path)
        record = self._made(seed, index, name)
        if path is not None:
            record.save(path)
        return record

    def _made(self, seed: int, index: int, name: str) -> ClipRecord:
        rng = np.random.default_rng([seed, index])
        config = sampled_config(rng)
        film = Film(build_scene(config), self.renderer)
        count = round(CLIP_S * config.fps)
        start = int(rng.integers(0, config.frames - count + 1))
        self.detector.reset()
        found: list[list[HandDetection]] = []
        keypoints_m, drawn, poses = [], [], []
        for shot in film.shots(start, start + count):
            hands = [shot.truth.hands[side] for side in Side]
            keypoints_m.append([hand.camera.keypoints_m for hand in hands])
            drawn.append([shot.visible[side] for side in Side])
            poses.append(shot.truth.T_world_camera)
            found.append(self.detector.detect(shot.frame))
        frames = np.arange(start, start + count)
        return ClipRecord(
            name,
            config.difficulty,
            film.scene.camera,
            np.array([config.stamp_ns(int(frame)) for frame in frames]),
            np.array(keypoints_m),
            np.array(drawn),
            obstacles_from_scene(film.scene, frames / config.fps, se3.inverse(np.stack(poses))),
            Detections.from_lists(found),
        )


def clip_of(record: ClipRecord) -> HandClip:
    """Return what the noise model is told about a clip: no picture, and rays for what is hidden."""
    return make_clip(
        record.camera, tuple(Side), record.stamps_ns, record.keypoints_m, record.obstacles
    )


def sampled_config(rng: np.random.Generator) -> SceneConfig:
    """Draw what a clip is like: camera, picture size, light, things and people."""
    lens = str(rng.choice(["plumb_bob", "pinhole", "fisheye"], p=[0.5, 0.2, 0.3]))
    wide = (100.0, 150.0) if lens == "fisheye" else (60.0, 95.0)
    width_px, height_px = _SIZES_PX[int(rng.choice(3, p=[0.1, 0.45, 0.45]))]
    camera = CameraConfig(
        mount=str(rng.choice(["head", "chest", "static"], p=[0.6, 0.2, 0.2])),  # type: ignore[arg-type]
        lens=lens,  # type: ignore[arg-type]
        width_px=width_px,
        height_px=height_px,
        horizontal_fov_deg=float(rng.uniform(*wide)),
        follow=float(rng.uniform(0.3, 0.9)),
    )
    difficulty = str(rng.choice(["easy", "normal", "hard"], p=[0.3, 0.5, 0.2]))
    return SceneConfig(
        seed=int(rng.integers(2**31)),
        seconds=_SCENE_S,
        fps=_FPS,
        things=int(rng.integers(1, 7)),
        difficulty=difficulty,  # type: ignore[arg-type]
        camera=camera,
    )
