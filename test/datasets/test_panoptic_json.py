"""InterHand2.6M and AssemblyHands on files written in their layouts, which are alike."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from dataset_samples import assert_same_hand, poses, sample_hand, sample_mano, write_picture

from hand4d_ros.datasets.assemblyhands import AssemblyHands
from hand4d_ros.datasets.interhand import InterHand, InterHandConfig
from hand4d_ros.datasets.panoptic_json import OPENPOSE_FROM_TIP_FIRST
from hand4d_ros.errors import DatasetError
from hand4d_ros.geometry import se3
from hand4d_ros.hand.orders import OPENPOSE_KEYPOINTS
from hand4d_ros.shapes import Array, Float
from hand4d_ros.types import Side

MANO = sample_mano()
COUNT = 4
RNG = np.random.default_rng(51)
HANDS = {side: sample_hand(MANO, side, COUNT) for side in Side}
T_WORLD_CAMERA = poses(RNG, COUNT)

INTERHAND = "Capture13/0266_dh_pray"
NUMBERS = (22733, 22736, 22742, 22745)
CAMERAS = ("400030", "400262")
UNLABELLED, WITHOUT_TIP, WITHOUT_FIT = 2, 1, 3

ASSEMBLY = "nusar-2021_action_both_9081-c11b_9081_user_id_2021-02-12_161433"
EGO = "HMC_21179183"


def _tip_first() -> tuple[Float[Array, "n 42 3"], Float[Array, "n 42"]]:
    """All keypoints in millimetres, right hand first, each finger from its tip, and their flags."""
    points = np.empty((COUNT, 42, 3))
    for side, first in ((Side.RIGHT, 0), (Side.LEFT, 21)):
        points[:, first + np.array(OPENPOSE_FROM_TIP_FIRST)] = HANDS[side].keypoints_m * 1000.0
    valid = np.ones((COUNT, 42))
    valid[UNLABELLED, 21:] = 0.0
    valid[WITHOUT_TIP, 8] = 0.0
    return points, valid


def _dump(path: Path, content: object) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(content), encoding="utf-8")


def _fits() -> dict[str, Any]:
    """MANO by frame number and side, relative to the mean pose, in metres."""
    fits: dict[str, Any] = {str(number): {} for number in NUMBERS}
    for side in Side:
        rotvec, transl_m, _ = HANDS[side].stated()
        relative = HANDS[side].joint_rotvec.reshape(COUNT, 45) - MANO.spaces[side].mean_rotvec
        for row, number in enumerate(NUMBERS):
            fit = {
                "pose": np.concatenate([rotvec[row], relative[row]]).tolist(),
                "shape": HANDS[side].betas.tolist(),
                "trans": transl_m[row].tolist(),
            }
            fits[str(number)][side.label] = None if row == WITHOUT_FIT else fit
    return fits


def _write_interhand(root: Path) -> Path:
    folder = root / "annotations" / "test"
    points, valid = _tip_first()
    joints = {
        str(number): {
            "world_coord": points[row].tolist(),
            "joint_valid": valid[row][:, None].tolist(),
            "hand_type": "interacting",
            "hand_type_valid": True,
        }
        for row, number in enumerate(NUMBERS)
    }
    _dump(folder / "InterHand2.6M_test_joint_3d.json", {"13": joints})
    images = [
        {
            "id": len(CAMERAS) * row + i,
            "file_name": f"{INTERHAND}/cam{camera}/image{number}.jpg",
            "width": 334,
            "height": 512,
            "capture": 13,
            "subject": 1,
            "seq_name": "0266_dh_pray",
            "camera": camera,
            "frame_idx": number,
        }
        for row, number in enumerate(NUMBERS)
        for i, camera in enumerate(CAMERAS)
        if (row, i) != (1, 1)
    ]
    _dump(folder / "InterHand2.6M_test_data.json", {"images": images, "annotations": []})
    camera: dict[str, Any] = {"campos": {}, "camrot": {}, "focal": {}, "princpt": {}}
    for i, name in enumerate(CAMERAS):
        camera["campos"][name] = (T_WORLD_CAMERA[i, :3, 3] * 1000.0).tolist()
        camera["camrot"][name] = T_WORLD_CAMERA[i, :3, :3].T.tolist()
        camera["focal"][name] = [1261.0 + i, 1262.0]
        camera["princpt"][name] = [166.0, 255.0]
    _dump(folder / "InterHand2.6M_test_camera.json", {"13": camera})
    _dump(folder / "InterHand2.6M_test_MANO_NeuralAnnot.json", {"13": _fits()})
    for row, number in enumerate(NUMBERS):
        path = root / "images" / "test" / f"{INTERHAND}/cam{CAMERAS[1]}/image{number}.jpg"
        write_picture(path, 50 * row)
    return folder


def _write_assembly(root: Path) -> Path:
    folder = root / "annotations" / "val"
    points, valid = _tip_first()
    keys = [f"{6000 + 2 * row:06d}" for row in range(COUNT)]
    joints = {
        key: {"world_coord": points[row].tolist(), "joint_valid": valid[row].tolist()}
        for row, key in enumerate(keys)
    }
    _dump(folder / "assemblyhands_val_joint_3d_v1-1.json", {"annotations": {ASSEMBLY: joints}})
    T_camera_world = se3.inverse(T_WORLD_CAMERA)
    T_camera_world[:, :3, 3] *= 1000.0
    calibration = {
        "intrinsics": {f"{EGO}_mono10bit": [[133.7, 0, 321.2], [0, 133.9, 237.8], [0, 0, 1]]},
        "extrinsics": {
            key: {f"{EGO}_mono10bit": T_camera_world[row, :3].tolist()}
            for row, key in enumerate(keys)
            if row != UNLABELLED
        },
    }
    _dump(
        folder / "assemblyhands_val_ego_calib_v1-1.json", {"calibration": {ASSEMBLY: calibration}}
    )
    images = [
        {
            "id": row,
            "file_name": f"ego_images_rectified/val/{ASSEMBLY}/{EGO}_mono10bit/{key}.jpg",
            "width": 636,
            "height": 480,
            "seq_name": ASSEMBLY,
            "camera": EGO,
            "frame_idx": int(key),
        }
        for row, key in enumerate(keys)
        if row != 1
    ]
    _dump(folder / "assemblyhands_val_ego_data_v1-1.json", {"images": images, "annotations": []})
    for row, key in enumerate(keys):
        name = f"ego_images_rectified/val/{ASSEMBLY}/{EGO}_mono10bit/{key}.jpg"
        write_picture(root / "images" / name, 50 * row)
    return folder


def test_the_order_is_a_permutation_from_base_to_tip() -> None:
    """The skeleton file of InterHand2.6M counts thumb4 (its tip) to thumb1, and so on."""
    names = [
        f"{f}{j}" for f in ("thumb", "index", "middle", "ring", "little") for j in (4, 3, 2, 1)
    ]
    reordered = [[*names, "wrist"][i] for i in OPENPOSE_FROM_TIP_FIRST]
    assert reordered[0] == OPENPOSE_KEYPOINTS[0]
    for found, keypoint in zip(reordered[1:], OPENPOSE_KEYPOINTS[1:], strict=True):
        assert found[:-1] == keypoint.partition("_")[0]
        assert (found[-1] == "4") == keypoint.endswith("tip")
    assert [name[-1] for name in reordered[1:]] == ["1", "2", "3", "4"] * 5


def test_interhand_is_the_truth(tmp_path: Path) -> None:
    """Millimetres, order, both hands, single lost keypoints, and MANO's wrist in the world."""
    _write_interhand(tmp_path)
    loader = InterHand(tmp_path, mano=MANO)
    assert loader.sequence_names() == (INTERHAND,)
    record = loader.sequence(INTERHAND)
    right, left = record.hand(Side.RIGHT), record.hand(Side.LEFT)
    assert right.valid.all()
    assert left.valid.tolist() == [True, True, False, True]
    for hand, rows in ((right, [0]), (right, [2]), (left, [0, 1])):
        assert_same_hand(hand, HANDS[hand.side], slice(rows[0], rows[-1] + 1))
    middle_tip = OPENPOSE_KEYPOINTS.index("middle_tip")
    assert np.flatnonzero(~right.keypoint_valid[WITHOUT_TIP]).tolist() == [middle_tip]
    assert np.isnan(left.required("keypoints_m")[UNLABELLED]).all()
    assert np.isnan(right.required("wrist_m")[WITHOUT_FIT]).all()


