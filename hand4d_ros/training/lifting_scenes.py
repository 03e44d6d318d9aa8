"""Scenes of our worlds as the lifting model sees them: filmed several times, never drawn.

Both hands of a scene are filmed along camera paths of their own: on the head, on the chest or in
the room, with another lens, another place and more sway than a person's. Each film has its own
errors of the detector (``synthetic.detector_noise``) and of the odometry.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

import numpy as np

from hand4d_ros.estimation.lifting.conditions import SIDES, seen_keypoints
from hand4d_ros.geometry import se3
from hand4d_ros.settings import check
from hand4d_ros.shapes import Array, Float

if TYPE_CHECKING:
    from hand4d_ros.synthetic.odometry_noise import OdometryRecord
    from hand4d_ros.synthetic.scene import Scene

FPS = 30.0
_WORST_GAP_S = 0.1
"""Between two poses of the odometry; within a longer one the camera's pose is unknown."""


@dataclass(frozen=True)
class FilmConfig:
    """What is filmed and how."""

    scenes: int = field(default=16, metadata={"min": 1})
    """In a file."""
    views: int = field(default=4, metadata={"min": 1, "max": 64})
    """Films of a scene."""
    seconds: float = field(default=10.0, metadata={"min": 1.0, "max": 600.0})
    """Length of a scene."""
    things: int = field(default=4, metadata={"min": 0, "max": 6})
    """Things on the table of a scene, to be grasped."""
    sway: float = field(default=2.0, metadata={"min": 0.0, "max": 10.0})
    """Largest factor on the sway of head and chest."""
    displacement_m: float = field(default=0.08, metadata={"min": 0.0, "max": 1.0})
    """Spread of the camera's place about that of a person's."""
    errors: float = field(default=1.5, metadata={"min": 0.0, "max": 10.0})
    """Largest factor on the errors of the simulated detector; 1 is the real one's."""
    drift: float = field(default=2.0, metadata={"min": 0.0, "max": 100.0})
    """Largest factor on noise and drift of a good visual-inertial odometry."""
    seed: int = field(default=0, metadata={"min": 0})
    """Of everything."""

    def __post_init__(self) -> None:
        """Reject values out of range."""
        check(self)

    @property
    def frames(self) -> int:
        """Of a film."""
        return max(1, round(self.seconds * FPS))


class SceneFilms:
    """Batches of films: all views of one scene after the other."""

    def __init__(self, config: FilmConfig, first: int) -> None:
        """Keep what scenes to make.

        Args:
            config: What is filmed.
            first: Number of the first batch.
        """
        self._config = config
        self._first = first
        self.description: Mapping[str, object] = {
            "made": "both hands of synthetic scenes, as a detector marks them on augmented films",
            "first_batch": first,
            "fps": FPS,
            "views": config.views,
            "seconds": config.seconds,
            "things": config.things,
            "sway": config.sway,
            "displacement_m": config.displacement_m,
            "errors": config.errors,
            "drift": config.drift,
            "seed": config.seed,
        }

    def batch(self, number: int, size: int) -> dict[str, Array]:
        """Return so many films; hands in the order right, left."""
        # Planning scenes takes scipy; training on finished shards does without.
        from hand4d_ros.synthetic.scene import SceneConfig, build_scene

        films: list[dict[str, Array]] = []
        while len(films) < size:
            words = [self._config.seed, self._first + number, len(films)]
            rng = np.random.default_rng(words)
            scene = build_scene(
                SceneConfig(
                    seed=int(rng.integers(2**31)),
                    seconds=self._config.seconds,
                    fps=FPS,
                    things=self._config.things,
                )
            )
            films += [self._film(scene, rng) for _ in range(self._config.views)]
        return {name: np.stack([film[name] for film in films[:size]]) for name in films[0]}

    def _film(self, scene: Scene, rng: np.random.Generator) -> dict[str, Array]:
        from hand4d_ros.synthetic.detector_noise import DetectorNoiseConfig, simulated
        from hand4d_ros.synthetic.hand_clip import clip_from_scene

        config = self._config
        scene = augmented(scene, config, rng)
        noise = DetectorNoiseConfig(
            seed=int(rng.integers(2**31)),
            errors=float(rng.uniform(0.2, 1.0)) * config.errors,
            gaps_per_s=float(rng.choice([0.0, 0.0, 0.3])),
        )
        seen = seen_keypoints(scene.camera, simulated(clip_from_scene(scene), noise).detections)
        t_s = np.arange(config.frames) / FPS
        hands = [scene.hands[side].at(t_s) for side in SIDES]
        floats = {
            "uv": seen.uv,
            "bearings": seen.bearings,
            "T_odom_camera": poses_at(scene.odometry(), t_s),
            "T_world_camera": scene.camera_motion.at(t_s),
            "T_world_wrist": np.stack([hand.T_world_wrist for hand in hands], 1),
            "joint_rotvec": np.stack([hand.joint_rotvec for hand in hands], 1),
        }
        single = {name: value.astype(np.float32) for name, value in floats.items()}
        return {**single, "valid": seen.valid}


