"""The built-in hand's forward kinematics and anatomical angles in PyTorch.

The wrist is the origin and its orientation the identity, as priors of local motion see a hand.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from hand4d_ros.hand.biomechanics import AXIS, JOINT, Anatomy
from hand4d_ros.hand.model import ShapedHand
from hand4d_ros.hand.orders import OPENPOSE_FROM_MANO, TIP_PARENTS
from hand4d_ros.nn.rotations import hat
from hand4d_ros.shapes import Float

_FINGER_OF_TIP = [(parent - 1) // 3 for parent in TIP_PARENTS]


class HandChain(nn.Module):
    """A right hand of fixed shape."""

    bones_m: Tensor
    skew: Tensor
    skew_squared: Tensor

    def __init__(self, hand: ShapedHand) -> None:
        """Take bones and axes of a hand.

        Args:
            hand: A right one.
        """
        super().__init__()
        bones = torch.as_tensor(hand.bones_m.copy(), dtype=torch.float32)
        skew = hat(torch.as_tensor(Anatomy(hand).axes.copy(), dtype=torch.float32))
        self.register_buffer("bones_m", bones, persistent=False)
        self.register_buffer("skew", skew, persistent=False)
        self.register_buffer("skew_squared", skew @ skew, persistent=False)

    def rotations_from_angles(
        self, angles_rad: Float[Tensor, "*b 22"]
    ) -> Float[Tensor, "*b 15 3 3"]:
        """Return local joint rotations from the 22 anatomical angles."""
        full = angles_rad.new_zeros((*angles_rad.shape[:-1], 15, 3))
        full[..., torch.as_tensor(JOINT), torch.as_tensor(AXIS)] = angles_rad
        sine, versine = full.sin()[..., None, None], (1.0 - full.cos())[..., None, None]
        each = torch.eye(3).to(full) + sine * self.skew + versine * self.skew_squared
        return each[..., 0, :, :] @ each[..., 1, :, :] @ each[..., 2, :, :]

    def global_rotations(self, local: Float[Tensor, "*b 15 3 3"]) -> Float[Tensor, "*b 15 3 3"]:
        """Return rotations of joints 1..15 relative to the wrist."""
        levels = _fingers(local)
        first = levels[..., 0, :, :]
        second = first @ levels[..., 1, :, :]
        third = second @ levels[..., 2, :, :]
        return torch.stack((first, second, third), -3).flatten(-4, -3)

    def points(self, turned: Float[Tensor, "*b 15 3 3"]) -> Float[Tensor, "*b 21 3"]:
        """Return joints 0..15 and the fingertips, thumb to little finger (m).

        Args:
            turned: Rotations relative to the wrist.
        """
        levels = _fingers(turned)
        root = self.bones_m[:, 0].expand(*turned.shape[:-3], 5, 3)
        steps = (levels @ self.bones_m[:, 1:, :, None]).squeeze(-1)
        chain = torch.cumsum(torch.cat((root[..., None, :], steps), -2), -2)
        joints = chain[..., :3, :].flatten(-3, -2)
        tips = chain[..., _FINGER_OF_TIP, 3, :]
        return torch.cat((torch.zeros_like(joints[..., :1, :]), joints, tips), -2)

    def keypoints(self, local: Float[Tensor, "*b 15 3 3"]) -> Float[Tensor, "*b 21 3"]:
        """Return the 21 keypoints in OpenPose order (m), wrist at the origin."""
        return self.points(self.global_rotations(local))[..., list(OPENPOSE_FROM_MANO), :]


def local_from_global(turned: Float[Tensor, "*b 15 3 3"]) -> Float[Tensor, "*b 15 3 3"]:
    """Return rotations relative to the parents from those relative to the wrist."""
    levels = _fingers(turned)
    outer = levels[..., :2, :, :].transpose(-1, -2) @ levels[..., 1:, :, :]
    return torch.cat((levels[..., :1, :, :], outer), -3).flatten(-4, -3)


def _fingers(rotations: Float[Tensor, "*b 15 3 3"]) -> Float[Tensor, "*b 5 3 3 3"]:
    return rotations.reshape(*rotations.shape[:-3], 5, 3, 3, 3)
