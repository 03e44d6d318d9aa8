"""Which hand is which, offline: whole courses of detections get one side, not single frames.

A detector labels every hand on its own and can be wrong for seconds, then for both hands at once.
Detections are linked over time to courses; the sides of all courses are chosen together: by what
the detector says, by which hand is on which side of the other, by where each hand was last, and
because a person has one hand of each side. A beam search goes through them in order of time.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from hand4d_ros.geometry import camera as cameras
from hand4d_ros.shapes import Array, Float, Int
from hand4d_ros.types import CameraModel, HandDetection, Side

_LONGEST_LINK_S = 0.2
_NEAR = 0.7
"""Angle between two detections of one course, in angular sizes of the hand."""
_BEAM = 32
_CORRELATION_FRAMES = 10.0
"""Errors of a label last, so a frame counts as a tenth of a witness."""
_CROSSED = 0.03
"""How often a person's hands are crossed."""
_LEAST_SCORE, _MOST_SCORE = 0.02, 0.98
_OVERLAP_COST = 3.0
"""Of each frame in which two courses have one side."""
_SPREAD_PER_S = 4.0
"""How fast a hand that is not seen gets away from where it was, in its sizes per second."""


@dataclass
class _Course:
    """Detections that follow each other."""

    frames: list[int] = field(default_factory=list)
    picks: list[int] = field(default_factory=list)
    """Number of the detection in each of those frames."""
    bearings: list[Float[Array, "3"]] = field(default_factory=list)
    """In the world's axes."""
    across: list[float] = field(default_factory=list)
    """Horizontal place in the image, in sizes of the hand."""
    sizes_rad: list[float] = field(default_factory=list)
    right_logit: float = 0.0
    """What the detector says: positive is right."""


@dataclass(frozen=True)
class _Hypothesis:
    score: float = 0.0
    sides: tuple[Side, ...] = ()


def with_sides(
    detections: Sequence[Sequence[HandDetection]],
    camera: CameraModel,
    R_world_camera: Float[Array, "t 3 3"],
    stamps_ns: Int[Array, "t"],
) -> list[tuple[HandDetection, ...]]:
    """Return the detections with mended sides, at most one a side in each frame.

    Args:
        detections: Of each frame, as the detector gave them.
        camera: The camera.
        R_world_camera: Its orientations.
        stamps_ns: Rising capture times.
    """
    courses = _linked(detections, camera, R_world_camera, stamps_ns)
    sides = _labelled(courses, stamps_ns)
    out: list[dict[Side, tuple[int, HandDetection]]] = [{} for _ in detections]
    for course, side in zip(courses, sides, strict=True):
        for frame, pick in zip(course.frames, course.picks, strict=True):
            found = replace(detections[frame][pick], side=side)
            other = out[frame].get(side)
            if other is None or other[0] < len(course.frames):
                out[frame][side] = (len(course.frames), found)
    return [tuple(found for _, found in each.values()) for each in out]


def _linked(
    detections: Sequence[Sequence[HandDetection]],
    camera: CameraModel,
    R_world_camera: Float[Array, "t 3 3"],
    stamps_ns: Int[Array, "t"],
) -> list[_Course]:
    """Link every detection to the nearest course that is still open, or start a new one."""
    courses: list[_Course] = []
    for row, found in enumerate(detections):
        marks = [_seen_as(d, camera, R_world_camera[row]) for d in found]
        since_ns = stamps_ns[row] - round(_LONGEST_LINK_S * 1e9)
        opened = [c for c in courses if stamps_ns[c.frames[-1]] >= since_ns]
        pairs = sorted(
            (_apart(course, bearing, size_rad), i, j)
            for i, course in enumerate(opened)
            for j, (bearing, _, size_rad) in enumerate(marks)
        )
        taken: set[int] = set()
        used: set[int] = set()
        chosen: dict[int, _Course] = {}
        for apart, i, j in pairs:
            if apart < _NEAR and i not in used and j not in taken:
                used.add(i)
                taken.add(j)
                chosen[j] = opened[i]
        for j, (bearing, across, size_rad) in enumerate(marks):
            course = chosen.get(j)
            if course is None:
                course = _Course()
                courses.append(course)
            score = float(np.clip(found[j].score, _LEAST_SCORE, _MOST_SCORE))
            sign = 1.0 if found[j].side is Side.RIGHT else -1.0
            course.right_logit += sign * np.log(score / (1.0 - score)) / _CORRELATION_FRAMES
            course.frames.append(row)
            course.picks.append(j)
            course.bearings.append(bearing)
            course.across.append(across)
            course.sizes_rad.append(size_rad)
    return courses


