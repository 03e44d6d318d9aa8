"""Videos and folders of frames: stamps, turns, intrinsics, and clear errors for bad ones."""

from __future__ import annotations

import json
import resource
import struct
import wave
from pathlib import Path
from typing import Any

import av
import cv2
import numpy as np
import pytest

from hand4d_ros.errors import MediaError
from hand4d_ros.geometry import se3, so3
from hand4d_ros.replay.frame_folder import FrameFolder
from hand4d_ros.replay.media import MediaOptions, camera_from_file, open_media
from hand4d_ros.replay.video import FIRST_STAMP_NS, VideoFile, VideoWriter

WIDTH, HEIGHT = 96, 64


def picture(index: int) -> np.ndarray:
    """Return a picture whose upper left corner is red and whose brightness tells the index."""
    rgb = np.full((HEIGHT, WIDTH, 3), 40 + 8 * (index % 20), dtype=np.uint8)
    rgb[: HEIGHT // 2, : WIDTH // 2] = (230, 20, 20)
    return rgb


def video(path: Path, count: int = 12, step_ns: int = 33_333_333) -> Path:
    """Write a video with some frames."""
    with VideoWriter(path) as writer:
        for index in range(count):
            writer.write(picture(index), 5 * 10**9 + index * step_ns)
    return path


def test_video_round_trip(tmp_path: Path) -> None:
    """Frames come back in order, with their stamps to within a tick of 1/90000 s."""
    stamps_ns = np.cumsum([0, 33_000_000, 33_000_000, 100_000_000, 20_000_000])
    with VideoWriter(tmp_path / "a.mp4") as writer:
        for index, stamp_ns in enumerate(stamps_ns):
            writer.write(picture(index), int(stamp_ns))
    source = VideoFile(tmp_path / "a.mp4")
    frames = list(source.frames())
    assert source.frame_count == len(frames) == len(stamps_ns)
    got_ns = np.array([frame.stamp_ns for frame in frames]) - FIRST_STAMP_NS
    np.testing.assert_allclose(got_ns, stamps_ns, atol=12_000)
    for index, frame in enumerate(frames):
        assert frame.camera == source.camera
        np.testing.assert_allclose(frame.image[-8:].astype(float).mean(), 40 + 8 * index, atol=4)


def test_video_plays_in_browsers(tmp_path: Path) -> None:
    """H.264 in yuv420p with the index before the data, also for odd sizes."""
    path = tmp_path / "a.mp4"
    with VideoWriter(path) as writer:
        writer.write(np.zeros((65, 97, 3), dtype=np.uint8), 0)
    with av.open(str(path)) as container:
        context = container.streams.video[0].codec_context
        assert (context.name, context.pix_fmt) == ("h264", "yuv420p")
        assert (context.width, context.height) == (96, 64)
    data = path.read_bytes()
    assert data.index(b"moov") < data.index(b"mdat")


def turned(path: Path, matrix: tuple[int, ...]) -> Path:
    """Change the display matrix in the header of the only track of an MP4."""
    data = bytearray(path.read_bytes())
    # Version 0 of tkhd has its matrix 40 bytes behind its flags (ISO/IEC 14496-12, 8.3.2).
    start = data.index(b"tkhd") + 4 + 40
    data[start : start + 36] = struct.pack(">9i", *matrix)
    path.write_bytes(data)
    return path


@pytest.mark.parametrize(("quarter", "corner"), [(1, (0, -1)), (2, (-1, -1)), (3, (-1, 0))])
def test_turned_video_is_shown_upright(
    tmp_path: Path, quarter: int, corner: tuple[int, int]
) -> None:
    """A phone's display matrix turns the picture clockwise by quarters."""
    one = 1 << 16
    c, s = {1: (0, one), 2: (-one, 0), 3: (0, -one)}[quarter]
    path = turned(video(tmp_path / "a.mp4", 3), (c, s, 0, -s, c, 0, 0, 0, 1 << 30))
    source = VideoFile(path)
    size = (HEIGHT, WIDTH) if quarter == 2 else (WIDTH, HEIGHT)
    assert (source.camera.height_px, source.camera.width_px) == size
    image = next(source.frames()).image
    assert image.shape[:2] == size
    assert image[corner][0] > 180
    assert image[corner][1] < 80


def test_slanted_video_is_refused(tmp_path: Path) -> None:
    """Only quarter turns are possible."""
    c, s = 60_000, 26_000
    path = turned(video(tmp_path / "a.mp4", 3), (c, s, 0, -s, c, 0, 0, 0, 1 << 30))
    with pytest.raises(MediaError, match="only quarter turns"):
        VideoFile(path)


@pytest.mark.parametrize(("options", "guessed"), [({}, True), ({"fov_deg": 60.0}, False)])
def test_field_of_view(tmp_path: Path, options: dict[str, Any], guessed: bool) -> None:
    """Without intrinsics the field of view is a guess that is stated, unless it is given."""
    source = VideoFile(video(tmp_path / "a.mp4", 2), MediaOptions(**options))
    camera = source.camera
    assert np.degrees(2 * np.arctan(WIDTH / 2 / camera.fx_px)) == pytest.approx(60.0)
    assert ("is a guess" in source.note) is guessed
    assert (camera.cx_px, camera.cy_px) == ((WIDTH - 1) / 2, (HEIGHT - 1) / 2)


@pytest.mark.parametrize(
    "text",
    [
        json.dumps({"width": 192, "height": 128, "K": [[100, 0, 96], [0, 101, 64], [0, 0, 1]]}),
        """image_width: 192
image_height: 128
camera_matrix: {rows: 3, cols: 3, data: [100, 0, 96, 0, 101, 64, 0, 0, 1]}
distortion_model: plumb_bob
distortion_coefficients: {rows: 1, cols: 5, data: [0, 0, 0, 0, 0]}
""",
        "width: 192\nheight: 128\nk: [100, 0, 96, 0, 101, 64, 0, 0, 1]\nd: []\n",
    ],
)
def test_intrinsics_files(tmp_path: Path, text: str) -> None:
    """JSON, ROS calibration and camera_info give the same camera, scaled to the video."""
    file = tmp_path / "camera.yaml"
    file.write_text(text)
    camera = camera_from_file(file)
    assert (camera.fx_px, camera.fy_px, camera.cx_px, camera.cy_px) == (100, 101, 96, 64)
    source = VideoFile(video(tmp_path / "a.mp4", 2), MediaOptions(intrinsics=file))
    assert source.camera.width_px == WIDTH
    assert source.camera.fx_px == pytest.approx(50.0)
    assert source.note == ""


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[1, 2]", "holds list"),
        ("{", "cannot be read"),
        ('{"width": 192, "height": 128}', "lacks intrinsics"),
        ('{"width": 192, "height": 128, "K": [[0, 0, 0], [0, 0, 0], [0, 0, 1]]}', "fx_px is 0"),
        ('{"width": 1, "height": 1, "K": [1, 0, 0, 0, 1, 0, 0, 0, 1], "d": "abc"}', "lacks"),
        ('{"width": 64, "height": 64, "K": [9, 0, 9, 0, 9, 9, 0, 0, 1]}', "another shape"),
    ],
)
def test_bad_intrinsics(tmp_path: Path, text: str, message: str) -> None:
    """Intrinsics that are no camera, or another camera's, are refused."""
    file = tmp_path / "camera.json"
    file.write_text(text)
    path = video(tmp_path / "a.mp4", 2)
    with pytest.raises(MediaError, match=message):
        VideoFile(path, MediaOptions(intrinsics=file))
    with pytest.raises(MediaError, match="cannot be read"):
        VideoFile(path, MediaOptions(intrinsics=tmp_path / "none.json"))


