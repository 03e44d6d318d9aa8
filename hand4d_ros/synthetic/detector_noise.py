"""The real detector's faults without pictures: what it would have said about hands in motion.

``simulated`` turns the truth about a clip (``hand_clip``) into detections like those of
``detection.mediapipe_detector`` on rendered pictures of it, several thousand frames a second:
keypoints where the detector marks them, errors that grow with occlusion, distance and the border
of the picture and stay while a hand rests, its flattened 3D keypoints, confidence, misses, swapped
sides and false hands. All numbers were fitted to the real detector's output on renders; the fit,
and both side by side on renders that it never saw, are in ``docs/detector-noise.md``.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Literal

import numpy as np

from hand4d_ros.detection.landmarks import LANDMARKS
from hand4d_ros.detection.sides import choose_sides, seen_by_its_owner
from hand4d_ros.geometry import camera as cameras
from hand4d_ros.settings import check
from hand4d_ros.shapes import Array, Bool, Float
from hand4d_ros.synthetic import detector_presence as presences
from hand4d_ros.synthetic.detector_marks import (
    Report,
    composed,
    jitter,
    usual_error,
)
from hand4d_ros.synthetic.detector_parameters import (
    QUANTILE_Z,
    RADIUS,
    NoiseParameters,
    columns,
    fitted,
)
from hand4d_ros.synthetic.detector_process import Pace, remembered_scores, shaped
from hand4d_ros.synthetic.detector_view import FEATURES, HandViews, views_from_clip
from hand4d_ros.synthetic.hand_clip import HandClip
from hand4d_ros.types import HandDetection, LandmarkDefinition, Side

_NO_TIME_S = 1e-9
"""Time constant of what is forgotten at once."""


@dataclass(frozen=True)
class DetectorNoiseConfig:
    """Faults of the detector; each can be switched off without changing the draws of another."""

    seed: int = field(default=0, metadata={"min": 0})
    """Of all faults."""
    errors: float = field(default=1.0, metadata={"min": 0.0, "max": 10.0})
    """Factor on the errors of the keypoints in the image; 0 marks every keypoint exactly."""
    errors_3d: float = field(default=1.0, metadata={"min": 0.0, "max": 10.0})
    """Factor on the errors of the 3D keypoints in size, depth and shape; 0 gives the truth."""
    definition: LandmarkDefinition = "mediapipe"
    """What is marked: the detector's own landmarks, or the joints themselves."""
    heavy_tails: bool = True
    """Let some frames be much worse than most; off, all have the median error of their kind."""
    joint_correlation: bool = True
    """Let keypoints err together; off, each errs by itself."""
    memory: bool = True
    """Let errors last while the hand looks the same; off, every frame errs anew."""
    size_effect: bool = True
    """Let small hands be seen worse; off, all count as of the usual size."""
    occlusion_effect: bool = True
    """Let hidden keypoints and hands err more and get lost."""
    border_effect: bool = True
    """Let hands that reach out of the picture err more and get lost."""
    speed_effect: bool = True
    """Let fast hands err more and get lost."""
    misses: bool = True
    """Lose and find hands; off, every hand with a keypoint to see is reported."""
    side_swaps: bool = True
    """Mistake sides as the detector does; off, every side is right."""
    false_hands: bool = True
    """Report hands where there are none."""
    gaps_per_s: float = field(default=0.0, metadata={"min": 0.0, "max": 10.0})
    """Whole gaps of each hand in a second, on top of all misses."""
    gap_s: float = field(default=0.5, metadata={"min": 0.0, "max": 60.0})
    """Length of each whole gap (s)."""
    max_hands: int = field(default=2, metadata={"min": 1, "max": 8})
    """Hands that are reported at most."""
    outside_confidence: float = field(default=0.25, metadata={"min": 0.0, "max": 1.0})
    """Factor on the confidence of keypoints outside of the image, as the detector has it."""
    same_side_weight: float = field(default=0.1, metadata={"min": 0.0, "max": 1.0})
    """Belief in two hands of one side against two of both, as the detector has it."""
    viewpoint: Literal["egocentric", "any"] = "egocentric"
    """egocentric: where a hand is seen settles doubts about its side, as in the detector."""

    def __post_init__(self) -> None:
        """Reject values out of range."""
        check(self)


