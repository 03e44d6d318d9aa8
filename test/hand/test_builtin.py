"""The built-in hand: cited proportions, skin that is closed and follows its bones, shapes."""

from __future__ import annotations

import numpy as np
import pytest

from hand4d_ros.geometry import se3, so3
from hand4d_ros.hand.anthropometry import (
    CARPUS_M,
    HAND_BREADTH_M,
    HAND_CIRCUMFERENCE_M,
    HAND_LENGTH_STD_M,
    MEAN_HAND_LENGTH_M,
    SEGMENT_STD_M,
    SEGMENTS_M,
    WRIST_CIRCUMFERENCE_M,
)
from hand4d_ros.hand.builtin import builtin_creases, builtin_hand, builtin_regions
from hand4d_ros.hand.builtin_skeleton import rest_skeleton
from hand4d_ros.hand.builtin_skin import SHAPE_DIRECTIONS
from hand4d_ros.hand.orders import FINGERS, MANO_PARENTS, TIP_PARENTS
from hand4d_ros.hand.remesh import is_closed_manifold, vertex_normals
from hand4d_ros.hand.skin_regions import Region
from hand4d_ros.shapes import Array, Float, Int
from hand4d_ros.types import Side


def _volume_m3(vertices: Float[Array, "v 3"], faces: Int[Array, "f 3"]) -> float:
    a, b, c = np.moveaxis(vertices[faces], 1, 0)
    return float((a * np.cross(b, c)).sum() / 6.0)


def _winding(points: Float[Array, "n 3"], corners: Float[Array, "f 3 3"]) -> Float[Array, "n"]:
    """Return how often a closed surface winds about points (van Oosterom and Strackee 1983)."""
    a, b, c = np.moveaxis(corners - points[:, None, None], 2, 0)
    la, lb, lc = (np.linalg.norm(v, axis=-1) for v in (a, b, c))
    volume = (a * np.cross(b, c)).sum(axis=-1)
    ab, bc, ca = (a * b).sum(-1), (b * c).sum(-1), (c * a).sum(-1)
    angle = np.arctan2(volume, la * lb * lc + ab * lc + bc * la + ca * lb)
    return np.asarray(angle.sum(axis=-1) / (2.0 * np.pi))


def _outline(axes: Float[Array, "2 3"], at: Float[Array, "3"]) -> Float[Array, "n 2"]:
    """Return where the skin's edges cross the plane that two axes span, in these axes."""
    hand = builtin_hand()
    height = (hand.template_m - at) @ np.cross(*axes)
    edges = np.concatenate([hand.faces[:, [k, (k + 1) % 3]] for k in range(3)])
    one, two = height[edges].T
    crossed = (one < 0) != (two < 0)
    share = (one / np.where(crossed, one - two, 1.0))[crossed, None]
    start, end = hand.template_m[edges[crossed, 0]], hand.template_m[edges[crossed, 1]]
    return np.asarray(((1.0 - share) * start + share * end) @ axes.T)


def _girth(outline: Float[Array, "n 2"]) -> tuple[float, float]:
    """Return the length of a taut tape around an outline, and the outline's breadth."""
    from scipy.spatial import ConvexHull

    return float(ConvexHull(outline).area), float(np.ptp(outline[:, 0]))


def _flexed(angles_deg: dict[str, tuple[float, float, float]]) -> Float[Array, "15 3"]:
    """Bend fingers towards the palm about the axes across their bones."""
    skeleton = rest_skeleton()
    rotvec = np.zeros((15, 3))
    for finger, angles in angles_deg.items():
        number = FINGERS.index(finger)
        bones = np.diff(skeleton.rays_m[number], axis=0)[1:]
        axes = np.cross(skeleton.dorsal[number, 1:], bones)
        axes /= np.linalg.norm(axes, axis=-1, keepdims=True)
        last = TIP_PARENTS[number]
        rotvec[last - 3 : last] = np.deg2rad(angles)[:, None] * axes
    return rotvec


def test_bones_have_the_cited_lengths() -> None:
    """Every bone is as long as published, and the middle ray adds up to the mean hand length."""
    hand = builtin_hand().with_shape()
    bones_m = dict(
        zip(("index", "middle", "little", "ring", "thumb"), hand.bone_lengths_m, strict=True)
    )
    for finger, lengths in SEGMENTS_M.items():
        expected = lengths[1:]
        if finger == "thumb":
            expected = (lengths[0], lengths[1], lengths[2] + lengths[3])
        np.testing.assert_allclose(bones_m[finger][1:], expected, rtol=1e-12)
    assert bones_m["middle"][0] == pytest.approx(CARPUS_M + SEGMENTS_M["middle"][0], rel=1e-12)
    assert hand.hand_length_m == pytest.approx(MEAN_HAND_LENGTH_M, rel=1e-12)
    np.testing.assert_allclose(MEAN_HAND_LENGTH_M, 0.183, atol=1e-12)
    np.testing.assert_allclose(HAND_LENGTH_STD_M, 0.01144, atol=1e-5)


