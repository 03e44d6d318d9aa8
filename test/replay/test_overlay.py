"""Overlays show the published hands where they project to, and survive as a video."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from replay_samples import HEIGHT, WIDTH, InputOptions, write_input, write_output

from hand4d_ros.geometry import se3
from hand4d_ros.geometry.camera import project
from hand4d_ros.imaging import SIDE_RGB
from hand4d_ros.replay import drawing
from hand4d_ros.replay.overlay import Overlay, overlay_frames, write_overlay
from hand4d_ros.replay.run_data import Run, load_run
from hand4d_ros.replay.video import VideoFile
from hand4d_ros.types import Side

GREY = np.full((HEIGHT, WIDTH, 3), 128, dtype=np.uint8)


@pytest.fixture(scope="module")
def bags(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Run]:
    """An input bag and its run."""
    folder = tmp_path_factory.mktemp("run")
    source = write_input(folder / "in.mcap", InputOptions(truth=True))
    return source, load_run(source, write_output(folder / "out.mcap", drop=(3,)))


def near(picture: np.ndarray, colour: tuple[int, int, int]) -> np.ndarray:
    """Return where a picture has nearly a colour."""
    return np.abs(picture.astype(int) - np.array(colour)).max(axis=2) < 30


def test_bones_are_where_the_hand_projects_to(bags: tuple[Path, Run]) -> None:
    """The colour of each side lies on its projected keypoints."""
    _, run = bags
    large = replace(run.camera, width_px=960, height_px=720)
    large = replace(large, fx_px=large.fx_px * 10, fy_px=large.fy_px * 10)
    large = replace(large, cx_px=479.5, cy_px=359.5)
    run = replace(run, camera=large)
    grey = np.full((720, 960, 3), 128, dtype=np.uint8)
    overlay = Overlay(replace(run, hand_model="other"))
    picture = overlay.draw(grey, 5)
    T_camera_world = se3.inverse(run.T_world_camera[5])
    for side in Side:
        p_camera = se3.apply(T_camera_world, run.hands[side].keypoints_m[5])
        x, y = np.rint(project(large, p_camera)[9]).astype(int)
        window = picture[y - 4 : y + 5, x - 4 : x + 5]
        assert near(window, SIDE_RGB[side]).any()
    assert (overlay.draw(grey, 5) == picture).all()
    assert (grey == 128).all()


def test_surface_is_drawn_for_the_built_in_hand(bags: tuple[Path, Run]) -> None:
    """With its surface a hand covers more of the image than its bones do."""
    _, run = bags
    changed = [
        (Overlay(replace(run, hand_model=name)).draw(GREY, 5) != GREY).any(axis=2).sum()
        for name in ("builtin", "other")
    ]
    assert changed[0] > changed[1] > 0


def test_images_without_pose_or_result_show_no_hand(bags: tuple[Path, Run]) -> None:
    """A dropped image keeps its picture below the line that says so."""
    _, run = bags
    picture = Overlay(run).draw(GREY, 3)
    assert (picture[HEIGHT // 2 :] == 128).all()
    assert (picture != GREY).any()


def test_video_has_every_image(bags: tuple[Path, Run], tmp_path: Path) -> None:
    """The overlay video has the images of the run at their times, and returns those wanted."""
    source, run = bags
    calls: list[tuple[int, int]] = []
    kept = write_overlay(
        tmp_path / "overlay.mp4",
        overlay_frames(source, run, Overlay(run)),
        run,
        [0, 12],
        lambda done, total: calls.append((done, total)),
    )
    assert sorted(kept) == [0, 12]
    assert calls[-1] == (30, 30)
    frames = list(VideoFile(tmp_path / "overlay.mp4").frames())
    seconds = (np.array([f.stamp_ns for f in frames]) - frames[0].stamp_ns) * 1e-9
    np.testing.assert_allclose(seconds, run.seconds, atol=1e-4)


def test_text_is_sized_and_painted_inside() -> None:
    """Text has the height asked for, and a pill moves into the image."""
    mask = drawing.text_mask("right 0.52 m", 20)
    assert 20 <= mask.shape[0] <= 30
    assert mask.max() == 255
    image = GREY.copy()
    width, height = drawing.draw_pill(image, "ab", (WIDTH + 50, -20), 12, (213, 94, 0))
    assert (image[:height, WIDTH - width :] != 128).any()
    untouched = GREY.copy()
    drawing.paint(untouched, mask, (WIDTH, 0), (0, 0, 0))
    assert (untouched == GREY).all()


def test_silhouette_of_a_closed_mesh() -> None:
    """A tetrahedron's silhouette is its outline, however it is turned, without NaN corners."""
    corners = np.array([[10.0, 10.0], [60.0, 12.0], [30.0, 60.0], [33.0, 27.0]])
    faces = np.array([[0, 1, 3], [1, 2, 3], [2, 0, 3], [0, 2, 1]])
    mask = drawing.silhouette_mask(corners, faces, WIDTH, HEIGHT)
    flipped = drawing.silhouette_mask(corners, faces[:, ::-1].copy(), WIDTH, HEIGHT)
    assert mask[27, 33] == 255
    assert mask[60, 5] == 0
    np.testing.assert_array_equal(mask > 0, flipped > 0)
    corners[3] = np.nan
    assert drawing.silhouette_mask(corners, faces, WIDTH, HEIGHT).max() in (0, 255)


def test_dashes_leave_gaps() -> None:
    """A hand that is not seen is drawn with less ink."""
    large = np.full((480, 640, 3), 128, dtype=np.uint8)
    points = np.random.default_rng(0).uniform(20.0, 460.0, size=(21, 2))
    ink = []
    for dashed in (False, True):
        image = large.copy()
        drawing.draw_skeleton(image, points, (0, 114, 178), dashed=dashed)
        ink.append((image != large).any(axis=2).sum())
    assert ink[1] < ink[0]
    image = GREY.copy()
    drawing.draw_skeleton(image, np.full((21, 2), np.nan), (0, 114, 178))
    assert (image == GREY).all()