@dataclass(frozen=True)
class SimulatedClip:
    """What the detector says about a clip: as arrays for training, as lists for a pipeline."""

    clip: HandClip
    report: Report
    """Of every hand in every frame, whether it is found or not."""
    found: Bool[Array, "f h"]
    confidence: Float[Array, "f h 21"]
    detections: tuple[tuple[HandDetection, ...], ...]
    """Of each frame, the surest first."""


def simulated(
    clip: HandClip,
    config: DetectorNoiseConfig | None = None,
    parameters: NoiseParameters | None = None,
) -> SimulatedClip:
    """Say what the detector would have said about a clip.

    Args:
        clip: The truth.
        config: Which faults it has; all of them if None.
        parameters: Fitted numbers; those that come with the package if None.

    Raises:
        SceneError: If the package's parameters cannot be read.
    """
    config = config or DetectorNoiseConfig()
    numbers = _switched(parameters or fitted(), config)
    streams = [np.random.default_rng([config.seed, i]) for i in range(4)]
    views = _switched_views(views_from_clip(clip, LANDMARKS[config.definition]), config, numbers)
    x = np.clip(views.features, numbers.feature_low, numbers.feature_high)
    scores, news = remembered_scores(streams[0], numbers, Pace(views.step_s, views.change))
    log_scale = shaped(scores[..., :1], numbers.quantiles[:1])[..., 0]
    usual = np.log(usual_error(views, x, numbers.scale)).mean(-1)
    shake = jitter(usual + log_scale, news, numbers.jitter)
    report = composed(views, x, scores, numbers, shake, config.errors)
    report = _with_truth(report, views, config)
    lost = presences.gaps(streams[1], clip.t_s, len(clip.sides), config.gaps_per_s, config.gap_s)
    seen = clip.visibility.seen
    found = seen.any(-1) & ~lost
    if config.misses:
        sureness = scores[..., [columns("scale").start, columns("presence").start]]
        odds = presences.chances(x, sureness, seen, numbers)
        found = presences.held(streams[2], odds, lost)
    inside = cameras.in_image(clip.camera, report.keypoints_px)
    confidence = report.presence[..., None] * np.where(inside, 1.0, config.outside_confidence)
    detections = _lists(clip, views, report, (found, confidence), config)
    if config.false_hands:
        extra = false_hands(streams[3], clip, views, found, numbers)
        detections = [[*real, *more] for real, more in zip(detections, extra, strict=True)]
    ordered = (
        tuple(sorted(hands, key=lambda d: -d.score)[: config.max_hands]) for hands in detections
    )
    return SimulatedClip(clip, report, found, confidence, tuple(ordered))


def _switched(parameters: NoiseParameters, config: DetectorNoiseConfig) -> NoiseParameters:
    """Take out of the parameters what is switched off."""
    quantiles, radii, memory = parameters.quantiles, parameters.radii, parameters.memory
    if not config.heavy_tails:
        middle = len(QUANTILE_Z) // 2
        # One standard deviation of a normal distribution with the same inner part.
        deviation = 0.5 * (quantiles[:, middle + 2] - quantiles[:, middle - 2])
        quantiles = quantiles[:, middle, None] + deviation[:, None] * QUANTILE_Z
        quantiles[0] = quantiles[0, middle]
        inner = int(np.searchsorted(RADIUS, 1.2))
        radii = radii[:, inner, None] * RADIUS / RADIUS[inner]
    if not config.memory:
        memory = memory * [0.0, 0.0, 1.0] + [0.0, _NO_TIME_S, 0.0]
    factors = parameters.factors if config.joint_correlation else 0.0 * parameters.factors
    return replace(parameters, quantiles=quantiles, radii=radii, memory=memory, factors=factors)


