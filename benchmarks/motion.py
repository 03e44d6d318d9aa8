"""Motion of the made-up hands beside that of people before a desk sensor.

    python -m benchmarks.motion [--scenes 12] [--seconds 20] [--figure FILE] [--json FILE]

Both are brought to one rate and smoothed alike, so that smoothing takes the same from both; what
the sensor's noise adds is left in. Needs the real recordings, see docs/datasets.md.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import tyro
from scipy.signal import savgol_filter, welch

from hand4d_ros.datasets.real import RealRecordings, real_folder
from hand4d_ros.errors import DatasetError
from hand4d_ros.evaluation.motions import resampled
from hand4d_ros.shapes import Array, Float
from hand4d_ros.synthetic.scene import SceneConfig, build_scene
from hand4d_ros.types import Side

RATE_HZ = 60.0
BESIDE = Path(__file__).parents[2] / "shared" / "data"
"""Where the recordings are by default: beside the checkout."""
FIGURE = Path("docs/images/motion-vs-leap.png")
SLOPE_HZ = (1.0, 6.0)
"""Over these frequencies the slope of a spectrum is fitted: above the least that a stretch can
tell, below what the smoothing takes."""
ANGLES = ("knuckle", "middle joint", "end joint", "thumb middle", "thumb end", "spread")
_LEAST_SAMPLES = 64
_LONGEST_GAP_S = 0.05
_SMOOTH = 9
_FINGERS = np.array([5, 9, 13, 17])


@dataclass(frozen=True)
class Stretch:
    """One hand without a gap, at ``RATE_HZ``."""

    side: Side
    keypoints_m: Float[Array, "t 21 3"]
    """OpenPose order; the wrist may be NaN."""


@dataclass(frozen=True)
class Moves:
    """What is measured, joined over stretches."""

    seconds: float
    speed_m_s: Float[Array, "n"]
    """Of the middle of the four knuckles."""
    acceleration_m_s2: Float[Array, "n"]
    angles_deg: Mapping[str, Float[Array, "_"]]
    """By the names of ``ANGLES``, those of the four fingers joined."""
    bending_deg_s: Float[Array, "m"]
    """Speed of the fingers' middle joints."""
    frequency_hz: Float[Array, "f"]
    velocity_psd: Float[Array, "f"]
    """Power of the knuckles' velocity over the three axes (m^2 / s^2 / Hz)."""
    bending_psd: Float[Array, "f"]
    """Power of the speed of a middle joint (deg^2 / s^2 / Hz)."""


def bends_deg(stretch: Stretch) -> dict[str, Float[Array, "t j"]]:
    """Return angles of the joints that need no wrist, as the sensor gives none.

    A finger's knuckle is measured against the plane through the knuckles of index and little
    finger and the base of the thumb, so its zero depends on the hand; its range does not.

    Args:
        stretch: A hand.
    """
    p = stretch.keypoints_m
    across = _unit(p[:, 5] - p[:, 17])
    ahead = p[:, _FINGERS].mean(1) - p[:, 1]
    ahead = _unit(ahead - (ahead * across).sum(-1, keepdims=True) * across)
    palmar = np.cross(across, ahead) * (1.0 if stretch.side is Side.RIGHT else -1.0)
    bones = [p[:, _FINGERS + i + 1] - p[:, _FINGERS + i] for i in range(3)]
    first = _unit(bones[0])

    def along(axis: Float[Array, "t 3"]) -> Float[Array, "t 4"]:
        return np.asarray((first * axis[:, None]).sum(-1))

    fan = np.arctan2(along(across), np.hypot(along(ahead), along(palmar)))
    return {
        "knuckle": np.rad2deg(np.arctan2(along(palmar), along(ahead))),
        "middle joint": _between_deg(bones[0], bones[1]),
        "end joint": _between_deg(bones[1], bones[2]),
        "thumb middle": _between_deg(p[:, [2]] - p[:, [1]], p[:, [3]] - p[:, [2]]),
        "thumb end": _between_deg(p[:, [3]] - p[:, [2]], p[:, [4]] - p[:, [3]]),
        "spread": np.rad2deg(fan[:, [0]] - fan[:, [3]]),
    }


def moves_of(stretches: Iterable[Stretch]) -> Moves:
    """Measure hands.

    Args:
        stretches: At least one, each of 64 samples or more.
    """
    speeds, accelerations, bending, angles, power = [], [], [], [], []
    samples = 0
    frequency_hz = np.zeros(0)
    for stretch in stretches:
        place = stretch.keypoints_m[:, _FINGERS].mean(1)
        velocity, acceleration = (_smooth(place, order) for order in (1, 2))
        bends = bends_deg(stretch)
        speed_deg_s = _smooth(bends["middle joint"], 1)
        speeds.append(np.linalg.norm(velocity, axis=-1))
        accelerations.append(np.linalg.norm(acceleration, axis=-1))
        bending.append(np.abs(speed_deg_s).ravel())
        angles.append({name: value.ravel() for name, value in bends.items()})
        frequency_hz, moved = _power(np.gradient(place, 1 / RATE_HZ, axis=0))
        bent = _power(np.gradient(bends["middle joint"], 1 / RATE_HZ, axis=0))[1]
        power.append((len(place), moved.sum(-1), bent.mean(-1)))
        samples += len(place)
    share = np.array([count for count, _, _ in power]) / samples
    return Moves(
        samples / RATE_HZ,
        np.concatenate(speeds),
        np.concatenate(accelerations),
        {name: np.concatenate([each[name] for each in angles]) for name in ANGLES},
        np.concatenate(bending),
        frequency_hz,
        share @ np.stack([moved for _, moved, _ in power]),
        share @ np.stack([bent for _, _, bent in power]),
    )


