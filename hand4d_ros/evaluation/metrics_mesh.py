"""The volume that two closed meshes share.

The shared volume is integrated along parallel lines: a line's stretch inside a mesh is exact,
from the signed crossings of its faces, and only the spacing of the lines approximates. The
winding number, not the parity, says what is inside, so a hand that cuts into itself is no hole.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from hand4d_ros.errors import MetricError
from hand4d_ros.evaluation.registry import MetricInfo, metric_info
from hand4d_ros.shapes import Array, Bool, Float, Int

CM3_PER_M3 = 1e6
Vertices = Float[Array, "v 3"]
Faces = Int[Array, "f 3"]


@dataclass(frozen=True)
class Crossings:
    """Where parallel lines along +z cross a closed mesh."""

    line: Int[Array, "c"]
    """Number of the line."""
    height_m: Float[Array, "c"]
    turn: Int[Array, "c"]
    """+1 where the line goes into the mesh, -1 where it comes out."""


def penetration_cm3(
    left_vertices_m: Float[Array, "t v 3"],
    right_vertices_m: Float[Array, "t w 3"],
    left_faces: Int[Array, "f 3"],
    right_faces: Int[Array, "g 3"],
    mask: Bool[Array, "t"] | None = None,
    *,
    spacing_m: float = 0.001,
) -> float:
    """Mean volume that the two hands share.

    Formula:
        mean over t of the volume inside both closed meshes, from lines 1 mm apart
    Unit:
        cm^3
    Alignment:
        none
    Better:
        lower
    Source:
        Dyn-HaMR, supplement and table 6 (Pen, "Mean Inter-penetration Volume ... between the two
        hands")

    Raises:
        MetricError: No frame is used, a used frame is not finite or a mesh is not closed.
    """
    used = np.ones(len(left_vertices_m), dtype=bool) if mask is None else mask
    if not np.any(used):
        msg = "penetration: no frame has both hands"
        raise MetricError(msg)
    volumes = [
        shared_volume_m3(left, left_faces, right, right_faces, spacing_m=spacing_m)
        for left, right in zip(left_vertices_m[used], right_vertices_m[used], strict=True)
    ]
    return float(np.mean(volumes)) * CM3_PER_M3


def shared_volume_m3(
    vertices_a_m: Vertices,
    faces_a: Faces,
    vertices_b_m: Float[Array, "w 3"],
    faces_b: Int[Array, "g 3"],
    *,
    spacing_m: float = 0.001,
) -> float:
    """Volume inside both of two closed meshes whose faces turn outwards.

    Deterministic; the error falls with the spacing of the lines, along z, that it integrates
    over.

    Args:
        vertices_a_m: Vertices (m) of the first mesh.
        faces_a: Its triangles, anticlockwise seen from outside.
        vertices_b_m: Vertices (m) of the second mesh.
        faces_b: Its triangles.
        spacing_m: Distance between neighbouring lines.

    Raises:
        MetricError: A vertex is not finite, a mesh is not closed or turns inwards, or the
            spacing is not positive.
    """
    for vertices, faces in ((vertices_a_m, faces_a), (vertices_b_m, faces_b)):
        if not np.all(np.isfinite(vertices)):
            msg = "penetration: a mesh holds NaN or infinity; mark its frame as missing"
            raise MetricError(msg)
        require_closed(faces)
        if signed_volume_m3(vertices, faces) < 0.0:
            msg = (
                "penetration: the faces of a mesh turn inwards; swap two corners of each face "
                "(a mirrored hand needs that)"
            )
            raise MetricError(msg)
    if not spacing_m > 0.0:
        msg = f"penetration: spacing_m must be positive, got {spacing_m}"
        raise MetricError(msg)
    low = np.maximum(vertices_a_m.min(axis=0), vertices_b_m.min(axis=0))
    high = np.minimum(vertices_a_m.max(axis=0), vertices_b_m.max(axis=0))
    if np.any(low >= high):
        return 0.0
    # The small step back keeps a rounding error in the size from adding a line.
    counts = np.maximum(np.ceil((high - low)[:2] / spacing_m - 1e-9), 1).astype(int)
    steps = (high - low)[:2] / counts
    x_m, y_m = (low[axis] + (np.arange(counts[axis]) + 0.5) * steps[axis] for axis in (0, 1))
    length_m = _length_inside_both(
        _crossings(vertices_a_m, faces_a, x_m, y_m), _crossings(vertices_b_m, faces_b, x_m, y_m)
    )
    return length_m * float(np.prod(steps))


def signed_volume_m3(vertices_m: Vertices, faces: Faces) -> float:
    """Volume (m^3) of a closed mesh by the divergence theorem; negative where it turns inwards."""
    first, second, third = (vertices_m[faces[:, corner]] for corner in range(3))
    return float(np.sum(first * np.cross(second, third))) / 6.0


def require_closed(faces: Faces) -> None:
    """Refuse a mesh with a hole: every directed edge must be met by its reverse.

    Raises:
        MetricError: Some edges are not.
    """
    count = len(open_edges(faces))
    if count:
        msg = (
            f"penetration: the mesh is open along {count} edges, so it has no inside; close it "
            "first, for example with closed_mesh (MANO is open at the wrist)"
        )
        raise MetricError(msg)


def open_edges(faces: Faces) -> Int[Array, "e 2"]:
    """Directed edges (i, j) of faces without a face that has (j, i), in order of i."""
    edges = np.concatenate([faces[:, [0, 1]], faces[:, [1, 2]], faces[:, [2, 0]]]).astype(np.int64)
    size = int(edges.max(initial=0)) + 1
    forward, counts = np.unique(edges[:, 0] * size + edges[:, 1], return_counts=True)
    backward, reverse_counts = np.unique(edges[:, 1] * size + edges[:, 0], return_counts=True)
    met = np.zeros(len(forward), dtype=np.int64)
    _, at, other = np.intersect1d(forward, backward, return_indices=True)
    met[at] = reverse_counts[other]
    codes = forward[counts > met]
    return np.stack([codes // size, codes % size], axis=-1)


def closed_mesh(vertices_m: Float[Array, "t v 3"], faces: Faces) -> tuple[Array, Array]:
    """Close the holes of a mesh by a fan from the middle of each hole's rim.

    Args:
        vertices_m: Shape (t, v, 3), for example MANO's with its open wrist.
        faces: Shape (f, 3).

    Returns:
        Vertices (t, v + holes, 3) and faces that close them; a closed mesh comes back as it is.

    Raises:
        MetricError: Two holes meet in one vertex.
    """
    following = {int(first): int(second) for first, second in open_edges(faces)}
    if len(following) != len(open_edges(faces)):
        msg = "closed_mesh: two holes meet in one vertex, so their rims cannot be told apart"
        raise MetricError(msg)
    middles: list[Array] = []
    fans: list[tuple[int, int, int]] = []
    while following:
        rim = [next(iter(following))]
        # Each face enters a vertex as often as it leaves it, so every rim comes back.
        while (vertex := following.pop(rim[-1])) != rim[0]:
            rim.append(vertex)
        middle = vertices_m.shape[1] + len(middles)
        middles.append(vertices_m[:, rim].mean(axis=1))
        fans.extend(
            (second, first, middle) for first, second in zip(rim, rim[1:] + rim[:1], strict=True)
        )
    if not middles:
        return vertices_m, faces
    closed = np.concatenate([vertices_m, np.stack(middles, axis=1)], axis=1)
    return closed, np.concatenate([faces, np.array(fans, dtype=faces.dtype)])


def _crossings(
    vertices: Vertices, faces: Faces, x_m: Float[Array, "nx"], y_m: Float[Array, "ny"]
) -> Crossings:
    """Where the lines along +z through a grid cross a mesh."""
    flat = vertices[:, :2]
    low, high = flat[faces].min(axis=1), flat[faces].max(axis=1)
    first_x = np.searchsorted(x_m, low[:, 0], side="left")
    first_y = np.searchsorted(y_m, low[:, 1], side="left")
    wide = np.searchsorted(x_m, high[:, 0], side="right") - first_x
    deep = np.searchsorted(y_m, high[:, 1], side="right") - first_y
    # Each face is tried against the lines within its own box only, listed flat.
    counts = wide * deep
    face = np.repeat(np.arange(len(faces)), counts)
    nth = np.arange(len(face)) - np.repeat(np.cumsum(counts) - counts, counts)
    column = first_x[face] + nth // np.maximum(deep, 1)[face]
    row = first_y[face] + nth % np.maximum(deep, 1)[face]
    lines = np.stack([x_m[column], y_m[row]], axis=-1)
    corners = faces[face]
    sides = [_left_of(flat, corners[:, i], corners[:, (i + 1) % 3], lines) for i in range(3)]
    anticlockwise = sides[0] & sides[1] & sides[2]
    hit = anticlockwise | ~(sides[0] | sides[1] | sides[2])
    return Crossings(
        line=(column * len(y_m) + row)[hit],
        height_m=_plane_height(vertices[corners[hit]], lines[hit]),
        # Anticlockwise seen from above means facing up, where a line going up leaves the mesh.
        turn=np.where(anticlockwise[hit], -1, 1),
    )


def _left_of(
    flat: Float[Array, "v 2"],
    start: Int[Array, "n"],
    stop: Int[Array, "n"],
    lines: Float[Array, "n 2"],
) -> Bool[Array, "n"]:
    """Whether each line is left of its directed edge.

    Both faces of an edge compute the same number, and a tie is decided as if the line were
    moved by (e, e^2) with a vanishing e (Edelsbrunner and Mücke, "Simulation of simplicity",
    ACM TOG 1990), so a line through an edge or a vertex crosses each surface once.
    """
    turned = start > stop
    low, high = np.where(turned, stop, start), np.where(turned, start, stop)
    along = flat[high] - flat[low]
    offset = lines - flat[low]
    cross = along[:, 0] * offset[:, 1] - along[:, 1] * offset[:, 0]
    tie = (along[:, 1] < 0.0) | ((along[:, 1] == 0.0) & (along[:, 0] > 0.0))
    left: Bool[Array, "n"] = (cross > 0.0) | ((cross == 0.0) & tie)
    return left ^ turned


def _plane_height(corners: Float[Array, "n 3 3"], lines: Float[Array, "n 2"]) -> Float[Array, "n"]:
    """Height (m) at which lines meet their triangle's plane, kept within the triangle."""
    normal = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
    rise = -np.einsum("nd,nd->n", lines - corners[:, 0, :2], normal[:, :2])
    rise = np.divide(rise, normal[:, 2], out=np.zeros(len(rise)), where=normal[:, 2] != 0.0)
    low, high = corners[:, :, 2].min(axis=1), corners[:, :, 2].max(axis=1)
    return np.asarray(np.clip(corners[:, 0, 2] + rise, low, high))


def _length_inside_both(one: Crossings, other: Crossings) -> float:
    """Total length (m) along all lines where both winding numbers are positive."""
    line = np.concatenate([one.line, other.line])
    height = np.concatenate([one.height_m, other.height_m])
    order = np.lexsort((height, line))
    silent_one, silent_other = np.zeros_like(one.turn), np.zeros_like(other.turn)
    # A closed mesh turns every line back to 0, so the running sums start afresh on each line.
    winding_one = np.cumsum(np.concatenate([one.turn, silent_other])[order])
    winding_other = np.cumsum(np.concatenate([silent_one, other.turn])[order])
    both = (winding_one > 0) & (winding_other > 0)
    return float(np.sum(np.diff(height[order])[both[:-1]]))


MESH_METRICS: Mapping[str, MetricInfo] = {"penetration_cm3": metric_info(penetration_cm3)}
