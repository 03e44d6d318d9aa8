"""Suite ``real``: hands of real glasses in the world, and real hand motion to forecast.

Estimators get the head-worn glasses' grey pictures, seen by the real detector, with the size of
the person's hand unknown (the main figures) and known (a group). Forecasters get the desk
sensor's recordings, resampled to 30 per second. What is called true is itself a tracker's, good to
one or two centimetres for the glasses; keypoints that a tracker lacks are those of the hand model
fitted to the others. Seed and difficulty change nothing here.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

import hand4d_ros
from hand4d_ros.datasets.base import HandTrackTruth, SequenceRecord
from hand4d_ros.datasets.real import RealRecordings, real_folder
from hand4d_ros.detection.mediapipe_detector import MediaPipeDetector
from hand4d_ros.errors import DatasetError
from hand4d_ros.evaluation.clips import IN_VIEW_KEYPOINTS, Clip, ClipTruth, HandSeriesTruth, Sample
from hand4d_ros.evaluation.forecasts import STEP_S, Recording
from hand4d_ros.evaluation.methods import FORECASTERS, METHODS
from hand4d_ros.evaluation.model_fit import fitted
from hand4d_ros.evaluation.motions import Motion, resampled, tracks_from_motions
from hand4d_ros.evaluation.suites.base import (
    Progress,
    SuiteOptions,
    SuiteResult,
    add_clip,
    no_progress,
)
from hand4d_ros.evaluation.suites.forecast import run_forecasters
from hand4d_ros.evaluation.suites.images import detected, kept
from hand4d_ros.geometry import camera as cameras
from hand4d_ros.geometry import se3
from hand4d_ros.hand.builtin import builtin_hand
from hand4d_ros.hand.orders import MIDDLE_MCP, WRIST
from hand4d_ros.hand.sizing import hand_size
from hand4d_ros.shapes import Array, Float, Int
from hand4d_ros.types import Side

DEFAULT_FOLDER = Path(hand4d_ros.__file__).parent.parent.parent / "shared" / "data"
"""Where recordings are looked for if the environment does not say, beside a checkout."""
GLASSES = "aria_gen2"
GLASSES_CAMERA = "slam-front-right"
UNKNOWN, KNOWN = "hand size unknown", "hand size known"
EVERY_S = 0.2
"""Time between two forecasts of one recording."""
LEAST_PAST_S = 0.4
"""Recordings are short, so forecasters get less of a past at first."""
LEAST_FUTURE_S = 0.2
SENSOR_STD_M = 0.002
_LONGEST_GAP_S = 0.1


def run(
    options: SuiteOptions, methods: Sequence[str], progress: Progress = no_progress
) -> SuiteResult:
    """Run estimators and forecasters on the recordings that are there.

    Args:
        options: Of which only the number of clips counts: so many recordings of the desk sensor.
        methods: Names from either registry.
        progress: Called after every method and recording.

    Returns:
        The result; without recordings it has no rows and a note that says where to get them.
    """
    result = SuiteResult("real", options, [])
    try:
        loader = RealRecordings(real_folder(DEFAULT_FOLDER))
        names = loader.sequence_names()
    except DatasetError as error:
        result.notes.append(f"skipped: {error}")
        return result
    estimators = [name for name in methods if name in METHODS]
    forecasters = [name for name in methods if name in FORECASTERS]
    sensor = [name for name in names if name.startswith("leap/")][: options.clips]
    if estimators and GLASSES in names:
        _run_estimators(result, loader.sequence(GLASSES), estimators, progress)
    if forecasters and sensor:
        recorded = recordings(loader, sensor)
        run_forecasters(result, recorded, forecasters, progress, total=len(sensor))
        result.notes.append(
            f"forecasts on {', '.join(sensor)}: past and future are the sensor's own"
        )
    return result


def recordings(loader: RealRecordings, names: Sequence[str]) -> Iterator[Recording]:
    """Read recordings of the desk sensor, one after the other.

    Args:
        loader: Of the recordings.
        names: Of the sequences.
    """
    for name in names:
        record = loader.sequence(name)
        first_ns, last_ns = int(record.stamps_ns[0]), int(record.stamps_ns[-1])
        count = int((last_ns - first_ns) * 1e-9 / STEP_S) + 1
        stamps_ns = first_ns + np.rint(np.arange(count) * STEP_S * 1e9).astype(np.int64)
        motions = tuple(_motion(hand, record, stamps_ns) for hand in record.hands)
        first = round(LEAST_PAST_S / STEP_S)
        last = count - round(LEAST_FUTURE_S / STEP_S)
        rows = tuple(range(first, last, round(EVERY_S / STEP_S)))
        yield Recording(name, stamps_ns, tracks_from_motions(stamps_ns, motions), motions, rows)


def glasses_sample(record: SequenceRecord) -> tuple[Sample, float]:
    """Make a clip of the glasses' pictures, with the real detector's keypoints.

    Args:
        record: Of the glasses.

    Returns:
        The clip with its truth, and the length of the person's hand by its middle knuckle (m).
    """
    camera = record.camera(GLASSES_CAMERA)
    if camera.model is None or camera.images is None:
        raise DatasetError(f"{record.name}: {GLASSES_CAMERA} has no intrinsics or no pictures")
    clip = Clip(
        name=GLASSES,
        stamps_ns=camera.stamps_ns,
        camera=camera.model,
        detections=((),) * len(camera.stamps_ns),
        T_world_camera=camera.T_world_camera,
        draw=camera.images.read,
    )
    clip = kept(clip)
    detector = MediaPipeDetector()
    clip = replace(clip, detections=detected(clip, detector))
    detector.close()
    hands = {}
    palms_m = []
    for hand in record.hands:
        recorded_m = hand.required("keypoints_m")[camera.rows]
        palms_m.append(np.linalg.norm(recorded_m[:, MIDDLE_MCP] - recorded_m[:, WRIST], axis=-1))
        hands[hand.side] = _glasses_hand(clip, hand.side, recorded_m)
    truth = ClipTruth(camera.T_world_camera, hands)
    every = np.ones(len(clip), dtype=bool)
    groups = {UNKNOWN: dict.fromkeys(hands, every)}
    return Sample(clip, truth, groups), _hand_length_m(float(np.median(palms_m)))


def _run_estimators(
    result: SuiteResult,
    record: SequenceRecord,
    names: Sequence[str],
    progress: Progress,
) -> None:
    """Judge every estimator twice: the main figures are those with the size unknown."""
    sample, length_m = glasses_sample(record)
    known = replace(sample.clip, hand_length_m=length_m)
    known_sample = replace(sample, clip=known, groups={KNOWN: sample.groups[UNKNOWN]})
    for place, name in enumerate(names):
        method = METHODS[name].make()
        row = result.of(name)
        add_clip(row, sample, method)
        add_clip(row, known_sample, method, only_groups=True)
        progress((place + 1) * len(known), len(names) * len(known))
    result.notes.append(
        f"{GLASSES}: the person's hand is {length_m:.3f} m long by the middle knuckle"
    )


def _glasses_hand(clip: Clip, side: Side, recorded_m: Float[Array, "t 21 3"]) -> HandSeriesTruth:
    """The glasses' landmarks as truth, the one that they lack from the fitted model."""
    fit = fitted(recorded_m, side, builtin_hand())
    keypoints_m = fit.completed(recorded_m)
    p_camera = se3.apply(se3.inverse(clip.T_world_camera), keypoints_m)
    px = cameras.project(clip.camera, p_camera)
    inside = cameras.in_image(clip.camera, np.where(np.isfinite(px), px, -1e6))
    return HandSeriesTruth(side, keypoints_m, px, inside.sum(axis=1) >= IN_VIEW_KEYPOINTS)


def _hand_length_m(palm_m: float) -> float:
    """Length of the hand whose middle knuckle is so far from the wrist."""
    model = builtin_hand()
    size = hand_size(model, {"wrist-middle_mcp": palm_m})
    return round(float(model.with_shape(size.betas).hand_length_m), 4)


def _motion(hand: HandTrackTruth, record: SequenceRecord, stamps_ns: Int[Array, "t"]) -> Motion:
    """A hand of the desk sensor as a model that moves."""
    recorded_m = hand.required("keypoints_m")
    even_m = resampled(recorded_m, record.stamps_ns, stamps_ns, _LONGEST_GAP_S)
    fit = fitted(even_m, hand.side, builtin_hand())
    return Motion(
        side=hand.side,
        track_id=f"{hand.side.label}-{hand.track_id}",
        hand=fit.hand,
        T_world_wrist=fit.T_world_wrist,
        joint_rotvec=fit.joint_rotvec,
        keypoints_m=fit.keypoints_m,
        std_m=SENSOR_STD_M,
    )
