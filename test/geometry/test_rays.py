"""Rays: the line is the line whatever describes it, and angles are those of the papers."""

from __future__ import annotations

import numpy as np

from hand4d_ros.geometry import camera as cameras
from hand4d_ros.geometry import se3, so3
from hand4d_ros.geometry.camera import camera_from_fov
from hand4d_ros.geometry.rays import (
    angles_from_bearings,
    kpe_from_bearings,
    plucker_from_bearings,
    relative_poses,
)
from hand4d_ros.shapes import Array, Float

RNG = np.random.default_rng(0)
T_WORLD_CAMERA = se3.from_rotation_translation(
    so3.exp(RNG.normal(size=(5, 3))), RNG.normal(size=(5, 3))
)
POINTS_M = RNG.normal(size=(5, 7, 3)) + np.array([0.0, 0.0, 4.0])


def lines(points_m: Float[Array, "5 7 3"]) -> Float[Array, "5 7 6"]:
    """Lines from the cameras to points in their axes."""
    bearings = points_m / np.linalg.norm(points_m, axis=-1, keepdims=True)
    return plucker_from_bearings(bearings, T_WORLD_CAMERA)


def test_every_point_of_a_ray_has_its_moment() -> None:
    """The moment is the cross product of the very point that was seen with the direction."""
    found = lines(POINTS_M)
    seen = se3.apply(T_WORLD_CAMERA, POINTS_M)
    np.testing.assert_allclose(np.cross(seen, found[..., :3]), found[..., 3:], atol=1e-12)
    np.testing.assert_allclose(np.linalg.norm(found[..., :3], axis=-1), 1.0)
    np.testing.assert_allclose((found[..., :3] * found[..., 3:]).sum(-1), 0.0, atol=1e-12)


def test_depth_of_a_point_changes_nothing() -> None:
    """A point twice as far along the same ray has the same line."""
    np.testing.assert_allclose(lines(POINTS_M), lines(2.0 * POINTS_M), atol=1e-12)


def test_length_of_the_moment_is_the_distance_from_the_origin() -> None:
    """And a world twice as large has moments twice as long and the same directions."""
    found = lines(POINTS_M)
    eye = T_WORLD_CAMERA[:, None, :3, 3]
    nearest = eye - (eye * found[..., :3]).sum(-1, keepdims=True) * found[..., :3]
    np.testing.assert_allclose(
        np.linalg.norm(found[..., 3:], axis=-1), np.linalg.norm(nearest, axis=-1)
    )
    larger = T_WORLD_CAMERA.copy()
    larger[:, :3, 3] *= 2.0
    bearings = POINTS_M / np.linalg.norm(POINTS_M, axis=-1, keepdims=True)
    again = plucker_from_bearings(bearings, larger)
    np.testing.assert_allclose(again[..., :3], found[..., :3])
    np.testing.assert_allclose(again[..., 3:], 2.0 * found[..., 3:])


def test_rays_of_one_point_meet() -> None:
    """Two lines to one point of the world have a reciprocal product of zero."""
    world = np.array([0.3, -0.2, 5.0])
    seen = se3.apply(se3.inverse(T_WORLD_CAMERA), np.broadcast_to(world, (5, 1, 3)))
    a, b = plucker_from_bearings(
        seen / np.linalg.norm(seen, axis=-1, keepdims=True), T_WORLD_CAMERA
    )[:2, 0]
    assert abs(a[:3] @ b[3:] + b[:3] @ a[3:]) < 1e-12


def test_angles_are_those_of_an_ideal_camera() -> None:
    """The arc tangent of the distance from the principal point over the focal length."""
    camera = camera_from_fov(640, 480, 1.2)
    px = np.array([[10.0, 470.0], [319.5, 239.5], [600.0, 20.0]])
    expected = np.arctan((px - [camera.cx_px, camera.cy_px]) / camera.fx_px)
    np.testing.assert_allclose(
        angles_from_bearings(cameras.unproject(camera, px)), expected, atol=1e-12
    )


def test_encoding_of_known_angles() -> None:
    """On the axis all sines are 0 and all cosines 1; at 30 degrees they are as at school."""
    np.testing.assert_allclose(
        kpe_from_bearings(np.array([0.0, 0.0, 2.0])), np.repeat([0.0, 1.0], 8), atol=1e-15
    )
    right = np.array([np.tan(np.pi / 6), 0.0, 1.0])
    half = np.sqrt(3.0) / 2.0
    np.testing.assert_allclose(
        kpe_from_bearings(right, 3),
        [0.5, 0.0, half, 0.0, half, 0.0, half, 1.0, 0.5, 1.0, -0.5, 1.0],
        atol=1e-12,
    )


def test_relative_poses_start_at_the_identity() -> None:
    """And do not depend on where the world is."""
    moved = T_WORLD_CAMERA[3] @ T_WORLD_CAMERA
    found = relative_poses(T_WORLD_CAMERA)
    np.testing.assert_allclose(found[0], np.eye(4), atol=1e-12)
    np.testing.assert_allclose(relative_poses(moved), found, atol=1e-12)
