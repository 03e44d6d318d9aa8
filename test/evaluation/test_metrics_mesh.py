"""The shared volume of meshes whose shared volume is known."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from hand4d_ros.errors import MetricError
from hand4d_ros.evaluation import metrics_mesh as mesh
from hand4d_ros.geometry import so3
from hand4d_ros.shapes import Array, Float, Int

BOX_FACES = np.array(
    [
        *([0, 1, 3], [0, 3, 2], [4, 6, 7], [4, 7, 5], [0, 4, 5], [0, 5, 1]),
        *([2, 3, 7], [2, 7, 6], [0, 2, 6], [0, 6, 4], [1, 5, 7], [1, 7, 3]),
    ]
)


def _box(low: tuple[float, float, float], high: tuple[float, float, float]) -> Float[Array, "8 3"]:
    """Corners of an upright box."""
    corners = np.array(list(itertools.product((0.0, 1.0), repeat=3)))
    return np.asarray(np.array(low) + corners * (np.array(high) - np.array(low)))


def _sphere(
    radius_m: float, centre: tuple[float, float, float]
) -> tuple[Float[Array, "v 3"], Int[Array, "f 3"]]:
    """A sphere of 24 rings and 48 meridians with poles on the z axis."""
    rings, around = 24, 48
    polar = np.pi * np.arange(1, rings) / rings
    turn = 2 * np.pi * np.arange(around) / around
    ring = np.stack(
        [
            np.outer(np.sin(polar), np.cos(turn)),
            np.outer(np.sin(polar), np.sin(turn)),
            np.outer(np.cos(polar), np.ones(around)),
        ],
        axis=-1,
    ).reshape(-1, 3)
    vertices = np.concatenate([[[0.0, 0.0, 1.0]], ring, [[0.0, 0.0, -1.0]]])
    faces = []
    for j in range(around):
        k = (j + 1) % around
        last = 1 + (rings - 2) * around
        faces += [[0, 1 + j, 1 + k], [len(vertices) - 1, last + k, last + j]]
        for i in range(rings - 2):
            a, b = 1 + i * around + j, 1 + i * around + k
            faces += [[a, a + around, b + around], [a, b + around, b]]
    return vertices * radius_m + np.array(centre), np.array(faces)


def test_boxes_overlap_exactly() -> None:
    """Boxes along the axes are exact at any spacing: 3 x 2 x 4 cm are 24 cm^3."""
    one = _box((0.0, 0.0, 0.0), (0.1, 0.1, 0.1))
    other = _box((0.07, -0.08, 0.06), (0.15, 0.02, 0.3))
    for spacing_m in (0.001, 0.0037):
        volume = mesh.shared_volume_m3(one, BOX_FACES, other, BOX_FACES, spacing_m=spacing_m)
        assert volume * 1e6 == pytest.approx(24.0, rel=1e-9)


def test_spheres_overlap_in_a_lens() -> None:
    """The volume is pi (4 R + d) (2 R - d)^2 / 12, less the polyhedra's shortfall."""
    radius_m, distance_m = 0.05, 0.06
    one, faces = _sphere(radius_m, (0.0, 0.0, 0.0))
    other, _ = _sphere(radius_m, (distance_m, 0.0, 0.0))
    lens = np.pi * (4 * radius_m + distance_m) * (2 * radius_m - distance_m) ** 2 / 12
    assert mesh.shared_volume_m3(one, faces, other, faces) == pytest.approx(lens, rel=0.02)


def test_a_mesh_shares_its_own_volume_with_itself() -> None:
    """Against the divergence theorem, also when turned."""
    vertices, faces = _sphere(0.05, (0.0, 0.0, 0.0))
    turned = vertices @ so3.exp(np.array([0.3, 0.2, 0.7])).T
    volume = mesh.signed_volume_m3(vertices, faces)
    for same in (vertices, turned):
        assert mesh.shared_volume_m3(same, faces, same, faces) == pytest.approx(volume, rel=1e-3)


def test_the_answer_is_symmetric_and_moves_along() -> None:
    """Order does not matter, nor where both meshes are."""
    one, faces = _sphere(0.04, (0.0, 0.0, 0.0))
    other = _box((0.0, 0.0, 0.0), (0.1, 0.1, 0.1))
    forward = mesh.shared_volume_m3(one, faces, other, BOX_FACES)
    assert forward == pytest.approx(4 / 3 * np.pi * 0.04**3 / 8, rel=0.02)
    assert mesh.shared_volume_m3(other, BOX_FACES, one, faces) == pytest.approx(forward, rel=1e-12)
    moved = mesh.shared_volume_m3(one + 0.5, faces, other + 0.5, BOX_FACES)
    assert moved == pytest.approx(forward, rel=1e-6)


def test_apart_and_touching_share_nothing() -> None:
    """Boxes apart, and boxes with a common wall."""
    one = _box((0.0, 0.0, 0.0), (0.1, 0.1, 0.1))
    for low in (0.1, 0.2):
        other = _box((low, 0.0, 0.0), (0.3, 0.1, 0.1))
        assert mesh.shared_volume_m3(one, BOX_FACES, other, BOX_FACES) == 0.0
    # The boxes of these two spheres overlap at the corners, the spheres do not.
    ball, faces = _sphere(0.05, (0.0, 0.0, 0.0))
    near, _ = _sphere(0.05, (0.07, 0.07, 0.07))
    assert mesh.shared_volume_m3(ball, faces, near, faces) == 0.0