def test_rest_pose_is_that_of_mano() -> None:
    """Fingers point along -x and are straight, the palm faces -y, the thumb is on the +z side."""
    hand = builtin_hand().with_shape()
    np.testing.assert_array_equal(hand.joints_m[0], 0.0)
    chains = dict(zip(("index", "middle", "little", "ring", "thumb"), hand.bones_m, strict=True))
    for finger in ("index", "middle", "ring", "little"):
        unit = chains[finger][1:] / np.linalg.norm(chains[finger][1:], axis=-1, keepdims=True)
        np.testing.assert_allclose(unit, np.broadcast_to(unit[0], (3, 3)), atol=1e-9)
        assert unit[0, 0] < -0.8
    z = [hand.joints_m[joint, 2] for joint in (13, 1, 4, 10, 7)]
    assert z == sorted(z, reverse=True)
    metacarpal = chains["thumb"][1]
    assert np.rad2deg(np.arctan2(metacarpal[2], -metacarpal[0])) == pytest.approx(45.0, abs=10.0)
    fist = hand.keypoints(np.eye(4), _flexed(dict.fromkeys(FINGERS[1:], (80.0, 90.0, 40.0))))
    assert (fist[[8, 12, 16, 20], 1] < -0.01).all()


def test_mesh_is_closed_and_looks_outwards() -> None:
    """Every edge joins two faces, the mesh is one ball topologically, normals point outwards."""
    for side in Side:
        hand = builtin_hand(side)
        assert is_closed_manifold(hand.faces)
        vertices, faces = len(hand.template_m), len(hand.faces)
        assert vertices - 3 * faces // 2 + faces == 2
        assert 1500 <= vertices <= 3300
        assert 0.30e-3 < _volume_m3(hand.template_m, hand.faces) < 0.45e-3


def test_girths_are_those_of_the_survey() -> None:
    """Tapes around wrist and knuckles, and the breadth of the hand, are within 4% of the means."""
    joints = builtin_hand().joints_m
    up, across = np.array([0.0, 1.0, 0.0]), np.array([0.0, 0.0, 1.0])
    wrist, _ = _girth(_outline(np.stack((across, up)), np.array([0.008, 0.0, 0.0])))
    assert wrist == pytest.approx(WRIST_CIRCUMFERENCE_M, rel=0.04)
    heads = (joints[1] - joints[7]) * [1.0, 0.0, 1.0]
    axes = np.stack((heads / np.linalg.norm(heads), up))
    outline = _outline(axes, joints[1])
    # The plane through the knuckles also cuts the thumb, which the tape leaves out.
    girth, breadth = _girth(outline[outline[:, 0] < axes[0] @ joints[1] + 0.02])
    assert girth == pytest.approx(HAND_CIRCUMFERENCE_M, rel=0.04)
    assert breadth == pytest.approx(HAND_BREADTH_M, rel=0.04)


def test_weights_are_a_partition_of_unity() -> None:
    """Weights are positive, sum to one, of at most four joints; tips belong to their segment."""
    hand = builtin_hand()
    assert (hand.weights >= 0.0).all()
    np.testing.assert_allclose(hand.weights.sum(axis=1), 1.0, atol=1e-12)
    assert (hand.weights > 0.0).sum(axis=1).max() <= 4
    np.testing.assert_array_equal(hand.weights[hand.tip_vertices, list(TIP_PARENTS)], 1.0)


def test_weights_are_smooth() -> None:
    """Neighbouring vertices follow nearly the same joints, so that nothing tears."""
    hand = builtin_hand()
    a, b = hand.faces[:, [0, 1, 2]].ravel(), hand.faces[:, [1, 2, 0]].ravel()
    change = np.abs(hand.weights[a] - hand.weights[b]).sum(axis=1)
    length = np.linalg.norm(hand.template_m[a] - hand.template_m[b], axis=1)
    # A joint takes over from another within no less than 5 mm, even in the webs.
    assert (change / length).max() < 2.0 / 0.005


