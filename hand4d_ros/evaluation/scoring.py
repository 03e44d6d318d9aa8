"""From truth and estimate of one clip to all figures that apply to it.

What a clip cannot give is not an error: its figures are left out and the reason is kept, so a
table shows a blank and never an invented number.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from hand4d_ros.errors import ConfigError, MetricError
from hand4d_ros.evaluation import metrics_2d, metrics_forecast, metrics_mesh, metrics_track
from hand4d_ros.evaluation.metrics import metrics_registry
from hand4d_ros.evaluation.metrics_pose import chunked
from hand4d_ros.evaluation.sequences import finite_frames
from hand4d_ros.shapes import Array, Bool, Float, Int


@dataclass(frozen=True)
class ScoringConfig:
    """How clips are cut before they are scored."""

    segment_frames: int = 128
    """Frames of a segment that GA-, FA- and G-MPJPE are aligned over, 128 in Dyn-HaMR; 0 takes
    the whole clip, as HaPTIC does."""
    chunk_frames: int = 100
    """Frames of a chunk of W- and WA-MPJPE, as in WHAM and HaWoR."""
    rest_speed_m_s: float = 0.02
    """A hand rests where no true keypoint is faster."""
    rest_least_s: float = 0.3
    """Shorter rests are not looked at."""

    def __post_init__(self) -> None:
        """Reject what cannot be meant.

        Raises:
            ConfigError: A length is too short or a threshold is not positive.
        """
        if self.segment_frames != 0 and self.segment_frames < 2:
            msg = f"segment_frames is {self.segment_frames}, allowed are 0 (whole clip) or 2 and up"
            raise ConfigError(msg)
        if self.chunk_frames < 2:
            msg = f"chunk_frames is {self.chunk_frames}, allowed are 2 and up"
            raise ConfigError(msg)
        if not (self.rest_speed_m_s > 0.0 and self.rest_least_s > 0.0):
            msg = (
                f"rest_speed_m_s and rest_least_s must be positive, got {self.rest_speed_m_s} and "
                f"{self.rest_least_s}"
            )
            raise ConfigError(msg)


@dataclass(frozen=True)
class SequencePair:
    """Truth and estimate of one hand in one clip, row by row at the same stamps.

    A row without a truth or an estimate holds NaN there; it is then left out of the errors, and
    a missing estimate of a hand in view counts against the coverage. A recording without any
    truth is a pair whose truth is all NaN: it gets the figures of self-consistency.
    """

    name: str
    stamps_ns: Int[Array, "t"]
    """Rising capture times."""
    truth_m: Float[Array, "t 21 3"]
    """Keypoints, OpenPose order, in the frame that is to be judged (world or camera)."""
    estimate_m: Float[Array, "t 21 3"]
    """Keypoints in the same frame."""
    visible: Bool[Array, "t"] | None = None
    """Frames with the hand in view; None where the truth is given."""
    observed: Bool[Array, "t"] | None = None
    """Frames whose estimate was observed, not infilled or predicted; None where it is given."""
    scored: Bool[Array, "t"] | None = None
    """Frames that the errors run over, such as those of one occlusion bin; None for all."""
    rest: Bool[Array, "t"] | None = None
    """Frames in which the hand is known to rest; None finds them in the truth."""
    truth_vertices_m: Float[Array, "t v 3"] | None = None
    estimate_vertices_m: Float[Array, "t v 3"] | None = None
    faces: Int[Array, "f 3"] | None = None
    """Triangles of the mesh, anticlockwise seen from outside; for the inter-penetration."""
    truth_px: Float[Array, "t 21 2"] | None = None
    """True or labelled image keypoints."""
    estimate_px: Float[Array, "t 21 2"] | None = None
    """Projections of the estimate."""
    detected_px: Float[Array, "t 21 2"] | None = None
    """What the detector saw, for the reprojection error."""
    box_size_px: Float[Array, "t"] | None = None
    """Longer side of the hand's box; None takes the box around ``truth_px``."""
    keypoint_std_m: Float[Array, "t 21"] | None = None
    """Stated standard deviation of each estimated keypoint."""