def test_bad_field_of_view() -> None:
    """A field of view outside of what a lens can have is refused."""
    with pytest.raises(MediaError, match="fov_deg is 400"):
        MediaOptions(fov_deg=400.0)


def bad_videos(folder: Path) -> dict[str, tuple[Path, str]]:
    """Return files that are no videos, each with what the error says."""
    whole = video(folder / "whole.mp4", 60).read_bytes()
    (folder / "head.mp4").write_bytes(whole[:300])
    (folder / "text.mp4").write_text("this is no video\n" * 50)
    (folder / "empty.mp4").touch()
    with wave.open(str(folder / "sound.wav"), "wb") as sound:
        sound.setnchannels(1)
        sound.setsampwidth(2)
        sound.setframerate(8000)
        sound.writeframes(bytes(8000))
    return {
        "missing": (folder / "nothing.mp4", "there is no video or folder at"),
        "head": (folder / "head.mp4", "no video stream|cannot be read as a video"),
        "text": (folder / "text.mp4", "cannot be read as a video"),
        "empty": (folder / "empty.mp4", "cannot be read as a video"),
        "sound": (folder / "sound.wav", "has no video stream; it is"),
    }


@pytest.mark.parametrize("kind", ["missing", "head", "text", "empty", "sound"])
def test_bad_videos(tmp_path: Path, kind: str) -> None:
    """A file that is no video is one clear error."""
    path, message = bad_videos(tmp_path)[kind]
    with pytest.raises(MediaError, match=message):
        open_media(path)


