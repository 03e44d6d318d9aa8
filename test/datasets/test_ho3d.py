"""HO-3D on files written in its layout."""

from __future__ import annotations

import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from dataset_samples import assert_same_hand, poses, sample_hand, sample_mano, write_picture

from hand4d_ros.datasets.ho3d import Ho3d, Ho3dConfig
from hand4d_ros.errors import DatasetError
from hand4d_ros.geometry import so3
from hand4d_ros.hand.orders import OPENPOSE_FROM_MANO
from hand4d_ros.types import Side

MANO = sample_mano()
COUNT = 4
NAME = "ABF10"
UNANNOTATED, WITHOUT_FILE = 1, 2
HAND = sample_hand(MANO, Side.RIGHT, COUNT)
T_CAMERA_OBJECT = poses(np.random.default_rng(41), COUNT)
FLIP = np.diag([1.0, -1.0, -1.0, 1.0])
K = np.array([[617.3, 0.0, 312.4], [0.0, 617.6, 241.4], [0.0, 0.0, 1.0]])


def _meta(frame: int) -> dict[str, Any]:
    """One file's dictionary, in OpenGL axes and MANO's joint order."""
    rotvec, transl_m, keypoints_m = HAND.stated(np.tile(FLIP, (COUNT, 1, 1)))
    T_object = FLIP @ T_CAMERA_OBJECT[frame]
    joints = np.empty((21, 3))
    joints[list(OPENPOSE_FROM_MANO)] = keypoints_m[frame]
    return {
        "handPose": np.concatenate([rotvec[frame], HAND.joint_rotvec[frame].ravel()]),
        "handTrans": transl_m[frame],
        "handBeta": HAND.betas,
        "handJoints3D": joints,
        "camMat": K,
        "objRot": so3.log(T_object[:3, :3])[:, None],
        "objTrans": T_object[:3, 3],
        "objName": "021_bleach_cleanser",
        "objLabel": 12,
        "camIDList": ["0", "1"],
    }


def _write(root: Path, split: str = "train") -> Path:
    folder = root / split / NAME
    (folder / "meta").mkdir(parents=True)
    for frame in range(COUNT):
        write_picture(folder / "rgb" / f"{frame:04d}.jpg", 50 * frame)
        if frame == WITHOUT_FILE:
            continue
        meta = _meta(frame)
        if split == "evaluation":
            meta = {
                key: meta[key]
                for key in ("objRot", "objTrans", "objName", "camMat", "handJoints3D")
            }
            meta["handJoints3D"] = meta["handJoints3D"][0]
            meta["handBoundingBox"] = [1, 2, 3, 4]
        if frame == UNANNOTATED:
            meta = {key: value if key == "camMat" else None for key, value in meta.items()}
        path = folder / "meta" / f"{frame:04d}.pkl"
        path.write_bytes(pickle.dumps(meta, protocol=2))
    return folder


def test_record_is_the_truth(tmp_path: Path) -> None:
    """OpenGL becomes the optical frame, of points and rotations; joints get OpenPose order."""
    _write(tmp_path)
    loader = Ho3d(tmp_path, mano=MANO)
    assert loader.sequence_names() == (NAME,)
    record = loader.sequence(NAME)
    truth = record.hand(Side.RIGHT)
    assert truth.valid.tolist() == [True, False, False, True]
    for rows in (slice(1), slice(3, None)):
        assert_same_hand(truth, HAND, rows)
    assert np.isnan(truth.required("keypoints_m")[1:3]).all()
    (found,) = record.objects
    assert found.name == "021_bleach_cleanser"
    np.testing.assert_allclose(found.T_world_object[3], T_CAMERA_OBJECT[3], atol=1e-9)
    assert np.isnan(found.T_world_object[1:3, :3]).all()
    model = record.camera().model
    assert model is not None
    assert (model.fx_px, model.cy_px) == (617.3, 241.4)


