"""From each dataset's MANO parameters to ours: absolute pose, wrist pose, keypoints.

Datasets state finger poses relative to MANO's mean pose, or as coefficients of its principal
components, and the translation of the model rather than of the wrist. Undoing that needs the
user's own MANO file.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

import numpy as np

from hand4d_ros.datasets.base import HandTrackTruth
from hand4d_ros.errors import DatasetError
from hand4d_ros.geometry import se3, so3
from hand4d_ros.hand.mano_file import ManoArrays, hand_model, read_mano
from hand4d_ros.hand.model import HandModel
from hand4d_ros.shapes import Array, Bool, Float
from hand4d_ros.types import Side

LeftShape = Literal["released", "mirrored"]
"""Which left hand a dataset's shape coefficients belong to.

``released``: that of ``MANO_LEFT.pkl`` as published, whose shape directions have the x components
of the right hand (https://github.com/vchoutas/smplx/issues/48). ``mirrored``: the mirror image of
the right hand, as here.
"""

RELEASED_LEFT = (
    "Left hands are those of MANO_LEFT.pkl as published, with which the dataset's own code poses "
    "them; their shape coefficients belong to it, not to the mirror image of the right hand."
)
"""Note on records whose ``LeftShape`` is ``released``."""

_MIRROR_ROTVEC = np.array([1.0, -1.0, -1.0])
_MIRROR = np.array([-1.0, 1.0, 1.0])
NO_MANO = "it needs MANO: give the loader mano_hands('MANO_RIGHT.pkl')"
"""Why a field is None that a MANO file would give."""


@dataclass(frozen=True)
class PoseSpace:
    """MANO's mean finger pose and its principal components, of one side."""

    mean_rotvec: Float[Array, "45"]
    components: Float[Array, "45 45"]
    """One component a row, the strongest first."""

    def absolute(self, relative: Float[Array, "n 45"]) -> Float[Array, "n 15 3"]:
        """Finger rotations (rad) from the flat hand, of those from the mean pose.

        MANO adds the axis-angle vectors, so this does too (``flat_hand_mean=False`` of smplx).
        """
        return np.reshape(relative + self.mean_rotvec, (-1, 15, 3))

    def from_coefficients(
        self, coefficients: Float[Array, "n k"], *, mean: bool = True
    ) -> Float[Array, "n 15 3"]:
        """Finger rotations (rad) from the flat hand, of the first k components.

        Args:
            coefficients: Of the strongest components.
            mean: Whether the mean pose is to be added.
        """
        relative = coefficients @ self.components[: coefficients.shape[1]]
        return self.absolute(relative) if mean else relative.reshape(-1, 15, 3)

    def mirrored(self) -> PoseSpace:
        """The space of the other hand: (x, y, z) becomes (x, -y, -z)."""
        signs = np.tile(_MIRROR_ROTVEC, 15)
        return PoseSpace(self.mean_rotvec * signs, self.components * signs)


@dataclass(frozen=True)
class ManoHands:
    """What loaders need of the user's MANO files."""

    right: HandModel
    spaces: Mapping[Side, PoseSpace]

    def model(self, side: Side, left_shape: LeftShape = "mirrored") -> HandModel:
        """The hand that a dataset's shape coefficients belong to."""
        if side is Side.RIGHT:
            return self.right
        left = self.right.mirrored()
        if left_shape == "mirrored":
            return left
        return replace(
            left,
            shape_dirs_m=left.shape_dirs_m * _MIRROR[:, None],
            joint_shape_dirs_m=left.joint_shape_dirs_m * _MIRROR[:, None],
        )


def mano_hands(right_pkl: Path | str, left_pkl: Path | str = "") -> ManoHands:
    """Read what loaders need of ``MANO_RIGHT.pkl``.

    Args:
        right_pkl: Of https://mano.is.tue.mpg.de, licence accepted.
        left_pkl: ``MANO_LEFT.pkl``, for its own mean pose and components; empty mirrors those of
            the right hand.

    Raises:
        HandModelError: A file is missing or no MANO hand.
        DatasetError: A file is of the other side.
    """
    right = _of_side(right_pkl, Side.RIGHT)
    space = PoseSpace(right.hands_mean, right.hands_components)
    left_space = space.mirrored()
    if left_pkl:
        left = _of_side(left_pkl, Side.LEFT)
        left_space = PoseSpace(left.hands_mean, left.hands_components)
    return ManoHands(hand_model(right), {Side.RIGHT: space, Side.LEFT: left_space})


def _of_side(path: Path | str, side: Side) -> ManoArrays:
    arrays = read_mano(path)
    if arrays.side is not side:
        raise DatasetError(f"{path} is a {arrays.side.label} hand; give the {side.label} one")
    return arrays


@dataclass(frozen=True)
class ManoLabels:
    """One hand as a dataset states it: smplx parameters in the dataset's frame, n frames."""

    side: Side
    valid: Bool[Array, "n"]
    global_rotvec: Float[Array, "n 3"]
    transl_m: Float[Array, "n 3"]
    """Translation of the model, which turns about its wrist at rest."""
    betas: Float[Array, "n 10"]
    joint_rotvec: Float[Array, "n 15 3"] | None
    """Absolute (rad); None where that needs a MANO file that was not given."""
    left_shape: LeftShape = "mirrored"
    keypoints_m: Float[Array, "n 21 3"] | None = None
    """In the dataset's frame, OpenPose order; None computes them."""
    keypoint_wrist: bool = False
    """Whether keypoint 0 is MANO's wrist joint, so that no MANO file is needed for it."""


def truth_from_mano(
    labels: ManoLabels, T_world_frame: Float[Array, "n 4 4"], hands: ManoHands | None
) -> HandTrackTruth:
    """Turn a dataset's MANO parameters into a record.

    Args:
        labels: What the dataset says.
        T_world_frame: From the frame that it says it in.
        hands: The user's MANO, or None.

    Returns:
        Everything that follows from the labels; the rest is None with the reason.
    """
    missing: dict[str, str] = {}
    R_frame_wrist = so3.exp(labels.global_rotvec)
    wrist_m = _wrist(labels, hands)
    keypoints_m, fingers = labels.keypoints_m, labels.joint_rotvec
    if wrist_m is None:
        missing["wrist_m"] = NO_MANO
    if fingers is None:
        missing["joint_rotvec"] = NO_MANO
    if keypoints_m is None and hands is not None and wrist_m is not None and fingers is not None:
        T_frame_wrist = se3.from_rotation_translation(R_frame_wrist, wrist_m)
        keypoints_m = _keypoints(labels, hands, T_frame_wrist, fingers)
    if keypoints_m is None:
        missing["keypoints_m"] = NO_MANO
    unlabelled = ~labels.valid
    R_world_frame = T_world_frame[:, :3, :3]
    return HandTrackTruth(
        side=labels.side,
        valid=labels.valid,
        keypoints_m=_in_world(T_world_frame, keypoints_m, unlabelled),
        R_world_wrist=blank(R_world_frame @ R_frame_wrist, unlabelled),
        wrist_m=_point_in_world(T_world_frame, wrist_m, unlabelled),
        joint_rotvec=None if fingers is None else blank(fingers, unlabelled),
        betas=blank(labels.betas, unlabelled),
        missing=missing,
    )


def blank(values: Float[Array, "n ..."], rows: Bool[Array, "n"]) -> Float[Array, "n ..."]:
    """A copy with NaN in some rows."""
    out = np.array(values, dtype=np.float64)
    out[rows] = np.nan
    return out


def _wrist(labels: ManoLabels, hands: ManoHands | None) -> Float[Array, "n 3"] | None:
    """Wrist joint in the dataset's frame: the model turns about it, so rotation drops out."""
    if hands is not None:
        model = hands.model(labels.side, labels.left_shape)
        rest_m = model.joints_m[0] + labels.betas @ model.joint_shape_dirs_m[0].T
        return np.asarray(rest_m + labels.transl_m)
    if labels.keypoint_wrist and labels.keypoints_m is not None:
        return labels.keypoints_m[:, 0]
    return None


def _keypoints(
    labels: ManoLabels,
    hands: ManoHands,
    T_frame_wrist: Float[Array, "n 4 4"],
    joint_rotvec: Float[Array, "n 15 3"],
) -> Float[Array, "n 21 3"]:
    """Pose the model, one shape after the other: most sequences have a single one."""
    model = hands.model(labels.side, labels.left_shape)
    keypoints_m = np.full((len(joint_rotvec), 21, 3), np.nan)
    labelled = np.flatnonzero(labels.valid)
    shapes, which = np.unique(labels.betas[labelled], axis=0, return_inverse=True)
    for number, betas in enumerate(shapes):
        at = labelled[which.reshape(-1) == number]
        shaped = model.with_shape(betas)
        keypoints_m[at] = shaped.keypoints(T_frame_wrist[at], joint_rotvec[at])
    return keypoints_m


def _in_world(
    T_world_frame: Float[Array, "n 4 4"],
    points_m: Float[Array, "n 21 3"] | None,
    unlabelled: Bool[Array, "n"],
) -> Float[Array, "n 21 3"] | None:
    if points_m is None:
        return None
    return blank(se3.apply(T_world_frame, points_m), unlabelled)


def _point_in_world(
    T_world_frame: Float[Array, "n 4 4"],
    point_m: Float[Array, "n 3"] | None,
    unlabelled: Bool[Array, "n"],
) -> Float[Array, "n 3"] | None:
    if point_m is None:
        return None
    return blank(se3.apply(T_world_frame, point_m[:, None])[:, 0], unlabelled)
