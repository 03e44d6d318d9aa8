"""Pictures and the truth about them: same seed same picture, keypoints on hands, depth, light."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from hand4d_ros.geometry import camera as geometry
from hand4d_ros.shapes import Array, Float
from hand4d_ros.synthetic.cameras import CameraConfig
from hand4d_ros.synthetic.demo import demo_config
from hand4d_ros.synthetic.film import Film, Shot
from hand4d_ros.synthetic.render import Renderer
from hand4d_ros.synthetic.scene import TABLE_M, SceneConfig, build_scene
from hand4d_ros.types import Side

SMALL = CameraConfig(width_px=160, height_px=120)


def _film(seed: int = 3, **options: object) -> Film:
    config = SceneConfig(seed=seed, seconds=2.0, camera=SMALL, **options)  # type: ignore[arg-type]
    return Film(build_scene(config), Renderer())


@pytest.fixture(scope="module")
def film() -> Film:
    """A small film."""
    return _film()


@pytest.fixture(scope="module")
def shot(film: Film) -> Shot:
    """One picture of it."""
    return film.shot(20)


def test_pictures_repeat_bit_by_bit(film: Film, shot: Shot) -> None:
    """A picture is the same from another film of the same scene, and drawn out of order."""
    again = _film()
    again.shot(5)
    np.testing.assert_array_equal(again.shot(20).frame.image, shot.frame.image)
    np.testing.assert_array_equal(next(film.shots(20)).frame.image, shot.frame.image)
    np.testing.assert_array_equal(again.shot(20).depth_m, shot.depth_m)


def test_another_seed_looks_different(shot: Shot) -> None:
    """Seeds decide the looks too."""
    assert (_film(7).shot(20).frame.image != shot.frame.image).mean() > 0.5


def test_visible_keypoints_lie_on_the_hand(film: Film) -> None:
    """Where a keypoint counts as visible, the picture shows that hand there, or its arm."""
    seen = 0
    for index in (0, 20, 40):
        shot = film.shot(index)
        for side in Side:
            pixels = shot.truth.hands[side].camera.keypoints_px[shot.visible[side]]
            column, row = np.round(pixels).astype(int).T
            own = np.isin(shot.part[row, column], np.flatnonzero(film._own(side)))
            # A thin finger may miss the middle of a pixel by a hair.
            assert own.mean() > 0.85
            seen += len(own)
    assert seen > 30


def test_hands_cover_their_own_keypoints_and_nothing_far_away(shot: Shot) -> None:
    """The pixels of a hand lie within its keypoints' box and a margin of flesh."""
    for side in Side:
        rows, columns = np.nonzero(shot.part == int(side))
        pixels = shot.truth.hands[side].camera.keypoints_px
        low, high = np.nanmin(pixels, 0) - 16, np.nanmax(pixels, 0) + 16
        inside = (columns >= low[0]) & (columns <= high[0]) & (rows >= low[1]) & (rows <= high[1])
        assert inside.all()


def test_a_keypoint_behind_something_is_not_visible() -> None:
    """Of hands that grasp, some keypoints are hidden, and hidden ones are never out of view."""
    film = Film(build_scene(replace(demo_config(1), camera=SMALL)), Renderer())
    shot = film.shot(60)
    for side in Side:
        assert not (shot.visible[side] & ~shot.truth.hands[side].in_image).any()
    hidden = [shot.truth.hands[s].in_image & ~shot.visible[s] for s in Side]
    assert sum(int(h.sum()) for h in hidden) > 3


def test_depth_of_the_table_is_that_of_its_plane(film: Film, shot: Shot) -> None:
    """Where only the table is seen, the ray of the pixel ends at its height."""
    height, width = shot.depth_m.shape
    y, x = np.mgrid[0:height, 0:width]
    rays = geometry.unproject(film.scene.camera, np.stack((x, y), -1).astype(float))
    table = (shot.part < 0) & np.isfinite(shot.depth_m) & np.isfinite(rays).all(-1)
    assert table.mean() > 0.1
    rays = rays[table] / rays[table][:, 2:]
    points = rays * shot.depth_m[table][:, None]
    T = shot.truth.T_world_camera
    world = points @ T[:3, :3].T + T[:3, 3]
    np.testing.assert_allclose(world[:, 2], TABLE_M, atol=1e-4)


