"""The buffer gives the pose of an instant, or says why it cannot; bad data never raises."""

from __future__ import annotations

import threading

import numpy as np
import pytest

from hand4d_ros.errors import ConfigError
from hand4d_ros.geometry import se3, so3
from hand4d_ros.geometry.odometry import (
    OdometryBuffer,
    OdometryConfig,
    OdometryEvent,
    OdometryStatus,
)
from hand4d_ros.shapes import Array

MS = 1_000_000


def pose(t_ms: float, velocity_m_s: float = 1.0, turn_rad_s: float = 2.0) -> Array:
    """A base that moves along x and turns about z at constant speeds."""
    t_s = 1e-3 * t_ms
    return se3.from_rotation_translation(
        so3.exp(np.array([0.0, 0.0, turn_rad_s * t_s])), np.array([velocity_m_s * t_s, 0.0, 1.0])
    )


def filled(start_ms: int = 1000, end_ms: int = 2000, step_ms: int = 20) -> OdometryBuffer:
    """A buffer with a steady stream."""
    buffer = OdometryBuffer()
    for t_ms in range(start_ms, end_ms + 1, step_ms):
        assert buffer.push(t_ms * MS, pose(t_ms)) is OdometryEvent.ACCEPTED
    return buffer


def test_interpolates_a_constant_motion_exactly() -> None:
    """Between samples the pose is that of the motion, on a sample it is the sample."""
    buffer = filled()
    for t_ms in (1000.0, 1003.5, 1480.0, 1999.9, 2000.0):
        sample = buffer.at(round(t_ms * MS))
        assert sample.status is OdometryStatus.INTERPOLATED
        assert sample.age_ns == round(t_ms * MS) - 2000 * MS
        assert sample.T_world_base is not None
        np.testing.assert_allclose(sample.T_world_base, pose(t_ms), atol=1e-12)


def test_extrapolates_a_little_and_no_further() -> None:
    """Up to 50 ms past the newest the motion goes on; beyond there is no pose."""
    buffer = filled()
    sample = buffer.at(2050 * MS)
    assert sample.status is OdometryStatus.EXTRAPOLATED
    assert sample.T_world_base is not None
    np.testing.assert_allclose(sample.T_world_base, pose(2050), atol=1e-12)
    late = buffer.at(2050 * MS + 1)
    assert late.status is OdometryStatus.TOO_NEW
    assert late.T_world_base is None
    assert late.age_ns == 50 * MS + 1


def test_one_sample_stands_still() -> None:
    """With a single sample no velocity is known: it is held for the short time."""
    buffer = OdometryBuffer()
    buffer.push(1000 * MS, pose(1000))
    sample = buffer.at(1040 * MS)
    assert sample.status is OdometryStatus.EXTRAPOLATED
    assert sample.T_world_base is not None
    np.testing.assert_allclose(sample.T_world_base, pose(1000))


def test_extrapolation_does_not_amplify_noise() -> None:
    """At 1 kHz with 1 mm of noise 50 ms ahead is good to a centimetre.

    The velocity of the last two samples would put it 0.1 m off.
    """
    rng = np.random.default_rng(4)
    buffer = OdometryBuffer()
    for t_ms in range(200):
        T = pose(t_ms)
        T[:3, 3] += 1e-3 * rng.normal(size=3)
        assert buffer.push(t_ms * MS, T) is OdometryEvent.ACCEPTED
    sample = buffer.at(249 * MS)
    assert sample.T_world_base is not None
    assert np.linalg.norm(sample.T_world_base[:3, 3] - pose(249)[:3, 3]) < 0.012


def test_empty_and_too_old_give_no_pose() -> None:
    """Before any odometry, and before the oldest of it, there is no pose."""
    buffer = OdometryBuffer()
    assert buffer.at(5).status is OdometryStatus.EMPTY
    assert buffer.latest_ns is None
    buffer = filled()
    sample = buffer.at(999 * MS)
    assert (sample.T_world_base, sample.status) == (None, OdometryStatus.TOO_OLD)


