"""The fixed-lag solver: exact marginalisation, the batch's answer, exact gradients."""

from __future__ import annotations

import copy

import numpy as np
from dynhamr_samples import shot

from hand4d_ros.estimation.keypoint_fit.config import KeypointFitConfig
from hand4d_ros.estimation.keypoint_fit.process import KeypointFit
from hand4d_ros.hand.biomechanics import limit_excess
from hand4d_ros.hand.builtin import builtin_hand
from hand4d_ros.shapes import Array
from hand4d_ros.tracking.costs import priors
from hand4d_ros.tracking.costs.projection import corrected_cameras, reprojection
from hand4d_ros.tracking.costs.robust import geman_mcclure
from hand4d_ros.tracking.costs.smoothness import stencil
from hand4d_ros.tracking.fixed_lag.config import FixedLagConfig
from hand4d_ros.tracking.fixed_lag.solver import prior_from_oldest, step
from hand4d_ros.tracking.fixed_lag.states import SIGNS, Assumed, observed, unseen
from hand4d_ros.tracking.fixed_lag.terms import Own, coupled, motion, own_terms
from hand4d_ros.tracking.fixed_lag.window import HAND, Window, marginalised
from hand4d_ros.types import CameraModel, Side

COSTS = FixedLagConfig()
RATIO = 1.07
IDENTITY = np.eye(21)


def windows(frames: int, noise_px: float = 1.0) -> tuple[Assumed, CameraModel, list[Window]]:
    """Windows of both hands, the fourth frame unseen, at the hands of single frames."""
    sample = shot(frames, noise_px=noise_px)
    fit = KeypointFit(KeypointFitConfig(estimate_proportions=False), builtin_hand())
    assumed = Assumed(builtin_hand(), np.zeros(10))
    found = {side: Window(SIGNS[side]) for side in Side}
    for row, (frame, detections) in enumerate(zip(sample.frames, sample.detections, strict=True)):
        T = frame.T_world_camera
        assert T is not None
        for state, detection in zip(fit.estimate(frame, detections), detections, strict=True):
            window = found[state.side]
            seen = observed(COSTS, assumed.anatomy, frame, T, state, detection)
            window.append(unseen(frame.stamp_ns, T, window, RATIO) if row == 3 else seen)
    return assumed, sample.frames[0].camera, list(found.values())


def terms(assumed: Assumed, camera: CameraModel, window: Window) -> Own:
    """A window's own terms."""
    return own_terms(assumed.hand, assumed.anatomy, COSTS, camera, IDENTITY, [window])


def world_of(window: Window, own: Own) -> Array:
    """Keypoints in the world, in units of the assumed hand."""
    travel = RATIO * (window.centre - window.centre[-1])
    return (own.points_m + travel[:, None]).reshape(len(window), 63)


def energy(assumed: Assumed, camera: CameraModel, window: Window) -> float:
    """The energy, written down with the offline optimisation's own costs."""
    own = terms(assumed, camera, window)
    T = np.tile(np.eye(4), (len(window), 1, 1))
    T[:, :3, :3] = window.R_world_camera * np.outer(window.sign, window.sign)
    at = corrected_cameras(T, np.zeros((len(window), 6)), 0.0)
    image = reprojection(camera, at, own.points_m * window.sign, window.target_px, window.weight)
    squared = np.square(image.residual).sum(axis=-1)
    total = geman_mcclure(squared, COSTS.robust_scale)[0].sum()
    centred = own.points_m - own.points_m.mean(axis=1, keepdims=True) - window.shape_m
    total += np.square(centred * window.shape_weight[:, None, None]).sum()
    total += np.square(COSTS.pose_prior_weight * priors.pose_prior(window.angles)[0]).sum()
    total += np.square(limit_excess(window.angles) / COSTS.limit_std_rad).sum()
    world_m = world_of(window, own)
    rest, slow, bend, shake = (
        differences(window, world_m, 1, COSTS.rest_std_m_s),
        differences(window, world_m, 1, COSTS.unseen_speed_m_s),
        differences(window, world_m, 2, COSTS.acceleration_std_m_s2),
        differences(window, world_m, 3, COSTS.jerk_std_m_s3),
    )
    total += geman_mcclure(np.square(rest).sum(axis=1) / 21.0, COSTS.rest_scale)[0].sum()
    gap = ~(window.seen[1:] & window.seen[:-1])
    total += (np.square(slow[gap]).sum() + np.square(bend).sum() + np.square(shake).sum()) / 21.0
    turn = differences(window, window.angles, 2, COSTS.angle_acceleration_std_rad_s2)
    return 0.5 * float(total + np.square(turn).sum())


