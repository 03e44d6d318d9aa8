"""Properties of the sensor, forecast and marker halves of the wire."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from wire_samples import STAMP_NS, as_object, tracked_hands

from hand4d_ros import wire_forecast, wire_markers, wire_sensors
from hand4d_ros.errors import GeometryError, RosError
from hand4d_ros.geometry import se3, so3
from hand4d_ros.geometry.camera import check_camera
from hand4d_ros.imaging import rgb_from_image_message
from hand4d_ros.types import CameraModel, ForecastMode, HandForecast, Side, TrackingState

CAMERAS = [
    CameraModel(640, 480, 500.0, 501.0, 320.5, 239.5),
    CameraModel(640, 480, 500.0, 501.0, 320.5, 239.5, "plumb_bob", (0.1, -0.2, 0.001, 0.002, 0.05)),
    CameraModel(640, 480, 300.0, 300.0, 320.0, 240.0, "equidistant", (0.01, 0.02, -0.01, 0.001)),
    CameraModel(640, 480, 500.0, 500.0, 320.0, 240.0, "rational_polynomial", (0.1,) * 8),
]


@pytest.mark.parametrize("camera", CAMERAS)
def test_camera_info_round_trip(camera: CameraModel) -> None:
    """Every camera model survives the message exactly."""
    message = as_object(wire_sensors.camera_info(camera, STAMP_NS, "head"))
    assert wire_sensors.camera_from_info(message) == check_camera(camera)


def test_camera_info_roi_and_binning() -> None:
    """A pixel of the cropped, binned image sees what the same pixel of the full image sees."""
    message = wire_sensors.camera_info(CAMERAS[0], STAMP_NS, "head")
    message["roi"].update(x_offset=100, y_offset=40, width=400, height=300)
    message["binning_x"] = message["binning_y"] = 2
    camera = wire_sensors.camera_from_info(as_object(message))
    assert (camera.width_px, camera.height_px) == (200, 150)
    assert camera.cx_px == pytest.approx((320.5 - 100) / 2)
    assert camera.fy_px == pytest.approx(501.0 / 2)


@pytest.mark.parametrize("fisheye", ["fisheye", "equidistant"])
def test_camera_info_names_of_equidistant(fisheye: str) -> None:
    """Drivers call the equidistant model by two names."""
    message = wire_sensors.camera_info(CAMERAS[2], STAMP_NS, "head")
    message["distortion_model"] = fisheye
    assert wire_sensors.camera_from_info(as_object(message)) == check_camera(CAMERAS[2])


@pytest.mark.parametrize(
    ("change", "text"),
    [
        ({"distortion_model": "thin_prism"}, "thin_prism"),
        ({"k": np.zeros(9)}, "f"),
        ({"k": np.full(9, np.nan)}, "f"),
        ({"width": 0}, "width"),
    ],
)
def test_bad_camera_info(change: dict[str, object], text: str) -> None:
    """Unknown models, zero or NaN intrinsics and empty sizes are refused."""
    message = wire_sensors.camera_info(CAMERAS[0], STAMP_NS, "head")
    message.update(change)
    with pytest.raises(GeometryError, match=text):
        wire_sensors.camera_from_info(as_object(message))


def test_odometry_round_trip() -> None:
    """Stamp and pose of odometry survive; NaN stays NaN."""
    T = se3.from_rotation_translation(so3.exp(np.array([0.1, 2.0, -0.3])), np.array([1.0, 2, 3]))
    message = wire_sensors.odometry(T, STAMP_NS, "odom", "base_link")
    stamp_ns, got = wire_sensors.stamped_pose_from_odometry(as_object(message))
    assert stamp_ns == STAMP_NS
    np.testing.assert_allclose(got, T, atol=1e-12)
    message["pose"]["pose"]["position"]["x"] = float("nan")
    _, broken = wire_sensors.stamped_pose_from_odometry(as_object(message))
    assert np.isnan(broken[0, 3])


def test_image_round_trip() -> None:
    """An image survives its message."""
    rgb = np.random.default_rng(0).integers(0, 256, (7, 5, 3), dtype=np.uint8)
    message = as_object(wire_sensors.image(rgb, STAMP_NS, "head"))
    np.testing.assert_array_equal(rgb_from_image_message(message), rgb)


def test_drops_in_diagnostics() -> None:
    """Counts of dropped frames come back by reason, and nothing else does."""
    values = {"drops.no_odometry": 3, "drops.bad_image": 0, "rate_hz": 29.9, "drops.text": "n/a"}
    message = wire_sensors.diagnostic_array(STAMP_NS, 1, "hand4d/tracker", "ok", values)
    got = wire_sensors.drops_from_diagnostics(as_object(message))
    assert got == {"no_odometry": 3, "bad_image": 0}


def forecast(side: Side) -> HandForecast:
    """Return a random forecast of two modes and four steps."""
    rng = np.random.default_rng(int(side))

    def mode(probability: float, mano: bool) -> ForecastMode:
        R = so3.exp(rng.normal(size=(4, 3)))
        return ForecastMode(
            probability=probability,
            T_world_wrist=se3.from_rotation_translation(R, rng.normal(size=(4, 3))),
            wrist_covariance_m2=rng.normal(size=(4, 3, 3)),
            fingertips_m=rng.normal(size=(4, 5, 3)),
            radius_m=rng.uniform(size=4),
            mano_pose=rng.normal(size=(4, 48)) if mano else None,
        )

    modes = (mode(0.75, mano=True), mode(0.25, mano=False))
    return HandForecast(STAMP_NS, side, f"{side.label}-1", 0.5, 33_333_333, 0.875, modes)


def test_forecast_round_trip() -> None:
    """Forecasts of both hands survive the message, with and without MANO poses."""
    both = (forecast(Side.LEFT), forecast(Side.RIGHT))
    message = wire_forecast.forecast_array(both, STAMP_NS + 5, "odom", "model")
    assert message["horizon"] == {"sec": 0, "nanosec": 4 * 33_333_333}
    got = wire_forecast.forecasts_from_array(as_object(message))
    for one, other in zip(got, both, strict=True):
        assert replace(one, modes=()) == replace(other, modes=())
        for a, b in zip(one.modes, other.modes, strict=True):
            assert (a.mano_pose is None) == (b.mano_pose is None)
            for name in ("T_world_wrist", "wrist_covariance_m2", "fingertips_m", "radius_m"):
                np.testing.assert_allclose(getattr(a, name), getattr(b, name), rtol=1e-6, atol=1e-7)


def test_forecasts_of_different_stamps_are_refused() -> None:
    """One array is one instant."""
    one = forecast(Side.LEFT)
    with pytest.raises(RosError, match="one stamp, time step and coverage"):
        wire_forecast.forecast_array(
            (one, replace(one, stamp_ns=STAMP_NS + 1)), STAMP_NS, "odom", ""
        )
    with pytest.raises(RosError, match="one stamp"):
        wire_forecast.forecast_array((), STAMP_NS, "odom", "")


def test_forecast_with_unknown_side_is_refused() -> None:
    """A side outside of the constants is an error."""
    message = wire_forecast.forecast_array((forecast(Side.LEFT),), STAMP_NS, "odom", "m")
    message["hands"][0]["side"] = 7
    with pytest.raises(RosError, match="HandForecast"):
        wire_forecast.forecasts_from_array(as_object(message))


def test_markers_show_seen_hands_and_delete_the_others() -> None:
    """Bones, joints and a label for a tracked hand; a lost or absent one is deleted."""
    hands = tracked_hands()
    markers = wire_markers.marker_array(hands)["markers"]
    assert [m["action"] for m in markers] == [0] * 6
    assert len(markers[0]["points"]) == 40
    assert markers[0]["color"]["a"] < markers[3]["color"]["a"]
    assert "predicted" in markers[2]["text"]
    lost = replace(hands.tracks[0], tracking_state=TrackingState.LOST)
    markers = wire_markers.marker_array(replace(hands, tracks=(lost,)))["markers"]
    assert [m["action"] for m in markers] == [2] * 6
    assert len({(m["ns"], m["id"]) for m in markers}) == 6
