"""What a run did, as arrays over the images of its input: read from an input and an output bag.

Both kinds of runs read alike: live ones, recorded from the nodes, and offline ones. One row is
one image of the input, whether or not a result came of it.
"""

from __future__ import annotations

import struct
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from hand4d_ros.errors import BagError, RosError
from hand4d_ros.geometry.camera import in_image, project
from hand4d_ros.geometry.se3 import inverse
from hand4d_ros.hand import measures
from hand4d_ros.replay.bags import BagReader
from hand4d_ros.replay.context import BagInputConfig
from hand4d_ros.replay.frames import BagFrames
from hand4d_ros.replay.inputs import DIAGNOSTICS_TYPE, HANDS_TYPE, TRUTH_TOPIC, find_hands
from hand4d_ros.shapes import Array, Bool, Float, Int
from hand4d_ros.types import CameraModel, Side, TrackingState
from hand4d_ros.wire import TrackedHands, tracked_hands_from_array
from hand4d_ros.wire_sensors import drops_from_diagnostics

ABSENT = -1
"""State of a row without this hand, beside the values of ``TrackingState``."""

IN_VIEW_KEYPOINTS = 15
IN_VIEW_PRESENCE = 0.5
IN_VIEW_RULE = (
    f"at least {IN_VIEW_KEYPOINTS} of the 21 true keypoints inside the image, and the truth's "
    f"presence above {IN_VIEW_PRESENCE}"
)
"""When a true hand counts as in view, in words."""


@dataclass(frozen=True)
class HandSeries:
    """One hand over the images of a run; NaN where it is not there."""

    side: Side
    state: Int[Array, "n"]
    """Value of ``TrackingState``, or ``ABSENT``."""
    age_s: Float[Array, "n"]
    presence: Float[Array, "n"]
    T_world_wrist: Float[Array, "n 4 4"]
    keypoints_m: Float[Array, "n 21 3"]
    """In the world."""
    keypoint_std_m: Float[Array, "n 21"]
    joint_rotvec: Float[Array, "n 15 3"]
    betas: Float[Array, "n 10"]

    @property
    def tracked(self) -> Bool[Array, "n"]:
        """Rows in which the hand is published as there: not absent, not lost."""
        return self.state > int(TrackingState.LOST)

    @property
    def observed(self) -> Bool[Array, "n"]:
        """Rows in which the hand was seen in the image itself."""
        return self.state == int(TrackingState.OBSERVED)

    @property
    def wrist_m(self) -> Float[Array, "n 3"]:
        """Wrist in the world."""
        return self.keypoints_m[:, 0]

    @property
    def grasp(self) -> Float[Array, "n"]:
        """0 flat to 1 fist."""
        return measures.grasp(self.keypoints_m)

    @property
    def pinch(self) -> Float[Array, "n"]:
        """0 open to 1 pinched."""
        return measures.pinch(self.keypoints_m)


@dataclass(frozen=True)
class Run:
    """Everything that reports are made of."""

    stamps_ns: Int[Array, "n"]
    """Capture times of the images, each once, rising."""
    processed: Bool[Array, "n"]
    """Images that hands were published for."""
    T_world_camera: Float[Array, "n 4 4"]
    """NaN where it is not known."""
    latency_ms: Float[Array, "n"]
    """From capture to publication; NaN offline and for images without a result."""
    camera: CameraModel
    hands: Mapping[Side, HandSeries]
    truth: Mapping[Side, HandSeries] = field(default_factory=dict)
    """Empty where the input has none."""
    in_view: Mapping[Side, Bool[Array, "n"]] = field(default_factory=dict)
    """By ``IN_VIEW_RULE``; empty without a truth."""
    drops: Mapping[str, int] = field(default_factory=dict)
    """Images without a result or a pose, by reason, most frequent first."""
    world_frame: str = ""
    camera_frame: str = ""
    hand_model: str = ""
    model_id: str = ""
    notes: tuple[str, ...] = ()

    @property
    def seconds(self) -> Float[Array, "n"]:
        """Time since the first image (s)."""
        return (self.stamps_ns - self.stamps_ns[0]) * 1e-9

    @property
    def duration_s(self) -> float:
        """Time from the first to the last image."""
        return float(self.seconds[-1])

    @property
    def is_static(self) -> bool:
        """Whether the world is the frame of a camera that does not move."""
        return self.world_frame == self.camera_frame


