"""ARCTIC (Fan et al., CVPR 2023): two hands and articulated objects under motion capture."""

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
    HandTrackTruth,
    ObjectTruth,
    SequenceRecord,
    chosen,
    repeated,
    stamps_from_numbers,
)
from hand4d_ros.datasets.images import ImageFiles
from hand4d_ros.datasets.info import DatasetInfo
from hand4d_ros.datasets.mano import RELEASED_LEFT, ManoHands, ManoLabels, truth_from_mano
from hand4d_ros.errors import ConfigError
from hand4d_ros.geometry import se3, so3
from hand4d_ros.shapes import Array, Float, Int
from hand4d_ros.types import CameraModel, Side

INFO = DatasetInfo(
    key="arctic",
    title="ARCTIC",
    description="Two hands use 11 articulated objects; 339 recordings by 10 people, one head-worn "
    "and eight static cameras at 30 Hz, labels from marker-based motion capture",
    where="https://arctic.is.tue.mpg.de",
    access="an account there, with the licences of ARCTIC, MANO and SMPL-X accepted",
    licence="MPI, non-commercial research only, no redistribution",
    layout="""\
meta/misc.json                  per subject: world2cam, intris_mat, image_size, ioi_offset
raw_seqs/s01/
  box_grab_01.mano.npy          left and right: rot, pose, trans, shape
  box_grab_01.object.npy        angle, rotation, translation
  box_grab_01.egocam.dist.npy   R_k_cam_np, T_k_cam_np, intrinsics, dist8
images/s01/box_grab_01/0/00010.jpg   (optional) view 0 is the head-worn camera""",
    world="the motion capture's, at rest",
    conventions="""\
give the folder `arctic_data/data`; a sequence is `<subject>/<name>`
finger poses are axis-angle relative to MANO's mean pose, which is added
hands are in metres, objects in millimetres
`world2cam` and the head-worn camera's pose map the world to the camera; they are inverted
the head-worn camera has eight distortion coefficients in OpenCV's order (rational_polynomial);
  the static cameras have none
the picture of row i is number i + ioi_offset of the subject; the first and last ten may be black
left hands are posed with `MANO_LEFT.pkl` as published, as ARCTIC's own code does; its issue 50
  shows their shape off for some subjects
stamps are row / 30""",
    not_derivable="""\
`joint_rotvec`, `wrist_m` and `keypoints_m` without the user's MANO file
the test subject, whose labels are withheld""",
    sources="""\
github.com/zc-alexfan/arctic at 49f3eb4: docs/data/data_doc.md, src/arctic/preprocess_dataset.py,
  src/arctic/processing.py, common/body_models.py, common/transforms.py,
  src/datasets/arctic_dataset.py""",
)

_RATE_HZ = 30.0
_MM = 1e-3
_VIEWS = 9


@dataclass(frozen=True)
class ArcticConfig:
    """What of ARCTIC to read."""

    views: tuple[int, ...] = tuple(range(_VIEWS))
    """Cameras: 0 is the head-worn one, 1 to 8 are static."""

    def __post_init__(self) -> None:
        """Reject views that ARCTIC does not have."""
        if not all(0 <= view < _VIEWS for view in self.views):
            raise ConfigError(f"views is {self.views}; ARCTIC has 0 to {_VIEWS - 1}")


