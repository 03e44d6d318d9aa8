"""Projection equals OpenCV's, its derivative equals differences, and back is the inverse."""

from __future__ import annotations

import dataclasses

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hand4d_ros.errors import GeometryError
from hand4d_ros.geometry import camera as cam
from hand4d_ros.geometry.lens import EquidistantLens, PolynomialLens
from hand4d_ros.shapes import Array
from hand4d_ros.types import CameraModel

PERFECT = CameraModel(640, 480, 400.0, 410.0, 321.0, 238.0)
BARREL = dataclasses.replace(PERFECT, distortion=(-0.28, 0.07, 1e-3, -2e-3, 0.0))
PINCUSHION = dataclasses.replace(PERFECT, distortion=(0.21, 0.05, -1e-3, 5e-4, 0.01))
RATIONAL = dataclasses.replace(
    PERFECT,
    model="rational_polynomial",
    distortion=(0.42, -2.4, 3e-4, -2e-4, 1.45, 0.31, -2.2, 1.37),
)
FISHEYE = CameraModel(
    1280, 1024, 380.0, 381.0, 640.5, 511.0, "equidistant", (-0.013, 0.021, -0.017, 0.0042)
)
FISHEYE_IDEAL = dataclasses.replace(FISHEYE, distortion=())
CAMERAS = {
    "perfect": PERFECT,
    "barrel": BARREL,
    "pincushion": PINCUSHION,
    "rational": RATIONAL,
    "fisheye": FISHEYE,
    "fisheye_ideal": FISHEYE_IDEAL,
}
every_camera = pytest.mark.parametrize("camera", CAMERAS.values(), ids=CAMERAS.keys())


def points(widest_rad: float, *shape: int) -> Array:
    """Seeded points 0.2 to 1 m away, within an angle of the optical axis."""
    rng = np.random.default_rng(2)
    angle, azimuth = rng.uniform(0.0, widest_rad, shape), rng.uniform(0.0, 2 * np.pi, shape)
    sine = np.sin(angle)
    p = np.stack([sine * np.cos(azimuth), sine * np.sin(azimuth), np.cos(angle)], axis=-1)
    return p * rng.uniform(0.2, 1.0, (*shape, 1))


@every_camera
def test_projection_equals_opencv(camera: CameraModel) -> None:
    """OpenCV's own projection gives the same pixels."""
    p = points(0.6, 50)
    K, zero = cam.matrix(camera), np.zeros(3)
    d = np.array(cam.check_camera(camera).distortion)
    if camera.model == "equidistant":
        expected, _ = cv2.fisheye.projectPoints(p[:, None], zero, zero, K, d)
    else:
        expected, _ = cv2.projectPoints(p, zero, zero, K, d)
    np.testing.assert_allclose(cam.project(camera, p), expected.reshape(-1, 2), atol=1e-9)


@every_camera
@pytest.mark.parametrize("shape", [(), (7,), (2, 21)])
def test_jacobian_equals_central_differences(camera: CameraModel, shape: tuple[int, ...]) -> None:
    """The analytic derivative is that of project, for every batch shape."""
    p = points(0.6, *shape)
    px, J = cam.project_with_jacobian(camera, p)
    assert J.shape == (*shape, 2, 3)
    np.testing.assert_allclose(px, cam.project(camera, p), atol=1e-12)
    step_m = 1e-6
    for axis in range(3):
        shift = step_m * np.eye(3)[axis]
        slope = (cam.project(camera, p + shift) - cam.project(camera, p - shift)) / (2 * step_m)
        np.testing.assert_allclose(J[..., axis], slope, rtol=1e-6, atol=1e-4)


def test_jacobian_of_a_fisheye_past_ninety_degrees_and_on_its_axis() -> None:
    """Behind its plane and exactly on the axis the derivative holds as well."""
    p = np.array([[0.3, -0.1, -0.05], [0.0, 0.0, 0.5], [1e-9, 0.0, 0.5], [0.2, 0.0, 0.0]])
    _, J = cam.project_with_jacobian(FISHEYE, p)
    for axis in range(3):
        shift = 1e-6 * np.eye(3)[axis]
        slope = (cam.project(FISHEYE, p + shift) - cam.project(FISHEYE, p - shift)) / 2e-6
        np.testing.assert_allclose(J[..., axis], slope, rtol=1e-5, atol=1e-3)


