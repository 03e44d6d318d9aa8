"""Kinematic forecasts: exact on the motion that they assume, honest about the rest."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from bench_samples import moving_hand, stamps

from hand4d_ros import wire_forecast
from hand4d_ros.errors import ConfigError
from hand4d_ros.evaluation.motions import tracks_from_motions
from hand4d_ros.forecasting import baselines
from hand4d_ros.forecasting.base import ForecastConfig, Forecaster
from hand4d_ros.geometry import so3
from hand4d_ros.types import Side, TrackingState

SHORT = ForecastConfig(horizon_s=0.5, step_s=1.0 / 30.0)
MOTION = moving_hand(frames=40)
TRACKS = tracks_from_motions(stamps(40), (MOTION,))
NOW = 20


def forecaster(order: int, damping_s: float = 0.0) -> baselines.KinematicForecaster:
    """Return a forecaster with a horizon of half a second."""
    config = baselines.KinematicConfig(order=order, damping_s=damping_s, forecast=SHORT)
    return baselines.KinematicForecaster(config)


def test_steady_motion_is_forecast_exactly() -> None:
    """Constant velocity gives the true wrist and keypoints of a hand that moves steadily."""
    (found,) = forecaster(1).forecast(TRACKS[: NOW + 1])
    (mode,) = found.modes
    future = slice(NOW + 1, NOW + 1 + SHORT.steps)
    assert np.allclose(mode.T_world_wrist, MOTION.T_world_wrist[future], atol=1e-6)
    tips = MOTION.keypoints_m[future][:, baselines.TIPS]
    assert np.allclose(mode.fingertips_m, tips, atol=1e-6)
    assert (found.side, found.track_id, found.stamp_ns) == (Side.RIGHT, "right-1", stamps(40)[NOW])


def test_a_resting_hand_stays() -> None:
    """The static forecast is the pose of now at every step."""
    (found,) = forecaster(0).forecast(TRACKS[: NOW + 1])
    (mode,) = found.modes
    assert np.allclose(mode.T_world_wrist, MOTION.T_world_wrist[NOW])
    assert mode.mano_pose is not None
    assert np.allclose(mode.mano_pose, MOTION.mano_pose(np.array([NOW])))


def test_acceleration_is_found() -> None:
    """A parabola through the past is continued."""
    t_s = np.arange(40) * 1.0 / 30.0
    T = MOTION.T_world_wrist.copy()
    T[:, :3, 3] = 0.5 * np.array([0.5, -1.0, 2.0]) * t_s[:, None] ** 2
    T[:, :3, :3] = np.eye(3)
    tracks = tracks_from_motions(stamps(40), (replace(MOTION, T_world_wrist=T),))
    (mode,) = forecaster(2).forecast(tracks[: NOW + 1])[0].modes
    future = slice(NOW + 1, NOW + 1 + SHORT.steps)
    assert np.allclose(mode.T_world_wrist[:, :3, 3], T[future, :3, 3], atol=1e-6)


def test_damping_in_its_limits() -> None:
    """Little damping is none, and a damped motion has the closed form's velocity."""
    motion = np.array([[0.3, -0.2, 0.1, 0.5, 0.0, -0.4], [1.0, 0.5, -0.7, 0.2, 0.3, 0.0]])
    T = MOTION.T_world_wrist[0]
    t_s = np.linspace(0.01, 1.0, 200)
    free = baselines.extrapolated(T, motion, t_s, 0.0)
    assert np.allclose(baselines.extrapolated(T, motion, t_s, 1e5), free, atol=2e-5)
    damped = baselines.extrapolated(T, motion, t_s, 0.25)[:, :3, 3]
    velocity = np.gradient(damped, t_s, axis=0)[1:-1]
    e = np.exp(-t_s / 0.25)[1:-1, None]
    expected = (motion[0, :3] + motion[1, :3] * t_s[1:-1, None]) * e
    assert np.allclose(velocity, expected, atol=2e-4)


