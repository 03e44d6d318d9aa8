"""Turn a fine triangle mesh into an even one of chosen edge lengths, on an implicit surface.

After M. Botsch and L. Kobbelt, "A remeshing approach to multiresolution modeling", SGP 2004:
collapse short edges, flip edges to Delaunay, relax along the surface, project back. Each round
works on an independent set of edges at once, so that it stays in array code and deterministic.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from hand4d_ros.shapes import Array, Bool, Float, Int

Field = Callable[[Float[Array, "n 3"]], Float[Array, "n"]]
"""Signed distance of points, about; negative inside."""


def edges_of(faces: Int[Array, "f 3"]) -> tuple[Int[Array, "e 2"], Int[Array, "e 2"]]:
    """List the edges of a closed mesh and the two vertices opposite each.

    The first opposite vertex lies in the face that runs along the edge forwards.
    """
    start = faces.ravel()
    end = faces[:, [1, 2, 0]].ravel()
    opposite = faces[:, [2, 0, 1]].ravel()
    forwards = start < end
    low, high = np.minimum(start, end), np.maximum(start, end)
    order = np.lexsort((~forwards, high, low))
    pair = order.reshape(-1, 2)
    edges = np.stack((low[pair[:, 0]], high[pair[:, 0]]), axis=-1)
    return edges, opposite[pair]


def is_closed_manifold(faces: Int[Array, "f 3"]) -> bool:
    """Tell whether each edge is shared by exactly two faces that run along it in opposite ways."""
    directed = np.concatenate([faces[:, [0, 1]], faces[:, [1, 2]], faces[:, [2, 0]]])
    unique, count = np.unique(directed, axis=0, return_counts=True)
    reverse = np.unique(directed[:, ::-1], axis=0)
    return bool(np.all(count == 1) and np.array_equal(unique, reverse))


def project(
    points: Float[Array, "n 3"], field: Field, rounds: int = 2, step: float = 0.05
) -> Float[Array, "n 3"]:
    """Move points onto the zero level of a field by Newton steps.

    Args:
        points: Near the surface.
        field: Evaluated at the corners of a small tetrahedron, which gives value and gradient.
        rounds: Number of steps.
        step: Size of the tetrahedron, in the unit of the points.
    """
    corners = step * np.array([[1.0, 1, 1], [1, -1, -1], [-1, 1, -1], [-1, -1, 1]])
    for _ in range(rounds):
        around = field((points[:, None] + corners).reshape(-1, 3)).reshape(-1, 4)
        gradient = around @ corners / (4.0 * step**2)
        squared = np.maximum((gradient**2).sum(axis=-1), 1e-4)
        length = np.clip(around.mean(axis=1) / squared, -2.0, 2.0)
        points = points - length[:, None] * gradient
    return points


def _independent(
    rank: Float[Array, "e"], edges: Int[Array, "e 2"], chosen: Bool[Array, "e"], count: int
) -> Bool[Array, "e"]:
    """Choose edges of lowest rank such that their one-rings do not touch."""
    lowest = np.full(count, np.inf)
    for k in range(2):
        np.minimum.at(lowest, edges[chosen, k], rank[chosen])
    around = lowest.copy()
    for k in range(2):
        np.minimum.at(around, edges[:, k], lowest[edges[:, 1 - k]])
    return np.asarray(chosen & (rank == around[edges[:, 0]]) & (rank == around[edges[:, 1]]))


def _face_areas(vertices: Float[Array, "v 3"], faces: Int[Array, "f 3"]) -> Float[Array, "f 3"]:
    """Outward normals, as long as twice the areas."""
    corner = vertices[faces]
    return np.cross(corner[:, 1] - corner[:, 0], corner[:, 2] - corner[:, 0])


def _unit(vector: Float[Array, "n 3"]) -> Float[Array, "n 3"]:
    length = np.linalg.norm(vector, axis=-1, keepdims=True)
    return np.asarray(vector / np.maximum(length, 1e-12))


def _keys(edges: Int[Array, "*n 2"], count: int) -> Int[Array, "*n"]:
    """One number for each undirected edge."""
    return np.asarray(edges.min(axis=-1) * count + edges.max(axis=-1))


def _common_neighbours(edges: Int[Array, "e 2"], count: int) -> Int[Array, "e"]:
    """Number of vertices that are joined to both ends of each edge."""
    from scipy.sparse import coo_matrix

    both = np.vstack((edges, edges[:, ::-1]))
    joined = coo_matrix(
        (np.ones(len(both)), (both[:, 0], both[:, 1])), shape=(count, count)
    ).tocsr()
    paths = (joined @ joined).tocsr()
    return np.asarray(paths[edges[:, 0], edges[:, 1]]).ravel().astype(np.int64)


def collapse_short(
    vertices: Float[Array, "v 3"], faces: Int[Array, "f 3"], target: Float[Array, "v"]
) -> tuple[Float[Array, "w 3"], Int[Array, "g 3"], Float[Array, "w"], bool]:
    """Collapse an independent set of edges shorter than 0.8 of the target to their midpoints.

    Returns:
        Vertices, faces, target lengths, and whether anything was collapsed.
    """
    count = len(vertices)
    edges, _ = edges_of(faces)
    length = np.linalg.norm(vertices[edges[:, 0]] - vertices[edges[:, 1]], axis=-1)
    ratio = length / target[edges].mean(axis=1)
    rank = np.argsort(np.argsort(ratio, kind="stable"), kind="stable").astype(np.float64)
    allowed = (ratio < 0.8) & (_common_neighbours(edges, count) == 2)
    chosen = _independent(rank, edges, allowed, count)
    moved = vertices.copy()
    middle = 0.5 * (vertices[edges[:, 0]] + vertices[edges[:, 1]])
    for k in range(2):
        moved[edges[chosen, k]] = middle[chosen]
    owner = np.full(count, -1)
    for k in range(2):
        owner[edges[chosen, k]] = np.flatnonzero(chosen)
    touched = owner[faces]
    kept = (touched >= 0).sum(axis=1) == 1
    before, after = _face_areas(vertices, faces), _face_areas(moved, faces)
    turned = (_unit(before) * _unit(after)).sum(axis=-1)
    chosen[touched[kept & (turned < 0.5)].max(axis=1)] = False
    if not chosen.any():
        return vertices, faces, target, False
    name = np.arange(count)
    name[edges[chosen, 1]] = edges[chosen, 0]
    result = vertices.copy()
    result[edges[chosen, 0]] = middle[chosen]
    renamed = name[faces]
    distinct = (renamed != renamed[:, [1, 2, 0]]).all(axis=1)
    used, compact = np.unique(renamed[distinct], return_inverse=True)
    return result[used], compact.reshape(-1, 3).astype(np.int64), target[used], True


def flip_to_delaunay(
    vertices: Float[Array, "v 3"], faces: Int[Array, "f 3"]
) -> tuple[Int[Array, "f 3"], bool]:
    """Flip an independent set of edges whose opposite angles add up to more than 180 degrees.

    Returns:
        Faces, and whether anything was flipped.
    """
    edges, opposite = edges_of(faces)
    a, b = vertices[edges[:, 0]], vertices[edges[:, 1]]
    c, d = vertices[opposite[:, 0]], vertices[opposite[:, 1]]

    def angle(apex: Array, one: Array, two: Array) -> Array:
        p, q = one - apex, two - apex
        return np.asarray(np.arctan2(np.linalg.norm(np.cross(p, q), axis=-1), (p * q).sum(axis=-1)))

    excess = angle(c, a, b) + angle(d, a, b) - np.pi
    old = [_unit(np.cross(b - a, c - a)), _unit(np.cross(a - b, d - b))]
    new = [_unit(np.cross(d - a, c - a)), _unit(np.cross(c - b, d - b))]
    smooth = np.min([(n * o).sum(axis=-1) for n in new for o in old], axis=0)
    count = len(vertices)
    # An edge that is there already must not be made a second time.
    known = np.isin(_keys(opposite, count), _keys(edges, count))
    wanted = (excess > 0.02) & (smooth > 0.7) & ~known
    rank = np.argsort(np.argsort(-excess, kind="stable"), kind="stable").astype(np.float64)
    chosen = _independent(rank, edges, wanted, count)
    if not chosen.any():
        return faces, False
    sides = np.stack((faces, faces[:, [1, 2, 0]]), axis=-1)
    dropped = np.isin(_keys(sides, count), _keys(edges[chosen], count))
    quad = np.column_stack((edges[chosen], opposite[chosen]))
    added = np.concatenate((quad[:, [0, 3, 2]], quad[:, [1, 2, 3]]))
    return np.concatenate((faces[~dropped.any(axis=1)], added)), True


def vertex_normals(vertices: Float[Array, "v 3"], faces: Int[Array, "f 3"]) -> Float[Array, "v 3"]:
    """Unit normals, faces weighted by their area."""
    area = _face_areas(vertices, faces)
    total = np.zeros_like(vertices)
    for k in range(3):
        np.add.at(total, faces[:, k], area)
    return _unit(total)


def relax(
    vertices: Float[Array, "v 3"],
    faces: Int[Array, "f 3"],
    field: Field,
    target: Float[Array, "v"],
) -> Float[Array, "v 3"]:
    """Move vertices along the surface towards the middle of their neighbours, then back onto it."""
    edges, _ = edges_of(faces)
    total, weight = np.zeros_like(vertices), np.zeros(len(vertices))
    # Weights against the target density keep the grading that the target asks for.
    pull = 1.0 / target[edges].mean(axis=1) ** 2
    for k in range(2):
        np.add.at(total, edges[:, k], pull[:, None] * vertices[edges[:, 1 - k]])
        np.add.at(weight, edges[:, k], pull)
    normal = vertex_normals(vertices, faces)
    step = total / weight[:, None] - vertices
    step -= (step * normal).sum(axis=-1, keepdims=True) * normal
    return project(vertices + 0.6 * step, field, rounds=1)


def remesh(
    vertices: Float[Array, "v 3"],
    faces: Int[Array, "f 3"],
    field: Field,
    sizing: Field,
    rounds: int = 4,
) -> tuple[Float[Array, "w 3"], Int[Array, "g 3"]]:
    """Even out a closed mesh by collapsing, flipping and relaxing, several rounds.

    Args:
        vertices: On or near the surface.
        faces: Closed and manifold.
        field: The surface is its zero level.
        sizing: Wanted edge length at points.
        rounds: How often to do all three.
    """
    for _ in range(rounds):
        target = sizing(vertices)
        active = True
        while active:
            vertices, faces, target, active = collapse_short(vertices, faces, target)
        for _ in range(8):
            faces, active = flip_to_delaunay(vertices, faces)
            if not active:
                break
        for _ in range(2):
            vertices = relax(vertices, faces, field, target)
    return vertices, faces
