"""FPHA (Garcia-Hernando et al., CVPR 2018): a right hand with sensors, seen from a shoulder."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

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
    repeated,
    stamps_from_numbers,
)
from hand4d_ros.datasets.images import ImageFiles
from hand4d_ros.datasets.info import DatasetInfo
from hand4d_ros.datasets.mano import ManoHands
from hand4d_ros.geometry import se3, so3
from hand4d_ros.shapes import Array, Float, Int
from hand4d_ros.types import CameraModel, Side

INFO = DatasetInfo(
    key="fpha",
    title="FPHA (First-Person Hand Action)",
    description="A right hand does 45 kitchen, office and social actions; 1175 recordings by six "
    "people, an RGB-D camera on the shoulder, 1920x1080 at 30 Hz, magnetic sensors on the hand",
    where="https://github.com/guiggh/hand_pose_action",
    access="the form that page links to",
    licence="academic research only, non-commercial, no redistribution",
    layout="""\
Hand_pose_annotation_v1_1/Subject_1/put_salt/1/skeleton.txt
Object_6D_pose_annotation_v1/Subject_1/put_salt/1/object_pose.txt   (optional)
Video_files/Subject_1/put_salt/1/color/color_0000.jpeg              (optional)""",
    world="the depth camera, which moves with the person",
    conventions="""\
a sequence is `Subject_<n>/<action>/<repetition>`
keypoints and object translations are in millimetres; the 21 joints come knuckles first and are
  put into OpenPose order
what the files call "world" is the depth camera: the stated extrinsics to the colour camera are
  constant, 26 mm, while the camera moves. There is no room-fixed frame
object poses are written column by column
intrinsics and extrinsics are the README's, one set for all
stamps are frame number / 30""",
    not_derivable="""\
MANO parameters: there are none
the camera's motion in the room""",
    sources="""\
github.com/guiggh/hand_pose_action at b0e8557: README.md, load_example.py""",
)

OPENPOSE_FROM_FPHA = (
    *(0,),
    *(1, 6, 7, 8),
    *(2, 9, 10, 11),
    *(3, 12, 13, 14),
    *(4, 15, 16, 17),
    *(5, 18, 19, 20),
)
"""Index into the file's 21: wrist, the five knuckles, then three joints of each finger."""

COLOR_CAMERA = CameraModel(1920, 1080, 1395.749023, 1395.749268, 935.732544, 540.681030)
"""Intel RealSense SR300, as the README states it."""

_COLOR_FROM_WORLD_MM = np.array(
    [
        [0.999988496304, -0.00468848412856, 0.000982563360594, 25.7],
        [0.00469115935266, 0.999985218048, -0.00273845880292, 1.22],
        [-0.000969709653873, 0.00274303671904, 0.99999576807, 3.902],
    ]
)
_OBJECTS = ("juice_bottle", "liquid_soap", "milk", "salt")
"""Objects with poses; the files do not name them, the actions do."""
_RATE_HZ = 30.0
_MM = 1e-3


@dataclass(frozen=True)
class FphaConfig:
    """What of FPHA to read."""

    version: Literal["v1_1", "v1"] = "v1_1"
    """Version of the hand annotation."""

    def __post_init__(self) -> None:
        """Reject unknown versions."""
        settings.check(self)


class Fpha(DatasetLoader):
    """Loader of FPHA."""

    def __init__(
        self, root: Path, config: FphaConfig | None = None, mano: ManoHands | None = None
    ) -> None:
        """Take the folder that holds the annotations and videos; nothing is read.

        Args:
            root: The folder.
            config: What to read.
            mano: Not needed: the dataset has no MANO parameters.
        """
        del mano
        self.root = root
        self.config = config or FphaConfig()

    def sequence_names(self) -> tuple[str, ...]:
        """``Subject_<n>/<action>/<repetition>`` of all that are there."""
        labels = self._labels()
        found = sorted(labels.glob("Subject_*/*/*/skeleton.txt"))
        if not found:
            raise INFO.missing(labels / "Subject_<n>" / "<action>" / "<repetition>")
        return tuple(path.parent.relative_to(labels).as_posix() for path in found)

    def sequence(self, name: str, frames: range | None = None) -> SequenceRecord:
        """Read one recording; see ``DatasetLoader``."""
        table = files.rows(self._labels() / name / "skeleton.txt", INFO, 1 + 63)
        table = table[chosen(len(table), frames, f"FPHA {name}")]
        numbers = table[:, 0].astype(np.int64)
        keypoints_m = table[:, 1:].reshape(-1, 21, 3)[:, OPENPOSE_FROM_FPHA] * _MM
        stamps_ns = stamps_from_numbers(numbers, _RATE_HZ)
        pictures = self.root / "Video_files" / name / "color"
        camera = CameraTrack(
            name="color",
            model=COLOR_CAMERA,
            stamps_ns=stamps_ns,
            rows=np.arange(len(numbers)),
            T_world_camera=repeated(_world_from_color(), len(numbers)),
            images=ImageFiles([pictures / f"color_{n:04d}.jpeg" for n in numbers])
            if pictures.is_dir()
            else None,
        )
        names = ("R_world_wrist", "wrist_m", "joint_rotvec", "betas")
        hand = HandTrackTruth(
            side=Side.RIGHT,
            valid=np.isfinite(keypoints_m).all(axis=(1, 2)),
            keypoints_m=keypoints_m,
            missing=dict.fromkeys(names, "FPHA has no MANO parameters"),
        )
        return SequenceRecord(
            dataset=INFO.key,
            name=name,
            stamps_ns=stamps_ns,
            stamps_are="rate",
            frame_numbers=numbers,
            world="camera",
            cameras=(camera,),
            hands=(hand,),
            objects=self._objects(name, numbers),
            notes=("The world moves with the camera; nothing says how.",),
        )

    def _labels(self) -> Path:
        wanted = self.root / f"Hand_pose_annotation_{self.config.version}"
        other = "v1" if self.config.version == "v1_1" else "v1_1"
        why = ""
        if (self.root / f"Hand_pose_annotation_{other}").is_dir():
            why = f'There is version {other}: take it with FphaConfig(version="{other}").'
        return files.folder(wanted, INFO, why)

    def _objects(self, name: str, numbers: Int[Array, "n"]) -> tuple[ObjectTruth, ...]:
        path = self.root / "Object_6D_pose_annotation_v1" / name / "object_pose.txt"
        if not path.is_file():
            return ()
        table = files.rows(path, INFO, 1 + 16)
        stated = dict(zip(table[:, 0].astype(int).tolist(), table[:, 1:], strict=True))
        T = np.full((len(numbers), 4, 4), np.nan)
        for row, number in enumerate(numbers.tolist()):
            if number in stated:
                T[row] = stated[number].reshape(4, 4).T
        T[:, :3, 3] *= _MM
        action = name.split("/")[1]
        label = next((o for o in _OBJECTS if o in action or o.split("_")[0] in action), "object")
        return (ObjectTruth(label, T),)


def _world_from_color() -> Float[Array, "4 4"]:
    R = so3.nearest_rotation(_COLOR_FROM_WORLD_MM[:, :3])
    return se3.inverse(se3.from_rotation_translation(R, _COLOR_FROM_WORLD_MM[:, 3] * _MM))
