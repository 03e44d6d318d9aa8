"""``hand4d bag-from-video``: recordings become bags that say what they lack."""

from __future__ import annotations

import json
from pathlib import Path

import cv2
import numpy as np
import pytest

from hand4d_ros.cli import bag_from_video
from hand4d_ros.cli.main import main
from hand4d_ros.replay.bags import BagReader
from hand4d_ros.replay.frames import BagFrames
from hand4d_ros.replay.video import VideoWriter


def video(path: Path) -> Path:
    """Write a small video."""
    with VideoWriter(path) as writer:
        for index in range(6):
            writer.write(np.full((48, 64, 3), 30 * index, dtype=np.uint8), index * 40_000_000)
    return path


def test_video(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A video gives images and guessed intrinsics, and says both what and what not."""
    out = tmp_path / "bag.mcap"
    source = video(tmp_path / "a.mp4")
    assert main(["bag-from-video", str(source), "--out", str(out)]) == 0
    said = capsys.readouterr().out
    assert "is a guess" in said
    assert "6 frames of 64 x 48, 0.20 s" in said
    assert "will count as static" in said
    with BagReader(out) as bag:
        counts = {t.name: t.message_count for t in bag.topics}
    assert counts == {"/camera/camera_info": 6, "/camera/image_raw/compressed": 6}
    with BagFrames(out) as frames:
        read = list(frames.frames())
    assert [each.reason for each in read] == [""] * 6
    frame = read[4].frame
    assert frame is not None
    np.testing.assert_allclose(frame.image.mean(), 120, atol=4)


def test_raw_images_and_limits(tmp_path: Path) -> None:
    """Pixels may be stored as they are, and only the first frames."""
    out = tmp_path / "bag"
    source = video(tmp_path / "a.mp4")
    command = ["bag-from-video", str(source), "--out", str(out), "--raw", "--max-frames", "2"]
    assert main([*command, "--fov-deg", "70"]) == 0
    with BagReader(out) as bag:
        assert bag.count("/camera/image_raw") == 2


def test_folder_with_poses(tmp_path: Path) -> None:
    """A folder with poses gives odometry of the camera itself."""
    folder = tmp_path / "frames"
    folder.mkdir()
    frames = []
    for index in range(4):
        cv2.imwrite(str(folder / f"{index}.png"), np.zeros((48, 64, 3), dtype=np.uint8))
        pose = np.eye(4)
        pose[0, 3] = index
        stamp_ns = 10**9 + index * 50_000_000
        frames.append({"file": f"{index}.png", "t_ns": stamp_ns, "T_world_camera": pose.tolist()})
    K = [[60, 0, 32], [0, 60, 24], [0, 0, 1]]
    camera = {"width": 64, "height": 48, "K": K, "frames": frames}
    (folder / "s.json").write_text(json.dumps({"cameras": {"eye": camera}}))
    out = tmp_path / "bag.mcap"
    assert main(["bag-from-video", str(folder), "--out", str(out)]) == 0
    # A metre in 50 ms is a jump for the odometry, but each image has a sample of its own.
    with BagFrames(out) as source:
        read = [each.frame for each in source.frames()]
    assert [f.T_world_camera[0, 3] for f in read if f and f.T_world_camera is not None] == [
        *(0.0, 1.0),
        *(2.0, 3.0),
    ]


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        (["none.mp4"], "there is no video or folder"),
        (["text.mp4"], "cannot be read as a video"),
        (["a.mp4", "--fov-deg", "200"], "fov_deg is 200"),
        (["a.mp4", "--jpeg-quality", "0"], "jpeg_quality is 0"),
        (["a.mp4", "--max-frames", "-1"], "max_frames is -1"),
        (["a.mp4", "--intrinsics", "text.mp4"], "holds str"),
    ],
)
def test_bad_input(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], arguments: list[str], text: str
) -> None:
    """Wrong input ends with status 2 and one line, and leaves no bag."""
    video(tmp_path / "a.mp4")
    (tmp_path / "text.mp4").write_text("no video at all")
    paths = [str(tmp_path / a) if "." in a and "mp4" in a else a for a in arguments]
    assert main(["bag-from-video", *paths, "--out", str(tmp_path / "out.mcap")]) == 2
    assert text in capsys.readouterr().err
    assert not (tmp_path / "out.mcap").exists()


def test_truncated_video_leaves_no_bag(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A video that breaks off is no bag."""
    path = tmp_path / "a.mp4"
    with VideoWriter(path) as writer:
        rng = np.random.default_rng(0)
        for index in range(60):
            noise = rng.integers(0, 256, (48, 64, 3), dtype=np.uint8)
            writer.write(noise, index * 40_000_000)
    path.write_bytes(path.read_bytes()[: path.stat().st_size * 2 // 3])
    args = bag_from_video.Args(path, tmp_path / "out.mcap", fov_deg=60.0)
    assert main(["bag-from-video", str(path), "--out", str(args.out), "--fov-deg", "60"]) == 2
    assert "60 frames" in capsys.readouterr().err
    assert not args.out.exists()
