"""H2O on files written in its layout."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from dataset_samples import assert_same_hand, poses, sample_hand, sample_mano, write_picture

from hand4d_ros.datasets.h2o import H2O, H2OConfig
from hand4d_ros.errors import ConfigError, DatasetError
from hand4d_ros.geometry import se3
from hand4d_ros.types import Side

MANO = sample_mano()
COUNT = 4
NAME = "subject1_ego/h1/0/cam4"
RNG = np.random.default_rng(31)
T_WORLD_CAMERA = poses(RNG, COUNT)
T_WORLD_OBJECT = poses(RNG, COUNT)
HANDS = {side: sample_hand(MANO, side, COUNT, left_shape="released") for side in Side}
UNLABELLED = 1
WITHOUT_MANO = 2


def _text(values: object) -> str:
    return " ".join(f"{value:.12g}" for value in np.ravel(np.asarray(values, dtype=float)))


def _write(root: Path, *, mano_folder: str = "hand_pose_mano") -> Path:
    """One recording as the player reads it: the left hand first, all in the camera's frame."""
    folder = root / NAME
    folders = ("cam_pose", "hand_pose", mano_folder, "obj_pose_rt")
    for name in folders:
        (folder / name).mkdir(parents=True)
    (folder / "cam_intrinsics.txt").write_text("636.6 636.2 635.3 366.9 1280 720")
    T_camera_world = se3.inverse(T_WORLD_CAMERA)
    stated = [HANDS[side].stated(T_camera_world) for side in (Side.LEFT, Side.RIGHT)]
    for frame in range(COUNT):
        keypoints, fits = [], []
        for side, (rotvec, transl_m, points_m) in zip((Side.LEFT, Side.RIGHT), stated, strict=True):
            seen = not (side is Side.LEFT and frame == UNLABELLED)
            fitted = seen and not (side is Side.RIGHT and frame == WITHOUT_MANO)
            fingers = HANDS[side].joint_rotvec[frame].ravel()
            fit = np.concatenate([transl_m[frame], rotvec[frame], fingers, HANDS[side].betas])
            keypoints += [float(seen), *(points_m[frame].ravel() * seen)]
            fits += [float(fitted), *(fit * fitted)]
        stem = f"{frame:06d}.txt"
        T_camera_object = T_camera_world[frame] @ T_WORLD_OBJECT[frame]
        (folder / "cam_pose" / stem).write_text(_text(T_WORLD_CAMERA[frame]))
        (folder / "hand_pose" / stem).write_text(_text(keypoints))
        (folder / mano_folder / stem).write_text(_text(fits))
        (folder / "obj_pose_rt" / stem).write_text(
            _text([0 if frame == 3 else 5, *T_camera_object.ravel()])
        )
        write_picture(folder / "rgb" / f"{frame:06d}.png", 60 * frame)
    return folder


@pytest.mark.parametrize("mano_folder", ["hand_pose_mano", "hand_pose_MANO"])
def test_record_is_the_truth(tmp_path: Path, mano_folder: str) -> None:
    """Both hands in the world, flat-hand poses, whichever way the folder is spelt."""
    _write(tmp_path, mano_folder=mano_folder)
    loader = H2O(tmp_path, mano=MANO)
    assert loader.sequence_names() == (NAME,)
    record = loader.sequence(NAME)
    left, right = record.hand(Side.LEFT), record.hand(Side.RIGHT)
    assert left.valid.tolist() == [True, False, True, True]
    assert right.valid.all()
    for rows in (slice(UNLABELLED), slice(UNLABELLED + 1, None)):
        assert_same_hand(left, HANDS[Side.LEFT], rows)
    for rows in (slice(WITHOUT_MANO), slice(WITHOUT_MANO + 1, None)):
        assert_same_hand(right, HANDS[Side.RIGHT], rows)
    assert record.camera().model is not None


def test_keypoints_remain_where_mano_was_not_fitted(tmp_path: Path) -> None:
    """Each has its own flag; zeros of the file never come through."""
    _write(tmp_path)
    right = H2O(tmp_path, mano=MANO).sequence(NAME).hand(Side.RIGHT)
    np.testing.assert_allclose(
        right.required("keypoints_m"), HANDS[Side.RIGHT].keypoints_m, atol=1e-9
    )
    assert np.isnan(right.required("joint_rotvec")[WITHOUT_MANO]).all()
    assert np.isnan(right.required("wrist_m")[WITHOUT_MANO]).all()


