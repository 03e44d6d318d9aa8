"""HO-3D version 3 (Hampali et al., CVPR 2020, arXiv 2107.00887): a right hand holds an object."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

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
from hand4d_ros.datasets.mano import ManoHands, ManoLabels, truth_from_mano
from hand4d_ros.geometry import se3, so3
from hand4d_ros.hand.orders import OPENPOSE_FROM_MANO
from hand4d_ros.shapes import Array, Float
from hand4d_ros.types import CameraModel, Side

INFO = DatasetInfo(
    key="ho3d_v3",
    title="HO-3D v3",
    description="A right hand holds one of ten YCB objects; 68 recordings by 10 people, static "
    "RGB-D cameras, 640x480 at 30 Hz, labels from fitting all cameras at once",
    where="https://github.com/shreyashampali/ho3d",
    access="the download that page links to",
    licence="academic research only, non-commercial, no redistribution",
    layout="""\
train/ABF10/                    or evaluation/
  meta/0000.pkl                 handPose, handTrans, handBeta, handJoints3D, camMat, objRot, ...
  rgb/0000.jpg                  (optional)
train.txt, evaluation.txt""",
    world="the camera, which is at rest",
    conventions="""\
a sequence is a folder of `train` or `evaluation`
the files' axes are OpenGL's; y and z are turned to the optical frame (x right, y down, z
  forward), of the points and of the global rotations
`handJoints3D` is MANO's order with the five tips behind, and is put into OpenPose order
`handPose` is absolute (flat hand); `handTrans` is the model's translation, the wrist is joint 0
frames whose labels are None, or whose file is left out, are not valid
stamps are frame number / 30""",
    not_derivable="""\
everything but the wrist's position in `evaluation`, whose poses are withheld""",
    sources="""\
github.com/shreyashampali/ho3d at 2fd6ee1: README.md, vis_HO3D.py, utils/vis_utils.py
the README inside the download, as kept in public repositories""",
)

_RATE_HZ = 30.0
_WIDTH_PX, _HEIGHT_PX = 640, 480
_OPTICAL_FROM_OPENGL = np.diag([1.0, -1.0, -1.0])


@dataclass(frozen=True)
class Ho3dConfig:
    """What of HO-3D to read."""

    split: Literal["train", "evaluation"] = "train"
    """Folder to read; of ``evaluation`` only the wrist's position is public."""

    def __post_init__(self) -> None:
        """Reject unknown folders."""
        settings.check(self)


class Ho3d(DatasetLoader):
    """Loader of HO-3D version 3."""

    def __init__(
        self, root: Path, config: Ho3dConfig | None = None, mano: ManoHands | None = None
    ) -> None:
        """Take the folder that holds ``train`` and ``evaluation``; nothing is read."""
        self.root = root
        self.config = config or Ho3dConfig()
        self.mano = mano

    def sequence_names(self) -> tuple[str, ...]:
        """Folders of the split."""
        split = files.folder(self.root / self.config.split, INFO)
        found = sorted(path.parent.name for path in split.glob("*/meta"))
        if not found:
            raise INFO.missing(split / "<sequence>" / "meta")
        return tuple(found)

    def sequence(self, name: str, frames: range | None = None) -> SequenceRecord:
        """Read one recording; see ``DatasetLoader``."""
        where = self.root / self.config.split / name
        _refuse_version_2(where)
        labelled = {p.stem for p in files.folder(where / "meta", INFO).glob("*.pkl")}
        stems = sorted(labelled | {p.stem for p in where.glob("rgb/*.jpg")})
        stems = [stems[i] for i in chosen(len(stems), frames, f"HO-3D {name}")]
        metas = [
            files.pickled_mapping(where / "meta" / f"{s}.pkl", INFO) if s in labelled else {}
            for s in stems
        ]
        numbers = np.array([int(stem) for stem in stems])
        stamps_ns = stamps_from_numbers(numbers, _RATE_HZ)
        evaluation = self.config.split == "evaluation"
        has_pictures = (where / "rgb").is_dir()
        camera = CameraTrack(
            name="camera",
            model=_intrinsics(metas, where),
            stamps_ns=stamps_ns,
            rows=np.arange(len(stems)),
            T_world_camera=repeated(np.eye(4), len(stems)),
            images=ImageFiles([where / "rgb" / f"{s}.jpg" for s in stems])
            if has_pictures
            else None,
        )
        return SequenceRecord(
            dataset=INFO.key,
            name=name,
            stamps_ns=stamps_ns,
            stamps_are="rate",
            frame_numbers=numbers,
            world="fixed",
            cameras=(camera,),
            hands=(_wrist_only(metas, where) if evaluation else self._hand(metas, where),),
            objects=_objects(metas, where),
            notes=("Only the wrist's position is public here.",) if evaluation else (),
        )

    def _hand(self, metas: list[dict[str, Any]], where: Path) -> HandTrackTruth:
        count = len(metas)
        valid = np.zeros(count, dtype=bool)
        pose, transl, betas = np.zeros((count, 48)), np.zeros((count, 3)), np.zeros((count, 10))
        joints = np.full((count, 21, 3), np.nan)
        for row, meta in enumerate(metas):
            if meta.get("handPose") is None:
                continue
            valid[row] = True
            pose[row] = files.numbers(meta["handPose"], where, INFO, (48,))
            transl[row] = _entry(meta, "handTrans", where, (3,))
            betas[row] = _entry(meta, "handBeta", where, (10,))
            joints[row] = _entry(meta, "handJoints3D", where, (21, 3))
        labels = ManoLabels(
            side=Side.RIGHT,
            valid=valid,
            global_rotvec=pose[:, :3],
            transl_m=transl,
            betas=betas,
            joint_rotvec=pose[:, 3:].reshape(-1, 15, 3),
            keypoints_m=joints[:, OPENPOSE_FROM_MANO],
            keypoint_wrist=True,
        )
        return truth_from_mano(labels, _optical_from_opengl(count), self.mano)


