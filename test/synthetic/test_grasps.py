"""Grasps: pads touch, nothing goes in, postures and types are sound."""

from __future__ import annotations

import numpy as np
import pytest

from hand4d_ros.errors import SceneError
from hand4d_ros.geometry import se3
from hand4d_ros.hand.biomechanics import LOWER_RAD, UPPER_RAD, Anatomy, limit_excess
from hand4d_ros.hand.builtin import builtin_hand
from hand4d_ros.shapes import Array, Float
from hand4d_ros.synthetic.grasps import FORWARD, GRASPS, Grasp, planned_grasp, suited_types
from hand4d_ros.synthetic.postures import POSTURES
from hand4d_ros.synthetic.props import Prop, sampled_prop

CASES = {
    "large diameter": Prop("bottle", "bottle", (0.07, 0.07, 0.20)),
    "medium wrap": Prop("tube", "cylinder", (0.05, 0.05, 0.12)),
    "prismatic 4 finger": Prop("box", "box", (0.04, 0.07, 0.05)),
    "palmar pinch": Prop("cube", "box", (0.02, 0.02, 0.02)),
    "tripod": Prop("lid", "cylinder", (0.03, 0.03, 0.05)),
    "power sphere": Prop("ball", "sphere", (0.07, 0.07, 0.07)),
    "precision sphere": Prop("small ball", "sphere", (0.06, 0.06, 0.06)),
}
HEADING_RAD = 0.3
ANATOMY = Anatomy(builtin_hand().with_shape())


def _grasp(name: str) -> Grasp:
    pitch = 0.1 if GRASPS[name].comes == "side" else 0.3
    return planned_grasp(ANATOMY, CASES[name], np.eye(4), GRASPS[name], HEADING_RAD, pitch)


def _skin(grasp: Grasp, angles_rad: Float[Array, "22"]) -> Float[Array, "v 3"]:
    from hand4d_ros.geometry import so3

    rotvec = so3.log(ANATOMY.local_rotations(angles_rad))
    return ANATOMY.hand.vertices(grasp.T_prop_wrist, rotvec)


@pytest.mark.parametrize("name", CASES)
def test_hand_touches_and_does_not_go_in(name: str) -> None:
    """Pads are within 5 mm of the surface; skin sinks in by no more than flesh gives."""
    grasp, prop = _grasp(name), CASES[name]
    assert grasp.gap_m < 0.005
    depth = -prop.distance_m(_skin(grasp, grasp.closed_rad))
    assert depth.max() < 0.008
    assert (depth > 0.004).mean() < 0.01


@pytest.mark.parametrize("name", CASES)
def test_hand_stays_over_the_table_and_within_its_limits(name: str) -> None:
    """Neither closed nor open do fingers sink into the table or joints overextend."""
    grasp, prop = _grasp(name), CASES[name]
    for angles in (grasp.closed_rad, grasp.open_rad):
        assert np.abs(limit_excess(angles)).max() < 1e-6
        assert _skin(grasp, angles)[:, 2].min() > -0.5 * prop.size_m[2] - 0.006


@pytest.mark.parametrize("name", CASES)
def test_open_hand_is_wider_than_the_closed_one(name: str) -> None:
    """Opening takes the pads away from the thing."""
    grasp, prop = _grasp(name), CASES[name]
    tips = [
        ANATOMY.hand.chain(
            grasp.T_prop_wrist[:3, :3], grasp.T_prop_wrist[:3, 3], ANATOMY.local_rotations(a)
        ).tips_m
        for a in (grasp.closed_rad, grasp.open_rad)
    ]
    closed, opened = (prop.distance_m(tip).mean() for tip in tips)
    assert opened > closed + 0.003


@pytest.mark.parametrize("name", ["large diameter", "tripod", "power sphere"])
def test_round_things_are_taken_with_the_wished_heading(name: str) -> None:
    """About a round thing the hand can turn freely, so the fingers point where they should."""
    fingers = _grasp(name).T_prop_wrist[:3, :3] @ FORWARD
    heading = np.arctan2(fingers[1], fingers[0])
    # The solver shifts the wrist but does not turn it.
    assert heading == pytest.approx(HEADING_RAD, abs=1e-6)


def test_a_box_is_taken_by_the_nearest_faces() -> None:
    """However a box is turned, the fingers point within 45 degrees of the wish."""
    prop, kind = CASES["prismatic 4 finger"], GRASPS["prismatic 4 finger"]
    for yaw in (0.0, 0.7, 1.6, 2.5, -2.0):
        c, s = np.cos(yaw), np.sin(yaw)
        T = se3.from_rotation_translation(
            np.array([[c, -s, 0], [s, c, 0], [0, 0, 1.0]]), np.array([0.3, 0.1, 0.8])
        )
        grasp = planned_grasp(ANATOMY, prop, T, kind, HEADING_RAD, 0.3)
        fingers = T[:3, :3] @ grasp.T_prop_wrist[:3, :3] @ FORWARD
        off = np.arctan2(fingers[1], fingers[0]) - HEADING_RAD
        assert abs((off + np.pi) % (2 * np.pi) - np.pi) <= np.pi / 4 + 1e-6


def test_too_wide_a_thing_is_refused() -> None:
    """The message says how wide it is."""
    with pytest.raises(SceneError, match=r"0\.200 m wide"):
        planned_grasp(
            ANATOMY,
            Prop("bin", "cylinder", (0.2, 0.2, 0.3)),
            np.eye(4),
            GRASPS["large diameter"],
            0.0,
            0.0,
        )


def test_every_kind_of_thing_has_suited_types() -> None:
    """Whatever is drawn can be taken by some type in whose range it is."""
    rng = np.random.default_rng(0)
    for kind in ("box", "cylinder", "sphere", "mug", "bottle"):
        for _ in range(20):
            prop = sampled_prop(rng, kind, kind)
            for found in suited_types(prop):
                low, high = found.widths_m
                assert low <= 2 * prop.radius_m <= high


def test_types_have_the_numbers_of_the_taxonomy() -> None:
    """Names and numbers of Feix et al. (2016), each once."""
    numbers = {kind.number: kind.name for kind in GRASPS.values()}
    assert len(numbers) == len(GRASPS)
    assert numbers[1] == "large diameter"
    assert numbers[9] == "palmar pinch"
    assert numbers[14] == "tripod"
    assert all(1 <= number <= 33 for number in numbers)


@pytest.mark.parametrize("name", POSTURES)
def test_postures_are_within_the_limits(name: str) -> None:
    """No named posture asks for what a hand cannot do."""
    assert bool((POSTURES[name] >= LOWER_RAD).all())
    assert bool((POSTURES[name] <= UPPER_RAD).all())