def recorded(recordings: RealRecordings) -> Iterator[Stretch]:
    """Yield the sensor's hands, cut where it lost them.

    Args:
        recordings: Where they are.

    Raises:
        DatasetError: There are none.
    """
    for name in recordings.sequence_names():
        if not name.startswith("leap/"):
            continue
        record = recordings.sequence(name)
        wanted_ns = np.arange(record.stamps_ns[0], record.stamps_ns[-1], round(1e9 / RATE_HZ))
        for hand in record.hands:
            if hand.keypoints_m is None:
                continue
            points_m = resampled(hand.keypoints_m, record.stamps_ns, wanted_ns, _LONGEST_GAP_S)
            there = np.isfinite(points_m[:, 1:]).all(axis=(1, 2))
            edges = np.flatnonzero(np.diff(np.concatenate(([0], there, [0]))))
            for start, end in zip(edges[::2], edges[1::2], strict=True):
                if end - start >= _LEAST_SAMPLES:
                    yield Stretch(hand.side, points_m[start:end])


def made_up(scenes: int, seconds: float, seed: int) -> Iterator[Stretch]:
    """Yield the hands of scenes.

    Args:
        scenes: How many.
        seconds: Length of each.
        seed: Of the first.
    """
    for number in range(scenes):
        scene = build_scene(SceneConfig(seed=seed + number, seconds=seconds))
        for side, hand in scene.hands.items():
            yield Stretch(side, hand.keypoints_m(np.arange(0.0, seconds, 1 / RATE_HZ)))


def slope(frequency_hz: Float[Array, "f"], power: Float[Array, "f"]) -> float:
    """Return the exponent of the power law that a spectrum follows over ``SLOPE_HZ``.

    Args:
        frequency_hz: Of the spectrum.
        power: Its values.
    """
    use = (frequency_hz >= SLOPE_HZ[0]) & (frequency_hz <= SLOPE_HZ[1])
    return float(np.polyfit(np.log(frequency_hz[use]), np.log(power[use]), 1)[0])


def figures_of(moves: Moves) -> dict[str, float]:
    """Return the numbers of the table.

    Args:
        moves: What was measured.
    """
    out = {"seconds": moves.seconds}
    for name, values in (
        ("speed_m_s", moves.speed_m_s),
        ("acceleration_m_s2", moves.acceleration_m_s2),
        ("bending_deg_s", moves.bending_deg_s),
    ):
        for share in (50, 90, 99):
            out[f"{name}_p{share}"] = float(np.percentile(values, share))
    out["still_share"] = float((moves.speed_m_s < 0.05).mean())
    for name, values in moves.angles_deg.items():
        low, high = np.percentile(values, [5, 95])
        key = name.replace(" ", "_")
        out[f"{key}_middle_deg"] = float(np.median(values))
        out[f"{key}_range_deg"] = float(high - low)
    out["velocity_slope"] = slope(moves.frequency_hz, moves.velocity_psd)
    out["bending_slope"] = slope(moves.frequency_hz, moves.bending_psd)
    return out


def _smooth(values: Float[Array, "t *d"], derivative: int) -> Float[Array, "t *d"]:
    """Differentiate by a sliding cubic (Savitzky and Golay, 1964) that passes about 6 Hz."""
    return np.asarray(
        savgol_filter(values, _SMOOTH, 3, deriv=derivative, delta=1 / RATE_HZ, axis=0)
    )


def _power(values: Float[Array, "t d"]) -> tuple[Float[Array, "f"], Float[Array, "f d"]]:
    frequency_hz, power = welch(values, RATE_HZ, nperseg=_LEAST_SAMPLES, axis=0)
    return np.asarray(frequency_hz), np.asarray(power)


def _unit(vectors: Float[Array, "*batch 3"]) -> Float[Array, "*batch 3"]:
    return np.asarray(vectors / np.linalg.norm(vectors, axis=-1, keepdims=True))


def _between_deg(
    first: Float[Array, "*batch 3"], second: Float[Array, "*batch 3"]
) -> Float[Array, "*batch"]:
    sine = np.linalg.norm(np.cross(first, second), axis=-1)
    return np.asarray(np.rad2deg(np.arctan2(sine, (first * second).sum(-1))))


@dataclass(frozen=True)
class Args:
    """Measure both, print the table, draw the figure."""

    scenes: int = 12
    """Made-up scenes."""
    seconds: float = 20.0
    """Length of each."""
    seed: int = 0
    """Of the first scene."""
    figure: Path = FIGURE
    """Picture (PNG) to write."""
    json: str = ""
    """File to write the table to; empty writes none."""


def main(args: Args) -> int:
    """Compare and say so; without the recordings, say that and stop.

    Args:
        args: What to do.

    Returns:
        Exit status: 0, also where there is nothing to compare with.
    """
    from benchmarks.motion_figure import write_figure

    try:
        people = moves_of(recorded(RealRecordings(real_folder(BESIDE))))
    except DatasetError as error:
        print(f"skipped: {error}")
        return 0
    ours = moves_of(made_up(args.scenes, args.seconds, args.seed))
    rows = {"people": figures_of(people), "made up": figures_of(ours)}
    print("| figure | people | made up |\n| --- | --- | --- |")
    for key, value in rows["people"].items():
        print(f"| `{key}` | {value:.3g} | {rows['made up'][key]:.3g} |")
    if args.json:
        Path(args.json).write_text(json.dumps(rows, indent=1) + "\n", encoding="utf-8")
    write_figure({"people": people, "made up": ours}, args.figure)
    print(f"wrote {args.figure}")
    return 0


if __name__ == "__main__":
    raise SystemExit(main(tyro.cli(Args)))
