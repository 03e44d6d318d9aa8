"""The project's own hand: MANO's tree, axes and rest pose, bones and skin from anthropometry."""

from __future__ import annotations

from functools import cache

from hand4d_ros.hand.builtin_mesh import read_asset
from hand4d_ros.hand.builtin_skeleton import rest_skeleton
from hand4d_ros.hand.builtin_skin import shape_directions, skinning_weights
from hand4d_ros.hand.model import HandModel
from hand4d_ros.shapes import Array, Float, Int
from hand4d_ros.types import Side


def builtin_hand(side: Side = Side.RIGHT) -> HandModel:
    """Return the built-in hand, made once; the left one is the mirror image of the right one."""
    return _left_hand() if side is Side.LEFT else _right_hand()


@cache
def _left_hand() -> HandModel:
    return _right_hand().mirrored()


@cache
def _right_hand() -> HandModel:
    mesh = read_asset()
    skeleton = rest_skeleton()
    vertices_m = mesh.vertices_m.copy()
    # Single precision of the asset must not move the tips off the published bone lengths.
    vertices_m[mesh.tip_vertices] = skeleton.tips_m
    weights = skinning_weights(vertices_m)
    shape_dirs, joint_dirs = shape_directions(vertices_m, weights)
    return HandModel(
        name="builtin",
        side=Side.RIGHT,
        template_m=vertices_m,
        shape_dirs_m=shape_dirs,
        pose_dirs_m=None,
        joints_m=skeleton.joints_m.copy(),
        joint_shape_dirs_m=joint_dirs,
        weights=weights,
        faces=mesh.faces,
        tip_vertices=mesh.tip_vertices,
    )


@cache
def builtin_regions() -> Int[Array, "v"]:
    """Return the region of each vertex of ``builtin_hand``, the same for both sides.

    Values are those of ``hand4d_ros.hand.skin_regions.Region``: back, palm, nail, fingertip,
    knuckle, wrist and stump. The array is shared and read-only.
    """
    regions = read_asset().regions
    regions.setflags(write=False)
    return regions


@cache
def builtin_creases() -> Float[Array, "v"]:
    """Return how much each vertex of ``builtin_hand`` lies in a flexion crease, 0 to 1.

    A renderer darkens the skin by it. The array is shared and read-only.
    """
    creases = read_asset().creases
    creases.setflags(write=False)
    return creases
