"""Anatomical degrees of freedom of the hand: axes, limits, resting pose and coupling.

Every finger joint turns about up to three axes fixed in the rest pose: flexion (towards the
palm), abduction (towards the thumb) and twist (about the bone). A joint's rotation is
R = exp(flexion) exp(abduction) exp(twist), so a pose is 22 angles instead of 45 numbers.

Ranges follow the norms for active motion of the American Academy of Orthopaedic Surgeons and
Bain et al., "The functional range of motion of the finger joints", J. Hand Surg. (Eur.) 40(4),
2015, widened by 5-10 degrees for passive motion; for the thumb's saddle joint they are relative
to MANO's rest pose. The coupling of the outer finger joints (distal about two thirds of
middle) is that of Rijpkema and Girard, SIGGRAPH 1991.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from hand4d_ros.hand.model import ShapedHand
from hand4d_ros.hand.orders import FINGERS, MANO_JOINTS
from hand4d_ros.shapes import Array, Float, Int

FLEXION, ABDUCTION, TWIST = 0, 1, 2

DISTAL_COUPLING = 2.0 / 3.0
"""Distal over middle flexion of a finger that bends freely."""


@dataclass(frozen=True)
class DegreeOfFreedom:
    """One angle of the hand; all angles in degrees."""

    joint: str
    """Name in ``MANO_JOINTS``."""
    axis: int
    """``FLEXION``, ``ABDUCTION`` or ``TWIST``."""
    lower_deg: float
    upper_deg: float
    rest_deg: float
    """In the relaxed hand."""
    std_deg: float
    """Spread of everyday poses about it."""


def _finger(name: str, abduction_deg: tuple[float, float]) -> tuple[DegreeOfFreedom, ...]:
    return (
        DegreeOfFreedom(f"{name}1", FLEXION, -35.0, 95.0, 20.0, 30.0),
        DegreeOfFreedom(f"{name}1", ABDUCTION, *abduction_deg, 0.0, 10.0),
        DegreeOfFreedom(f"{name}2", FLEXION, -8.0, 112.0, 30.0, 30.0),
        DegreeOfFreedom(f"{name}3", FLEXION, -12.0, 88.0, 18.0, 22.0),
    )


DEGREES_OF_FREEDOM: tuple[DegreeOfFreedom, ...] = (
    *_finger("index", (-22.0, 28.0)),
    *_finger("middle", (-22.0, 22.0)),
    *_finger("little", (-35.0, 22.0)),
    *_finger("ring", (-25.0, 20.0)),
    DegreeOfFreedom("thumb1", FLEXION, -35.0, 45.0, 5.0, 18.0),
    DegreeOfFreedom("thumb1", ABDUCTION, -45.0, 40.0, 0.0, 18.0),
    DegreeOfFreedom("thumb1", TWIST, -35.0, 45.0, 0.0, 15.0),
    DegreeOfFreedom("thumb2", FLEXION, -20.0, 75.0, 10.0, 20.0),
    DegreeOfFreedom("thumb2", ABDUCTION, -15.0, 15.0, 0.0, 6.0),
    DegreeOfFreedom("thumb3", FLEXION, -30.0, 90.0, 15.0, 25.0),
)
"""The 22 angles, in the order of every vector of angles."""

_PALMAR = np.array([0.0, -1.0, 0.0])
_THUMB_PALMAR = np.array([0.0, -0.6, -0.8])
"""Where the thumb's pulp looks at rest: down and across the palm."""

JOINT: Int[Array, "22"] = np.array([MANO_JOINTS.index(d.joint) - 1 for d in DEGREES_OF_FREEDOM])
"""Row of each angle's joint among MANO's joints 1..15."""
AXIS: Int[Array, "22"] = np.array([d.axis for d in DEGREES_OF_FREEDOM])
LOWER_RAD: Float[Array, "22"] = np.deg2rad([d.lower_deg for d in DEGREES_OF_FREEDOM])
UPPER_RAD: Float[Array, "22"] = np.deg2rad([d.upper_deg for d in DEGREES_OF_FREEDOM])
REST_RAD: Float[Array, "22"] = np.deg2rad([d.rest_deg for d in DEGREES_OF_FREEDOM])
STD_RAD: Float[Array, "22"] = np.deg2rad([d.std_deg for d in DEGREES_OF_FREEDOM])


