"""From a clip, its truth and an estimate to figures: of the clip, and of groups of its frames."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from hand4d_ros.detection.landmarks import LANDMARKS
from hand4d_ros.errors import MetricError
from hand4d_ros.evaluation.clips import Clip, HandSeriesTruth, Sample
from hand4d_ros.evaluation.estimates import ClipEstimate, HandEstimate, empty_hand
from hand4d_ros.evaluation.metrics import metrics_registry
from hand4d_ros.evaluation.scoring import (
    ClipFigures,
    Figure,
    ScoringConfig,
    SequencePair,
    evaluate_sequence,
    evaluate_two_hands,
)
from hand4d_ros.evaluation.sequences import finite_frames
from hand4d_ros.geometry import camera as cameras
from hand4d_ros.geometry import se3
from hand4d_ros.shapes import Array, Bool, Float
from hand4d_ros.types import Side

MESH_EVERY = 8
"""Frames between two whose meshes are compared: neighbours are alike, and meshes are slow."""

WHOLE_CLIP_KEYS = (
    *("ga_mpjpe_mm", "fa_mpjpe_mm", "g_mpjpe_mm", "w_mpjpe_mm", "wa_mpjpe_mm", "trans_err_pct"),
    *("longest_gap_s", "reacquisition_s", "bone_variation_pct", "rest_jitter_mm"),
    "rest_drift_mm_s",
)
"""Figures of a course of time, which scattered frames do not have."""


@dataclass(frozen=True)
class Judged:
    """The figures of one clip."""

    figures: ClipFigures
    counts: tuple[int, int] = (0, 0)
    """Frames of hands in view, and those of them that have an estimate."""
    groups: Mapping[str, ClipFigures] = field(default_factory=dict)
    """Of every group that has frames in this clip."""
    group_counts: Mapping[str, tuple[int, int]] = field(default_factory=dict)


def judge(sample: Sample, estimate: ClipEstimate, config: ScoringConfig | None = None) -> Judged:
    """Score an estimate of one clip, both hands together.

    Args:
        sample: The clip with its truth.
        estimate: What a method made of it.
        config: How clips are cut.

    Raises:
        MetricError: The estimate has another number of frames than the clip.
    """
    sides = sorted(sample.truth.hands)
    if estimate.T_world_camera is not None:
        # A method that moves the cameras is judged in the images of its own cameras.
        clip = replace(sample.clip, T_world_camera=estimate.T_world_camera)
        sample = replace(sample, clip=clip)
    hands = {side: _hand(sample.clip, estimate, side) for side in sides}
    pairs = {side: _pair(sample, hands[side], side) for side in sides}
    parts = [evaluate_sequence(pair, config) for pair in pairs.values()]
    parts += [_reprojection(sample.clip, hands[side]) for side in sides]
    if set(sides) == set(Side):
        parts.append(evaluate_two_hands(pairs[Side.LEFT], pairs[Side.RIGHT]))
    parts.append(_scales(sample, estimate, pairs))
    figures = merged(sample.clip.name, parts)
    groups, group_counts = {}, {}
    for name, masks in sample.groups.items():
        chosen = {side: _in_group(pairs[side], masks[side]) for side in sides if masks[side].any()}
        if not chosen:
            continue
        group_counts[name] = _counts(list(chosen.values()))
        if all(masks[side].all() for side in sides):
            groups[name] = figures
        else:
            scored = [evaluate_sequence(pair, config) for pair in chosen.values()]
            groups[name] = merged(sample.clip.name, scored, without=WHOLE_CLIP_KEYS)
    return Judged(figures, _counts(list(pairs.values())), groups, group_counts)


def _counts(pairs: Sequence[SequencePair]) -> tuple[int, int]:
    """Frames of hands in view, and those of them that have an estimate."""
    in_view = [finite_frames(p.truth_m) if p.visible is None else p.visible for p in pairs]
    there = [finite_frames(pair.estimate_m) for pair in pairs]
    estimated = sum(int((a & b).sum()) for a, b in zip(in_view, there, strict=True))
    return sum(int(each.sum()) for each in in_view), estimated


def merged(name: str, parts: Sequence[ClipFigures], without: Sequence[str] = ()) -> ClipFigures:
    """Put the figures of the hands of a clip into one record, each weighted by its frames.

    Args:
        name: Of the clip.
        parts: Figures of each hand and of both.
        without: Keys to leave out.
    """
    figures: dict[str, Figure] = {}
    for key in metrics_registry:
        known = [part.figures[key] for part in parts if key in part.figures]
        if not known or key in without:
            continue
        weights = [max(figure.frames, 1) for figure in known]
        mean = float(np.average([figure.value for figure in known], weights=weights))
        figures[key] = Figure(mean, sum(figure.frames for figure in known))
    skipped = {
        key: reason
        for part in parts
        for key, reason in part.skipped.items()
        if key not in figures and key not in without
    }
    return ClipFigures(name, max((part.frames for part in parts), default=0), figures, skipped)


def _hand(clip: Clip, estimate: ClipEstimate, side: Side) -> HandEstimate:
    hand = estimate.hands.get(side)
    if hand is None:
        return empty_hand(side, len(clip))
    if len(hand.keypoints_m) != len(clip):
        msg = (
            f"{clip.name}: {len(hand.keypoints_m)} estimates for {len(clip)} frames; give one each"
        )
        raise MetricError(msg)
    return hand


def _pair(sample: Sample, hand: HandEstimate, side: Side) -> SequencePair:
    """Everything that can be compared of one hand."""
    clip, truth = sample.clip, sample.truth.hands[side]
    keypoints_px = _projected(clip, hand.keypoints_m)
    return SequencePair(
        name=f"{clip.name} {side.label}",
        stamps_ns=clip.stamps_ns,
        truth_m=truth.keypoints_m,
        estimate_m=hand.keypoints_m,
        visible=truth.in_view,
        observed=hand.observed,
        scored=truth.in_view,
        truth_px=truth.keypoints_px,
        estimate_px=keypoints_px,
        keypoint_std_m=hand.keypoint_std_m,
        rest=truth.rest,
        **_meshes(hand, truth),
    )


def _meshes(hand: HandEstimate, truth: HandSeriesTruth) -> dict[str, Array]:
    """Vertices of every few frames, where both sides have the same mesh."""
    true_hand, T, rotvec = truth.hand, truth.T_world_wrist, truth.joint_rotvec
    if hand.model is None or true_hand is None or T is None or rotvec is None:
        return {}
    if hand.model.faces.shape != true_hand.model.faces.shape:
        return {}
    rows = np.flatnonzero(hand.there & truth.in_view)[::MESH_EVERY]
    estimate_m = hand.vertices_m(rows)
    if estimate_m is None or not len(rows):
        return {}
    shape = (len(hand.keypoints_m), *hand.model.template_m.shape)
    both = {name: np.full(shape, np.nan) for name in ("truth", "estimate")}
    both["estimate"][rows] = estimate_m
    both["truth"][rows] = true_hand.vertices(T[rows], rotvec[rows])
    return {
        "truth_vertices_m": both["truth"],
        "estimate_vertices_m": both["estimate"],
        "faces": hand.model.faces,
    }


def _projected(clip: Clip, points_m: Float[Array, "t n 3"]) -> Float[Array, "t n 2"]:
    """Pixels of points in the world, by the camera poses that the method had."""
    out = np.full((*points_m.shape[:2], 2), np.nan)
    known = np.isfinite(clip.T_world_camera).all(axis=(1, 2))
    known &= np.isfinite(points_m).all(axis=(1, 2))
    if known.any():
        T_camera_world = se3.inverse(clip.T_world_camera[known])
        out[known] = cameras.project(clip.camera, se3.apply(T_camera_world, points_m[known]))
    return out


def _reprojection(clip: Clip, hand: HandEstimate) -> ClipFigures:
    """Distance of what the detector marked from where the estimate has it."""
    detected = np.full((len(clip), 21, 2), np.nan)
    marks_m = np.full((len(clip), 21, 3), np.nan)
    for row, found in enumerate(clip.detections):
        own = [d for d in found if d.side is hand.side]
        if own:
            surest = max(own, key=lambda d: d.score)
            detected[row] = surest.keypoints_px
            marks_m[row] = LANDMARKS[surest.landmarks] @ hand.keypoints_m[row]
    marks_px = _projected(clip, marks_m)
    rows: Bool[Array, "t"] = np.isfinite(marks_px).all(axis=(1, 2)) & hand.observed
    if not rows.any():
        return ClipFigures(clip.name, 0, {}, {"reprojection_px": "no hand was observed"})
    value = metrics_registry["reprojection_px"].function(detected, marks_px, rows)
    return ClipFigures(clip.name, 0, {"reprojection_px": Figure(value, int(rows.sum()))})


def _scales(
    sample: Sample, estimate: ClipEstimate, pairs: Mapping[Side, SequencePair]
) -> ClipFigures:
    """How large the hands and the world were taken to be."""
    figures = {}
    sizes = [
        metrics_registry["hand_size_err_pct"].function(pair.truth_m, pair.estimate_m)
        for pair in pairs.values()
        if (finite_frames(pair.estimate_m) & finite_frames(pair.truth_m)).any()
    ]
    if sizes:
        figures["hand_size_err_pct"] = Figure(float(np.mean(sizes)), len(sizes))
    true_scale = sample.truth.world_scale
    if true_scale is not None and estimate.world_scale is not None:
        value = metrics_registry["world_scale_err_pct"].function(true_scale, estimate.world_scale)
        figures["world_scale_err_pct"] = Figure(value, 1)
    return ClipFigures(sample.clip.name, 0, figures)


def _in_group(pair: SequencePair, mask: Bool[Array, "t"]) -> SequencePair:
    """The same pair with nothing but the frames of a group, and without its meshes."""
    visible = mask if pair.visible is None else pair.visible & mask
    return replace(
        pair, visible=visible, scored=visible, truth_vertices_m=None, estimate_vertices_m=None
    )