@dataclass(frozen=True)
class ForecastPair:
    """What both hands did after one instant, and the futures that were forecast for them."""

    name: str
    truth_m: Float[Array, "t h 21 3"]
    """Keypoints of the hands, left before right where there are two; NaN where there is none."""
    modes_m: Float[Array, "k t h 21 3"]
    """Keypoints of the K futures."""
    probabilities: Float[Array, "k"]
    """Sum to one."""
    radius_m: Float[Array, "k t h"] | None = None
    """Spheres about the wrists that hold them with a probability of 0.9."""


@dataclass(frozen=True)
class Figure:
    """One figure of one clip."""

    value: float
    frames: int
    """Frames that it was measured on: its weight in a mean over clips."""


@dataclass(frozen=True)
class ClipFigures:
    """All figures of one clip by their keys in the registry."""

    name: str
    frames: int
    """Frames with a truth."""
    figures: Mapping[str, Figure]
    skipped: Mapping[str, str] = field(default_factory=dict)
    """Why a figure that this clip's data could have given is missing."""

    @property
    def values(self) -> dict[str, float]:
        """The bare numbers."""
        return {key: figure.value for key, figure in self.figures.items()}


class _Collector:
    """Gathers figures and the reasons for those that could not be had."""

    def __init__(self) -> None:
        self.figures: dict[str, Figure] = {}
        self.skipped: dict[str, str] = {}

    def add(self, key: str, frames: int, *args: object, **options: object) -> None:
        """Compute the metric of this key from the registry."""
        self.call(key, frames, lambda: metrics_registry[key].function(*args, **options))

    def call(self, key: str, frames: int, compute: Callable[[], float]) -> None:
        """Compute a metric that needs preparation."""
        try:
            self.figures[key] = Figure(compute(), frames)
        except MetricError as error:
            self.skipped[key] = str(error)


def evaluate_sequence(pair: SequencePair, config: ScoringConfig | None = None) -> ClipFigures:
    """Every figure of one hand that its data allows.

    Args:
        pair: Truth and estimate.
        config: How the clip is cut; None for the defaults.

    Raises:
        MetricError: The rows of the pair are not equally many or its stamps do not rise.
    """
    settings = ScoringConfig() if config is None else config
    length = len(pair.stamps_ns)
    _check_lengths(pair)
    present = finite_frames(pair.truth_m)
    estimated = finite_frames(pair.estimate_m)
    scored = np.ones(length, dtype=bool) if pair.scored is None else pair.scored
    found = _Collector()
    _add_tracking(found, pair, present, estimated)
    _add_self_consistency(found, pair, estimated & scored, _rest(pair, present, settings))
    _add_image(found, pair, scored)
    used = present & estimated & scored
    if used.any():
        _add_pose(found, pair, used, settings)
        _add_motion(found, pair, used)
        _add_mesh(found, pair, used)
    return ClipFigures(pair.name, int(present.sum()), found.figures, found.skipped)


def evaluate_two_hands(left: SequencePair, right: SequencePair) -> ClipFigures:
    """The figures of how both hands of one clip are to each other.

    Args:
        left: The left hand.
        right: The right hand at the same stamps.

    Raises:
        MetricError: The stamps differ.
    """
    if not np.array_equal(left.stamps_ns, right.stamps_ns):
        msg = f"two hands: the stamps of {left.name!r} and {right.name!r} differ; resample one"
        raise MetricError(msg)
    pairs = (left, right)
    truth = np.stack([pair.truth_m for pair in pairs], axis=1)
    estimate = np.stack([pair.estimate_m for pair in pairs], axis=1)
    present = np.stack([finite_frames(pair.truth_m) for pair in pairs], axis=1)
    estimated = np.stack([finite_frames(pair.estimate_m) for pair in pairs], axis=1)
    used = present & estimated
    both = used.all(axis=1)
    found = _Collector()
    found.add("mr_cm", int(both.sum()), truth, estimate, used)
    found.add(
        "handedness_err_pct",
        int(estimated.any(axis=1).sum()),
        *(truth[:, :, 0], estimate[:, :, 0], present, estimated),
    )
    meshes = [
        (pair.estimate_vertices_m, pair.faces)
        for pair in pairs
        if pair.estimate_vertices_m is not None and pair.faces is not None
    ]
    if len(meshes) == 2:
        found.call("penetration_cm3", int(both.sum()), lambda: _penetration_cm3(meshes))
    return ClipFigures(left.name, int(present.any(axis=1).sum()), found.figures, found.skipped)