def load_run(
    input_bag: Path,
    output_bag: Path,
    config: BagInputConfig | None = None,
    hands_topic: str = "",
) -> Run:
    """Read a run from its two bags.

    Args:
        input_bag: Images, camera_info, odometry and perhaps the truth.
        output_bag: Hands, and perhaps diagnostics; may be the input bag itself.
        config: Topics of the input.
        hands_topic: Topic of the hands; empty finds it.

    Raises:
        BagError: A bag cannot be read, or the two are not of one run.
    """
    with BagFrames(input_bag, config) as source, BagReader(output_bag) as output:
        stamps_ns = _image_stamps(source)
        first = next((f.frame for f in source.frames() if f.frame is not None), None)
        if first is None:
            msg = f"{input_bag} has no image that can be used: {'; '.join(source.notes)}"
            raise BagError(msg)
        rows = _Rows(stamps_ns)
        rows.read(output, find_hands(output, hands_topic))
        if rows.messages and not rows.filled.any():
            msg = f"no hands in {output_bag} have the stamp of an image of {input_bag}"
            raise BagError(msg)
        truth = _Rows(stamps_ns)
        if any(t.name == TRUTH_TOPIC and t.msgtype == HANDS_TYPE for t in source.bag.topics):
            truth.read(source.bag, TRUTH_TOPIC)
        T_true = np.where(np.isnan(truth.T_world_camera), rows.T_world_camera, truth.T_world_camera)
        last = rows.last or TrackedHands(0, (), first.world_frame)
        return Run(
            stamps_ns=stamps_ns,
            processed=rows.filled,
            T_world_camera=rows.T_world_camera,
            latency_ms=rows.latency_ms,
            camera=first.camera,
            hands=rows.hands,
            truth=truth.hands if truth.messages else {},
            in_view=_in_views(truth.hands, T_true, first.camera) if truth.messages else {},
            drops=_drops(output, int((~rows.filled).sum())),
            world_frame=last.world_frame,
            camera_frame=first.camera_frame,
            hand_model=last.hand_model,
            model_id=last.model_id,
            notes=(*source.notes, *([output.note] if output.note else [])),
        )


def stamp_from_cdr(data: bytes | memoryview) -> int:
    """Return the stamp (ns) of a serialised message that begins with a header.

    Images are large, and their stamp is all that is needed of most of them.
    """
    sec, nanosec = struct.unpack("<iI" if bytes(data[1:2]) == b"\x01" else ">iI", data[4:12])
    return int(sec) * 1_000_000_000 + int(nanosec)


def _image_stamps(source: BagFrames) -> Int[Array, "n"]:
    raw = source.bag.serialized([source.topics.image])
    stamps = {stamp_from_cdr(data) for _, _, _, data in raw}
    return np.array(sorted(stamp for stamp in stamps if stamp > 0), dtype=np.int64)


