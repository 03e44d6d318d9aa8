"""AssemblyHands version 1.1 (Ohkawa et al., CVPR 2023): two hands with toys, seen from the head."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, Literal

import numpy as np

from hand4d_ros import settings
from hand4d_ros.datasets import files
from hand4d_ros.datasets.base import (
    CameraTrack,
    DatasetLoader,
    SequenceRecord,
    chosen,
    stamps_from_numbers,
)
from hand4d_ros.datasets.images import ImageFiles
from hand4d_ros.datasets.info import DatasetInfo
from hand4d_ros.datasets.mano import ManoHands
from hand4d_ros.datasets.panoptic_json import MM, hand_of_keypoints, keypoints_of_sides
from hand4d_ros.geometry import se3, so3
from hand4d_ros.shapes import Array, Float, Int
from hand4d_ros.types import CameraModel, Side

INFO = DatasetInfo(
    key="assemblyhands",
    title="AssemblyHands v1.1",
    description="Two hands take toys apart and put them together; 20 recordings of Assembly101, "
    "four head-worn infrared cameras, 636x480 at 30 Hz, keypoints from eight static cameras",
    where="https://github.com/facebookresearch/assemblyhands-toolkit",
    access="the downloads that page links to",
    licence="CC BY-NC 4.0",
    layout="""\
annotations/val/                or train, test, demo
  assemblyhands_val_ego_data_v1-1.json
  assemblyhands_val_ego_calib_v1-1.json
  assemblyhands_val_joint_3d_v1-1.json
images/ego_images_rectified/val/...   (optional)""",
    world="the rig of static cameras, at rest",
    conventions="""\
a sequence is named as Assembly101 names it; the JSON files of a split are read whole once
keypoints and cameras are in millimetres
42 keypoints, right hand first, each finger from its tip, wrist last: put into OpenPose order;
  single keypoints may be missing
extrinsics (3x4, each frame) map the world to the camera and are inverted; pictures are rectified,
  so there is no distortion
stamps are frame number / 60: numbers count at 60 Hz, labels come at 30 Hz""",
    not_derivable="""\
MANO parameters: there are none""",
    sources="""\
github.com/facebookresearch/assemblyhands-toolkit at 73fe963: README.md,
  src/dataset/AssemblyHands-Ego/dataset.py, src/common/utils/transforms.py,
  visualization/video_visualizer.py (rates)
