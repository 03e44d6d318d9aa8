"""GRAB (Taheri et al., ECCV 2020): whole bodies grasp objects; both hands as MANO, no pictures."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from hand4d_ros.datasets import files
from hand4d_ros.datasets.base import (
    DatasetLoader,
    HandTrackTruth,
    ObjectTruth,
    SequenceRecord,
    chosen,
    repeated,
    stamps_from_numbers,
)
from hand4d_ros.datasets.info import DatasetInfo
from hand4d_ros.datasets.mano import NO_MANO, ManoHands, ManoLabels, truth_from_mano
from hand4d_ros.datasets.ply import ply_vertices
from hand4d_ros.geometry import se3, so3
from hand4d_ros.hand.model import HandModel
from hand4d_ros.shapes import Array, Float, Int
from hand4d_ros.types import Side

INFO = DatasetInfo(
    key="grab",
    title="GRAB",
    description="Ten people grasp and use 51 objects; 1334 recordings at 120 Hz, marker-based "
    "motion capture of body, hands and object, no pictures",
    where="https://grab.is.tue.mpg.de",
    access="an account there, with the licences of GRAB, MANO and SMPL-X accepted",
    licence="MPI, non-commercial research only, no redistribution",
    layout="""\
grab/s1/mug_pass_1.npz          rhand, lhand, object, framerate, n_frames, obj_name
tools/subject_meshes/male/s1_rhand.ply   the hand's own template, named in the .npz""",
    world="the motion capture's, at rest, z up",
    conventions="""\
a sequence is `<subject>/<name>`
`fullpose` is absolute (flat hand); `transl` is the model's translation
a hand's shape is a mesh of its own, not coefficients: `betas` are their least-squares fit with
  the user's MANO, and the wrist and keypoints are those of the fitted hand
object rotations are stated transposed: the points are multiplied from the left
stamps are row / framerate""",
    not_derivable="""\
`wrist_m`, `betas` and `keypoints_m` without the user's MANO file
the exact shape of each hand, which lies a little outside of MANO's ten coefficients""",
    sources="""\
github.com/otaheri/GRAB at 284cba7: README.md, grab/grab_preprocessing.py, grab/unzip_grab.py,
  tools/objectmodel.py, tools/utils.py""",
)

_MEMBERS = ("rhand", "lhand", "object", "framerate", "obj_name")
_MM_PER_M = 1e3


