"""HOT3D-Clips on archives written in its layout."""

from __future__ import annotations

import io
import json
import tarfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from dataset_samples import assert_same_hand, poses, sample_hand, sample_mano

from hand4d_ros.datasets.hot3d_clips import Hot3dClips, Hot3dClipsConfig
from hand4d_ros.errors import ConfigError, DatasetError
from hand4d_ros.geometry import so3
from hand4d_ros.geometry.camera import project
from hand4d_ros.imaging import jpeg_from_rgb
from hand4d_ros.shapes import Array, Float
from hand4d_ros.types import Side

MANO = sample_mano()
COUNT = 3
RNG = np.random.default_rng(21)
STREAMS = ("214-1", "1201-1")
T_WORLD_CAMERA = {stream: poses(RNG, COUNT) for stream in STREAMS}
T_WORLD_OBJECT = poses(RNG, COUNT)
STAMPS_NS = {
    stream: 54_971_174_871_117 + 33_327_462 * np.arange(COUNT) + 96_500 * i
    for i, stream in enumerate(STREAMS)
}
SIZE = (40, 32)
COEFFICIENTS = (0.04, -0.04, 0.01, *(0.0,) * 3, 1e-4, -1e-4, *(0.0,) * 4)
SPACE = MANO.spaces


def _hands() -> dict[Side, Any]:
    """Hands whose fingers lie in the span of the first 15 components, of one shape."""
    found = {}
    for side in Side:
        hand = sample_hand(MANO, side, COUNT)
        coefficients = hand.coefficients(SPACE[side], 15)
        found[side] = type(hand)(
            side=side,
            model=hand.model,
            T_world_wrist=hand.T_world_wrist,
            joint_rotvec=SPACE[side].from_coefficients(coefficients),
            betas=np.linspace(-1.0, 1.0, 10),
        )
    return found


HANDS = _hands()


def _transform(T: Float[Array, "4 4"]) -> dict[str, list[float]]:
    wxyz = so3.quaternion_from_matrix(T[:3, :3]).tolist()
    return {"quaternion_wxyz": wxyz, "translation_xyz": T[:3, 3].tolist()}


def _camera(stream: str, frame: int) -> dict[str, Any]:
    focal = [30.0] if stream == "214-1" else [30.0, 31.0]
    calibration = {
        "label": "camera-rgb",
        "stream_id": stream,
        "serial_number": "1",
        "image_width": SIZE[0],
        "image_height": SIZE[1],
        "projection_model_type": "CameraModelType.FISHEYE624",
        "projection_params": [*focal, 19.5, 15.5, *COEFFICIENTS],
        "T_device_from_camera": _transform(np.eye(4)),
        "max_solid_angle": 1.4,
    }
    return {
        "calibration": calibration,
        "T_world_from_camera": _transform(T_WORLD_CAMERA[stream][frame]),
    }


def _members(*, withheld: bool) -> dict[str, Any]:
    """Content by name; pictures as bytes."""
    members: dict[str, Any] = {}
    stated = {side: HANDS[side].stated() for side in Side}
    for frame in range(COUNT):
        key = f"{frame:06d}"
        members[f"{key}.info.json"] = {
            "device": "Aria",
            "image_timestamps_ns": {s: int(STAMPS_NS[s][frame]) for s in STREAMS},
        }
        members[f"{key}.cameras.json"] = {s: _camera(s, frame) for s in STREAMS}
        for number, stream in enumerate(STREAMS):
            shade = np.full((SIZE[1], SIZE[0], 3), 50 * frame + 10 * number, dtype=np.uint8)
            members[f"{key}.image_{stream}.jpg"] = jpeg_from_rgb(shade)
        if withheld:
            continue
        hands: dict[str, Any] = {}
        for side in Side:
            rotvec, transl_m, _ = stated[side]
            pose = {
                "thetas": HANDS[side].coefficients(SPACE[side], 15)[frame].tolist(),
                "wrist_xform": [*rotvec[frame], *transl_m[frame]],
            }
            hands[side.label] = {"mano_pose": pose, "boxes_amodal": {}}
        if frame == 1:
            hands["left"] = None
        members[f"{key}.hands.json"] = hands
        instance = {"object_bop_id": 7, "T_world_from_object": _transform(T_WORLD_OBJECT[frame])}
        members[f"{key}.objects.json"] = {"7": [instance]} if frame else {}
    if not withheld:
        members["__hand_shapes.json__"] = {"mano": HANDS[Side.LEFT].betas.tolist()}
    return members


def _write(root: Path, members: dict[str, Any], name: str = "clip-001849") -> Path:
    path = root / f"{name}.tar"
    with tarfile.open(path, "w") as archive:
        for member, content in members.items():
            data = content if isinstance(content, bytes) else json.dumps(content).encode()
            info = tarfile.TarInfo(member)
            info.size = len(data)
            archive.addfile(info, io.BytesIO(data))
    return path


def test_record_is_the_truth(tmp_path: Path) -> None:
    """Components, mean pose and the model's translation are undone; a lost hand is not valid."""
    _write(tmp_path, _members(withheld=False))
    loader = Hot3dClips(tmp_path, mano=MANO)
    assert loader.sequence_names() == ("clip-001849",)
    record = loader.sequence("clip-001849")
    assert_same_hand(record.hand(Side.RIGHT), HANDS[Side.RIGHT])
    left = record.hand(Side.LEFT)
    assert left.valid.tolist() == [True, False, True]
    for rows in (slice(1), slice(2, None)):
        assert_same_hand(left, HANDS[Side.LEFT], rows)
    assert np.isnan(left.required("keypoints_m")[1]).all()
    np.testing.assert_array_equal(record.stamps_ns, STAMPS_NS["1201-1"] - 96_500)