def augmented(scene: Scene, config: FilmConfig, rng: np.random.Generator) -> Scene:
    """Return a scene with another camera on another path.

    Args:
        scene: What happens.
        config: How far the camera may stray.
        rng: Source of randomness.
    """
    from hand4d_ros.synthetic.cameras import CameraConfig, camera_model, mounted_camera
    from hand4d_ros.synthetic.odometry_noise import OdometryNoise
    from hand4d_ros.synthetic.scene import TABLE_M
    from hand4d_ros.synthetic.trajectory import sampled_wander

    camera = CameraConfig(
        mount=rng.choice(["head", "chest", "static"], p=[0.75, 0.1, 0.15]),
        lens=rng.choice(["pinhole", "plumb_bob", "fisheye"], p=[0.2, 0.6, 0.2]),
        horizontal_fov_deg=float(rng.uniform(60.0, 110.0)),
        follow=float(rng.uniform(0.3, 0.9)),
        lag_s=float(rng.uniform(0.1, 0.5)),
        sway=float(rng.uniform(0.0, config.sway)),
    )
    drift = float(rng.uniform(0.0, config.drift))
    odometry = OdometryNoise(
        seed=int(rng.integers(2**31)),
        position_std_m=0.0005 * drift,
        rotation_std_deg=0.03 * drift,
        drift_m_per_sqrt_s=0.001 * drift,
        drift_deg_per_sqrt_s=0.03 * drift,
    )

    def between_m(t: Float[Array, " n"]) -> Float[Array, "n 3"]:
        hands = [hand.keypoints_m(t)[:, 9] for hand in scene.hands.values()]
        return np.asarray(np.mean(hands, axis=0))

    path = mounted_camera(camera, scene.body, TABLE_M, between_m, scene.config.seconds, rng)
    offset = config.displacement_m * rng.normal(size=3)
    wander = sampled_wander(rng, 3, float(rng.uniform(0.0, 0.5)) * config.displacement_m)
    eye_m = path.eye_m
    moved = replace(path, eye_m=lambda t: eye_m(t) + offset + wander(t))
    settings = replace(scene.config, camera=camera, odometry=odometry)
    return replace(scene, config=settings, camera=camera_model(camera), camera_motion=moved)


def poses_at(record: OdometryRecord, t_s: Float[Array, "f"]) -> Float[Array, "f 4 4"]:
    """Return the odometry's poses at times, NaN where it was silent.

    Args:
        record: At least two poses.
        t_s: Times.
    """
    after = np.clip(np.searchsorted(record.t_s, t_s), 1, len(record.t_s) - 1)
    start_s, end_s = record.t_s[after - 1], record.t_s[after]
    share = np.clip((t_s - start_s) / (end_s - start_s), 0.0, 1.0)
    poses = se3.interpolate(record.T_odom_base[after - 1], record.T_odom_base[after], share)
    poses[end_s - start_s > _WORST_GAP_S] = np.nan
    return poses