def test_what_is_fitted() -> None:
    """Predicted states, other tracks and old ones are not fitted; too few lower the order."""
    past = [list(tracks) for tracks in TRACKS[: NOW + 1]]
    now = past[-1][0]
    past[NOW - 1][0] = replace(past[NOW - 1][0], tracking_state=TrackingState.PREDICTED)
    past[NOW - 2][0] = replace(past[NOW - 2][0], track_id="right-0")
    seen = baselines.observations(past, now, 0.1)
    assert [track.stamp_ns for track in seen] == [int(stamps(40)[NOW - 3])]
    one = baselines.fitted_motion(now, seen, 2)
    assert np.allclose(one[0, :3], [0.3, -0.1, 0.05])
    assert not one[1].any()
    assert not baselines.fitted_motion(now, [], 2).any()


def test_lost_hands_forecast_nothing() -> None:
    """A lost hand and an empty past give no forecast."""
    lost = replace(TRACKS[NOW][0], tracking_state=TrackingState.LOST)
    assert forecaster(1).forecast([*TRACKS[:NOW], (lost,)]) == []
    assert forecaster(1).forecast([]) == []


def test_left_comes_before_right_and_messages_carry_it() -> None:
    """Both hands make one message."""
    motions = (moving_hand(Side.RIGHT), moving_hand(Side.LEFT))
    tracks = tracks_from_motions(stamps(40), motions)
    made = forecaster(1)
    assert isinstance(made, Forecaster)
    found = made.forecast(tracks[: NOW + 1])
    assert [each.side for each in found] == [Side.LEFT, Side.RIGHT]
    message = wire_forecast.forecast_array(found, found[0].stamp_ns, "odom", made.model_id)
    assert [hand["side"] for hand in message["hands"]] == [0, 1]


@pytest.mark.parametrize("variances", [(1.0, 1.0, 1.0), (4.0, 1.0, 0.25), (9.0, 0.1, 0.1)])
@pytest.mark.parametrize("coverage", [0.5, 0.9, 0.99])
def test_the_radius_holds_what_it_says(
    variances: tuple[float, float, float], coverage: float
) -> None:
    """Draws of the Gaussian lie in the sphere as often as stated, within the approximation."""
    covariance = np.diag(variances)[None]
    (radius,) = baselines.sphere_radius_m(covariance, coverage)
    draws = np.random.default_rng(1).normal(size=(40000, 3)) * np.sqrt(variances)
    true = np.quantile(np.linalg.norm(draws, axis=1), coverage)
    assert radius == pytest.approx(true, rel=0.03)


def test_a_point_has_no_radius() -> None:
    """A covariance of zero is held by a sphere of no size."""
    assert baselines.sphere_radius_m(np.zeros((1, 3, 3)), 0.9)[0] == 0.0


def test_uncertainty_grows_with_time_and_speed() -> None:
    """The radius rises along the horizon, and faster for a fast hand."""
    fast = moving_hand(velocity_m_s=(1.5, 0.0, 0.0))
    slow = moving_hand(velocity_m_s=(0.01, 0.0, 0.0))
    radii = []
    for motion in (fast, slow):
        tracks = tracks_from_motions(stamps(40), (motion,))
        radii.append(forecaster(1).forecast(tracks[: NOW + 1])[0].modes[0].radius_m)
    assert (np.diff(radii[0]) > 0.0).all()
    assert (radii[0][1:] > radii[1][1:]).all()


def test_the_turn_is_continued() -> None:
    """The orientation goes on at the same rate about the same axis."""
    (mode,) = forecaster(1).forecast(TRACKS[: NOW + 1])[0].modes
    step = so3.log(mode.T_world_wrist[1, :3, :3] @ mode.T_world_wrist[0, :3, :3].T)
    assert np.allclose(step, [0.0, 0.4 / 30.0, 0.0], atol=1e-6)


@pytest.mark.parametrize(
    ("config", "text"),
    [
        ({"horizon_s": 20.0}, "horizon_s is 20"),
        ({"horizon_s": 0.02, "step_s": 0.5}, "give at least one step"),
        ({"coverage": 1.0}, "coverage is 1"),
    ],
)
def test_impossible_horizons(config: dict[str, float], text: str) -> None:
    """Horizons and steps that cannot be are refused with what is allowed."""
    with pytest.raises(ConfigError, match=text):
        ForecastConfig(**config)


def test_impossible_orders() -> None:
    """There is no third order."""
    with pytest.raises(ConfigError, match="order is 3"):
        baselines.KinematicConfig(order=3)
