"""DexYCB (Chao et al., CVPR 2021): one hand grasping YCB objects before eight static cameras.

Labels are stated per camera and exist where that camera sees the hand, so a sequence here is one
recording seen by one camera, as the benchmarks use it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from hand4d_ros.datasets import files
from hand4d_ros.datasets.base import (
    CameraTrack,
    DatasetLoader,
    ObjectTruth,
    SequenceRecord,
    chosen,
    repeated,
    stamps_from_numbers,
)
from hand4d_ros.datasets.images import ImageFiles
from hand4d_ros.datasets.info import DatasetInfo
from hand4d_ros.datasets.mano import RELEASED_LEFT, ManoHands, ManoLabels, truth_from_mano
from hand4d_ros.geometry import se3, so3
from hand4d_ros.shapes import Array, Float
from hand4d_ros.types import CameraModel, Side

INFO = DatasetInfo(
    key="dexycb",
    title="DexYCB",
    description="One hand grasps one of 20 YCB objects; 1000 recordings by 10 people, eight static "
    "RGB-D cameras, 640x480 at 30 Hz, labels fitted with the help of annotators",
    where="https://dex-ycb.github.io",
    access="a download there",
    licence="CC BY-NC 4.0",
    layout="""\
20200709-subject-01/ ... 20201022-subject-10/
  20200709_141754/
    meta.yml                    serials, num_frames, extrinsics, mano_sides, mano_calib, ycb_ids
    836212060125/               one folder for each camera
      color_000000.jpg
      labels_000000.npz         pose_m, joint_3d, pose_y (seg and joint_2d are not read)
calibration/
  intrinsics/836212060125_640x480.yml
  extrinsics_<name>/extrinsics.yml
  mano_<name>/mano.yml          betas""",
    world="the master camera, which is at rest",
    conventions="""\
a sequence is one recording and one camera: `<subject>/<recording>/<serial>`
keypoints are in OpenPose order and in metres already; -1 everywhere means unlabelled
`pose_m` is the global rotation, 45 coefficients of MANO's principal components about its mean
  pose, and the model's translation; the wrist is keypoint 0
extrinsics map a camera to the master camera
left hands are those of `MANO_LEFT.pkl` as published; `betas` belong to it, not to the mirror
  image of the right hand
stamps are frame number / 30""",
    not_derivable="""\
`joint_rotvec` without the user's MANO file""",
    sources="""\
github.com/NVlabs/dex-ycb-toolkit at 64551b0: README.md, dex_ycb_toolkit/dex_ycb.py,
  sequence_loader.py, layers/mano_layer.py
its issue 28 on the left hand""",
)

SERIALS = (
    "836212060125",
    "839512060362",
    "840412060917",
    "841412060263",
    "932122060857",
    "932122060861",
    "932122061900",
    "932122062010",
)
"""The eight cameras."""

YCB_OBJECTS = (
    "002_master_chef_can",
    "003_cracker_box",
    "004_sugar_box",
    "005_tomato_soup_can",
    "006_mustard_bottle",
    "007_tuna_fish_can",
    "008_pudding_box",
    "009_gelatin_box",
    "010_potted_meat_can",
    "011_banana",
    "019_pitcher_base",
    "021_bleach_cleanser",
    "024_bowl",
    "025_mug",
    "035_power_drill",
    "036_wood_block",
    "037_scissors",
    "040_large_marker",
    "051_large_clamp",
    "052_extra_large_clamp",
    "061_foam_brick",
)
"""Objects by ``ycb_ids``, which count from 1."""

_RATE_HZ = 30.0
_WIDTH_PX, _HEIGHT_PX = 640, 480
_LABELS = ("pose_m", "joint_3d", "pose_y")


@dataclass(frozen=True)
class DexYcbConfig:
    """What of DexYCB to read."""

    cameras: tuple[str, ...] = SERIALS
    """Serial numbers of the cameras whose sequences are listed."""