def evaluate_forecast(pair: ForecastPair) -> ClipFigures:
    """Every figure of one forecast; M, M-G, M-F and MR are those of its best sample.

    Args:
        pair: What happened and what was forecast.

    Raises:
        MetricError: No hand has a truth, or shapes differ.
    """
    mask = np.isfinite(pair.truth_m).all(axis=(2, 3))
    best = pair.modes_m[metrics_forecast.best_sample(pair.truth_m, pair.modes_m, mask)]
    frames = int(mask.any(axis=1).sum())
    found = _Collector()
    for key in ("m_cm", "m_g_cm", "m_f_cm", "mr_cm"):
        if key != "mr_cm" or mask.shape[1] == 2:
            found.add(key, frames, pair.truth_m, best, mask)
    per_hand = [_wrist_figures(pair, hand, mask[:, hand]) for hand in range(mask.shape[1])]
    for key in ("ade_cm", "fde_cm", "ade_mean_cm", "fde_mean_cm", "coverage_90", "radius_90_cm"):
        known = [figures[key] for figures in per_hand if key in figures]
        if known:
            weights = [figure.frames for figure in known]
            mean = float(np.average([figure.value for figure in known], weights=weights))
            found.figures[key] = Figure(mean, sum(weights))
    return ClipFigures(pair.name, frames, found.figures, found.skipped)


def _rest(
    pair: SequencePair, present: Bool[Array, "t"], settings: ScoringConfig
) -> Bool[Array, "t"]:
    """Frames of rest, as given or as the truth shows them."""
    if pair.rest is not None:
        return pair.rest
    return metrics_track.rest_frames(
        pair.truth_m,
        pair.stamps_ns,
        present,
        speed_limit_m_s=settings.rest_speed_m_s,
        least_s=settings.rest_least_s,
    )


def _add_tracking(
    found: _Collector,
    pair: SequencePair,
    present: Bool[Array, "t"],
    estimated: Bool[Array, "t"],
) -> None:
    visible = present if pair.visible is None else pair.visible
    observed = estimated if pair.observed is None else pair.observed & estimated
    count = int(visible.sum())
    found.add("observed_fraction", count, visible, observed)
    found.add("longest_gap_s", count, visible, observed, pair.stamps_ns)
    found.add("reacquisition_s", count, visible, observed, pair.stamps_ns)


def _add_self_consistency(
    found: _Collector, pair: SequencePair, own: Bool[Array, "t"], rest: Bool[Array, "t"]
) -> None:
    """What the estimate says about itself."""
    count = int(own.sum())
    found.add("jerk_m_s3", count, pair.estimate_m, pair.stamps_ns, own)
    found.add("bone_variation_pct", count, pair.estimate_m, own)
    for key in ("rest_jitter_mm", "rest_drift_mm_s"):
        found.add(key, int((own & rest).sum()), pair.estimate_m, pair.stamps_ns, own & rest)


def _add_image(found: _Collector, pair: SequencePair, scored: Bool[Array, "t"]) -> None:
    """What needs image keypoints but no truth in space."""
    if pair.estimate_px is None:
        return
    own = scored & finite_frames(pair.estimate_px)
    if pair.truth_px is not None:
        box = pair.box_size_px
        sizes = metrics_2d.box_size_px(pair.truth_px) if box is None else box
        rows = own & finite_frames(pair.truth_px)
        for key in ("pck_0_05", "pck_0_1", "pck_0_15"):
            found.add(key, int(rows.sum()), pair.truth_px, pair.estimate_px, sizes, rows)
    if pair.detected_px is not None:
        rows = own & finite_frames(pair.detected_px)
        found.add("reprojection_px", int(rows.sum()), pair.detected_px, pair.estimate_px, rows)


