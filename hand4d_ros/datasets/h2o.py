"""H2O (Kwon et al., ICCV 2021): two hands manipulate objects before a head-worn camera."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np

from hand4d_ros import settings
from hand4d_ros.datasets import files
from hand4d_ros.datasets.base import (
    CameraTrack,
    DatasetLoader,
    HandTrackTruth,
    ObjectTruth,
    SequenceRecord,
    chosen,
    stamps_from_numbers,
)
from hand4d_ros.datasets.images import ImageFiles
from hand4d_ros.datasets.info import DatasetInfo
from hand4d_ros.datasets.mano import RELEASED_LEFT, ManoHands, ManoLabels, blank, truth_from_mano
from hand4d_ros.geometry import se3, so3
from hand4d_ros.shapes import Array, Bool, Float, Int
from hand4d_ros.types import CameraModel, Side

INFO = DatasetInfo(
    key="h2o",
    title="H2O",
    description="Two hands manipulate eight objects; four people, four static cameras and one on "
    "the head, 1280x720 at 30 Hz, labels from multi-view RGB-D",
    where="https://h2odataset.ethz.ch",
    access="a request there, which is answered with a name and password",
    licence="as agreed to on that site, for research",
    layout="""\
subject1_ego/                   or subject1, subject1_pose, ...
  h1/0/cam4/                    cam4 is on the head, cam0 to cam3 are static
    cam_intrinsics.txt          fx fy cx cy width height
    cam_pose/000000.txt         4x4, camera to world
    hand_pose/000000.txt        2 x (flag, 21 x 3), left hand first
    hand_pose_mano/000000.txt   2 x (flag, translation 3, pose 48, shape 10), left first
    obj_pose_rt/000000.txt      class, 4x4
    rgb/000000.png              (optional)""",
    world="the setup's, at rest",
    conventions="""\
a sequence is `<subject folder>/<scene>/<number>/<camera>`
keypoints are in the camera's frame, metres and OpenPose order
MANO poses are absolute (flat hand), in the camera's frame; the translation is the model's, the
  wrist is keypoint 0 unless a MANO file is given
left hands are posed with `MANO_LEFT.pkl` as published, as its player does
the README's 59 MANO numbers a hand are 62, as 1 + 3 + 48 + 10 says and its player reads
stamps are frame number / 30""",
    not_derivable="""\
MANO parameters where `hand_pose_mano` was not downloaded""",
    sources="""\
