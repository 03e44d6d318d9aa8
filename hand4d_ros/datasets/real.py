"""Small real recordings for trying and judging the package, where a folder of them is at hand.

The environment variable ``HAND4D_REAL_DATA`` names the folder; each subfolder is one set, with its
own layout. Their truth is itself a tracker's or an estimator's, see the notes of the records.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from hand4d_ros.datasets import files
from hand4d_ros.datasets.base import (
    CameraTrack,
    DatasetLoader,
    HandTrackTruth,
    SequenceRecord,
    chosen,
    stamps_from_numbers,
)
from hand4d_ros.datasets.images import ImageFiles
from hand4d_ros.datasets.info import DatasetInfo
from hand4d_ros.datasets.mano import ManoHands, blank
from hand4d_ros.errors import DatasetError
from hand4d_ros.shapes import Array, Bool, Float, Int
from hand4d_ros.types import CameraModel, Side

ENVIRONMENT = "HAND4D_REAL_DATA"

INFO = DatasetInfo(
    key="real",
    title="Real recordings",
    description="Head-worn glasses with hand tracking (aria_gen2), a desk sensor (leap), and two "
    "sequences estimated from video (dex_retargeting, dexmv)",
    where="the projects named under sources",
    access=f"put into a folder that the environment variable {ENVIRONMENT} names",
    licence="Apache-2.0 (aria_gen2, leap, dexmv), MIT (dex_retargeting)",
    layout="""\