def test_objects_and_cameras_are_in_the_world(tmp_path: Path) -> None:
    """Quaternions are wxyz; an object that is not there yet is NaN."""
    _write(tmp_path, _members(withheld=False))
    record = Hot3dClips(tmp_path).sequence("clip-001849")
    (found,) = record.objects
    assert found.name == "7"
    assert np.isnan(found.T_world_object[0]).all()
    np.testing.assert_allclose(found.T_world_object[1:], T_WORLD_OBJECT[1:], atol=1e-12)
    for stream in STREAMS:
        camera = record.camera(stream)
        np.testing.assert_allclose(camera.T_world_camera, T_WORLD_CAMERA[stream], atol=1e-12)
        np.testing.assert_array_equal(camera.stamps_ns, STAMPS_NS[stream])


def test_pictures_are_resampled_to_the_pinhole(tmp_path: Path) -> None:
    """A bright spot of the fisheye's picture lies where the pinhole projects its direction."""
    members = _members(withheld=False)
    config = Hot3dClipsConfig(focal_scale=0.8, streams=("214-1",))
    direction = np.array([0.25, -0.1, 1.0])
    _write(tmp_path, members)
    loader = Hot3dClips(tmp_path, config)
    camera = loader.sequence("clip-001849").camera()
    assert camera.model is not None
    assert (camera.model.fx_px, camera.model.fy_px) == pytest.approx((24.0, 24.0))
    angle = np.arctan2(np.hypot(0.25, 0.1), 1.0)
    radius = 30.0 * angle * (1.0 + 0.04 * angle**2 - 0.04 * angle**4 + 0.01 * angle**6)
    across = direction[:2] / np.hypot(0.25, 0.1)
    spot = np.rint(across * radius + [19.5, 15.5]).astype(int)
    image = np.zeros((SIZE[1], SIZE[0], 3), dtype=np.uint8)
    image[spot[1] - 1 : spot[1] + 2, spot[0] - 1 : spot[0] + 2] = 255
    members["000000.image_214-1.jpg"] = jpeg_from_rgb(image, quality=100)
    _write(tmp_path, members)
    _, frame = next(loader.sequence("clip-001849").frames("214-1"))
    bright = frame.image[..., 0].astype(float)
    rows, columns = np.mgrid[: SIZE[1], : SIZE[0]]
    centre = [(bright * axis).sum() / bright.sum() for axis in (columns, rows)]
    np.testing.assert_allclose(centre, project(camera.model, direction), atol=1.0)


def test_frames_can_be_chosen(tmp_path: Path) -> None:
    """Labels and pictures of the others are not looked at."""
    members = _members(withheld=False)
    members["000000.hands.json"] = b"{ damaged"
    _write(tmp_path, members)
    record = Hot3dClips(tmp_path, mano=MANO).sequence("clip-001849", range(1, 3))
    assert record.frame_numbers.tolist() == [1, 2]
    assert_same_hand(
        record.hand(Side.RIGHT),
        type(HANDS[Side.RIGHT])(
            Side.RIGHT,
            HANDS[Side.RIGHT].model,
            HANDS[Side.RIGHT].T_world_wrist[1:],
            HANDS[Side.RIGHT].joint_rotvec[1:],
            HANDS[Side.RIGHT].betas,
        ),
    )
    shades = [float(f.image.max()) for _, f in record.frames("1201-1")]
    np.testing.assert_allclose(shades, [60.0, 110.0], atol=3.0)
    with pytest.raises(DatasetError, match=r"clip-001849\.tar is no JSON"):
        Hot3dClips(tmp_path).sequence("clip-001849")


def test_test_clips_have_no_hands(tmp_path: Path) -> None:
    """Withheld hands are not valid, and the record says so."""
    _write(tmp_path, _members(withheld=True))
    record = Hot3dClips(tmp_path, mano=MANO).sequence("clip-001849")
    assert record.notes == ("Hands of this clip are withheld.",)
    for side in Side:
        assert not record.hand(side).valid.any()
        assert np.isnan(record.hand(side).required("wrist_m")).all()


def test_missing_and_foreign_archives_say_what_to_do(tmp_path: Path) -> None:
    """No folder, no clip, no archive, no member, another camera."""
    with pytest.raises(DatasetError, match=r"(?s)bop-benchmark/hot3d .*clip-001849\.tar"):
        Hot3dClips(tmp_path / "nowhere").sequence_names()
    with pytest.raises(DatasetError, match=r"there is no .*clip-<number>\.tar"):
        Hot3dClips(tmp_path).sequence_names()
    with pytest.raises(DatasetError, match=r"there is no .*clip-000001\.tar"):
        Hot3dClips(tmp_path).sequence("clip-000001")
    members = _members(withheld=False)
    path = _write(tmp_path, members)
    path.write_bytes(b"no archive at all")
    with pytest.raises(DatasetError, match="is no readable archive"):
        Hot3dClips(tmp_path).sequence("clip-001849")
    camera = members["000000.cameras.json"]["214-1"]["calibration"]
    camera["projection_params"] = camera["projection_params"][:-3]
    _write(tmp_path, members)
    with pytest.raises(DatasetError, match=r"has a camera .* of 12 numbers"):
        Hot3dClips(tmp_path).sequence("clip-001849")
    del members["000001.cameras.json"]
    _write(tmp_path, members)
    with pytest.raises(DatasetError, match=r"lacks 000001\.cameras\.json"):
        Hot3dClips(tmp_path).sequence("clip-001849")


def test_impossible_configs_are_refused() -> None:
    """A pinhole without focal length sees nothing."""
    with pytest.raises(ConfigError, match=r"focal_scale is 0\.0; give a value between 0\.05 and 4"):
        Hot3dClipsConfig(focal_scale=0.0)