class Arctic(DatasetLoader):
    """Loader of ARCTIC's raw sequences."""

    def __init__(
        self, root: Path, config: ArcticConfig | None = None, mano: ManoHands | None = None
    ) -> None:
        """Take the folder that holds ``raw_seqs`` and ``meta``; nothing is read."""
        self.root = root
        self.config = config or ArcticConfig()
        self.mano = mano

    def sequence_names(self) -> tuple[str, ...]:
        """``<subject>/<name>`` of all that are there."""
        raw = files.folder(self.root / "raw_seqs", INFO)
        found = sorted(raw.glob("*/*.mano.npy"))
        if not found:
            raise INFO.missing(raw / "<subject>" / "<name>.mano.npy")
        return tuple(f"{p.parent.name}/{p.name.removesuffix('.mano.npy')}" for p in found)

    def sequence(self, name: str, frames: range | None = None) -> SequenceRecord:
        """Read one recording; see ``DatasetLoader``."""
        subject = name.partition("/")[0]
        path = self.root / "raw_seqs" / f"{name}.mano.npy"
        withheld = "The labels of the test subject are withheld."
        mano = files.saved_mapping(path, INFO, withheld)
        count = len(files.entry(files.entry(mano, "right", path, INFO), "rot", path, INFO))
        at = chosen(count, frames, f"ARCTIC {name}")
        meta_path = self.root / "meta" / "misc.json"
        meta = files.entry(files.json_mapping(meta_path, INFO), subject, meta_path, INFO)
        stamps_ns = stamps_from_numbers(at, _RATE_HZ)
        return SequenceRecord(
            dataset=INFO.key,
            name=name,
            stamps_ns=stamps_ns,
            stamps_are="rate",
            frame_numbers=at,
            world="fixed",
            cameras=tuple(
                self._camera(name, view, meta, at, stamps_ns) for view in self.config.views
            ),
            hands=tuple(
                self._hand(side, mano, path, count, at) for side in (Side.LEFT, Side.RIGHT)
            ),
            objects=(self._object(name, count, at),),
            notes=(RELEASED_LEFT,),
        )

    def _hand(
        self, side: Side, mano: Mapping[str, Any], path: Path, count: int, at: Int[Array, "n"]
    ) -> HandTrackTruth:
        found = files.entry(mano, side.label, path, INFO)

        def values(key: str, columns: int) -> Float[Array, "n columns"]:
            array = files.numbers(files.entry(found, key, path, INFO), path, INFO, (-1, columns))
            if len(array) not in (1, count):
                raise INFO.foreign(path, f"has {len(array)} rows of {key}", f"1 or {count}")
            return np.asarray(np.broadcast_to(array, (count, columns))[at])

        pose = values("pose", 45)
        labels = ManoLabels(
            side=side,
            valid=np.ones(len(at), dtype=bool),
            global_rotvec=values("rot", 3),
            transl_m=values("trans", 3),
            betas=values("shape", 10),
            joint_rotvec=None if self.mano is None else self.mano.spaces[side].absolute(pose),
            left_shape="released",
        )
        return truth_from_mano(labels, repeated(np.eye(4), len(at)), self.mano)

    def _object(self, name: str, count: int, at: Int[Array, "n"]) -> ObjectTruth:
        path = self.root / "raw_seqs" / f"{name}.object.npy"
        found = files.saved_array(path, INFO)
        if found.shape != (count, 7):
            raise INFO.foreign(path, f"has shape {found.shape}", f"({count}, 7)")
        angle_rad, rotvec, position_mm = found[at, 0], found[at, 1:4], found[at, 4:]
        T = se3.from_rotation_translation(so3.exp(rotvec), position_mm * _MM)
        return ObjectTruth(name.rpartition("/")[2].partition("_")[0], T, angle_rad)

    def _camera(
        self,
        name: str,
        view: int,
        meta: Mapping[str, Any],
        at: Int[Array, "n"],
        stamps_ns: Int[Array, "n"],
    ) -> CameraTrack:
        path = self.root / "meta" / "misc.json"
        sizes = files.numbers(files.entry(meta, "image_size", path, INFO), path, INFO, (_VIEWS, 2))
        size_px = (int(sizes[view, 0]), int(sizes[view, 1]))
        if view == 0:
            model, T_world_camera = self._head_camera(name, at, size_px)
        else:
            model, T_world_camera = _static_camera(meta, path, view, size_px, len(at))
        offset = int(files.numbers(files.entry(meta, "ioi_offset", path, INFO), path, INFO, ()))
        pictures = self.root / "images" / name / str(view)
        return CameraTrack(
            name=str(view),
            model=model,
            stamps_ns=stamps_ns,
            rows=np.arange(len(at)),
            T_world_camera=T_world_camera,
            images=ImageFiles([pictures / f"{i + offset:05d}.jpg" for i in at])
            if pictures.is_dir()
            else None,
        )

    def _head_camera(
        self, name: str, at: Int[Array, "n"], size_px: tuple[int, int]
    ) -> tuple[CameraModel, Float[Array, "n 4 4"]]:
        path = self.root / "raw_seqs" / f"{name}.egocam.dist.npy"
        found = files.saved_mapping(path, INFO)
        R = files.numbers(files.entry(found, "R_k_cam_np", path, INFO), path, INFO, (-1, 3, 3))
        t = files.numbers(files.entry(found, "T_k_cam_np", path, INFO), path, INFO, (-1, 3))
        K = files.numbers(files.entry(found, "intrinsics", path, INFO), path, INFO, (3, 3))
        dist = files.numbers(files.entry(found, "dist8", path, INFO), path, INFO, (8,))
        if min(len(R), len(t)) <= at[-1]:
            raise INFO.foreign(path, f"has {len(R)} poses", f"one for each of {at[-1] + 1} frames")
        model = CameraModel(
            *size_px,
            fx_px=float(K[0, 0]),
            fy_px=float(K[1, 1]),
            cx_px=float(K[0, 2]),
            cy_px=float(K[1, 2]),
            model="rational_polynomial",
            distortion=tuple(float(k) for k in dist),
        )
        T_camera_world = se3.from_rotation_translation(so3.nearest_rotation(R[at]), t[at])
        return model, se3.inverse(T_camera_world)


def _static_camera(
    meta: Mapping[str, Any], path: Path, view: int, size_px: tuple[int, int], count: int
) -> tuple[CameraModel, Float[Array, "n 4 4"]]:
    T = files.numbers(files.entry(meta, "world2cam", path, INFO), path, INFO, (-1, 4, 4))
    K = files.numbers(files.entry(meta, "intris_mat", path, INFO), path, INFO, (-1, 3, 3))
    if min(len(T), len(K)) < _VIEWS - 1:
        raise INFO.foreign(path, f"has {len(T)} cameras", f"{_VIEWS - 1}")
    T_camera_world = T[view - 1].copy()
    T_camera_world[:3, :3] = so3.nearest_rotation(T_camera_world[:3, :3])
    (fx, _, cx), (_, fy, cy), _ = K[view - 1].tolist()
    return CameraModel(*size_px, fx, fy, cx, cy), repeated(se3.inverse(T_camera_world), count)
