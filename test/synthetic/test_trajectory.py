"""Smoothness in time: minimum jerk, via-points, rests, turns, wandering."""

from __future__ import annotations

import numpy as np
import pytest

from hand4d_ros.errors import SceneError
from hand4d_ros.geometry import so3
from hand4d_ros.shapes import Array, Float
from hand4d_ros.synthetic.trajectory import (
    Movement,
    Orientation,
    Path,
    Turn,
    effort,
    minimum_jerk,
    sampled_ripple,
    sampled_wander,
)


def _path() -> Path:
    start = np.zeros(2)
    goal, back = np.array([0.3, -0.1]), np.array([0.0, 0.2])
    via = np.array([0.1, 0.2])
    return Path(
        start,
        [
            Movement(0.5, 1.3, np.stack((start, via, goal)), (0.0, 0.4, 1.0)),
            Movement(1.9, 2.4, np.stack((goal, back))),
        ],
    )


def test_minimum_jerk_has_the_known_peak_speed() -> None:
    """A movement over d in T peaks at 1.875 d / T, at its middle (Flash and Hogan, 1985)."""
    path = Path(np.zeros(1), [Movement(1.0, 3.0, np.array([[0.0], [0.4]]))])
    t = np.linspace(0.5, 3.5, 3001)
    speed = path(t, derivative=1)[:, 0]
    assert speed.max() == pytest.approx(1.875 * 0.4 / 2.0, rel=1e-5)
    assert t[np.argmax(speed)] == pytest.approx(2.0, abs=1e-3)
    np.testing.assert_allclose(path(t)[:, 0], 0.4 * minimum_jerk((t - 1.0) / 2.0), atol=1e-9)


def test_path_is_twice_continuously_differentiable() -> None:
    """Position, velocity and acceleration have no jumps, at joints and ends included."""
    path = _path()
    for knot in (0.5, 0.82, 1.3, 1.9, 2.4):
        before, after = np.array([knot - 1e-7]), np.array([knot + 1e-7])
        for order, bound in ((0, 1e-6), (1, 1e-5), (2, 1e-3)):
            jump = path(after, order) - path(before, order)
            assert np.abs(jump).max() < bound, (knot, order)


def test_path_passes_its_via_points_and_rests_between() -> None:
    """Via-points are met at their share of the time; between movements nothing moves."""
    path = _path()
    np.testing.assert_allclose(path(np.array([0.5 + 0.4 * 0.8]))[0], [0.1, 0.2], atol=1e-9)
    for t_s, place in ((-1.0, [0, 0]), (1.6, [0.3, -0.1]), (9.0, [0.0, 0.2])):
        np.testing.assert_allclose(path(np.array([t_s]))[0], place, atol=1e-9)
        np.testing.assert_allclose(path(np.array([t_s]), 1)[0], 0.0, atol=1e-9)


def test_derivatives_match_differences() -> None:
    """The analytic velocity is the slope of the position."""
    path, t, h = _path(), np.linspace(0.0, 3.0, 101), 1e-5
    slope = (path(t + h) - path(t - h)) / (2 * h)
    np.testing.assert_allclose(path(t, 1), slope, atol=1e-6)


def test_a_path_without_movements_stays() -> None:
    """It is where it starts, without speed."""
    path = Path(np.array([1.0, 2.0]), [])
    np.testing.assert_array_equal(path(np.array([0.0, 5.0])), [[1, 2], [1, 2]])
    np.testing.assert_array_equal(path(np.array([0.0]), 1), [[0, 0]])


def _points(*rows: list[float]) -> Float[Array, "n d"]:
    return np.array(rows)


def test_movements_must_follow_each_other() -> None:
    """Overlaps in time and gaps in space are refused."""
    first = Movement(0.0, 1.0, _points([0.0], [1.0]))
    with pytest.raises(SceneError, match="give rising times"):
        Path(np.zeros(1), [first, Movement(0.5, 1.5, _points([1.0], [2.0]))])
    with pytest.raises(SceneError, match="the one before it ended at"):
        Path(np.zeros(1), [first, Movement(1.0, 1.5, _points([3.0], [2.0]))])


def test_orientation_turns_along_the_arc_and_rests() -> None:
    """Half of the time is half of the angle; before, between and after it is at rest."""
    R0, R1 = so3.exp(np.array([0.1, 0.2, 0.3])), so3.exp(np.array([-0.4, 0.9, 0.2]))
    turn = Orientation(R0, (Turn(1.0, 2.0, R0, R1),))
    R = turn(np.array([0.0, 1.0, 1.5, 2.0, 5.0]))
    np.testing.assert_allclose(R[[0, 1]], [R0, R0], atol=1e-12)
    np.testing.assert_allclose(R[[3, 4]], [R1, R1], atol=1e-12)
    np.testing.assert_allclose(R[2], so3.interpolate(R0, R1, 0.5), atol=1e-12)


def test_wander_has_the_deviation_asked_for() -> None:
    """Over a long time the root mean square is that of sway and tremor together."""
    wander = sampled_wander(np.random.default_rng(3), 4, 0.002, 0.0005)
    value = wander(np.linspace(0, 600, 120_001))
    rms = np.sqrt((value**2).mean(0))
    np.testing.assert_allclose(rms, np.hypot(0.002, 0.0005), rtol=0.15)


def test_effort_is_the_way_amid_a_movement_and_nothing_at_rest() -> None:
    """It is the length of the way at half time, and smooth where movements begin and end."""
    points = _points([0.0, 1.0], [0.5, 0.0], [0.2, 0.0])
    moves = [Movement(1.0, 3.0, points, (0.0, 0.5, 1.0))]
    np.testing.assert_allclose(effort(np.array([2.0]), moves)[0], [0.8, 1.0])
    ends = np.array([0.0, 1.0, 3.0, 9.0])
    np.testing.assert_array_equal(effort(ends, moves), np.zeros((4, 2)))
    step = 1e-4
    for end in (1.0, 3.0):
        near = effort(np.array([end - step, end, end + step]), moves)
        assert np.abs(np.diff(near, 2, axis=0)).max() / step**2 < 0.1


def test_ripple_has_unit_deviation_and_falls_with_frequency() -> None:
    """Over a long time its root mean square is 1; low waves carry most of it."""
    ripple = sampled_ripple(np.random.default_rng(1), 3)
    rms = np.sqrt((ripple(np.linspace(0, 300, 60_001)) ** 2).mean(0))
    np.testing.assert_allclose(rms, 1.0, rtol=0.15)
    assert ripple.frequency_hz.min() >= 2.0
    assert ripple.frequency_hz.max() <= 8.0