def test_gap_is_not_bridged() -> None:
    """Between samples more than 0.25 s apart there is no pose; at their stamps there is."""
    buffer = filled()
    assert buffer.push(2251 * MS, pose(2251)) is OdometryEvent.ACCEPTED
    sample = buffer.at(2100 * MS)
    assert (sample.T_world_base, sample.status) == (None, OdometryStatus.GAP)
    assert buffer.at(2000 * MS).status is OdometryStatus.INTERPOLATED
    assert buffer.at(2251 * MS).status is OdometryStatus.INTERPOLATED
    # The velocity across the gap is not believed either: the pose stands still.
    held = buffer.at(2260 * MS)
    assert held.T_world_base is not None
    np.testing.assert_allclose(held.T_world_base, pose(2251))


@pytest.mark.parametrize("jump", [(1.0, 0.0), (0.0, 1.5)], ids=["position", "orientation"])
def test_teleport_is_kept_but_never_crossed(jump: tuple[float, float]) -> None:
    """After a jump the stream goes on from there; no pose is made up in between."""
    moved_m, turned_rad = jump
    T_jump = se3.from_rotation_translation(
        so3.exp(np.array([0.0, 0.0, turned_rad])), np.array([0.0, moved_m, 0.0])
    )
    buffer = filled()
    assert buffer.push(2020 * MS, T_jump @ pose(2020)) is OdometryEvent.TELEPORT
    assert buffer.at(2010 * MS).status is OdometryStatus.GAP
    held = buffer.at(2030 * MS)
    assert held.status is OdometryStatus.EXTRAPOLATED
    assert held.T_world_base is not None
    np.testing.assert_allclose(held.T_world_base, T_jump @ pose(2020), atol=1e-12)
    assert buffer.push(2040 * MS, T_jump @ pose(2040)) is OdometryEvent.ACCEPTED
    sample = buffer.at(2030 * MS)
    assert sample.T_world_base is not None
    np.testing.assert_allclose(sample.T_world_base, T_jump @ pose(2030), atol=1e-12)


def test_fast_but_possible_motion_is_no_teleport() -> None:
    """A head that turns at 15 rad/s while it moves at 5 m/s is followed."""
    buffer = OdometryBuffer()
    for t_ms in range(0, 200, 5):
        event = buffer.push(t_ms * MS, pose(t_ms, velocity_m_s=5.0, turn_rad_s=15.0))
        assert event is OdometryEvent.ACCEPTED


@pytest.mark.parametrize(
    "bad",
    [np.full((4, 4), np.nan), np.zeros((4, 4)), np.diag([1.0, 1.0, 2.0, 1.0]), np.eye(3)],
    ids=["nan", "zeros", "scaled", "shape"],
)
def test_unusable_poses_are_refused(bad: Array) -> None:
    """NaN, zeros and what is no rigid transform leave the buffer as it was."""
    buffer = filled()
    assert buffer.push(2020 * MS, bad) is OdometryEvent.NON_FINITE
    assert buffer.latest_ns == 2000 * MS


def test_late_data_is_sorted_in() -> None:
    """A sample that was overtaken closes the gap that it left."""
    buffer = filled()
    buffer.push(2300 * MS, pose(2300))
    assert buffer.at(2160 * MS).status is OdometryStatus.GAP
    assert buffer.push(2150 * MS, pose(2150)) is OdometryEvent.OUT_OF_ORDER
    sample = buffer.at(2160 * MS)
    assert sample.T_world_base is not None
    np.testing.assert_allclose(sample.T_world_base, pose(2160), atol=1e-12)
    assert buffer.latest_ns == 2300 * MS


def test_late_jump_is_not_crossed() -> None:
    """A late sample that does not fit breaks the path on both of its sides."""
    buffer = filled()
    assert buffer.push(1990 * MS, pose(9990)) is OdometryEvent.OUT_OF_ORDER
    assert buffer.at(1985 * MS).status is OdometryStatus.GAP
    assert buffer.at(1995 * MS).status is OdometryStatus.GAP
    assert buffer.at(1975 * MS).status is OdometryStatus.INTERPOLATED


def test_repeated_stamp_keeps_the_first() -> None:
    """A stamp that comes twice changes nothing."""
    buffer = filled()
    count = len(buffer)
    assert buffer.push(2000 * MS, pose(5)) is OdometryEvent.OUT_OF_ORDER
    sample = buffer.at(2000 * MS)
    assert len(buffer) == count
    assert sample.T_world_base is not None
    np.testing.assert_allclose(sample.T_world_base, pose(2000))


