"""Scenes: the seed decides everything, the truth is consistent, nonsense is refused."""

from __future__ import annotations

import numpy as np
import pytest

from hand4d_ros.errors import ConfigError
from hand4d_ros.geometry import camera as geometry
from hand4d_ros.geometry import se3
from hand4d_ros.synthetic.demo import demo_config
from hand4d_ros.synthetic.scene import Scene, SceneConfig, build_scene
from hand4d_ros.types import Side


@pytest.fixture(scope="module")
def scene() -> Scene:
    """Three seconds."""
    return build_scene(SceneConfig(seed=4, seconds=3.0))


def test_same_seed_same_scene(scene: Scene) -> None:
    """Camera, hands and things are equal bit by bit when they are made again."""
    again = build_scene(SceneConfig(seed=4, seconds=3.0))
    for frame in (0, 50, 89):
        one, two = scene.frame_truth(frame), again.frame_truth(frame)
        np.testing.assert_array_equal(one.T_world_camera, two.T_world_camera)
        np.testing.assert_array_equal(one.T_world_things, two.T_world_things)
        for side in Side:
            np.testing.assert_array_equal(
                one.hands[side].world.keypoints_m, two.hands[side].world.keypoints_m
            )
    assert again.log == scene.log


def test_another_seed_is_another_person(scene: Scene) -> None:
    """Shapes, tone and motion differ."""
    other = build_scene(SceneConfig(seed=5, seconds=3.0))
    assert other.body.tone != scene.body.tone
    for side in Side:
        assert np.abs(other.hands[side].betas - scene.hands[side].betas).max() > 0.1


def test_both_hands_of_a_person_are_alike_but_not_the_same(scene: Scene) -> None:
    """Left and right differ in shape by less than people do."""
    left, right = (scene.hands[side].hand.hand_length_m for side in (Side.LEFT, Side.RIGHT))
    assert left != right
    assert left == pytest.approx(right, rel=0.03)


def test_truth_is_consistent(scene: Scene) -> None:
    """World, camera and pixels of each hand say the same."""
    for frame in (0, 40, 80):
        truth = scene.frame_truth(frame)
        T_camera_world = se3.inverse(truth.T_world_camera)
        for side, hand in truth.hands.items():
            motion = scene.hands[side]
            keypoints = motion.hand.keypoints(hand.world.T_frame_wrist, hand.world.joint_rotvec)
            np.testing.assert_allclose(hand.world.keypoints_m, keypoints, atol=1e-12)
            in_camera = se3.apply(T_camera_world, keypoints)
            np.testing.assert_allclose(hand.camera.keypoints_m, in_camera, atol=1e-12)
            pixels = geometry.project(scene.camera, in_camera)
            np.testing.assert_array_equal(hand.camera.keypoints_px, pixels)
            inside = geometry.in_image(scene.camera, np.nan_to_num(pixels, nan=-1e6))
            np.testing.assert_array_equal(hand.in_image, inside)
            np.testing.assert_allclose(hand.world.wrist_m, keypoints[0], atol=1e-12)


def test_stamps_have_the_frame_rate() -> None:
    """Stamps are whole nanoseconds, rounded and not accumulated."""
    config = SceneConfig(fps=30.0, seconds=2.0, start_ns=10)
    assert config.frames == 60
    assert config.stamp_ns(0) == 10
    assert config.stamp_ns(3) == 10 + 100_000_000
    assert config.stamp_ns(1) == 10 + 33_333_333


def test_odometry_covers_the_clip(scene: Scene) -> None:
    """It starts before the first picture and ends after the last, and is the camera's pose."""
    record = scene.odometry()
    assert record.t_s[0] < 0.0
    assert record.t_s[-1] > scene.config.seconds
    np.testing.assert_allclose(record.T_odom_base, scene.camera_motion.at(record.t_s), atol=1e-12)


def test_demo_shows_both_hands_most_of_the_time() -> None:
    """In most frames most keypoints of each hand are in the picture, and not in all frames."""
    demo = build_scene(demo_config())
    shares = np.array(
        [
            [demo.frame_truth(f).hands[side].in_image.mean() for side in Side]
            for f in range(0, demo.config.frames, 10)
        ]
    )
    assert bool(((shares > 0.8).mean(0) > 0.75).all())
    assert shares.min() < 0.5
    assert sum(not prop.name.startswith("cap") for prop in demo.props) == 4


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"seconds": 0.0}, "seconds is 0.0"),
        ({"fps": float("nan")}, "fps is nan"),
        ({"things": 9}, "things is 9"),
        ({"seed": -1}, "seed is -1"),
        ({"kinds": ("piano",)}, "unknown kind of thing 'piano'"),
        ({"activities": ("right:juggle",)}, "unknown activity 'right:juggle'"),
        ({"activities": ("up:wave",)}, "unknown activity 'up:wave'"),
    ],
)
def test_impossible_scenes_are_refused(options: dict[str, object], words: str) -> None:
    """The message says what was given."""
    with pytest.raises(ConfigError, match=words):
        SceneConfig(**options)  # type: ignore[arg-type]


@pytest.mark.parametrize("name", ["rest", "leave", "gesture", "wave", "move_thing", "hand_over"])
@pytest.mark.parametrize("side", ["left", "right"])
def test_every_activity_can_be_asked_for(name: str, side: str) -> None:
    """A scene of one activity has its plan and ends somewhere finite."""
    scene = build_scene(SceneConfig(seed=1, seconds=1.0, activities=(f"{side}:{name}",)))
    plan = scene.hands[Side[side.upper()]].plan
    assert plan.moves
    for hand in scene.hands.values():
        assert np.isfinite(hand.keypoints_m(np.array([0.0, 1.0, 9.0]))).all()
