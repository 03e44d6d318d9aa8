"""Rigid transforms obey the group's axioms, and what is none is refused."""

from __future__ import annotations

import numpy as np
import pytest

from hand4d_ros.errors import GeometryError
from hand4d_ros.geometry import se3, so3
from hand4d_ros.shapes import Array


def transforms(*shape: int) -> Array:
    """Seeded rigid transforms."""
    rng = np.random.default_rng(11)
    return se3.from_rotation_translation(
        so3.exp(rng.normal(size=(*shape, 3))), rng.normal(size=(*shape, 3))
    )


@pytest.mark.parametrize("shape", [(), (4,), (2, 3)])
def test_inverse_and_composition(shape: tuple[int, ...]) -> None:
    """T times its inverse is the identity; apply is an action of the group."""
    T = transforms(*shape)
    other = transforms(*shape) @ T
    p = np.random.default_rng(5).normal(size=(*shape, 21, 3))
    np.testing.assert_allclose(T @ se3.inverse(T), np.broadcast_to(np.eye(4), T.shape), atol=1e-14)
    np.testing.assert_allclose(
        se3.apply(T @ other, p), se3.apply(T, se3.apply(other, p)), atol=1e-13
    )
    np.testing.assert_allclose(se3.apply(se3.inverse(T), se3.apply(T, p)), p, atol=1e-13)


def test_apply_turns_then_shifts() -> None:
    """A quarter turn about z, then a metre along x."""
    T = se3.from_quaternion_translation(np.array([1.0, 0.0, 0.0, 1.0]), np.array([1.0, 0.0, 0.0]))
    np.testing.assert_allclose(
        se3.apply(T, np.array([[1.0, 0.0, 0.0]])), [[1.0, 1.0, 0.0]], atol=1e-15
    )


def test_interpolate_meets_the_ends_and_goes_straight() -> None:
    """The origin moves on the straight line, also beyond the ends, and every pose is rigid."""
    T0, T1 = transforms(6), transforms(12)[6:]
    np.testing.assert_allclose(se3.interpolate(T0, T1, 0.0), T0, atol=1e-14)
    np.testing.assert_allclose(se3.interpolate(T0, T1, 1.0), T1, atol=1e-12)
    beyond = se3.interpolate(T0, T1, np.full(6, 1.5))
    np.testing.assert_allclose(beyond[:, :3, 3], 1.5 * T1[:, :3, 3] - 0.5 * T0[:, :3, 3])
    for T in beyond:
        se3.check_rigid(T, "T", tolerance=1e-12)


def test_check_rigid_returns_float64() -> None:
    """Single precision passes and comes back as double."""
    T = se3.check_rigid(transforms().astype(np.float32), "T")
    assert T.dtype == np.float64


def with_entry(row: int, column: int, value: float) -> Array:
    """Identity with one entry changed."""
    T = np.eye(4)
    T[row, column] = value
    return T


@pytest.mark.parametrize(
    ("T", "says"),
    [
        (np.eye(3), r"T_a_b has shape \(3, 3\)"),
        (np.zeros((2, 4, 4)), "a rigid transform is 4x4"),
        (with_entry(0, 3, np.nan), "T_a_b has entries that are not finite"),
        (with_entry(0, 0, 1.01), "not orthonormal"),
        (with_entry(2, 2, -1.0), "not orthonormal and right-handed"),
        (np.zeros((4, 4)), "nearest_rotation repairs"),
        (with_entry(3, 0, 1.0), r"last row of T_a_b"),
    ],
)
def test_check_rigid_says_what_is_wrong(T: Array, says: str) -> None:
    """Every defect has its message with the name that was given."""
    with pytest.raises(GeometryError, match=says):
        se3.check_rigid(T, "T_a_b")


def test_from_quaternion_translation_refuses_zero() -> None:
    """The zero quaternion is an error here too."""
    with pytest.raises(GeometryError, match="is no rotation"):
        se3.from_quaternion_translation(np.zeros(4), np.zeros(3))
