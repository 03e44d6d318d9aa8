"""Frames per second of made-up motion, detections and pictures, by processor time.

    python -m benchmarks.worlds [--seconds 20] [--shots 12] [--threads 2] [--json FILE]

Processor time is what all threads together used, so it does not depend on what else runs on the
machine; frames per second of a machine with n free cores are up to n times those of one core.
Planning is what a scene costs before its first frame; motion gives both hands' poses and
keypoints; detections are those of the noise model, rays included.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import tyro

from hand4d_ros.synthetic.cameras import CameraConfig
from hand4d_ros.synthetic.detector_noise import DetectorNoiseConfig, simulated
from hand4d_ros.synthetic.film import Film
from hand4d_ros.synthetic.hand_clip import clip_from_scene
from hand4d_ros.synthetic.render import Renderer
from hand4d_ros.synthetic.scene import Scene, SceneConfig, build_scene

SIZES_PX = ((640, 480), (320, 240), (192, 192))
"""Pictures that are drawn."""


@dataclass(frozen=True)
class Cost:
    """What one kind of work took."""

    what: str
    frames: int
    processor_s: float
    wall_s: float

    @property
    def frames_per_s(self) -> float:
        """Frames that one core does in a second."""
        return self.frames / max(self.processor_s, 1e-9)


def measured(what: str, frames: int, work: Callable[[], object]) -> Cost:
    """Do work once and say what it took.

    Args:
        what: Its name.
        frames: How many frames it makes.
        work: To be done.
    """
    processor_s, wall_s = time.process_time(), time.perf_counter()
    work()
    return Cost(what, frames, time.process_time() - processor_s, time.perf_counter() - wall_s)


def world_costs(seconds: float, seed: int) -> list[Cost]:
    """Measure everything that draws nothing.

    Args:
        seconds: Length of the scene.
        seed: Of the scene.
    """
    scenes: list[Scene] = []
    config = SceneConfig(seed=seed, seconds=seconds)
    frames = config.frames
    costs = [measured("planning", frames, lambda: scenes.append(build_scene(config)))]
    t_s = np.arange(frames) / config.fps
    hands = list(scenes[0].hands.values())
    costs.append(measured("motion", frames, lambda: [hand.keypoints_m(t_s) for hand in hands]))
    noise = DetectorNoiseConfig(seed=seed)
    costs.append(
        measured("detections", frames, lambda: simulated(clip_from_scene(scenes[0]), noise))
    )
    return costs


def picture_cost(width_px: int, height_px: int, shots: int, seed: int) -> Cost:
    """Measure pictures of one size, after one that warms up.

    Args:
        width_px: Width.
        height_px: Height.
        shots: How many.
        seed: Of the scene.
    """
    camera = CameraConfig(width_px=width_px, height_px=height_px)
    film = Film(build_scene(SceneConfig(seed=seed, seconds=10.0, camera=camera)), Renderer())
    film.shot(0)
    rows = np.linspace(1, 299, shots).astype(int)
    return measured(
        f"pictures {width_px} x {height_px}", shots, lambda: [film.shot(int(row)) for row in rows]
    )


@dataclass(frozen=True)
class Args:
    """Measure and print a table."""

    seconds: float = 20.0
    """Length of the scene for motion and detections."""
    shots: int = 12
    """Pictures of each size."""
    seed: int = 3
    """Of the scene."""
    threads: int = 1
    """Of the renderer; more spend most of their time on waiting for each other."""
    json: str = ""
    """File to write to; empty writes none."""


def main(args: Args) -> int:
    """Measure.

    Args:
        args: What to do.

    Returns:
        Exit status, always 0.
    """
    import torch

    torch.set_num_threads(args.threads)
    # A short scene first, so that loading files and compiling is not counted.
    world_costs(1.0, args.seed)
    costs = world_costs(args.seconds, args.seed)
    costs += [picture_cost(*size, args.shots, args.seed) for size in SIZES_PX]
    print("| what | frames | processor s | frames / s of one core | frames / s as it ran |")
    print("| --- | --- | --- | --- | --- |")
    for cost in costs:
        ran = cost.frames / cost.wall_s
        print(
            f"| {cost.what} | {cost.frames} | {cost.processor_s:.2f} | "
            f"{cost.frames_per_s:.3g} | {ran:.3g} |"
        )
    if args.json:
        rows = [vars(cost) | {"frames_per_s": cost.frames_per_s} for cost in costs]
        Path(args.json).write_text(json.dumps(rows, indent=1) + "\n", encoding="utf-8")
    return 0


if __name__ == "__main__":
    raise SystemExit(main(tyro.cli(Args)))
