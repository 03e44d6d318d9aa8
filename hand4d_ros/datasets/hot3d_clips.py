"""HOT3D-Clips (Banerjee et al., CVPR 2025): two hands and objects seen from head-worn devices."""

from __future__ import annotations

import tarfile
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

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
)
from hand4d_ros.datasets.fisheye624 import COEFFICIENTS, Fisheye624
from hand4d_ros.datasets.images import RemappedImages, TarImages
from hand4d_ros.datasets.info import DatasetInfo
from hand4d_ros.datasets.mano import ManoHands, ManoLabels, truth_from_mano
from hand4d_ros.geometry import se3
from hand4d_ros.shapes import Array, Float, Int
from hand4d_ros.types import Side

INFO = DatasetInfo(
    key="hot3d_clips",
    title="HOT3D-Clips",
    description="Two hands handle 33 objects before an Aria or Quest 3 headset; 3832 clips of 150 "
    "frames at 30 Hz, two or three fisheye streams, labels from marker-based motion capture",
    where="https://huggingface.co/datasets/bop-benchmark/hot3d",
    access="a download there; hands need the MANO licence as well",
    licence="HOT3D licence agreement (projectaria.com/datasets/hot3d/license)",
    layout="""\
train_aria/clip-001849.tar      any folder with clips can be given
  000000.cameras.json
  000000.hands.json             train only
  000000.objects.json
  000000.info.json
  000000.image_214-1.jpg
  __hand_shapes.json__""",
    world="the motion capture's, at rest",
    conventions="""\
a sequence is a clip's name without `.tar`; frames are read out of the archive
`thetas` are 15 coefficients of MANO's principal components about its mean pose; `wrist_xform` is
  the global axis-angle and the model's translation, not the wrist's
one set of shape coefficients serves both hands; the left hand is the mirror image
quaternions are (w, x, y, z); poses map the camera or object to the world
fisheye pictures are resampled to a pinhole, see `Hot3dClipsConfig`; pictures of Aria lie on their
  side, as its cameras are mounted
stamps are measured, of the first stream; each stream has its own
MANO was fitted to UmeTrack's hand and is slightly less exact, as the makers say""",
    not_derivable="""\
`joint_rotvec`, `wrist_m` and `keypoints_m` without the user's MANO file
hands of the test clips, which are withheld""",
    sources="""\
github.com/facebookresearch/hot3d at e814021: hot3d/clips/README.md, clip_util.py, vis_clips.py,
  bop_format_converters/hot3d_clips_to_bop_scenewise.py
github.com/facebookresearch/hand_tracking_toolkit at ffb20d0: dataset.py, camera.py,
  camera_distortion.py, hand_models/mano_hand_model.py""",
)

_FISHEYES = ("CameraModelType.FISHEYE624", "OculusVisionFishEye624")
_SHAPES = "__hand_shapes.json__"


@dataclass(frozen=True)
class Hot3dClipsConfig:
    """What of HOT3D-Clips to read, and how to see it."""

    focal_scale: float = field(default=0.6, metadata={"min": 0.05, "max": 4.0})
    """Focal length of the pinhole over that of the fisheye; smaller sees more of the border."""
    streams: tuple[str, ...] = ()
    """Stream ids to read, such as 214-1; empty reads all."""

    def __post_init__(self) -> None:
        """Reject scales that no picture comes of."""
        settings.check(self)


class Hot3dClips(DatasetLoader):
    """Loader of HOT3D-Clips."""

    def __init__(
        self, root: Path, config: Hot3dClipsConfig | None = None, mano: ManoHands | None = None
    ) -> None:
        """Take a folder of clips; nothing is read."""
        self.root = root
        self.config = config or Hot3dClipsConfig()
        self.mano = mano

    def sequence_names(self) -> tuple[str, ...]:
        """``clip-<number>`` of all that are there."""
        found = sorted(files.folder(self.root, INFO).glob("clip-*.tar"))
        if not found:
            raise INFO.missing(self.root / "clip-<number>.tar")
        return tuple(path.stem for path in found)

    def sequence(self, name: str, frames: range | None = None) -> SequenceRecord:
        """Read the labels of one clip; see ``DatasetLoader``."""
        path = self.root / f"{name}.tar"
        if not path.is_file():
            raise INFO.missing(path)
        try:
            with tarfile.open(path) as archive:
                clip = _Clip(path, archive, frames)
        except (OSError, tarfile.TarError) as error:
            raise INFO.foreign(path, f"is no readable archive ({error})", "a clip") from None
        stamps_ns = clip.stamps(clip.streams[0])
        return SequenceRecord(
            dataset=INFO.key,
            name=name,
            stamps_ns=stamps_ns,
            stamps_are="measured",
            frame_numbers=np.array([int(key) for key in clip.keys]),
            world="fixed",
            cameras=tuple(
                self._camera(clip, stream)
                for stream in clip.streams
                if stream in (self.config.streams or clip.streams)
            ),
            hands=tuple(self._hand(clip, side) for side in (Side.LEFT, Side.RIGHT)),
            objects=_objects(clip),
            notes=() if clip.hands else ("Hands of this clip are withheld.",),
        )

    def _camera(self, clip: _Clip, stream: str) -> CameraTrack:
        fisheye = clip.fisheye(stream)
        pinhole = fisheye.pinhole(self.config.focal_scale)
        members = [f"{key}.image_{stream}.jpg" for key in clip.keys]
        pictures = TarImages(clip.path, [m if m in clip.names else "" for m in members])
        return CameraTrack(
            name=stream,
            model=pinhole,
            stamps_ns=clip.stamps(stream),
            rows=np.arange(len(clip.keys)),
            T_world_camera=np.stack([clip.pose(c, stream) for c in clip.cameras]),
            images=RemappedImages(pictures, fisheye.source_px(pinhole)),
        )

    def _hand(self, clip: _Clip, side: Side) -> HandTrackTruth:
        count = len(clip.keys)
        found = [(hands.get(side.label) or {}).get("mano_pose") for hands in clip.hands]
        if clip.betas is None or not found:
            found = [None] * count
        valid = np.array([pose is not None for pose in found])
        thetas, xform = np.zeros((count, 15)), np.zeros((count, 6))
        for row, pose in enumerate(found):
            if pose is not None:
                thetas[row] = clip.numbers(pose, "thetas", (15,))
                xform[row] = clip.numbers(pose, "wrist_xform", (6,))
        fingers = None
        if self.mano is not None:
            fingers = self.mano.spaces[side].from_coefficients(thetas)
        betas = np.zeros(10) if clip.betas is None else clip.betas
        labels = ManoLabels(
            side=side,
            valid=valid,
            global_rotvec=xform[:, :3],
            transl_m=xform[:, 3:],
            betas=np.tile(betas, (count, 1)),
            joint_rotvec=fingers,
        )
        return truth_from_mano(labels, repeated(np.eye(4), count), self.mano)