def _add_pose(
    found: _Collector, pair: SequencePair, used: Bool[Array, "t"], settings: ScoringConfig
) -> None:
    count = int(used.sum())
    for key in ("pa_mpjpe_mm", "ra_mpjpe_mm", "mpjpe_mm", "auc_j"):
        found.add(key, count, pair.truth_m, pair.estimate_m, used)
    segment = settings.segment_frames or len(used)
    for key, least in (("ga_mpjpe_mm", 1), ("fa_mpjpe_mm", 1), ("g_mpjpe_mm", 2)):
        arrays = (metrics_registry[key].function, pair.truth_m, pair.estimate_m, used)
        found.call(key, count, functools.partial(chunked, *arrays, chunk=segment, least=least))
    for key in ("w_mpjpe_mm", "wa_mpjpe_mm"):
        found.add(key, count, pair.truth_m, pair.estimate_m, used, chunk=settings.chunk_frames)


def _add_motion(found: _Collector, pair: SequencePair, used: Bool[Array, "t"]) -> None:
    count = int(used.sum())
    truth, estimate = pair.truth_m, pair.estimate_m
    for key in ("acc_err_mm_s2", "acc_err_world_mm_s2"):
        found.add(key, count, truth, estimate, pair.stamps_ns, used)
    for key in ("acc_norm", "acc_norm_diffnorm"):
        found.add(key, count, truth, estimate, used)
    found.add("trans_err_pct", count, truth[:, 0], estimate[:, 0], used)


def _add_mesh(found: _Collector, pair: SequencePair, used: Bool[Array, "t"]) -> None:
    """What needs vertices or stated deviations."""
    if pair.truth_vertices_m is not None and pair.estimate_vertices_m is not None:
        meshes = (pair.truth_vertices_m, pair.estimate_vertices_m)
        rows = used & finite_frames(meshes[0]) & finite_frames(meshes[1])
        count = int(rows.sum())
        found.add("mpvpe_mm", count, *meshes, pair.truth_m[:, 0], pair.estimate_m[:, 0], rows)
        for key in ("f_at_5mm", "f_at_15mm"):
            found.add(key, count, *meshes, rows)
    if pair.keypoint_std_m is not None:
        stated = (pair.truth_m, pair.estimate_m, pair.keypoint_std_m, used)
        for key in ("keypoint_coverage_50", "keypoint_coverage_90", "calibration_error"):
            found.add(key, int(used.sum()), *stated)


def _penetration_cm3(
    meshes: Sequence[tuple[Float[Array, "t _ 3"], Int[Array, "_ 3"]]],
) -> float:
    """Over the frames in which both hands have a mesh; an open wrist is closed first."""
    (left, left_faces), (right, right_faces) = (
        metrics_mesh.closed_mesh(vertices, faces) for vertices, faces in meshes
    )
    mask = finite_frames(left) & finite_frames(right)
    return metrics_mesh.penetration_cm3(left, right, left_faces, right_faces, mask)


def _wrist_figures(pair: ForecastPair, hand: int, mask: Bool[Array, "t"]) -> dict[str, Figure]:
    """The figures of one hand's wrist; none where it has no truth."""
    if not mask.any():
        return {}
    truth, modes = pair.truth_m[:, hand, 0], pair.modes_m[:, :, hand, 0]
    count = int(mask.sum())
    found = _Collector()
    for key in ("ade_cm", "fde_cm"):
        found.add(key, count, truth, modes, mask)
    for key in ("ade_mean_cm", "fde_mean_cm"):
        found.add(key, count, truth, modes, pair.probabilities, mask)
    if pair.radius_m is not None:
        radius = pair.radius_m[:, :, hand]
        found.add("coverage_90", count, truth, modes, radius, mask)
        found.add("radius_90_cm", count, radius, pair.probabilities, mask)
    return found.figures


def _check_lengths(pair: SequencePair) -> None:
    length = len(pair.stamps_ns)
    for name, value in vars(pair).items():
        if isinstance(value, np.ndarray) and name != "faces" and len(value) != length:
            msg = f"clip {pair.name!r}: {name} has {len(value)} rows but there are {length} stamps"
            raise MetricError(msg)