class Grab(DatasetLoader):
    """Loader of GRAB's hands."""

    def __init__(self, root: Path, config: None = None, mano: ManoHands | None = None) -> None:
        """Take the folder that holds ``grab`` and ``tools``; nothing is read.

        Args:
            root: The folder.
            config: There is nothing to choose.
            mano: The user's MANO.
        """
        del config
        self.root = root
        self.mano = mano

    def sequence_names(self) -> tuple[str, ...]:
        """``<subject>/<name>`` of all that are there."""
        found = sorted(files.folder(self.root / "grab", INFO).glob("s*/*.npz"))
        if not found:
            raise INFO.missing(self.root / "grab" / "<subject>" / "<name>.npz")
        return tuple(f"{path.parent.name}/{path.stem}" for path in found)

    def sequence(self, name: str, frames: range | None = None) -> SequenceRecord:
        """Read one recording; see ``DatasetLoader``."""
        path = self.root / "grab" / f"{name}.npz"
        found = files.saved_members(path, INFO, _MEMBERS)
        rate_hz = float(files.numbers(found["framerate"], path, INFO, ()))
        poses = _parameters(found["object"], path)
        count = len(files.entry(poses, "transl", path, INFO))
        at = chosen(count, frames, f"GRAB {name}")
        hands, notes = [], []
        for side, key in ((Side.LEFT, "lhand"), (Side.RIGHT, "rhand")):
            hand, note = self._hand(side, found[key], path, at)
            hands.append(hand)
            notes.extend(note)
        return SequenceRecord(
            dataset=INFO.key,
            name=name,
            stamps_ns=stamps_from_numbers(at, rate_hz),
            stamps_are="rate",
            frame_numbers=at,
            world="fixed",
            cameras=(),
            hands=tuple(hands),
            objects=(_object(str(found["obj_name"]), poses, path, at),),
            notes=tuple(notes),
        )

    def _hand(
        self, side: Side, found: Mapping[str, Any], path: Path, at: Int[Array, "n"]
    ) -> tuple[HandTrackTruth, list[str]]:
        parameters = _parameters(found, path)
        fingers = _values(parameters, "fullpose", path, 45)[at].reshape(-1, 15, 3)
        rotvec = _values(parameters, "global_orient", path, 3)[at]
        valid = np.ones(len(at), dtype=bool)
        if self.mano is None:
            names = ("wrist_m", "betas", "keypoints_m")
            hand = HandTrackTruth(
                side=side,
                valid=valid,
                R_world_wrist=so3.exp(rotvec),
                joint_rotvec=fingers,
                missing=dict.fromkeys(names, NO_MANO),
            )
            return hand, []
        mesh = self.root / str(files.entry(found, "vtemp", path, INFO))
        betas, residual_m = fitted_shape(self.mano.model(side), ply_vertices(mesh, INFO), mesh)
        labels = ManoLabels(
            side=side,
            valid=valid,
            global_rotvec=rotvec,
            transl_m=_values(parameters, "transl", path, 3)[at],
            betas=np.tile(betas, (len(at), 1)),
            joint_rotvec=fingers,
        )
        note = (
            f"The {side.label} hand's mesh is {residual_m * _MM_PER_M:.2f} mm (root mean square) "
            "off the hand of its fitted shape coefficients."
        )
        return truth_from_mano(labels, repeated(np.eye(4), len(at)), self.mano), [note]


def fitted_shape(
    model: HandModel, vertices_m: Float[Array, "v 3"], path: Path
) -> tuple[Float[Array, "10"], float]:
    """Shape coefficients whose hand at rest is nearest to a mesh, and the distance that is left.

    Args:
        model: The hand of this side.
        vertices_m: Mesh at rest with the model's vertices.
        path: Where it is from, for the message.

    Returns:
        Coefficients, and the root mean square of the distance of vertices (m).

    Raises:
        DatasetError: The mesh has other vertices.
    """
    if vertices_m.shape != model.template_m.shape:
        raise INFO.foreign(
            path, f"has {len(vertices_m)} vertices", f"{len(model.template_m)}, as MANO has"
        )
    offset = (vertices_m - model.template_m).ravel()
    betas, *_ = np.linalg.lstsq(model.shape_dirs_m.reshape(-1, 10), offset, rcond=None)
    left = offset - model.shape_dirs_m.reshape(-1, 10) @ betas
    return betas, float(np.sqrt((left.reshape(-1, 3) ** 2).sum(axis=1).mean()))


def _parameters(found: object, path: Path) -> dict[str, Any]:
    parameters = found.get("params") if isinstance(found, dict) else None
    if not isinstance(parameters, dict):
        raise INFO.foreign(path, "has a hand or object without params", "GRAB's own .npz")
    return parameters


def _values(
    parameters: Mapping[str, Any], key: str, path: Path, columns: int
) -> Float[Array, "n columns"]:
    return files.numbers(files.entry(parameters, key, path, INFO), path, INFO, (-1, columns))


def _object(
    name: str, parameters: Mapping[str, Any], path: Path, at: Int[Array, "n"]
) -> ObjectTruth:
    R_transposed = so3.exp(_values(parameters, "global_orient", path, 3)[at])
    T = se3.from_rotation_translation(
        np.swapaxes(R_transposed, -1, -2), _values(parameters, "transl", path, 3)[at]
    )
    return ObjectTruth(name, T)
