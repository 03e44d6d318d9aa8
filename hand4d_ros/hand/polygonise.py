"""Turn an implicit surface into a closed triangle mesh: naive surface nets, vectorised.

S. F. F. Gibson, "Constrained elastic surface nets", MICCAI 1998, without the relaxation: one vertex
in each cell that the surface crosses, at the mean of its edge crossings, and one quad across each
crossed grid edge. The mesh is closed, as the surface does not touch the border of the grid.
"""

from __future__ import annotations

import itertools

import numpy as np

from hand4d_ros.errors import HandModelError
from hand4d_ros.shapes import Array, Float, Int


def surface_nets(
    field: Float[Array, "nx ny nz"], origin: Float[Array, "3"], spacing: float
) -> tuple[Float[Array, "v 3"], Int[Array, "f 3"]]:
    """Polygonise the zero level of a field, negative inside.

    Args:
        field: Values at the grid points.
        origin: Place of the grid point (0, 0, 0).
        spacing: Distance of neighbouring grid points, in the unit of ``origin``.

    Returns:
        Vertices, in the unit of ``origin``, and triangles, counter-clockwise from outside.

    Raises:
        HandModelError: Nothing is inside, or the surface touches the border of the grid.
    """
    inside = field < 0
    border = inside.copy()
    border[1:-1, 1:-1, 1:-1] = False
    if not inside.any() or border.any():
        raise HandModelError(
            f"a grid of {field.shape} does not enclose the surface: "
            f"{int(inside.sum())} points inside, {int(border.sum())} of them on the border"
        )
    vertices, cell_vertex = _cell_vertices(field)
    quads = np.concatenate([_quads(inside, cell_vertex, axis) for axis in range(3)])
    faces = _split(vertices, quads)
    return origin + spacing * vertices, faces


def _cell_vertices(
    field: Float[Array, "nx ny nz"],
) -> tuple[Float[Array, "v 3"], Int[Array, "cx cy cz"]]:
    """One vertex in each mixed cell, in grid units, and the vertex number of each cell."""
    cells = tuple(n - 1 for n in field.shape)
    total, count = np.zeros((*cells, 3)), np.zeros(cells)
    for axis in range(3):
        others = [k for k in range(3) if k != axis]
        for shift in itertools.product((0, 1), repeat=2):
            low = [0, 0, 0]
            low[others[0]], low[others[1]] = shift
            high = list(low)
            high[axis] = 1
            a = field[tuple(slice(s, s + c) for s, c in zip(low, cells, strict=True))]
            b = field[tuple(slice(s, s + c) for s, c in zip(high, cells, strict=True))]
            crossed = (a < 0) != (b < 0)
            step = np.where(crossed, a / np.where(crossed, a - b, 1.0), 0.0)
            total[..., axis] += step
            total[..., others[0]] += crossed * shift[0]
            total[..., others[1]] += crossed * shift[1]
            count += crossed
    where = np.argwhere(count > 0)
    number = np.full(cells, -1, dtype=np.int64)
    number[tuple(where.T)] = np.arange(len(where))
    mean = total[tuple(where.T)] / count[tuple(where.T)][:, None]
    return where + mean, number


def _quads(inside: Array, cell_vertex: Int[Array, "cx cy cz"], axis: int) -> Int[Array, "q 4"]:
    """Quads across the grid edges along one axis that the surface crosses."""
    first, second = (axis + 1) % 3, (axis + 2) % 3
    here = np.moveaxis(inside, (axis, first, second), (0, 1, 2))
    cell = np.moveaxis(cell_vertex, (axis, first, second), (0, 1, 2))
    crossed = here[:-1, 1:-1, 1:-1] != here[1:, 1:-1, 1:-1]
    i, j, k = np.nonzero(crossed)
    j, k = j + 1, k + 1
    quads = np.stack(
        (cell[i, j - 1, k - 1], cell[i, j, k - 1], cell[i, j, k], cell[i, j - 1, k]), axis=-1
    )
    leaving = here[i, j, k]
    return np.where(leaving[:, None], quads, quads[:, ::-1])


def _split(vertices: Float[Array, "v 3"], quads: Int[Array, "q 4"]) -> Int[Array, "f 3"]:
    """Split quads along their shorter diagonal."""
    corner = vertices[quads]
    first = np.linalg.norm(corner[:, 0] - corner[:, 2], axis=-1)
    second = np.linalg.norm(corner[:, 1] - corner[:, 3], axis=-1)
    along_first = quads[:, [0, 1, 2, 0, 2, 3]]
    along_second = quads[:, [1, 2, 3, 1, 3, 0]]
    chosen = np.where((first <= second)[:, None], along_first, along_second)
    return chosen.reshape(-1, 3)