millimetres: from public code that measures the rig; the toolkit does not say""",
)

_NUMBERS_PER_S = 60.0
_SUFFIX = "_mono10bit"
"""What the calibration appends to the names of the head-worn cameras."""


@dataclass(frozen=True)
class AssemblyHandsConfig:
    """What of AssemblyHands to read."""

    split: Literal["train", "val", "test", "demo"] = "val"
    """Folder of annotations."""

    def __post_init__(self) -> None:
        """Reject unknown splits."""
        settings.check(self)


class AssemblyHands(DatasetLoader):
    """Loader of AssemblyHands as the head-worn cameras have it."""

    def __init__(
        self, root: Path, config: AssemblyHandsConfig | None = None, mano: ManoHands | None = None
    ) -> None:
        """Take the folder that holds ``annotations`` and ``images``; nothing is read.

        Args:
            root: The folder.
            config: What to read.
            mano: Not needed: the dataset has no MANO parameters.
        """
        del mano
        self.root = root
        self.config = config or AssemblyHandsConfig()

    def sequence_names(self) -> tuple[str, ...]:
        """Recordings of the split."""
        return tuple(sorted(self._keypoints))

    def sequence(self, name: str, frames: range | None = None) -> SequenceRecord:
        """Read one recording; see ``DatasetLoader``."""
        path = self._path("joint_3d")
        labelled = files.entry(self._keypoints, name, path, INFO)
        keys = sorted(labelled)
        keys = [keys[i] for i in chosen(len(keys), frames, f"AssemblyHands {name}")]
        numbers = np.array([int(key) for key in keys])
        stamps_ns = stamps_from_numbers(numbers, _NUMBERS_PER_S)
        keypoints = keypoints_of_sides([labelled[key] for key in keys], path, INFO)
        calibration_path = self._path("ego_calib")
        calibration = files.entry(self._calibration, name, calibration_path, INFO)
        return SequenceRecord(
            dataset=INFO.key,
            name=name,
            stamps_ns=stamps_ns,
            stamps_are="rate",
            frame_numbers=numbers,
            world="fixed",
            cameras=tuple(
                self._camera(camera, calibration, keys, numbers, stamps_ns, pictures)
                for camera, pictures in sorted(self._pictures.get(name, {}).items())
            ),
            hands=tuple(
                hand_of_keypoints(side, keypoints[side], "AssemblyHands has no MANO parameters")
                for side in (Side.LEFT, Side.RIGHT)
            ),
        )

    def _camera(
        self,
        camera: str,
        calibration: Mapping[str, Any],
        keys: list[str],
        numbers: Int[Array, "n"],
        stamps_ns: Int[Array, "n"],
        pictures: Mapping[int, tuple[str, int, int]],
    ) -> CameraTrack:
        path = self._path("ego_calib")
        name = camera if camera.endswith(_SUFFIX) else camera + _SUFFIX
        every = files.entry(calibration, "extrinsics", path, INFO)
        T_camera_world = np.full((len(keys), 4, 4), np.nan)
        for row, key in enumerate(keys):
            stated = every.get(key, {}).get(name)
            if stated is not None:
                T_camera_world[row] = _extrinsics(files.numbers(stated, path, INFO, (3, 4)))
        intrinsics = files.entry(calibration, "intrinsics", path, INFO)
        K = files.numbers(files.entry(intrinsics, name, path, INFO), path, INFO, (3, 3))
        _, width_px, height_px = next(iter(pictures.values()))
        (fx, _, cx), (_, fy, cy), _ = K.tolist()
        folder = self.root / "images"
        mine = [pictures.get(int(number)) for number in numbers]
        return CameraTrack(
            name=camera,
            model=CameraModel(width_px, height_px, fx, fy, cx, cy),
            stamps_ns=stamps_ns,
            rows=np.arange(len(keys)),
            T_world_camera=se3.inverse(T_camera_world),
            images=ImageFiles([None if p is None else folder / p[0] for p in mine])
            if folder.is_dir()
            else None,
        )

    def _path(self, kind: str) -> Path:
        split = self.config.split
        name = f"assemblyhands_{split}_{kind}_v1-1.json"
        return self.root / "annotations" / split / name

    def _json(self, kind: str, key: str) -> Any:
        path = self._path(kind)
        why = ""
        old = path.with_name(path.name.replace("_v1-1", ""))
        if old.is_file():
            why = f"{old.name} is version 1.0; version 1.1 replaces it."
        return files.entry(files.json_mapping(path, INFO, why), key, path, INFO)

    @cached_property
    def _keypoints(self) -> dict[str, Any]:
        return dict(self._json("joint_3d", "annotations"))

    @cached_property
    def _calibration(self) -> dict[str, Any]:
        return dict(self._json("ego_calib", "calibration"))

    @cached_property
    def _pictures(self) -> dict[str, dict[str, dict[int, tuple[str, int, int]]]]:
        """File, width and height by sequence, camera and frame number."""
        path = self._path("ego_data")
        found: dict[str, dict[str, dict[int, tuple[str, int, int]]]] = defaultdict(
            lambda: defaultdict(dict)
        )
        for image in self._json("ego_data", "images"):
            keys = ("seq_name", "camera", "frame_idx", "file_name", "width", "height")
            name, camera, number, file, width, height = (
                files.entry(image, key, path, INFO) for key in keys
            )
            found[str(name)][str(camera)][int(number)] = (str(file), int(width), int(height))
        return found


def _extrinsics(Rt: Float[Array, "3 4"]) -> Float[Array, "4 4"]:
    return se3.from_rotation_translation(so3.nearest_rotation(Rt[:, :3]), Rt[:, 3] * MM)
