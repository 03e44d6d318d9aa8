"""ARCTIC on files written in its layout."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from dataset_samples import (
    HandSample,
    assert_same_hand,
    poses,
    sample_hand,
    sample_mano,
    write_picture,
)

from hand4d_ros.datasets.arctic import Arctic, ArcticConfig
from hand4d_ros.errors import ConfigError, DatasetError
from hand4d_ros.geometry import camera as cameras
from hand4d_ros.geometry import se3, so3
from hand4d_ros.types import Side

MANO = sample_mano()
COUNT = 6
NAME = "s01/box_grab_01"
OFFSET = 70
RNG = np.random.default_rng(11)
T_WORLD_HEAD = poses(RNG, COUNT)
T_WORLD_STATIC = poses(RNG, 8)
T_WORLD_OBJECT = poses(RNG, COUNT)
ANGLE_RAD = RNG.random(COUNT)
DIST8 = (0.1, -0.02, 0.001, 0.002, 0.003, 0.2, -0.01, 0.004)
HANDS = {side: sample_hand(MANO, side, COUNT, left_shape="released") for side in Side}


def _stated(hand: HandSample) -> dict[str, Any]:
    """One hand's entry of a .mano.npy."""
    rotvec, transl_m, _ = hand.stated()
    relative = hand.joint_rotvec.reshape(COUNT, 45) - MANO.spaces[hand.side].mean_rotvec
    return {
        "rot": rotvec,
        "pose": relative,
        "trans": transl_m,
        "shape": hand.betas,
        "fitting_err": np.zeros(COUNT),
    }


def _save(path: Path, content: object) -> None:
    """As ``np.save`` writes a dictionary: an array of one object, pickled."""
    np.save(path, np.array(content, dtype=object), allow_pickle=True)


def _write(root: Path) -> None:
    raw = root / "raw_seqs" / "s01"
    raw.mkdir(parents=True)
    _save(raw / "box_grab_01.mano.npy", {side.label: _stated(HANDS[side]) for side in Side})
    object_poses = np.column_stack(
        [ANGLE_RAD, so3.log(T_WORLD_OBJECT[:, :3, :3]), T_WORLD_OBJECT[:, :3, 3] * 1000.0]
    )
    np.save(raw / "box_grab_01.object.npy", object_poses)
    T_head_world = se3.inverse(T_WORLD_HEAD)
    head = {
        "R_k_cam_np": T_head_world[:, :3, :3],
        "T_k_cam_np": T_head_world[:, :3, 3:],
        "intrinsics": np.array([[1500.0, 0.0, 1400.0], [0.0, 1501.0, 1000.0], [0.0, 0.0, 1.0]]),
        "ego_markers.label": np.array(["a", "b"]),
        "dist8": np.array(DIST8),
    }
    _save(raw / "box_grab_01.egocam.dist.npy", head)
    K = [[[2000.0 + v, 0.0, 1300.0], [0.0, 2100.0, 900.0], [0.0, 0.0, 1.0]] for v in range(8)]
    meta = {
        "s01": {
            "gender": "female",
            "world2cam": se3.inverse(T_WORLD_STATIC).tolist(),
            "intris_mat": K,
            "image_size": [[2800, 2000]] + [[2000 + v, 1000] for v in range(8)],
            "ioi_offset": OFFSET,
        }
    }
    (root / "meta").mkdir()
    (root / "meta" / "misc.json").write_text(json.dumps(meta), encoding="utf-8")
    write_picture(root / "images" / NAME / "0" / f"{2 + OFFSET:05d}.jpg", 90)


def test_record_is_the_truth(tmp_path: Path) -> None:
    """Mean pose, both hands, and the left hand as published."""
    _write(tmp_path)
    loader = Arctic(tmp_path, mano=MANO)
    assert loader.sequence_names() == (NAME,)
    record = next(iter(loader.sequences()))
    for side in Side:
        assert_same_hand(record.hand(side), HANDS[side])
        assert record.hand(side).valid.all()
    assert record.stamps_ns[3] == 100_000_000
    assert "MANO_LEFT.pkl as published" in record.notes[0]


