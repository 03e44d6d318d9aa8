"""Residuals of hands and cameras: closed forms, signs, and Jacobians against differences."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from hand4d_ros.geometry import so3
from hand4d_ros.geometry.camera import camera_from_fov, project
from hand4d_ros.hand.biomechanics import REST_RAD
from hand4d_ros.hand.builtin import builtin_hand
from hand4d_ros.shapes import Array
from hand4d_ros.tracking.costs import (
    biomechanics,
    camera_terms,
    priors,
    projection,
    robust,
    smoothness,
)
from hand4d_ros.tracking.costs.penetration import inscribed_spheres, penetration
from hand4d_ros.types import Side

STEP = 1e-6


def rng() -> np.random.Generator:
    """Return the source of every draw here."""
    return np.random.default_rng(3)


def hand_m(frames: int = 2) -> Array:
    """Keypoints of a right hand half a metre before the camera, bent a little at random."""
    hand = builtin_hand().with_shape()
    T = np.tile(np.eye(4), (frames, 1, 1))
    T[:, :3, :3] = so3.exp(rng().normal(0.0, 0.5, (frames, 3)))
    T[:, :3, 3] = [0.02, 0.03, 0.5]
    return hand.keypoints(T, rng().normal(0.0, 0.2, (frames, 15, 3)))


def numeric(function: Callable[[Array], Array], at: Array) -> Array:
    """Differentiate by central differences; the last axis is that of the argument, flattened."""
    columns = []
    for index in range(at.size):
        flat = np.zeros(at.size)
        flat[index] = STEP
        step = flat.reshape(at.shape)
        columns.append((function(at + step) - function(at - step)) / (2.0 * STEP))
    return np.stack(columns, axis=-1)


def test_geman_mcclure_is_bounded_and_its_weight_is_the_derivative() -> None:
    """An outlier costs at most the scale squared and then pulls no more."""
    squared = np.array([0.0, 0.5, 4.0, 1e8])
    cost, weight = robust.geman_mcclure(squared, 2.0)
    ahead, _ = robust.geman_mcclure(squared + 1e-4, 2.0)
    behind, _ = robust.geman_mcclure(squared - 1e-4, 2.0)
    np.testing.assert_allclose(weight[:3], ((ahead - behind) / 2e-4)[:3], rtol=1e-5)
    assert cost[0] == 0.0
    assert weight[0] == 1.0
    assert cost[3] == pytest.approx(4.0, rel=1e-6)
    assert weight[3] < 1e-12


def _reprojection_case() -> tuple[Callable[[Array, Array, float], projection.Reprojection], Array]:
    camera = camera_from_fov(640, 480, 1.2)
    points = hand_m()
    odometry = np.tile(np.eye(4), (2, 1, 1))
    odometry[1, :3, 3] = [0.05, -0.02, 0.01]
    target = project(camera, points) + 2.0

    def residual(p: Array, correction: Array, log_scale: float) -> projection.Reprojection:
        at = projection.corrected_cameras(odometry, correction, log_scale)
        return projection.reprojection(camera, at, p, target, np.full((2, 21), 0.5))

    return residual, points


def test_reprojection_jacobian_matches_differences() -> None:
    """With respect to points, camera and world scale."""
    residual, points = _reprojection_case()
    zero = np.zeros((2, 6))
    found = residual(points, zero, 0.1)
    by_point = numeric(lambda p: residual(p, zero, 0.1).residual, points)
    by_point = np.einsum("tkitkj->tkij", by_point.reshape(2, 21, 2, 2, 21, 3))
    np.testing.assert_allclose(found.point, by_point, atol=1e-4)
    by_camera = numeric(lambda c: residual(points, c, 0.1).residual, zero).reshape(2, 21, 2, 2, 6)
    np.testing.assert_allclose(found.camera, np.einsum("tkitj->tkij", by_camera), atol=1e-4)
    by_scale = numeric(lambda s: residual(points, zero, float(s[0])).residual, np.array([0.1]))
    np.testing.assert_allclose(found.log_scale, by_scale[..., 0], atol=1e-4)


def test_reprojection_ignores_what_has_no_image_or_weight() -> None:
    """A point behind the camera and an unseen keypoint add nothing, and no NaN."""
    camera = camera_from_fov(640, 480, 1.2)
    at = projection.corrected_cameras(np.eye(4)[None], np.zeros((1, 6)), 0.0)
    points = hand_m(1)
    points[0, 3, 2] = -0.2
    weight = np.ones((1, 21))
    weight[0, 5] = 0.0
    found = projection.reprojection(camera, at, points, np.zeros((1, 21, 2)), weight)
    assert all(np.isfinite(each).all() for each in found)
    assert not found.residual[0, [3, 5]].any()
    assert found.residual[0, 4].any()


def test_a_hand_scaled_about_the_camera_has_the_same_picture() -> None:
    """The size is what no picture shows."""
    residual, points = _reprojection_case()
    zero = np.zeros((2, 6))
    eye = np.array([[0.0, 0.0, 0.0], [0.05, -0.02, 0.01]])[:, None]
    larger = eye + 1.3 * (points - eye)
    one, other = residual(points, zero, 0.0), residual(larger, zero, 0.0)
    np.testing.assert_allclose(one.residual, other.residual, atol=1e-9)


def test_stencils_differentiate_polynomials_at_uneven_times() -> None:
    """A derivative of order n of t^n is n factorial, of lower powers zero."""
    stamps_ns = np.array([0, 33, 60, 100, 137, 160]) * 1_000_000
    t = stamps_ns * 1e-9
    for order, factorial in ((1, 1.0), (2, 2.0), (3, 6.0)):
        coefficients = smoothness.stencil(stamps_ns, order)
        identity = np.ones((6, 1, 1))
        for power in range(order + 1):
            values = (t**power)[:, None]
            found, slope = smoothness.differences(values, identity, coefficients)
            expected = factorial if power == order else 0.0
            np.testing.assert_allclose(found, expected, atol=1e-7 * 10**order)
        np.testing.assert_allclose(slope[:, 0, :, 0], coefficients)


def test_motion_over_size_does_not_prefer_small_hands() -> None:
    """The same picture of a smaller hand, nearer and slower, has the same residual."""
    motion = rng().normal(size=(4, 63))
    for size in (0.8, 1.0, 1.25):
        residual, slope = smoothness.over_size(size * motion, size * motion, size)
        np.testing.assert_allclose(residual, motion, atol=1e-12)
        np.testing.assert_allclose(slope, 0.0, atol=1e-12)


def test_camera_terms_match_differences() -> None:
    """Steps of rotation and centre, and deviations from the odometry."""
    R = so3.exp(rng().normal(0.0, 0.4, (3, 3)))
    centre, std = rng().normal(size=(3, 3)), np.full((2, 6), 0.3)

    def moved(step: Array) -> Array:
        turned = so3.exp(step[:, :3]) @ R
        return camera_terms.smooth_camera(turned, centre + step[:, 3:], std)[0]

    zero = np.zeros((3, 6))
    _, slope = camera_terms.smooth_camera(R, centre, std)
    expected = numeric(moved, zero).reshape(2, 6, 3, 6)
    for row in range(2):
        np.testing.assert_allclose(slope[row], expected[row, :, row : row + 2], atol=1e-6)
    residual, slope = camera_terms.odometry_deviation(np.full((3, 6), 0.2), np.full(6, 0.1))
    np.testing.assert_allclose(residual, 2.0)
    np.testing.assert_allclose(slope, 10.0 * np.eye(6))


def test_inverse_left_jacobian_is_the_derivative_of_the_logarithm() -> None:
    """Of turns from the left, near the zero rotation and far from it."""
    for v in (np.array([1e-6, 0.0, 2e-6]), np.array([0.7, -1.1, 0.4])):
        R = so3.exp(v)
        slope = numeric(lambda d, R=R: so3.log(so3.exp(d) @ R), np.zeros(3))  # type: ignore[misc]
        np.testing.assert_allclose(camera_terms.inverse_left_jacobian(v), slope, atol=1e-6)


def test_pose_prior_rests_at_the_relaxed_hand() -> None:
    """But for the coupling of finger joints, and its Jacobian is constant."""
    residual, slope = priors.pose_prior(REST_RAD[None])
    np.testing.assert_allclose(residual[0, :22], 0.0)
    angles = REST_RAD[None] + 0.1
    expected = numeric(lambda a: priors.pose_prior(a)[0][0], angles)
    np.testing.assert_allclose(slope, expected, atol=1e-6)


def test_pose_tie_matches_differences() -> None:
    """Turn, wrist and angles of the first frames."""
    R = so3.exp(rng().normal(0.0, 0.5, (3, 3)))
    before = so3.exp(rng().normal(0.0, 0.1, (2, 3))) @ R[:2]
    wrist, angles = rng().normal(size=(3, 3)), rng().normal(size=(3, 22))

    def moved(step: Array) -> Array:
        turned = so3.exp(step[:, :3]) @ R
        shifted = (wrist + step[:, 3:6], angles + step[:, 6:])
        return priors.pose_tie(turned, *shifted, before, wrist[:2], angles[:2])[0]

    _, slope = priors.pose_tie(R, wrist, angles, before, wrist[:2] + 0.1, angles[:2])
    expected = numeric(moved, np.zeros((3, 28))).reshape(2, 28, 3, 28)
    for row in range(2):
        np.testing.assert_allclose(slope[row, :, 0], expected[row, :, row], atol=1e-4)


def test_palm_measures_match_differences() -> None:
    """Bone lengths, palm angles and palm curvatures."""
    points = hand_m(1)
    for measure in (
        biomechanics.bone_lengths,
        biomechanics.palm_angles,
        biomechanics.palm_curvatures,
    ):
        _, slope = measure(points)
        expected = numeric(lambda p, f=measure: f(p)[0], points)  # type: ignore[misc]
        np.testing.assert_allclose(slope.reshape(expected.shape), expected, atol=1e-4)


def test_a_left_hand_needs_mirroring_before_its_palm_is_judged() -> None:
    """Mirrored, its curvature is the right hand's; as it is, the sign is the other one."""
    points = hand_m(1)
    mirrored = points * [-1.0, 1.0, 1.0]
    right, _ = biomechanics.palm_curvatures(points)
    left, _ = biomechanics.palm_curvatures(mirrored)
    assert np.abs(right).max() > 0.1
    np.testing.assert_allclose(left, -right, atol=1e-9)
    again, _ = biomechanics.palm_curvatures(mirrored * [-1.0, 1.0, 1.0])
    np.testing.assert_allclose(again, right, atol=1e-9)


