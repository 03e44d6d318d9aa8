"""Remeshing of a closed surface: topology kept, edges even, vertices on the surface."""

from __future__ import annotations

import numpy as np
import pytest

from hand4d_ros.hand.polygonise import surface_nets
from hand4d_ros.hand.remesh import (
    collapse_short,
    edges_of,
    flip_to_delaunay,
    is_closed_manifold,
    project,
    relax,
    remesh,
    vertex_normals,
)
from hand4d_ros.shapes import Array, Float, Int

_RADII = np.array([1.2, 0.9, 0.7])


def _ellipsoid(points: Float[Array, "n 3"]) -> Float[Array, "n"]:
    return np.asarray(np.linalg.norm(points / _RADII, axis=-1) - 1.0)


@pytest.fixture(scope="module")
def mesh() -> tuple[Float[Array, "v 3"], Int[Array, "f 3"]]:
    """Return a fine mesh of an ellipsoid."""
    axis = np.arange(-1.513, 1.55, 0.06)
    grid = np.stack(np.meshgrid(axis, axis, axis, indexing="ij"), axis=-1)
    field = _ellipsoid(grid.reshape(-1, 3)).reshape(grid.shape[:3])
    return surface_nets(field, np.full(3, -1.513), 0.06)


def test_edges_know_their_opposite_vertices(
    mesh: tuple[Float[Array, "v 3"], Int[Array, "f 3"]],
) -> None:
    """Each edge with its two opposite vertices makes two of the faces, once each."""
    _, faces = mesh
    edges, opposite = edges_of(faces)
    assert len(edges) * 2 == len(faces) * 3
    first = np.column_stack((edges, opposite[:, 0]))
    second = np.column_stack((edges[:, ::-1], opposite[:, 1]))
    made = np.concatenate((first, second))
    turned = np.stack([np.roll(made, k, axis=1) for k in range(3)])
    lowest = turned[made.argmin(axis=1) * -1 % 3, np.arange(len(made))]
    expected = np.array([np.roll(face, -face.argmin()) for face in faces])
    np.testing.assert_array_equal(np.unique(lowest, axis=0), np.unique(expected, axis=0))


def test_open_and_inconsistent_meshes_are_told_apart(
    mesh: tuple[Float[Array, "v 3"], Int[Array, "f 3"]],
) -> None:
    """A missing, a doubled and a flipped face are no closed manifold."""
    _, faces = mesh
    assert is_closed_manifold(faces)
    assert not is_closed_manifold(faces[1:])
    assert not is_closed_manifold(np.vstack((faces, faces[:1])))
    assert not is_closed_manifold(np.vstack((faces[:1, ::-1], faces[1:])))


def test_projection_lands_on_the_surface() -> None:
    """Newton's steps find the zero level from nearby, moving along its normal."""
    rng = np.random.default_rng(0)
    unit = rng.normal(size=(50, 3))
    on = unit / np.linalg.norm(unit / _RADII, axis=-1, keepdims=True)
    found = project(on * rng.uniform(0.9, 1.1, size=(50, 1)), _ellipsoid, rounds=4, step=0.001)
    np.testing.assert_allclose(_ellipsoid(found), 0.0, atol=1e-5)
    np.testing.assert_allclose(project(on, _ellipsoid, step=0.001), on, atol=1e-5)


def test_collapsing_removes_vertices_only(
    mesh: tuple[Float[Array, "v 3"], Int[Array, "f 3"]],
) -> None:
    """A round of collapses keeps the mesh closed, and stops where no edge is short."""
    vertices, faces = mesh
    fewer, smaller, target, changed = collapse_short(vertices, faces, np.full(len(vertices), 0.2))
    assert changed
    assert len(vertices) * 0.5 < len(fewer) < len(vertices)
    assert len(fewer) - len(smaller) // 2 == 2
    assert len(target) == len(fewer)
    assert is_closed_manifold(smaller)
    *_, changed = collapse_short(vertices, faces, np.full(len(vertices), 1e-6))
    assert not changed


def test_flips_end_with_a_delaunay_mesh(
    mesh: tuple[Float[Array, "v 3"], Int[Array, "f 3"]],
) -> None:
    """Flipping ends, keeps the mesh closed and leaves no flat pair that wants another diagonal."""
    vertices, faces = mesh
    for _ in range(50):
        faces, changed = flip_to_delaunay(vertices, faces)
        if not changed:
            break
    assert not changed
    assert is_closed_manifold(faces)
    edges, opposite = edges_of(faces)
    ends = vertices[edges]
    angle = np.zeros(len(edges))
    for k in range(2):
        arms = ends - vertices[opposite[:, k], None]
        arms /= np.linalg.norm(arms, axis=-1, keepdims=True)
        angle += np.arccos(np.clip((arms[:, 0] * arms[:, 1]).sum(axis=-1), -1.0, 1.0))
    assert np.percentile(angle, 99.5) < np.pi + 0.03


def test_relaxing_evens_out_on_the_surface(
    mesh: tuple[Float[Array, "v 3"], Int[Array, "f 3"]],
) -> None:
    """Relaxed vertices stay on the surface and their edges get more alike."""
    vertices, faces = mesh

    def spread(points: Float[Array, "v 3"]) -> float:
        edges, _ = edges_of(faces)
        length = np.linalg.norm(points[edges[:, 0]] - points[edges[:, 1]], axis=-1)
        return float(length.std() / length.mean())

    relaxed = vertices
    for _ in range(5):
        relaxed = relax(relaxed, faces, _ellipsoid, np.full(len(vertices), 0.1))
    np.testing.assert_allclose(_ellipsoid(relaxed), 0.0, atol=0.01)
    assert spread(relaxed) < 0.75 * spread(vertices)


def test_remeshing_follows_the_wanted_length(
    mesh: tuple[Float[Array, "v 3"], Int[Array, "f 3"]],
) -> None:
    """Edges have about the wanted length, which varies over the surface; the same each time."""

    def wanted(points: Float[Array, "n 3"]) -> Float[Array, "n"]:
        return np.where(points[:, 0] > 0.0, 0.15, 0.3)

    vertices, faces = remesh(*mesh, _ellipsoid, wanted)
    assert is_closed_manifold(faces)
    assert len(vertices) - len(faces) // 2 == 2
    edges, _ = edges_of(faces)
    middle = vertices[edges].mean(axis=1)
    length = np.linalg.norm(vertices[edges[:, 0]] - vertices[edges[:, 1]], axis=-1)
    clear = np.abs(middle[:, 0]) > 0.3
    ratio = (length / wanted(middle))[clear]
    assert 0.9 < np.median(ratio) < 1.4
    assert np.percentile(ratio, 1) > 0.6
    assert np.percentile(ratio, 99) < 2.0
    normals = vertex_normals(vertices, faces)
    exact = vertices / _RADII**2
    exact /= np.linalg.norm(exact, axis=-1, keepdims=True)
    assert (normals * exact).sum(axis=-1).min() > 0.95
    again, _ = remesh(*mesh, _ellipsoid, wanted)
    np.testing.assert_array_equal(again, vertices)
