"""What was true in a rendered clip and what the real detector said about it, as plain arrays.

A clip is kept in one ``.npz`` file, so that rendering, which takes nearly all of the time, is
done once and a run that was stopped goes on where it was.
"""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from hand4d_ros.shapes import Array, Bool, Float, Int
from hand4d_ros.synthetic.occlusion import Obstacles, Solids
from hand4d_ros.types import CameraModel, HandDetection

MAX_HANDS = 4
"""Detections kept of one frame."""


@dataclass(frozen=True)
class Detections:
    """Detections of ``f`` frames, the surest first; NaN where there is none."""

    side: Int[Array, "f d"]
    """Value of ``Side``; -1 where there is none."""
    score: Float[Array, "f d"]
    keypoints_px: Float[Array, "f d 21 2"]
    confidence: Float[Array, "f d 21"]
    keypoints_3d_m: Float[Array, "f d 21 3"]

    @classmethod
    def from_lists(cls, frames: Sequence[Sequence[HandDetection]]) -> Detections:
        """Put the lists that a detector returned into arrays.

        Args:
            frames: The detections of each frame; what is beyond ``MAX_HANDS`` is left out.
        """
        shape = (len(frames), MAX_HANDS)
        result = cls(
            np.full(shape, -1),
            np.full(shape, np.nan),
            np.full((*shape, 21, 2), np.nan),
            np.full((*shape, 21), np.nan),
            np.full((*shape, 21, 3), np.nan),
        )
        for f, found in enumerate(frames):
            for d, hand in enumerate(found[:MAX_HANDS]):
                result.side[f, d] = hand.side
                result.score[f, d] = hand.score
                result.keypoints_px[f, d] = hand.keypoints_px
                result.confidence[f, d] = hand.keypoint_confidence
                if hand.keypoints_3d_m is not None:
                    result.keypoints_3d_m[f, d] = hand.keypoints_3d_m
        return result


@dataclass(frozen=True)
class ClipRecord:
    """One clip of ``f`` frames with both hands, indexed by the value of ``Side``."""

    name: str
    difficulty: str
    """How dim, noisy and blurred the pictures are."""
    camera: CameraModel
    stamps_ns: Int[Array, "f"]
    keypoints_m: Float[Array, "f 2 21 3"]
    """The truth, in the camera's frame."""
    drawn: Bool[Array, "f 2 21"]
    """Which keypoints can be seen in the picture, by its depth."""
    obstacles: Obstacles
    """What stands in the way, for the test without a picture."""
    found: Detections

    def save(self, path: Path) -> None:
        """Write one file; it appears under its name only when it is whole."""
        solids = self.obstacles.solids
        header = {
            "name": self.name,
            "difficulty": self.difficulty,
            "camera": dataclasses.asdict(self.camera),
            "solids": list(solids.kinds),
            "owners": list(self.obstacles.owners),
        }
        unfinished = path.with_suffix(".tmp")
        with unfinished.open("wb") as file:
            np.savez_compressed(
                file,
                header=np.array(json.dumps(header)),
                stamps_ns=self.stamps_ns,
                keypoints_m=self.keypoints_m,
                drawn=self.drawn,
                half_m=solids.half_m,
                T_camera_solid=solids.T_camera_solid,
                capsules_m=self.obstacles.capsules_m,
                **{f"found_{k}": v for k, v in vars(self.found).items()},
            )
        unfinished.rename(path)

    @classmethod
    def load(cls, path: Path) -> ClipRecord:
        """Read what ``save`` wrote."""
        with np.load(path, allow_pickle=False) as file:
            header = json.loads(str(file["header"]))
            camera = header["camera"] | {"distortion": tuple(header["camera"]["distortion"])}
            names = [field.name for field in dataclasses.fields(Detections)]
            solids = Solids(tuple(header["solids"]), file["half_m"], file["T_camera_solid"])
            return cls(
                header["name"],
                header["difficulty"],
                CameraModel(**camera),
                file["stamps_ns"],
                file["keypoints_m"],
                file["drawn"],
                Obstacles(solids, file["capsules_m"], tuple(header["owners"])),
                Detections(*(file[f"found_{name}"] for name in names)),
            )