def test_region_excess_is_the_distance_to_the_region() -> None:
    """Inside nothing, beside an edge the distance, with its normal as the derivative."""
    normals = np.array([[1.0, 0.0], [-1.0, 0.0], [0.0, 1.0], [0.0, -1.0]])
    region = biomechanics.Region(0, 1, normals, np.array([1.0, 0.2, 0.5, 0.5]))
    angles = np.zeros((3, 22))
    angles[1, 0], angles[2, 1] = 1.3, -0.7
    residual, slope = biomechanics.region_excess(angles, (region,))
    np.testing.assert_allclose(residual[:, 0], [0.0, 0.3, 0.2])
    assert slope[1, 0, 0] == 1.0
    assert slope[2, 0, 1] == -1.0
    assert not slope[0].any()


def test_hands_apart_do_not_penetrate_and_their_overlap_is_pushed_apart() -> None:
    """Depth is zero at a distance, positive when pressed, and its derivative is exact."""
    spheres = inscribed_spheres(builtin_hand(Side.RIGHT))
    np.testing.assert_allclose(spheres.weights.sum(axis=1), 1.0)
    assert 0.002 < spheres.radius_m.min() < spheres.radius_m.max() < 0.03
    right = hand_m(1)
    left = right * [-1.0, 1.0, 1.0]
    far = penetration(left - [0.5, 0.0, 0.0], right, spheres)
    assert len(far.frame) == 0
    near = penetration(left, right, spheres)
    assert len(near.frame) > 0
    assert near.depth_m.min() > 0.0
    step = 1e-7 * rng().normal(size=right.shape)
    moved = penetration(left, right + step, spheres)
    change = np.einsum("ckj,kj->c", near.by_right, step[0])
    np.testing.assert_allclose(moved.depth_m - near.depth_m, change, atol=1e-11)
