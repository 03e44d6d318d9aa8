"""InterHand2.6M version 1.0 (Moon et al., ECCV 2020): two hands interact among many cameras."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any, Literal

import numpy as np

from hand4d_ros import settings
from hand4d_ros.datasets import files
from hand4d_ros.datasets.base import (
    CameraTrack,
    DatasetLoader,
    HandTrackTruth,
    SequenceRecord,
    chosen,
    repeated,
    stamps_from_numbers,
)
from hand4d_ros.datasets.images import ImageFiles
from hand4d_ros.datasets.info import DatasetInfo
from hand4d_ros.datasets.mano import ManoHands, ManoLabels, truth_from_mano
from hand4d_ros.datasets.panoptic_json import MM, hand_of_keypoints, keypoints_of_sides
from hand4d_ros.geometry import se3, so3
from hand4d_ros.shapes import Array, Float, Int
from hand4d_ros.types import CameraModel, Side

INFO = DatasetInfo(
    key="interhand26m",
    title="InterHand2.6M v1.0",
    description="Single and interacting hands; 27 people in a dome of 80 to 140 static cameras, "
    "512x334 at 5 or 30 Hz, keypoints triangulated, MANO fitted by NeuralAnnot",
    where="https://mks0601.github.io/InterHand2.6M",
    access="a download there",
    licence="CC BY-NC 4.0",
    layout="""\
annotations/test/               or train, val
  InterHand2.6M_test_data.json
  InterHand2.6M_test_camera.json
  InterHand2.6M_test_joint_3d.json
  InterHand2.6M_test_MANO_NeuralAnnot.json   (optional)
images/test/Capture0/...        (optional)""",
    world="the dome, at rest",
    conventions="""\
a sequence is `Capture<number>/<name>`; the JSON files of a split are read whole once
keypoints and cameras are in millimetres, MANO in metres
42 keypoints, right hand first, each finger from its tip, wrist last: put into OpenPose order;
  single keypoints may be missing
`camrot` and `campos`: p_camera = R (p_world - position)
finger poses are axis-angle relative to MANO's mean pose, which is added; shape coefficients
  belong to a left hand that is the mirror image of the right one
keypoints are annotated joints, MANO's joints are some 5 mm off; the wrist pose is MANO's
stamps: the smallest step between frame numbers is one period of the version's rate""",
    not_derivable="""\
`joint_rotvec` and `wrist_m` without the user's MANO file
MANO parameters where the NeuralAnnot file was not downloaded""",
    sources="""\
github.com/facebookresearch/InterHand2.6M at 5d0e456: data/InterHand2.6M/dataset.py,
  tool/MANO_world_to_camera/convert.py, tool/MANO_render/render.py, README.md
mks0601.github.io/InterHand2.6M (layout and fields of the JSON files)
github.com/facebookresearch/assemblyhands-toolkit, src/dataset/__init__.py (order)""",
)

_NO_FIT = "the file InterHand2.6M_<split>_MANO_NeuralAnnot.json is not there"


@dataclass(frozen=True)
class InterHandConfig:
    """What of InterHand2.6M to read."""

    split: Literal["train", "val", "test"] = "test"
    """Folder of annotations."""
    rate_hz: Literal[5, 30] = 30
    """Rate of the version that was downloaded; the files do not state it."""
    cameras: tuple[str, ...] = ()
    """Cameras to read, such as 400262; empty reads all."""

    def __post_init__(self) -> None:
        """Reject unknown splits and rates."""
        settings.check(self)


