"""Named hand postures as the 22 anatomical angles of ``hand.biomechanics``.

Flexion of the fingers comes as (knuckle, middle, distal) in degrees for index, middle, ring and
little finger; the thumb as its six angles.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

import numpy as np

from hand4d_ros.hand.biomechanics import (
    ABDUCTION,
    DEGREES_OF_FREEDOM,
    FLEXION,
    LOWER_RAD,
    REST_RAD,
    TWIST,
    UPPER_RAD,
    index_of,
)
from hand4d_ros.shapes import Array, Float

Finger = tuple[float, float, float]

_NAMES = ("index", "middle", "ring", "little")
_THUMB = (
    index_of("thumb1", FLEXION),
    index_of("thumb1", ABDUCTION),
    index_of("thumb1", TWIST),
    index_of("thumb2", FLEXION),
    index_of("thumb2", ABDUCTION),
    index_of("thumb3", FLEXION),
)
THUMB: tuple[int, ...] = _THUMB
"""Places of the thumb's angles: its base's flexion, abduction and twist, then outwards."""

_STRAIGHT: Finger = (2.0, 4.0, 2.0)
_CURLED: Finger = (78.0, 98.0, 60.0)


def posture(
    fingers: tuple[Finger, Finger, Finger, Finger],
    thumb: tuple[float, float, float, float, float, float],
    spread_deg: float = 0.0,
    arch_deg: float = 0.0,
) -> Float[Array, "22"]:
    """Make a posture (rad), kept within the limits.

    Args:
        fingers: Flexion of index, middle, ring and little finger (deg).
        thumb: Flexion, abduction, twist at its base, flexion and abduction at its knuckle,
            flexion at its end (deg).
        spread_deg: Fan of the fingers about the middle one; 10 is a hand spread wide.
        arch_deg: Hollowing of the palm: in a hand the bones of ring and little finger drop within
            the palm. MANO's tree has no joint there, so their knuckles bend and close in instead.
    """
    angles = np.zeros(len(DEGREES_OF_FREEDOM))
    for name, flexion, share in zip(_NAMES, fingers, (1.0, 0.0, -1.0, -2.0), strict=True):
        for joint, value in zip("123", flexion, strict=True):
            angles[index_of(name + joint, FLEXION)] = np.deg2rad(value)
        angles[index_of(name + "1", ABDUCTION)] = np.deg2rad(share * spread_deg)
    for name, share in (("ring", 0.5), ("little", 1.0)):
        angles[index_of(name + "1", FLEXION)] += np.deg2rad(share * arch_deg)
        angles[index_of(name + "1", ABDUCTION)] += np.deg2rad(0.5 * share * arch_deg)
    angles[list(_THUMB)] = np.deg2rad(thumb)
    return np.clip(angles, LOWER_RAD, UPPER_RAD)


POSTURES: Mapping[str, Float[Array, "22"]] = MappingProxyType(
    {
        "rest": REST_RAD.copy(),
        "lying": posture(((8.0, 16.0, 8.0),) * 4, (8.0, 5.0, 5.0, 8.0, 0.0, 10.0), 2.0),
        "flat": posture((_STRAIGHT,) * 4, (0.0, 5.0, 0.0, 5.0, 0.0, 5.0), 2.0),
        "spread": posture((_STRAIGHT,) * 4, (0.0, 25.0, 0.0, 0.0, 0.0, -5.0), 9.0),
        "fist": posture((_CURLED,) * 4, (25.0, 2.0, 20.0, 45.0, 0.0, 45.0), 2.0),
        "point": posture((_STRAIGHT, *(_CURLED,) * 3), (25.0, -8.0, 20.0, 40.0, 0.0, 35.0), 2.0),
        "thumb_up": posture((_CURLED,) * 4, (-12.0, 15.0, 0.0, -5.0, 0.0, -10.0), 2.0),
        "victory": posture(
            (_STRAIGHT, _STRAIGHT, _CURLED, _CURLED), (28.0, -8.0, 20.0, 45.0, 0.0, 40.0), 8.0
        ),
        "three": posture(
            (_STRAIGHT, _STRAIGHT, _STRAIGHT, _CURLED), (30.0, -5.0, 20.0, 45.0, 0.0, 40.0), 6.0
        ),
        "claw": posture(((10.0, 55.0, 35.0),) * 4, (10.0, 15.0, 10.0, 15.0, 0.0, 25.0), 6.0),
        "cup": posture(
            ((35.0, 30.0, 18.0),) * 4, (18.0, 12.0, 15.0, 12.0, 0.0, 20.0), arch_deg=14.0
        ),
        "pinch": posture(
            ((48.0, 42.0, 22.0), (40.0, 44.0, 25.0), (34.0, 40.0, 24.0), (30.0, 36.0, 22.0)),
            (24.0, 10.0, 24.0, 20.0, 0.0, 28.0),
        ),
    }
)
"""Gestures and resting postures."""