class DexYcb(DatasetLoader):
    """Loader of DexYCB."""

    def __init__(
        self, root: Path, config: DexYcbConfig | None = None, mano: ManoHands | None = None
    ) -> None:
        """Take the folder that holds the subjects and ``calibration``; nothing is read."""
        self.root = root
        self.config = config or DexYcbConfig()
        self.mano = mano

    def sequence_names(self) -> tuple[str, ...]:
        """``<subject>/<recording>/<serial>`` of all that are there."""
        files.folder(self.root, INFO)
        metas = sorted(self.root.glob("*-subject-*/*/meta.yml"))
        if not metas:
            raise INFO.missing(self.root / "<subject>" / "<recording>" / "meta.yml")
        return tuple(
            f"{meta.parent.parent.name}/{meta.parent.name}/{serial}"
            for meta in metas
            for serial in self.config.cameras
            if (meta.parent / serial).is_dir()
        )

    def sequence(self, name: str, frames: range | None = None) -> SequenceRecord:
        """Read one recording as one camera has it; see ``DatasetLoader``."""
        recording, _, serial = name.rpartition("/")
        path = self.root / recording / "meta.yml"
        meta = files.yaml_mapping(path, INFO)
        count, side = self._count_and_side(meta, path)
        at = chosen(count, frames, f"DexYCB {name}")
        folder = files.folder(self.root / recording / serial, INFO)
        labels = [_label(folder / f"labels_{i:06d}.npz") for i in at]
        T_world_camera = self._extrinsics(meta, path, serial)
        stamps_ns = stamps_from_numbers(at, _RATE_HZ)
        hand = self._hand_labels(labels, side, self._betas(meta, path), folder)
        camera = CameraTrack(
            name=serial,
            model=self._intrinsics(serial),
            stamps_ns=stamps_ns,
            rows=np.arange(len(at)),
            T_world_camera=repeated(T_world_camera, len(at)),
            images=ImageFiles([folder / f"color_{i:06d}.jpg" for i in at]),
        )
        return SequenceRecord(
            dataset=INFO.key,
            name=name,
            stamps_ns=stamps_ns,
            stamps_are="rate",
            frame_numbers=at,
            world="fixed",
            cameras=(camera,),
            hands=(truth_from_mano(hand, camera.T_world_camera, self.mano),),
            objects=self._objects(labels, meta, path, camera.T_world_camera),
            notes=(RELEASED_LEFT,) if side is Side.LEFT else (),
        )

    def _count_and_side(self, meta: Mapping[str, Any], path: Path) -> tuple[int, Side]:
        sides = files.entry(meta, "mano_sides", path, INFO)
        if not isinstance(sides, list) or sides not in (["left"], ["right"]):
            raise INFO.foreign(path, f"has mano_sides {sides!r}", "one of [left], [right]")
        count = int(files.numbers(files.entry(meta, "num_frames", path, INFO), path, INFO, ()))
        return count, Side[sides[0].upper()]

    def _hand_labels(
        self,
        labels: list[dict[str, Array]],
        side: Side,
        betas: Float[Array, "10"],
        folder: Path,
    ) -> ManoLabels:
        pose = np.stack([files.numbers(x["pose_m"], folder, INFO, (51,)) for x in labels])
        joints = np.stack([files.numbers(x["joint_3d"], folder, INFO, (21, 3)) for x in labels])
        fingers = None
        if self.mano is not None:
            fingers = self.mano.spaces[side].from_coefficients(pose[:, 3:48])
        return ManoLabels(
            side=side,
            valid=(joints != -1.0).any(axis=(1, 2)) & (pose != 0.0).any(axis=1),
            global_rotvec=pose[:, :3],
            transl_m=pose[:, 48:],
            betas=np.tile(betas, (len(pose), 1)),
            joint_rotvec=fingers,
            left_shape="released",
            keypoints_m=joints,
            keypoint_wrist=True,
        )

    def _objects(
        self,
        labels: list[dict[str, Array]],
        meta: Mapping[str, Any],
        path: Path,
        T_world_camera: Float[Array, "n 4 4"],
    ) -> tuple[ObjectTruth, ...]:
        ids = files.entry(meta, "ycb_ids", path, INFO)
        poses = np.stack([files.numbers(x["pose_y"], path, INFO, (len(ids), 3, 4)) for x in labels])
        found = []
        for number, ycb_id in enumerate(ids):
            pose = poses[:, number]
            T = se3.from_rotation_translation(pose[..., :3], pose[..., 3])
            T[(pose == 0.0).all(axis=(1, 2))] = np.nan
            found.append(ObjectTruth(YCB_OBJECTS[int(ycb_id) - 1], T_world_camera @ T))
        return tuple(found)

    def _betas(self, meta: Mapping[str, Any], path: Path) -> Float[Array, "10"]:
        name = files.entry(meta, "mano_calib", path, INFO)[0]
        calibration = self.root / "calibration" / f"mano_{name}" / "mano.yml"
        found = files.entry(files.yaml_mapping(calibration, INFO), "betas", calibration, INFO)
        return files.numbers(found, calibration, INFO, (10,))

    def _intrinsics(self, serial: str) -> CameraModel:
        name = f"{serial}_{_WIDTH_PX}x{_HEIGHT_PX}.yml"
        path = self.root / "calibration" / "intrinsics" / name
        color = files.entry(files.yaml_mapping(path, INFO), "color", path, INFO)
        fx, fy, cx, cy = (
            float(files.entry(color, key, path, INFO)) for key in ("fx", "fy", "ppx", "ppy")
        )
        return CameraModel(_WIDTH_PX, _HEIGHT_PX, fx, fy, cx, cy)

    def _extrinsics(self, meta: Mapping[str, Any], path: Path, serial: str) -> Float[Array, "4 4"]:
        name = files.entry(meta, "extrinsics", path, INFO)
        file = self.root / "calibration" / f"extrinsics_{name}" / "extrinsics.yml"
        found = files.entry(files.yaml_mapping(file, INFO), "extrinsics", file, INFO)
        Rt = files.numbers(files.entry(found, serial, file, INFO), file, INFO, (3, 4))
        # They are rounded to single precision.
        return se3.from_rotation_translation(so3.nearest_rotation(Rt[:, :3]), Rt[:, 3])


def _label(path: Path) -> dict[str, Array]:
    return files.arrays(path, INFO, _LABELS)
