"""The camera's pose at the stamp of an image, and every reason for which there is none."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from hand4d_ros.errors import ConfigError
from hand4d_ros.geometry import se3, so3
from hand4d_ros.geometry.static_frames import StaticFrames
from hand4d_ros.ros.announce import Announcer
from hand4d_ros.ros.input_config import ExtrinsicConfig, OdometryInputConfig
from hand4d_ros.ros.odometry_input import OdometryInput

_MS = 1_000_000
_T0 = 1_000 * _MS


class _Log:
    def __init__(self) -> None:
        self.text = ""

    def warning(self, text: str) -> None:
        self.text += text + "\n"

    error = info = warning


def _assert_close(actual: Any, expected: Any) -> None:
    assert actual is not None
    np.testing.assert_allclose(actual, expected, atol=1e-9)


def _at(x_m: float) -> Any:
    return se3.from_rotation_translation(np.eye(3), np.array([x_m, 0.0, 0.0]))


def _input(
    config: OdometryInputConfig | None = None,
    extrinsic: ExtrinsicConfig | None = None,
    frames: StaticFrames | None = None,
    world_frame: str = "",
    fetch: Callable[[], None] = lambda: None,
) -> tuple[OdometryInput, _Log]:
    log = _Log()
    odometry = OdometryInput(
        config or OdometryInputConfig(wait_for_newer_s=0.0),
        extrinsic or ExtrinsicConfig(),
        (frames or StaticFrames()).lookup,
        Announcer(log),
        topic="/odom",
        world_frame=world_frame,
        fetch=fetch,
    )
    return odometry, log


def _moving(odometry: OdometryInput, start_ms: int, end_ms: int, child: str = "cam") -> None:
    """Push odometry at 100 Hz of a body at one metre per second along x."""
    for ms in range(start_ms, end_ms + 1, 10):
        odometry.push(_T0 + ms * _MS, _at(ms * 1e-3), "odom", child)


def test_pose_is_interpolated_at_the_stamp() -> None:
    """Between two samples the pose lies between them, in the odometry's own world."""
    odometry, log = _input()
    _moving(odometry, 0, 100)
    pose = odometry.pose_at(_T0 + 47 * _MS, "cam")
    assert pose.world_frame == "odom"
    _assert_close(pose.T_world_camera, _at(0.047))
    assert log.text == ""


def test_extrinsic_from_static_transforms() -> None:
    """A camera on a body that odometry moves is placed by /tf_static, once that is known."""
    frames = StaticFrames()
    odometry, log = _input(frames=frames)
    _moving(odometry, 0, 100, child="base")
    assert odometry.pose_at(_T0, "cam").reason == "no_extrinsic"
    assert "moves 'base', images come from 'cam'" in log.text
    T_base_cam = se3.from_rotation_translation(
        so3.exp(np.array([0.0, 0.3, 0.0])), np.array([0, 0.1, 0])
    )
    frames.put("base", "cam", T_base_cam)
    _assert_close(odometry.pose_at(_T0, "cam").T_world_camera, T_base_cam)


def test_extrinsic_from_parameters_is_xyzw() -> None:
    """The quaternion parameter is in the order of messages: half a turn about z."""
    extrinsic = ExtrinsicConfig("parameter", (0.0, 0.0, 2.0), (0.0, 0.0, 1.0, 0.0))
    odometry, _ = _input(extrinsic=extrinsic)
    _moving(odometry, 0, 100, child="base")
    expected = np.diag([-1.0, -1.0, 1.0, 1.0])
    expected[2, 3] = 2.0
    _assert_close(odometry.pose_at(_T0, "cam").T_world_camera, expected)


def test_a_quaternion_of_another_length_is_refused() -> None:
    """A typing error in the extrinsic is found at start."""
    with pytest.raises(ConfigError, match="unit quaternion"):
        ExtrinsicConfig("parameter", quaternion_xyzw=(0.0, 0.0, 0.0, 0.0))


def test_an_image_waits_for_newer_odometry() -> None:
    """Odometry that arrives while the image waits is interpolated, not extrapolated."""
    fetches = iter(((0, 40), None, None, (50, 60)))

    def fetch() -> None:
        if span := next(fetches):
            _moving(odometry, span[0], span[1])

    odometry, _ = _input(OdometryInputConfig(wait_for_newer_s=1.0), fetch=fetch)
    pose = odometry.pose_at(_T0 + 47 * _MS, "cam")
    assert next(fetches, None) is None
    _assert_close(pose.T_world_camera, _at(0.047))
    assert odometry.age_ns < 0


