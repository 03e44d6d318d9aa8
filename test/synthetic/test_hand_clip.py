"""Stretches of scenes as a detector could see them."""

from __future__ import annotations

import numpy as np
import pytest
from hand_clip_samples import CAMERA, SIDES, clip_of, two_hands

from hand4d_ros.errors import SceneError
from hand4d_ros.synthetic.hand_clip import clip_from_scene, make_clip
from hand4d_ros.synthetic.scene import SceneConfig, build_scene
from hand4d_ros.types import Side


def test_a_clip_of_a_scene_is_its_truth() -> None:
    """Keypoints, stamps and borders are those of the scene's own truth of each frame."""
    scene = build_scene(SceneConfig(seed=4, seconds=1.0))
    clip = clip_from_scene(scene, 5, 25)
    assert clip.sides == (Side.LEFT, Side.RIGHT)
    for index in (0, 19):
        truth = scene.frame_truth(5 + index)
        assert clip.stamps_ns[index] == truth.stamp_ns
        for hand, side in enumerate(clip.sides):
            exact = truth.hands[side]
            np.testing.assert_allclose(
                clip.keypoints_m[index, hand], exact.camera.keypoints_m, atol=1e-9
            )
            np.testing.assert_array_equal(clip.visibility.inside[index, hand], exact.in_image)


def test_things_and_table_hide_keypoints_in_scenes() -> None:
    """In a scene with things some keypoints that nothing of the hands hides are hidden."""
    clip = clip_from_scene(build_scene(SceneConfig(seed=4, seconds=4.0, things=6)))
    alone = make_clip(clip.camera, clip.sides, clip.stamps_ns, clip.keypoints_m)
    assert not (clip.visibility.open & ~alone.visibility.open).any()
    assert clip.visibility.open.sum() < alone.visibility.open.sum()


def test_a_part_of_a_clip_has_the_same_frames() -> None:
    """Cutting a clip keeps what was worked out."""
    clip = clip_of(two_hands(12))
    part = clip.part(3, 9)
    np.testing.assert_array_equal(part.keypoints_m, clip.keypoints_m[3:9])
    np.testing.assert_array_equal(part.visibility.open, clip.visibility.open[3:9])
    assert part.t_s[0] == 0.0


def test_clips_refuse_what_is_no_truth() -> None:
    """Wrong shapes, stamps that do not rise and numbers that are not finite are refused."""
    keypoints = two_hands(3)
    stamps = np.array([0, 1, 2])
    with pytest.raises(SceneError, match="need \\(3, 1, 21, 3\\)"):
        make_clip(CAMERA, SIDES[:1], stamps, keypoints)
    with pytest.raises(SceneError, match="must rise"):
        make_clip(CAMERA, SIDES, np.array([0, 2, 1]), keypoints)
    keypoints[1, 0, 0] = np.nan
    with pytest.raises(SceneError, match="not finite"):
        make_clip(CAMERA, SIDES, stamps, keypoints)
