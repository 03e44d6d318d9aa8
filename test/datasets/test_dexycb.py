"""DexYCB on files written in its layout."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml
from dataset_samples import (
    HandSample,
    assert_same_hand,
    poses,
    sample_hand,
    sample_mano,
    write_picture,
)

from hand4d_ros.datasets.dexycb import SERIALS, YCB_OBJECTS, DexYcb, DexYcbConfig
from hand4d_ros.errors import DatasetError
from hand4d_ros.geometry import se3
from hand4d_ros.shapes import Array, Float
from hand4d_ros.types import Side

MANO = sample_mano()
COUNT = 4
UNSEEN = 2
RECORDING = "20200709-subject-01/20200709_141754"
SERIAL = SERIALS[2]
SEQUENCE = f"{RECORDING}/{SERIAL}"


def _write_yaml(path: Path, content: dict[str, Any]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(yaml.safe_dump(content), encoding="utf-8")


def _write(root: Path, hand: HandSample) -> tuple[Float[Array, "4 4"], Float[Array, "n 4 4"]]:
    """One recording as the toolkit reads it; returns the camera and the second object."""
    rng = np.random.default_rng(5)
    T_world_camera, T_world_object = poses(rng, 1)[0], poses(rng, COUNT)
    meta = {
        "serials": list(SERIALS),
        "num_frames": COUNT,
        "extrinsics": "20200702_151821",
        "mano_sides": [hand.side.label],
        "mano_calib": ["20200709_140042_subject-01_right"],
        "ycb_ids": [1, 21],
    }
    _write_yaml(root / RECORDING / "meta.yml", meta)
    calibration = root / "calibration"
    extrinsics = {
        "master": SERIALS[0],
        "extrinsics": {SERIAL: T_world_camera[:3].ravel().tolist(), "apriltag": [0.0] * 12},
    }
    _write_yaml(calibration / "extrinsics_20200702_151821" / "extrinsics.yml", extrinsics)
    intrinsics = {"color": {"fx": 613.0, "fy": 612.0, "ppx": 313.0, "ppy": 245.0}, "depth": {}}
    _write_yaml(calibration / "intrinsics" / f"{SERIAL}_640x480.yml", intrinsics)
    _write_yaml(
        calibration / "mano_20200709_140042_subject-01_right" / "mano.yml",
        {"betas": hand.betas.tolist()},
    )
    _write_labels(root / SEQUENCE, hand, se3.inverse(T_world_camera), T_world_object)
    return T_world_camera, T_world_object


def _write_labels(
    folder: Path,
    hand: HandSample,
    T_camera_world: Float[Array, "4 4"],
    T_world_object: Float[Array, "n 4 4"],
) -> None:
    rotvec, transl_m, keypoints_m = hand.stated(np.tile(T_camera_world, (COUNT, 1, 1)))
    coefficients = hand.coefficients(MANO.spaces[hand.side])
    pose = np.concatenate([rotvec, coefficients, transl_m], axis=1)
    for frame in range(COUNT):
        seen = frame != UNSEEN
        objects = np.zeros((2, 3, 4), dtype=np.float32)
        objects[1] = (T_camera_world @ T_world_object[frame])[:3] if seen else 0.0
        write_picture(folder / f"color_{frame:06d}.jpg", 40 * frame)
        np.savez_compressed(
            folder / f"labels_{frame:06d}.npz",
            seg=np.zeros((480, 640), dtype=np.uint8),
            pose_y=objects,
            pose_m=(pose[frame] if seen else np.zeros(51)).astype(np.float32)[None],
            joint_3d=(keypoints_m[frame] if seen else np.full((21, 3), -1.0)).astype(np.float32)[
                None
            ],
            joint_2d=np.zeros((1, 21, 2), dtype=np.float32),
        )


@pytest.mark.parametrize("side", list(Side))
def test_record_is_the_truth(tmp_path: Path, side: Side) -> None:
    """Components, mean pose, camera and world are undone; unseen frames are not valid."""
    hand = sample_hand(MANO, side, COUNT, left_shape="released")
    T_world_camera, _ = _write(tmp_path, hand)
    loader = DexYcb(tmp_path, mano=MANO)
    assert loader.sequence_names() == (SEQUENCE,)
    record = loader.sequence(SEQUENCE)
    truth = record.hand(side)
    assert truth.valid.tolist() == [True, True, False, True]
    for rows in (slice(UNSEEN), slice(UNSEEN + 1, None)):
        assert_same_hand(truth, hand, rows, atol=2e-6)
    assert np.isnan(truth.required("keypoints_m")[UNSEEN]).all()
    assert np.isnan(truth.T_world_wrist[UNSEEN, :3]).all()
    camera = record.camera()
    np.testing.assert_allclose(camera.T_world_camera[1], T_world_camera, atol=1e-12)
    assert camera.model is not None
    assert (camera.model.fx_px, camera.model.cy_px) == (613.0, 245.0)
    assert record.stamps_ns.tolist() == [0, 33_333_333, 66_666_667, 100_000_000]
    assert bool(record.notes) == (side is Side.LEFT)


def test_objects_are_in_the_world(tmp_path: Path) -> None:
    """Poses are moved to the world; all zeros mean that there is none."""
    hand = sample_hand(MANO, Side.RIGHT, COUNT)
    _, T_world_object = _write(tmp_path, hand)
    first, second = DexYcb(tmp_path).sequence(SEQUENCE).objects
    assert (first.name, second.name) == (YCB_OBJECTS[0], YCB_OBJECTS[20])
    assert np.isnan(first.T_world_object).all(axis=(1, 2)).all()
    np.testing.assert_allclose(second.T_world_object[:UNSEEN], T_world_object[:UNSEEN], atol=1e-6)
    assert np.isnan(second.T_world_object[UNSEEN, :3]).all()


def test_without_mano_the_wrist_is_known_and_the_fingers_are_not(tmp_path: Path) -> None:
    """Keypoint 0 is MANO's wrist joint; principal components say nothing by themselves."""
    hand = sample_hand(MANO, Side.RIGHT, COUNT)
    _write(tmp_path, hand)
    truth = DexYcb(tmp_path).sequence(SEQUENCE).hand(Side.RIGHT)
    np.testing.assert_allclose(truth.T_world_wrist[:UNSEEN], hand.T_world_wrist[:UNSEEN], atol=1e-6)
    with pytest.raises(DatasetError, match="joint_rotvec: it needs MANO"):
        truth.required("joint_rotvec")


