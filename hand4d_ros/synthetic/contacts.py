"""Closing a hand on a thing: angles whose finger pads touch its surface without going in.

A small bounded least-squares problem over the 22 angles and a shift of the wrist: chosen pads
at distance zero and near their wished places, all of the hand outside, close to the grasp's own
posture. Pads are points on the palmar skin over the middle of each phalanx.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.optimize import least_squares

from hand4d_ros.hand.biomechanics import LOWER_RAD, UPPER_RAD, Anatomy
from hand4d_ros.hand.model import PosedChain
from hand4d_ros.hand.orders import MANO_PARENTS, TIP_PARENTS
from hand4d_ros.shapes import Array, Float, Int
from hand4d_ros.synthetic.postures import POSTURES, THUMB
from hand4d_ros.synthetic.props import Prop

PAD_DEPTH_M = 0.0075
"""From the bone's line to the palmar skin."""
_THICKNESS_M = np.array(4 * [0.0135, 0.0095, 0.0085] + [0.014, 0.011, 0.0095])
"""Of the flesh around joints 1..15, from the bone's line to the palmar skin."""
_PALM_DEPTH_M = 0.014
_TOUCH_M = 0.0015
_WISH_M = 0.008
_INSIDE_M = 0.001
_POSTURE_RAD = np.where(np.isin(np.arange(22), THUMB), 0.5, 0.35)
_SHIFT_M = 0.012
_FINGERS_M = 0.0145
"""Between the bones of two fingers that lie side by side."""
_STEP = 1e-5

_BODY_M = np.concatenate((_THICKNESS_M, 0.9 * _THICKNESS_M, 0.85 * _THICKNESS_M))
"""Of the flesh at the start, the middle and the end of each phalanx."""

DISTAL: Int[Array, "5"] = np.array(TIP_PARENTS)
"""Joint that carries the last phalanx of thumb, index, middle, ring and little finger."""


@dataclass(frozen=True)
class Contacts:
    """Which pads shall touch."""

    joints: tuple[int, ...]
    """MANO joints whose phalanges touch."""
    wishes_m: Float[Array, "k 3"]
    """Where on the thing, in its frame, the pads shall be; NaN leaves it to the surface."""
    palm: bool = False
    """Whether the palm touches too."""


def pads_m(anatomy: Anatomy, posed: PosedChain) -> Float[Array, "*batch 15 3"]:
    """Return the pads over the phalanges of joints 1..15.

    Args:
        anatomy: Axes of the hand.
        posed: The same hand posed.
    """
    ends = _ends(posed)
    share = np.where(np.isin(np.arange(1, 16), DISTAL), 0.62, 0.5)[:, None]
    starts = posed.joints_m[..., 1:, :]
    middle = starts + share * (ends - starts)
    palmar = _palmar(anatomy)
    outward = np.einsum("...jab,jb->...ja", posed.rotations[..., 1:, :, :], palmar)
    return np.asarray(middle + PAD_DEPTH_M * outward)


def _ends(posed: PosedChain) -> Float[Array, "*batch 15 3"]:
    ends = np.empty_like(posed.joints_m[..., 1:, :])
    for joint in range(1, 16):
        if joint in TIP_PARENTS:
            ends[..., joint - 1, :] = posed.tips_m[..., TIP_PARENTS.index(joint), :]
        else:
            ends[..., joint - 1, :] = posed.joints_m[..., MANO_PARENTS.index(joint), :]
    return ends


def finger_gaps_m(
    starts_m: Float[Array, "*batch 15 3"], ends_m: Float[Array, "*batch 15 3"]
) -> Float[Array, "*batch 10"]:
    """Return the least distance between the outer bones of every two fingers.

    Args:
        starts_m: Starts of the phalanges of joints 1..15.
        ends_m: Their ends.
    """
    outer = np.array([[3 * finger + 1, 3 * finger + 2] for finger in range(5)])
    shares = np.array([0.0, 0.3, 0.6, 0.9])[:, None]
    a, b = starts_m[..., outer, None, :], ends_m[..., outer, None, :]
    points = (a + shares * (b - a)).reshape(*starts_m.shape[:-2], 5, 8, 3)
    first, second = np.triu_indices(5, 1)
    apart = points[..., first, :, None, :] - points[..., second, None, :, :]
    return np.asarray(np.sqrt((apart**2).sum(-1).min((-1, -2))))


def _palmar(anatomy: Anatomy) -> Float[Array, "15 3"]:
    """Direction of each phalanx's pad at rest: perpendicular to bone and flexion axis."""
    axes = anatomy.axes
    return np.cross(axes[:, 0], axes[:, 2])


