"""Closed-form alignments: they undo what was done, and refuse what has no answer."""

from __future__ import annotations

import inspect

import numpy as np
import pytest

from hand4d_ros.errors import MetricError
from hand4d_ros.evaluation import alignment
from hand4d_ros.geometry import so3
from hand4d_ros.shapes import Array, Float

RNG = np.random.default_rng(3)
POINTS = RNG.normal(size=(4, 6, 3))
ROTATION = so3.exp(RNG.normal(size=(4, 3)))
SHIFT = RNG.normal(size=(4, 3))


def _moved(scale: Float[Array, "4"]) -> Float[Array, "4 6 3"]:
    """The points after a known similarity."""
    turned = POINTS @ np.swapaxes(ROTATION, -1, -2)
    return np.asarray(scale[:, None, None] * turned + SHIFT[:, None, :])


def test_similarity_recovers_a_known_map() -> None:
    """Scale, rotation and translation of each batch element come back."""
    scale = np.array([0.3, 1.0, 2.5, 40.0])
    found = alignment.similarity(POINTS, _moved(scale))
    np.testing.assert_allclose(found.scale, scale, rtol=1e-12)
    np.testing.assert_allclose(found.rotation, ROTATION, atol=1e-12)
    np.testing.assert_allclose(found.translation, SHIFT, atol=1e-12)
    np.testing.assert_allclose(found.apply(POINTS), _moved(scale), atol=1e-12)


def test_rigid_keeps_the_scale() -> None:
    """A rigid alignment of scaled points finds their rotation and leaves them their size."""
    found = alignment.rigid(POINTS, _moved(np.full(4, 3.0)))
    np.testing.assert_allclose(found.rotation, ROTATION, atol=1e-12)
    np.testing.assert_array_equal(found.scale, np.ones(4))


def test_similarity_is_no_worse_than_any_neighbour() -> None:
    """With noise, small changes of the answer only raise the squared error."""
    target = _moved(np.ones(4)) + 0.1 * RNG.normal(size=POINTS.shape)
    found = alignment.similarity(POINTS, target)
    least = np.sum((found.apply(POINTS) - target) ** 2, axis=(1, 2))
    for _ in range(30):
        near = alignment.Alignment(
            found.scale * (1.0 + 0.01 * RNG.normal(size=4)),
            so3.exp(0.01 * RNG.normal(size=(4, 3))) @ found.rotation,
            found.translation + 0.01 * RNG.normal(size=(4, 3)),
        )
        assert np.all(np.sum((near.apply(POINTS) - target) ** 2, axis=(1, 2)) > least)


def test_a_mirror_image_gets_a_rotation_not_a_reflection() -> None:
    """Umeyama's sign keeps the determinant at +1, where orthogonal Procrustes gives -1."""
    mirrored = POINTS * np.array([-1.0, 1.0, 1.0])
    found = alignment.similarity(POINTS, mirrored)
    np.testing.assert_allclose(np.linalg.det(found.rotation), 1.0)
    assert np.all(np.abs(found.apply(POINTS) - mirrored).max(axis=(1, 2)) > 0.1)


def test_flat_points_are_enough() -> None:
    """Points of one plane fix the rotation: three corners of a triangle come back exactly."""
    triangle = np.array([[0.0, 0.0, 0.0], [1.0, 0.0, 0.0], [0.0, 2.0, 0.0]])
    target = 2.0 * triangle @ ROTATION[0].T + SHIFT[0]
    found = alignment.similarity(triangle, target)
    np.testing.assert_allclose(found.rotation, ROTATION[0], atol=1e-12)
    assert found.scale == pytest.approx(2.0)


def test_weight_zero_leaves_a_point_out_even_if_it_is_nan() -> None:
    """A missing point neither matters nor poisons the others."""
    target = _moved(np.full(4, 2.0))
    broken = POINTS.copy()
    broken[:, 2] = np.nan
    weights = np.ones((4, 6))
    weights[:, 2] = 0.0
    found = alignment.similarity(broken, target, weights)
    np.testing.assert_allclose(found.rotation, ROTATION, atol=1e-12)
    np.testing.assert_allclose(found.scale, 2.0)


def test_weights_act_as_repeated_points() -> None:
    """Weight 2 is the same as giving the point twice."""
    target = _moved(np.ones(4)) + 0.1 * RNG.normal(size=POINTS.shape)
    weights = np.ones((4, 6))
    weights[:, 0] = 2.0
    once = alignment.similarity(POINTS, target, weights)
    twice = alignment.similarity(
        np.concatenate([POINTS, POINTS[:, :1]], axis=1),
        np.concatenate([target, target[:, :1]], axis=1),
    )
    np.testing.assert_allclose(once.rotation, twice.rotation, atol=1e-12)
    np.testing.assert_allclose(once.scale, twice.scale)


def test_scale_and_translation_by_hand() -> None:
    """The two smaller alignments against numbers worked out on paper."""
    source = np.array([[1.0, 0.0, 0.0], [0.0, 1.0, 0.0]])
    target = np.array([[2.0, 0.0, 0.0], [0.0, 4.0, 0.0]])
    assert alignment.scale(source, target).scale == pytest.approx(3.0)
    np.testing.assert_allclose(alignment.translation(source, target).translation, [0.5, 1.5, 0.0])
    weights = np.array([1.0, 3.0])
    assert alignment.scale(source, target, weights).scale == pytest.approx(3.5)
    np.testing.assert_allclose(
        alignment.translation(source, target, weights).apply(source)[0], [1.25, 2.25, 0.0]
    )


def test_points_on_a_line_or_in_one_place_are_refused() -> None:
    """They leave the rotation open, unless only their residual is asked for."""
    line = np.linspace(0.0, 1.0, 5)[:, None] * np.array([1.0, 2.0, 3.0])
    for points in (line, np.zeros((5, 3))):
        with pytest.raises(MetricError, match="one line or in one place"):
            alignment.similarity(points, points)
    found = alignment.similarity(line, 2.0 * line, unique=False)
    np.testing.assert_allclose(found.apply(line), 2.0 * line, atol=1e-12)
    collapsed = alignment.similarity(np.zeros((5, 3)), line, unique=False)
    np.testing.assert_allclose(collapsed.apply(np.zeros((5, 3)))[0], line.mean(axis=0))


def test_documented_raises() -> None:
    """Too few points, bad weights, NaN, mixed shapes and an origin without size."""
    with pytest.raises(MetricError, match="2 weighted points given, at least 3"):
        alignment.similarity(POINTS[:, :2], POINTS[:, :2])
    with pytest.raises(MetricError, match="weights must be non-negative"):
        alignment.rigid(POINTS, POINTS, -np.ones((4, 6)))
    with pytest.raises(MetricError, match="NaN or infinity"):
        alignment.translation(POINTS, np.full_like(POINTS, np.nan))
    with pytest.raises(MetricError, match="are the origin"):
        alignment.scale(np.zeros((2, 3)), np.ones((2, 3)))
    with pytest.raises(MetricError, match="0 weighted points"):
        alignment.scale(np.ones((2, 3)), np.ones((2, 3)), np.zeros(2))
    unchecked = inspect.unwrap(alignment.translation)
    with pytest.raises(MetricError, match=r"must both be \(..., n, 3\)"):
        unchecked(POINTS, POINTS[:, :3])