def test_interhand_stamps_follow_the_numbers(tmp_path: Path) -> None:
    """The smallest step is one period; a lost frame leaves a gap of two."""
    _write_interhand(tmp_path)
    stamps = InterHand(tmp_path).sequence(INTERHAND).stamps_ns.tolist()
    assert stamps == [0, 33_333_333, 100_000_000, 133_333_333]
    slow = InterHand(tmp_path, InterHandConfig(rate_hz=5)).sequence(INTERHAND, range(1, 3))
    assert slow.stamps_ns.tolist() == [200_000_000, 600_000_000]
    assert slow.frame_numbers.tolist() == [22736, 22742]


def test_interhand_cameras_have_frames_of_their_own(tmp_path: Path) -> None:
    """A camera that misses a frame has fewer rows; pictures know theirs."""
    _write_interhand(tmp_path)
    record = InterHand(tmp_path).sequence(INTERHAND)
    first, second = (record.camera(name) for name in CAMERAS)
    assert first.rows.tolist() == [0, 1, 2, 3]
    assert second.rows.tolist() == [0, 2, 3]
    np.testing.assert_array_equal(second.stamps_ns, record.stamps_ns[[0, 2, 3]])
    np.testing.assert_allclose(second.T_world_camera[1], T_WORLD_CAMERA[1], atol=1e-12)
    assert second.model is not None
    assert (second.model.width_px, second.model.fx_px) == (334, 1262.0)
    shades = {row: float(f.image.mean()) for row, f in record.frames(CAMERAS[1])}
    np.testing.assert_allclose([shades[row] for row in (0, 2, 3)], [0, 100, 150], atol=2.0)
    one = InterHand(tmp_path, InterHandConfig(cameras=CAMERAS[:1])).sequence(INTERHAND)
    assert [camera.name for camera in one.cameras] == [CAMERAS[0]]


