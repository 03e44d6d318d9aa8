"""The implicit skin of the built-in hand: its building blocks in closed form, and the whole."""

from __future__ import annotations

import numpy as np
import pytest

from hand4d_ros.hand.builtin_rays import (
    joint_positions_mm,
    radial_distance,
    ray_coordinates,
    smooth_profile,
)
from hand4d_ros.hand.builtin_relief import (
    crease_distance,
    detailed_distance,
    edge_length,
    nail_coordinate,
)
from hand4d_ros.hand.builtin_skeleton import rest_skeleton
from hand4d_ros.hand.builtin_surface import hand_distance, smooth_union


def test_profile_interpolates_without_overshoot() -> None:
    """The profile passes through its knots, stays between neighbours and has no kinks."""
    knots, values = np.array([-1.0, 0.0, 0.5, 2.0]), np.array([1.0, 3.0, 2.0, 2.5])
    np.testing.assert_allclose(smooth_profile(knots, knots, values), values, atol=1e-12)
    x = np.linspace(-2.0, 3.0, 2001)
    y = smooth_profile(x, knots, values)
    assert (y >= np.minimum(*_between(x, knots, values)) - 1e-12).all()
    assert (y <= np.maximum(*_between(x, knots, values)) + 1e-12).all()
    slope = np.diff(y) / np.diff(x)
    assert np.abs(np.diff(slope)).max() < 0.1


def _between(x: np.ndarray, knots: np.ndarray, values: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    i = np.clip(np.searchsorted(knots, x, side="right") - 1, 0, len(knots) - 2)
    inside = np.clip(x, knots[0], knots[-1])
    i = np.where(inside == knots[-1], len(knots) - 2, i)
    return values[i], values[i + 1]


def test_radial_distance_of_a_sphere_is_exact() -> None:
    """Equal half axes and power 2 give a sphere; higher powers only add volume."""
    offset = np.random.default_rng(0).normal(size=(3, 40))
    radii = np.full((3, 1), 0.7)
    distance = radial_distance(offset, radii)
    np.testing.assert_allclose(distance, np.linalg.norm(offset, axis=0) - 0.7, atol=1e-9)
    assert (radial_distance(offset, radii, 3.0) <= distance + 1e-12).all()


def test_smooth_union_is_a_union_with_a_fillet() -> None:
    """It never exceeds the minimum, equals it away from the seam and fills a quarter radius."""
    a = np.linspace(-3.0, 3.0, 61)
    b = np.zeros(61)
    union = smooth_union(a, b, 2.0)
    assert (union <= np.minimum(a, b)).all()
    far = np.abs(a - b) >= 2.0
    np.testing.assert_array_equal(union[far], np.minimum(a, b)[far])
    assert union[30] == pytest.approx(-0.5)


@pytest.mark.parametrize("finger", range(5))
def test_ray_coordinates_of_joints(finger: int) -> None:
    """Joints have whole coordinates on their own finger; offsets are what they are."""
    skeleton = rest_skeleton()
    points = skeleton.rays_m[finger] * 1e3
    ray = ray_coordinates(finger, points)
    # At a joint both segments share, which is exact as they meet there.
    np.testing.assert_allclose(ray.joint_coordinate, np.arange(-1.0, 4.0), atol=1e-6)
    np.testing.assert_allclose(ray.along_mm, joint_positions_mm(finger), atol=1e-6)
    assert (ray.distance_mm[:4] < -5.0).all()
    assert ray.distance_mm[4] == pytest.approx(0.0, abs=1e-6)
    outer = 0.5 * (points[3] + points[4]) + 3.0 * skeleton.dorsal[finger, 3]
    ray = ray_coordinates(finger, outer[None])
    np.testing.assert_allclose(ray.dorsal_mm, 3.0, atol=0.1)
    np.testing.assert_allclose(ray.lateral_mm, 0.0, atol=0.1)
    np.testing.assert_allclose(ray.joint_coordinate, 2.5, atol=0.02)


def test_bones_are_inside_and_the_world_outside() -> None:
    """Every bone runs under the skin; points a hand's length away are outside."""
    rays = rest_skeleton().rays_m * 1e3
    share = np.linspace(0.0, 1.0, 9)[:-1, None, None, None]
    along = rays[None, :, :-1] + share * np.diff(rays, axis=1)[None]
    assert (hand_distance(along.reshape(-1, 3)) < -2.0).all()
    around = np.random.default_rng(1).normal(size=(50, 3))
    around *= 300.0 / np.linalg.norm(around, axis=-1, keepdims=True)
    assert (hand_distance(around) > 50.0).all()


def test_fingers_are_apart() -> None:
    """Half-way between neighbouring middle joints there is air; between knuckles there is hand."""
    rays = rest_skeleton().rays_m[1:] * 1e3
    assert (hand_distance(0.5 * (rays[1:, 2] + rays[:-1, 2])) > 1.0).all()
    assert (hand_distance(0.5 * (rays[1:, 1] + rays[:-1, 1])) < -1.5).all()


def test_relief_is_small() -> None:
    """Relief moves the skin by at most three millimetres, knuckles outwards, creases inwards."""
    rng = np.random.default_rng(2)
    points = rng.uniform([-190.0, -40.0, -90.0], [40.0, 30.0, 100.0], size=(4000, 3))
    relief = hand_distance(points) - detailed_distance(points)
    assert np.abs(relief).max() < 4.0
    skeleton = rest_skeleton()
    knuckles = skeleton.rays_m[1:, 1] * 1e3 + 12.0 * skeleton.dorsal[1:, 1]
    assert (hand_distance(knuckles) - detailed_distance(knuckles) > 0.5).all()


@pytest.mark.parametrize("finger", range(5))
def test_nails_and_creases_are_on_opposite_sides(finger: int) -> None:
    """The nail covers the back of the last segment, a crease crosses the front of its joint."""
    skeleton = rest_skeleton()
    last, tip = skeleton.rays_m[finger, 3:] * 1e3
    dorsal = skeleton.dorsal[finger, 3]
    middle = 0.3 * last + 0.7 * tip
    for height, is_nail in ((6.0, True), (-7.0, False)):
        point = (middle + height * dorsal)[None]
        point -= hand_distance(point)[:, None] * dorsal * np.sign(height)
        border = nail_coordinate(finger, ray_coordinates(finger, point))
        assert (border[0] < 1.0) == is_nail
    front = (last - 8.0 * dorsal)[None]
    assert crease_distance(front)[0] < 1.5
    back = (last + 7.0 * dorsal)[None]
    assert edge_length(middle[None] + 5.0 * dorsal)[0] < edge_length(back)[0]