@dataclass(frozen=True)
class _Closing:
    anatomy: Anatomy
    prop: Prop
    R_prop_wrist: Float[Array, "3 3"]
    wrist_m: Float[Array, "3"]
    contacts: Contacts
    wished_posture: Float[Array, "22"]

    def residuals(self, x: Float[Array, "*batch 25"]) -> Float[Array, "*batch r"]:
        angles, shift = x[..., :22], x[..., 22:]
        hand = self.anatomy.hand
        R = np.broadcast_to(self.R_prop_wrist, (*x.shape[:-1], 3, 3))
        posed = hand.chain(R, self.wrist_m + shift, self.anatomy.local_rotations(angles))
        rows = np.array(self.contacts.joints) - 1
        touching = pads_m(self.anatomy, posed)[..., rows, :]
        parts = [self.prop.distance_m(touching) / _TOUCH_M]
        wished = ~np.isnan(self.contacts.wishes_m[:, 0])
        off = touching[..., wished, :] - self.contacts.wishes_m[wished]
        parts.append(off.reshape(*x.shape[:-1], -1) / _WISH_M)
        if self.contacts.palm:
            knuckles = posed.joints_m[..., (4, 10), :].mean(-2)
            back = -posed.rotations[..., 0, :, 1]
            palm = 0.85 * knuckles + 0.15 * posed.joints_m[..., 0, :] + _PALM_DEPTH_M * back
            parts.append(self.prop.distance_m(palm)[..., None] / (2 * _TOUCH_M))
        starts, ends = posed.joints_m[..., 1:, :], _ends(posed)
        body = np.concatenate((starts, 0.5 * (starts + ends), ends), -2)
        parts.append(np.minimum(finger_gaps_m(starts, ends) - _FINGERS_M, 0.0) / _INSIDE_M)
        # Pads are softer than bones: they may give a millimetre before they push back.
        above_table = body[..., 2] + 0.5 * self.prop.size_m[2]
        depth = np.minimum(self.prop.distance_m(body) + 0.0015, above_table) - _BODY_M
        parts.append(np.minimum(depth, 0.0) / _INSIDE_M)
        parts.append((angles - self.wished_posture) / _POSTURE_RAD)
        parts.append(shift / _SHIFT_M)
        return np.concatenate(parts, -1)

    def jacobian(self, x: Float[Array, "25"]) -> Float[Array, "r 25"]:
        steps = x + _STEP * np.concatenate((np.eye(25), -np.eye(25)))
        values = self.residuals(steps)
        return np.asarray((values[:25] - values[25:]).T / (2 * _STEP))


@dataclass(frozen=True)
class Closed:
    """A hand closed on a thing."""

    angles_rad: Float[Array, "22"]
    wrist_m: Float[Array, "3"]
    """In the thing's frame, after the shift that the solver was free to make."""
    gap_m: float
    """Root mean square distance of the pads to the surface."""
    depth_m: float
    """Deepest point of a bone's skin inside the thing."""


def closed_hand(
    anatomy: Anatomy,
    prop: Prop,
    T_prop_wrist: Float[Array, "4 4"],
    contacts: Contacts,
    posture_rad: Float[Array, "22"],
) -> Closed:
    """Close a right hand on a thing that stands on a table.

    Args:
        anatomy: Axes of the hand.
        prop: The thing.
        T_prop_wrist: Where to start from.
        contacts: Which pads touch.
        posture_rad: Posture to stay near to.
    """
    problem = _Closing(
        anatomy, prop, T_prop_wrist[:3, :3], T_prop_wrist[:3, 3], contacts, posture_rad
    )
    slack = 1e-6
    low = np.concatenate((LOWER_RAD, np.full(3, -0.05)))
    high = np.concatenate((UPPER_RAD, np.full(3, 0.05)))
    # Fingers that are open at first close from outside and do not end up within the thing; the
    # thumb is opposed from the start, or it would end up on top.
    start = np.concatenate((0.4 * posture_rad + 0.6 * POSTURES["spread"], np.zeros(3)))
    start[list(THUMB)] = posture_rad[list(THUMB)]
    found = least_squares(
        problem.residuals,
        np.clip(start, low + slack, high - slack),
        problem.jacobian,
        bounds=(low, high),
        max_nfev=40,
        xtol=1e-4,
        ftol=1e-4,
    )
    residual = found.fun
    count = len(contacts.joints)
    inside = residual[-(25 + 45) : -25]
    return Closed(
        found.x[:22],
        problem.wrist_m + found.x[22:],
        float(np.sqrt(np.mean((residual[:count] * _TOUCH_M) ** 2))),
        float(-inside.min() * _INSIDE_M),
    )
