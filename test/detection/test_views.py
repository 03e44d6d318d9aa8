"""Cuts show what they say they show, and views turn towards the hand."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from hand4d_ros.detection import views
from hand4d_ros.detection.views import Square, View
from hand4d_ros.geometry import camera as cameras
from hand4d_ros.shapes import Array
from hand4d_ros.types import CameraModel

PINHOLE = CameraModel(640, 480, 400.0, 410.0, 320.0, 240.0)
BARREL = dataclasses.replace(PINHOLE, distortion=(-0.28, 0.07, 1e-3, -2e-3, 0.0))
FISHEYE = CameraModel(
    640, 480, 190.0, 190.0, 320.0, 240.0, "equidistant", (-0.013, 0.021, -0.017, 0.0042)
)
EVERY = pytest.mark.parametrize("camera", [PINHOLE, BARREL, FISHEYE], ids=["pin", "barrel", "fish"])


def ramps(width_px: int, height_px: int) -> Array:
    """An image whose red is x / 4 and whose green is y / 4."""
    y, x = np.mgrid[:height_px, :width_px]
    colours: Array = np.stack([x / 4.0, y / 4.0, 0.0 * x], axis=-1).round().astype(np.uint8)
    return colours


def view_at(x: float, y: float, half_tan: float = 0.25) -> View:
    """A view towards (x, y, 1)."""
    return View(views.turn_towards(np.array([x, y, 1.0])), half_tan)


@pytest.mark.parametrize("direction", [(0.0, 0.0, 1.0), (0.7, -0.3, 0.5), (0.0, 1.0, -0.9)])
def test_turn_towards_is_the_shortest_rotation(direction: tuple[float, float, float]) -> None:
    """It takes z to the direction, is a rotation, and turns about an axis in the image plane."""
    R = views.turn_towards(np.array(direction))
    np.testing.assert_allclose(R @ R.T, np.eye(3), atol=1e-12)
    assert np.linalg.det(R) == pytest.approx(1.0)
    np.testing.assert_allclose(R[:, 2], np.array(direction) / np.linalg.norm(direction))
    assert R[0, 1] == pytest.approx(R[1, 0])


@EVERY
def test_a_view_shows_the_pixels_of_its_rays(camera: CameraModel) -> None:
    """Every pixel of the cut has the colour of the image where its ray meets it."""
    view = view_at(0.3, -0.2)
    cut = view.cut(ramps(640, 480), camera, 224)
    at = (np.arange(224) + 0.5) / 224
    px = cameras.project(camera, view.rays(np.stack(np.meshgrid(at, at), axis=-1)))
    assert bool(cameras.in_image(camera, px).all())
    np.testing.assert_allclose(cut[..., :2], px / 4.0, atol=1.01)


def test_a_view_is_black_beyond_the_image() -> None:
    """What the camera does not see is black."""
    cut = view_at(1.5, 0.0).cut(np.full((480, 640, 3), 255, dtype=np.uint8), PINHOLE, 224)
    assert cut.max() == 0


def test_a_wide_view_averages_what_it_shrinks() -> None:
    """A checkerboard of single pixels turns grey, not into a pattern of its own."""
    y, x = np.mgrid[:480, :640]
    board = np.repeat((255 * ((x + y) % 2)).astype(np.uint8)[..., None], 3, axis=-1)
    cut = view_at(0.0, 0.0, half_tan=0.55).cut(board, PINHOLE, 112)
    assert abs(float(cut.mean()) - 127.5) < 4.0
    assert float(cut.std()) < 60.0


def test_square_fractions_are_pixels() -> None:
    """The corners of a square are its edges, half a pixel outside of the outermost centres."""
    square = Square(10.0, 20.0, 40.0)
    np.testing.assert_allclose(
        square.px(np.array([[0.0, 0.0], [1.0, 1.0]])), [[9.5, 19.5], [49.5, 59.5]]
    )


def test_a_square_shows_the_pixels_it_says_it_shows() -> None:
    """Shrunk or enlarged, inside or reaching beyond the image, colours lie where px says."""
    image = ramps(640, 480)
    for square in (
        Square(100.0, 50.0, 384.0),
        Square(200.0, 300.0, 96.0),
        Square(0.0, -80.0, 640.0),
    ):
        cut = square.cut(image, 192)
        at = (np.arange(192) + 0.5) / 192
        px = square.px(np.stack(np.meshgrid(at, at), axis=-1))
        inside = cameras.in_image(PINHOLE, px, margin_px=8.0)
        outside = ~cameras.in_image(PINHOLE, px, margin_px=-8.0)
        np.testing.assert_allclose(cut[inside][:, :2], px[inside] / 4.0, atol=1.6)
        assert cut[outside].size == 0 or cut[outside].max() == 0


def test_a_square_beside_the_image_is_black() -> None:
    """Nothing of the image is in it, and nothing breaks."""
    assert Square(2000.0, -900.0, 100.0).cut(ramps(640, 480), 192).max() == 0


@pytest.mark.parametrize("size", [(640, 480), (512, 512), (1280, 720), (480, 640), (1920, 400)])
def test_squares_cover_the_image_from_below(size: tuple[int, int]) -> None:
    """Every pixel is in a square, and the first squares touch the lower edge."""
    squares = views.squares_of_image(*size)
    assert len(squares) >= 4
    covered = np.zeros(size[::-1], dtype=bool)
    for square in squares:
        left, top = round(square.left_px), round(square.top_px)
        end = round(square.left_px + square.side_px), round(square.top_px + square.side_px)
        covered[top : end[1], left : end[0]] = True
    assert covered.all()
    assert squares[0].top_px + squares[0].side_px == pytest.approx(size[1])
    whole = views.square_around_image(*size)
    assert whole.side_px == max(size)


def flat_hand(centre: tuple[float, float], size: float, turn_rad: float) -> Array:
    """Rays to a schematic hand in the plane z = 1: fingers straight, along ``turn_rad``."""
    along = np.array([0.0, 0.25, 0.4, 0.55, 0.65, 0.55, 0.75, 0.87, 1.0])
    fingers = [-0.1, 0.0, 0.1, 0.2]
    xy = [(0.05, 0.0), *((-0.1 - 0.3 * a, a) for a in along[1:5])]
    for x in fingers:
        xy += [(x, a) for a in along[5:]]
    hand = size * np.array(xy) * (1.0, -1.0)
    c, s = np.cos(turn_rad), np.sin(turn_rad)
    hand = hand @ np.array([[c, s], [-s, c]]) + centre
    return np.concatenate([hand, np.ones((21, 1))], axis=-1)


@pytest.mark.parametrize("turn_rad", [0.0, 1.0, 2.5, -2.0])
def test_view_from_keypoints_holds_the_hand_upright(turn_rad: float) -> None:
    """The whole hand is in the view, its middle near the middle, its fingers upwards."""
    rays = flat_hand((0.6, -0.4), 0.3, turn_rad)
    view = views.view_from_keypoints(rays)
    assert view is not None
    np.testing.assert_allclose(view.R_camera_view.T @ view.R_camera_view, np.eye(3), atol=1e-12)
    seen = rays @ view.R_camera_view
    xy = seen[:, :2] / seen[:, 2:] / view.half_tan
    assert np.abs(xy).max() < 1.0
    assert np.abs(xy.mean(axis=0)).max() < 0.35
    up = xy[9] - xy[0]
    assert up[1] < 0.0
    assert abs(up[0]) < 0.3 * abs(up[1])
    following = views.view_from_keypoints(view.rays(0.5 * (xy + 1.0)))
    assert following is not None
    assert following.is_near(view, 0.01)


def test_view_from_palm_looks_past_the_palm_at_the_fingers() -> None:
    """The view's middle lies half a palm from the palm's middle, towards the fingers."""
    corners = np.array([[-0.1, -0.1, 1], [0.1, -0.1, 1], [-0.1, 0.1, 1], [0.1, 0.1, 1]])
    view = views.view_from_palm(corners, np.array([0.0, 0.1, 1]), np.array([0.0, -0.08, 1]))
    assert view is not None
    middle = view.R_camera_view[:, 2]
    np.testing.assert_allclose(middle[:2] / middle[2], [0.0, -0.1], atol=1e-3)
    assert view.half_tan == pytest.approx(0.26, abs=1e-3)


def test_no_view_where_a_direction_is_unknown_or_the_hand_is_too_wide() -> None:
    """NaN and keypoints all around the camera give no view."""
    rays = flat_hand((0.0, 0.0), 0.3, 0.0)
    rays[3] = np.nan
    assert views.view_from_keypoints(rays) is None
    around = np.random.default_rng(0).normal(size=(21, 3))
    assert views.view_from_keypoints(around) is None


def test_is_near_compares_with_the_wider_view() -> None:
    """Ten degrees apart: near for a view of 60 degrees, not for one of 20."""
    wide, narrow = np.tan(np.deg2rad(30.0)), np.tan(np.deg2rad(10.0))
    apart = float(np.tan(np.deg2rad(10.0)))
    assert view_at(0.0, 0.0, wide).is_near(view_at(apart, 0.0, narrow), 0.5)
    assert not view_at(0.0, 0.0, narrow).is_near(view_at(apart, 0.0, narrow), 0.5)


@pytest.mark.parametrize("share", [0.0, 0.5, 1.0, 2.0])
def test_moved_on_turns_on_as_before(share: float) -> None:
    """From 10 to 25 degrees the view turns on by 15 degrees times the share, its roll kept."""
    before, now = (view_at(float(np.tan(np.deg2rad(a))), 0.0) for a in (10.0, 25.0))
    on = now.moved_on(before, share)
    expected = view_at(float(np.tan(np.deg2rad(25.0 + 15.0 * share))), 0.0)
    np.testing.assert_allclose(on.R_camera_view, expected.R_camera_view, atol=1e-12)
    assert on.half_tan == now.half_tan


def test_equalised_raises_contrast_in_the_dark() -> None:
    """A faint pattern in a dark image becomes a strong one; the image keeps its shape."""
    rng = np.random.default_rng(0)
    dark = np.repeat(rng.integers(10, 20, (192, 192, 1), dtype=np.uint8), 3, axis=-1)
    bright = views.equalised(dark)
    assert bright.shape == dark.shape
    assert float(bright.std()) > 2.0 * float(dark.std())