class InterHand(DatasetLoader):
    """Loader of InterHand2.6M."""

    def __init__(
        self, root: Path, config: InterHandConfig | None = None, mano: ManoHands | None = None
    ) -> None:
        """Take the folder that holds ``annotations`` and ``images``; nothing is read."""
        self.root = root
        self.config = config or InterHandConfig()
        self.mano = mano

    def sequence_names(self) -> tuple[str, ...]:
        """``Capture<number>/<name>`` of all in the split."""
        return tuple(sorted(self._pictures))

    def sequence(self, name: str, frames: range | None = None) -> SequenceRecord:
        """Read one recording; see ``DatasetLoader``."""
        pictures = self._pictures.get(name)
        if pictures is None:
            raise INFO.foreign(self._path("data"), f"has no {name}", "one of sequence_names")
        capture = name.partition("/")[0].removeprefix("Capture")
        numbers = np.array(sorted({frame for frame, *_ in pictures}))
        at = chosen(len(numbers), frames, f"InterHand2.6M {name}")
        stamps_ns = stamps_from_numbers(numbers - numbers[0], self._numbers_per_s(numbers))[at]
        numbers = numbers[at]
        joints = files.entry(self._json("joint_3d"), capture, self._path("joint_3d"), INFO)
        stated = [joints.get(str(number)) for number in numbers]
        keypoints = keypoints_of_sides(stated, self._path("joint_3d"), INFO)
        return SequenceRecord(
            dataset=INFO.key,
            name=name,
            stamps_ns=stamps_ns,
            stamps_are="rate",
            frame_numbers=numbers,
            world="fixed",
            cameras=self._cameras(capture, pictures, numbers, stamps_ns),
            hands=tuple(
                self._hand(side, capture, numbers, keypoints[side])
                for side in (Side.LEFT, Side.RIGHT)
            ),
            notes=("Keypoints are annotated joints, some 5 mm off MANO's, whose wrist this is.",),
        )

    def _hand(
        self, side: Side, capture: str, numbers: Int[Array, "n"], keypoints: Float[Array, "n 21 3"]
    ) -> HandTrackTruth:
        path = self._path("MANO_NeuralAnnot")
        annotated = hand_of_keypoints(side, keypoints, _NO_FIT)
        if not path.is_file():
            return annotated
        every = self._json("MANO_NeuralAnnot").get(capture, {})
        found = [(every.get(str(number)) or {}).get(side.label) for number in numbers]
        pose, betas, transl = (np.zeros((len(found), k)) for k in (48, 10, 3))
        for row, fit in enumerate(found):
            if fit is not None:
                for key, out in (("pose", pose), ("shape", betas), ("trans", transl)):
                    value = files.entry(fit, key, path, INFO)
                    out[row] = files.numbers(value, path, INFO, (out.shape[1],))
        space = None if self.mano is None else self.mano.spaces[side]
        labels = ManoLabels(
            side=side,
            valid=np.array([fit is not None for fit in found]),
            global_rotvec=pose[:, :3],
            transl_m=transl,
            betas=betas,
            joint_rotvec=None if space is None else space.absolute(pose[:, 3:]),
            keypoints_m=keypoints,
        )
        fitted = truth_from_mano(labels, repeated(np.eye(4), len(found)), self.mano)
        return replace(fitted, valid=annotated.valid, keypoints_m=keypoints)

    def _cameras(
        self,
        capture: str,
        pictures: list[_Picture],
        numbers: Int[Array, "n"],
        stamps_ns: Int[Array, "n"],
    ) -> tuple[CameraTrack, ...]:
        found = files.entry(self._json("camera"), capture, self._path("camera"), INFO)
        of_camera: dict[str, dict[int, _Picture]] = defaultdict(dict)
        for picture in pictures:
            of_camera[picture[1]][picture[0]] = picture
        folder = self.root / "images" / self.config.split
        cameras = []
        for name in sorted(of_camera):
            if self.config.cameras and name not in self.config.cameras:
                continue
            rows = np.array([i for i, n in enumerate(numbers) if int(n) in of_camera[name]])
            if not len(rows):
                continue
            mine = [of_camera[name][int(numbers[row])] for row in rows]
            model, T_world_camera = self._camera(found, name, mine[0][3:])
            cameras.append(
                CameraTrack(
                    name=name,
                    model=model,
                    stamps_ns=stamps_ns[rows],
                    rows=rows,
                    T_world_camera=repeated(T_world_camera, len(rows)),
                    images=ImageFiles([folder / picture[2] for picture in mine])
                    if folder.is_dir()
                    else None,
                )
            )
        return tuple(cameras)

    def _camera(
        self, found: Mapping[str, Any], name: str, size_px: tuple[int, int]
    ) -> tuple[CameraModel, Float[Array, "4 4"]]:
        path = self._path("camera")

        def value(key: str, shape: tuple[int, ...]) -> Float[Array, "..."]:
            every = files.entry(found, key, path, INFO)
            return files.numbers(files.entry(every, name, path, INFO), path, INFO, shape)

        R_world_camera = so3.nearest_rotation(value("camrot", (3, 3))).T
        T = se3.from_rotation_translation(R_world_camera, value("campos", (3,)) * MM)
        return CameraModel(*size_px, *value("focal", (2,)), *value("princpt", (2,))), T

    def _numbers_per_s(self, numbers: Int[Array, "n"]) -> float:
        step = int(np.diff(numbers).min()) if len(numbers) > 1 else 1
        return step * float(self.config.rate_hz)

    def _path(self, kind: str) -> Path:
        split = self.config.split
        return self.root / "annotations" / split / f"InterHand2.6M_{split}_{kind}.json"

    def _json(self, kind: str) -> dict[str, Any]:
        """One of the split's files, kept once read: they are large and hold all sequences."""
        if kind not in self._read:
            self._read[kind] = files.json_mapping(self._path(kind), INFO)
        return self._read[kind]

    @cached_property
    def _read(self) -> dict[str, dict[str, Any]]:
        return {}

    @cached_property
    def _pictures(self) -> dict[str, list[_Picture]]:
        """Pictures of every sequence."""
        path = self._path("data")
        found: dict[str, list[_Picture]] = defaultdict(list)
        for image in files.entry(files.json_mapping(path, INFO), "images", path, INFO):
            keys = ("frame_idx", "camera", "file_name", "width", "height", "capture", "seq_name")
            number, camera, file, width, height, capture, name = (
                files.entry(image, key, path, INFO) for key in keys
            )
            found[f"Capture{capture}/{name}"].append(
                (int(number), str(camera), str(file), int(width), int(height))
            )
        return dict(found)


_Picture = tuple[int, str, str, int, int]
"""Frame number, camera, file, width and height (pixels)."""
