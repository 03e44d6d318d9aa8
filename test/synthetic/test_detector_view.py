"""What the detector's errors depend on."""

from __future__ import annotations

import numpy as np
import pytest
from hand_clip_samples import CAMERA, clip_of, two_hands

from hand4d_ros.detection.landmarks import LANDMARKS
from hand4d_ros.geometry import camera as cameras
from hand4d_ros.geometry import so3
from hand4d_ros.shapes import Array, Float
from hand4d_ros.synthetic.detector_view import FEATURES, HandViews, views_from_clip


def _feature(views: HandViews, name: str) -> Float[Array, "f h"]:
    return views.features[..., FEATURES.index(name)]


def test_landmarks_are_those_of_the_map() -> None:
    """Landmarks are the map of the keypoints, projected."""
    clip = clip_of(two_hands(4))
    views = views_from_clip(clip)
    expected = np.einsum("kj,fhjx->fhkx", LANDMARKS["mediapipe"], clip.keypoints_m)
    np.testing.assert_allclose(views.landmarks_px, cameras.project(CAMERA, expected))
    joints = views_from_clip(clip, np.eye(21))
    np.testing.assert_allclose(joints.landmarks_m, clip.keypoints_m)


def test_errors_turn_into_pixels_and_back() -> None:
    """To pixels and back is the identity, and lengths are in sizes."""
    views = views_from_clip(clip_of(two_hands(5)))
    offset = np.random.default_rng(0).normal(size=(5, 2, 21, 2))
    px = views.to_px(offset)
    np.testing.assert_allclose(views.from_px(px), offset, atol=1e-12)
    ratio = np.linalg.norm(px, axis=-1) / np.linalg.norm(offset, axis=-1)
    np.testing.assert_allclose(ratio, np.broadcast_to(views.size_px[..., None], ratio.shape))


def test_both_hands_look_alike_in_their_own_axes() -> None:
    """A left hand that is the mirror image of a right one has the same features and shape."""
    views = views_from_clip(clip_of(two_hands(20)))
    np.testing.assert_allclose(views.features[:, 0], views.features[:, 1], atol=1e-6)
    shape = views.from_px(views.landmarks_px - views.landmarks_px.mean(2, keepdims=True))
    np.testing.assert_allclose(shape[:, 0], shape[:, 1], atol=1e-6)


def test_a_rolled_camera_changes_nothing_but_the_axes() -> None:
    """Turning the picture turns the hand's axes; what errors depend on stays."""
    keypoints = two_hands(6)
    roll = so3.exp(np.array([0.0, 0.0, 0.3]))
    before, after = (views_from_clip(clip_of(k)) for k in (keypoints, keypoints @ roll.T))
    for name in ("hidden", "back", "crossed", "speed"):
        np.testing.assert_allclose(_feature(after, name), _feature(before, name), atol=0.05)
    np.testing.assert_allclose(after.axes, roll[:2, :2] @ before.axes, atol=0.02)
    np.testing.assert_allclose(after.change, before.change, atol=0.01)


def test_size_speed_and_border_are_what_they_say() -> None:
    """Twice as far is half as large; at twice the frames a second, hands are twice as fast."""
    near, far = (views_from_clip(clip_of(two_hands(8, depth))) for depth in (0.5, 1.0))
    np.testing.assert_allclose(near.size_px / far.size_px, 2.0, rtol=0.1)
    slow, fast = (views_from_clip(clip_of(two_hands(8), fps=fps)) for fps in (30.0, 60.0))
    ratio = np.expm1(_feature(fast, "speed")[1:]) / np.expm1(_feature(slow, "speed")[1:])
    np.testing.assert_allclose(ratio, 2.0, rtol=1e-6)
    cut = views_from_clip(clip_of(two_hands(1) + np.array([0.25, 0.0, 0.0])))
    assert _feature(cut, "outside")[0, 1] == pytest.approx(cut.outside[0, 1].mean())
    assert 0.0 < cut.outside[0, 1].mean() < 1.0


def test_palm_and_back_are_told_apart() -> None:
    """The back is positive, the palm negative, for both hands."""
    keypoints = two_hands(1, motion=0.0)
    middle = keypoints.mean(2, keepdims=True)
    turned = (keypoints - middle) * [-1.0, 1.0, -1.0] + middle
    assert (_feature(views_from_clip(clip_of(keypoints)), "back") > 0.5).all()
    assert (_feature(views_from_clip(clip_of(turned)), "back") < -0.5).all()


def test_hands_behind_the_camera_have_finite_views() -> None:
    """Nothing is NaN where a hand has no pixels."""
    keypoints = two_hands(3)
    keypoints[1, 0] *= [1.0, 1.0, -1.0]
    views = views_from_clip(clip_of(keypoints))
    assert np.isfinite(views.landmarks_px).all()
    assert np.isfinite(views.features).all()
    assert views.outside[1, 0].all()


def test_hands_on_top_of_each_other_are_crossed() -> None:
    """Crossed is 1 for hands at one place and 0 far apart; one hand alone is never crossed."""
    hands = two_hands(1, motion=0.0)
    hands[:, 0] = hands[:, 1]
    assert _feature(views_from_clip(clip_of(hands)), "crossed") == pytest.approx(1.0)
    apart = two_hands(1, motion=0.0) + np.array([[-0.2, 0, 0], [0.2, 0, 0]])[:, None]
    assert _feature(views_from_clip(clip_of(apart)), "crossed") == pytest.approx(0.0)
    assert _feature(views_from_clip(clip_of(hands[:, 1:])), "crossed") == pytest.approx(0.0)
