"""GRAB on files written in its layout."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from dataset_samples import poses, sample_hand, sample_mano

from hand4d_ros.datasets.grab import INFO, Grab, fitted_shape
from hand4d_ros.datasets.ply import ply_vertices
from hand4d_ros.errors import DatasetError
from hand4d_ros.geometry import so3
from hand4d_ros.shapes import Array, Float
from hand4d_ros.types import Side

MANO = sample_mano()
COUNT = 5
NAME = "s4/mug_pass_1"
HANDS = {side: sample_hand(MANO, side, COUNT) for side in Side}
T_WORLD_OBJECT = poses(np.random.default_rng(71), COUNT)
MESHES = {
    side: f"tools/subject_meshes/male/s4_{'l' if side is Side.LEFT else 'r'}hand.ply"
    for side in Side
}


def _write_ply(
    path: Path, vertices_m: Float[Array, "v 3"], kind: str = "binary_little_endian"
) -> None:
    """A mesh with a colour for each vertex and one face, as mesh tools write it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    header = (
        f"ply\nformat {kind} 1.0\ncomment made\nelement vertex {len(vertices_m)}\n"
        "property float x\nproperty float y\nproperty float z\nproperty uchar red\n"
        "element face 1\nproperty list uchar int vertex_indices\nend_header\n"
    )
    if kind == "ascii":
        lines = [f"{x:.9g} {y:.9g} {z:.9g} 255" for x, y, z in vertices_m]
        path.write_text(header + "\n".join([*lines, "3 0 1 2"]) + "\n", encoding="ascii")
        return
    order = "<" if kind == "binary_little_endian" else ">"
    axes: list[tuple[str, str]] = [(axis, f"{order}f4") for axis in "xyz"]
    table = np.zeros(len(vertices_m), dtype=[*axes, ("red", "u1")])
    for i, axis in enumerate("xyz"):
        table[axis] = vertices_m[:, i]
    face = b"\x03" + np.array([0, 1, 2], dtype=f"{order}i4").tobytes()
    path.write_bytes(header.encode() + table.tobytes() + face)


def _hand_entry(side: Side) -> dict[str, Any]:
    hand = HANDS[side]
    rotvec, transl_m, _ = hand.stated()
    parameters = {
        "global_orient": rotvec.astype(np.float32),
        "hand_pose": np.zeros((COUNT, 24), dtype=np.float32),
        "transl": transl_m.astype(np.float32),
        "fullpose": hand.joint_rotvec.reshape(COUNT, 45).astype(np.float32),
    }
    return {"params": parameters, "vtemp": MESHES[side]}


def _write(root: Path, **changes: Any) -> Path:
    path = root / "grab" / f"{NAME}.npz"
    path.parent.mkdir(parents=True, exist_ok=True)
    R_transposed = np.swapaxes(T_WORLD_OBJECT[:, :3, :3], 1, 2)
    content = {
        "gender": "male",
        "sbj_id": "s4",
        "obj_name": "mug",
        "motion_intent": "pass",
        "framerate": 120.0,
        "n_frames": COUNT,
        "n_comps": 24,
        "body": {"params": {"transl": np.zeros((COUNT, 3))}, "vtemp": "tools/x.ply"},
        "rhand": _hand_entry(Side.RIGHT),
        "lhand": _hand_entry(Side.LEFT),
        "object": {
            "params": {
                "global_orient": so3.log(R_transposed),
                "transl": T_WORLD_OBJECT[:, :3, 3],
            },
            "object_mesh": "tools/object_meshes/contact_meshes/mug.ply",
        },
        **changes,
    }
    boxed = {key: np.array(value, dtype=object) for key, value in content.items()}
    np.savez_compressed(path, **boxed)  # type: ignore[arg-type]
    for side in Side:
        shaped = MANO.model(side).with_shape(HANDS[side].betas)
        _write_ply(root / MESHES[side], shaped.template_m)
    return path


def test_record_is_the_truth(tmp_path: Path) -> None:
    """The shape is found from the hand's own mesh, and with it the wrist and the keypoints."""
    _write(tmp_path)
    loader = Grab(tmp_path, mano=MANO)
    assert loader.sequence_names() == (NAME,)
    record = loader.sequence(NAME)
    for side in Side:
        truth = record.hand(side)
        np.testing.assert_allclose(truth.required("betas")[0], HANDS[side].betas, atol=1e-4)
        np.testing.assert_allclose(truth.T_world_wrist, HANDS[side].T_world_wrist, atol=1e-6)
        np.testing.assert_allclose(
            truth.required("joint_rotvec"), HANDS[side].joint_rotvec, atol=1e-6
        )
        np.testing.assert_allclose(
            truth.required("keypoints_m"), HANDS[side].keypoints_m, atol=1e-6
        )
    assert record.stamps_ns.tolist() == [0, 8_333_333, 16_666_667, 25_000_000, 33_333_333]
    assert record.notes[0].startswith("The left hand's mesh is 0.00 mm")


