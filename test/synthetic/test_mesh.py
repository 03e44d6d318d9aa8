"""Meshes against the volumes of the solids that they stand for."""

from __future__ import annotations

import numpy as np
import pytest

from hand4d_ros.synthetic import mesh


def test_box_has_the_volume_of_a_box() -> None:
    """Faces look outwards and cover all six sides."""
    assert mesh.volume_m3(mesh.box((0.2, 0.1, 0.05))) == pytest.approx(0.2 * 0.1 * 0.05)


def test_sphere_approaches_its_volume() -> None:
    """Twice the segments leave a quarter of the error."""
    exact = 4.0 / 3.0 * np.pi * 0.05**3
    coarse, fine = (1 - mesh.volume_m3(mesh.sphere(0.05, n)) / exact for n in (20, 40))
    assert 0 < fine < 0.02
    assert coarse / fine == pytest.approx(4.0, rel=0.1)


def test_revolved_cylinder_has_the_volume_of_its_prism() -> None:
    """A regular polygon of n sides has area n r^2 sin(2 pi / n) / 2."""
    profile = mesh.refined_profile([(0.0, -0.1), (0.03, -0.1), (0.03, 0.1), (0.0, 0.1)])
    area = 0.5 * 24 * 0.03**2 * np.sin(2 * np.pi / 24)
    assert mesh.volume_m3(mesh.revolved(profile, 24)) == pytest.approx(area * 0.2)


def test_refined_profile_keeps_its_corners_and_its_step() -> None:
    """No step is longer than asked for, and the corners are still there."""
    corners = [(0.0, 0.0), (0.05, 0.0), (0.05, 0.033)]
    profile = mesh.refined_profile(corners, 0.01)
    assert np.linalg.norm(np.diff(profile, axis=0), axis=-1).max() <= 0.01 + 1e-12
    for corner in corners:
        assert np.linalg.norm(profile - corner, axis=-1).min() < 1e-12


def test_swept_tube_lies_on_its_ellipse_and_looks_outwards() -> None:
    """Along a straight line the vertices satisfy the ellipse, and normals point away from it."""
    line = np.linspace([0, 0, 0], [0, 0, 0.3], 7)
    x, y = np.tile([1.0, 0, 0], (7, 1)), np.tile([0, 1.0, 0], (7, 1))
    tube = mesh.swept(line, x, y, np.tile([0.03, 0.02], (7, 1)))
    v = tube.vertices_m
    np.testing.assert_allclose((v[:, 0] / 0.03) ** 2 + (v[:, 1] / 0.02) ** 2, 1.0, atol=1e-12)
    a, b, c = (v[tube.faces[:, i]] for i in range(3))
    outward = (a + b + c)[:, :2]
    assert bool((np.einsum("ni,ni->n", np.cross(b - a, c - a)[:, :2], outward) > 0).all())


def test_joined_meshes_keep_their_volumes() -> None:
    """Volumes of meshes that are joined or moved add up."""
    one, two = mesh.box((0.1, 0.1, 0.1)), mesh.sphere(0.04)
    turn = np.array([[0.0, -1.0, 0.0], [1.0, 0.0, 0.0], [0.0, 0.0, 1.0]])
    both = mesh.joined((one, two.moved(turn, np.array([0.5, 0.2, -0.1]))))
    assert mesh.volume_m3(both) == pytest.approx(mesh.volume_m3(one) + mesh.volume_m3(two))
