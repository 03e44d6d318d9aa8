"""The fisheye of Meta's headsets."""

from __future__ import annotations

import numpy as np

from hand4d_ros.datasets.fisheye624 import Fisheye624
from hand4d_ros.geometry.camera import project

LENS = Fisheye624(
    width_px=1280,
    height_px=1024,
    focal_px=(504.5934753417969, 503.1),
    centre_px=(638.3945922851562, 509.4228515625),
    coefficients=(
        *(0.043982941657304764, -0.0448598638176918, 0.01613209955394268),
        *(-0.010928832925856113, 0.003512823488563299, -0.0005242047017270327),
        *(0.00047754947445355356, -4.744782927446067e-05),
        *(0.0006, -0.0002, -0.0004, 0.0001),
    ),
)
"""A Quest 3 camera's calibration, with prism terms added."""


def test_pixels_are_those_of_the_makers_toolkit() -> None:
    """Pixels that hand_tracking_toolkit (ffb20d0, OVR624CameraModel) gives, past 90 degrees too."""
    points = np.array([[0.0, 0.0, 1.0], [0.3, -0.2, 0.6], [-0.5, 0.4, 0.2], [0.9, 0.1, -0.05]])
    expected = [
        [638.394592285156, 509.4228515625],
        [867.960300508538, 356.871184420689],
        [151.109419565163, 898.346382379882],
        [1326.237561260051, 585.3049204862],
    ]
    np.testing.assert_allclose(LENS.project(points), expected, atol=1e-9)


def test_without_coefficients_the_radius_is_the_angle() -> None:
    """The equidistant lens: focal length times the angle from the axis."""
    lens = Fisheye624(10, 10, (100.0, 100.0), (0.0, 0.0), (0.0,) * 12)
    angle = np.array([0.0, 0.3, 1.0, 2.0])
    directions = np.stack([np.sin(angle), np.zeros(4), np.cos(angle)], axis=1)
    found = lens.project(directions)
    np.testing.assert_allclose(found[:, 0], 100.0 * angle, atol=1e-9)
    np.testing.assert_allclose(found[:, 1], 0.0, atol=1e-12)


def test_a_point_is_seen_alike_through_both_cameras() -> None:
    """The pixel of a point in the pinhole comes from the point's pixel in the fisheye."""
    pinhole = LENS.pinhole(0.5)
    source_px = LENS.source_px(pinhole)
    assert source_px.shape == (1024, 1280, 2)
    point = np.array([0.11, -0.07, 0.3])
    column, row = project(pinhole, point)
    nearest = source_px[round(row), round(column)]
    np.testing.assert_allclose(nearest, LENS.project(point), atol=2.0)
    exact = LENS.project(np.array([(700 - 638.3945922851562) / (0.5 * 504.5934753417969), 0.0, 1]))
    row_of_axis = 509.4228515625
    interpolated = source_px[509, 700] + (row_of_axis - 509) * (
        source_px[510, 700] - source_px[509, 700]
    )
    np.testing.assert_allclose(interpolated, exact, atol=1e-3)