def test_odometry_that_stopped_costs_the_wait_only_once() -> None:
    """After one wait in vain images are answered at once until odometry comes again."""
    fetches: list[int] = []
    odometry, log = _input(
        OdometryInputConfig(wait_for_newer_s=0.05), fetch=lambda: fetches.append(1)
    )
    _moving(odometry, 0, 100)
    counts = []
    for ms in range(1000, 2000, 33):
        assert odometry.pose_at(_T0 + ms * _MS, "cam").reason == "odometry_too_new"
        counts.append(len(fetches))
        fetches.clear()
    assert counts[0] > 2
    assert set(counts[1:]) == {1}
    assert "is 900 ms behind the images" in log.text


def test_without_odometry_the_camera_counts_as_static_after_a_while() -> None:
    """Mode auto: images wait, then the world is the camera's frame, announced once."""
    odometry, log = _input()
    assert odometry.pose_at(_T0, "cam").reason == "waiting_for_odometry"
    for ms in (2000, 2033, 2066):
        pose = odometry.pose_at(_T0 + ms * _MS, "cam")
        _assert_close(pose.T_world_camera, np.eye(4))
        assert pose.world_frame == "cam"
    assert log.text.count("the camera counts as static") == 1


def test_odometry_that_comes_late_ends_the_static_world() -> None:
    """The first pose from odometry is a jump, because the world is another one."""
    odometry, log = _input()
    odometry.pose_at(_T0 - 3000 * _MS, "cam")
    assert odometry.pose_at(_T0, "cam").T_world_camera is not None
    _moving(odometry, 10, 100)
    assert odometry.pose_at(_T0 + 50 * _MS, "cam").jumped
    assert not odometry.pose_at(_T0 + 60 * _MS, "cam").jumped
    assert "static no longer" in log.text


def test_required_odometry_is_never_replaced() -> None:
    """Mode required: images stay without a pose, and the topic is named."""
    odometry, log = _input(OdometryInputConfig(mode="required", wait_for_newer_s=0.0))
    for ms in range(0, 10_000, 1000):
        assert odometry.pose_at(_T0 + ms * _MS, "cam").reason == "no_odometry"
    assert "no odometry on /odom" in log.text


def test_static_mode_ignores_odometry() -> None:
    """Mode static: the world is the camera's frame, or has the name that was given."""
    odometry, _ = _input(OdometryInputConfig(mode="static"), world_frame="table")
    pose = odometry.pose_at(_T0, "cam")
    assert (pose.world_frame, pose.reason) == ("table", "")


def test_odometry_that_is_not_finite_is_left_out_and_counted() -> None:
    """NaN never becomes a pose."""
    odometry, log = _input()
    _moving(odometry, 0, 40)
    odometry.push(_T0 + 50 * _MS, np.full((4, 4), np.nan), "odom", "cam")
    _moving(odometry, 60, 100)
    pose = odometry.pose_at(_T0 + 50 * _MS, "cam")
    _assert_close(pose.T_world_camera, _at(0.05))
    assert odometry.events() == {"non_finite": 1}
    assert "not finite" in log.text


def test_a_teleport_gives_no_pose_inside_and_a_jump_behind() -> None:
    """Across the jump nothing is interpolated; the first image behind it starts anew."""
    odometry, log = _input()
    _moving(odometry, 0, 100)
    assert not odometry.pose_at(_T0 + 100 * _MS, "cam").jumped
    for ms in range(110, 201, 10):
        odometry.push(_T0 + ms * _MS, _at(50.0), "odom", "cam")
    assert odometry.pose_at(_T0 + 105 * _MS, "cam").reason == "odometry_gap"
    assert odometry.pose_at(_T0 + 133 * _MS, "cam").jumped
    assert not odometry.pose_at(_T0 + 166 * _MS, "cam").jumped
    assert odometry.events() == {"teleport": 1}
    assert "jumped by 49.90 m" in log.text


def test_an_image_before_the_odometry_has_no_pose() -> None:
    """Poses are not extrapolated into the past."""
    odometry, _ = _input()
    _moving(odometry, 0, 100)
    assert odometry.pose_at(_T0 - 20 * _MS, "cam").reason == "odometry_too_old"


def test_after_a_jump_back_in_time_old_odometry_is_forgotten() -> None:
    """Odometry from before the jump must not answer for images after it."""
    odometry, _ = _input()
    _moving(odometry, 0, 3000)
    odometry.forget_future(_T0 + 1000 * _MS)
    assert odometry.pose_at(_T0 + 1000 * _MS, "cam").T_world_camera is None
    _moving(odometry, 990, 1100)
    pose = odometry.pose_at(_T0 + 1050 * _MS, "cam")
    _assert_close(pose.T_world_camera, _at(1.05))
    assert not pose.jumped
