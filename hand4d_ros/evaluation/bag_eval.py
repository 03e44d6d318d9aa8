"""Scores of one recording of a user: against a truth of any kind, or against itself.

A reading is one run of the pipeline over the recording: offline, live or as it was recorded. All
readings share the stamps of the images, so the price of running live is their difference.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Literal

import numpy as np

from hand4d_ros.errors import MetricError
from hand4d_ros.evaluation import alignment, metrics_track
from hand4d_ros.evaluation.clips import (
    IN_VIEW_KEYPOINTS,
    Clip,
    ClipTruth,
    HandSeriesTruth,
    Sample,
)
from hand4d_ros.evaluation.estimates import ClipEstimate, HandEstimate
from hand4d_ros.evaluation.judging import judge
from hand4d_ros.evaluation.metrics import metrics_registry
from hand4d_ros.evaluation.motions import resampled
from hand4d_ros.evaluation.sequences import finite_frames, runs
from hand4d_ros.geometry import camera as cameras
from hand4d_ros.geometry import se3, so3
from hand4d_ros.settings import check
from hand4d_ros.shapes import Array, Bool, Float, Int
from hand4d_ros.types import Side

BOTH = "both"
"""Name of the figures of both hands together, beside those of ``left`` and ``right``."""
WRIST_KEYS = (
    "wrist_error_median_m",
    "wrist_error_p95_m",
    "wrist_error_rmse_m",
    "wrist_turn_error_median_deg",
)
"""Figures of the wrist alone, which any truth gives; ``docs/benchmark.md`` says what they are."""
_REST_WINDOW_S = 0.3


@dataclass(frozen=True)
class EvalConfig:
    """How a truth is brought to the images, and when a hand counts as resting."""

    align: Literal["none", "rigid"] = "none"
    """rigid: turn and shift the truth so that its wrists lie best on the estimated ones, for a
    truth in another world; none: both are in one world."""
    longest_gap_s: float = field(default=0.1, metadata={"min": 0.001, "max": 10.0})
    """Longest time between two samples of the truth that is bridged by interpolation (s)."""
    rest_speed_m_s: float = field(default=0.05, metadata={"min": 0.001, "max": 1.0})
    """Without a truth a hand rests where its smoothed keypoints are slower than this (m/s)."""
    rest_least_s: float = field(default=0.5, metadata={"min": 0.1, "max": 60.0})
    """Shorter rests are not looked at (s)."""

    def __post_init__(self) -> None:
        """Reject values out of range."""
        check(self)


@dataclass(frozen=True)
class TruthTrack:
    """What is known of one hand at its own ``n`` instants."""

    side: Side
    stamps_ns: Int[Array, "n"]
    """Rising."""
    source: str
    """Where it is from, for people."""
    keypoints_m: Float[Array, "n 21 3"] | None = None
    """In the world, OpenPose order, single ones may be NaN; None where only the wrist is known."""
    T_world_wrist: Float[Array, "n 4 4"] | None = None
    """NaN where unknown; None where no orientation is known."""
    visible: Bool[Array, "n"] | None = None
    """Whether anything of the hand can be seen; None where the truth does not say."""


@dataclass(frozen=True)
class ReadingFigures:
    """Everything that was measured on one reading."""

    name: str
    hands: Mapping[str, Mapping[str, float]]
    """Figures of ``left``, ``right`` and ``both`` by key."""
    skipped: Mapping[str, str]
    """Why a figure of both hands is missing."""


def truth_on_images(
    clip: Clip,
    estimate: ClipEstimate,
    tracks: Sequence[TruthTrack],
    config: EvalConfig | None = None,
) -> ClipTruth:
    """Bring a truth to the stamps of the images, and to their world if asked.

    A hand without a truth gets one that says nothing, so that it is judged by itself.

    Args:
        clip: The recording.
        estimate: For the alignment, and for which hands there are.
        tracks: At most one a side.
        config: How.

    Raises:
        MetricError: The alignment has too few wrists, or a side has two truths.
    """
    settings = config or EvalConfig()
    if len({track.side for track in tracks}) != len(tracks):
        sources = ", ".join(f"{track.side.label}: {track.source}" for track in tracks)
        msg = f"the truth has several tracks of one side ({sources}); give one a side"
        raise MetricError(msg)
    on_images = {track.side: _on_images(clip, track, settings) for track in tracks}
    if settings.align == "rigid" and on_images:
        on_images = _aligned(on_images, estimate)
    hands = {}
    for side, hand in estimate.hands.items():
        if side in on_images:
            hands[side] = _seen(clip, on_images[side])
            if not finite_frames(hands[side].keypoints_m).any():
                hands[side] = replace(hands[side], rest=resting(hand, clip.stamps_ns, settings))
        elif hand.there.any():
            hands[side] = _unknown(clip, hand, settings)
    return ClipTruth(clip.T_world_camera, hands)


def figures_of(name: str, clip: Clip, estimate: ClipEstimate, truth: ClipTruth) -> ReadingFigures:
    """Measure everything that a reading and its truth allow.

    Args:
        name: Of the reading.
        clip: The recording.
        estimate: What this reading says.
        truth: From ``truth_on_images``.
    """
    hands: dict[str, dict[str, float]] = {}
    skipped: Mapping[str, str] = {}
    groups: dict[str, list[Side]] = {side.label: [side] for side in truth.hands}
    groups[BOTH] = list(truth.hands)
    for label, sides in groups.items():
        part = ClipTruth(truth.T_world_camera, {side: truth.hands[side] for side in sides})
        judged = judge(Sample(clip, part, {}), estimate)
        wrists = wrist_figures([(part.hands[side], estimate.hands[side]) for side in sides])
        hands[label] = judged.figures.values | wrists
        skipped = judged.figures.skipped
    return ReadingFigures(name, hands, skipped)


def wrist_figures(pairs: Sequence[tuple[HandSeriesTruth, HandEstimate]]) -> dict[str, float]:
    """Errors of position (m) and orientation (deg) of the wrists, over frames in view.

    Args:
        pairs: Truth and estimate of each hand.

    Returns:
        Those of ``WRIST_KEYS`` that can be had.
    """
    offsets, turns = [np.zeros(0)], [np.zeros(0)]
    for truth, hand in pairs:
        rows = truth.in_view & hand.there
        offset = np.linalg.norm(hand.keypoints_m[:, 0] - truth.keypoints_m[:, 0], axis=-1)
        offsets.append(offset[rows & np.isfinite(offset)])
        if truth.T_world_wrist is not None:
            known = rows & finite_frames(truth.T_world_wrist) & finite_frames(hand.T_world_wrist)
            R_true, R = truth.T_world_wrist[known, :3, :3], hand.T_world_wrist[known, :3, :3]
            turns.append(so3.angle_between(R_true, R))
    error_m, turn_rad = np.concatenate(offsets), np.concatenate(turns)
    found: dict[str, float] = {}
    if len(error_m):
        values = (np.median(error_m), np.percentile(error_m, 95), np.sqrt(np.mean(error_m**2)))
        found |= {key: float(v) for key, v in zip(WRIST_KEYS[:3], values, strict=True)}
    if len(turn_rad):
        found[WRIST_KEYS[3]] = float(np.rad2deg(np.median(turn_rad)))
    return found


def online_penalty(
    offline: ReadingFigures, live: ReadingFigures, estimates: tuple[ClipEstimate, ClipEstimate]
) -> dict[str, float]:
    """What running live costs: live minus offline of every figure, and how far the hands are apart.

    Args:
        offline: Figures of the offline reading.
        live: Those of the live one.
        estimates: Both readings, offline first.

    Returns:
        Differences by key, ``wrist_apart_median_m`` and ``hands_missing_fraction``: the share of
        the offline reading's hands that the live one lacks.
    """
    ours, theirs = offline.hands[BOTH], live.hands[BOTH]
    found = {key: theirs[key] - ours[key] for key in ours if key in theirs}
    apart, missing, count = [np.zeros(0)], 0, 0
    for side, hand in estimates[0].hands.items():
        other = estimates[1].hands[side]
        common = hand.there & other.there
        step = hand.keypoints_m[common, 0] - other.keypoints_m[common, 0]
        apart.append(np.linalg.norm(step, axis=-1))
        missing += int((hand.there & ~other.there).sum())
        count += int(hand.there.sum())
    distances = np.concatenate(apart)
    if len(distances):
        found["wrist_apart_median_m"] = float(np.median(distances))
    if count:
        found["hands_missing_fraction"] = missing / count
    return found


def worst_rows(
    clip: Clip, estimate: ClipEstimate, truth: ClipTruth, count: int = 3, apart_s: float = 1.0
) -> list[tuple[int, float]]:
    """Frames with the largest error, the worst first and well apart.

    The error is the mean distance of the keypoints from the truth (m); of a wrist where only that
    is known; without a truth, the jump of the wrist since the frame before.

    Args:
        clip: The recording.
        estimate: What the reading says.
        truth: From ``truth_on_images``.
        count: At most so many.
        apart_s: Least time between two of them.

    Returns:
        Number of the frame and error (m).
    """
    error_m = np.zeros(len(clip))
    for side, hand in truth.hands.items():
        own = estimate.hands[side].keypoints_m
        distance = np.linalg.norm(own - hand.keypoints_m, axis=-1)
        each = np.where(np.isfinite(distance).all(axis=1), distance.mean(axis=1), distance[:, 0])
        if not np.isfinite(each).any():
            each = np.linalg.norm(np.diff(own[:, 0], axis=0, prepend=own[:1, 0]), axis=-1)
        error_m = np.fmax(error_m, np.where(hand.in_view, each, 0.0))
    found: list[tuple[int, float]] = []
    for row in np.argsort(-error_m, kind="stable"):
        since_s = [abs(clip.stamps_ns[row] - clip.stamps_ns[other]) * 1e-9 for other, _ in found]
        if error_m[row] > 0.0 and min(since_s, default=apart_s) >= apart_s:
            found.append((int(row), float(error_m[row])))
        if len(found) == count:
            break
    return found


def _on_images(clip: Clip, track: TruthTrack, config: EvalConfig) -> HandSeriesTruth:
    """Interpolate one hand at the stamps of the images."""
    wanted_ns, gap_s = clip.stamps_ns, config.longest_gap_s
    keypoints_m = np.full((len(clip), 21, 3), np.nan)
    T = None
    if track.T_world_wrist is not None:
        T = poses_at(track.T_world_wrist, track.stamps_ns, wanted_ns, gap_s)
        keypoints_m[:, 0] = T[:, :3, 3]
    if track.keypoints_m is not None:
        keypoints_m = resampled(track.keypoints_m, track.stamps_ns, wanted_ns, gap_s)
    px = np.full((len(clip), 21, 2), np.nan)
    visible = np.ones(len(clip), dtype=bool)
    if track.visible is not None and len(track.stamps_ns):
        after = np.clip(np.searchsorted(track.stamps_ns, wanted_ns), 1, len(track.stamps_ns) - 1)
        later = wanted_ns - track.stamps_ns[after - 1] > track.stamps_ns[after] - wanted_ns
        visible = track.visible[np.where(later, after, after - 1)]
    return HandSeriesTruth(track.side, keypoints_m, px, visible, T)


def poses_at(
    T: Float[Array, "n 4 4"],
    stamps_ns: Int[Array, "n"],
    wanted_ns: Int[Array, "t"],
    longest_gap_s: float,
) -> Float[Array, "t 4 4"]:
    """Interpolate poses at other instants.

    Args:
        T: Rigid, NaN where unknown.
        stamps_ns: Of the poses, rising.
        wanted_ns: Instants.
        longest_gap_s: No instant is filled in that lies between poses further apart.

    Returns:
        Poses; NaN where a neighbour is missing or too far away.
    """
    out = np.full((len(wanted_ns), 4, 4), np.nan)
    known = np.flatnonzero(finite_frames(T))
    if len(known) < 2:
        return out
    own_ns = stamps_ns[known]
    after = np.clip(np.searchsorted(own_ns, wanted_ns), 1, len(own_ns) - 1)
    span_ns = own_ns[after] - own_ns[after - 1]
    alpha = (wanted_ns - own_ns[after - 1]) / span_ns
    use = (alpha >= 0.0) & (alpha <= 1.0) & (span_ns <= longest_gap_s * 1e9)
    first, second = T[known[after - 1]][use], T[known[after]][use]
    if use.any():
        out[use] = se3.interpolate(first, second, alpha[use])
    return out


def _aligned(
    hands: Mapping[Side, HandSeriesTruth], estimate: ClipEstimate
) -> dict[Side, HandSeriesTruth]:
    """Turn and shift the truth onto the estimated wrists, all hands by one map."""
    source, target = [], []
    for side, truth in hands.items():
        hand = estimate.hands[side]
        rows = np.isfinite(truth.keypoints_m[:, 0]).all(axis=1) & hand.there
        source.append(truth.keypoints_m[rows, 0])
        target.append(hand.keypoints_m[rows, 0])
    found = alignment.rigid(np.concatenate(source), np.concatenate(target))
    T_new_old = se3.from_rotation_translation(found.rotation, found.translation)
    moved = {}
    for side, truth in hands.items():
        T = truth.T_world_wrist
        moved[side] = replace(
            truth,
            keypoints_m=se3.apply(T_new_old, truth.keypoints_m.reshape(-1, 3)).reshape(-1, 21, 3),
            T_world_wrist=None if T is None else T_new_old @ T,
        )
    return moved


def _seen(clip: Clip, truth: HandSeriesTruth) -> HandSeriesTruth:
    """Add what the camera sees of a true hand; of a wrist alone, whether it is in the image."""
    px = np.full((len(clip), 21, 2), np.nan)
    known = np.isfinite(clip.T_world_camera).all(axis=(1, 2))
    p_camera = se3.apply(se3.inverse(clip.T_world_camera[known]), truth.keypoints_m[known])
    px[known] = cameras.project(clip.camera, p_camera)
    inside = np.isfinite(px).all(axis=-1)
    inside &= cameras.in_image(clip.camera, np.where(inside[..., None], px, -1e6))
    whole = np.isfinite(truth.keypoints_m).all(axis=(1, 2))
    in_view = np.where(whole, inside.sum(axis=1) >= IN_VIEW_KEYPOINTS, inside[:, 0])
    return replace(truth, keypoints_px=px, in_view=in_view & truth.in_view)


def _unknown(clip: Clip, hand: HandEstimate, config: EvalConfig) -> HandSeriesTruth:
    """A truth that says nothing, but when the hand seems to rest."""
    return HandSeriesTruth(
        side=hand.side,
        keypoints_m=np.full((len(clip), 21, 3), np.nan),
        keypoints_px=np.full((len(clip), 21, 2), np.nan),
        in_view=np.ones(len(clip), dtype=bool),
        rest=resting(hand, clip.stamps_ns, config),
    )


def resting(
    hand: HandEstimate, stamps_ns: Int[Array, "t"], config: EvalConfig | None = None
) -> Bool[Array, "t"]:
    """Tell when a hand rests by its own smoothed keypoints, where there is no truth to ask.

    Args:
        hand: The hand.
        stamps_ns: Rising capture times.
        config: How slow and how long.
    """
    settings = config or EvalConfig()
    there = hand.there
    smooth = hand.keypoints_m.copy()
    step_s = float(np.median(np.diff(stamps_ns))) * 1e-9 if len(stamps_ns) > 1 else 1.0
    half = max(round(0.5 * _REST_WINDOW_S / max(step_s, 1e-6)), 0)
    for first, stop in runs(there):
        for row in range(first, stop):
            window = slice(max(row - half, first), min(row + half + 1, stop))
            smooth[row] = hand.keypoints_m[window].mean(axis=0)
    return metrics_track.rest_frames(
        smooth,
        stamps_ns,
        there,
        speed_limit_m_s=settings.rest_speed_m_s,
        least_s=settings.rest_least_s,
    )


def unit_of(key: str) -> str:
    """Unit of a figure of this module or of the registry; empty for a share."""
    if key in metrics_registry:
        unit = metrics_registry[key].unit
        return "" if unit == "1" else unit
    return "deg" if key.endswith("_deg") else "m" if key.endswith("_m") else ""
