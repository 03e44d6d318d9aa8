"""Every activity: played, within what people do, over the table, without self-penetration."""

from __future__ import annotations

import numpy as np
import pytest

from hand4d_ros.geometry import se3, so3
from hand4d_ros.hand.biomechanics import limit_excess
from hand4d_ros.synthetic.activities import ACTIVITIES, SHARES
from hand4d_ros.synthetic.contacts import finger_gaps_m
from hand4d_ros.synthetic.motion import (
    KNUCKLE_FLEXION,
    KNUCKLE_SPREAD,
    Carry,
    Spin,
    ThingMotion,
    within_limits,
)
from hand4d_ros.synthetic.postures import POSTURES, posture
from hand4d_ros.synthetic.scene import TABLE_M, Scene, SceneConfig, build_scene
from hand4d_ros.types import Side

SECONDS = 10.0
KINDS = ("bottle", "cylinder", "sphere", "box")


def scene_of(*activities: str, seed: int = 0, kinds: tuple[str, ...] = KINDS) -> Scene:
    """Build a scene of given activities and kinds of things."""
    config = SceneConfig(seed=seed, seconds=SECONDS, kinds=kinds, activities=activities)
    return build_scene(config)


@pytest.mark.parametrize("name", ACTIVITIES)
def test_an_activity_is_what_a_person_could_do(name: str) -> None:
    """Speeds, limits and the table are respected; hands keep apart, fingers do not cross."""
    scene = scene_of(f"right:{name}", f"left:{name}")
    t = np.arange(0.0, SECONDS, 0.04)
    for hand in scene.hands.values():
        poses, keypoints = hand.at(t), hand.keypoints_m(t)
        wrist = keypoints[:, 0]
        speed = np.linalg.norm(np.gradient(wrist, 0.04, axis=0), axis=-1)
        assert 0.1 < speed.max() < 2.0
        assert np.linalg.norm(np.diff(wrist, 2, axis=0), axis=-1).max() / 0.04**2 < 40.0
        assert np.abs(limit_excess(poses.angles_rad)).max() == 0.0
        above = wrist[:, 0] > 0.12
        assert keypoints[above, :, 2].min() > TABLE_M - 0.006
        chain = hand.anatomy.hand.chain(
            np.broadcast_to(np.eye(3), (len(t), 3, 3)),
            np.zeros((len(t), 3)),
            hand.anatomy.local_rotations(poses.angles_rad),
        )
        starts = chain.joints_m[:, 1:]
        ends = starts.copy()
        ends[:, [0, 1, 3, 4, 6, 7, 9, 10, 12, 13]] = starts[:, [1, 2, 4, 5, 7, 8, 10, 11, 13, 14]]
        ends[:, [14, 2, 5, 11, 8]] = chain.tips_m
        gaps = finger_gaps_m(starts, ends).min(-1)
        assert gaps.min() > 0.004
        assert (gaps < 0.011).mean() < 0.03
    left, right = (scene.hands[side].keypoints_m(t) for side in sorted(scene.hands))
    assert np.linalg.norm(left[:, :, None] - right[:, None], axis=-1).min() > 0.025


def test_shares_are_those_of_all_activities() -> None:
    """Each activity has its share, and shares add up."""
    assert set(SHARES) == set(ACTIVITIES)
    assert sum(SHARES.values()) == pytest.approx(1.0)


def test_a_shake_is_fast() -> None:
    """The wrist goes to and fro three to five times a second."""
    scene = scene_of("right:shake")
    hand = scene.hands[Side.RIGHT]
    moves = [move for move in hand.plan.moves if move.end_s - move.start_s < 0.2]
    assert len(moves) >= 6
    assert all(3.0 <= 0.5 / (move.end_s - move.start_s) <= 5.0 for move in moves[:6])


def test_a_thing_turns_in_the_fingers_about_its_own_axis() -> None:
    """After all spins it is turned by their sum; its middle stays where it is in the hand."""
    scene = scene_of("right:manipulate")
    spun = [carry for m in scene.thing_motions for carry in m.carries if carry.spins]
    assert spun
    carry = spun[0]
    end = np.array([carry.spins[-1].end_s])
    turned = so3.log(carry.T_wrist_thing[:3, :3].T @ carry.held(end)[0, :3, :3])
    total = sum(spin.angle_rad for spin in carry.spins)
    np.testing.assert_allclose(turned, [0.0, 0.0, total], atol=1e-9)
    np.testing.assert_allclose(carry.held(end)[0, :3, 3], carry.T_wrist_thing[:3, 3], atol=1e-12)


