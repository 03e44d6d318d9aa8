"""The real recordings: on files written in their layouts, and on themselves where they are."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from dataset_samples import poses, write_picture

from hand4d_ros.datasets.real import (
    ENVIRONMENT,
    OPENPOSE_FROM_ARIA,
    OPENPOSE_FROM_LEAP,
    RealRecordings,
    real_folder,
)
from hand4d_ros.errors import DatasetError
from hand4d_ros.geometry import se3
from hand4d_ros.geometry.camera import in_image, project
from hand4d_ros.hand.orders import MIDDLE_MCP, OPENPOSE_BONES, OPENPOSE_KEYPOINTS, WRIST
from hand4d_ros.shapes import Array, Float
from hand4d_ros.types import Side

RNG = np.random.default_rng(91)
THUMB_CMC = OPENPOSE_KEYPOINTS.index("thumb_cmc")

ARIA_ORDER = (
    *("thumb_tip", "index_tip", "middle_tip", "ring_tip", "little_tip", "wrist"),
    *("thumb_mcp", "thumb_ip"),
    *(f"{f}_{j}" for f in ("index", "middle", "ring", "little") for j in ("mcp", "pip", "dip")),
    "palm",
)
"""The README's order of the glasses' landmarks by our names."""


def _write_aria(root: Path) -> Float[Array, "3 21 3"]:
    folder = root / "aria_gen2"
    folder.mkdir(parents=True)
    landmarks = RNG.normal(size=(3, 21, 3))
    T = poses(RNG, 2)
    samples = [
        {
            "t_ns": 100 + 33 * i,
            "T_world_device": np.eye(4).tolist(),
            "right": {"confidence": 0.9, "landmarks_world": landmarks[i].tolist()},
            "left": None if i else {"confidence": 0.8, "landmarks_world": landmarks[i].tolist()},
        }
        for i in range(3)
    ]
    frames = [
        {"file": f"front_{i}.png", "t_ns": 95 + 70 * i, "T_world_camera": T[i].tolist()}
        for i in range(2)
    ]
    K = [[220.0, 0.0, 255.5], [0.0, 221.0, 254.5], [0.0, 0.0, 1.0]]
    cameras = {"front": {"width": 512, "height": 510, "K": K, "frames": frames}}
    (folder / "sequence.json").write_text(json.dumps({"hands_world": samples, "cameras": cameras}))
    write_picture(folder / "front_1.png", 77)
    return landmarks


def test_glasses_are_the_truth(tmp_path: Path) -> None:
    """Landmarks by name, lost hands, a camera at times of its own."""
    landmarks = _write_aria(tmp_path)
    record = RealRecordings(tmp_path).sequence("aria_gen2")
    right, left = record.hand(Side.RIGHT), record.hand(Side.LEFT)
    for index, name in enumerate(ARIA_ORDER[:-1]):
        keypoint = OPENPOSE_KEYPOINTS.index(name)
        np.testing.assert_array_equal(
            right.required("keypoints_m")[:, keypoint], landmarks[:, index]
        )
    assert np.flatnonzero(~right.keypoint_valid[0]).tolist() == [THUMB_CMC]
    np.testing.assert_array_equal(right.required("palm_m"), landmarks[:, 20])
    assert left.valid.tolist() == [True, False, False]
    assert np.isnan(left.required("keypoints_m")[1:]).all()
    camera = record.camera()
    assert camera.stamps_ns.tolist() == [95, 165]
    assert camera.rows.tolist() == [0, 2]
    ((row, frame),) = list(record.frames())
    assert (row, frame.stamp_ns, frame.camera.fy_px) == (2, 165, 221.0)


def test_desk_sensor_keeps_its_tracks_apart(tmp_path: Path) -> None:
    """One row an instant, one record a hand; the palm takes the place of the wrist."""
    joints = RNG.normal(size=(4, 21, 3)).astype(np.float32)
    (tmp_path / "leap").mkdir()
    np.savez(
        tmp_path / "leap" / "claps.npz",
        t_s=np.array([1.0, 1.0, 1.009, 1.02]),
        hand_id=np.array([10, 23, 10, 30]),
        is_right=np.array([0, 1, 0, 0]),
        confidence=np.array([0.5, 0.6, 0.7, 0.8]),
        joints_m=joints,
    )
    loader = RealRecordings(tmp_path)
    assert loader.sequence_names() == ("leap/claps",)
    record = loader.sequence("leap/claps")
    assert record.stamps_ns.tolist() == [1_000_000_000, 1_009_000_000, 1_020_000_000]
    assert [hand.track_id for hand in record.tracks(Side.LEFT)] == ["10", "30"]
    first = record.tracks(Side.LEFT)[0]
    assert first.valid.tolist() == [True, True, False]
    np.testing.assert_array_equal(first.required("keypoints_m")[1, 1:], joints[2, 1:])
    assert np.isnan(first.required("keypoints_m")[:, WRIST]).all()
    np.testing.assert_array_equal(first.required("palm_m")[0], joints[0, 0])
    np.testing.assert_allclose(first.required("confidence"), [0.5, 0.7, np.nan])
    assert record.hand(Side.RIGHT).valid.tolist() == [True, False, False]
    later = loader.sequence("leap/claps", range(1, 3)).tracks(Side.LEFT)
    assert [hand.valid.tolist() for hand in later] == [[True, False], [False, True]]


def test_estimated_sequences(tmp_path: Path) -> None:
    """A stated rate is used, an unstated one is said to be assumed."""
    joints = RNG.normal(size=(4, 21, 3))
    for folder in ("dex_retargeting", "dexmv"):
        (tmp_path / folder).mkdir()
    np.savez(
        tmp_path / "dex_retargeting" / "human_joint_right.npz",
        joints_m=joints,
        fps=np.array(25.0),
    )
    np.savez(tmp_path / "dexmv" / "relocate_mustard_joints.npz", joints_camera_m=joints)
    loader = RealRecordings(tmp_path)
    assert loader.sequence_names() == ("dex_retargeting", "dexmv")
    stated, assumed = (loader.sequence(name) for name in loader.sequence_names())
    assert (stated.stamps_are, assumed.stamps_are) == ("rate", "assumed")
    assert stated.stamps_ns[1] == 40_000_000
    assert assumed.stamps_ns[3] == 100_000_000
    for record in (stated, assumed):
        np.testing.assert_array_equal(record.hand(Side.RIGHT).required("keypoints_m"), joints)


def test_faults_say_what_to_do(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No folder, an empty one, unknown names, a lost file."""
    monkeypatch.delenv(ENVIRONMENT, raising=False)
    with pytest.raises(DatasetError, match=rf"there is no \${ENVIRONMENT}"):
        real_folder()
    with pytest.raises(DatasetError, match=f"the environment variable {ENVIRONMENT} names"):
        RealRecordings(None)
    monkeypatch.setenv(ENVIRONMENT, str(tmp_path))
    assert real_folder() == tmp_path
    with pytest.raises(DatasetError, match=r"there is no .*sequence\.json"):
        RealRecordings().sequence_names()
    _write_aria(tmp_path)
    with pytest.raises(DatasetError, match="no real recording 'x'; choose one of aria_gen2"):
        RealRecordings().sequence("x")
    with pytest.raises(DatasetError, match=r"there is no .*wave\.npz"):
        RealRecordings().sequence("leap/wave")


