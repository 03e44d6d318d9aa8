"""Motion as a cubic spline of the 22 anatomical angles: what all rivals of HMP's prior share.

A knot every four frames follows hands up to about 4 Hz, so a spline is as good as a pose of its
own in every frame, and a sixth of the numbers. Each rival says how its latent becomes the spline
and how plausible it is.
"""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from hand4d_ros.hand.biomechanics import AXIS, JOINT, REST_RAD, STD_RAD, Anatomy
from hand4d_ros.hand.builtin import builtin_hand
from hand4d_ros.nn.hand_chain import HandChain
from hand4d_ros.nn.motion_field import spline_weights
from hand4d_ros.shapes import Float
from hand4d_ros.tracking.priors.base import FRAMES, RATE_HZ

KNOTS = 32
POINTS = KNOTS + 3
ANGLES = len(REST_RAD)
BEND_STD = 0.45
"""Root mean square of the control points' second differences in our worlds, in units of each
angle's everyday spread."""


class SplineMotion:
    """Control points to rotations and back; angles count in everyday spreads from the rest."""

    frames = FRAMES
    rate_hz = RATE_HZ

    def __init__(self) -> None:
        """Take the axes of the mean hand."""
        hand = builtin_hand().with_shape()
        self._anatomy = Anatomy(hand)
        self._chain = HandChain(hand)
        self._rest = torch.as_tensor(REST_RAD, dtype=torch.float32)
        self._spread = torch.as_tensor(STD_RAD, dtype=torch.float32)

    def rotations(
        self, points: Float[Tensor, "b 35 22"], times: Float[Tensor, " t"]
    ) -> Float[Tensor, "b t 15 3 3"]:
        """Return local joint rotations at times from 0 to 1."""
        scaled = spline_weights(times, KNOTS) @ points
        return self._chain.rotations_from_angles(self._rest + self._spread * scaled)

    def turns(
        self, points: Float[Tensor, "35 22"], times: Float[Tensor, " t"]
    ) -> tuple[Float[Tensor, "t 15 3 3"], Float[Tensor, "t 15 3 770"]]:
        """Return rotations and the turns that control points make; see ``MotionPrior.tangents``."""
        weights = spline_weights(times, KNOTS)
        scaled = (weights @ points).double().numpy()
        each = self._anatomy.axis_rotations(REST_RAD + STD_RAD * scaled)
        axes = self._anatomy.axes
        flexed = each[..., 0, :, :] @ each[..., 1, :, :]
        turn = np.stack(
            (
                np.broadcast_to(axes[:, 0], (len(scaled), 15, 3)),
                np.einsum("tjxy,jy->tjx", each[..., 0, :, :], axes[:, 1]),
                np.einsum("tjxy,jy->tjx", flexed, axes[:, 2]),
            ),
            axis=2,
        )
        by_angle = np.zeros((len(scaled), 15, 3, ANGLES))
        every = np.arange(ANGLES)
        by_angle[:, JOINT, :, every] = (turn[:, JOINT, AXIS] * STD_RAD[:, None]).swapaxes(0, 1)
        slope = torch.einsum("tjxa,tp->tjxpa", torch.as_tensor(by_angle).to(points), weights)
        local = torch.as_tensor(flexed @ each[..., 2, :, :]).to(points)
        return local, slope.flatten(-2)

    def scaled_angles(self, rotations: Float[Tensor, "b f 15 3 3"]) -> Float[Tensor, "b f 22"]:
        """Return the angles of rotations."""
        angles = self._anatomy.angles(rotations.detach().cpu().double().numpy())
        return torch.as_tensor((angles - REST_RAD) / STD_RAD, dtype=rotations.dtype)

    def points(self, scaled: Float[Tensor, "b f 22"]) -> Float[Tensor, "b 35 22"]:
        """Return the control points of the nearest splines."""
        return _NEAREST.to(scaled) @ scaled


def bend(points: Float[Tensor, "b 35 a"]) -> Float[Tensor, "b 33 a"]:
    """Return the second differences of control points, in units of those in our worlds."""
    return (points[:, 2:] - 2.0 * points[:, 1:-1] + points[:, :-2]) / BEND_STD


def frame_times(frames: int = FRAMES) -> Float[Tensor, " t"]:
    """Return the clip times of frames."""
    return torch.arange(frames) / FRAMES


def _nearest() -> Float[Tensor, "35 128"]:
    weights = spline_weights(frame_times().double(), KNOTS).numpy()
    # The last control point is almost outside of the clip; the ridge leaves it near the others.
    ridge = 1e-4 * np.diff(np.eye(POINTS), 2, axis=0)
    stacked = np.concatenate((weights, ridge))
    return torch.as_tensor(np.linalg.pinv(stacked)[:, :FRAMES].copy())


_NEAREST = _nearest()