def test_object_rotations_are_transposed(tmp_path: Path) -> None:
    """GRAB multiplies points from the left."""
    _write(tmp_path)
    (found,) = Grab(tmp_path).sequence(NAME, range(2, 5)).objects
    assert found.name == "mug"
    np.testing.assert_allclose(found.T_world_object, T_WORLD_OBJECT[2:], atol=1e-9)


def test_without_mano_only_rotations_are_known(tmp_path: Path) -> None:
    """The meshes are then not even opened."""
    _write(tmp_path)
    (tmp_path / MESHES[Side.LEFT]).unlink()
    truth = Grab(tmp_path).sequence(NAME).hand(Side.LEFT)
    np.testing.assert_allclose(
        truth.required("R_world_wrist"), HANDS[Side.LEFT].T_world_wrist[:, :3, :3], atol=1e-6
    )
    for name in ("wrist_m", "betas", "keypoints_m"):
        with pytest.raises(DatasetError, match=f"{name}: it needs MANO"):
            truth.required(name)
    with pytest.raises(DatasetError, match=r"there is no .*s4_lhand\.ply"):
        Grab(tmp_path, mano=MANO).sequence(NAME)


def test_shape_is_the_nearest_in_the_least_squares_sense() -> None:
    """What is left is perpendicular to every shape direction, and its size is reported."""
    rng = np.random.default_rng(0)
    model = MANO.right
    mesh = model.template_m + rng.normal(size=model.template_m.shape) * 1e-3
    betas, residual_m = fitted_shape(model, mesh, Path("mesh.ply"))
    left = mesh - model.with_shape(betas).template_m
    np.testing.assert_allclose(
        left.ravel() @ model.shape_dirs_m.reshape(-1, 10), np.zeros(10), atol=1e-12
    )
    assert residual_m == pytest.approx(np.sqrt((left**2).sum(axis=1).mean()))


@pytest.mark.parametrize("kind", ["ascii", "binary_little_endian", "binary_big_endian"])
def test_meshes_of_every_kind_are_read(tmp_path: Path, kind: str) -> None:
    """Text and both byte orders, other properties passed over."""
    vertices_m = np.random.default_rng(1).normal(size=(7, 3))
    _write_ply(tmp_path / "mesh.ply", vertices_m, kind)
    np.testing.assert_allclose(ply_vertices(tmp_path / "mesh.ply", INFO), vertices_m, atol=1e-6)


@pytest.mark.parametrize(
    ("content", "match"),
    [
        (b"solid cube", "has no PLY header"),
        (b"ply\nformat ascii 1.0\nelement face 2\nend_header\n", "first element face"),
        (b"ply\nformat ascii 1.0\nelement vertex 9\nproperty float x\nend_header\n1", "damaged"),
        (b"ply\nformat binary 1.0\nelement vertex 1\nproperty float x\nend_header\n1", "'binary'"),
    ],
)
def test_damaged_meshes_are_refused(tmp_path: Path, content: bytes, match: str) -> None:
    """The message names the file."""
    (tmp_path / "mesh.ply").write_bytes(content)
    with pytest.raises(DatasetError, match=match):
        ply_vertices(tmp_path / "mesh.ply", INFO)


def test_faults_say_what_to_do(tmp_path: Path) -> None:
    """Nothing there, a mesh of another model, files without their members, no archive."""
    with pytest.raises(DatasetError, match=r"(?s)grab\.is\.tue\.mpg\.de.*licences of GRAB"):
        Grab(tmp_path).sequence_names()
    (tmp_path / "grab").mkdir()
    with pytest.raises(DatasetError, match=r"there is no .*<name>\.npz"):
        Grab(tmp_path).sequence_names()
    with pytest.raises(DatasetError, match=r"there is no .*cup_lift\.npz"):
        Grab(tmp_path).sequence("s1/cup_lift")
    path = _write(tmp_path, rhand={"vtemp": "x"})
    with pytest.raises(DatasetError, match="hand or object without params"):
        Grab(tmp_path).sequence(NAME)
    np.savez(path, body=np.zeros(3))
    with pytest.raises(DatasetError, match=r"cannot be read .*rhand"):
        Grab(tmp_path).sequence(NAME)
    path.write_bytes(b"no archive")
    with pytest.raises(DatasetError, match="cannot be read"):
        Grab(tmp_path).sequence(NAME)
    _write(tmp_path)
    _write_ply(tmp_path / MESHES[Side.LEFT], np.zeros((5, 3)))
    with pytest.raises(DatasetError, match="has 5 vertices; expected 3153"):
        Grab(tmp_path, mano=MANO).sequence(NAME)
