"""The records: what belongs together, what is missing and why, and lazy frames."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from dataset_samples import poses, write_picture

from hand4d_ros.datasets.base import (
    CameraTrack,
    HandTrackTruth,
    ObjectTruth,
    SequenceRecord,
    chosen,
    stamps_from_numbers,
)
from hand4d_ros.datasets.images import ImageFiles
from hand4d_ros.errors import DatasetError
from hand4d_ros.types import CameraModel, Side

COUNT = 4
STAMPS_NS = np.arange(COUNT) * 33_333_333
KEYPOINTS_M = np.arange(COUNT * 63.0).reshape(COUNT, 21, 3)


def _hand(side: Side = Side.RIGHT, track_id: str = "") -> HandTrackTruth:
    return HandTrackTruth(
        side=side,
        valid=np.ones(COUNT, dtype=bool),
        keypoints_m=KEYPOINTS_M,
        track_id=track_id,
        missing={"wrist_m": "there is no such sensor"},
    )


def _record(*hands: HandTrackTruth, cameras: tuple[CameraTrack, ...] = ()) -> SequenceRecord:
    return SequenceRecord(
        dataset="made",
        name="up",
        stamps_ns=STAMPS_NS,
        stamps_are="rate",
        frame_numbers=np.arange(COUNT),
        world="fixed",
        cameras=cameras,
        hands=hands or (_hand(),),
    )


def _camera(folder: Path) -> CameraTrack:
    """Three frames of which the middle one has no picture and the last no pose."""
    T = poses(np.random.default_rng(0), 3)
    T[2] = np.nan
    for index, shade in ((0, 10), (2, 200)):
        write_picture(folder / f"{index}.jpg", shade)
    return CameraTrack(
        name="front",
        model=CameraModel(8, 6, 10.0, 10.0, 3.5, 2.5),
        stamps_ns=np.array([5, 6, 7]),
        rows=np.array([0, 1, 3]),
        T_world_camera=T,
        images=ImageFiles([folder / f"{index}.jpg" for index in range(3)]),
    )


def test_what_is_missing_says_why() -> None:
    """A field that a dataset lacks raises with the loader's reason."""
    hand = _hand()
    with pytest.raises(DatasetError, match="right hand has no wrist_m: there is no such sensor"):
        hand.required("wrist_m")
    with pytest.raises(DatasetError, match="R_world_wrist: the dataset does not have it"):
        _ = hand.T_world_wrist


def test_single_keypoints_may_be_missing() -> None:
    """NaN marks a keypoint, not the hand, as unknown."""
    keypoints = KEYPOINTS_M.copy()
    keypoints[1, 5] = np.nan
    known = replace(_hand(), keypoints_m=keypoints).keypoint_valid
    assert not known[1, 5]
    assert known.sum() == COUNT * 21 - 1


def test_one_hand_a_side_is_found() -> None:
    """A side with two tracks or none is not answered by a guess."""
    record = _record(_hand(Side.LEFT), _hand(track_id="3"), _hand(track_id="4"))
    assert record.hand(Side.LEFT).side is Side.LEFT
    assert [hand.track_id for hand in record.tracks(Side.RIGHT)] == ["3", "4"]
    with pytest.raises(DatasetError, match="2 right hands, not one; it has left, right 3, right 4"):
        record.hand(Side.RIGHT)


def test_frames_are_read_one_by_one(tmp_path: Path) -> None:
    """Only frames with a picture come, each with its row, stamp and pose if it is known."""
    camera = _camera(tmp_path)
    frames = list(_record(cameras=(camera,)).frames())
    assert [row for row, _ in frames] == [0, 3]
    first, last = frames[0][1], frames[1][1]
    assert (first.stamp_ns, last.stamp_ns) == (5, 7)
    assert abs(float(first.image.mean()) - 10.0) < 2.0
    assert first.T_world_camera is not None
    np.testing.assert_array_equal(first.T_world_camera, camera.T_world_camera[0])
    assert last.T_world_camera is None


def test_a_picture_is_not_opened_before_it_is_asked_for(tmp_path: Path) -> None:
    """A damaged second picture does no harm until its turn."""
    camera = _camera(tmp_path)
    (tmp_path / "2.jpg").write_bytes(b"no picture")
    frames = _record(cameras=(camera,)).frames("front")
    next(frames)
    with pytest.raises(DatasetError, match=r"2\.jpg cannot be read"):
        next(frames)


def test_frames_need_pictures_and_intrinsics(tmp_path: Path) -> None:
    """Both lacks are named, and so is an unknown camera."""
    camera = _camera(tmp_path)
    with pytest.raises(DatasetError, match="front has no pictures"):
        list(_record(cameras=(replace(camera, images=None),)).frames())
    with pytest.raises(DatasetError, match="front has no intrinsics"):
        list(_record(cameras=(replace(camera, model=None),)).frames())
    with pytest.raises(DatasetError, match="camera 'back'; choose one of front"):
        _record(cameras=(camera,)).camera("back")
    with pytest.raises(DatasetError, match="choose one of none"):
        _record().camera()


def test_arrays_must_belong_together(tmp_path: Path) -> None:
    """Other lengths, stamps that fall and rows that are not there are refused."""
    with pytest.raises(DatasetError, match="HandTrackTruth: valid has 3 rows, expected 4"):
        _record(HandTrackTruth(Side.LEFT, np.ones(3, dtype=bool), KEYPOINTS_M[:3]))
    with pytest.raises(DatasetError, match="T_world_object has 1 rows"):
        replace(_record(), objects=(ObjectTruth("cup", np.eye(4)[None]),))
    with pytest.raises(DatasetError, match="stamps do not rise at frame 2"):
        replace(_record(), stamps_ns=np.array([0, 1, 1, 2]))
    beyond = replace(_camera(tmp_path), rows=np.array([0, 1, 4]))
    with pytest.raises(DatasetError, match=r"rows are not within 0\.\.3"):
        _record(cameras=(beyond,))


def test_chosen_frames() -> None:
    """All, a stretch, every second; nothing else."""
    np.testing.assert_array_equal(chosen(5, None, "x"), np.arange(5))
    np.testing.assert_array_equal(chosen(9, range(2, 9, 3), "x"), [2, 5, 8])
    for wrong in (range(0), range(3, 6), range(4, 1, -1), range(-2, 2)):
        with pytest.raises(DatasetError, match="x has 5 frames; range"):
            chosen(5, wrong, "x")
    with pytest.raises(DatasetError, match="x has 0 frames"):
        chosen(0, None, "x")


def test_stamps_do_not_drift() -> None:
    """An hour at 30 Hz is an hour, to the nanosecond."""
    assert stamps_from_numbers(np.array([0, 1, 108_000]), 30.0).tolist() == [
        0,
        33_333_333,
        3_600_000_000_000,
    ]