@pytest.mark.parametrize("order", [OPENPOSE_FROM_ARIA, OPENPOSE_FROM_LEAP])
def test_orders_name_each_landmark_at_most_once(order: tuple[int, ...]) -> None:
    """And exactly one keypoint is not there."""
    there = [index for index in order if index >= 0]
    assert len(order) == 21
    assert len(set(there)) == len(there) == 20


def test_the_recordings_are_hands(real_data: Path) -> None:
    """Bones are as long as people's and hardly change, in every recording and order."""
    loader = RealRecordings(real_data)
    for record in loader.sequences():
        for hand in record.hands:
            points = hand.required("keypoints_m")[hand.valid]
            for near, far in OPENPOSE_BONES:
                lengths = np.linalg.norm(points[:, near] - points[:, far], axis=1)
                if np.isnan(lengths).all():
                    assert WRIST in (near, far) or THUMB_CMC in (near, far)
                    continue
                assert 0.01 < lengths.mean() < 0.11, (record.name, near, far)
                assert lengths.std() < 0.12 * lengths.mean() + 2e-3, (record.name, near, far)


def test_the_glasses_hands_are_in_their_pictures(real_data: Path) -> None:
    """World, camera pose and intrinsics agree: the landmarks project into the frames."""
    record = RealRecordings(real_data).sequence("aria_gen2")
    assert len(record) == 9
    palm = np.linalg.norm(
        record.hand(Side.RIGHT).required("keypoints_m")[0, MIDDLE_MCP]
        - record.hand(Side.RIGHT).required("keypoints_m")[0, WRIST]
    )
    assert 0.08 < palm < 0.095
    inside = []
    for row, frame in record.frames("slam-front-right"):
        assert frame.image.shape == (frame.camera.height_px, frame.camera.width_px, 3)
        assert frame.T_world_camera is not None
        for hand in record.hands:
            p = se3.apply(se3.inverse(frame.T_world_camera), hand.required("keypoints_m")[row])
            inside.append(
                in_image(frame.camera, project(frame.camera, p))[hand.keypoint_valid[row]]
            )
    assert len(inside) == 18
    assert np.concatenate(inside).mean() > 0.98
    assert [row for row, _ in record.frames("camera-rgb")] == [0, 3, 6]
