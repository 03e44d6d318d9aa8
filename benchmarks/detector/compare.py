"""Puts the real detector and its noise model side by side: table, share within bounds, JSON."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from benchmarks.detector.clips import clip_of
from benchmarks.detector.matching import Matched, matched
from benchmarks.detector.records import ClipRecord, Detections
from benchmarks.detector.statistics import QUANTILES, Statistics
from hand4d_ros.hand.orders import OPENPOSE_KEYPOINTS
from hand4d_ros.synthetic.detector_noise import DetectorNoiseConfig, simulated
from hand4d_ros.synthetic.detector_parameters import NoiseParameters
from hand4d_ros.synthetic.occlusion import visibility

GOAL = 0.2
"""Quantiles of the errors should differ by no more than this share of the real one."""


def simulated_again(
    clips: Sequence[Matched], parameters: NoiseParameters, seed: int = 0, repeats: int = 1
) -> list[Matched]:
    """Let the model look at the clips that the real detector looked at.

    Args:
        clips: The clips.
        parameters: The model.
        seed: Of the model's faults.
        repeats: How often it looks, each time with other random numbers.
    """
    result = []
    for repeat in range(repeats):
        for index, m in enumerate(clips):
            config = DetectorNoiseConfig(seed=seed + 1000 * repeat + index)
            made = simulated(m.clip, config, parameters)
            again = matched(m.clip, Detections.from_lists(made.detections))
            result.append(replace(again, difficulty=m.difficulty))
    return result


@dataclass(frozen=True)
class Comparison:
    """Both sets of statistics of the same clips."""

    real: Statistics
    model: Statistics

    def ratios(self, kind: str) -> dict[str, list[float]]:
        """Return model over real for each number of one kind; NaN where the real one is zero."""
        result = {}
        for name, real in self.real[kind].items():
            model = self.model[kind].get(name, [])
            result[name] = [m / r if r else float("nan") for r, m in zip(real, model, strict=False)]
        return result

    def within_goal(self, kind: str = "error quantiles") -> tuple[int, int]:
        """Return how many of the ratios of one kind are within the goal, and how many there are."""
        ratios = np.array([r for row in self.ratios(kind).values() for r in row])
        good = (ratios >= 1.0 - GOAL) & (ratios <= 1.0 + GOAL)
        return int(good.sum()), len(ratios)

    def table(self) -> str:
        """Return a table for people: real, model, and their ratio."""
        lines = [
            "real detector | noise model | ratio",
            f"quantiles at {', '.join(f'{100 * q:g}' for q in QUANTILES)} percent",
            "errors in sizes of the hand in the image",
        ]
        for kind, rows in self.real.items():
            lines += ["", kind]
            ratios = self.ratios(kind)
            for name, real in rows.items():
                model = self.model[kind].get(name, [])
                parts = (_numbers(real), _numbers(model), _numbers(ratios[name], digits=2))
                lines.append(f"  {name:27s}" + " |".join(parts))
        good, total = self.within_goal()
        lines += ["", f"{good} of {total} error quantiles are within {100 * GOAL:g}%"]
        return "\n".join(lines)

    def document(self) -> dict[str, object]:
        """Return what the JSON file holds."""
        good, total = self.within_goal()
        return {
            "quantiles_at": list(QUANTILES),
            "real": self.real,
            "model": self.model,
            "error_quantiles_within_20_percent": good,
            "error_quantiles": total,
        }


def _numbers(values: Sequence[float], digits: int = 3) -> str:
    return "".join(f"{value:8.{digits}f}" for value in values)


def visibility_agreement(records: Sequence[ClipRecord]) -> dict[str, object]:
    """Compare the ray test for hidden keypoints with the renderer's depth.

    Args:
        records: Rendered clips.

    Returns:
        Shares of the keypoints inside of the picture on which both agree, in all and by keypoint;
        shares that are in sight by either; correlation of the shares in sight of whole hands.
    """
    rays, drawn, inside = [], [], []
    for record in records:
        test = visibility(record.camera, record.keypoints_m, record.obstacles)
        rays.append(test.seen)
        drawn.append(record.drawn)
        inside.append(test.inside)
    by_ray, by_depth, within = (np.concatenate(v) for v in (rays, drawn, inside))
    same = by_ray == by_depth
    shares = np.corrcoef(by_ray.mean(-1).ravel(), by_depth.mean(-1).ravel())[0, 1]
    return {
        "agree": float(same[within].mean()),
        "in_sight_by_rays": float(by_ray[within].mean()),
        "in_sight_by_depth": float(by_depth[within].mean()),
        "correlation_of_hands": float(shares),
        "agree_by_keypoint": {
            name: float(same[..., k][within[..., k]].mean())
            for k, name in enumerate(OPENPOSE_KEYPOINTS)
        },
    }


def speed(records: Sequence[ClipRecord], parameters: NoiseParameters) -> dict[str, float]:
    """Measure frames per second of one core: hidden keypoints by rays, and the noise model.

    Args:
        records: Clips.
        parameters: The model.
    """
    frames = sum(len(record.stamps_ns) for record in records)
    start = time.process_time()
    clips = [clip_of(record) for record in records]
    middle = time.process_time()
    for clip in clips:
        simulated(clip, DetectorNoiseConfig(), parameters)
    end = time.process_time()
    return {
        "visibility_by_rays": frames / (middle - start),
        "noise_model": frames / (end - middle),
        "both": frames / (end - start),
    }
