"""What is compared between the real detector and its noise model, computed alike for both."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence

import numpy as np

from benchmarks.detector.matching import Matched
from hand4d_ros.geometry import so3
from hand4d_ros.shapes import Array, Bool, Float
from hand4d_ros.synthetic.detector_view import FEATURES

QUANTILES = (0.10, 0.25, 0.50, 0.75, 0.90, 0.95)
LAGS = (1, 3, 10, 30)
JOINT_GROUPS: dict[str, tuple[int, ...]] = {
    "wrist": (0,),
    "thumb": (1, 2, 3, 4),
    "knuckles": (5, 9, 13, 17),
    "middle joints": (6, 10, 14, 18),
    "outer joints": (7, 11, 15, 19),
    "fingertips": (8, 12, 16, 20),
}
DIFFICULTIES = ("easy", "normal", "hard")
_BINS: dict[str, tuple[str, tuple[float, ...], str]] = {
    "size": ("size", (0.0, 50.0, 80.0, 120.0, 1e9), "px"),
    "hidden": ("hidden", (0.0, 0.25, 0.5, 0.75, 1.01), "share"),
    "speed": ("speed", (0.0, 0.5, 1.5, 4.0, 1e9), "sizes/s"),
}
_LARGEST = 0.3
"""Errors are clipped to this many sizes before they are correlated over time."""
_LEAST = 2000
"""Bins with fewer errors of keypoints are left out."""
_AGES = ((1, 1), (2, 2), (3, 4), (5, 9), (10, 19), (20, 1000))

Statistics = dict[str, dict[str, list[float]]]
"""Numbers of one kind under a name, by the subset of the data that they are of."""


def statistics(clips: Sequence[Matched]) -> Statistics:
    """Compute everything that is compared.

    Args:
        clips: The same clips with the real detector's or the model's output.
    """
    return {
        "error quantiles": {name: _quantiles(e) for name, e in _errors(clips)},
        "score quantiles": {"all": _quantiles(np.concatenate([m.score[m.found] for m in clips]))},
        "change between frames": {"all": _quantiles(_changes(clips))},
        "autocorrelation": {f"after {lag} frames": [persistence(clips, lag)] for lag in LAGS},
        "found": dict(_found(clips)),
        "finding by frames lost": dict(_finding(clips)),
        "gap length quantiles": {"all": _quantiles(gap_lengths(clips))},
        "sides and false hands": _sides(clips),
        "3D": _spatial(clips),
    }


def _quantiles(values: Array) -> list[float]:
    return [float(q) for q in np.quantile(values, QUANTILES)] if values.size else []


def _errors(clips: Sequence[Matched]) -> Iterator[tuple[str, Array]]:
    """Errors of keypoints in sizes of the hand, by subset."""
    error = np.concatenate([m.error[m.found] for m in clips])
    yield "all", error
    for name in DIFFICULTIES:
        of_kind = [m.error[m.found] for m in clips if m.difficulty == name]
        if sum(e.size for e in of_kind) >= _LEAST:
            yield f"{name} clips", np.concatenate(of_kind)
    for name, keypoints in JOINT_GROUPS.items():
        yield name, error[:, keypoints]
    for name, (feature, edges, unit) in _BINS.items():
        values = np.concatenate([_plain(m, feature)[m.found] for m in clips])
        for low, high in itertools.pairwise(edges):
            inside = error[(values >= low) & (values < high)]
            if inside.size >= _LEAST:
                upper = "" if high > 1e6 else f"{min(high, 1.0) if unit == 'share' else high:g}"
                yield f"{name} {low:g}-{upper} {unit}", inside
    hidden = np.concatenate([m.views.hidden[m.found] for m in clips])
    outside = np.concatenate([m.views.outside[m.found] for m in clips])
    yield "keypoints in sight", error[~hidden & ~outside]
    yield "keypoints hidden", error[hidden]
    if outside.sum() >= _LEAST:
        yield "keypoints outside", error[outside]


def _changes(clips: Sequence[Matched]) -> Float[Array, "n"]:
    """Median over the keypoints of how much errors change from frame to frame, in sizes."""
    changes = []
    for m in clips:
        offset = m.views.from_px(m.report.keypoints_px - m.views.landmarks_px)
        both = m.found[1:] & m.found[:-1]
        changes.append(np.median(np.linalg.norm(np.diff(offset, axis=0), axis=-1)[both], axis=-1))
    return np.concatenate(changes)


def _plain(m: Matched, feature: str) -> Float[Array, "f h"]:
    """Return a feature in its own unit."""
    values = m.views.features[..., FEATURES.index(feature)]
    if feature == "size":
        return m.views.size_px
    return np.expm1(values) if feature == "speed" else values


def persistence(clips: Sequence[Matched], lag: int) -> float:
    """Correlation of the errors along each axis with those some frames later, mean of all axes.

    Args:
        clips: What was said.
        lag: How many frames later.
    """
    now, later = [], []
    for m in clips:
        offset = m.views.from_px(m.report.keypoints_px - m.views.landmarks_px)
        offset = np.clip(offset, -_LARGEST, _LARGEST).reshape(*m.found.shape, 42)
        both = m.found[lag:] & m.found[:-lag]
        now.append(offset[:-lag][both])
        later.append(offset[lag:][both])
    a, b = np.concatenate(now), np.concatenate(later)
    a, b = a - a.mean(0), b - b.mean(0)
    return float(((a * b).mean(0) / np.sqrt((a * a).mean(0) * (b * b).mean(0))).mean())


def _found(clips: Sequence[Matched]) -> Iterator[tuple[str, list[float]]]:
    """Share of the hands that are reported, by the share of their keypoints in sight."""
    found = np.concatenate([m.found.ravel() for m in clips])
    seen = np.concatenate([m.clip.visibility.seen.mean(-1).ravel() for m in clips])
    yield "all hands", [float(found.mean())]
    yield "nothing in sight", [float(found[seen == 0.0].mean())] if (seen == 0).any() else []
    for low in (0.0, 0.25, 0.5, 0.75):
        inside = (seen > low) & (seen <= low + 0.25)
        if inside.sum() >= 100:
            yield f"{low:g}-{low + 0.25:g} in sight", [float(found[inside].mean())]


def lost_rate(clips: Sequence[Matched]) -> float:
    """Share of the hands that are lost in the frame after one in which they were held."""
    return float(np.mean(np.concatenate([~m.found[1:][m.found[:-1]] for m in clips])))


def found_rate(clips: Sequence[Matched]) -> float:
    """Share of the lost hands with a keypoint in sight that are found in a frame."""
    ages, now = _lost_ages(clips)
    return float(now[ages > 0].mean())


def _finding(clips: Sequence[Matched]) -> Iterator[tuple[str, list[float]]]:
    """Probability of finding a hand, by the frames since it was lost, and of losing one."""
    ages, now = _lost_ages(clips)
    for low, high in _AGES:
        inside = (ages >= low) & (ages <= high)
        if inside.sum() >= 50:
            name = f"{low}-{min(high, 99)}" if high > low else f"{low}"
            yield f"find after {name}", [float(now[inside].mean())]
    yield "lose", [lost_rate(clips)]


def _lost_ages(clips: Sequence[Matched]) -> tuple[Array, Bool[Array, "n"]]:
    """Frames since each lost hand in sight was lost (or the clip began), and if it is found."""
    ages, now = [], []
    for m in clips:
        age = np.ones(m.found.shape[1])
        before = np.zeros(m.found.shape[1], dtype=bool)
        in_sight = np.asarray(m.clip.visibility.seen.any(-1))
        for there, seen in zip(m.found, in_sight, strict=True):
            lost = ~before & seen
            ages.append(age[lost])
            now.append(there[lost])
            age = np.where(there, 1.0, age + 1.0)
            before = there
    return np.concatenate(ages), np.concatenate(now)


def gap_lengths(clips: Sequence[Matched]) -> Float[Array, "n"]:
    """Lengths of all runs of frames without a hand, those at the ends of clips too."""
    lengths: list[int] = []
    for m in clips:
        for there in m.found.T:
            edges = np.flatnonzero(np.diff(there.astype(int))) + 1
            lengths += [len(run) for run in np.split(there, edges) if not run[0]]
    return np.array(lengths, dtype=float)


def wrong_share(clips: Sequence[Matched]) -> float:
    """Share of the reported hands whose side is wrong."""
    return float(np.concatenate([m.wrong_side[m.found] for m in clips]).mean())


def side_changes(clips: Sequence[Matched]) -> float:
    """How often in a second the side that is reported of a hand changes."""
    changes = 0
    for m in clips:
        held = m.found[1:] & m.found[:-1]
        changes += int((held & (m.wrong_side[1:] != m.wrong_side[:-1])).sum())
    return changes / sum(float(m.clip.t_s[-1]) for m in clips)


def _sides(clips: Sequence[Matched]) -> dict[str, list[float]]:
    frames = sum(len(m.found) for m in clips)
    both, swaps = 0, 0
    for m in clips:
        two = m.found.all(1)
        both += int(two.sum())
        swaps += int(m.wrong_side[two].all(1).sum())
    seconds = sum(float(m.clip.t_s[-1]) for m in clips)
    false = sum(int(m.false_hands.sum()) for m in clips)
    return {
        "wrong side": [wrong_share(clips)],
        "swapped, of pairs": [swaps / max(both, 1)],
        "changes of side per s": [side_changes(clips)],
        "false hands per 1000 frames": [1000.0 * false / frames],
        "gaps per s": [len(gap_lengths(clips)) / seconds],
    }


def _spatial(clips: Sequence[Matched]) -> dict[str, list[float]]:
    """Errors of the 3D keypoints: size, rotation, and what is left after both (Procrustes)."""
    seen = np.concatenate([m.report.keypoints_3d_m[m.found] for m in clips])
    true = np.concatenate([m.views.landmarks_m[m.found] for m in clips])
    a = seen - seen.mean(1, keepdims=True)
    b = true - true.mean(1, keepdims=True)
    cross = np.einsum("nki,nkj->nij", a, b)
    R = so3.nearest_rotation(cross)
    size = np.einsum("nij,nij->n", R, cross) / (b * b).sum((1, 2))
    left = np.linalg.norm(a - size[:, None, None] * b @ R.swapaxes(-1, -2), axis=-1)
    extent = np.linalg.norm(b, axis=-1).mean(1)
    angle = np.rad2deg(np.linalg.norm(so3.log(R), axis=-1))
    return {
        "size, of the true one": _quantiles(size),
        "rotation (deg)": _quantiles(angle),
        "shape, of the extent": _quantiles(left / extent[:, None]),
    }