def test_hand_depth_is_near_that_of_the_keypoints(shot: Shot) -> None:
    """What is seen of a hand is no farther than its farthest keypoint and a finger's width."""
    for side in Side:
        seen = shot.depth_m[shot.part == int(side)]
        keypoints = shot.truth.hands[side].camera.keypoints_m[:, 2]
        assert seen.max() < keypoints.max() + 0.04
        assert seen.min() > keypoints.min() - 0.05


def _table_light(film: Film, *, lifted_m: float) -> Float[Array, "h w"]:
    """Brightness of a view from which the hands were lifted away."""
    truth = film.scene.frame_truth(20)
    view = film.view(truth, seed=0)
    parts = tuple(
        replace(part, vertices_m=part.vertices_m + np.array([0.0, 0.0, lifted_m]))
        for part in view.parts
    )
    spheres = view.occluders_m + np.array([0.0, 0.0, lifted_m, 0.0])
    picture = film.renderer.render([replace(view, parts=parts, occluders_m=spheres)])
    bright = picture.images[0].float().mean(-1)
    return np.where(picture.part[0].numpy() < 0, bright.numpy(), np.nan)


def test_hands_throw_shadows_on_the_table() -> None:
    """Near the hands the table is darker than without them, and nowhere brighter."""
    film = _film(difficulty="easy")
    with_hands = _table_light(film, lifted_m=0.0)
    without = _table_light(film, lifted_m=30.0)
    both = np.isfinite(with_hands) & np.isfinite(without)
    change = (with_hands - without)[both]
    assert (change < -10).mean() > 0.01
    assert change.max() < 8


def test_motion_blur_adds_up_exposures(film: Film) -> None:
    """Three times the same view exposed into one picture is that view."""
    view = film.view(film.scene.frame_truth(20), seed=1)
    once = film.renderer.render([view])
    thrice = film.renderer.render([view] * 3, exposures=3)
    off = (once.images.int() - thrice.images.int()).abs()
    assert int(off.max()) <= 1
    assert thrice.depth_m.shape[0] == 3


def test_a_batch_gives_the_pictures_of_its_views(film: Film) -> None:
    """Views drawn together are those drawn alone."""
    views = [film.view(film.scene.frame_truth(f), seed=f) for f in (0, 30)]
    together = film.renderer.render(views)
    for i, view in enumerate(views):
        alone = film.renderer.render([view])
        off = (alone.images[0].int() - together.images[i].int()).abs()
        assert int(off.max()) <= 1
        assert torch.equal(alone.part[0], together.part[i])


def test_hard_pictures_differ_from_easy_ones() -> None:
    """Difficulty changes sensor, blur and exposure but not where things are."""
    easy, hard = (_film(difficulty=d).shot(30) for d in ("easy", "hard"))
    assert (easy.part == hard.part).mean() > 0.99
    assert np.abs(easy.frame.image.astype(int) - hard.frame.image).mean() > 1.0


@pytest.mark.parametrize("lens", ["pinhole", "fisheye"])
def test_other_lenses_draw_keypoints_on_hands_too(lens: str) -> None:
    """Projection and truth agree for every lens."""
    camera = CameraConfig(width_px=160, height_px=120, lens=lens, horizontal_fov_deg=110.0)  # type: ignore[arg-type]
    film = Film(build_scene(SceneConfig(seed=3, seconds=1.0, camera=camera)), Renderer())
    shot = film.shot(10)
    for side in Side:
        pixels = shot.truth.hands[side].camera.keypoints_px[shot.visible[side]]
        column, row = np.round(pixels).astype(int).T
        own = np.isin(shot.part[row, column], np.flatnonzero(film._own(side)))
        assert len(own) > 3
        assert own.mean() > 0.8