@pytest.mark.parametrize(
    ("pose", "least"),
    [
        (dict.fromkeys(FINGERS[1:], (90.0, 0.0, 0.0)), 0.95),
        (dict.fromkeys(FINGERS[1:], (0.0, 100.0, 60.0)), 0.95),
        (dict.fromkeys(FINGERS[1:], (90.0, 100.0, 60.0)), 0.92),
        ({"thumb": (45.0, 40.0, 60.0)}, 0.95),
    ],
)
def test_bending_keeps_the_volume(
    pose: dict[str, tuple[float, float, float]], least: float
) -> None:
    """Fingers bent to their limits and the thumb across the palm lose little volume."""
    hand = builtin_hand().with_shape()
    bent = hand.vertices(np.eye(4), _flexed(pose))
    ratio = _volume_m3(bent, hand.model.faces) / _volume_m3(hand.template_m, hand.model.faces)
    assert least < ratio < 1.02


def test_size_scales_the_hand_exactly() -> None:
    """The first coefficient scales everything about the wrist, so lengths are exact."""
    model = builtin_hand()
    for betas0 in (-2.0, 1.0, 2.5):
        hand = model.with_shape(np.array([betas0, *[0.0] * 9]))
        scale = 1.0 + betas0 * HAND_LENGTH_STD_M / MEAN_HAND_LENGTH_M
        np.testing.assert_allclose(hand.template_m, scale * model.template_m, atol=1e-12)
        np.testing.assert_allclose(hand.joints_m, scale * model.joints_m, atol=1e-12)
        expected = MEAN_HAND_LENGTH_M + betas0 * HAND_LENGTH_STD_M
        assert hand.hand_length_m == pytest.approx(expected, rel=1e-12)


@pytest.mark.parametrize("direction", range(1, 10))
def test_only_size_changes_the_hand_length(direction: int) -> None:
    """All other coefficients leave the hand length alone, to a twentieth of a millimetre."""
    for value in (-2.0, 2.0):
        betas = np.zeros(10)
        betas[direction] = value
        length = builtin_hand().with_shape(betas).hand_length_m
        assert length == pytest.approx(MEAN_HAND_LENGTH_M, abs=5e-5)


@pytest.mark.parametrize("finger", ["thumb", "index", "ring", "little"])
def test_finger_directions_change_their_finger(finger: str) -> None:
    """A finger's coefficient lengthens all of its bones alike and no other bone."""
    betas = np.zeros(10)
    betas[SHAPE_DIRECTIONS.index(f"{finger} length")] = 1.0
    mean, hand = builtin_hand().with_shape(), builtin_hand().with_shape(betas)
    ratio = hand.bone_lengths_m[:, 1:] / mean.bone_lengths_m[:, 1:]
    row = ("index", "middle", "little", "ring", "thumb").index(finger)
    assert 1.02 < ratio[row, 0] < 1.06
    np.testing.assert_allclose(ratio[row], ratio[row, 0], rtol=1e-9)
    np.testing.assert_allclose(np.delete(ratio, row, axis=0), 1.0, rtol=1e-12)


def test_shape_is_linear_and_has_ten_directions() -> None:
    """Shapes add up, and no direction is a mixture of the others, in skin or joints."""
    model = builtin_hand()
    rng = np.random.default_rng(0)
    one, two = rng.normal(size=(2, 10))
    both = model.with_shape(one + two).template_m - model.template_m
    each = [model.with_shape(b).template_m - model.template_m for b in (one, two)]
    np.testing.assert_allclose(both, each[0] + each[1], atol=1e-12)
    directions = model.shape_dirs_m.reshape(-1, 10)
    unit = directions / np.linalg.norm(directions, axis=0)
    assert np.linalg.svd(unit, compute_uv=False)[-1] > 0.2


def test_bones_vary_about_as_much_as_published() -> None:
    """The spread of each bone over all coefficients is near that of the X-rays, not beyond."""
    model = builtin_hand()
    mean = model.with_shape().bone_lengths_m
    steps = 1e-3 * np.eye(10)
    change = np.array([model.with_shape(step).bone_lengths_m - mean for step in steps]) / 1e-3
    spread = np.linalg.norm(change, axis=0) / mean
    for row, finger in enumerate(("index", "middle", "little", "ring", "thumb")):
        published = np.divide(SEGMENT_STD_M[finger], SEGMENTS_M[finger])
        first = 0 if finger == "thumb" else 1
        ratio = spread[row, 1:3] / published[first : first + 2]
        assert (ratio > 0.6).all()
        assert (ratio < 1.1).all()


