"""FPHA on files written in its layout."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from dataset_samples import poses, write_picture

from hand4d_ros.datasets.fpha import Fpha, FphaConfig
from hand4d_ros.errors import DatasetError
from hand4d_ros.geometry import se3
from hand4d_ros.geometry.camera import project
from hand4d_ros.hand.orders import OPENPOSE_KEYPOINTS
from hand4d_ros.shapes import Array, Float
from hand4d_ros.types import Side

NAME = "Subject_1/put_salt/1"
COUNT = 3
RNG = np.random.default_rng(61)
KEYPOINTS_M = RNG.normal(size=(COUNT, 21, 3)) * 0.05 + [0.0, 0.0, 0.5]
T_WORLD_OBJECT = poses(RNG, COUNT)

FPHA_ORDER = (
    *("wrist", "thumb_cmc", "index_mcp", "middle_mcp", "ring_mcp", "little_mcp"),
    *("thumb_mcp", "thumb_ip", "thumb_tip"),
    *(f"{f}_{j}" for f in ("index", "middle", "ring", "little") for j in ("pip", "dip", "tip")),
)
"""The README's [Wrist, TMCP, IMCP, ..., TPIP, TDIP, TTIP, IPIP, ...] by our names."""


def _lines(numbers: list[int], columns: Float[Array, "n k"]) -> str:
    rows = zip(numbers, columns, strict=True)
    return "\n".join(" ".join([str(n), *(f"{v:.9f}" for v in row)]) for n, row in rows) + "\n"


def _write(root: Path, version: str = "v1_1") -> Path:
    folder = root / f"Hand_pose_annotation_{version}" / NAME
    folder.mkdir(parents=True)
    order = [OPENPOSE_KEYPOINTS.index(name) for name in FPHA_ORDER]
    skeleton_mm = KEYPOINTS_M[:, order].reshape(COUNT, 63) * 1000.0
    (folder / "skeleton.txt").write_text(_lines([0, 1, 2], skeleton_mm))
    T = T_WORLD_OBJECT.copy()
    T[:, :3, 3] *= 1000.0
    by_column = np.swapaxes(T, 1, 2).reshape(COUNT, 16)
    objects = root / "Object_6D_pose_annotation_v1" / NAME
    objects.mkdir(parents=True)
    (objects / "object_pose.txt").write_text(_lines([0, 2], by_column[[0, 2]]))
    write_picture(root / "Video_files" / NAME / "color" / "color_0001.jpeg", 120)
    return folder


def test_record_is_the_truth(tmp_path: Path) -> None:
    """Knuckles first becomes OpenPose order, millimetres become metres."""
    _write(tmp_path)
    loader = Fpha(tmp_path)
    assert loader.sequence_names() == (NAME,)
    record = loader.sequence(NAME)
    truth = record.hand(Side.RIGHT)
    np.testing.assert_allclose(truth.required("keypoints_m"), KEYPOINTS_M, atol=1e-9)
    assert truth.valid.all()
    assert record.world == "camera"
    assert not record.tracks(Side.LEFT)
    with pytest.raises(DatasetError, match="joint_rotvec: FPHA has no MANO parameters"):
        truth.required("joint_rotvec")


def test_objects_are_written_by_column(tmp_path: Path) -> None:
    """Poses of some frames only, translations in millimetres."""
    _write(tmp_path)
    (found,) = Fpha(tmp_path).sequence(NAME).objects
    assert found.name == "salt"
    np.testing.assert_allclose(found.T_world_object[[0, 2]], T_WORLD_OBJECT[[0, 2]], atol=1e-8)
    assert np.isnan(found.T_world_object[1, :3, :3]).all()


def test_points_land_where_the_makers_example_puts_them(tmp_path: Path) -> None:
    """The pixel of a keypoint by the numbers of load_example.py."""
    _write(tmp_path)
    record = Fpha(tmp_path).sequence(NAME, range(1, 2))
    (row, frame), *more = record.frames("color")
    assert (row, more, record.stamps_ns[0]) == (0, [], 33_333_333)
    assert frame.T_world_camera is not None
    p_camera = se3.apply(se3.inverse(frame.T_world_camera), KEYPOINTS_M[1, :1])
    x, y, z = KEYPOINTS_M[1, 0] * 1000.0
    u = 0.999988496304 * x - 0.00468848412856 * y + 0.000982563360594 * z + 25.7
    v = 0.00469115935266 * x + 0.999985218048 * y - 0.00273845880292 * z + 1.22
    w = -0.000969709653873 * x + 0.00274303671904 * y + 0.99999576807 * z + 3.902
    expected = [[1395.749023 * u / w + 935.732544, 1395.749268 * v / w + 540.681030]]
    np.testing.assert_allclose(project(frame.camera, p_camera), expected, atol=1e-3)


def test_the_older_annotation_is_taken_when_asked_for(tmp_path: Path) -> None:
    """It is never taken in place of the newer one."""
    _write(tmp_path, "v1")
    with pytest.raises(DatasetError, match=r'There is version v1: .*FphaConfig\(version="v1"\)'):
        Fpha(tmp_path).sequence_names()
    assert Fpha(tmp_path, FphaConfig(version="v1")).sequence_names() == (NAME,)


def test_faults_say_what_to_do(tmp_path: Path) -> None:
    """Nothing there, an unknown recording, lines of another length, words."""
    with pytest.raises(DatasetError, match=r"(?s)the form that page links to.*skeleton\.txt"):
        Fpha(tmp_path).sequence_names()
    (tmp_path / "Hand_pose_annotation_v1_1").mkdir()
    with pytest.raises(DatasetError, match=r"there is no .*<repetition>"):
        Fpha(tmp_path).sequence_names()
    folder = _write(tmp_path)
    with pytest.raises(DatasetError, match=r"there is no .*Subject_9.*skeleton\.txt"):
        Fpha(tmp_path).sequence("Subject_9/x/1")
    (folder / "skeleton.txt").write_text("0 1 2 3\n")
    with pytest.raises(DatasetError, match=r"has lines of \[4\] numbers; expected 64 in each line"):
        Fpha(tmp_path).sequence(NAME)
    (folder / "skeleton.txt").write_text("zero 1\n")
    with pytest.raises(DatasetError, match="holds other things than numbers"):
        Fpha(tmp_path).sequence(NAME)
    (folder / "skeleton.txt").write_bytes(b"\xff\xfe")
    with pytest.raises(DatasetError, match="cannot be read"):
        Fpha(tmp_path).sequence(NAME)


def test_a_recording_without_object_poses_has_no_object(tmp_path: Path) -> None:
    """Only few recordings have them."""
    _write(tmp_path)
    (tmp_path / "Object_6D_pose_annotation_v1" / NAME / "object_pose.txt").unlink()
    assert Fpha(tmp_path).sequence(NAME).objects == ()
