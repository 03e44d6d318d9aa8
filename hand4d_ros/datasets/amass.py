"""AMASS (Mahmood et al., ICCV 2019): many motion capture archives as SMPL+H or SMPL-X bodies.

Of the body only the hands' articulation and orientation follow without the body model: the joints
of SMPL turn in frames that are parallel at rest, so orientations chain from the root to the wrist
whatever the body's shape.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from hand4d_ros.datasets import files
from hand4d_ros.datasets.base import (
    DatasetLoader,
    HandTrackTruth,
    SequenceRecord,
    chosen,
    stamps_from_numbers,
)
from hand4d_ros.datasets.info import DatasetInfo
from hand4d_ros.datasets.mano import ManoHands
from hand4d_ros.geometry import so3
from hand4d_ros.shapes import Array, Float
from hand4d_ros.types import Side

INFO = DatasetInfo(
    key="amass",
    title="AMASS (hands)",
    description="Some 20 motion capture archives as SMPL+H or SMPL-X bodies, 60 to 250 Hz, no "
    "pictures; few of them captured fingers (GRAB, TCDHands, SAMP, SOMA among them)",
    where="https://amass.is.tue.mpg.de",
    access="an account there, with the licence accepted",
    licence="MPI, non-commercial research only, no redistribution",
    layout="""\
TCD_handMocap/ExperimentDatabase/typing_poses.npz     SMPL+H
  poses (n, 156), trans, betas, mocap_framerate
TCDHands/ExperimentDatabase/typing_stageii.npz        SMPL-X
  poses (n, 165), trans, betas, mocap_frame_rate""",
    world="the motion capture's, at rest, z up",
    conventions="""\
a sequence is the file's path without `.npz`; shape.npz and *_stagei.npz are passed over
SMPL+H: joints 22-36 are the left hand, 37-51 the right; SMPL-X: 25-39 and 40-54. Their order
  within the hand is MANO's and the rotations are absolute (flat hand)
the wrist's orientation is the product of the rotations from the root over spine, collar, shoulder
  and elbow to the wrist
fingers that stay the same throughout were not captured: `joint_rotvec` is then None
stamps are row / rate""",
    not_derivable="""\
`wrist_m` and `keypoints_m`: they need the body model
`betas`: those of the file are the body's, not the hand's""",
    sources="""\
github.com/nghorbani/amass at a9888a9: notebooks/01-AMASS_Visualization.ipynb
its two samples: poses (n, 156), mocap_framerate; where the fingers do not move they are MANO's mean
  pose, mirrored from side to side, so the rotations are absolute
order of SMPL-X poses and the fields of *_stageii.npz: public code that reads them""",
)

_SMPLH_COLUMNS, _SMPLX_COLUMNS = 156, 165
_HAND_COLUMNS = {_SMPLH_COLUMNS: (66, 111), _SMPLX_COLUMNS: (75, 120)}
"""Where the left and the right hand begin."""
WRIST_CHAINS = {
    Side.LEFT: (0, 3, 6, 9, 13, 16, 18, 20),
    Side.RIGHT: (0, 3, 6, 9, 14, 17, 19, 21),
}
"""Joints of SMPL from the root to each wrist: pelvis, three of the spine, collar, shoulder, elbow,
wrist."""
_STILL_RAD = 1e-6


class Amass(DatasetLoader):
    """Loader of the hands of AMASS."""

    def __init__(self, root: Path, config: None = None, mano: ManoHands | None = None) -> None:
        """Take the folder that holds the archives, or one of them; nothing is read.

        Args:
            root: The folder.
            config: There is nothing to choose.
            mano: Not needed: poses are absolute, and the body model is what would be needed.
        """
        del config, mano
        self.root = root

    def sequence_names(self) -> tuple[str, ...]:
        """Path of each recording without ``.npz``."""
        files.folder(self.root, INFO)
        found = [*self.root.rglob("*_poses.npz"), *self.root.rglob("*_stageii.npz")]
        if not found:
            raise INFO.missing(self.root / "<archive>" / "<subject>" / "<name>_poses.npz")
        names = (path.relative_to(self.root).with_suffix("").as_posix() for path in found)
        return tuple(sorted(names))

    def sequence(self, name: str, frames: range | None = None) -> SequenceRecord:
        """Read one recording; see ``DatasetLoader``."""
        path = self.root / f"{name}.npz"
        rate_key = "mocap_frame_rate" if name.endswith("_stageii") else "mocap_framerate"
        found = files.arrays(path, INFO, ("poses", rate_key))
        poses = files.numbers(found["poses"], path, INFO)
        if poses.ndim != 2 or poses.shape[1] not in _HAND_COLUMNS:
            raise INFO.foreign(
                path,
                f"has poses of shape {poses.shape}",
                f"n x {_SMPLH_COLUMNS} (SMPL+H) or n x {_SMPLX_COLUMNS} (SMPL-X); the archives of "
                "SMPL have no hands",
            )
        at = chosen(len(poses), frames, f"AMASS {name}")
        rate_hz = float(files.numbers(found[rate_key], path, INFO, ()))
        return SequenceRecord(
            dataset=INFO.key,
            name=name,
            stamps_ns=stamps_from_numbers(at, rate_hz),
            stamps_are="rate",
            frame_numbers=at,
            world="fixed",
            cameras=(),
            hands=tuple(
                _hand(side, first, poses, poses[at])
                for side, first in zip(
                    (Side.LEFT, Side.RIGHT), _HAND_COLUMNS[poses.shape[1]], strict=True
                )
            ),
        )


def _hand(
    side: Side, first: int, every: Float[Array, "all columns"], poses: Float[Array, "n columns"]
) -> HandTrackTruth:
    missing = dict.fromkeys(("wrist_m", "keypoints_m"), "it needs the body model")
    missing["betas"] = "the file's are the body's, not the hand's"
    moves = bool(np.ptp(every[:, first : first + 45], axis=0).max() > _STILL_RAD)
    if not moves:
        missing["joint_rotvec"] = "the fingers stay the same throughout: they were not captured"
    R = np.broadcast_to(np.eye(3), (len(poses), 3, 3))
    for joint in WRIST_CHAINS[side]:
        R = R @ so3.exp(poses[:, 3 * joint : 3 * joint + 3])
    return HandTrackTruth(
        side=side,
        valid=np.ones(len(poses), dtype=bool),
        R_world_wrist=R,
        joint_rotvec=poses[:, first : first + 45].reshape(-1, 15, 3) if moves else None,
        missing=missing,
    )
