"""Which keypoints can be seen, by rays."""

from __future__ import annotations

import numpy as np
import pytest
from hand_clip_samples import CAMERA, hand_keypoints, two_hands

from hand4d_ros.errors import SceneError
from hand4d_ros.geometry import se3, so3
from hand4d_ros.shapes import Array, Bool, Float
from hand4d_ros.synthetic import occlusion
from hand4d_ros.synthetic.occlusion import Obstacles, SolidKind, Solids, visibility

_STEPS = np.linspace(0.0, 1.0, 4001)[:, None]


def _solid(kind: SolidKind, half_m: tuple[float, float, float], T: Float[Array, "4 4"]) -> Solids:
    return Solids((kind,), np.array([half_m]), T[None, None])


def _at(x: float, y: float, z: float) -> Float[Array, "4 4"]:
    return se3.from_rotation_translation(so3.exp(np.array([0.3, -0.5, 0.2])), np.array([x, y, z]))


def _inside(kind: SolidKind, half: Float[Array, "3"], p: Float[Array, "n 3"]) -> Bool[Array, "n"]:
    """Say by definition which points are in a solid."""
    if kind == "sphere":
        return np.linalg.norm(p, axis=-1) < half[0]
    if kind == "cylinder":
        return (np.linalg.norm(p[:, :2], axis=-1) < half[0]) & (np.abs(p[:, 2]) < half[2])
    return np.asarray((np.abs(p) < half).all(-1))


@pytest.mark.parametrize("kind", ["box", "cylinder", "sphere"])
def test_solids_are_entered_where_points_along_the_ray_are_inside(kind: SolidKind) -> None:
    """The entry of random rays is that of the definition, step by step along the ray."""
    rng = np.random.default_rng(1)
    rays = rng.normal(size=(60, 3)) * 0.12 + [0.0, 0.0, 0.6]
    half = (0.06, 0.06, 0.09) if kind != "sphere" else (0.07, 0.07, 0.07)
    T = _at(0.02, -0.01, 0.4)
    entry = occlusion._solids_entry(rays[None], _solid(kind, half, T))[0]
    hits = 0
    for ray, at in zip(rays, entry, strict=True):
        inside = _inside(kind, np.array(half), se3.apply(se3.inverse(T), _STEPS * ray))
        if inside.any():
            hits += 1
            assert at == pytest.approx(float(_STEPS[int(inside.argmax()), 0]), abs=1e-3)
        else:
            assert at > 1.0 - 1e-3
    assert 10 < hits < 60


def test_capsules_hide_what_lies_behind_them() -> None:
    """A keypoint is hidden exactly where points along its ray come near another hand's bones."""
    hands = two_hands(1, motion=0.0)
    hands[:, 0] = hands[:, 1] - [0.01, 0.03, 0.12]
    seen = visibility(CAMERA, hands).open[0, 1]
    start, end = (hands[0, 0, list(i)] for i in (occlusion._STARTS, occlusion._ENDS))
    bones = np.linalg.norm(np.diff(hands[0, 0, [0, 9, 10, 11, 12]], axis=0), axis=-1).sum()
    radius = occlusion._RADII_M * bones / occlusion._MIDDLE_M
    expected = []
    for point in hands[0, 1]:
        p = (_STEPS * point)[:, None]
        share = ((p - start) * (end - start)).sum(-1) / ((end - start) ** 2).sum(-1)
        nearest = start + share.clip(0.0, 1.0)[..., None] * (end - start)
        expected.append((np.linalg.norm(p - nearest, axis=-1) < radius).any())
    own = visibility(CAMERA, hands[:, 1:]).open[0, 0]
    # Balls at the joints are as thick as one of the two bones only, hence not every keypoint.
    assert np.mean(seen == (own & ~np.array(expected))) > 0.9
    assert seen.any()
    assert not seen.all()


def test_a_hand_does_not_hide_itself_by_its_own_skin() -> None:
    """A flat hand seen from its back is wholly open, as each keypoint lies just under the skin."""
    hand = hand_keypoints(1, motion=0.0)[:, None]
    flat = hand * [1.0, 1.0, 0.0] + [0.0, 0.0, 0.5]
    assert visibility(CAMERA, flat).seen.all()


def test_an_arm_hides_other_hands_but_not_its_own_wrist() -> None:
    """A capsule that ends in a wrist hides it unless it is the hand's own arm."""
    hand = hand_keypoints(1, motion=0.0)[:, None]
    wrist = hand[0, 0, 0]
    arm = np.concatenate((wrist, wrist + np.array([0.0, 0.25, -0.1]), [0.027]))[None, None]
    nothing = Obstacles.none(1).solids
    own = visibility(CAMERA, hand, Obstacles(nothing, arm, (0,)))
    other = visibility(CAMERA, hand, Obstacles(nothing, arm, (-1,)))
    assert own.open[0, 0, 0]
    assert not other.open[0, 0, 0]


def test_solids_behind_the_hand_hide_nothing() -> None:
    """A large box hides all of a hand in front of which it stands, and nothing behind it."""
    hand = hand_keypoints(1, motion=0.0)[:, None]
    T_near, T_far = np.eye(4), np.eye(4)
    T_near[2, 3], T_far[2, 3] = 0.3, 0.9
    near, far = (_solid("box", (0.3, 0.3, 0.02), T) for T in (T_near, T_far))
    alone = visibility(CAMERA, hand).open
    assert not visibility(CAMERA, hand, Obstacles(near, np.zeros((1, 0, 7)))).open.any()
    np.testing.assert_array_equal(
        visibility(CAMERA, hand, Obstacles(far, np.zeros((1, 0, 7)))).open, alone
    )


def test_keypoints_outside_of_the_picture_and_behind_the_camera_are_not_seen() -> None:
    """The border cuts a hand, and a hand behind the camera is outside."""
    hand = hand_keypoints(1, motion=0.0)[:, None]
    half = visibility(CAMERA, hand + np.array([0.33, 0.0, 0.0]))
    assert 0 < half.inside.sum() < 21
    assert not (half.seen & ~half.inside).any()
    assert not visibility(CAMERA, hand * [1.0, 1.0, -1.0]).inside.any()


def test_solids_refuse_what_does_not_fit() -> None:
    """Numbers of kinds, sizes and poses that differ are refused."""
    with pytest.raises(SceneError, match="as many of each"):
        Solids(("box", "box"), np.ones((1, 3)), np.eye(4)[None, None])
