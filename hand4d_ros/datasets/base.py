"""The records that every loader yields, whatever its dataset's files look like.

All of a sequence is in one world, in metres: what a dataset states per camera is moved there.
Missing truth is NaN and never zero, and what a dataset cannot give is None with the reason.
"""

from __future__ import annotations

import dataclasses
from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, Protocol, runtime_checkable

import numpy as np

from hand4d_ros.errors import DatasetError
from hand4d_ros.geometry import se3
from hand4d_ros.shapes import Array, Bool, Float, Int, UInt8
from hand4d_ros.types import CameraModel, Frame, Side

WorldKind = Literal["fixed", "camera"]
"""``fixed``: at rest in the room. ``camera``: moves with the camera; the dataset has no other."""

StampKind = Literal["measured", "rate", "assumed"]
"""``measured``: from the files. ``rate``: frame number over the stated rate. ``assumed``: the
dataset states no rate either."""


@runtime_checkable
class ImageSource(Protocol):
    """The pictures of one camera, read one by one when asked for."""

    def __len__(self) -> int:
        """Number of frames of this camera."""
        ...

    def has(self, index: int) -> bool:
        """Whether a frame has a picture that lies there."""
        ...

    def read(self, index: int) -> UInt8[Array, "h w 3"]:
        """Read one picture, RGB.

        Raises:
            DatasetError: It is missing or damaged.
        """
        ...


@dataclass(frozen=True)
class CameraTrack:
    """One camera over the sequence, with ``m`` frames of its own."""

    name: str
    model: CameraModel | None
    """None where the dataset gives no intrinsics."""
    stamps_ns: Int[Array, "m"]
    """Rising."""
    rows: Int[Array, "m"]
    """Row of the hands' arrays that holds the truth of each frame of this camera."""
    T_world_camera: Float[Array, "m 4 4"]
    """NaN where unknown; a static camera repeats one pose."""
    images: ImageSource | None = None
    """None where the dataset has none, or they are not there."""


@dataclass(frozen=True)
class HandTrackTruth:
    """What a dataset says of one hand in each of ``n`` frames. Arrays are NaN where it does not."""

    side: Side
    valid: Bool[Array, "n"]
    """Frames in which the dataset labels this hand."""
    keypoints_m: Float[Array, "n 21 3"] | None = None
    """In the world, OpenPose order; single keypoints may be NaN."""
    R_world_wrist: Float[Array, "n 3 3"] | None = None
    """MANO global orientation, of the hand model of this side."""
    wrist_m: Float[Array, "n 3"] | None = None
    """MANO's wrist joint in the world."""
    joint_rotvec: Float[Array, "n 15 3"] | None = None
    """Axis-angle (rad) of joints 1..15 in MANO order, absolute from the flat hand."""
    betas: Float[Array, "n 10"] | None = None
    """MANO shape coefficients (standard deviations)."""
    palm_m: Float[Array, "n 3"] | None = None
    """Palm centre in the world, for trackers that have one."""
    confidence: Float[Array, "n"] | None = None
    """0..1, for recordings whose truth is itself a tracker's."""
    track_id: str = ""
    """Tells apart several hands of one side, where a recording has them."""
    missing: Mapping[str, str] = field(default_factory=dict)
    """Why a field is None, by its name."""

    @property
    def T_world_wrist(self) -> Float[Array, "n 4 4"]:
        """Wrist poses (m), NaN where not labelled.

        Raises:
            DatasetError: The dataset lacks the orientation or the position.
        """
        return se3.from_rotation_translation(
            self.required("R_world_wrist"), self.required("wrist_m")
        )

    @property
    def keypoint_valid(self) -> Bool[Array, "n 21"]:
        """Keypoints that are known.

        Raises:
            DatasetError: The dataset has no keypoints.
        """
        known: Bool[Array, "n 21"] = np.isfinite(self.required("keypoints_m")).all(axis=-1)
        return known

    def required(self, name: str) -> Array:
        """Return a field of this record that the caller cannot do without.

        Args:
            name: Such as ``"keypoints_m"``.

        Raises:
            DatasetError: It is None; says why.
        """
        value = getattr(self, name)
        if value is None:
            why = self.missing.get(name, "the dataset does not have it")
            raise DatasetError(f"the {self.side.label} hand has no {name}: {why}")
        return np.asarray(value)


@dataclass(frozen=True)
class ObjectTruth:
    """One rigid object, or one that opens about an axis, in each of ``n`` frames."""

    name: str
    T_world_object: Float[Array, "n 4 4"]
    """NaN where not labelled."""
    angle_rad: Float[Array, "n"] | None = None
    """How far an articulated object is open."""


