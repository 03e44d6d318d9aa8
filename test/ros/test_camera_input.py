"""Which intrinsics an image gets, and what is said where it gets none."""

from __future__ import annotations

import math

import pytest

from hand4d_ros.errors import ConfigError, GeometryError
from hand4d_ros.ros.announce import Announcer
from hand4d_ros.ros.camera_input import CameraInput, NoCamera
from hand4d_ros.ros.input_config import CameraInputConfig
from hand4d_ros.types import CameraModel

_CAMERA = CameraModel(640, 480, 500.0, 500.0, 320.0, 240.0)
_SECOND = 1_000_000_000


class _Log:
    def __init__(self) -> None:
        self.text = ""

    def warning(self, text: str) -> None:
        self.text += text + "\n"

    error = info = warning


def _input(config: CameraInputConfig) -> tuple[CameraInput, _Log]:
    log = _Log()
    return CameraInput(config, Announcer(log), "/cam/camera_info"), log


def test_camera_info_is_taken_where_it_fits() -> None:
    """An image of the size of camera_info gets that camera, and nothing is said."""
    cameras, log = _input(CameraInputConfig())
    cameras.put(_CAMERA)
    assert cameras.camera_for(640, 480, _SECOND) == _CAMERA
    assert log.text == ""


def test_without_camera_info_images_are_dropped_and_the_topic_is_named() -> None:
    """Nothing is guessed: no intrinsics, no hands."""
    cameras, log = _input(CameraInputConfig())
    with pytest.raises(NoCamera, match="no_camera_info"):
        cameras.camera_for(640, 480, _SECOND)
    assert "no camera_info on /cam/camera_info" in log.text


def test_given_intrinsics_step_in_after_a_while_and_say_so_once() -> None:
    """The given field of view is used from two seconds of images on, announced once."""
    cameras, log = _input(CameraInputConfig(horizontal_fov_deg=90.0))
    with pytest.raises(NoCamera, match="no_camera_info"):
        cameras.camera_for(640, 480, _SECOND)
    for second in (3, 4, 5):
        camera = cameras.camera_for(640, 480, second * _SECOND)
        assert math.isclose(camera.fx_px, 320.0)
    assert log.text.count("the given intrinsics are used") == 1


def test_camera_info_that_comes_late_wins() -> None:
    """Given intrinsics are a fallback, not a choice."""
    cameras, _ = _input(CameraInputConfig(fx_px=400.0, wait_s=0.0))
    assert cameras.camera_for(640, 480, _SECOND).fx_px == 400.0
    cameras.put(_CAMERA)
    assert cameras.camera_for(640, 480, 2 * _SECOND).fx_px == 500.0


def test_given_means_given() -> None:
    """With source 'given' camera_info is ignored, and the missing numbers are filled in."""
    config = CameraInputConfig(source="given", fx_px=400.0, cx_px=300.0)
    cameras, _ = _input(config)
    cameras.put(_CAMERA)
    camera = cameras.camera_for(640, 480, _SECOND)
    assert (camera.fx_px, camera.fy_px, camera.cx_px, camera.cy_px) == (400.0, 400.0, 300.0, 239.5)


def test_uncalibrated_camera_is_an_error_with_a_remedy() -> None:
    """A camera_info of zeros drops images, or makes way for given intrinsics at once."""
    fault = GeometryError("camera fx_px is 0.0; expected a positive focal length")
    cameras, log = _input(CameraInputConfig())
    cameras.put(fault)
    with pytest.raises(NoCamera, match="camera_info_invalid"):
        cameras.camera_for(640, 480, _SECOND)
    assert "fx_px is 0.0" in log.text
    assert "camera.horizontal_fov_deg" in log.text
    cameras, _ = _input(CameraInputConfig(fx_px=400.0))
    cameras.put(fault)
    assert cameras.camera_for(640, 480, _SECOND).fx_px == 400.0


def test_another_size_is_dropped_or_scaled_as_asked() -> None:
    """Half the size is scaled on request; another aspect ratio never is."""
    cameras, log = _input(CameraInputConfig())
    cameras.put(_CAMERA)
    with pytest.raises(NoCamera, match="camera_info_size"):
        cameras.camera_for(320, 240, _SECOND)
    assert "images are 320x240, but camera_info on /cam/camera_info says 640x480" in log.text
    cameras, _ = _input(CameraInputConfig(on_size_mismatch="scale"))
    cameras.put(_CAMERA)
    assert cameras.camera_for(320, 240, _SECOND).fx_px == 250.0
    with pytest.raises(NoCamera, match="camera_info_size"):
        cameras.camera_for(320, 180, _SECOND)


def test_contradictions_in_the_config_are_refused() -> None:
    """Two ways to give the focal length, or none where one is needed."""
    with pytest.raises(ConfigError, match="give one of them"):
        CameraInputConfig(fx_px=400.0, horizontal_fov_deg=60.0)
    with pytest.raises(ConfigError, match="no intrinsics are"):
        CameraInputConfig(source="given")
