"""The constants of the biomechanical constraints, which the papers do not publish.

Joint regions come from published anatomy. The ranges are those of ``hand.biomechanics``. The
collateral ligaments of a knuckle are slack when it is straight and taut when it is bent, so a
finger that spreads by its full range when straight hardly spreads in a fist (Kapandji, "The
physiology of the joints", vol. 1; Minami et al., "Ligament stability of the metacarpophalangeal
joint", J. Hand Surg. 10A, 1985): abduction narrows linearly to a third at full flexion. The thumb
keeps its whole ranges: an ellipse inside of them, as its saddle joint's cone would suggest, left
out 6% of the poses of the project's worlds, by up to 15 degrees. ``python -m benchmarks.solvers
--limits`` says how many poses of the worlds lie inside.

Bones and palm come from the population that the hand model carries: the smallest and largest
value among shapes drawn from its prior.
"""

from __future__ import annotations

from functools import cache
from typing import NamedTuple

import numpy as np

from hand4d_ros.hand.biomechanics import (
    ABDUCTION,
    FLEXION,
    LOWER_RAD,
    UPPER_RAD,
    index_of,
)
from hand4d_ros.hand.model import HandModel
from hand4d_ros.hand.orders import OPENPOSE_FROM_MANO
from hand4d_ros.shapes import Array, Float
from hand4d_ros.tracking.costs.biomechanics import (
    Region,
    bone_lengths,
    palm_angles,
    palm_curvatures,
)
from hand4d_ros.types import Side

_TAUT = 1.0 / 3.0
"""Share of its abduction that a knuckle keeps at full flexion."""
_SLACK_UNTIL_RAD = np.deg2rad(20.0)
_SHAPES = 2000


@cache
def joint_regions() -> tuple[Region, ...]:
    """Regions of flexion and abduction of the joints that have both; of a right hand."""
    regions = []
    for finger in ("index", "middle", "little", "ring"):
        flexion, abduction = index_of(f"{finger}1", FLEXION), index_of(f"{finger}1", ABDUCTION)
        low, high = LOWER_RAD[flexion], UPPER_RAD[flexion]
        left, right = LOWER_RAD[abduction], UPPER_RAD[abduction]
        corners = [(low, left), (_SLACK_UNTIL_RAD, left), (high, _TAUT * left)]
        corners += [(high, _TAUT * right), (_SLACK_UNTIL_RAD, right), (low, right)]
        regions.append(_region(flexion, abduction, np.array(corners)))
    for joint in ("thumb1", "thumb2"):
        flexion, abduction = index_of(joint, FLEXION), index_of(joint, ABDUCTION)
        low, high = LOWER_RAD[flexion], UPPER_RAD[flexion]
        left, right = LOWER_RAD[abduction], UPPER_RAD[abduction]
        corners = [(low, left), (high, left), (high, right), (low, right)]
        regions.append(_region(flexion, abduction, np.array(corners)))
    return tuple(regions)


def _region(flexion: int, abduction: int, corners: Float[Array, "e 2"]) -> Region:
    """Edges of a convex polygon given by its corners in either direction."""
    step = np.roll(corners, -1, axis=0) - corners
    normals = np.stack((step[:, 1], -step[:, 0]), axis=1)
    normals /= np.linalg.norm(normals, axis=1, keepdims=True)
    inside = corners.mean(axis=0)
    offsets = np.einsum("ei,ei->e", normals, corners)
    sign = np.where(normals @ inside > offsets, -1.0, 1.0)
    return Region(flexion, abduction, normals * sign[:, None], offsets * sign)


class Intervals(NamedTuple):
    """Smallest and largest values in the population."""

    bone_m: Float[Array, "2 20"]
    palm_rad: Float[Array, "2 4"]
    curvature_m: Float[Array, "2 4"]
    """1/m."""


def population_intervals(model: HandModel, seed: int = 0) -> Intervals:
    """Intervals of the bones and the palm over the shapes of a hand model.

    Args:
        model: Hand model of either side.
        seed: Of the shapes.
    """
    betas = np.random.default_rng(seed).normal(size=(_SHAPES, 10))
    keypoints_m = rest_keypoints(model, betas)
    values = (bone_lengths, palm_angles, palm_curvatures)
    ranges = [measure(keypoints_m)[0] for measure in values]
    return Intervals(*(np.stack((each.min(axis=0), each.max(axis=0))) for each in ranges))


def rest_keypoints(model: HandModel, betas: Float[Array, "n 10"]) -> Float[Array, "n 21 3"]:
    """Keypoints of flat right hands of some shapes.

    Args:
        model: Hand model of either side.
        betas: Shape coefficients.
    """
    right = model if model.side is Side.RIGHT else model.mirrored()
    tips = right.tip_vertices
    mean = np.concatenate((right.joints_m, right.template_m[tips]))
    directions = np.concatenate((right.joint_shape_dirs_m, right.shape_dirs_m[tips]))
    every = mean + np.einsum("kcs,ns->nkc", directions, betas)
    return every[:, OPENPOSE_FROM_MANO]
