"""From a dataset's MANO parameters to ours."""

from __future__ import annotations

import pickle
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from dataset_samples import assert_same_hand, poses, sample_hand, sample_mano

from hand4d_ros.datasets.mano import (
    LeftShape,
    ManoLabels,
    mano_hands,
    truth_from_mano,
)
from hand4d_ros.errors import DatasetError, HandModelError
from hand4d_ros.geometry import se3
from hand4d_ros.hand.mano_file import MANO_TIP_VERTICES
from hand4d_ros.hand.orders import MANO_PARENTS, OPENPOSE_FROM_MANO
from hand4d_ros.types import Side

MANO = sample_mano()
COUNT = 5


@pytest.mark.parametrize("side", list(Side))
@pytest.mark.parametrize("left_shape", ["mirrored", "released"])
@pytest.mark.parametrize("given", [True, False])
def test_labels_in_a_moving_frame_come_back_in_the_world(
    side: Side, left_shape: LeftShape, *, given: bool
) -> None:
    """Wrist, fingers, shape and keypoints (stated or computed) are those of the hand."""
    hand = sample_hand(MANO, side, COUNT, left_shape=left_shape)
    T_world_frame = poses(np.random.default_rng(2), COUNT)
    rotvec, transl_m, keypoints_m = hand.stated(se3.inverse(T_world_frame))
    labels = ManoLabels(
        side=side,
        valid=np.array([True, True, False, True, True]),
        global_rotvec=rotvec,
        transl_m=transl_m,
        betas=np.tile(hand.betas, (COUNT, 1)),
        joint_rotvec=hand.joint_rotvec,
        left_shape=left_shape,
        keypoints_m=keypoints_m if given else None,
    )
    truth = truth_from_mano(labels, T_world_frame, MANO)
    assert_same_hand(truth, hand, slice(2))
    assert_same_hand(truth, hand, slice(3, None))
    for name in ("keypoints_m", "T_world_wrist", "joint_rotvec", "betas"):
        row = np.asarray(getattr(truth, name))[2]
        assert np.isnan(row).any(), name
    assert np.isnan(truth.required("keypoints_m")[2]).all()


def test_each_shape_is_posed_as_itself() -> None:
    """Coefficients that change from frame to frame give each frame its own hand."""
    first, second = (sample_hand(MANO, Side.RIGHT, 2, seed=seed) for seed in (1, 2))
    parts = [hand.stated() for hand in (first, second)]
    labels = ManoLabels(
        side=Side.RIGHT,
        valid=np.ones(4, dtype=bool),
        global_rotvec=np.concatenate([rotvec for rotvec, _, _ in parts]),
        transl_m=np.concatenate([transl for _, transl, _ in parts]),
        betas=np.repeat([first.betas, second.betas], 2, axis=0),
        joint_rotvec=np.concatenate([first.joint_rotvec, second.joint_rotvec]),
    )
    truth = truth_from_mano(labels, np.tile(np.eye(4), (4, 1, 1)), MANO)
    expected = np.concatenate([first.keypoints_m, second.keypoints_m])
    np.testing.assert_allclose(truth.required("keypoints_m"), expected, atol=1e-12)


def test_without_mano_only_what_follows_is_said() -> None:
    """The orientation and shape follow; the wrist only where keypoint 0 is MANO's."""
    hand = sample_hand(MANO, Side.RIGHT, COUNT)
    rotvec, transl_m, keypoints_m = hand.stated()
    labels = ManoLabels(
        side=Side.RIGHT,
        valid=np.ones(COUNT, dtype=bool),
        global_rotvec=rotvec,
        transl_m=transl_m,
        betas=np.tile(hand.betas, (COUNT, 1)),
        joint_rotvec=None,
    )
    still = np.tile(np.eye(4), (COUNT, 1, 1))
    truth = truth_from_mano(labels, still, None)
    np.testing.assert_allclose(
        truth.required("R_world_wrist"), hand.T_world_wrist[:, :3, :3], atol=1e-12
    )
    for name in ("wrist_m", "keypoints_m", "joint_rotvec"):
        with pytest.raises(DatasetError, match=f"{name}: it needs MANO"):
            truth.required(name)
    stated = replace(labels, keypoints_m=keypoints_m, keypoint_wrist=True)
    np.testing.assert_allclose(
        truth_from_mano(stated, still, None).T_world_wrist, hand.T_world_wrist, atol=1e-12
    )


def test_the_mean_pose_is_added_and_components_are_undone() -> None:
    """Both ways of stating fingers give the absolute rotations."""
    hand = sample_hand(MANO, Side.RIGHT, COUNT)
    space = MANO.spaces[Side.RIGHT]
    relative = hand.joint_rotvec.reshape(COUNT, 45) - space.mean_rotvec
    np.testing.assert_allclose(space.absolute(relative), hand.joint_rotvec, atol=1e-12)
    np.testing.assert_allclose(
        space.from_coefficients(hand.coefficients(space)), hand.joint_rotvec, atol=1e-12
    )
    few = space.from_coefficients(hand.coefficients(space, 15), mean=False).reshape(COUNT, 45)
    np.testing.assert_allclose(few @ space.components[15:].T, 0.0, atol=1e-12)