def differences(window: Window, values: Array, order: int, std: float) -> Array:
    """Derivative over time in deviations."""
    C, n = stencil(window.stamps_ns, order), len(window)
    return sum(C[:, [k]] * values[k : n - order + k] for k in range(order + 1)) / std


def gradient(assumed: Assumed, camera: CameraModel, window: Window) -> Array:
    """The solver's gradient."""
    own = terms(assumed, camera, window)
    world_m = world_of(window, own)
    hang = motion(COSTS, window, world_m)
    by_hand = own.by_hand.reshape(len(window), 63, HAND)
    pulled = coupled(by_hand, world_m, window.angles, hang.keypoints, hang.angles)[1]
    return pulled + own.gradient


def test_gradient_is_that_of_the_offline_costs() -> None:
    """Against finite differences of the energy, both hands, with a gap."""
    assumed, camera, both = windows(6)
    rng = np.random.default_rng(1)
    for window in both:
        window.stepped(rng.normal(0.0, 0.01, (6, HAND)))
        analytic = gradient(assumed, camera, window)
        numeric = np.zeros_like(analytic)
        for place in rng.permutation(analytic.size)[:60]:
            change = np.zeros(analytic.size)
            change[place] = 1e-5
            ends = []
            for sign in (1.0, -1.0):
                moved = copy.deepcopy(window)
                moved.stepped(sign * change.reshape(analytic.shape))
                ends.append(energy(assumed, camera, moved))
            numeric.ravel()[place] = (ends[0] - ends[1]) / 2e-5
        used = numeric != 0.0
        np.testing.assert_allclose(analytic[used], numeric[used], rtol=1e-4, atol=1e-2)


def test_steps_reach_the_minimum() -> None:
    """A few steps make the gradient vanish."""
    assumed, camera, (window, _) = windows(9)
    before = energy(assumed, camera, window)
    for _ in range(8):
        step(COSTS, window, terms(assumed, camera, window), RATIO)
    assert energy(assumed, camera, window) < before
    scale = np.sqrt(terms(assumed, camera, window).information.diagonal(axis1=1, axis2=2))
    assert np.abs(gradient(assumed, camera, window) / scale.clip(1.0)).max() < 0.1


def test_marginalisation_keeps_minimum_and_covariance() -> None:
    """A chain reduced from its old end gives the batch's answer for its new end, at any lag."""
    rng = np.random.default_rng(2)
    n, p, reach = 12, 5, 3
    whole, pull = np.zeros((n * p, n * p)), np.zeros(n * p)
    pieces = []
    for t in range(n):
        size = min(reach + 1, n - t) * p
        J = rng.normal(size=(2 * size, size))
        piece, g = J.T @ J, J.T @ rng.normal(size=2 * size)
        pieces.append((piece, g))
        rows = slice(t * p, t * p + size)
        whole[rows, rows] += piece
        pull[rows] += g
    answer, covariance = -np.linalg.solve(whole, pull), np.linalg.inv(whole)
    information, g = pieces[0]
    for piece, own in pieces[1:]:
        rest, rest_g = marginalised(information, g, p)
        information, g = piece.copy(), own.copy()
        k = min(len(rest), len(information))
        information[:k, :k] += rest[:k, :k]
        g[:k] += rest_g[:k]
    np.testing.assert_allclose(-np.linalg.solve(information, g), answer[-p:], rtol=1e-8)
    np.testing.assert_allclose(np.linalg.inv(information), covariance[-p:, -p:], rtol=1e-8)


def test_dropping_a_frame_changes_nothing_at_the_minimum() -> None:
    """The prior stands for the frame that went: same minimum, same covariance of the newest."""
    assumed, camera, (window, _) = windows(10)
    for _ in range(12):
        at = step(COSTS, window, terms(assumed, camera, window), RATIO)
    newest = window.relative_m[-1], window.angles[-1]
    window.drop_first(prior_from_oldest(at))
    assert len(window) == 9
    for _ in range(3):
        after = step(COSTS, window, terms(assumed, camera, window), RATIO)
    np.testing.assert_allclose(window.relative_m[-1], newest[0], atol=2e-4)
    np.testing.assert_allclose(window.angles[-1], newest[1], atol=5e-3)
    before, now = at.newest_covariance.diagonal(), after.newest_covariance.diagonal()
    np.testing.assert_allclose(np.sqrt(now), np.sqrt(before), rtol=0.02)