def _switched_views(
    views: HandViews, config: DetectorNoiseConfig, parameters: NoiseParameters
) -> HandViews:
    """Let hands look open, inside, or of usual size and speed, where an effect is switched off."""
    features = views.features.copy()
    switches = {
        "size": config.size_effect,
        "hidden": config.occlusion_effect,
        "crossed": config.occlusion_effect,
        "outside": config.border_effect,
        "buried": config.occlusion_effect and config.border_effect,
        "speed": config.speed_effect,
    }
    for name, on in switches.items():
        if not on:
            column = FEATURES.index(name)
            is_usual = name in ("size", "speed")
            features[..., column] = parameters.feature_usual[column] if is_usual else 0.0
    return replace(
        views,
        features=features,
        hidden=views.hidden & config.occlusion_effect,
        outside=views.outside & config.border_effect,
    )


def _with_truth(report: Report, views: HandViews, config: DetectorNoiseConfig) -> Report:
    """Weigh the errors of the 3D keypoints, and the belief in sides."""
    truth = views.landmarks_m - views.landmarks_m.mean(2, keepdims=True)
    k = config.errors_3d
    belief = report.belief
    if not config.side_swaps:
        belief = np.maximum(belief, 1.0 - belief)
    return replace(
        report, keypoints_3d_m=truth + k * (report.keypoints_3d_m - truth), belief=belief
    )


def _lists(
    clip: HandClip,
    views: HandViews,
    report: Report,
    held: tuple[Bool[Array, "f h"], Float[Array, "f h 21"]],
    config: DetectorNoiseConfig,
) -> list[list[HandDetection]]:
    """Detections of the hands that were found, with their sides chosen as the detector does."""
    found, confidence = held
    right_hands = np.array([side is Side.RIGHT for side in clip.sides])
    right = np.where(right_hands, report.belief, 1.0 - report.belief)
    weight = config.same_side_weight if config.side_swaps else 1.0
    directions = views.landmarks_m.mean(2)
    by_place = config.side_swaps and config.viewpoint == "egocentric"
    frames = []
    for frame, there in enumerate(found):
        hands = np.flatnonzero(there)
        beliefs = right[frame, hands].tolist()
        if by_place:
            beliefs = [
                seen_by_its_owner(p, direction)
                for p, direction in zip(beliefs, directions[frame, hands], strict=True)
            ]
        sides = choose_sides(beliefs, weight)
        frames.append(
            [
                HandDetection(
                    side,
                    float(report.presence[frame, hand]) * probability,
                    report.keypoints_px[frame, hand],
                    confidence[frame, hand],
                    report.keypoints_3d_m[frame, hand],
                    config.definition,
                )
                for hand, (side, probability) in zip(hands, sides, strict=True)
            ]
        )
    return frames


def false_hands(
    rng: np.random.Generator,
    clip: HandClip,
    views: HandViews,
    found: Bool[Array, "f h"],
    parameters: NoiseParameters,
) -> list[list[HandDetection]]:
    """Draw hands where there are none: copies of a true one, elsewhere and of another size.

    Args:
        rng: Source of randomness.
        clip: The truth.
        views: The same as the detector's task.
        found: Hands that are reported; a false one needs one that is not.
        parameters: How often.
    """
    spells = presences.false_spells(
        rng, np.asarray(~found.all(1)), parameters.false_start, parameters.false_end
    )
    picture = np.array([clip.camera.width_px, clip.camera.height_px])
    result: list[list[HandDetection]] = [[] for _ in spells]
    for spell in range(1, int(spells.max(initial=0)) + 1):
        frames = np.flatnonzero(spells == spell)
        hand, side = int(rng.integers(len(clip.sides))), Side(int(rng.integers(2)))
        place, scale = rng.random(2) * picture, np.exp(0.4 * rng.normal())
        presence, of_side = rng.uniform(0.6, 0.9), rng.uniform(0.7, 1.0)
        shape_px = views.landmarks_px[frames[0], hand]
        shape_m = views.landmarks_m[frames[0], hand]
        jitter = 0.02 * views.size_px[frames[0], hand] * rng.normal(size=(len(frames), 21, 2))
        for frame, noise_px in zip(frames, jitter, strict=True):
            px = place + scale * (shape_px - shape_px.mean(0) + noise_px)
            confidence = presence * np.ones(21)
            result[frame].append(
                HandDetection(
                    side,
                    presence * of_side,
                    px,
                    confidence,
                    shape_m - shape_m.mean(0),
                    "mediapipe",
                )
            )
    return result