def test_late_sample_before_the_first_is_kept_in_order() -> None:
    """A late sample may be the oldest."""
    buffer = OdometryBuffer()
    buffer.push(1100 * MS, pose(1100))
    assert buffer.push(1000 * MS, pose(1000)) is OdometryEvent.OUT_OF_ORDER
    sample = buffer.at(1050 * MS)
    assert sample.T_world_base is not None
    np.testing.assert_allclose(sample.T_world_base, pose(1050), atol=1e-12)


def test_time_that_jumps_back_resets() -> None:
    """A bag that loops clears the buffer, and the stream goes on from the new start."""
    buffer = filled()
    assert buffer.push(1000 * MS, pose(1000)) is OdometryEvent.RESET
    assert len(buffer) == 1
    assert buffer.push(1020 * MS, pose(1020)) is OdometryEvent.ACCEPTED
    assert buffer.at(1010 * MS).status is OdometryStatus.INTERPOLATED
    assert buffer.at(1500 * MS).status is OdometryStatus.TOO_NEW


def test_one_stamp_from_the_far_future_does_no_lasting_harm() -> None:
    """The next good sample resets; after it the buffer works again."""
    buffer = filled()
    buffer.push(10**18, pose(2020))
    assert buffer.push(2040 * MS, pose(2040)) is OdometryEvent.RESET
    assert buffer.push(2060 * MS, pose(2060)) is OdometryEvent.ACCEPTED
    assert buffer.at(2050 * MS).status is OdometryStatus.INTERPOLATED


def test_buffer_is_bounded_in_time() -> None:
    """Only the last seconds are kept."""
    buffer = OdometryBuffer(OdometryConfig(buffer_s=1.0))
    for t_ms in range(0, 5001, 10):
        buffer.push(t_ms * MS, pose(t_ms))
    assert len(buffer) == 101
    assert buffer.at(3999 * MS).status is OdometryStatus.TOO_OLD
    assert buffer.at(4001 * MS).status is OdometryStatus.INTERPOLATED


def test_callers_cannot_change_what_is_kept() -> None:
    """Neither the pushed array nor the answer shares memory with the buffer."""
    buffer = OdometryBuffer()
    T = pose(1000)
    buffer.push(1000 * MS, T)
    T[:] = 0.0
    first = buffer.at(1000 * MS).T_world_base
    assert first is not None
    first[:] = 0.0
    second = buffer.at(1000 * MS).T_world_base
    assert second is not None
    np.testing.assert_allclose(second, pose(1000))


def test_clear_forgets() -> None:
    """After clear the buffer is empty."""
    buffer = filled()
    buffer.clear()
    assert buffer.at(1500 * MS).status is OdometryStatus.EMPTY


def test_threads_may_push_and_ask_at_once() -> None:
    """Answers stay true while another thread pushes and old samples are dropped."""
    buffer = OdometryBuffer(OdometryConfig(buffer_s=1.0))
    buffer.push(0, pose(0))

    def push() -> None:
        for t_ms in range(10, 10_000, 10):
            buffer.push(t_ms * MS, pose(t_ms))

    thread = threading.Thread(target=push)
    thread.start()
    worst = 0.0
    while thread.is_alive():
        latest_ns = buffer.latest_ns or 0
        sample = buffer.at(latest_ns - 5 * MS)
        if sample.T_world_base is not None:
            expected = pose((latest_ns - 5 * MS) / MS)
            worst = max(worst, float(np.abs(sample.T_world_base - expected).max()))
    thread.join()
    assert worst < 1e-9


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("buffer_s", 0.0),
        ("max_gap_s", -1.0),
        ("max_speed_m_s", float("nan")),
        ("max_angular_speed_rad_s", float("inf")),
        ("max_extrapolation_s", -0.01),
        ("jump_slack_m", float("nan")),
        ("jump_slack_rad", -1.0),
        ("max_late_s", 5.0),
    ],
)
def test_config_refuses_nonsense(field: str, value: float) -> None:
    """Every impossible value is refused with its name."""
    with pytest.raises(ConfigError, match=f"{field} is"):
        OdometryConfig(**{field: value})