def test_lines_through_vertices_and_edges_do_not_leak() -> None:
    """A grid laid exactly on the corners of a pyramid still finds all of its volume."""
    vertices = np.array([[-1.0, -1, 0], [1, -1, 0], [1, 1, 0], [-1, 1, 0], [0, 0, 1.0]]) * 0.03
    faces = np.array([[0, 2, 1], [0, 3, 2], [0, 1, 4], [1, 2, 4], [2, 3, 4], [3, 0, 4]])
    # Three lines a side: the middle one runs through the tip and along two edges.
    coarse = mesh.shared_volume_m3(vertices, faces, vertices, faces, spacing_m=0.02)
    heights = 0.03 * np.array([[1 - 2 / 3, 1 - 2 / 3, 1 - 2 / 3], [1 / 3, 1.0, 1 / 3]])
    expected = (2 * heights[0].sum() + heights[1].sum()) * 0.02**2
    assert coarse == pytest.approx(expected, rel=1e-9)


def test_a_self_cutting_mesh_is_solid() -> None:
    """Two boxes as one mesh count their overlap as inside, once, not as a hole."""
    cube = _box((0.0, 0.0, 0.0), (0.1, 0.1, 0.1))
    double = np.concatenate([cube, cube + np.array([0.05, 0.0, 0.0])])
    faces = np.concatenate([BOX_FACES, BOX_FACES + 8])
    around = _box((-1.0, -1.0, -1.0), (1.0, 1.0, 1.0))
    shared = mesh.shared_volume_m3(double, faces, around, BOX_FACES)
    assert shared == pytest.approx(0.15 * 0.1 * 0.1, rel=1e-9)


def test_an_open_mesh_is_refused_and_closed() -> None:
    """A box without its lid has a rim of four edges; a fan over it restores the volume."""
    box = _box((0.0, 0.0, 0.0), (0.1, 0.1, 0.1))
    without_lid = np.delete(BOX_FACES, [10, 11], axis=0)
    assert len(mesh.open_edges(without_lid)) == 4
    with pytest.raises(MetricError, match="open along 4 edges"):
        mesh.shared_volume_m3(box, without_lid, box, BOX_FACES)
    closed, faces = mesh.closed_mesh(np.stack([box, 2 * box]), without_lid)
    assert closed.shape == (2, 9, 3)
    assert len(mesh.open_edges(faces)) == 0
    assert mesh.signed_volume_m3(closed[0], faces) == pytest.approx(1e-3)
    assert mesh.signed_volume_m3(closed[1], faces) == pytest.approx(8e-3)
    same, same_faces = mesh.closed_mesh(box[None], BOX_FACES)
    assert same.shape == (1, 8, 3)
    assert len(same_faces) == 12


def test_penetration_is_the_mean_over_used_frames() -> None:
    """24 cm^3 and nothing make 12 cm^3; the frame that is left out may be anything."""
    one = np.stack([_box((0.0, 0.0, 0.0), (0.1, 0.1, 0.1))] * 3)
    other = np.stack(
        [
            _box((0.07, -0.08, 0.06), (0.15, 0.02, 0.3)),
            _box((1.0, 1.0, 1.0), (1.1, 1.1, 1.1)),
            np.full((8, 3), np.nan),
        ]
    )
    mask = np.array([True, True, False])
    assert mesh.penetration_cm3(one, other, BOX_FACES, BOX_FACES, mask) == pytest.approx(12.0)


def test_documented_raises() -> None:
    """Inside out, NaN, no spacing, no frame, rims that meet."""
    box = _box((0.0, 0.0, 0.0), (0.1, 0.1, 0.1))
    with pytest.raises(MetricError, match="turn inwards"):
        mesh.shared_volume_m3(box * np.array([-1.0, 1, 1]), BOX_FACES, box, BOX_FACES)
    with pytest.raises(MetricError, match="NaN or infinity"):
        mesh.shared_volume_m3(np.full((8, 3), np.nan), BOX_FACES, box, BOX_FACES)
    with pytest.raises(MetricError, match="spacing_m must be positive"):
        mesh.shared_volume_m3(box, BOX_FACES, box, BOX_FACES, spacing_m=0.0)
    with pytest.raises(MetricError, match="no frame has both hands"):
        mesh.penetration_cm3(box[None], box[None], BOX_FACES, BOX_FACES, np.zeros(1, dtype=bool))
    two_holes = np.delete(BOX_FACES, [0, 7], axis=0)
    closed, _ = mesh.closed_mesh(box[None], two_holes)
    assert closed.shape == (1, 10, 3)
    bow_tie = np.array([[0, 1, 2], [0, 3, 4]])
    with pytest.raises(MetricError, match="two holes meet in one vertex"):
        mesh.closed_mesh(np.zeros((1, 5, 3)), bow_tie)