def index_of(joint: str, axis: int) -> int:
    """Return the place of an angle in the vector of 22.

    Raises:
        ValueError: There is no such degree of freedom.
    """
    for i, dof in enumerate(DEGREES_OF_FREEDOM):
        if (dof.joint, dof.axis) == (joint, axis):
            return i
    msg = f"no degree of freedom {axis} at {joint!r}; see DEGREES_OF_FREEDOM"
    raise ValueError(msg)


MIDDLE_FLEXION: Int[Array, "4"] = np.array([index_of(f"{f}2", FLEXION) for f in FINGERS[1:]])
"""Flexion at the middle joint of index, middle, ring and little finger."""
DISTAL_FLEXION: Int[Array, "4"] = np.array([index_of(f"{f}3", FLEXION) for f in FINGERS[1:]])
"""Flexion at the distal joint of the same fingers."""


@dataclass(frozen=True)
class Anatomy:
    """The anatomical axes of a right hand; mirror a left hand's pose before asking.

    The flexion axis of a joint is perpendicular to its bone and to the palmar direction; the
    three axes are orthonormal and right-handed in the order flexion, abduction, twist.
    """

    hand: ShapedHand

    @cached_property
    def axes(self) -> Float[Array, "15 3 3"]:
        """Unit axes in the rest pose: (joint, degree of freedom, xyz)."""
        bones = self.hand.bones_m[:, 1:].reshape(15, 3)
        twist = bones / np.linalg.norm(bones, axis=-1, keepdims=True)
        palmar = np.where(np.arange(15)[:, None] >= 12, _THUMB_PALMAR, _PALMAR)
        flexion = np.cross(twist, palmar)
        flexion /= np.linalg.norm(flexion, axis=-1, keepdims=True)
        return np.stack((flexion, np.cross(twist, flexion), twist), axis=1)

    @cached_property
    def _skew(self) -> Float[Array, "15 3 3 3"]:
        skew = np.zeros((15, 3, 3, 3))
        for i, j, k in ((0, 1, 2), (1, 2, 0), (2, 0, 1)):
            skew[..., i, j] = -self.axes[..., k]
            skew[..., j, i] = self.axes[..., k]
        return skew

    @cached_property
    def _skew_squared(self) -> Float[Array, "15 3 3 3"]:
        return self._skew @ self._skew

    def axis_rotations(
        self, angles_rad: Float[Array, "*batch 22"]
    ) -> Float[Array, "*batch 15 3 3 3"]:
        """Return the rotation about each axis of each joint; absent ones are the identity."""
        full = np.zeros((*angles_rad.shape[:-1], 15, 3))
        full[..., JOINT, AXIS] = angles_rad
        sine = np.sin(full)[..., None, None]
        versine = 1.0 - np.cos(full)[..., None, None]
        return np.eye(3) + sine * self._skew + versine * self._skew_squared

    def local_rotations(
        self, angles_rad: Float[Array, "*batch 22"]
    ) -> Float[Array, "*batch 15 3 3"]:
        """Return the rotations of joints 1..15 relative to their parents."""
        each = self.axis_rotations(angles_rad)
        return each[..., 0, :, :] @ each[..., 1, :, :] @ each[..., 2, :, :]

    def angles(self, local: Float[Array, "*batch 15 3 3"]) -> Float[Array, "*batch 22"]:
        """Decompose joint rotations; what has no degree of freedom is dropped.

        The inverse of ``local_rotations`` wherever abduction is within 90 degrees.
        """
        basis = np.swapaxes(self.axes, -1, -2)
        R = self.axes @ local @ basis
        full = np.stack(
            (
                np.arctan2(-R[..., 1, 2], R[..., 2, 2]),
                np.arcsin(np.clip(R[..., 0, 2], -1.0, 1.0)),
                np.arctan2(-R[..., 0, 1], R[..., 0, 0]),
            ),
            axis=-1,
        )
        return full[..., JOINT, AXIS]


def limit_excess(angles_rad: Float[Array, "*batch 22"]) -> Float[Array, "*batch 22"]:
    """Return by how much each angle is beyond its range (rad, signed, 0 inside)."""
    return angles_rad - np.clip(angles_rad, LOWER_RAD, UPPER_RAD)
