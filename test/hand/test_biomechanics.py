"""Anatomical angles: axes, round trips, directions and limits."""

from __future__ import annotations

import numpy as np
import pytest

from hand4d_ros.geometry import so3
from hand4d_ros.hand import biomechanics as bio
from hand4d_ros.hand.builtin import builtin_hand


@pytest.fixture(scope="module")
def anatomy() -> bio.Anatomy:
    """Return the axes of the mean right hand."""
    return bio.Anatomy(builtin_hand().with_shape())


def test_axes_are_right_handed_frames(anatomy: bio.Anatomy) -> None:
    """Flexion, abduction and twist axes are orthonormal and right-handed."""
    gram = anatomy.axes @ np.swapaxes(anatomy.axes, -1, -2)
    np.testing.assert_allclose(gram, np.broadcast_to(np.eye(3), (15, 3, 3)), atol=1e-12)
    np.testing.assert_allclose(np.linalg.det(anatomy.axes), 1.0, atol=1e-12)


def test_angles_invert_local_rotations(anatomy: bio.Anatomy) -> None:
    """Angles within the limits come back from the rotations that they make."""
    rng = np.random.default_rng(0)
    angles = rng.uniform(bio.LOWER_RAD, bio.UPPER_RAD, (50, 22))
    np.testing.assert_allclose(anatomy.angles(anatomy.local_rotations(angles)), angles, atol=1e-9)


def test_single_axis_rotations_are_exponentials(anatomy: bio.Anatomy) -> None:
    """A lone angle is the exponential of its axis times the angle."""
    for i in range(22):
        angles = np.zeros(22)
        angles[i] = 0.7
        expected = so3.exp(0.7 * anatomy.axes[bio.JOINT[i], bio.AXIS[i]])
        np.testing.assert_allclose(
            anatomy.local_rotations(angles)[bio.JOINT[i]], expected, atol=1e-12
        )


def test_flexion_bends_towards_the_palm_and_abduction_towards_the_thumb(
    anatomy: bio.Anatomy,
) -> None:
    """Positive flexion moves fingertips to -y (palm); positive abduction to +z (thumb side)."""
    hand = builtin_hand().with_shape()
    rest = hand.keypoints(np.eye(4), np.zeros((15, 3)))
    tips = {"index": 8, "middle": 12, "ring": 16, "little": 20}
    for finger, tip in tips.items():
        for axis, coordinate, sign in ((bio.FLEXION, 1, -1.0), (bio.ABDUCTION, 2, 1.0)):
            angles = np.zeros(22)
            angles[bio.index_of(f"{finger}1", axis)] = 0.3
            rotvec = so3.log(anatomy.local_rotations(angles))
            moved = hand.keypoints(np.eye(4), rotvec)[tip] - rest[tip]
            assert sign * moved[coordinate] > 0.005


def test_thumb_flexion_brings_the_tip_to_the_little_finger(anatomy: bio.Anatomy) -> None:
    """Bending the thumb moves its tip across the palm."""
    hand = builtin_hand().with_shape()
    angles = np.zeros(22)
    for joint in ("thumb1", "thumb2", "thumb3"):
        angles[bio.index_of(joint, bio.FLEXION)] = np.deg2rad(40.0)
    rest = hand.keypoints(np.eye(4), np.zeros((15, 3)))
    bent = hand.keypoints(np.eye(4), so3.log(anatomy.local_rotations(angles)))
    assert np.linalg.norm(bent[4] - bent[17]) < np.linalg.norm(rest[4] - rest[17]) - 0.03


def test_limit_excess() -> None:
    """Inside the range nothing, outside the signed distance to it."""
    assert not bio.limit_excess(bio.REST_RAD).any()
    np.testing.assert_allclose(bio.limit_excess(bio.UPPER_RAD + 0.1), 0.1)
    np.testing.assert_allclose(bio.limit_excess(bio.LOWER_RAD - 0.2), -0.2)
    assert (bio.LOWER_RAD < bio.REST_RAD).all()
    assert (bio.REST_RAD < bio.UPPER_RAD).all()


def test_unknown_degree_of_freedom() -> None:
    """Asking for an angle that does not exist says so."""
    with pytest.raises(ValueError, match="no degree of freedom 2 at 'index2'"):
        bio.index_of("index2", bio.TWIST)