@every_camera
def test_unproject_inverts_project(camera: CameraModel) -> None:
    """Directions come back as unit vectors, for one pixel and for many."""
    p = points(0.6, 3, 40)
    direction = p / np.linalg.norm(p, axis=-1, keepdims=True)
    np.testing.assert_allclose(cam.unproject(camera, cam.project(camera, p)), direction, atol=1e-10)
    one = cam.unproject(camera, cam.project(camera, p[0, 0]))
    np.testing.assert_allclose(one, direction[0, 0], atol=1e-10)


@every_camera
def test_every_pixel_of_the_image_round_trips(camera: CameraModel) -> None:
    """From pixels to directions and back, corners and principal point included."""
    u, v = np.meshgrid(
        np.linspace(0, camera.width_px - 1, 9), np.linspace(0, camera.height_px - 1, 7)
    )
    px = np.stack([u, v], axis=-1)
    px[0, 1] = camera.cx_px, camera.cy_px
    back = cam.project(camera, cam.unproject(camera, px))
    np.testing.assert_allclose(back, px, atol=1e-6)


@pytest.mark.parametrize("camera", [FISHEYE, FISHEYE_IDEAL], ids=["real", "ideal"])
def test_fisheye_of_150_degrees_round_trips(camera: CameraModel) -> None:
    """Up to 75 degrees from the axis, and on to 100, directions survive."""
    p = points(np.deg2rad(100.0), 400)
    direction = p / np.linalg.norm(p, axis=-1, keepdims=True)
    px = cam.project(camera, p)
    assert np.isfinite(px).all()
    np.testing.assert_allclose(cam.unproject(camera, px), direction, atol=1e-9)


