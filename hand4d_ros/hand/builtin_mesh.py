"""The mesh of the built-in hand: how it is made, and the asset that holds it.

``python -m hand4d_ros.hand.builtin_mesh`` makes it anew and writes the asset.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from hand4d_ros.hand.builtin_relief import detailed_distance, edge_length
from hand4d_ros.hand.builtin_skeleton import rest_skeleton
from hand4d_ros.hand.builtin_surface import hand_distance
from hand4d_ros.hand.polygonise import surface_nets
from hand4d_ros.hand.remesh import project, relax, remesh, vertex_normals
from hand4d_ros.hand.skin_regions import crease_weights, label_regions
from hand4d_ros.shapes import Array, Float, Int

ASSET = "builtin_hand.npz"
"""File in ``hand4d_ros/assets`` that holds the finished mesh."""

_BOX_MM = np.array([[-195.0, -50.0, -95.0], [50.0, 40.0, 110.0]])


@dataclass(frozen=True)
class HandMesh:
    """The skin of the built-in hand at rest."""

    vertices_m: Float[Array, "v 3"]
    faces: Int[Array, "f 3"]
    """Counter-clockwise from outside."""
    tip_vertices: Int[Array, "5"]
    """Thumb to little finger."""
    regions: Int[Array, "v"]
    """Values of ``hand4d_ros.hand.skin_regions.Region``."""
    creases: Float[Array, "v"]
    """1 at the bottom of a flexion crease, 0 away from it."""


def _narrow_band(spacing_mm: float) -> tuple[Float[Array, "3"], Float[Array, "nx ny nz"]]:
    """Sample the surface's field on a grid, finely near the surface only.

    Returns:
        First grid point (mm) and values.
    """
    low, high = _BOX_MM
    factor = 3
    counts = np.ceil((high - low) / (factor * spacing_mm)).astype(int) + 1

    def grid(step: float, number: Int[Array, "3"]) -> Float[Array, "nx ny nz 3"]:
        axes = [start + step * np.arange(n) for start, n in zip(low, number, strict=True)]
        return np.stack(np.meshgrid(*axes, indexing="ij"), axis=-1)

    coarse = grid(factor * spacing_mm, counts)
    values = hand_distance(coarse.reshape(-1, 3)).reshape(counts)
    for axis in range(3):
        values = np.repeat(values, factor, axis=axis)
    points = grid(spacing_mm, factor * counts)
    near = np.abs(values) < 2.0 * factor * spacing_mm
    values[near] = hand_distance(points[near])
    return low, values


def build_mesh(spacing_mm: float = 2.5) -> HandMesh:
    """Polygonise the skin, even out the triangles, then press the fine relief into it.

    Args:
        spacing_mm: Of the grid; must be fine enough to keep the fingers apart.
    """
    low, field = _narrow_band(spacing_mm)
    vertices, faces = surface_nets(field, low, spacing_mm)
    vertices, faces = remesh(vertices, faces, hand_distance, edge_length)
    for _ in range(3):
        vertices = relax(vertices, faces, detailed_distance, edge_length(vertices))
    vertices = project(vertices, detailed_distance)
    tips = rest_skeleton().tips_m * 1e3
    tip_vertices = np.array([np.argmin(np.linalg.norm(vertices - t, axis=-1)) for t in tips])
    vertices[tip_vertices] = tips
    return HandMesh(
        vertices * 1e-3,
        faces,
        tip_vertices,
        label_regions(vertices, vertex_normals(vertices, faces)),
        crease_weights(vertices),
    )


def write_asset(mesh: HandMesh, path: Path) -> None:
    """Save a mesh compactly: single precision, 16-bit indices."""
    np.savez_compressed(
        path,
        vertices_m=mesh.vertices_m.astype(np.float32),
        faces=mesh.faces.astype(np.uint16),
        tip_vertices=mesh.tip_vertices.astype(np.uint16),
        regions=mesh.regions.astype(np.uint8),
        creases=np.round(255.0 * mesh.creases).astype(np.uint8),
    )


def asset_path() -> Path:
    """Return the file of the package that holds the mesh."""
    return Path(__file__).parent.parent / "assets" / ASSET


def read_asset(path: Path | None = None) -> HandMesh:
    """Load the mesh that is part of the package, or another file of the kind."""
    with np.load(asset_path() if path is None else path, allow_pickle=False) as data:
        return HandMesh(
            data["vertices_m"].astype(np.float64),
            data["faces"].astype(np.int64),
            data["tip_vertices"].astype(np.int64),
            data["regions"].astype(np.int64),
            data["creases"] / 255.0,
        )


if __name__ == "__main__":
    write_asset(build_mesh(), asset_path())
