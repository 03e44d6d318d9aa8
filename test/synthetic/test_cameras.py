"""Cameras: fields of view, following, smoothness, refusals."""

from __future__ import annotations

import numpy as np
import pytest

from hand4d_ros.errors import ConfigError
from hand4d_ros.geometry import camera as geometry
from hand4d_ros.geometry import se3
from hand4d_ros.shapes import Array, Float
from hand4d_ros.synthetic.body import Body, sampled_body
from hand4d_ros.synthetic.cameras import (
    CameraConfig,
    CameraMotion,
    camera_model,
    followed,
    looking,
    mounted_camera,
)
from hand4d_ros.synthetic.skin import sampled_tone

TABLE_M = 0.7
SECONDS = 6.0


def _body() -> Body:
    rng = np.random.default_rng(0)
    return sampled_body(rng, sampled_tone(rng), TABLE_M)


def _step(t_s: Float[Array, " n"]) -> Float[Array, "n 3"]:
    """Stand on the left of the table, then suddenly on the right."""
    y = np.where(np.asarray(t_s) < 2.0, 0.2, -0.2)
    return np.stack((0.35 + 0 * y, y, TABLE_M + 0.05 + 0 * y), -1)


def _mounted(**options: object) -> CameraMotion:
    config = CameraConfig(**options)  # type: ignore[arg-type]
    return mounted_camera(config, _body(), TABLE_M, _step, SECONDS, np.random.default_rng(5))


@pytest.mark.parametrize("lens", ["pinhole", "fisheye"])
@pytest.mark.parametrize("fov_deg", [50.0, 76.0, 110.0])
def test_horizontal_field_of_view_is_as_asked(lens: str, fov_deg: float) -> None:
    """The border of the picture is half of the angle off the axis."""
    camera = camera_model(CameraConfig(lens=lens, horizontal_fov_deg=fov_deg))  # type: ignore[arg-type]
    edge = np.array([[-0.5, camera.cy_px], [camera.width_px - 0.5, camera.cy_px]])
    rays = geometry.unproject(camera, edge)
    angle = np.degrees(np.arccos(np.clip((rays[0] * rays[1]).sum(), -1, 1)))
    assert angle == pytest.approx(fov_deg, rel=0.01)


@pytest.mark.parametrize("fov_deg", [40.0, 76.0, 100.0, 130.0])
def test_distorted_lens_can_be_undone_over_the_whole_picture(fov_deg: float) -> None:
    """Every pixel has a ray, and the ray comes back to the pixel."""
    camera = camera_model(CameraConfig(lens="plumb_bob", horizontal_fov_deg=fov_deg))
    corners = np.array([[0.0, 0.0], [639.0, 0.0], [0.0, 479.0], [639.0, 479.0], [320.0, 240.0]])
    back = geometry.project(camera, geometry.unproject(camera, corners))
    np.testing.assert_allclose(back, corners, atol=1e-3)


def test_looking_is_upright() -> None:
    """The axes are: z along the view, x level, y down."""
    R = looking(np.array([[1.0, 0.5, -0.7], [-0.3, 2.0, 0.1]]))
    np.testing.assert_allclose(np.linalg.det(R), 1.0)
    np.testing.assert_allclose(R[:, 2, 0], 0.0, atol=1e-12)
    assert bool((R[:, 2, 1] < 0).all())


def test_head_follows_the_hands_with_a_lag() -> None:
    """A while after the hands have moved, the head looks where they are; at once it does not."""
    motion = _mounted(mount="head", follow=1.0, sway=0.0, lag_s=0.2)
    t = np.array([1.9, 2.1, 5.0])
    T = motion.at(t)
    seen = se3.apply(se3.inverse(T), _step(t)[:, None])[:, 0]
    sideways = np.degrees(np.arctan2(np.abs(seen[:, 0]), seen[:, 2]))
    assert sideways[0] < 1.0
    assert sideways[1] > 10.0
    assert sideways[2] < 1.0


def test_following_settles_without_overshoot() -> None:
    """A critically damped follower approaches its goal from one side."""
    smooth = followed(_step, SECONDS, 0.25)
    y = smooth(np.linspace(2.0, 6.0, 400))[:, 1]
    assert bool((np.diff(y) < 1e-6).all())
    assert y[-1] == pytest.approx(-0.2, abs=1e-3)


@pytest.mark.parametrize("mount", ["head", "chest"])
def test_worn_cameras_move_smoothly(mount: str) -> None:
    """No step in position or direction between instants a millisecond apart."""
    T = _mounted(mount=mount).at(np.arange(0.0, SECONDS, 0.001))
    assert np.linalg.norm(np.diff(T[:, :3, 3], axis=0), axis=-1).max() < 0.002
    assert np.abs(np.diff(T[:, :3, :3], axis=0)).max() < 0.006
    assert np.ptp(T[:, :3, 3], axis=0).max() > 1e-4


def test_static_camera_looks_at_the_table_and_stays() -> None:
    """It does not move, and the table's middle is near its axis."""
    T = _mounted(mount="static").at(np.array([0.0, 3.0, 6.0]))
    np.testing.assert_array_equal(T[0], T[1])
    middle = se3.apply(se3.inverse(T[:1]), np.array([[[0.36, 0.0, TABLE_M]]]))[0, 0]
    assert middle[2] > 0.3
    assert np.hypot(middle[0], middle[1]) / middle[2] < 0.2


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"horizontal_fov_deg": 5.0}, "horizontal_fov_deg is 5.0"),
        ({"horizontal_fov_deg": 160.0}, "or lens fisheye"),
        ({"width_px": 4}, "width_px is 4"),
        ({"follow": 1.5}, "follow is 1.5"),
    ],
)
def test_impossible_cameras_are_refused(options: dict[str, object], words: str) -> None:
    """The message names the field and its value."""
    with pytest.raises(ConfigError, match=words):
        CameraConfig(**options)  # type: ignore[arg-type]
