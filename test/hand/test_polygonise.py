"""Surface nets: closed meshes of spheres and tori, and fields that have no closed surface."""

from __future__ import annotations

import numpy as np
import pytest

from hand4d_ros.errors import HandModelError
from hand4d_ros.hand.polygonise import surface_nets
from hand4d_ros.hand.remesh import is_closed_manifold
from hand4d_ros.shapes import Array, Float

_SPACING = 0.1
_ORIGIN = np.array([-1.5, -1.4, -1.3])


def _grid() -> Float[Array, "nx ny nz 3"]:
    counts = (np.round(-2.0 * _ORIGIN / _SPACING) + 1).astype(int)
    axes = [start + _SPACING * np.arange(n) for start, n in zip(_ORIGIN, counts, strict=True)]
    return np.stack(np.meshgrid(*axes, indexing="ij"), axis=-1)


def test_sphere() -> None:
    """Vertices lie on the sphere, the mesh is one closed ball and looks outwards."""
    field = np.linalg.norm(_grid(), axis=-1) - 1.0
    vertices, faces = surface_nets(field, _ORIGIN, _SPACING)
    np.testing.assert_allclose(np.linalg.norm(vertices, axis=-1), 1.0, atol=0.005)
    assert is_closed_manifold(faces)
    assert len(vertices) - len(faces) // 2 == 2
    a, b, c = np.moveaxis(vertices[faces], 1, 0)
    volume = (a * np.cross(b, c)).sum() / 6.0
    assert volume == pytest.approx(4.0 / 3.0 * np.pi, rel=0.02)


def test_torus_keeps_its_hole() -> None:
    """The topology is that of the field."""
    x, y, z = np.moveaxis(_grid(), -1, 0)
    field = np.hypot(np.hypot(x, y) - 0.8, z) - 0.3
    vertices, faces = surface_nets(field, _ORIGIN, _SPACING)
    assert is_closed_manifold(faces)
    assert len(vertices) - len(faces) // 2 == 0


def test_plane_is_reproduced_exactly() -> None:
    """A box's flat sides are flat, as crossings of linear fields are exact."""
    field = np.abs(_grid()).max(axis=-1) - 0.83
    vertices, _ = surface_nets(field, _ORIGIN, _SPACING)
    top = vertices[(vertices[:, 2] > 0.8) & (np.abs(vertices[:, :2]).max(axis=1) < 0.7)]
    assert len(top) > 50
    np.testing.assert_allclose(top[:, 2], 0.83, atol=1e-12)


@pytest.mark.parametrize("radius", [-1.0, 1.45])
def test_fields_without_a_closed_surface_are_refused(radius: float) -> None:
    """Nothing inside, or a surface that leaves the grid, is an error."""
    field = np.linalg.norm(_grid(), axis=-1) - radius
    with pytest.raises(HandModelError, match="does not enclose the surface"):
        surface_nets(field, _ORIGIN, _SPACING)
