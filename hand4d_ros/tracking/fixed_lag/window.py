"""The frames of one hand that are still being corrected, and what is known of those before."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np

from hand4d_ros.geometry import so3
from hand4d_ros.hand.biomechanics import LOWER_RAD, UPPER_RAD
from hand4d_ros.shapes import Array, Bool, Float, Int

HAND = 28
"""Unknowns of a hand in a frame: turn (rad), wrist (m), 22 angles (rad)."""
_BEYOND_RAD = 0.1
"""How far angles may leave their ranges at most."""


class Prior(NamedTuple):
    """A quadratic energy on the oldest k frames: what the marginalised ones said."""

    R: Float[Array, "k 3 3"]
    """Where it was made: orientations,"""
    relative_m: Float[Array, "k 3"]
    angles: Float[Array, "k 22"]
    information: Float[Array, "q q"]
    gradient: Float[Array, "q"]


class Seen(NamedTuple):
    """One frame as it enters the window; arrays of one row each."""

    stamp_ns: int
    R: Float[Array, "3 3"]
    relative_m: Float[Array, "3"]
    angles: Float[Array, "22"]
    R_world_camera: Float[Array, "3 3"]
    centre: Float[Array, "3"]
    target_px: Float[Array, "21 2"]
    weight: Float[Array, "21"]
    shape_m: Float[Array, "21 3"]
    shape_weight: float
    seen: bool


@dataclass
class Window:
    """n frames of one hand. A left hand lives in a world mirrored through x = 0.

    Positions are relative to the camera, in the axes of the world, at the size that single frames
    assume: so no picture depends on the true size or on the scale of the odometry.
    """

    sign: Float[Array, "3"]
    """Takes the hand's own world to the world and back."""
    stamps_ns: Int[Array, "n"] = field(default_factory=lambda: np.zeros(0, dtype=np.int64))
    R: Float[Array, "n 3 3"] = field(default_factory=lambda: np.zeros((0, 3, 3)))
    relative_m: Float[Array, "n 3"] = field(default_factory=lambda: np.zeros((0, 3)))
    angles: Float[Array, "n 22"] = field(default_factory=lambda: np.zeros((0, 22)))
    R_world_camera: Float[Array, "n 3 3"] = field(default_factory=lambda: np.zeros((0, 3, 3)))
    """Rotations of the camera, mirrored like the hand."""
    centre: Float[Array, "n 3"] = field(default_factory=lambda: np.zeros((0, 3)))
    """Of the camera, mirrored likewise, in units of the odometry."""
    target_px: Float[Array, "n 21 2"] = field(default_factory=lambda: np.zeros((0, 21, 2)))
    weight: Float[Array, "n 21"] = field(default_factory=lambda: np.zeros((0, 21)))
    """Confidence over deviation (1/px); 0 where the hand was not seen."""
    shape_m: Float[Array, "n 21 3"] = field(default_factory=lambda: np.zeros((0, 21, 3)))
    """The detector's own 3D keypoints at the hand's size."""
    shape_weight: Float[Array, "n"] = field(default_factory=lambda: np.zeros(0))
    seen: Bool[Array, "n"] = field(default_factory=lambda: np.zeros(0, dtype=bool))
    prior: Prior | None = None

    def __len__(self) -> int:
        """Number of frames."""
        return len(self.stamps_ns)

    def append(self, new: Seen) -> None:
        """Take one more frame at the end."""
        self.stamps_ns = np.append(self.stamps_ns, new.stamp_ns)
        self.seen = np.append(self.seen, new.seen)
        self.shape_weight = np.append(self.shape_weight, new.shape_weight)
        self.R = np.concatenate((self.R, new.R[None]))
        self.relative_m = np.concatenate((self.relative_m, new.relative_m[None]))
        self.angles = np.concatenate((self.angles, new.angles[None]))
        self.R_world_camera = np.concatenate((self.R_world_camera, new.R_world_camera[None]))
        self.centre = np.concatenate((self.centre, new.centre[None]))
        self.target_px = np.concatenate((self.target_px, new.target_px[None]))
        self.weight = np.concatenate((self.weight, new.weight[None]))
        self.shape_m = np.concatenate((self.shape_m, new.shape_m[None]))

    def drop_first(self, prior: Prior) -> None:
        """Leave the oldest frame to a prior on those that follow it."""
        for name in (
            *("stamps_ns", "seen", "shape_weight", "R", "relative_m", "angles"),
            *("R_world_camera", "centre", "target_px", "weight", "shape_m"),
        ):
            setattr(self, name, getattr(self, name)[1:])
        self.prior = prior

    def stepped(self, step: Float[Array, "n 28"]) -> None:
        """Move the unknowns; angles stay near their ranges."""
        self.R = so3.exp(step[:, :3]) @ self.R
        self.relative_m = self.relative_m + step[:, 3:6]
        angles = self.angles + step[:, 6:]
        self.angles = np.clip(angles, LOWER_RAD - _BEYOND_RAD, UPPER_RAD + _BEYOND_RAD)


def prior_gradient(window: Window, prior: Prior) -> Float[Array, "q"]:
    """Gradient of the prior where the window is now.

    Turns away from where it was made are small, so the logarithm's derivative is taken as one.
    """
    k = len(prior.R)
    moved = np.empty((k, HAND))
    moved[:, :3] = so3.log(window.R[:k] @ np.swapaxes(prior.R, -1, -2))
    moved[:, 3:6] = window.relative_m[:k] - prior.relative_m
    moved[:, 6:] = window.angles[:k] - prior.angles
    return np.asarray(prior.gradient + prior.information @ moved.ravel())


def marginalised(
    information: Float[Array, "u u"], gradient: Float[Array, "u"], first: int
) -> tuple[Float[Array, "r r"], Float[Array, "r"]]:
    """Minimise a quadratic energy over its first unknowns (Schur complement).

    What is left has the covariance and the minimum that the others had in the whole.

    Args:
        information: Its matrix, positive definite in those unknowns.
        gradient: At zero.
        first: How many unknowns go.
    """
    both = np.concatenate((information[:first, first:], gradient[:first, None]), axis=1)
    solved = np.linalg.solve(information[:first, :first], both)
    across = information[first:, :first]
    rest = information[first:, first:] - across @ solved[:, :-1]
    return 0.5 * (rest + rest.T), gradient[first:] - across @ solved[:, -1]