def test_object_turns_and_opens(tmp_path: Path) -> None:
    """Millimetres become metres; the opening angle comes along."""
    _write(tmp_path)
    (found,) = Arctic(tmp_path).sequence(NAME).objects
    assert found.name == "box"
    np.testing.assert_allclose(found.T_world_object, T_WORLD_OBJECT, atol=1e-9)
    assert found.angle_rad is not None
    np.testing.assert_allclose(found.angle_rad, ANGLE_RAD, atol=1e-12)


def test_cameras_map_to_the_world(tmp_path: Path) -> None:
    """The head's moves, the others rest; extrinsics are inverted."""
    _write(tmp_path)
    record = Arctic(tmp_path).sequence(NAME, range(1, 5))
    assert [camera.name for camera in record.cameras] == [str(view) for view in range(9)]
    head, seventh = record.camera("0"), record.camera("7")
    np.testing.assert_allclose(head.T_world_camera, T_WORLD_HEAD[1:5], atol=1e-12)
    np.testing.assert_allclose(seventh.T_world_camera[2], T_WORLD_STATIC[6], atol=1e-12)
    assert seventh.model is not None
    assert (seventh.model.fx_px, seventh.model.width_px) == (2006.0, 2006)
    (row, frame), *more = record.frames("0")
    assert not more
    assert (row, record.frame_numbers[row], frame.stamp_ns) == (1, 2, 66_666_667)
    assert seventh.images is None


def test_the_head_cameras_lens_is_opencvs_rational_one(tmp_path: Path) -> None:
    """A point lands where the formula of ARCTIC's own code puts it."""
    _write(tmp_path)
    model = Arctic(tmp_path, ArcticConfig(views=(0,))).sequence(NAME).camera().model
    assert model is not None
    x, y = 0.3, -0.2
    k1, k2, p1, p2, k3, k4, k5, k6 = DIST8
    r2 = x * x + y * y
    radial = (1 + k1 * r2 + k2 * r2**2 + k3 * r2**3) / (1 + k4 * r2 + k5 * r2**2 + k6 * r2**3)
    u = x * radial + 2 * p1 * x * y + p2 * (r2 + 2 * x * x)
    v = y * radial + 2 * p2 * x * y + p1 * (r2 + 2 * y * y)
    found = cameras.project(model, np.array([x, y, 1.0]) * 0.4)
    np.testing.assert_allclose(found, [1500.0 * u + 1400.0, 1501.0 * v + 1000.0], atol=1e-9)


def test_without_mano_only_orientation_and_shape_are_known(tmp_path: Path) -> None:
    """There are no keypoints in the raw sequences."""
    _write(tmp_path)
    truth = Arctic(tmp_path).sequence(NAME).hand(Side.LEFT)
    np.testing.assert_allclose(
        truth.required("R_world_wrist"), HANDS[Side.LEFT].T_world_wrist[:, :3, :3], atol=1e-9
    )
    for name in ("keypoints_m", "wrist_m", "joint_rotvec"):
        with pytest.raises(DatasetError, match=f"{name}: it needs MANO"):
            truth.required(name)


def test_missing_files_say_what_to_do(tmp_path: Path) -> None:
    """Nothing there, a withheld recording, a lost camera file."""
    with pytest.raises(DatasetError, match=r"(?s)an account there, with the licences .*misc\.json"):
        Arctic(tmp_path).sequence_names()
    _write(tmp_path)
    with pytest.raises(DatasetError, match="labels of the test subject are withheld"):
        Arctic(tmp_path).sequence("s03/box_grab_01")
    (tmp_path / "raw_seqs" / f"{NAME}.egocam.dist.npy").unlink()
    with pytest.raises(DatasetError, match=r"there is no .*egocam\.dist\.npy"):
        Arctic(tmp_path).sequence(NAME)
    Arctic(tmp_path, ArcticConfig(views=(1,))).sequence(NAME)
    (tmp_path / "raw_seqs" / f"{NAME}.mano.npy").unlink()
    with pytest.raises(DatasetError, match=r"there is no .*<name>\.mano\.npy"):
        Arctic(tmp_path).sequence_names()


