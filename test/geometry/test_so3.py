"""Rotations obey the group's axioms, their closed forms and their documented errors."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from hand4d_ros.errors import GeometryError
from hand4d_ros.geometry import so3
from hand4d_ros.shapes import Array


def rotvecs(shape: tuple[int, ...], largest_rad: float = 3.1) -> Array:
    """Seeded rotation vectors with angles spread over 0..largest."""
    rng = np.random.default_rng(7)
    axis = rng.normal(size=(*shape, 3))
    axis /= np.linalg.norm(axis, axis=-1, keepdims=True)
    return axis * rng.uniform(0.0, largest_rad, size=(*shape, 1))


@pytest.mark.parametrize("shape", [(), (5,), (2, 3, 4)])
def test_exp_is_a_rotation_and_equals_scipy(shape: tuple[int, ...]) -> None:
    """Every batch shape gives orthonormal right-handed matrices, the same as scipy's."""
    v = rotvecs(shape)
    R = so3.exp(v)
    assert R.shape == (*shape, 3, 3)
    np.testing.assert_allclose(
        R @ np.swapaxes(R, -1, -2), np.broadcast_to(np.eye(3), R.shape), atol=1e-14
    )
    np.testing.assert_allclose(np.linalg.det(R), 1.0, atol=1e-13)
    reference = Rotation.from_rotvec(v.reshape(-1, 3)).as_matrix().reshape(R.shape)
    np.testing.assert_allclose(R, reference, atol=1e-13)


def test_exp_quarter_turn_about_z_takes_x_to_y() -> None:
    """The sign convention: a positive turn about z takes x to y."""
    R = so3.exp(np.array([0.0, 0.0, np.pi / 2]))
    np.testing.assert_allclose(R @ [1.0, 0.0, 0.0], [0.0, 1.0, 0.0], atol=1e-15)


def test_hat_is_the_cross_product() -> None:
    """``hat(v) @ u`` equals ``cross(v, u)``."""
    v, u = rotvecs((6,)), rotvecs((6,))[::-1]
    np.testing.assert_allclose((so3.hat(v) @ u[..., None])[..., 0], np.cross(v, u), atol=1e-14)


@pytest.mark.parametrize("shape", [(), (200,), (2, 3)])
def test_log_inverts_exp(shape: tuple[int, ...]) -> None:
    """Below half a turn the rotation vector comes back."""
    v = rotvecs(shape, largest_rad=np.pi - 1e-9)
    np.testing.assert_allclose(so3.log(so3.exp(v)), v, atol=1e-12)


@pytest.mark.parametrize("angle_rad", [0.0, 1e-300, 1e-160, 1e-12, 1e-9, 1e-5])
def test_log_keeps_small_angles(angle_rad: float) -> None:
    """Near the zero rotation nothing is lost: the relative error stays at rounding."""
    v = angle_rad * np.array([0.6, 0.0, -0.8])
    np.testing.assert_allclose(so3.log(so3.exp(v)), v, rtol=1e-10, atol=1e-300)


@pytest.mark.parametrize("short_of_pi", [0.0, 1e-15, 1e-10, 1e-6])
def test_log_near_half_a_turn(short_of_pi: float) -> None:
    """At half a turn the axis is exact up to its sign, which is free there."""
    for axis in ([1.0, 0.0, 0.0], [0.0, -1.0, 0.0], [0.6, 0.0, 0.8], [-0.48, 0.6, 0.64]):
        R = so3.exp(np.array(axis) * (np.pi - short_of_pi))
        v = so3.log(R)
        assert np.linalg.norm(v) == pytest.approx(np.pi - short_of_pi, abs=1e-12)
        np.testing.assert_allclose(so3.exp(v), R, atol=1e-12)


def test_quaternions_round_trip_with_positive_w() -> None:
    """Matrix to quaternion (w first, not negative) and back, also for unnormalised ones."""
    R = so3.exp(rotvecs((100,), largest_rad=np.pi))
    wxyz = so3.quaternion_from_matrix(R)
    assert (wxyz[:, 0] >= 0.0).all()
    np.testing.assert_allclose(np.linalg.norm(wxyz, axis=-1), 1.0, atol=1e-14)
    np.testing.assert_allclose(so3.matrix_from_quaternion(-3.0 * wxyz), R, atol=1e-13)
    xyzw = Rotation.from_matrix(R).as_quat(canonical=True)
    np.testing.assert_allclose(wxyz, np.roll(xyzw, 1, axis=-1), atol=1e-13)


@pytest.mark.parametrize("bad", [[0.0, 0.0, 0.0, 0.0], [np.nan, 0.0, 0.0, 1.0], [np.inf, 0, 0, 0]])
def test_matrix_from_quaternion_refuses_what_is_no_rotation(bad: list[float]) -> None:
    """A zero quaternion, as an unset message has, and a non-finite one are errors."""
    with pytest.raises(GeometryError, match="is no rotation"):
        so3.matrix_from_quaternion(np.array(bad, dtype=np.float64))


def test_interpolate_goes_the_shortest_way_at_constant_speed() -> None:
    """The ends are met, the angle grows in proportion, also beyond the ends and batched."""
    R0, R1 = so3.exp(rotvecs((20,))), so3.exp(rotvecs((20,))[::-1].copy())
    whole = so3.angle_between(R0, R1)
    np.testing.assert_allclose(so3.interpolate(R0, R1, 0.0), R0, atol=1e-14)
    np.testing.assert_allclose(so3.interpolate(R0, R1, 1.0), R1, atol=1e-12)
    np.testing.assert_allclose(
        so3.angle_between(R0, so3.interpolate(R0, R1, 0.25)), 0.25 * whole, atol=1e-12
    )
    alphas = np.linspace(0.0, 1.0, 20)
    np.testing.assert_allclose(
        so3.angle_between(R0, so3.interpolate(R0, R1, alphas)), alphas * whole, atol=1e-12
    )


def test_nearest_rotation_repairs_and_never_reflects() -> None:
    """Noise is removed, a rotation is left alone, a reflection becomes a rotation."""
    rng = np.random.default_rng(3)
    R = so3.exp(rotvecs((2, 10)))
    np.testing.assert_allclose(so3.nearest_rotation(R), R, atol=1e-13)
    repaired = so3.nearest_rotation(1.7 * R + 1e-4 * rng.normal(size=R.shape))
    assert so3.angle_between(R, repaired).max() < 1e-3
    np.testing.assert_allclose(np.linalg.det(so3.nearest_rotation(-R)), 1.0, atol=1e-13)


def test_nearest_rotation_refuses_nan() -> None:
    """NaN has no nearest rotation."""
    with pytest.raises(GeometryError, match="not finite"):
        so3.nearest_rotation(np.full((3, 3), np.nan))


def test_angle_between_is_the_angle() -> None:
    """The angle of ``R exp(v)`` against R is the length of v, from tiny to half a turn."""
    R = so3.exp(rotvecs(()))
    for angle_rad in (0.0, 1e-9, 1.0, np.pi - 1e-9, np.pi):
        turned = R @ so3.exp(np.array([0.0, -angle_rad, 0.0]))
        assert float(so3.angle_between(R, turned)) == pytest.approx(angle_rad, abs=1e-14)