def _seen_as(
    detection: HandDetection, camera: CameraModel, R_world_camera: Float[Array, "3 3"]
) -> tuple[Float[Array, "3"], float, float]:
    """Bearing in the world, horizontal place in sizes of the hand, and angular size."""
    px = detection.keypoints_px
    size_px = float(np.ptp(px, axis=0).max()) + 1e-6
    centre_px = np.median(px, axis=0)
    bearing = cameras.unproject(camera, centre_px)
    if not np.isfinite(bearing).all():
        bearing = np.array([0.0, 0.0, 1.0])
    return R_world_camera @ bearing, float(centre_px[0]) / size_px, size_px / camera.fx_px


def _apart(course: _Course, bearing: Float[Array, "3"], size_rad: float) -> float:
    """Angle to where a course was last, in sizes of the hand."""
    cosine = float(np.clip(course.bearings[-1] @ bearing, -1.0, 1.0))
    return float(np.arccos(cosine)) / max(size_rad, course.sizes_rad[-1])


def _labelled(courses: list[_Course], stamps_ns: Int[Array, "t"]) -> tuple[Side, ...]:
    """Choose the sides of all courses, which are in order of their first frames."""
    beam = [_Hypothesis()]
    for place, course in enumerate(courses):
        between = [_evidence(courses[k], course, stamps_ns) for k in range(place)]
        grown = []
        for each in beam:
            for side in Side:
                sign = 1.0 if side is Side.RIGHT else -1.0
                score = each.score + 0.5 * sign * course.right_logit
                last = {s: k for k, s in enumerate(each.sides)}
                for k, other in enumerate(each.sides):
                    together, order, follows = between[k]
                    score += order * sign if other is not side else -_OVERLAP_COST * together
                    if other is side and last[side] == k and not together:
                        score += follows
                grown.append(_Hypothesis(score, (*each.sides, side)))
        beam = sorted(grown, key=lambda h: -h.score)[:_BEAM]
    return beam[0].sides


def _evidence(one: _Course, other: _Course, stamps_ns: Int[Array, "t"]) -> tuple[int, float, float]:
    """How two courses speak about each other.

    Returns:
        Frames that both are in; log odds for the later one being the right hand and the other the
        left by their places; and log likelihood that the later goes on where the other ended.
    """
    rows, a, b = np.intersect1d(one.frames, other.frames, return_indices=True)
    if len(rows):
        gap = (np.array(other.across)[b] - np.array(one.across)[a]).clip(-1.0, 1.0)
        odds = float(gap.sum()) * np.log((1.0 - _CROSSED) / _CROSSED)
        return len(rows), 0.5 * odds / _CORRELATION_FRAMES, 0.0
    gap_s = max(float(stamps_ns[other.frames[0]] - stamps_ns[one.frames[-1]]) * 1e-9, 0.0)
    spread = _NEAR + _SPREAD_PER_S * gap_s
    apart = _apart(one, other.bearings[0], other.sizes_rad[0])
    return 0, 0.0, -0.5 * min((apart / spread) ** 2, 25.0) - 3.0 * float(np.log(spread / _NEAR))
