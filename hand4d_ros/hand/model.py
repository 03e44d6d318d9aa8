"""The hand model in stages: load, then ``with_shape``, then pose to keypoints or vertices.

MANO's formulation (Romero et al., SIGGRAPH Asia 2017, Eqs. 1-4) with one change of parameter:
the pose of the hand is the pose of its wrist joint, so the translation parameter of MANO is
the wrist's position minus its place in the rest pose. Rotations are absolute from the flat hand.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np

from hand4d_ros.geometry import so3
from hand4d_ros.hand.orders import OPENPOSE_FROM_MANO, TIP_PARENTS
from hand4d_ros.shapes import Array, Float, Int
from hand4d_ros.types import Side

_MIRROR = np.array([-1.0, 1.0, 1.0])
_CHAIN_TIPS = np.argsort([TIP_PARENTS.index(j) for j in (3, 6, 9, 12, 15)])
"""Row of the finger chains (MANO order) that holds the tip of each finger in OpenPose order."""


@dataclass(frozen=True)
class HandModel:
    """A hand of one side before its shape is chosen. Lengths in metres, rest pose.

    The tree is MANO's: five chains of three joints that start at the wrist, joints 1-3, 4-6, …
    """

    name: str
    """``"builtin"`` or ``"mano"``."""
    side: Side
    template_m: Float[Array, "v 3"]
    shape_dirs_m: Float[Array, "v 3 10"]
    """Vertex displacement for one standard deviation of each shape coefficient."""
    pose_dirs_m: Float[Array, "v 3 135"] | None
    """Pose correctives on the entries of the 15 joint rotations minus identity, or none."""
    joints_m: Float[Array, "16 3"]
    joint_shape_dirs_m: Float[Array, "16 3 10"]
    weights: Float[Array, "v 16"]
    """Skinning weights; rows sum to one."""
    faces: Int[Array, "f 3"]
    """Outward orientation is counter-clockwise."""
    tip_vertices: Int[Array, "5"]
    """Vertices that serve as fingertips, thumb to little finger."""

    def with_shape(self, betas: Float[Array, "10"] | None = None) -> ShapedHand:
        """Choose the shape of this hand.

        Args:
            betas: Shape coefficients (standard deviations); None is the mean hand.
        """
        return ShapedHand(self, np.zeros(10) if betas is None else np.asarray(betas, float))

    def mirrored(self) -> HandModel:
        """Return the hand of the other side: the mirror image through x = 0."""
        pose_dirs = self.pose_dirs_m
        if pose_dirs is not None:
            signs = np.tile(np.outer(_MIRROR, _MIRROR).ravel(), 15)
            pose_dirs = pose_dirs * _MIRROR[:, None] * signs
        return replace(
            self,
            side=Side(1 - self.side),
            template_m=self.template_m * _MIRROR,
            shape_dirs_m=self.shape_dirs_m * _MIRROR[:, None],
            pose_dirs_m=pose_dirs,
            joints_m=self.joints_m * _MIRROR,
            joint_shape_dirs_m=self.joint_shape_dirs_m * _MIRROR[:, None],
            faces=self.faces[:, ::-1].copy(),
        )


@dataclass(frozen=True)
class PosedChain:
    """Global joint rotations and positions of a posed hand."""

    rotations: Float[Array, "*batch 16 3 3"]
    joints_m: Float[Array, "*batch 16 3"]
    tips_m: Float[Array, "*batch 5 3"]
    """Thumb to little finger."""

    @property
    def keypoints_m(self) -> Float[Array, "*batch 21 3"]:
        """The 21 keypoints in OpenPose order (m)."""
        both = np.concatenate((self.joints_m, self.tips_m), axis=-2)
        return both[..., OPENPOSE_FROM_MANO, :]


@dataclass(frozen=True)
class ShapedHand:
    """A hand of known shape; posing it computes only what is asked for."""

    model: HandModel
    betas: Float[Array, "10"]

    @cached_property
    def joints_m(self) -> Float[Array, "16 3"]:
        """Joints at rest."""
        return self.model.joints_m + self.model.joint_shape_dirs_m @ self.betas

    @cached_property
    def template_m(self) -> Float[Array, "v 3"]:
        """Vertices at rest."""
        return self.model.template_m + self.model.shape_dirs_m @ self.betas

    @cached_property
    def tips_m(self) -> Float[Array, "5 3"]:
        """Fingertip vertices at rest, thumb to little finger."""
        tips = self.model.tip_vertices
        return self.model.template_m[tips] + self.model.shape_dirs_m[tips] @ self.betas

    @cached_property
    def bones_m(self) -> Float[Array, "5 4 3"]:
        """Bone vectors at rest: chains in MANO order, from the wrist to the tip."""
        chains = self.joints_m[1:].reshape(5, 3, 3)
        tips = np.empty((5, 1, 3))
        tips[_CHAIN_TIPS, 0] = self.tips_m
        wrist = np.broadcast_to(self.joints_m[0], (5, 1, 3))
        return np.diff(np.concatenate((wrist, chains, tips), axis=1), axis=1)

    @cached_property
    def bone_lengths_m(self) -> Float[Array, "5 4"]:
        """Lengths of ``bones_m``."""
        return np.linalg.norm(self.bones_m, axis=-1)

    @property
    def hand_length_m(self) -> float:
        """Wrist joint to the tip of the straight middle finger, along its bones."""
        return float(self.bone_lengths_m[1].sum())

    @cached_property
    def _tips_are_rigid(self) -> bool:
        weights = self.model.weights[self.model.tip_vertices, list(TIP_PARENTS)]
        return self.model.pose_dirs_m is None and bool(np.all(weights > 1.0 - 1e-9))

    def chain(
        self,
        R_frame_wrist: Float[Array, "*batch 3 3"],
        wrist_m: Float[Array, "*batch 3"],
        local: Float[Array, "*batch 15 3 3"],
    ) -> PosedChain:
        """Forward kinematics, level by level over the five fingers at once.

        Args:
            R_frame_wrist: Global orientation.
            wrist_m: Wrist position.
            local: Rotation of joints 1..15 relative to their parents.
        """
        batch = local.shape[:-3]
        bones = self.bones_m
        levels = local.reshape(*batch, 5, 3, 3, 3)
        rotation = np.broadcast_to(R_frame_wrist[..., None, :, :], (*batch, 5, 3, 3))
        position = np.broadcast_to(wrist_m[..., None, :], (*batch, 5, 3))
        rotations = np.empty((*batch, 5, 3, 3, 3))
        positions = np.empty((*batch, 5, 3, 3))
        for level in range(3):
            position = position + np.einsum("...ij,...j->...i", rotation, bones[:, level])
            rotation = rotation @ levels[..., level, :, :]
            positions[..., level, :] = position
            rotations[..., level, :, :] = rotation
        tips = position + np.einsum("...ij,...j->...i", rotation, bones[:, 3])
        posed = PosedChain(
            np.concatenate(
                (R_frame_wrist[..., None, :, :], rotations.reshape(*batch, 15, 3, 3)), axis=-3
            ),
            np.concatenate((wrist_m[..., None, :], positions.reshape(*batch, 15, 3)), axis=-2),
            tips[..., _CHAIN_TIPS, :],
        )
        if self._tips_are_rigid:
            return posed
        tips = self._skin(posed, local, self.model.tip_vertices, self.tips_m)
        return PosedChain(posed.rotations, posed.joints_m, tips)

    def posed(
        self, T_frame_wrist: Float[Array, "*batch 4 4"], joint_rotvec: Float[Array, "*batch 15 3"]
    ) -> PosedChain:
        """Pose the joints.

        Args:
            T_frame_wrist: Pose of the wrist joint.
            joint_rotvec: Axis-angle (rad) of joints 1..15.
        """
        return self.chain(
            T_frame_wrist[..., :3, :3], T_frame_wrist[..., :3, 3], so3.exp(joint_rotvec)
        )

    def keypoints(
        self, T_frame_wrist: Float[Array, "*batch 4 4"], joint_rotvec: Float[Array, "*batch 15 3"]
    ) -> Float[Array, "*batch 21 3"]:
        """Return the 21 keypoints (m, OpenPose order) without touching the mesh."""
        return self.posed(T_frame_wrist, joint_rotvec).keypoints_m

    def joint_rotations(
        self, T_frame_wrist: Float[Array, "*batch 4 4"], joint_rotvec: Float[Array, "*batch 15 3"]
    ) -> Float[Array, "*batch 16 3 3"]:
        """Return the global rotations of the 16 joints, MANO order."""
        return self.posed(T_frame_wrist, joint_rotvec).rotations

    def vertices(
        self, T_frame_wrist: Float[Array, "*batch 4 4"], joint_rotvec: Float[Array, "*batch 15 3"]
    ) -> Float[Array, "*batch v 3"]:
        """Return the skinned mesh (m)."""
        local = so3.exp(joint_rotvec)
        posed = self.chain(T_frame_wrist[..., :3, :3], T_frame_wrist[..., :3, 3], local)
        every = np.arange(len(self.model.template_m))
        return self._skin(posed, local, every, self.template_m)

    def _skin(
        self,
        posed: PosedChain,
        local: Float[Array, "*batch 15 3 3"],
        which: Int[Array, "n"],
        rest_m: Float[Array, "n 3"],
    ) -> Float[Array, "*batch n 3"]:
        """Linear blend skinning of some vertices, with pose correctives where there are any."""
        points = np.broadcast_to(rest_m, (*local.shape[:-3], *rest_m.shape))
        if self.model.pose_dirs_m is not None:
            feature = (local - np.eye(3)).reshape(*local.shape[:-3], 135)
            points = points + np.einsum("nck,...k->...nc", self.model.pose_dirs_m[which], feature)
        shift = posed.joints_m - np.einsum("...jab,jb->...ja", posed.rotations, self.joints_m)
        weights = self.model.weights[which]
        blended = np.einsum("nj,...jab->...nab", weights, posed.rotations)
        return np.einsum("...nab,...nb->...na", blended, points) + weights @ shift