aria_gen2/sequence.json         cameras and hands_world, with the pictures beside it
leap/*.npz                      t_s, hand_id, is_right, confidence, joints_m
dex_retargeting/human_joint_right.npz   joints_m, fps
dexmv/relocate_mustard_joints.npz       joints_camera_m""",
    world="aria_gen2: the room, gravity-aligned. leap: the sensor, y up. dex_retargeting: the "
    "wrist's place, so the wrist never moves. dexmv: the camera",
    conventions="""\
a sequence is `aria_gen2`, `leap/<name>`, `dex_retargeting` or `dexmv`
aria_gen2 has no base joint of the thumb and leap no wrist: those keypoints are NaN; both have a
  palm centre
leap may have several tracks of one side, each with its `track_id`
stamps are measured (aria_gen2, leap), frame / fps (dex_retargeting) or, as the rate is not
  stated, frame / 30 (dexmv)""",
    not_derivable="""\
MANO parameters: there are none""",
    sources="""\
facebookresearch/projectaria_tools, leapmotion/leapjs-playback, dexsuite/dex-retargeting,
  yzqin/dexmv-sim; the README beside the data""",
)

OPENPOSE_FROM_ARIA = (
    *(5,),
    *(-1, 6, 7, 0),
    *(8, 9, 10, 1),
    *(11, 12, 13, 2),
    *(14, 15, 16, 3),
    *(17, 18, 19, 4),
)
"""Index into the glasses' 21 landmarks (five tips, wrist, then the joints); -1 is not there."""

OPENPOSE_FROM_LEAP = (-1, *range(1, 21))
"""Index into the sensor's 21 (palm centre, then four joints of each finger); -1 is not there."""

_ARIA_PALM, _LEAP_PALM = 20, 0
_ASSUMED_RATE_HZ = 30.0
_NO_MANO = dict.fromkeys(
    ("R_world_wrist", "wrist_m", "joint_rotvec", "betas"), "the recording has no MANO parameters"
)


def real_folder(default: Path | None = None) -> Path:
    """Return the folder of real recordings.

    Args:
        default: Where to look if the environment does not say.

    Raises:
        DatasetError: There is none.
    """
    named = os.environ.get(ENVIRONMENT, "")
    folder = Path(named).expanduser() if named else default
    if folder is None or not folder.is_dir():
        raise INFO.missing(folder or Path(f"${ENVIRONMENT}"))
    return folder


class RealRecordings(DatasetLoader):
    """Loader of the real recordings."""

    def __init__(
        self, root: Path | None = None, config: None = None, mano: ManoHands | None = None
    ) -> None:
        """Take the folder; nothing is read.

        Args:
            root: The folder; None takes the one that the environment names.
            config: There is nothing to choose.
            mano: Not needed: there are no MANO parameters.

        Raises:
            DatasetError: No folder is given and the environment names none.
        """
        del config, mano
        self.root = real_folder() if root is None else root

    def sequence_names(self) -> tuple[str, ...]:
        """Recordings that are there."""
        files.folder(self.root, INFO)
        single = (
            ("aria_gen2", "aria_gen2/sequence.json"),
            ("dex_retargeting", "dex_retargeting/human_joint_right.npz"),
            ("dexmv", "dexmv/relocate_mustard_joints.npz"),
        )
        found = [name for name, file in single if (self.root / file).is_file()]
        found += [f"leap/{path.stem}" for path in self.root.glob("leap/*.npz")]
        if not found:
            raise INFO.missing(self.root / "aria_gen2" / "sequence.json")
        return tuple(sorted(found))

    def sequence(self, name: str, frames: range | None = None) -> SequenceRecord:
        """Read one recording; see ``DatasetLoader``."""
        if name == "aria_gen2":
            return self._aria(frames)
        if name == "dex_retargeting":
            return self._dex_retargeting(frames)
        if name == "dexmv":
            return self._dexmv(frames)
        if name.startswith("leap/"):
            return self._leap(name, frames)
        have = ", ".join(self.sequence_names())
        raise DatasetError(f"there is no real recording {name!r}; choose one of {have}")

    def _aria(self, frames: range | None) -> SequenceRecord:
        path = self.root / "aria_gen2" / "sequence.json"
        found = files.json_mapping(path, INFO)
        samples = files.entry(found, "hands_world", path, INFO)
        at = chosen(len(samples), frames, "aria_gen2")
        samples = [samples[i] for i in at]
        stamps_ns = np.array([int(sample["t_ns"]) for sample in samples])
        return SequenceRecord(
            dataset=INFO.key,
            name="aria_gen2",
            stamps_ns=stamps_ns,
            stamps_are="measured",
            frame_numbers=at,
            world="fixed",
            cameras=tuple(
                _aria_camera(name, camera, path, stamps_ns)
                for name, camera in sorted(files.entry(found, "cameras", path, INFO).items())
            ),
            hands=tuple(_aria_hand(side, samples, path) for side in (Side.LEFT, Side.RIGHT)),
            notes=("The landmarks are the glasses' own tracker, good to 1 to 2 cm.",),
        )

    def _leap(self, name: str, frames: range | None) -> SequenceRecord:
        path = self.root / f"{name}.npz"
        found = files.arrays(path, INFO, ("t_s", "hand_id", "is_right", "confidence", "joints_m"))
        instants, row = np.unique(found["t_s"], return_inverse=True)
        at = chosen(len(instants), frames, name)
        ids, rights = found["hand_id"].tolist(), found["is_right"].tolist()
        tracks = sorted(set(zip(ids, rights, strict=True)))
        return SequenceRecord(
            dataset=INFO.key,
            name=name,
            stamps_ns=np.rint(instants[at] * 1e9).astype(np.int64),
            stamps_are="measured",
            frame_numbers=at,
            world="fixed",
            cameras=(),
            hands=tuple(
                _leap_hand(found, row, len(instants), (hand_id, bool(right)), at)
                for hand_id, right in tracks
            ),
            notes=(
                "The joints are the sensor's own tracker.",
                "The confidence is -1 where the format did not have one yet.",
            ),
        )

    def _dex_retargeting(self, frames: range | None) -> SequenceRecord:
        path = self.root / "dex_retargeting" / "human_joint_right.npz"
        found = files.arrays(path, INFO, ("joints_m", "fps"))
        rate_hz = float(found["fps"])
        notes = (
            "The keypoints are an estimate from human_hand_video.mp4, relative to the wrist.",
            "The camera is static, its intrinsics are not known.",
        )
        joints_m = files.numbers(found["joints_m"], path, INFO, (-1, 21, 3))
        return _right_hand("dex_retargeting", joints_m, frames, rate_hz, notes)

    def _dexmv(self, frames: range | None) -> SequenceRecord:
        path = self.root / "dexmv" / "relocate_mustard_joints.npz"
        found = files.arrays(path, INFO, ("joints_camera_m",))
        notes = (
            "The keypoints are an estimate from RGB-D.",
            "The rate is not stated; 30 Hz is assumed.",
        )
        joints_m = files.numbers(found["joints_camera_m"], path, INFO, (-1, 21, 3))
        return _right_hand("dexmv", joints_m, frames, 0.0, notes)


def _right_hand(
    name: str,
    joints_m: Float[Array, "n 21 3"],
    frames: range | None,
    rate_hz: float,
    notes: tuple[str, ...],
) -> SequenceRecord:
    at = chosen(len(joints_m), frames, name)
    hand = HandTrackTruth(
        side=Side.RIGHT,
        valid=np.isfinite(joints_m[at]).all(axis=(1, 2)),
        keypoints_m=joints_m[at],
        missing=_NO_MANO,
    )
    return SequenceRecord(
        dataset=INFO.key,
        name=name,
        stamps_ns=stamps_from_numbers(at, rate_hz or _ASSUMED_RATE_HZ),
        stamps_are="rate" if rate_hz else "assumed",
        frame_numbers=at,
        world="camera",
        cameras=(),
        hands=(hand,),
        notes=notes,
    )


def _in_openpose_order(
    points_m: Float[Array, "n 21 3"], order: tuple[int, ...]
) -> Float[Array, "n 21 3"]:
    """Reorder; a keypoint that is not there becomes NaN."""
    index = np.array(order)
    out = np.asarray(points_m, dtype=np.float64)[:, index]
    out[:, index < 0] = np.nan
    return out


def _aria_hand(side: Side, samples: list[Mapping[str, Any]], path: Path) -> HandTrackTruth:
    found = [sample.get(side.label) for sample in samples]
    valid = np.array([hand is not None for hand in found])
    landmarks_m = np.full((len(found), 21, 3), np.nan)
    confidence = np.full(len(found), np.nan)
    for row, hand in enumerate(found):
        if hand is not None:
            stated = files.entry(hand, "landmarks_world", path, INFO)
            landmarks_m[row] = files.numbers(stated, path, INFO, (21, 3))
            confidence[row] = float(files.entry(hand, "confidence", path, INFO))
    return HandTrackTruth(
        side=side,
        valid=valid,
        keypoints_m=_in_openpose_order(landmarks_m, OPENPOSE_FROM_ARIA),
        palm_m=landmarks_m[:, _ARIA_PALM],
        confidence=confidence,
        missing=_NO_MANO,
    )


def _aria_camera(
    name: str, found: Mapping[str, Any], path: Path, truth_ns: Int[Array, "n"]
) -> CameraTrack:
    K = files.numbers(files.entry(found, "K", path, INFO), path, INFO, (3, 3))
    (fx, _, cx), (_, fy, cy), _ = K.tolist()
    frames = files.entry(found, "frames", path, INFO)
    stamps_ns = np.array([int(frame["t_ns"]) for frame in frames])
    poses = [files.numbers(frame["T_world_camera"], path, INFO, (4, 4)) for frame in frames]
    return CameraTrack(
        name=name,
        model=CameraModel(int(found["width"]), int(found["height"]), fx, fy, cx, cy),
        stamps_ns=stamps_ns,
        rows=np.abs(stamps_ns[:, None] - truth_ns).argmin(axis=1),
        T_world_camera=np.stack(poses),
        images=ImageFiles([path.parent / frame["file"] for frame in frames]),
    )


def _leap_hand(
    found: Mapping[str, Array],
    row: Int[Array, "samples"],
    count: int,
    track: tuple[int, bool],
    at: Int[Array, "n"],
) -> HandTrackTruth:
    hand_id, right = track
    mine: Bool[Array, "samples"] = (found["hand_id"] == hand_id) & (found["is_right"] == right)
    joints_m = np.full((count, 21, 3), np.nan)
    confidence = np.full(count, np.nan)
    joints_m[row[mine]] = found["joints_m"][mine]
    confidence[row[mine]] = found["confidence"][mine]
    valid = np.isfinite(joints_m[at]).all(axis=(1, 2))
    return HandTrackTruth(
        side=Side(int(right)),
        valid=valid,
        keypoints_m=_in_openpose_order(joints_m[at], OPENPOSE_FROM_LEAP),
        palm_m=blank(joints_m[at, _LEAP_PALM], ~valid),
        confidence=confidence[at],
        track_id=str(hand_id),
        missing=_NO_MANO,
    )
