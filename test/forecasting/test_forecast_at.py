"""A forecast at a time of the planner's choosing: the steps themselves, and between them."""

from __future__ import annotations

import numpy as np
import pytest

from hand4d_ros.errors import ForecastError
from hand4d_ros.geometry import se3, so3
from hand4d_ros.types import ForecastMode, HandForecast, Side

STAMP_NS, STEP_NS = 5_000_000_000, 40_000_000
STEPS = 6


def forecast(steps: int = STEPS, modes: int = 2) -> HandForecast:
    """Return modes that move and turn at random, fingertips fixed to the wrist."""
    rng = np.random.default_rng(1)
    made = []
    for _ in range(modes):
        R, p = so3.exp(rng.normal(0.0, 0.6, (steps, 3))), rng.normal(0.0, 0.2, (steps, 3))
        T = se3.from_rotation_translation(R, p)
        root = rng.normal(0.0, 0.05, (steps, 3, 3))
        tips = se3.apply(T, np.tile(rng.normal(0.0, 0.1, (5, 3)), (steps, 1, 1)))
        covariance = root @ root.transpose(0, 2, 1)
        made.append(ForecastMode(1.0 / modes, T, covariance, tips, rng.uniform(0.1, 0.2, steps)))
    return HandForecast(STAMP_NS, Side.LEFT, "left-1", 0.9, STEP_NS, 0.9, tuple(made))


@pytest.mark.parametrize("step", range(STEPS))
def test_steps_are_themselves(step: int) -> None:
    """At the time of a step everything is that step's."""
    made = forecast()
    found = made.at(STAMP_NS + (step + 1) * STEP_NS)
    for mode, pose in zip(made.modes, found, strict=True):
        assert pose.probability == mode.probability
        assert np.allclose(pose.T_world_wrist, mode.T_world_wrist[step], atol=1e-12)
        assert np.allclose(pose.wrist_covariance_m2, mode.wrist_covariance_m2[step], atol=1e-15)
        assert np.allclose(pose.fingertips_m, mode.fingertips_m[step], atol=1e-12)
        assert pose.radius_m == pytest.approx(mode.radius_m[step])


@pytest.mark.parametrize("alpha", [0.1, 0.5, 0.9])
def test_between_steps_on_the_geodesic(alpha: float) -> None:
    """The wrist is where SLERP puts it, and the fingertips stay fixed to it."""
    made = forecast()
    pose = made.at(STAMP_NS + round((2 + alpha) * STEP_NS))[0]
    mode = made.modes[0]
    before, after = mode.T_world_wrist[1], mode.T_world_wrist[2]
    R = so3.interpolate(before[:3, :3], after[:3, :3], np.array(alpha))
    assert np.allclose(pose.T_world_wrist[:3, :3], R, atol=1e-9)
    whole = so3.angle_between(before[:3, :3], after[:3, :3])
    part = so3.angle_between(before[:3, :3], pose.T_world_wrist[:3, :3])
    assert part == pytest.approx(alpha * whole)
    straight = before[:3, 3] + alpha * (after[:3, 3] - before[:3, 3])
    assert np.allclose(pose.T_world_wrist[:3, 3], straight)
    T_wrist_world = se3.inverse(np.stack((pose.T_world_wrist, before)))
    tips = se3.apply(T_wrist_world, np.stack((pose.fingertips_m, mode.fingertips_m[1])))
    assert np.allclose(tips[0], tips[1], atol=1e-9)
    assert np.linalg.eigvalsh(pose.wrist_covariance_m2).min() >= 0.0
    low, high = sorted(mode.radius_m[1:3])
    assert low <= pose.radius_m <= high


def test_before_the_first_step_the_motion_is_led_back() -> None:
    """Half a step after the image the wrist is as far before the first step as it will be after."""
    made = forecast()
    back, ahead = (made.at(STAMP_NS + round(n * STEP_NS))[0] for n in (0.5, 1.5))
    first = made.modes[0].T_world_wrist[0]
    middle = 0.5 * (back.T_world_wrist + ahead.T_world_wrist)[:3, 3]
    assert np.allclose(middle, first[:3, 3])
    assert back.radius_m == made.modes[0].radius_m[0]


def test_one_step() -> None:
    """A forecast of one step is that step from the image on."""
    made = forecast(steps=1)
    for stamp_ns in (STAMP_NS, STAMP_NS + STEP_NS // 2, STAMP_NS + STEP_NS):
        pose = made.at(stamp_ns)[0]
        assert np.allclose(pose.T_world_wrist, made.modes[0].T_world_wrist[0], atol=1e-12)


@pytest.mark.parametrize("stamp_ns", [STAMP_NS - 1, STAMP_NS + STEPS * STEP_NS + 1])
def test_outside_of_the_horizon(stamp_ns: int) -> None:
    """Neither the past nor what is beyond the last step is made up."""
    with pytest.raises(ForecastError, match="ask for a time within it"):
        forecast().at(stamp_ns)


def test_no_modes_have_no_time() -> None:
    """A forecast without modes says nothing of any time."""
    with pytest.raises(ForecastError):
        forecast(modes=0).at(STAMP_NS + STEP_NS)