def test_without_mano_only_the_file_is_needed(tmp_path: Path) -> None:
    """Poses are absolute and joint 0 is the wrist."""
    _write(tmp_path)
    truth = Ho3d(tmp_path).sequence(NAME, range(3, 4)).hand(Side.RIGHT)
    np.testing.assert_allclose(truth.T_world_wrist, HAND.T_world_wrist[3:], atol=1e-9)
    np.testing.assert_allclose(truth.required("joint_rotvec"), HAND.joint_rotvec[3:], atol=1e-9)


def test_pictures_come_with_their_row(tmp_path: Path) -> None:
    """Frames without labels have their pictures too."""
    _write(tmp_path)
    frames = list(Ho3d(tmp_path).sequence(NAME).frames())
    assert [row for row, _ in frames] == [0, 1, 2, 3]
    np.testing.assert_allclose(
        [float(f.image.mean()) for _, f in frames], [0, 50, 100, 150], atol=2
    )


def test_frames_without_any_label(tmp_path: Path) -> None:
    """Of frames without a file even the intrinsics are unknown; nothing is made up."""
    _write(tmp_path)
    record = Ho3d(tmp_path, mano=MANO).sequence(NAME, range(2, 3))
    assert record.camera().model is None
    assert record.objects == ()
    assert not record.hand(Side.RIGHT).valid.any()


def test_evaluation_has_the_wrist_alone(tmp_path: Path) -> None:
    """The one joint is a position of the wrist; all else is withheld, and said to be."""
    _write(tmp_path, "evaluation")
    record = Ho3d(tmp_path, Ho3dConfig(split="evaluation"), MANO).sequence(NAME)
    truth = record.hand(Side.RIGHT)
    assert truth.valid.tolist() == [True, False, False, True]
    np.testing.assert_allclose(
        truth.required("wrist_m")[3], HAND.T_world_wrist[3, :3, 3], atol=1e-9
    )
    assert truth.keypoint_valid.sum() == 2
    with pytest.raises(DatasetError, match="joint_rotvec: poses of the evaluation split are with"):
        truth.required("joint_rotvec")
    assert record.notes


def test_version_2_is_refused(tmp_path: Path) -> None:
    """Its pictures are .png; its labels are the worse ones."""
    folder = _write(tmp_path)
    for path in (folder / "rgb").iterdir():
        path.rename(path.with_suffix(".png"))
    with pytest.raises(DatasetError, match=r"as HO-3D v2 does; expected \.jpg of v3"):
        Ho3d(tmp_path).sequence(NAME)


def test_missing_and_foreign_files_say_what_to_do(tmp_path: Path) -> None:
    """No folder, no recording, a file of something else, a file with code."""
    with pytest.raises(DatasetError, match=r"(?s)github\.com/shreyashampali/ho3d.*meta/0000\.pkl"):
        Ho3d(tmp_path).sequence_names()
    folder = _write(tmp_path)
    with pytest.raises(DatasetError, match=r"there is no .*SM1"):
        Ho3d(tmp_path).sequence("SM1")
    path = folder / "meta" / "0003.pkl"
    path.write_bytes(pickle.dumps([1, 2]))
    with pytest.raises(DatasetError, match=r"0003\.pkl holds a list"):
        Ho3d(tmp_path).sequence(NAME)
    path.write_bytes(pickle.dumps(Path("code")))
    with pytest.raises(DatasetError, match=r"is refused: .*pathlib"):
        Ho3d(tmp_path).sequence(NAME)
    meta = _meta(3)
    del meta["handBeta"]
    path.write_bytes(pickle.dumps(meta))
    with pytest.raises(DatasetError, match="lacks 'handBeta'"):
        Ho3d(tmp_path).sequence(NAME)
    (tmp_path / "train" / NAME).rename(tmp_path / "elsewhere")
    with pytest.raises(DatasetError, match=r"there is no .*<sequence>"):
        Ho3d(tmp_path).sequence_names()