def test_only_the_chosen_frames_are_opened(tmp_path: Path) -> None:
    """A damaged file of another frame does no harm; its own frame names it."""
    hand = sample_hand(MANO, Side.RIGHT, COUNT)
    _write(tmp_path, hand)
    (tmp_path / SEQUENCE / "labels_000000.npz").write_bytes(b"PK damaged")
    record = DexYcb(tmp_path, mano=MANO).sequence(SEQUENCE, range(1, 4, 2))
    assert record.frame_numbers.tolist() == [1, 3]
    np.testing.assert_allclose(
        record.hand(Side.RIGHT).required("keypoints_m"), hand.keypoints_m[1::2], atol=1e-6
    )
    shades = [float(frame.image.mean()) for _, frame in record.frames()]
    np.testing.assert_allclose(shades, [40.0, 120.0], atol=2.0)
    with pytest.raises(DatasetError, match=r"labels_000000\.npz is no readable \.npz"):
        DexYcb(tmp_path).sequence(SEQUENCE)


def test_cameras_can_be_chosen(tmp_path: Path) -> None:
    """Cameras that are not there, or not wanted, have no sequence."""
    _write(tmp_path, sample_hand(MANO, Side.RIGHT, COUNT))
    assert DexYcb(tmp_path, DexYcbConfig(cameras=(SERIALS[0],))).sequence_names() == ()


def test_what_is_missing_says_where_to_get_it(tmp_path: Path) -> None:
    """Folder, calibration and labels: each with the site and the layout."""
    with pytest.raises(DatasetError, match=r"(?s)there is no .*dex-ycb\.github\.io.*meta\.yml"):
        DexYcb(tmp_path / "nowhere").sequence_names()
    with pytest.raises(DatasetError, match=r"there is no .*meta\.yml"):
        DexYcb(tmp_path).sequence_names()
    _write(tmp_path, sample_hand(MANO, Side.RIGHT, COUNT))
    calibration = tmp_path / "calibration"
    intrinsics = calibration / "intrinsics" / f"{SERIAL}_640x480.yml"
    content = intrinsics.read_text(encoding="utf-8")
    intrinsics.unlink()
    with pytest.raises(DatasetError, match=r"(?s)there is no .*640x480\.yml.*CC BY-NC"):
        DexYcb(tmp_path).sequence(SEQUENCE)
    intrinsics.write_text(content, encoding="utf-8")
    (tmp_path / SEQUENCE / "labels_000003.npz").unlink()
    with pytest.raises(DatasetError, match=r"there is no .*labels_000003\.npz"):
        DexYcb(tmp_path).sequence(SEQUENCE)


@pytest.mark.parametrize(
    ("change", "match"),
    [
        ({"mano_sides": ["both"]}, r"mano_sides \['both'\]; expected one of"),
        ({"num_frames": "many"}, "holds could not convert"),
        ({"ycb_ids": [1]}, "cannot reshape"),
    ],
)
def test_foreign_meta_is_refused(tmp_path: Path, change: dict[str, Any], match: str) -> None:
    """A meta file of something else names what is wrong."""
    _write(tmp_path, sample_hand(MANO, Side.RIGHT, COUNT))
    path = tmp_path / RECORDING / "meta.yml"
    meta = yaml.safe_load(path.read_text(encoding="utf-8"))
    _write_yaml(path, {**meta, **change})
    with pytest.raises(DatasetError, match=match):
        DexYcb(tmp_path).sequence(SEQUENCE)
    del meta["num_frames"]
    _write_yaml(path, meta)
    with pytest.raises(DatasetError, match="lacks 'num_frames'"):
        DexYcb(tmp_path).sequence(SEQUENCE)


def test_labels_of_another_dataset_are_refused(tmp_path: Path) -> None:
    """An .npz without the arrays says which it has."""
    _write(tmp_path, sample_hand(MANO, Side.RIGHT, COUNT))
    np.savez(tmp_path / SEQUENCE / "labels_000001.npz", keypoints=np.zeros(3))
    with pytest.raises(DatasetError, match=r"lacks pose_m, joint_3d, pose_y \(it has keypoints\)"):
        DexYcb(tmp_path).sequence(SEQUENCE)
