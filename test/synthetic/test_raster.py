"""The rasteriser against closed forms: coverage, depth, order, seams, determinism."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
import torch

from hand4d_ros.synthetic import raster


def _drawn(
    corners_px: Sequence[Sequence[float]],
    nearness: Sequence[float],
    faces: list[list[int]],
    size: int = 64,
    **options: bool | str,
) -> raster.Fragments:
    face = torch.tensor(faces)
    return raster.rasterize(
        torch.tensor(corners_px, dtype=torch.float32),
        torch.tensor(nearness, dtype=torch.float32),
        face,
        torch.zeros(len(face), dtype=torch.int64),
        (1, size, size),
        **options,  # type: ignore[arg-type]
    )


def test_right_triangle_covers_the_pixels_below_its_diagonal() -> None:
    """A right triangle with legs of n pixel steps holds n (n + 1) / 2 pixel centres."""
    n = 40
    found = _drawn([[5, 5], [5 + n - 1, 5], [5, 5 + n - 1]], [1, 1, 1], [[0, 1, 2]])
    assert len(found.pixel) == n * (n + 1) // 2
    rows, columns = found.pixel // 64, found.pixel % 64
    assert bool(((rows - 5) + (columns - 5) <= n - 1).all())


def test_triangles_that_share_edges_leave_no_cracks() -> None:
    """A fan about an odd point covers a square without a hole."""
    ring: list[list[float]] = [
        [3, 3],
        [31.3, 3],
        [60, 3],
        [60, 29.7],
        [60, 60],
        [17.9, 60],
        [3, 60],
        [3, 22.1],
    ]
    faces = [[8, i, (i + 1) % 8] for i in range(8)]
    found = _drawn([*ring, [23.37, 41.93]], [1.0] * 9, faces)
    picture = found.face_picture()[0]
    assert bool((picture[3:61, 3:61] >= 0).all())
    assert int((picture >= 0).sum()) == 58 * 58


def test_depth_of_a_tilted_plane_is_exact() -> None:
    """1 / z is affine in the picture, so the depth of z = 1 + 0.5 x is known at every pixel."""
    focal, centre = 50.0, 31.5
    corners = torch.tensor([[-0.6, -0.4], [0.8, -0.5], [0.7, 0.6], [-0.5, 0.5]])
    depth = 1.0 + 0.5 * corners[:, 0]
    pixels = corners / depth[:, None] * focal + centre
    found = _drawn(pixels.tolist(), (1.0 / depth).tolist(), [[0, 1, 2], [0, 2, 3]])
    ray = (found.pixel % 64 - centre) / focal
    torch.testing.assert_close(1.0 / found.nearness, 1.0 / (1.0 - 0.5 * ray), rtol=1e-5, atol=0)


def test_barycentric_coordinates_are_those_in_space() -> None:
    """Interpolating the corners' positions gives the point that the pixel's ray hits."""
    focal, centre = 50.0, 31.5
    points = torch.tensor([[-0.4, -0.3, 0.8], [0.9, -0.2, 2.0], [0.0, 0.5, 1.1]])
    pixels = points[:, :2] / points[:, 2:] * focal + centre
    faces = torch.tensor([[0, 1, 2]])
    found = _drawn(pixels.tolist(), (1 / points[:, 2]).tolist(), faces.tolist())
    where = found.interpolate(torch.arange(len(found.pixel)), points, faces)
    seen = where[:, :2] / where[:, 2:] * focal + centre
    expected = torch.stack((found.pixel % 64, found.pixel // 64), -1).float()
    torch.testing.assert_close(seen, expected, atol=1e-3, rtol=0)


@pytest.mark.parametrize("order", [[0, 1], [1, 0]])
def test_the_nearer_triangle_wins_in_any_order(order: list[int]) -> None:
    """Occlusion does not depend on the order of triangles."""
    corners = [[0, 0], [63, 0], [0, 63], [0, 0], [63, 0], [0, 63]]
    faces = [[[0, 1, 2], [3, 4, 5]][i] for i in order]
    found = _drawn(corners, [0.5, 0.5, 0.5, 2.0, 2.0, 2.0], faces)
    assert set(found.face.tolist()) == {order.index(1)}


def test_a_parallel_projection_keeps_weights_affine() -> None:
    """Without perspective the middle of an edge has equal weights whatever the heights."""
    found = _drawn([[0, 0], [10, 0], [0, 10]], [1.0, 9.0, 1.0], [[0, 1, 2]], perspective=False)
    at = torch.nonzero(found.pixel == 5).squeeze(-1)
    expected = torch.tensor([[0.5, 0.5, 0.0]])
    torch.testing.assert_close(found.weights(at), expected, atol=1e-5, rtol=0)


def test_culling_leaves_out_one_turn_and_only_that() -> None:
    """Of a triangle and its reverse, the one that looks clockwise is dropped."""
    corners = [[1, 1], [20, 1], [1, 20]]
    clockwise = _drawn(corners, [1, 1, 1], [[0, 1, 2]], cull="clockwise")
    counter = _drawn(corners, [1, 1, 1], [[0, 2, 1]], cull="clockwise")
    assert len(clockwise.pixel) == 0
    assert len(counter.pixel) == 20 * 21 // 2


def test_what_is_behind_or_outside_or_flat_draws_nothing() -> None:
    """Triangles behind the camera, off the picture or without area are left out."""
    corners = [[1, 1], [20, 1], [1, 20], [-30, -30], [-5, -30], [-30, -5], [30, 30]]
    faces = [[0, 1, 2], [3, 4, 5], [1, 6, 6]]
    found = _drawn(corners, [1, -1, 1, 1, 1, 1, 1], faces)
    assert len(found.pixel) == 0
    assert bool(torch.isinf(found.depth()).all())


def test_chunks_do_not_change_the_picture(monkeypatch: pytest.MonkeyPatch) -> None:
    """Bounding the memory gives the same fragments."""
    generator = torch.Generator().manual_seed(0)
    corners = (torch.rand(90, 2, generator=generator) * 70 - 3).tolist()
    near = (torch.rand(90, generator=generator) + 0.5).tolist()
    faces = torch.arange(90).reshape(30, 3).tolist()
    whole = _drawn(corners, near, faces)
    monkeypatch.setattr(raster, "_CHUNK_FRAGMENTS", 500)
    parts = _drawn(corners, near, faces)
    assert torch.equal(whole.pixel, parts.pixel)
    assert torch.equal(whole.face, parts.face)
    assert torch.equal(whole.nearness, parts.nearness)


def test_pictures_of_a_batch_do_not_mix() -> None:
    """Two pictures drawn at once are those drawn one by one."""
    corners = torch.tensor([[2.0, 3.0], [50.0, 9.0], [20.0, 60.0], [9.0, 9.0], [40.0, 2.0]])
    near = torch.tensor([1.0, 0.7, 1.3, 0.9, 1.1])
    faces = torch.tensor([[0, 1, 2], [2, 3, 4]])
    both = raster.rasterize(corners, near, faces, torch.tensor([0, 1]), (2, 64, 64))
    for image in range(2):
        alone = raster.rasterize(
            corners, near, faces[image : image + 1], torch.tensor([0]), (1, 64, 64)
        )
        assert torch.equal(both.depth()[image], alone.depth()[0])
