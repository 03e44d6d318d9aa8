"""AMASS on files written in its layouts."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from hand4d_ros.datasets.amass import WRIST_CHAINS, Amass
from hand4d_ros.errors import DatasetError
from hand4d_ros.geometry import so3
from hand4d_ros.shapes import Array, Float
from hand4d_ros.types import Side

COUNT = 6
RNG = np.random.default_rng(81)
BODY = RNG.normal(size=(COUNT, 22, 3)) * 0.4
FINGERS = {side: RNG.normal(size=(COUNT, 15, 3)) * 0.3 for side in Side}
SMPL_PARENTS = (-1, 0, 0, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 9, 9, 12, 13, 14, 16, 17, 18, 19)
"""Parents of SMPL's first 22 joints (Loper et al., SIGGRAPH Asia 2015)."""


def _poses(kind: str) -> Float[Array, "n columns"]:
    face = [np.ones((COUNT, 9))] if kind == "stageii" else []
    hands = [FINGERS[side].reshape(COUNT, 45) for side in (Side.LEFT, Side.RIGHT)]
    return np.concatenate([BODY.reshape(COUNT, 66), *face, *hands], axis=1)


def _write(root: Path, kind: str) -> str:
    """A recording as published; returns its name."""
    name = f"TCDHands/ExperimentDatabase/typing_{kind}"
    path = root / f"{name}.npz"
    path.parent.mkdir(parents=True, exist_ok=True)
    rate = {"stageii": "mocap_frame_rate", "poses": "mocap_framerate"}[kind]
    content = {
        "poses": _poses(kind),
        "trans": np.zeros((COUNT, 3)),
        "betas": np.ones(16),
        "gender": np.array("male"),
        rate: np.array(120.0),
        "marker_labels": np.array([b"LFHD"], dtype=object),
    }
    np.savez(path, **content)  # type: ignore[arg-type]
    np.savez(path.with_name("shape.npz"), betas=np.ones(16))
    np.savez(path.with_name("male_stagei.npz"), betas=np.ones(16))
    return name


@pytest.mark.parametrize("kind", ["poses", "stageii"])
def test_record_is_the_truth(tmp_path: Path, kind: str) -> None:
    """Both body models: fingers as stated, the wrist turned by all joints above it."""
    name = _write(tmp_path, kind)
    loader = Amass(tmp_path)
    assert loader.sequence_names() == (name,)
    record = loader.sequence(name, range(1, 6, 2))
    world = [np.eye(3)] * 22
    R = so3.exp(BODY[1::2])
    for joint, parent in enumerate(SMPL_PARENTS):
        world[joint] = R[:, joint] if parent < 0 else world[parent] @ R[:, joint]
    for side, wrist in ((Side.LEFT, 20), (Side.RIGHT, 21)):
        truth = record.hand(side)
        np.testing.assert_allclose(truth.required("joint_rotvec"), FINGERS[side][1::2], atol=1e-12)
        np.testing.assert_allclose(truth.required("R_world_wrist"), world[wrist], atol=1e-12)
    assert record.stamps_ns.tolist() == [8_333_333, 25_000_000, 41_666_667]


def test_the_chains_are_those_of_the_tree() -> None:
    """From each wrist over its parents to the root."""
    for chain in WRIST_CHAINS.values():
        joint, found = chain[-1], []
        while joint >= 0:
            found.append(joint)
            joint = SMPL_PARENTS[joint]
        assert tuple(reversed(found)) == chain


def test_what_needs_the_body_says_so(tmp_path: Path) -> None:
    """The place of the wrist and the keypoints; the body's shape is not the hand's."""
    truth = Amass(tmp_path).sequence(_write(tmp_path, "poses")).hand(Side.RIGHT)
    for name in ("wrist_m", "keypoints_m"):
        with pytest.raises(DatasetError, match=f"{name}: it needs the body model"):
            truth.required(name)
    with pytest.raises(DatasetError, match="betas: the file's are the body's"):
        truth.required("betas")


def test_fingers_that_were_not_captured_are_not_motion(tmp_path: Path) -> None:
    """Most archives hold the fingers in one pose; the wrist's orientation remains."""
    name = _write(tmp_path, "poses")
    poses = _poses("poses")
    poses[:, 66:111] = poses[0, 66:111]
    np.savez(tmp_path / f"{name}.npz", poses=poses, mocap_framerate=np.array(60.0))
    record = Amass(tmp_path).sequence(name)
    with pytest.raises(DatasetError, match="joint_rotvec: the fingers stay the same throughout"):
        record.hand(Side.LEFT).required("joint_rotvec")
    assert record.hand(Side.LEFT).R_world_wrist is not None
    assert record.hand(Side.RIGHT).joint_rotvec is not None


def test_faults_say_what_to_do(tmp_path: Path) -> None:
    """Nothing there, SMPL's archives without hands, a damaged file, one of another kind."""
    with pytest.raises(DatasetError, match=r"(?s)amass\.is\.tue\.mpg\.de .*licence accepted"):
        Amass(tmp_path / "nowhere").sequence_names()
    with pytest.raises(DatasetError, match=r"there is no .*<name>_poses\.npz"):
        Amass(tmp_path).sequence_names()
    name = _write(tmp_path, "poses")
    path = tmp_path / f"{name}.npz"
    np.savez(path, poses=np.zeros((3, 72)), mocap_framerate=np.array(60.0))
    with pytest.raises(DatasetError, match=r"poses of shape \(3, 72\).*SMPL have no hands"):
        Amass(tmp_path).sequence(name)
    np.savez(path, poses=np.zeros((3, 156)))
    with pytest.raises(DatasetError, match=r"lacks mocap_framerate \(it has poses\)"):
        Amass(tmp_path).sequence(name)
    path.write_bytes(b"no archive")
    with pytest.raises(DatasetError, match="is no readable"):
        Amass(tmp_path).sequence(name)
    path.unlink()
    with pytest.raises(DatasetError, match="there is no"):
        Amass(tmp_path).sequence(name)