def test_interhand_frames_without_labels(tmp_path: Path) -> None:
    """Pictures that the label file passes over have no hands; a camera without frames is left."""
    folder = _write_interhand(tmp_path)
    path = folder / "InterHand2.6M_test_joint_3d.json"
    joints = json.loads(path.read_text(encoding="utf-8"))
    del joints["13"][str(NUMBERS[1])]
    _dump(path, joints)
    record = InterHand(tmp_path).sequence(INTERHAND, range(1, 2))
    assert not record.hand(Side.RIGHT).valid.any()
    assert [camera.name for camera in record.cameras] == [CAMERAS[0]]


def test_interhand_without_fits_has_keypoints(tmp_path: Path) -> None:
    """The file of fits is a download of its own."""
    folder = _write_interhand(tmp_path)
    (folder / "InterHand2.6M_test_MANO_NeuralAnnot.json").unlink()
    truth = InterHand(tmp_path, mano=MANO).sequence(INTERHAND).hand(Side.LEFT)
    np.testing.assert_allclose(
        truth.required("keypoints_m")[0], HANDS[Side.LEFT].keypoints_m[0], atol=1e-9
    )
    with pytest.raises(DatasetError, match=r"betas: the file InterHand2\.6M_<split>_MANO"):
        truth.required("betas")


def test_interhand_without_mano_has_orientations(tmp_path: Path) -> None:
    """The mean pose and the wrist at rest are MANO's."""
    _write_interhand(tmp_path)
    truth = InterHand(tmp_path).sequence(INTERHAND).hand(Side.RIGHT)
    np.testing.assert_allclose(
        truth.required("R_world_wrist")[0], HANDS[Side.RIGHT].T_world_wrist[0, :3, :3], atol=1e-9
    )
    with pytest.raises(DatasetError, match="wrist_m: it needs MANO"):
        truth.required("wrist_m")


def test_interhand_faults_say_what_to_do(tmp_path: Path) -> None:
    """Nothing there, an unknown recording, a lost or damaged file."""
    with pytest.raises(DatasetError, match=r"(?s)mks0601\.github\.io.*joint_3d\.json"):
        InterHand(tmp_path).sequence_names()
    folder = _write_interhand(tmp_path)
    with pytest.raises(DatasetError, match=r"has no Capture0/x; expected one of sequence_names"):
        InterHand(tmp_path).sequence("Capture0/x")
    (folder / "InterHand2.6M_test_camera.json").unlink()
    with pytest.raises(DatasetError, match=r"there is no .*test_camera\.json"):
        InterHand(tmp_path).sequence(INTERHAND)
    (folder / "InterHand2.6M_test_data.json").write_text("[]", encoding="utf-8")
    with pytest.raises(DatasetError, match="holds a list; expected a JSON object"):
        InterHand(tmp_path).sequence_names()
    (folder / "InterHand2.6M_test_data.json").write_text("{", encoding="utf-8")
    with pytest.raises(DatasetError, match="is no JSON"):
        InterHand(tmp_path).sequence_names()