def test_the_left_hand_mirrors_the_right() -> None:
    """Mirrored parameters give mirrored keypoints: (x, y, z) of a rotation is (x, -y, -z)."""
    right = sample_hand(MANO, Side.RIGHT, COUNT)
    coefficients = right.coefficients(MANO.spaces[Side.RIGHT])
    left_fingers = MANO.spaces[Side.LEFT].from_coefficients(coefficients)
    np.testing.assert_allclose(left_fingers, right.joint_rotvec * [1, -1, -1], atol=1e-12)
    mirror = np.diag([-1.0, 1.0, 1.0, 1.0])
    left = replace(
        right,
        side=Side.LEFT,
        model=MANO.model(Side.LEFT),
        T_world_wrist=mirror @ right.T_world_wrist @ mirror,
        joint_rotvec=left_fingers,
    )
    np.testing.assert_allclose(left.keypoints_m, right.keypoints_m * [-1, 1, 1], atol=1e-12)


def test_the_released_left_hand_keeps_the_right_hands_x() -> None:
    """Its shape directions differ from the mirror image's in the sign of x and in nothing else."""
    mirrored = MANO.model(Side.LEFT)
    released = MANO.model(Side.LEFT, "released")
    np.testing.assert_array_equal(released.template_m, mirrored.template_m)
    np.testing.assert_array_equal(
        released.shape_dirs_m[:, 0], MANO.right.shape_dirs_m[:, 0], strict=True
    )
    np.testing.assert_array_equal(released.shape_dirs_m[:, 1:], mirrored.shape_dirs_m[:, 1:])
    assert MANO.model(Side.RIGHT, "released") is MANO.right


def _write_mano(path: Path, side: Side) -> dict[str, np.ndarray]:
    """A file with the names and shapes of MANO's and made-up numbers."""
    rng = np.random.default_rng(int(side))
    weights = rng.random((778, 16))
    regressor = rng.random((16, 778))
    template = rng.normal(size=(778, 3))
    regressor[0] = 0.0
    regressor[0, 0] = 1.0
    toward = 1.0 if side is Side.LEFT else -1.0
    template[443] = template[0] + [toward, 0.0, 0.0]
    content = {
        "v_template": template,
        "shapedirs": rng.normal(size=(778, 3, 10)),
        "posedirs": rng.normal(size=(778, 3, 135)),
        "J_regressor": regressor / regressor.sum(axis=1, keepdims=True),
        "weights": weights / weights.sum(axis=1, keepdims=True),
        "f": rng.integers(0, 778, (1538, 3)),
        "kintree_table": np.array([MANO_PARENTS, range(16)]),
        "hands_mean": rng.normal(size=45),
        "hands_components": rng.normal(size=(45, 45)),
    }
    path.write_bytes(pickle.dumps(content, protocol=2))
    return content


def test_mano_files_are_read(tmp_path: Path) -> None:
    """The right file gives both hands; a left file gives its own mean pose."""
    right_pkl, left_pkl = tmp_path / "MANO_RIGHT.pkl", tmp_path / "MANO_LEFT.pkl"
    right, left = _write_mano(right_pkl, Side.RIGHT), _write_mano(left_pkl, Side.LEFT)
    alone = mano_hands(right_pkl)
    np.testing.assert_array_equal(alone.right.template_m, right["v_template"])
    np.testing.assert_array_equal(
        alone.spaces[Side.LEFT].mean_rotvec, right["hands_mean"] * np.tile([1, -1, -1], 15)
    )
    both = mano_hands(right_pkl, left_pkl)
    np.testing.assert_array_equal(both.spaces[Side.LEFT].components, left["hands_components"])
    with pytest.raises(DatasetError, match="is a left hand; give the right one"):
        mano_hands(left_pkl)
    with pytest.raises(HandModelError, match="cannot read"):
        mano_hands(tmp_path / "nowhere.pkl")


@pytest.mark.parametrize("side", list(Side))
def test_smplx_agrees(tmp_path: Path, side: Side) -> None:
    """The same parameters through smplx, as the datasets' own code has it, give our keypoints."""
    smplx, torch = pytest.importorskip("smplx"), pytest.importorskip("torch")
    content = _write_mano(tmp_path / "MANO_RIGHT.pkl", Side.RIGHT)
    hands = mano_hands(tmp_path / "MANO_RIGHT.pkl")
    model, space = hands.model(side, "released"), hands.spaces[side]
    data = smplx.utils.Struct(
        v_template=model.template_m,
        shapedirs=model.shape_dirs_m,
        posedirs=model.pose_dirs_m,
        hands_mean=space.mean_rotvec,
        hands_components=space.components,
        **{key: content[key] for key in ("J_regressor", "weights", "f", "kintree_table")},
    )
    layer = smplx.MANO(
        "", side is Side.RIGHT, data, num_pca_comps=15, dtype=torch.float64, batch_size=COUNT
    )
    rng = np.random.default_rng(3)
    rotvec, transl_m, betas, coefficients = (rng.normal(size=(COUNT, k)) for k in (3, 3, 10, 15))
    with torch.no_grad():
        posed = layer(
            betas=torch.from_numpy(betas),
            global_orient=torch.from_numpy(rotvec),
            hand_pose=torch.from_numpy(coefficients),
            transl=torch.from_numpy(transl_m),
        )
    tips = posed.vertices.numpy()[:, list(MANO_TIP_VERTICES)]
    expected = np.concatenate([posed.joints.numpy(), tips], axis=1)[:, list(OPENPOSE_FROM_MANO)]
    labels = ManoLabels(
        side=side,
        valid=np.ones(COUNT, dtype=bool),
        global_rotvec=rotvec,
        transl_m=transl_m,
        betas=betas,
        joint_rotvec=space.from_coefficients(coefficients),
        left_shape="released",
    )
    truth = truth_from_mano(labels, np.tile(np.eye(4), (COUNT, 1, 1)), hands)
    # smplx adds 1e-8 to the entries of rotation vectors, and this made-up hand is metres wide.
    np.testing.assert_allclose(truth.required("keypoints_m"), expected, atol=1e-5)