github.com/taeinkwon/h2odataset at ebcb489: README.md, download_script.py
github.com/taeinkwon/h2oplayer: h2oplayer.py (layout of the MANO file, flat hand)
order of the keypoints: as drawn there; github.com/ap229997/forehand4d at 5564bdc agrees""",
)

OBJECTS = ("book", "espresso", "lotion", "spray", "milk", "cocoa", "chips", "cappuccino")
"""Object classes, which count from 1."""

_RATE_HZ = 30.0
_KEYPOINT_COLUMNS = 1 + 63
_MANO_COLUMNS = 1 + 3 + 48 + 10
_SIDES = (Side.LEFT, Side.RIGHT)
_MANO_FIELDS = ("R_world_wrist", "wrist_m", "joint_rotvec", "betas")


@dataclass(frozen=True)
class H2OConfig:
    """What of H2O to read."""

    camera: int = field(default=4, metadata={"min": 0, "max": 4})
    """Camera whose sequences are listed: 4 is on the head, 0 to 3 are static."""

    def __post_init__(self) -> None:
        """Reject cameras that H2O does not have."""
        settings.check(self)


class H2O(DatasetLoader):
    """Loader of H2O."""

    def __init__(
        self, root: Path, config: H2OConfig | None = None, mano: ManoHands | None = None
    ) -> None:
        """Take the folder that holds the subjects; nothing is read."""
        self.root = root
        self.config = config or H2OConfig()
        self.mano = mano

    def sequence_names(self) -> tuple[str, ...]:
        """``<subject folder>/<scene>/<number>/<camera>`` of all that are there."""
        camera = f"cam{self.config.camera}"
        found = sorted(files.folder(self.root, INFO).glob(f"subject*/*/*/{camera}/hand_pose"))
        if not found:
            raise INFO.missing(self.root / "subject*" / "<scene>" / "<number>" / camera)
        return tuple(path.parent.relative_to(self.root).as_posix() for path in found)

    def sequence(self, name: str, frames: range | None = None) -> SequenceRecord:
        """Read one recording as one camera has it; see ``DatasetLoader``."""
        where = files.folder(self.root / name, INFO)
        stems = sorted(p.stem for p in files.folder(where / "hand_pose", INFO).glob("*.txt"))
        stems = [stems[i] for i in chosen(len(stems), frames, f"H2O {name}")]
        numbers = np.array([int(stem) for stem in stems])
        stamps_ns = stamps_from_numbers(numbers, _RATE_HZ)
        camera = CameraTrack(
            name=where.name,
            model=_intrinsics(where / "cam_intrinsics.txt"),
            stamps_ns=stamps_ns,
            rows=np.arange(len(stems)),
            T_world_camera=_camera_poses(where, stems),
            images=_pictures(where / "rgb", stems),
        )
        keypoints = _lines(where / "hand_pose", stems, 2 * _KEYPOINT_COLUMNS)
        folder = _first_folder(where, "hand_pose_mano", "hand_pose_MANO")
        mano = None if folder is None else _lines(folder, stems, 2 * _MANO_COLUMNS)
        return SequenceRecord(
            dataset=INFO.key,
            name=name,
            stamps_ns=stamps_ns,
            stamps_are="rate",
            frame_numbers=numbers,
            world="fixed",
            cameras=(camera,),
            hands=tuple(
                self._hand(row, side, keypoints, mano, camera.T_world_camera)
                for row, side in enumerate(_SIDES)
            ),
            objects=_objects(where, stems, camera.T_world_camera),
            notes=(RELEASED_LEFT,),
        )

    def _hand(
        self,
        number: int,
        side: Side,
        keypoints: Float[Array, "n 128"],
        mano: Float[Array, "n 124"] | None,
        T_world_camera: Float[Array, "n 4 4"],
    ) -> HandTrackTruth:
        stated = keypoints.reshape(-1, 2, _KEYPOINT_COLUMNS)[:, number]
        valid: Bool[Array, "n"] = stated[:, 0] == 1.0
        points_m = blank(stated[:, 1:].reshape(-1, 21, 3), ~valid)
        truth = HandTrackTruth(
            side=side, valid=valid, keypoints_m=se3.apply(T_world_camera, points_m)
        )
        if mano is None:
            return replace(truth, missing=dict.fromkeys(_MANO_FIELDS, "there is no hand_pose_mano"))
        hand = mano.reshape(-1, 2, _MANO_COLUMNS)[:, number]
        labels = ManoLabels(
            side=side,
            valid=valid & (hand[:, 0] == 1.0),
            global_rotvec=hand[:, 4:7],
            transl_m=hand[:, 1:4],
            betas=hand[:, 52:],
            joint_rotvec=hand[:, 7:52].reshape(-1, 15, 3),
            left_shape="released",
            keypoints_m=points_m,
            keypoint_wrist=True,
        )
        fitted = truth_from_mano(labels, T_world_camera, self.mano)
        # Keypoints are labelled in some frames that MANO was not fitted to.
        return replace(fitted, valid=valid, keypoints_m=truth.keypoints_m)


def _intrinsics(path: Path) -> CameraModel:
    fx, fy, cx, cy, width, height = files.rows(path, INFO, 6)[0].tolist()
    return CameraModel(int(width), int(height), fx, fy, cx, cy)


def _camera_poses(where: Path, stems: list[str]) -> Float[Array, "n 4 4"]:
    T = _lines(where / "cam_pose", stems, 16).reshape(-1, 4, 4)
    T[:, :3, :3] = so3.nearest_rotation(T[:, :3, :3])
    return T


def _lines(folder: Path, stems: list[str], columns: int) -> Float[Array, "n columns"]:
    """One file of numbers a frame, however they are broken into lines."""
    every = []
    for stem in stems:
        path = folder / f"{stem}.txt"
        text = " ".join(files.content(path, INFO).split())
        try:
            values = np.array([float(word) for word in text.split()])
        except ValueError as error:
            raise INFO.foreign(path, f"holds no numbers ({error})", f"{columns}") from None
        if len(values) != columns:
            raise INFO.foreign(
                path, f"has {len(values)} numbers", f"{columns}, as labels of version 1.1 have"
            )
        every.append(values)
    return np.stack(every)


def _first_folder(where: Path, *names: str) -> Path | None:
    """The README spells some folders in capitals, the archives do not."""
    return next((where / name for name in names if (where / name).is_dir()), None)


def _pictures(folder: Path, stems: list[str]) -> ImageFiles | None:
    if not folder.is_dir():
        return None
    suffix = ".jpg" if (folder / f"{stems[0]}.jpg").is_file() else ".png"
    return ImageFiles([folder / f"{stem}{suffix}" for stem in stems])


def _objects(
    where: Path, stems: list[str], T_world_camera: Float[Array, "n 4 4"]
) -> tuple[ObjectTruth, ...]:
    folder = _first_folder(where, "obj_pose_rt", "obj_pose_RT", "object_pose_RT")
    if folder is None:
        return ()
    stated = _lines(folder, stems, 17)
    classes: Int[Array, "n"] = stated[:, 0].astype(int)
    T_camera_object = stated[:, 1:].reshape(-1, 4, 4)
    found = []
    for number in sorted(set(classes[classes > 0].tolist())):
        if number > len(OBJECTS):
            raise INFO.foreign(folder, f"names an object class {number}", f"1 to {len(OBJECTS)}")
        T = T_world_camera @ T_camera_object
        T[classes != number] = np.nan
        found.append(ObjectTruth(OBJECTS[number - 1], T))
    return tuple(found)