def test_assemblyhands_is_the_truth(tmp_path: Path) -> None:
    """Millimetres, order, 60 numbers a second, and the world from the moving head."""
    _write_assembly(tmp_path)
    loader = AssemblyHands(tmp_path)
    assert loader.sequence_names() == (ASSEMBLY,)
    record = loader.sequence(ASSEMBLY)
    right, left = record.hand(Side.RIGHT), record.hand(Side.LEFT)
    np.testing.assert_allclose(
        right.required("keypoints_m")[0], HANDS[Side.RIGHT].keypoints_m[0], atol=1e-9
    )
    np.testing.assert_allclose(
        left.required("keypoints_m")[3], HANDS[Side.LEFT].keypoints_m[3], atol=1e-9
    )
    assert left.valid.tolist() == [True, True, False, True]
    assert right.keypoint_valid.sum() == COUNT * 21 - 1
    np.testing.assert_array_equal(np.diff(record.stamps_ns), [33_333_333, 33_333_334, 33_333_333])
    with pytest.raises(DatasetError, match="betas: AssemblyHands has no MANO parameters"):
        left.required("betas")


def test_assemblyhands_camera(tmp_path: Path) -> None:
    """Extrinsics are inverted; frames without a pose or a listed picture are without."""
    _write_assembly(tmp_path)
    record = AssemblyHands(tmp_path).sequence(ASSEMBLY)
    camera = record.camera(EGO)
    for row in (0, 1, 3):
        np.testing.assert_allclose(camera.T_world_camera[row], T_WORLD_CAMERA[row], atol=1e-9)
    assert np.isnan(camera.T_world_camera[UNLABELLED, :3]).all()
    assert camera.model is not None
    assert (camera.model.width_px, camera.model.cy_px) == (636, 237.8)
    rows = [row for row, _ in record.frames()]
    assert rows == [0, 2, 3]
    assert AssemblyHands(tmp_path).sequence(ASSEMBLY, range(3)).frame_numbers.tolist() == [
        6000,
        6002,
        6004,
    ]


def test_assemblyhands_faults_say_what_to_do(tmp_path: Path) -> None:
    """Nothing there, version 1.0, an unknown recording, a lost calibration."""
    with pytest.raises(DatasetError, match=r"(?s)assemblyhands-toolkit.*joint_3d_v1-1\.json"):
        AssemblyHands(tmp_path).sequence_names()
    folder = _write_assembly(tmp_path)
    with pytest.raises(DatasetError, match="lacks 'other'"):
        AssemblyHands(tmp_path).sequence("other")
    (folder / "assemblyhands_val_ego_calib_v1-1.json").unlink()
    with pytest.raises(DatasetError, match=r"there is no .*ego_calib_v1-1\.json"):
        AssemblyHands(tmp_path).sequence(ASSEMBLY)
    new = folder / "assemblyhands_val_joint_3d_v1-1.json"
    new.rename(folder / "assemblyhands_val_joint_3d.json")
    with pytest.raises(DatasetError, match=r"joint_3d\.json is version 1\.0; version 1\.1 repl"):
        AssemblyHands(tmp_path).sequence_names()


@pytest.mark.parametrize(
    ("entry", "match"),
    [
        ({"world_coord": [[0.0] * 3] * 21, "joint_valid": [1] * 42}, "cannot reshape"),
        ({"world_coord": [[0.0] * 3] * 42}, "lacks 'joint_valid'"),
        ({"world_coord": [["a"] * 3] * 42, "joint_valid": [1] * 42}, "could not convert"),
    ],
)
def test_foreign_labels_are_refused(tmp_path: Path, entry: dict[str, Any], match: str) -> None:
    """Entries of another size or kind name the file."""
    folder = _write_assembly(tmp_path)
    _dump(
        folder / "assemblyhands_val_joint_3d_v1-1.json",
        {"annotations": {ASSEMBLY: {"006000": entry}}},
    )
    with pytest.raises(DatasetError, match=match):
        AssemblyHands(tmp_path).sequence(ASSEMBLY)