def test_truncated_video(tmp_path: Path) -> None:
    """A video that breaks off gives what it has, and then an error that says so."""
    whole = video(tmp_path / "whole.mp4", 120).read_bytes()
    cut = tmp_path / "cut.mp4"
    cut.write_bytes(whole[: len(whole) * 2 // 3])
    frames = open_media(cut).frames()
    assert next(frames).stamp_ns == FIRST_STAMP_NS
    with pytest.raises(MediaError, match=r"breaks off after \d+ of 120|is damaged after frame"):
        list(frames)


@pytest.mark.skipif(not Path("/sys/kernel").is_dir(), reason="needs Linux's /sys")
def test_read_only_folder() -> None:
    """A video cannot go to a folder that cannot be written."""
    with (
        pytest.raises(MediaError, match="cannot be written"),
        VideoWriter(Path("/sys/kernel/a.mp4")),
    ):
        pass


def test_full_disk(tmp_path: Path) -> None:
    """A disk that fills up is an error, and no half video stays."""

    def write() -> None:
        rng = np.random.default_rng(0)
        with VideoWriter(tmp_path / "a.mp4", crf=5) as writer:
            for index in range(40):
                noise = rng.integers(0, 256, (240, 320, 3), dtype=np.uint8)
                writer.write(noise, index * 33_000_000)

    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (500_000, hard))
    try:
        with pytest.raises(MediaError, match="cannot be written"):
            write()
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert list(tmp_path.iterdir()) == []


def test_video_without_frames_is_refused(tmp_path: Path) -> None:
    """There is no video of nothing, and a closed writer says so."""
    writer = VideoWriter(tmp_path / "a.mp4")
    with pytest.raises(MediaError, match="without a frame"), writer:
        pass
    assert list(tmp_path.iterdir()) == []
    with pytest.raises(MediaError, match="with statement"):
        writer.write(picture(0), 0)


def folder_of(path: Path, **change: Any) -> Path:
    """Write a folder with three frames of two cameras."""
    path.mkdir(exist_ok=True)
    pose = se3.from_rotation_translation(so3.exp(np.array([0.1, 0.2, 0.3])), np.arange(3.0))
    frames = [
        {"file": f"{i}.png", "t_ns": 10 + i, "T_world_camera": pose.tolist()} for i in range(3)
    ]
    for index in range(3):
        cv2.imwrite(str(path / f"{index}.png"), picture(index)[..., ::-1])
    camera = {
        "width": WIDTH,
        "height": HEIGHT,
        "K": [[100, 0, 48], [0, 100, 32], [0, 0, 1]],
        "frames": frames,
    }
    content = {"cameras": {"front": {**camera, **change}, "back": camera}}
    (path / "sequence.json").write_text(json.dumps(content))
    return path


def test_folder_of_frames(tmp_path: Path) -> None:
    """Stamps, poses and intrinsics come from the JSON, pixels from the files."""
    source = open_media(folder_of(tmp_path / "f"), MediaOptions(camera="front"))
    frames = list(source.frames())
    assert source.has_poses
    assert source.frame_count == 3
    assert [frame.stamp_ns for frame in frames] == [10, 11, 12]
    assert frames[0].camera_frame == "front"
    pose = frames[2].T_world_camera
    assert pose is not None
    np.testing.assert_array_equal(pose[:3, 3], [0.0, 1.0, 2.0])
    np.testing.assert_array_equal(frames[1].image, picture(1))
    direct = open_media(tmp_path / "f" / "sequence.json", MediaOptions(camera="back", fov_deg=50.0))
    assert "not those given" in direct.note


@pytest.mark.parametrize(
    ("change", "text"),
    [
        ({"K": None}, "lacks intrinsics"),
        ({"frames": []}, "has no list of frames"),
        ({"frames": [{"file": "0.png"}]}, "frame 0 of .* needs file, t_ns"),
        ({"frames": [{"file": "0.png", "t_ns": 1, "T_world_camera": [[1]]}]}, "T_world_camera"),
        ({"frames": [{"file": "0.png", "t_ns": 1}] * 2}, "frame 1 of .* is not later"),
        ({"frames": [{"file": "9.png", "t_ns": 1}]}, "9.png cannot be read"),
        ({"frames": [{"file": "sequence.json", "t_ns": 1}]}, "neither JPEG nor PNG"),
        ({"width": 90}, "has .64, 96. rows and columns"),
    ],
)
def test_bad_folders(tmp_path: Path, change: dict[str, Any], text: str) -> None:
    """What is missing or wrong in a folder is named."""
    path = folder_of(tmp_path / "f", **change)
    with pytest.raises(MediaError, match=text):
        list(FrameFolder(path, MediaOptions(camera="front")).frames())


def test_choice_of_camera(tmp_path: Path) -> None:
    """Of several cameras one has to be chosen by a name that is there."""
    path = folder_of(tmp_path / "f")
    with pytest.raises(MediaError, match="several cameras; choose one of front, back"):
        FrameFolder(path)
    with pytest.raises(MediaError, match="no camera 'side'; choose one of front, back"):
        FrameFolder(path, MediaOptions(camera="side"))
    (path / "sequence.json").write_text("[]")
    with pytest.raises(MediaError, match="has no JSON with cameras"):
        FrameFolder(path)
    (path / "sequence.json").write_text("{")
    with pytest.raises(MediaError, match="cannot be read as JSON"):
        FrameFolder(path / "sequence.json")


def test_real_folder(real_data: Path) -> None:
    """The glasses' recording is read as its notes describe it."""
    path = real_data / "aria_gen2"
    if not path.is_dir():
        pytest.skip(f"no recording at {path}")
    source = open_media(path, MediaOptions(camera="slam-front-right"))
    frames = list(source.frames())
    assert len(frames) == 9
    assert source.camera.fx_px == pytest.approx(220.0, abs=1.0)
    assert all(frame.T_world_camera is not None for frame in frames)


def test_real_video(real_data: Path) -> None:
    """The real video has the frames and the rate that its notes say."""
    path = real_data / "dex_retargeting" / "human_hand_video.mp4"
    if not path.is_file():
        pytest.skip(f"no recording at {path}")
    source = VideoFile(path)
    frames = source.frames()
    first, second = next(frames), next(frames)
    assert source.frame_count == 621
    assert source.rate_hz == pytest.approx(30.0)
    assert second.stamp_ns - first.stamp_ns == pytest.approx(1e9 / 30, abs=1)
    assert first.image.shape == (720, 1280, 3)