def test_a_spin_is_smooth_and_over_when_it_ends() -> None:
    """Nothing before, half at half time, all afterwards."""
    carry = Carry(Side.RIGHT, 0.0, 9.0, np.eye(4), (Spin(1.0, 2.0, 0.8),))
    angle = so3.log(carry.held(np.array([0.5, 1.5, 3.0]))[:, :3, :3])[:, 2]
    np.testing.assert_allclose(angle, [0.0, 0.4, 0.8], atol=1e-12)


def test_a_cap_goes_with_its_bottle_until_it_is_opened() -> None:
    """It sits on the bottle while that is lifted; opened, it ends up on the table."""
    moved = scene_of("right:move_thing")
    place = {prop.name: row for row, prop in enumerate(moved.props)}
    bottle, cap = moved.thing_motions[place["bottle_0"]], moved.thing_motions[place["cap_0"]]
    t = np.arange(0.0, SECONDS, 0.25)
    assert bottle.carries
    assert cap.on is bottle
    seat = se3.inverse(bottle.at(t, moved.hands)) @ cap.at(t, moved.hands)
    np.testing.assert_allclose(seat, np.broadcast_to(seat[0], seat.shape), atol=1e-9)
    opened = scene_of("right:open_lid")
    cap = opened.thing_motions[place["cap_0"]]
    assert cap.carries[0].spins
    end = np.array([cap.carries[-1].end_s])
    height = opened.props[place["cap_0"]].size_m[2]
    assert cap.at(end, opened.hands)[0, 2, 3] == pytest.approx(TABLE_M + 0.5 * height, abs=0.008)


def test_a_bottle_is_handed_over_in_the_air() -> None:
    """When the second hand has it, it is off the table and does not jump."""
    for seed in range(4):
        scene = scene_of("right:hand_over", seed=seed, kinds=("bottle",))
        motion: ThingMotion = scene.thing_motions[0]
        if len(motion.carries) < 2 or np.isfinite(motion.carries[0].end_s):
            continue
        exchange_s = motion.carries[1].start_s
        T = motion.at(exchange_s + np.array([-1e-4, 1e-4]), scene.hands)
        prop = scene.props[0]
        assert T[0, 2, 3] - 0.5 * prop.size_m[2] > TABLE_M + 0.03
        np.testing.assert_allclose(T[0], T[1], atol=2e-3)
        return
    pytest.fail("no thing was handed over in the air in four scenes")


def test_a_bent_knuckle_cannot_be_spread() -> None:
    """The region of flexion and abduction narrows to a tenth, and it is convex."""
    rng = np.random.default_rng(0)
    angles = within_limits(rng.uniform(-2.0, 2.0, (400, 22)))
    mixed = 0.5 * (angles[:200] + angles[200:])
    np.testing.assert_allclose(within_limits(mixed), mixed, atol=1e-12)
    bent = np.zeros(22)
    bent[KNUCKLE_FLEXION], bent[KNUCKLE_SPREAD] = 1.65, 1.0
    straight = bent.copy()
    straight[KNUCKLE_FLEXION] = 0.0
    most, least = (within_limits(x)[KNUCKLE_SPREAD] for x in (straight, bent))
    assert bool((least < 0.14 * most).all())


def test_a_hollow_palm_brings_the_little_finger_in() -> None:
    """Arching bends ring and little finger at the knuckle, the little one twice as far."""
    flat = posture(((30.0, 20.0, 10.0),) * 4, (0.0,) * 6)
    arched = posture(((30.0, 20.0, 10.0),) * 4, (0.0,) * 6, arch_deg=14.0)
    change = np.rad2deg((arched - flat)[KNUCKLE_FLEXION])
    np.testing.assert_allclose(change, [0.0, 0.0, 7.0, 14.0], atol=1e-9)
    assert "cup" in POSTURES