def test_without_a_mano_file_the_wrist_is_keypoint_0(tmp_path: Path) -> None:
    """Poses are absolute, so only the translation would need the model."""
    _write(tmp_path)
    truth = H2O(tmp_path).sequence(NAME, range(3, 4)).hand(Side.RIGHT)
    np.testing.assert_allclose(truth.T_world_wrist, HANDS[Side.RIGHT].T_world_wrist[3:], atol=1e-9)
    np.testing.assert_allclose(
        truth.required("joint_rotvec"), HANDS[Side.RIGHT].joint_rotvec[3:], atol=1e-9
    )


def test_without_the_mano_folder_keypoints_remain(tmp_path: Path) -> None:
    """The record says which download is missing."""
    folder = _write(tmp_path)
    (folder / "hand_pose_mano").rename(folder / "elsewhere")
    truth = H2O(tmp_path, mano=MANO).sequence(NAME).hand(Side.RIGHT)
    np.testing.assert_allclose(
        truth.required("keypoints_m"), HANDS[Side.RIGHT].keypoints_m, atol=1e-9
    )
    with pytest.raises(DatasetError, match="betas: there is no hand_pose_mano"):
        truth.required("betas")


def test_downloads_of_poses_alone_have_no_pictures(tmp_path: Path) -> None:
    """Nor need there be objects."""
    folder = _write(tmp_path)
    for name in ("rgb", "obj_pose_rt"):
        (folder / name).rename(tmp_path / name)
    record = H2O(tmp_path).sequence(NAME)
    assert record.objects == ()
    with pytest.raises(DatasetError, match="camera cam4 has no pictures"):
        next(record.frames())


def test_objects_cameras_and_pictures(tmp_path: Path) -> None:
    """The camera maps to the world; class 0 is no object."""
    _write(tmp_path)
    record = H2O(tmp_path).sequence(NAME, range(1, 4))
    (found,) = record.objects
    assert found.name == "milk"
    np.testing.assert_allclose(found.T_world_object[:2], T_WORLD_OBJECT[1:3], atol=1e-9)
    assert np.isnan(found.T_world_object[2]).all()
    camera = record.camera("cam4")
    np.testing.assert_allclose(camera.T_world_camera, T_WORLD_CAMERA[1:], atol=1e-9)
    shades = [float(frame.image.mean()) for _, frame in record.frames()]
    np.testing.assert_allclose(shades, [60.0, 120.0, 180.0], atol=2.0)
    assert record.stamps_ns.tolist() == [33_333_333, 66_666_667, 100_000_000]


def test_missing_files_say_what_to_do(tmp_path: Path) -> None:
    """Nothing there, another camera's, a lost file."""
    with pytest.raises(DatasetError, match=r"(?s)h2odataset\.ethz\.ch \(a request there.*cam_pose"):
        H2O(tmp_path / "nowhere").sequence_names()
    folder = _write(tmp_path)
    with pytest.raises(DatasetError, match=r"there is no .*cam2"):
        H2O(tmp_path, H2OConfig(camera=2)).sequence_names()
    (folder / "cam_pose" / "000002.txt").unlink()
    with pytest.raises(DatasetError, match=r"there is no .*cam_pose.*000002\.txt"):
        H2O(tmp_path).sequence(NAME)


@pytest.mark.parametrize(
    ("content", "match"),
    [
        ("1 2 3", "has 3 numbers; expected 124, as labels of version 1.1"),
        ("a b", "holds no number"),
    ],
)
def test_other_versions_are_refused(tmp_path: Path, content: str, match: str) -> None:
    """The MANO files of version 1.1 have 124 numbers."""
    folder = _write(tmp_path)
    (folder / "hand_pose_mano" / "000000.txt").write_text(content)
    with pytest.raises(DatasetError, match=match):
        H2O(tmp_path).sequence(NAME)


def test_unknown_object_classes_and_cameras_are_refused(tmp_path: Path) -> None:
    """There are eight objects and five cameras."""
    folder = _write(tmp_path)
    (folder / "obj_pose_rt" / "000000.txt").write_text(_text([9, *np.eye(4).ravel()]))
    with pytest.raises(DatasetError, match="object class 9; expected 1 to 8"):
        H2O(tmp_path).sequence(NAME)
    with pytest.raises(ConfigError, match="camera is 5; give a value between 0 and 4"):
        H2OConfig(camera=5)