def test_joints_stay_inside_the_skin() -> None:
    """For shapes within two standard deviations no joint leaves the mesh."""
    model = builtin_hand()
    rng = np.random.default_rng(1)
    shapes = [np.zeros(10), *(2.0 * np.eye(10)), *(-2.0 * np.eye(10))]
    shapes += list(rng.choice([-2.0, 2.0], size=(5, 10)))
    for betas in shapes:
        hand = model.with_shape(betas)
        corners = hand.template_m[model.faces]
        np.testing.assert_allclose(_winding(hand.joints_m, corners), 1.0, atol=1e-6)
        assert _volume_m3(hand.template_m, model.faces) > 0.0


def test_left_hand_is_the_mirror_image() -> None:
    """The left hand in the mirrored pose is the mirror image of the right one."""
    rng = np.random.default_rng(4)
    mirror = np.array([-1.0, 1.0, 1.0])
    for _ in range(3):
        betas, rotvec = rng.normal(size=10), rng.normal(scale=0.6, size=(15, 3))
        turn, place = rng.normal(size=3), rng.normal(size=3)
        T = se3.from_rotation_translation(so3.exp(turn), place)
        T_left = se3.from_rotation_translation(so3.exp(turn * -mirror * [1, 1, 1]), place * mirror)
        right = builtin_hand(Side.RIGHT).with_shape(betas)
        left = builtin_hand(Side.LEFT).with_shape(betas)
        expected = right.vertices(T, rotvec) * mirror
        np.testing.assert_allclose(left.vertices(T_left, rotvec * -mirror), expected, atol=1e-12)
        expected = right.keypoints(T, rotvec) * mirror
        np.testing.assert_allclose(left.keypoints(T_left, rotvec * -mirror), expected, atol=1e-12)


def test_skin_is_nearest_to_its_own_bones() -> None:
    """Every vertex is moved most by a joint whose bone, or a neighbouring one, is near it."""
    hand = builtin_hand()
    ends = np.vstack((hand.joints_m, hand.template_m[hand.tip_vertices]))
    parents = [*MANO_PARENTS[1:], *TIP_PARENTS]
    bones = [
        (parent, child)
        for child, parent in zip([*range(1, 16), *range(16, 21)], parents, strict=True)
    ]
    distance = np.empty((len(hand.template_m), len(bones)))
    for column, (parent, child) in enumerate(bones):
        side = ends[child] - ends[parent]
        share = np.clip((hand.template_m - ends[parent]) @ side / (side @ side), 0.0, 1.0)
        nearest = ends[parent] + share[:, None] * side
        distance[:, column] = np.linalg.norm(hand.template_m - nearest, axis=-1)
    owner = hand.weights.argmax(axis=1)
    mine = np.array([[parent == joint for parent, _ in bones] for joint in range(16)])
    own = np.where(mine[owner], distance, np.inf).min(axis=1)
    assert (own - distance.min(axis=1)).max() < 0.015


def test_regions_lie_where_they_belong() -> None:
    """Nails and knuckles are on the back, tips and palm opposite, the stump at the wrist's end."""
    hand, regions = builtin_hand(), builtin_regions()
    normals = vertex_normals(hand.template_m, hand.faces)
    assert set(regions.tolist()) == {int(region) for region in Region}
    up = {region: float(normals[regions == region, 1].mean()) for region in Region}
    assert min(up[Region.BACK], up[Region.KNUCKLE], up[Region.NAIL]) > 0.4
    assert max(up[Region.PALM], up[Region.FINGERTIP]) < -0.4
    tips = hand.template_m[hand.tip_vertices]
    for tip in tips:
        near = np.linalg.norm(hand.template_m - tip, axis=-1) < 0.02
        assert (regions[near] == Region.NAIL).sum() >= 12
        assert (regions[near] == Region.FINGERTIP).sum() >= 10
    assert hand.template_m[regions == Region.STUMP, 0].min() > 0.02
    assert hand.template_m[regions == Region.WRIST, 0].min() > -0.005
    with pytest.raises(ValueError, match="read-only"):
        regions[0] = 0


def test_creases_are_on_the_palmar_side() -> None:
    """Creases are few, reach full depth and never lie on the back of the hand."""
    creases, regions = builtin_creases(), builtin_regions()
    assert creases.shape == regions.shape
    assert creases.min() >= 0.0
    assert creases.max() > 0.95
    assert creases[regions == Region.NAIL].max() < 0.05
    assert 0.03 < creases.mean() < 0.25
