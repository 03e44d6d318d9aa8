"""Wrists from one camera of head-worn glasses against the glasses' own hand tracker, in the world.

    python -m benchmarks.aria [--camera camera-rgb] [--refine fixed_lag] [--json FILE]

Two rows: the default hand size, and that of the person, whose middle knuckle is 86.5 mm from the
wrist. The truth is itself a tracker, good to one or two centimetres. Needs the real recordings,
see docs/datasets.md.
"""

from __future__ import annotations

import json
import tempfile
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Literal

import numpy as np
import tyro

from hand4d_ros.datasets.base import SequenceRecord
from hand4d_ros.datasets.real import RealRecordings, real_folder
from hand4d_ros.estimation.keypoint_fit.config import KeypointFitConfig
from hand4d_ros.hand.sizing import MEASUREMENT_STD_M, save_calibration
from hand4d_ros.pipeline import HandPipeline, PipelineConfig
from hand4d_ros.shapes import Array, Float
from hand4d_ros.tracking.config import TrackerConfig
from hand4d_ros.tracking.fixed_lag.config import FixedLagConfig
from hand4d_ros.types import HandTrack, Side, TrackingState

KNUCKLE_M = 0.0865
"""This person's distance from the wrist to the middle knuckle."""
NARROW_CAMERA = "slam-front-right"
BESIDE = Path(__file__).parents[2] / "shared" / "data"
"""Where the recordings are by default: beside the checkout."""


@dataclass(frozen=True)
class Figures:
    """What one run over the recording gave."""

    hands: int
    """Hands observed, over all frames."""
    frames: int
    sides: tuple[str, ...]
    wrist_error_median_m: float
    wrist_error_largest_m: float
    inside_two_sigma: float
    """Share of the wrists with a Mahalanobis distance of at most 2."""
    wrist_jitter_m: float
    """Median length of the wrist's second difference over three frames in a row."""


Refine = Literal["none", "fixed_lag"]


def judge(
    record: SequenceRecord, camera: str, lengths_m: Mapping[str, float], refine: Refine = "none"
) -> Figures:
    """Run the pipeline over one camera of the recording.

    Args:
        record: The recording.
        camera: Name of the camera.
        lengths_m: What is known of the person's hand; nothing takes the population's mean.
        refine: Of the tracker.
    """
    known_std = max((MEASUREMENT_STD_M / each for each in lengths_m.values()), default=0.0)
    lag = FixedLagConfig(size_std=known_std)
    tracker = TrackerConfig(refine=refine, fixed_lag=lag)
    with tempfile.TemporaryDirectory() as folder:
        config = KeypointFitConfig()
        if lengths_m:
            save_calibration(Path(folder) / "person.json", lengths_m)
            config = KeypointFitConfig(calibration=str(Path(folder) / "person.json"))
        pipeline = HandPipeline(PipelineConfig(keypoint_fit=config, tracker=tracker))
    frames, sides, errors, distances = 0, set(), [], []
    wrists: dict[Side, list[Float[Array, "3"]]] = {side: [] for side in Side}
    for _, frame in record.frames(camera):
        frames += 1
        observed = set()
        for track in pipeline.step(frame).tracks:
            if track.tracking_state is TrackingState.OBSERVED:
                sides.add(track.hand.side.label)
                error, distance = _compared(track, _wrist(record, track.hand.side, frame.stamp_ns))
                errors.append(error)
                distances.append(distance)
                observed.add(track.hand.side)
                wrists[track.hand.side].append(track.hand.wrist_m)
        for side in set(Side) - observed:
            wrists[side].append(np.full(3, np.nan))
    pipeline.close()
    bends = np.concatenate([np.diff(np.array(path), 2, axis=0) for path in wrists.values()])
    return Figures(
        hands=len(errors),
        frames=frames,
        sides=tuple(sorted(sides)),
        wrist_error_median_m=float(np.median(errors)),
        wrist_error_largest_m=float(np.max(errors)),
        inside_two_sigma=float(np.mean(np.array(distances) <= 2.0)),
        wrist_jitter_m=float(np.nanmedian(np.linalg.norm(bends, axis=1))),
    )


def _wrist(record: SequenceRecord, side: Side, stamp_ns: int) -> Float[Array, "3"]:
    """Interpolate the glasses' wrist between its samples."""
    path = record.hand(side).required("keypoints_m")[:, 0]
    return np.array([np.interp(stamp_ns, record.stamps_ns, path[:, axis]) for axis in range(3)])


def _compared(track: HandTrack, truth_m: Float[Array, "3"]) -> tuple[float, float]:
    """Return the distance (m) and the Mahalanobis distance of a wrist to the truth."""
    error = track.hand.wrist_m - truth_m
    weighted = np.linalg.solve(track.hand.wrist_covariance[:3, :3], error)
    return float(np.linalg.norm(error)), float(np.sqrt(error @ weighted))


def main(
    camera: str = NARROW_CAMERA, refine: Refine = "none", json_file: Path | None = None
) -> None:
    """Compare wrists with the glasses' own, in the world.

    Args:
        camera: slam-front-right (grey, 30 Hz) or camera-rgb (colour, 10 Hz).
        refine: Smoothing in the tracker: none, or fixed_lag.
        json_file: Where to write the figures.
    """
    record = RealRecordings(real_folder(BESIDE)).sequence("aria_gen2")
    rows = {
        "default size": judge(record, camera, {}, refine),
        "size given": judge(record, camera, {"wrist-middle_mcp": KNUCKLE_M}, refine),
    }
    for name, row in rows.items():
        print(
            f"{name:14s} {row.hands} hands in {row.frames} frames ({', '.join(row.sides)}): wrist "
            f"{100 * row.wrist_error_median_m:.1f} cm median, "
            f"{100 * row.wrist_error_largest_m:.1f} cm at most, "
            f"{100 * row.inside_two_sigma:.0f}% inside 2 sigma, jitter "
            f"{1e3 * row.wrist_jitter_m:.1f} mm"
        )
    if json_file is not None:
        json_file.write_text(json.dumps({k: asdict(v) for k, v in rows.items()}, indent=2) + "\n")


if __name__ == "__main__":
    tyro.cli(main)
