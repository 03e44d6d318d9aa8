"""Triangle meshes of simple solids: boxes, solids of revolution, tubes.

Metres, right-handed axes, outward faces counter-clockwise. Faces are small on purpose: the
renderer keeps colours and shading at vertices.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from hand4d_ros.shapes import Array, Float, Int


@dataclass(frozen=True)
class Mesh:
    """A closed or open triangle mesh."""

    vertices_m: Float[Array, "v 3"]
    faces: Int[Array, "f 3"]

    def moved(self, R: Float[Array, "3 3"], t_m: Float[Array, "3"]) -> Mesh:
        """Return the mesh turned by ``R``, then shifted by ``t_m`` (m)."""
        return Mesh(self.vertices_m @ R.T + t_m, self.faces)


def joined(meshes: Sequence[Mesh]) -> Mesh:
    """Put meshes into one, vertices in the order given."""
    starts = np.cumsum([0, *(len(m.vertices_m) for m in meshes[:-1])])
    return Mesh(
        np.concatenate([m.vertices_m for m in meshes]),
        np.concatenate([m.faces + start for m, start in zip(meshes, starts, strict=True)]),
    )


def grid_faces(rows: int, columns: int, *, closed: bool) -> Int[Array, "f 3"]:
    """Triangulate a grid of vertices that are numbered row by row.

    Args:
        rows: Vertices along the first direction.
        columns: Vertices along the second direction.
        closed: Whether the last column joins the first.

    Returns:
        Faces, counter-clockwise seen from where columns run right and rows run up.
    """
    around = columns if closed else columns - 1
    row, column = np.meshgrid(np.arange(rows - 1), np.arange(around), indexing="ij")
    right = (column + 1) % columns
    a, b = row * columns + column, row * columns + right
    c, d = a + columns, b + columns
    lower = np.stack((a, b, d), -1).reshape(-1, 3)
    upper = np.stack((a, d, c), -1).reshape(-1, 3)
    return np.concatenate((lower, upper))


def box(size_m: tuple[float, float, float], cell_m: float = 0.012) -> Mesh:
    """Make a box about the origin.

    Args:
        size_m: Edge lengths along x, y, z.
        cell_m: Largest edge of a cell of the grid on its sides.
    """
    parts: list[Mesh] = []
    for axis in range(3):
        u, v = (axis + 1) % 3, (axis + 2) % 3
        nu = max(2, int(np.ceil(size_m[u] / cell_m)) + 1)
        nv = max(2, int(np.ceil(size_m[v] / cell_m)) + 1)
        gv, gu = np.meshgrid(np.linspace(-0.5, 0.5, nv), np.linspace(-0.5, 0.5, nu), indexing="ij")
        for sign in (-1.0, 1.0):
            points = np.zeros((nu * nv, 3))
            points[:, axis] = 0.5 * sign * size_m[axis]
            points[:, u] = gu.ravel() * size_m[u]
            points[:, v] = gv.ravel() * size_m[v]
            faces = grid_faces(nv, nu, closed=False)
            parts.append(Mesh(points, faces if sign > 0 else faces[:, ::-1].copy()))
    return joined(parts)


def revolved(profile_m: Float[Array, "n 2"], segments: int = 32) -> Mesh:
    """Turn a profile about the z axis.

    Args:
        profile_m: Radius and height of each point, from the bottom up along the outside.
        segments: Vertices around the axis.
    """
    angle = np.arange(segments) * (2.0 * np.pi / segments)
    circle = np.stack((np.cos(angle), np.sin(angle)), -1)
    rings = np.empty((len(profile_m), segments, 3))
    rings[..., :2] = profile_m[:, None, :1] * circle
    rings[..., 2] = profile_m[:, None, 1]
    return Mesh(rings.reshape(-1, 3), grid_faces(len(profile_m), segments, closed=True))


def refined_profile(
    points_m: Sequence[tuple[float, float]], cell_m: float = 0.01
) -> Float[Array, "n 2"]:
    """Cut the straight pieces of a profile into steps of at most ``cell_m``."""
    corners = np.array(points_m, dtype=np.float64)
    pieces = [corners[:1]]
    for start, end in itertools.pairwise(corners):
        steps = max(1, int(np.ceil(np.linalg.norm(end - start) / cell_m)))
        share = np.arange(1, steps + 1)[:, None] / steps
        pieces.append(start + share * (end - start))
    return np.concatenate(pieces)


def sphere(radius_m: float, segments: int = 28) -> Mesh:
    """Make a sphere about the origin."""
    angle = np.linspace(-0.5 * np.pi, 0.5 * np.pi, segments // 2 + 1)
    return revolved(radius_m * np.stack((np.cos(angle), np.sin(angle)), -1), segments)


def swept(
    centres_m: Float[Array, "n 3"],
    sideways: Float[Array, "n 3"],
    upwards: Float[Array, "n 3"],
    radii_m: Float[Array, "n 2"],
    segments: int = 24,
) -> Mesh:
    """Sweep an ellipse along a path, open at both ends.

    Args:
        centres_m: Centre of each ring.
        sideways: Unit vector of the first half axis of each ring.
        upwards: Unit vector of the second half axis; sideways x upwards points along the path.
        radii_m: Both half axes.
        segments: Vertices around each ring.
    """
    angle = np.arange(segments) * (2.0 * np.pi / segments)
    points = (
        centres_m[:, None]
        + np.cos(angle)[:, None] * (radii_m[:, :1] * sideways)[:, None]
        + np.sin(angle)[:, None] * (radii_m[:, 1:] * upwards)[:, None]
    )
    return Mesh(points.reshape(-1, 3), grid_faces(len(centres_m), segments, closed=True))


def volume_m3(mesh: Mesh) -> float:
    """Return the volume that a closed mesh encloses, positive where faces look outwards.

    The divergence theorem on tetrahedra with their apex in the origin.
    """
    a, b, c = (mesh.vertices_m[mesh.faces[:, i]] for i in range(3))
    return float(np.einsum("ni,ni->", a, np.cross(b, c))) / 6.0