class _Bomb:
    def __reduce__(self) -> tuple[object, tuple[str]]:
        return (print, ("this must not be printed",))


def test_code_in_a_file_is_not_run(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A pickle that calls something is refused before it does."""
    _write(tmp_path)
    _save(tmp_path / "raw_seqs" / f"{NAME}.mano.npy", {"right": _Bomb()})
    with pytest.raises(DatasetError, match=r"is refused: it asks for builtins\.print"):
        Arctic(tmp_path).sequence(NAME)
    assert not capsys.readouterr().out


@pytest.mark.parametrize(
    ("content", "match"),
    [
        ({"left": {}}, "lacks 'right'"),
        ([1, 2], "holds a ndarray"),
        ({"right": {"rot": np.zeros((3, 3))}}, r"lacks 'left'|lacks 'pose'"),
    ],
)
def test_foreign_content_is_refused(tmp_path: Path, content: object, match: str) -> None:
    """Files of something else name what they lack."""
    _write(tmp_path)
    _save(tmp_path / "raw_seqs" / f"{NAME}.mano.npy", content)
    with pytest.raises(DatasetError, match=match):
        Arctic(tmp_path, ArcticConfig(views=())).sequence(NAME)


def test_truncated_and_mismatched_files_are_refused(tmp_path: Path) -> None:
    """A cut file, and an object of another length."""
    _write(tmp_path)
    path = tmp_path / "raw_seqs" / f"{NAME}.object.npy"
    np.save(path, np.zeros((COUNT + 1, 7)))
    with pytest.raises(DatasetError, match=r"has shape \(7, 7\); expected \(6, 7\)"):
        Arctic(tmp_path).sequence(NAME)
    mano = path.with_name("box_grab_01.mano.npy")
    stated = {side.label: _stated(HANDS[side]) for side in Side}
    stated["left"]["trans"] = np.zeros((COUNT - 2, 3))
    _save(mano, stated)
    with pytest.raises(DatasetError, match="has 4 rows of trans; expected 1 or 6"):
        Arctic(tmp_path).sequence(NAME)
    T_head_world = se3.inverse(T_WORLD_HEAD[: COUNT - 1])
    head = {
        "R_k_cam_np": T_head_world[:, :3, :3],
        "T_k_cam_np": T_head_world[:, :3, 3:],
        "intrinsics": np.eye(3),
        "dist8": np.zeros(8),
    }
    _save(path.with_name("box_grab_01.egocam.dist.npy"), head)
    with pytest.raises(DatasetError, match="has 5 poses; expected one for each of 6 frames"):
        Arctic(tmp_path, ArcticConfig(views=(0,))).sequence(NAME)
    meta = tmp_path / "meta" / "misc.json"
    cameras_stated = json.loads(meta.read_text(encoding="utf-8"))
    cameras_stated["s01"]["world2cam"] = cameras_stated["s01"]["world2cam"][:4]
    meta.write_text(json.dumps(cameras_stated), encoding="utf-8")
    with pytest.raises(DatasetError, match="has 4 cameras; expected 8"):
        Arctic(tmp_path, ArcticConfig(views=(7,))).sequence(NAME)
    mano.write_bytes(mano.read_bytes()[:400])
    with pytest.raises(DatasetError, match="is damaged"):
        Arctic(tmp_path).sequence(NAME)


def test_views_that_are_not_there_are_refused() -> None:
    """ARCTIC has nine."""
    with pytest.raises(ConfigError, match=r"views is \(9,\); ARCTIC has 0 to 8"):
        ArcticConfig(views=(9,))