def _refuse_version_2(where: Path) -> None:
    """Version 2 has the same files but worse labels, and pictures in another format."""
    if not any(where.glob("rgb/*.jpg")) and any(where.glob("rgb/*.png")):
        raise INFO.foreign(where / "rgb", "holds .png files, as HO-3D v2 does", ".jpg of v3")


def _optical_from_opengl(count: int) -> Float[Array, "n 4 4"]:
    """Both frames are right-handed, so turning about x serves points and rotations alike."""
    return repeated(se3.from_rotation_translation(_OPTICAL_FROM_OPENGL, np.zeros(3)), count)


def _entry(
    meta: Mapping[str, Any], key: str, where: Path, shape: tuple[int, ...]
) -> Float[Array, "..."]:
    return files.numbers(files.entry(meta, key, where, INFO), where, INFO, shape)


def _wrist_only(metas: list[dict[str, Any]], where: Path) -> HandTrackTruth:
    keypoints = np.full((len(metas), 21, 3), np.nan)
    for row, meta in enumerate(metas):
        if meta.get("handJoints3D") is not None:
            # Files with the withheld labels put back hold all joints, the wrist first.
            keypoints[row, 0] = _entry(meta, "handJoints3D", where, (-1, 3))[0]
    keypoints = keypoints @ _OPTICAL_FROM_OPENGL
    valid = np.isfinite(keypoints[:, 0]).all(axis=1)
    fields = ("R_world_wrist", "joint_rotvec", "betas")
    return HandTrackTruth(
        side=Side.RIGHT,
        valid=valid,
        keypoints_m=keypoints,
        wrist_m=keypoints[:, 0],
        missing=dict.fromkeys(fields, "poses of the evaluation split are withheld"),
    )


def _objects(metas: list[dict[str, Any]], where: Path) -> tuple[ObjectTruth, ...]:
    T = np.full((len(metas), 4, 4), np.nan)
    name = ""
    for row, meta in enumerate(metas):
        if meta.get("objRot") is None:
            continue
        name = str(meta.get("objName") or "object")
        R = so3.exp(_entry(meta, "objRot", where, (3,)))
        T[row] = se3.from_rotation_translation(R, _entry(meta, "objTrans", where, (3,)))
    return (ObjectTruth(name, _optical_from_opengl(len(T)) @ T),) if name else ()


def _intrinsics(metas: list[dict[str, Any]], where: Path) -> CameraModel | None:
    for meta in metas:
        if meta.get("camMat") is not None:
            (fx, _, cx), (_, fy, cy), _ = _entry(meta, "camMat", where, (3, 3)).tolist()
            return CameraModel(_WIDTH_PX, _HEIGHT_PX, fx, fy, cx, cy)
    return None
