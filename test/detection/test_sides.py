"""Sides are chosen together, and one physical hand is recognised as one."""

from __future__ import annotations

import numpy as np
import pytest

from hand4d_ros.detection.sides import are_one_hand, choose_sides, seen_by_its_owner
from hand4d_ros.types import Side

HAND_PX = 100.0 * np.random.default_rng(1).uniform(size=(21, 2))


def sides(right: list[float], same_side: float = 0.1) -> list[Side]:
    """Only the sides that are chosen."""
    return [side for side, _ in choose_sides(right, same_side)]


def test_no_hands_have_no_sides() -> None:
    """An empty image gives an empty list."""
    assert choose_sides([], 0.1) == []


@pytest.mark.parametrize("right", [0.0, 0.2, 0.9, 1.0])
def test_one_hand_is_judged_by_itself(right: float) -> None:
    """With one hand the side is the likelier one and its probability is the network's."""
    ((side, probability),) = choose_sides([right], 0.1)
    assert side is (Side.RIGHT if right > 0.5 else Side.LEFT)
    assert probability == pytest.approx(max(right, 1.0 - right))


def test_the_unsure_one_of_two_right_hands_becomes_the_left() -> None:
    """The surer keeps its side, whatever their order."""
    assert sides([0.99, 0.7]) == [Side.RIGHT, Side.LEFT]
    assert sides([0.7, 0.99]) == [Side.LEFT, Side.RIGHT]
    assert sides([0.01, 0.3]) == [Side.LEFT, Side.RIGHT]


def test_two_sure_right_hands_stay_two_right_hands() -> None:
    """Two people's right hands are possible and certain networks are believed."""
    assert sides([0.99, 0.98]) == [Side.RIGHT, Side.RIGHT]


def test_a_weight_of_one_judges_each_hand_by_itself() -> None:
    """Without the prior nobody gives way."""
    assert sides([0.99, 0.6], same_side=1.0) == [Side.RIGHT, Side.RIGHT]
    for _, probability in choose_sides([0.75, 0.75], 1.0):
        assert probability == pytest.approx(0.75)


def test_a_weight_of_zero_never_gives_two_hands_of_one_side() -> None:
    """Even certain networks do not make two right hands then, and nothing divides by zero."""
    assert set(sides([0.99, 0.98], same_side=0.0)) == {Side.LEFT, Side.RIGHT}
    for _, probability in choose_sides([1.0, 1.0], 0.0):
        assert probability == 0.5


def test_probability_is_the_marginal_of_the_joint_one() -> None:
    """Two hands in closed form: p(L,R) against p(R,R) by Bayes' rule."""
    (_, first), (_, second) = choose_sides([0.9, 0.6], 0.1)
    weights = {"RR": 0.9 * 0.6 * 0.1, "RL": 0.9 * 0.4, "LR": 0.1 * 0.6, "LL": 0.1 * 0.4 * 0.1}
    total = sum(weights.values())
    assert first == pytest.approx((weights["RR"] + weights["RL"]) / total)
    assert second == pytest.approx((weights["RL"] + weights["LL"]) / total)


def test_overlapping_keypoints_are_one_hand() -> None:
    """A small shift is the same hand, a shift of the hand's own size is another."""
    assert are_one_hand(HAND_PX, HAND_PX + 5.0, 0.3)
    assert not are_one_hand(HAND_PX, HAND_PX + 100.0, 0.3)


def test_the_place_settles_doubts_and_gives_way_to_certainty() -> None:
    """A doubtful hand on the right is a right one; a sure left hand stays left anywhere."""
    to_the_right, to_the_left = np.array([0.3, 0.0, 1.0]), np.array([-0.3, 0.0, 1.0])
    assert seen_by_its_owner(0.4, to_the_right) > 0.8
    assert seen_by_its_owner(0.6, to_the_left) < 0.2
    assert seen_by_its_owner(0.03, np.array([0.2, 0.0, 1.0])) < 0.5
    assert seen_by_its_owner(0.7, np.array([0.0, 0.2, 1.0])) == pytest.approx(0.7)


@pytest.mark.parametrize("right", [0.0, 0.2, 0.5, 0.9, 1.0])
def test_the_place_is_fair_to_both_sides(right: float) -> None:
    """Mirroring the picture mirrors the answer."""
    for x in (-0.8, -0.1, 0.25):
        there = seen_by_its_owner(right, np.array([x, 0.1, 1.0]))
        mirrored = seen_by_its_owner(1.0 - right, np.array([-x, 0.1, 1.0]))
        assert there == pytest.approx(1.0 - mirrored)