class _Clip:
    """The JSON members of one clip, of the frames chosen."""

    def __init__(self, path: Path, archive: tarfile.TarFile, frames: range | None) -> None:
        self.path = path
        self.names = frozenset(archive.getnames())
        keys = sorted(n.removesuffix(".info.json") for n in self.names if n.endswith(".info.json"))
        self.keys = [keys[i] for i in chosen(len(keys), frames, f"HOT3D-Clips {path.stem}")]
        self.infos = self._every(archive, "info")
        self.cameras = self._every(archive, "cameras")
        self.hands = self._every(archive, "hands") if self._has("hands") else []
        self.objects = self._every(archive, "objects") if self._has("objects") else []
        self.betas: Float[Array, "10"] | None = None
        if _SHAPES in self.names:
            self.betas = self.numbers(self._json(archive, _SHAPES), "mano", (10,))
        self.streams = tuple(sorted(self.cameras[0], key=lambda s: (int(s.split("-")[0]), s)))

    def numbers(
        self, found: Mapping[str, Any], key: str, shape: tuple[int, ...]
    ) -> Float[Array, "..."]:
        """One entry as numbers."""
        return files.numbers(files.entry(found, key, self.path, INFO), self.path, INFO, shape)

    def stamps(self, stream: str) -> Int[Array, "n"]:
        """Capture time of each frame of a stream."""
        found = [files.entry(i, "image_timestamps_ns", self.path, INFO) for i in self.infos]
        return np.array([int(files.entry(f, stream, self.path, INFO)) for f in found])

    def pose(self, cameras: Mapping[str, Any], stream: str) -> Float[Array, "4 4"]:
        """Pose of a stream's camera in one frame."""
        camera = files.entry(cameras, stream, self.path, INFO)
        return self.transform(camera, "T_world_from_camera")

    def transform(self, found: Mapping[str, Any], key: str) -> Float[Array, "4 4"]:
        """One entry as a pose."""
        T = files.entry(found, key, self.path, INFO)
        return se3.from_quaternion_translation(
            self.numbers(T, "quaternion_wxyz", (4,)), self.numbers(T, "translation_xyz", (3,))
        )

    def fisheye(self, stream: str) -> Fisheye624:
        """Calibration of a stream; that of the first frame serves all."""
        camera = files.entry(self.cameras[0], stream, self.path, INFO)
        found = files.entry(camera, "calibration", self.path, INFO)
        kind = files.entry(found, "projection_model_type", self.path, INFO)
        values = self.numbers(found, "projection_params", (-1,)).tolist()
        # Aria states one focal length, Quest 3 two.
        focals = len(values) - 2 - COEFFICIENTS
        if kind not in _FISHEYES or focals not in (1, 2):
            raise INFO.foreign(
                self.path, f"has a camera {kind!r} of {len(values)} numbers", _FISHEYES[0]
            )
        return Fisheye624(
            width_px=int(files.entry(found, "image_width", self.path, INFO)),
            height_px=int(files.entry(found, "image_height", self.path, INFO)),
            focal_px=(values[0], values[focals - 1]),
            centre_px=(values[focals], values[focals + 1]),
            coefficients=tuple(values[focals + 2 :]),
        )

    def _has(self, kind: str) -> bool:
        return f"{self.keys[0]}.{kind}.json" in self.names

    def _every(self, archive: tarfile.TarFile, kind: str) -> list[dict[str, Any]]:
        return [self._json(archive, f"{key}.{kind}.json") for key in self.keys]

    def _json(self, archive: tarfile.TarFile, name: str) -> dict[str, Any]:
        member = archive.extractfile(name) if name in self.names else None
        if member is None:
            raise INFO.foreign(self.path, f"lacks {name}", "all files of each frame")
        return files.mapping_from_json(member.read(), self.path, INFO)


def _objects(clip: _Clip) -> tuple[ObjectTruth, ...]:
    """Objects of the clip; the n-th instance of one object in each frame is one record."""
    poses: dict[str, Float[Array, "n 4 4"]] = {}
    for row, objects in enumerate(clip.objects):
        for key, instances in objects.items():
            for number, instance in enumerate(instances):
                name = key if number == 0 else f"{key}#{number}"
                every = poses.setdefault(name, np.full((len(clip.keys), 4, 4), np.nan))
                every[row] = clip.transform(instance, "T_world_from_object")
    return tuple(ObjectTruth(name, T) for name, T in sorted(poses.items()))