class _Rows:
    """Arrays over the images of a run that are filled message by message."""

    def __init__(self, stamps_ns: Int[Array, "n"]) -> None:
        n = len(stamps_ns)
        self._row = {int(stamp_ns): row for row, stamp_ns in enumerate(stamps_ns)}
        self.messages = 0
        self.last: TrackedHands | None = None
        self.filled = np.zeros(n, dtype=bool)
        self.T_world_camera = np.full((n, 4, 4), np.nan)
        self.latency_ms = np.full(n, np.nan)
        self.hands = {side: _empty_series(side, n) for side in Side}

    def read(self, bag: BagReader, topic: str) -> None:
        """Fill the rows whose images a topic has hands for."""
        for read in bag.messages([topic]):
            try:
                hands = tracked_hands_from_array(read.message)
            except (RosError, AttributeError, ValueError) as error:
                msg = f"{bag.path}: {topic} holds no hands of this version's kind: {error}"
                raise BagError(msg) from error
            self.messages += 1
            row = self._row.get(hands.stamp_ns)
            # What comes again for an image is no result of it: a node that stops declares its
            # hands lost under the last stamp, and a bag that loops repeats its stamps.
            if row is not None and not self.filled[row]:
                self._fill(row, hands)

    def _fill(self, row: int, hands: TrackedHands) -> None:
        self.last = hands
        self.filled[row] = True
        self.latency_ms[row] = hands.latency_ms
        if hands.T_world_camera is not None:
            self.T_world_camera[row] = hands.T_world_camera
        for track in hands.tracks:
            series = self.hands[track.hand.side]
            series.state[row] = int(track.tracking_state)
            series.age_s[row] = track.age_ns * 1e-9
            series.presence[row] = track.presence
            # The last known pose of a lost hand is no estimate.
            if track.tracking_state is not TrackingState.LOST:
                series.T_world_wrist[row] = track.hand.T_frame_wrist
                series.keypoints_m[row] = track.hand.keypoints_m
                series.keypoint_std_m[row] = track.hand.keypoint_std_m
                series.joint_rotvec[row] = track.hand.joint_rotvec
                series.betas[row] = track.hand.betas


def _empty_series(side: Side, n: int) -> HandSeries:
    return HandSeries(
        side=side,
        state=np.full(n, ABSENT),
        age_s=np.full(n, np.nan),
        presence=np.zeros(n),
        T_world_wrist=np.full((n, 4, 4), np.nan),
        keypoints_m=np.full((n, 21, 3), np.nan),
        keypoint_std_m=np.full((n, 21), np.nan),
        joint_rotvec=np.full((n, 15, 3), np.nan),
        betas=np.full((n, 10), np.nan),
    )


def _in_views(
    truth: Mapping[Side, HandSeries], T_world_camera: Float[Array, "n 4 4"], camera: CameraModel
) -> dict[Side, Bool[Array, "n"]]:
    return {side: _in_view(series, T_world_camera, camera) for side, series in truth.items()}


def _in_view(
    truth: HandSeries, T_world_camera: Float[Array, "n 4 4"], camera: CameraModel
) -> Bool[Array, "n"]:
    """Tell by ``IN_VIEW_RULE`` in which images a true hand is to be seen."""
    known = np.isfinite(T_world_camera).all(axis=(1, 2)) & np.isfinite(truth.wrist_m).all(axis=1)
    visible = np.zeros(len(known), dtype=bool)
    if known.any():
        T_camera_world = inverse(T_world_camera[known])
        rotated = np.einsum("nab,nkb->nka", T_camera_world[:, :3, :3], truth.keypoints_m[known])
        px = project(camera, rotated + T_camera_world[:, None, :3, 3])
        visible[known] = in_image(camera, px).sum(axis=1) >= IN_VIEW_KEYPOINTS
    return visible & (truth.presence > IN_VIEW_PRESENCE)


def _drops(output: BagReader, missing: int) -> dict[str, int]:
    """Return the last counts of the diagnostics, and what no reason was given for."""
    counts: dict[str, int] = {}
    names = [t.name for t in output.topics if t.msgtype == DIAGNOSTICS_TYPE]
    for read in output.messages(names) if names else ():
        counts.update(drops_from_diagnostics(read.message))
    unexplained = missing - sum(counts.values())
    if unexplained > 0:
        counts["not_received"] = unexplained
    ordered = sorted(counts.items(), key=lambda item: (-item[1], item[0]))
    return {reason: count for reason, count in ordered if count}