@dataclass(frozen=True)
class SequenceRecord:
    """One recording with ``n`` labelled instants."""

    dataset: str
    """Key in the registry."""
    name: str
    """As the dataset names it, with ``/`` between the parts."""
    stamps_ns: Int[Array, "n"]
    """Rising. Only their differences mean something unless they are measured."""
    stamps_are: StampKind
    frame_numbers: Int[Array, "n"]
    """As the dataset counts them."""
    world: WorldKind
    cameras: tuple[CameraTrack, ...]
    hands: tuple[HandTrackTruth, ...]
    objects: tuple[ObjectTruth, ...] = ()
    notes: tuple[str, ...] = ()
    """What a user of these numbers must know, in full sentences."""

    def __post_init__(self) -> None:
        """Refuse arrays that do not belong together.

        Raises:
            DatasetError: Lengths differ or stamps do not rise; a loader would be wrong.
        """
        count = len(self.stamps_ns)
        _check_rising(f"{self.name}: stamps", self.stamps_ns)
        _check_lengths(self.name, count, frame_numbers=self.frame_numbers)
        for part in (*self.hands, *self.objects):
            _check_lengths(f"{self.name}: {type(part).__name__}", count, **_arrays(part))
        for camera in self.cameras:
            where = f"{self.name}: camera {camera.name}"
            _check_rising(f"{where}: stamps", camera.stamps_ns)
            _check_lengths(where, len(camera.stamps_ns), **_arrays(camera))
            if len(camera.rows) and not 0 <= camera.rows.min() <= camera.rows.max() < count:
                raise DatasetError(f"{where}: rows are not within 0..{count - 1}")

    def __len__(self) -> int:
        """Number of labelled instants."""
        return len(self.stamps_ns)

    def hand(self, side: Side) -> HandTrackTruth:
        """Return the one hand of a side.

        Raises:
            DatasetError: There is none, or there are several tracks of that side.
        """
        found = self.tracks(side)
        if len(found) == 1:
            return found[0]
        have = ", ".join(f"{h.side.label} {h.track_id}".strip() for h in self.hands) or "none"
        raise DatasetError(
            f"{self.dataset} {self.name}: {len(found)} {side.label} hands, not one; it has {have}"
        )

    def tracks(self, side: Side) -> tuple[HandTrackTruth, ...]:
        """Every hand of a side."""
        return tuple(hand for hand in self.hands if hand.side is side)

    def camera(self, name: str = "") -> CameraTrack:
        """Return a camera by its name; the only one if no name is given.

        Raises:
            DatasetError: There is no such camera, or a choice is left to you.
        """
        found = [camera for camera in self.cameras if name in ("", camera.name)]
        if len(found) == 1:
            return found[0]
        have = ", ".join(camera.name for camera in self.cameras) or "none"
        raise DatasetError(f"{self.dataset} {self.name}: camera {name!r}; choose one of {have}")

    def frames(self, camera: str = "") -> Iterator[tuple[int, Frame]]:
        """Yield the pictures of a camera that are there, each with its row of the truth.

        Raises:
            DatasetError: The camera is unknown, or has no pictures or no intrinsics; or a
                picture is damaged.
        """
        track = self.camera(camera)
        if track.images is None or track.model is None:
            lacks = "pictures" if track.images is None else "intrinsics"
            raise DatasetError(f"{self.dataset} {self.name}: camera {track.name} has no {lacks}")
        for index, row in enumerate(track.rows):
            if not track.images.has(index):
                continue
            T_world_camera = track.T_world_camera[index]
            known = bool(np.isfinite(T_world_camera).all())
            yield (
                int(row),
                Frame(
                    int(track.stamps_ns[index]),
                    track.images.read(index),
                    track.model,
                    T_world_camera if known else None,
                    camera_frame=track.name,
                ),
            )


class DatasetLoader(ABC):
    """What every loader does. Nothing is read before it is asked for."""

    @abstractmethod
    def sequence_names(self) -> tuple[str, ...]:
        """Names of all sequences that are there, sorted.

        Raises:
            DatasetError: The dataset is not there.
        """

    @abstractmethod
    def sequence(self, name: str, frames: range | None = None) -> SequenceRecord:
        """Read the labels of one sequence.

        Args:
            name: One of ``sequence_names``.
            frames: Positions to read; files of other frames are left unopened. None is all.

        Raises:
            DatasetError: It is missing, foreign or of another version.
        """

    def sequences(self) -> Iterator[SequenceRecord]:
        """Read one sequence after the other.

        Raises:
            DatasetError: As ``sequence``.
        """
        return (self.sequence(name) for name in self.sequence_names())


def chosen(count: int, frames: range | None, where: str) -> Int[Array, "n"]:
    """Positions of the frames to read.

    Args:
        count: How many there are.
        frames: Which to take; None is all.
        where: The sequence, for the message.

    Raises:
        DatasetError: There are none, or ``frames`` is empty, not rising or goes beyond them.
    """
    wanted = range(count) if frames is None else frames
    if not len(wanted) or wanted.step < 1 or wanted[0] < 0 or wanted[-1] >= count:
        raise DatasetError(f"{where} has {count} frames; {wanted} takes none or goes beyond them")
    return np.fromiter(wanted, dtype=np.int64, count=len(wanted))


def stamps_from_numbers(numbers: Int[Array, "n"], rate_hz: float) -> Int[Array, "n"]:
    """Nanoseconds of frame numbers that count at a fixed rate."""
    return np.rint(np.asarray(numbers) * (1e9 / rate_hz)).astype(np.int64)


def _arrays(part: Any) -> dict[str, Array]:
    """The array fields of a record."""
    values = {f.name: getattr(part, f.name) for f in dataclasses.fields(part)}
    return {name: value for name, value in values.items() if isinstance(value, np.ndarray)}


def _check_lengths(where: str, count: int, **arrays: Array) -> None:
    for name, array in arrays.items():
        if len(array) != count:
            raise DatasetError(f"{where}: {name} has {len(array)} rows, expected {count}")


def _check_rising(where: str, stamps_ns: Int[Array, "n"]) -> None:
    if np.any(np.diff(stamps_ns) <= 0):
        late = int(np.argmax(np.diff(stamps_ns) <= 0)) + 1
        raise DatasetError(f"{where} do not rise at frame {late}")


def repeated(T: Float[Array, "4 4"], count: int) -> Float[Array, "n 4 4"]:
    """One pose for each of ``count`` frames, without copying it."""
    return np.broadcast_to(T, (count, 4, 4))
