"""Known hands, and the parameters that a dataset would state for them."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from hand4d_ros.datasets.base import HandTrackTruth
from hand4d_ros.datasets.mano import LeftShape, ManoHands, PoseSpace
from hand4d_ros.geometry import se3, so3
from hand4d_ros.hand.builtin import builtin_hand
from hand4d_ros.hand.model import HandModel
from hand4d_ros.imaging import jpeg_from_rgb
from hand4d_ros.shapes import Array, Float
from hand4d_ros.types import Side


def sample_mano(seed: int = 7) -> ManoHands:
    """The built-in hand in place of MANO, with a wrist off the origin that moves with the shape."""
    rng = np.random.default_rng(seed)
    hand = builtin_hand(Side.RIGHT)
    offset_m, growth_m = np.array([0.09, 0.006, 0.007]), rng.normal(size=(3, 10)) * 1e-3
    right = replace(
        hand,
        name="mano",
        template_m=hand.template_m + offset_m,
        shape_dirs_m=hand.shape_dirs_m + growth_m,
        joints_m=hand.joints_m + offset_m,
        joint_shape_dirs_m=hand.joint_shape_dirs_m + growth_m,
    )
    components = np.linalg.qr(rng.normal(size=(45, 45)))[0]
    space = PoseSpace(rng.normal(size=45) * 0.2, components)
    return ManoHands(right, {Side.RIGHT: space, Side.LEFT: space.mirrored()})


def poses(rng: np.random.Generator, count: int, reach_m: float = 0.4) -> Float[Array, "n 4 4"]:
    """Random rigid transforms."""
    R = so3.exp(rng.normal(size=(count, 3)))
    return se3.from_rotation_translation(R, rng.normal(size=(count, 3)) * reach_m)


@dataclass(frozen=True)
class HandSample:
    """One hand with known motion in the world."""

    side: Side
    model: HandModel
    T_world_wrist: Float[Array, "n 4 4"]
    joint_rotvec: Float[Array, "n 15 3"]
    betas: Float[Array, "10"]

    @property
    def keypoints_m(self) -> Float[Array, "n 21 3"]:
        """Keypoints in the world, OpenPose order."""
        shaped = self.model.with_shape(self.betas)
        return shaped.keypoints(self.T_world_wrist, self.joint_rotvec)

    def stated(
        self, T_frame_world: Float[Array, "n 4 4"] | None = None
    ) -> tuple[Float[Array, "n 3"], Float[Array, "n 3"], Float[Array, "n 21 3"]]:
        """Global axis-angle, MANO's translation and keypoints, in a frame."""
        if T_frame_world is None:
            T_frame_world = np.tile(np.eye(4), (len(self.T_world_wrist), 1, 1))
        T = T_frame_world @ self.T_world_wrist
        rest_m = self.model.with_shape(self.betas).joints_m[0]
        keypoints_m = se3.apply(T_frame_world, self.keypoints_m)
        return so3.log(T[:, :3, :3]), T[:, :3, 3] - rest_m, keypoints_m

    def coefficients(self, space: PoseSpace, count: int = 45) -> Float[Array, "n count"]:
        """Components of the finger pose about the mean; exact if it lies in their span."""
        relative = self.joint_rotvec.reshape(-1, 45) - space.mean_rotvec
        return np.asarray(relative @ space.components[:count].T)


def sample_hand(
    mano: ManoHands, side: Side, count: int, *, left_shape: LeftShape = "mirrored", seed: int = 1
) -> HandSample:
    """A hand in random motion."""
    rng = np.random.default_rng([seed, int(side)])
    return HandSample(
        side=side,
        model=mano.model(side, left_shape),
        T_world_wrist=poses(rng, count),
        joint_rotvec=rng.normal(size=(count, 15, 3)) * 0.3,
        betas=rng.normal(size=10),
    )


def assert_same_hand(
    truth: HandTrackTruth, sample: HandSample, rows: slice = slice(None), atol: float = 1e-9
) -> None:
    """The record says of some rows exactly what the sample says."""
    np.testing.assert_allclose(
        truth.required("keypoints_m")[rows], sample.keypoints_m[rows], atol=atol
    )
    np.testing.assert_allclose(truth.T_world_wrist[rows], sample.T_world_wrist[rows], atol=atol)
    np.testing.assert_allclose(
        truth.required("joint_rotvec")[rows], sample.joint_rotvec[rows], atol=atol
    )
    betas = np.broadcast_to(sample.betas, truth.required("betas")[rows].shape)
    np.testing.assert_allclose(truth.required("betas")[rows], betas, atol=atol)


def write_picture(path: Path, shade: int, size: tuple[int, int] = (6, 8)) -> None:
    """A small picture of one grey."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(jpeg_from_rgb(np.full((*size, 3), shade, dtype=np.uint8)))