@given(
    k=st.tuples(*[st.floats(-0.4, 0.4)] * 3),
    p=st.tuples(*[st.floats(-0.01, 0.01)] * 2),
    at=st.tuples(st.floats(-1.5, 1.5), st.floats(-1.5, 1.5)),
)
@settings(max_examples=60, deadline=None, derandomize=True)
def test_unproject_is_right_or_nan(
    k: tuple[float, float, float], p: tuple[float, float], at: tuple[float, float]
) -> None:
    """Whatever the lens, a point that has a pixel is found again from it."""
    camera = dataclasses.replace(PERFECT, distortion=(k[0], k[1], p[0], p[1], k[2]))
    point = np.array([at[0], at[1], 1.0])
    px = cam.project(camera, point)
    if np.isfinite(px).all():
        found = cam.unproject(camera, px)
        np.testing.assert_allclose(found / found[2], point, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("camera", [PERFECT, BARREL, RATIONAL], ids=["none", "barrel", "rational"])
def test_behind_a_pinhole_is_nan(camera: CameraModel) -> None:
    """Points behind, in the plane of, or at the pinhole have no pixel and warn of nothing."""
    p = np.array([[0.1, 0.1, -0.5], [0.1, 0.0, 0.0], [0.0, 0.0, 0.0], [np.nan, 0.0, 1.0]])
    with np.errstate(all="raise"):
        px, J = cam.project_with_jacobian(camera, p)
        assert np.isnan(px[:3]).all()
        assert np.isnan(px[3, 0])
        assert np.isnan(J).any(axis=(-1, -2)).all()
        assert np.isnan(cam.project(camera, p)).any(axis=-1).all()


def test_fisheye_has_no_pixel_at_its_centre_or_straight_behind() -> None:
    """The centre of projection and the backward axis have no pixel."""
    p = np.array([[0.0, 0.0, 0.0], [0.0, 0.0, -1.0]])
    assert np.isnan(cam.project(FISHEYE, p)).all()
    assert np.isnan(cam.project_with_jacobian(FISHEYE_IDEAL, p)[0]).all()


def test_folded_distortion_gives_nan_where_opencv_gives_a_wrong_pixel() -> None:
    """Barrel distortion folds at 3 k1 s = -1: beyond it pixels would come back into the image."""
    camera = dataclasses.replace(PERFECT, distortion=(-0.3, 0.0, 0.0, 0.0, 0.0))
    fold = np.sqrt(1.0 / 0.9)
    inside, outside = np.array([0.99 * fold, 0.0, 1.0]), np.array([1.6 * fold, 0.0, 1.0])
    wrong, _ = cv2.projectPoints(
        outside[None], np.zeros(3), np.zeros(3), cam.matrix(camera), np.array(camera.distortion)
    )
    assert bool(cam.in_image(camera, wrong.reshape(2)))
    assert np.isfinite(cam.project(camera, inside)).all()
    assert np.isnan(cam.project(camera, outside)).all()
    assert np.isnan(cam.project_with_jacobian(camera, outside)[1]).any()


def test_field_has_its_closed_forms() -> None:
    """The field ends where the derivative of the radius vanishes, or is endless."""
    assert PolynomialLens(-0.3, 0.0, 0.0, 0.0).field == pytest.approx(1.0 / 0.9)
    assert PolynomialLens(0.3, 0.1, 0.0, 0.0).field == np.inf
    # The denominator 1 - s/4 vanishes at s = 4, where the radius is infinite.
    assert PolynomialLens(0.0, 0.0, 0.0, 0.0, 0.0, -0.25).field == pytest.approx(4.0)
    # 1 - 3 a t^2 vanishes at t = 1 / sqrt(3 a).
    assert EquidistantLens(-0.2, 0.0, 0.0, 0.0).field == pytest.approx(np.sqrt(1.0 / 0.6))
    assert EquidistantLens(0.1, 0.0, 0.0, 0.0).field == pytest.approx(np.pi)


def test_tangential_terms_narrow_the_field() -> None:
    """A lens that its tangential terms fold sooner has a narrower field, all of it regular."""
    lens = PolynomialLens(-0.3, 0.0, 0.05, -0.04)
    assert lens.field < PolynomialLens(-0.3, 0.0, 0.0, 0.0).field
    azimuth = np.linspace(0.0, 2.0 * np.pi, 50)
    radius = np.sqrt(lens.field) * np.linspace(0.0, 0.999, 50)[:, None]
    p = np.stack([radius * np.cos(azimuth), radius * np.sin(azimuth), np.ones((50, 50))], axis=-1)
    _, J = lens.image_with_jacobian(p)
    assert (np.linalg.det(J[..., :2]) > 0.0).all()


def test_unproject_outside_of_the_field_is_nan() -> None:
    """A pixel that no direction projects to gives NaN, and its neighbours are not harmed."""
    camera = dataclasses.replace(PERFECT, distortion=(-0.3, 0.0, 0.0, 0.0, 0.0))
    fisheye = dataclasses.replace(FISHEYE, distortion=(-0.2, 0.0, 0.0, 0.0))
    px = np.array([[camera.cx_px + 2000.0, 0.0], [camera.cx_px, camera.cy_px], [np.nan, 1.0]])
    for model in (camera, fisheye):
        px[1] = model.cx_px, model.cy_px
        bearing = cam.unproject(model, px)
        assert np.isnan(bearing[0]).all()
        np.testing.assert_allclose(bearing[1], [0.0, 0.0, 1.0], atol=1e-12)
        assert np.isnan(bearing[2]).any()
    assert np.isnan(cam.unproject(FISHEYE_IDEAL, np.array([5000.0, 0.0]))).all()


def test_camera_from_fov_sees_its_field_between_the_edges() -> None:
    """The left and the right edge are half the field away from the axis."""
    camera = cam.camera_from_fov(640, 480, np.deg2rad(90.0))
    left, right = cam.unproject(camera, np.array([[-0.5, 239.5], [639.5, 239.5]]))
    np.testing.assert_allclose(left, [-np.sqrt(0.5), 0.0, np.sqrt(0.5)], atol=1e-12)
    np.testing.assert_allclose(right, [np.sqrt(0.5), 0.0, np.sqrt(0.5)], atol=1e-12)
    assert camera.fx_px == camera.fy_px


@pytest.mark.parametrize("fov_rad", [0.0, -1.0, np.pi, np.nan])
def test_camera_from_fov_refuses_impossible_angles(fov_rad: float) -> None:
    """An angle outside of (0, pi) is an error."""
    with pytest.raises(GeometryError, match="horizontal field of view"):
        cam.camera_from_fov(640, 480, fov_rad)


def test_scaled_camera_is_that_of_the_resized_image() -> None:
    """A blob found in a resized image lies on the ray of the original's."""
    camera = dataclasses.replace(BARREL, cx_px=319.5, cy_px=239.5)
    half = cam.scaled(camera, 320, 240)
    image = np.zeros((480, 640))
    image[100:102, 500:502] = 1.0
    small = cv2.resize(image, (320, 240), interpolation=cv2.INTER_AREA)
    v, u = np.argwhere(small > 0.0)[0]
    np.testing.assert_allclose(
        cam.unproject(half, np.array([u, v], dtype=np.float64)),
        cam.unproject(camera, np.array([500.5, 100.5])),
        atol=1e-12,
    )
    assert half.distortion == camera.distortion


def test_scaled_refuses_no_size() -> None:
    """A size of zero is an error."""
    with pytest.raises(GeometryError, match="width_px is 0"):
        cam.scaled(PERFECT, 0, 240)


def test_in_image_counts_half_pixels_and_margins() -> None:
    """The image covers -0.5 .. size - 0.5; NaN is outside; a margin shrinks it."""
    px = np.array([[-0.5, -0.5], [639.5, 479.5], [-0.51, 3.0], [3.0, 479.51], [np.nan, 3.0]])
    assert cam.in_image(PERFECT, px).tolist() == [True, True, False, False, False]
    assert cam.in_image(PERFECT, px[:2], margin_px=1.0).tolist() == [False, False]
    assert bool(cam.in_image(PERFECT, np.array([-5.0, 3.0]), margin_px=-5.0))


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"width_px": 0}, "width_px is 0"),
        ({"height_px": -480}, "height_px is -480"),
        ({"width_px": 10**6}, "width_px is 1000000"),
        ({"fx_px": 0.0}, "fx_px is 0.0"),
        ({"fy_px": float("nan")}, "fy_px is nan"),
        ({"fx_px": -400.0}, "fx_px is -400"),
        ({"fy_px": float("inf")}, "fy_px is inf"),
        ({"cx_px": float("nan")}, "cx_px is nan"),
        ({"model": "ftheta"}, "unknown distortion model 'ftheta'; known are plumb_bob"),
        ({"distortion": (0.1, float("nan"))}, "not finite"),
        ({"distortion": (0.1,) * 8}, "plumb_bob has 5 distortion coefficients; got 8"),
        ({"model": "equidistant", "distortion": (0.1,) * 5}, "equidistant has 4"),
    ],
)
def test_check_camera_says_what_is_wrong(change: dict[str, object], says: str) -> None:
    """Every unusable camera is refused by check_camera and by project alike."""
    camera = dataclasses.replace(PERFECT)
    for name, value in change.items():  # Past the type checks, as a message converter may go.
        object.__setattr__(camera, name, value)
    with pytest.raises(GeometryError, match=says):
        cam.check_camera(camera)
    with pytest.raises(GeometryError, match=says):
        cam.project(camera, np.array([0.0, 0.0, 1.0]))


def test_check_camera_pads_and_drops_zeros() -> None:
    """Short tuples are padded; surplus zeros, which some drivers send, are dropped."""
    short = dataclasses.replace(PERFECT, distortion=(0.1, 0.2))
    assert cam.check_camera(short).distortion == (0.1, 0.2, 0.0, 0.0, 0.0)
    surplus = dataclasses.replace(PERFECT, distortion=(0.1, 0.2, 0.0, 0.0, 0.3, 0.0, 0.0, 0.0))
    assert cam.check_camera(surplus).distortion == (0.1, 0.2, 0.0, 0.0, 0.3)
