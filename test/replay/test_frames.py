"""Images of a bag get their intrinsics and the camera's pose, or a reason why not."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from replay_samples import (
    CAMERA,
    HEIGHT,
    START_NS,
    STEP_NS,
    WIDTH,
    InputOptions,
    camera_pose,
    stamp_ns,
    write_input,
)

from hand4d_ros import wire_sensors
from hand4d_ros.errors import BagError
from hand4d_ros.geometry import se3, so3
from hand4d_ros.replay.bags import BagWriter
from hand4d_ros.replay.context import BagInputConfig
from hand4d_ros.replay.frames import BagFrame, BagFrames


def read(path: Path, config: BagInputConfig | None = None) -> tuple[list[BagFrame], list[str]]:
    """Return all frames of a bag and the remarks about it."""
    with BagFrames(path, config) as source:
        frames = list(source.frames())
        return frames, source.notes


@pytest.mark.parametrize("raw", [True, False])
def test_frames_have_pose_and_intrinsics(tmp_path: Path, raw: bool) -> None:
    """Each image gets the interpolated pose of its own stamp, and the world's name."""
    frames, notes = read(write_input(tmp_path / "in.mcap", InputOptions(raw=raw)))
    assert len(frames) == 30
    assert notes == []
    for index, each in enumerate(frames):
        assert each.reason == ""
        frame = each.frame
        assert frame is not None
        assert frame.stamp_ns == stamp_ns(index)
        assert frame.image.shape == (HEIGHT, WIDTH, 3)
        assert (frame.camera.fx_px, frame.camera.cx_px) == (CAMERA.fx_px, CAMERA.cx_px)
        assert (frame.world_frame, frame.camera_frame) == ("odom", "camera")
        assert frame.T_world_camera is not None
        np.testing.assert_allclose(frame.T_world_camera, camera_pose(stamp_ns(index)), atol=1e-5)


def test_extrinsic_from_static_transforms(tmp_path: Path) -> None:
    """Odometry of another body is carried to the camera through /tf_static."""
    T = se3.from_rotation_translation(so3.exp(np.array([0.1, 0.5, -0.2])), np.array([0.1, 0, 0.3]))
    options = InputOptions(images=5, base="base_link", T_base_camera=T)
    frames, _ = read(write_input(tmp_path / "in.mcap", options))
    for index, each in enumerate(frames):
        assert each.frame is not None
        pose = each.frame.T_world_camera
        assert pose is not None
        np.testing.assert_allclose(pose, camera_pose(stamp_ns(index)), atol=1e-5)


def test_missing_extrinsic(tmp_path: Path) -> None:
    """Without it a clear error says what to do, and the camera's own odometry may be claimed."""
    path = write_input(tmp_path / "in.mcap", InputOptions(images=3, base="base_link"))
    with pytest.raises(BagError, match=r"odometry is that of 'base_link'.*--odometry-is-camera"):
        read(path)
    frames, _ = read(path, BagInputConfig(odometry_is_camera=True))
    assert all(each.frame is not None for each in frames)


def test_static_camera(tmp_path: Path) -> None:
    """Without odometry, or by choice, the world is the camera's frame, which is announced."""
    without = write_input(tmp_path / "a.mcap", InputOptions(images=2, odometry_hz=0.0))
    chosen = write_input(tmp_path / "b.mcap", InputOptions(images=2))
    for path, config in ((without, None), (chosen, BagInputConfig(static_camera=True))):
        frames, notes = read(path, config)
        assert "counts as static" in notes[0]
        frame = frames[1].frame
        assert frame is not None
        assert frame.world_frame == frame.camera_frame == "camera"
        np.testing.assert_array_equal(frame.T_world_camera, np.eye(4))


def test_guessed_intrinsics(tmp_path: Path) -> None:
    """Without camera_info the field of view is a guess, unless it is given."""
    path = write_input(tmp_path / "a.mcap", InputOptions(images=2, camera_info=False))
    frames, notes = read(path)
    assert "is a guess" in notes[0]
    frames, notes = read(path, BagInputConfig(fov_deg=90.0))
    assert notes == []
    assert frames[0].frame is not None
    assert frames[0].frame.camera.fx_px == pytest.approx(WIDTH / 2)


def test_odometry_that_starts_late_and_ends_early(tmp_path: Path) -> None:
    """Images outside of the odometry have no pose and say why."""
    path = tmp_path / "in.mcap"
    with BagWriter(path) as bag:
        for index in range(20):
            at = stamp_ns(index)
            rgb = np.zeros((4, 4, 3), dtype=np.uint8)
            bag.write("/i", "sensor_msgs/msg/Image", wire_sensors.image(rgb, at, "camera"), at)
            if 5 <= index <= 10:
                odometry = wire_sensors.odometry(camera_pose(at), at, "odom", "camera")
                bag.write("/o", "nav_msgs/msg/Odometry", odometry, at)
    frames, _ = read(path, BagInputConfig(fov_deg=60.0))
    reasons = [each.reason for each in frames]
    assert reasons[:5] == ["odometry_too_old"] * 5
    assert reasons[5:11] == [""] * 6
    assert set(reasons[13:]) == {"odometry_too_new"}
    assert all(each.frame is not None for each in frames)


def test_bag_that_loops(tmp_path: Path) -> None:
    """Time that jumps back finds the odometry of the second pass."""
    path = tmp_path / "in.mcap"
    log_ns = START_NS
    with BagWriter(path) as bag:
        for _ in range(2):
            for index in range(40):
                at = stamp_ns(index)
                odometry = wire_sensors.odometry(camera_pose(at), at, "odom", "camera")
                bag.write("/o", "nav_msgs/msg/Odometry", odometry, log_ns)
                rgb = np.zeros((4, 4, 3), dtype=np.uint8)
                image = wire_sensors.image(rgb, at - STEP_NS // 2, "camera")
                bag.write("/i", "sensor_msgs/msg/Image", image, log_ns)
                log_ns += STEP_NS
    frames, notes = read(path, BagInputConfig(fov_deg=60.0))
    reasons = [each.reason for each in frames]
    assert reasons.count("") == 78
    assert reasons[0] == reasons[40] == "odometry_too_old"
    assert "odometry has samples that are reset" in notes


def test_broken_odometry_is_left_out(tmp_path: Path) -> None:
    """NaN in the odometry is skipped and announced; its neighbours bridge it."""
    path = tmp_path / "in.mcap"
    with BagWriter(path) as bag:
        for index in range(10):
            at = stamp_ns(index)
            pose = camera_pose(at)
            if index == 4:
                pose[0, 3] = np.nan
            odometry = wire_sensors.odometry(pose, at, "odom", "camera")
            bag.write("/o", "nav_msgs/msg/Odometry", odometry, at)
            rgb = np.zeros((4, 4, 3), dtype=np.uint8)
            bag.write("/i", "sensor_msgs/msg/Image", wire_sensors.image(rgb, at, "camera"), at)
    frames, notes = read(path, BagInputConfig(fov_deg=60.0))
    assert [each.reason for each in frames] == [""] * 10
    assert "odometry has samples that are non finite" in notes
    assert frames[4].frame is not None
    bridged = frames[4].frame.T_world_camera
    assert bridged is not None
    assert np.isfinite(bridged).all()


def test_bad_images_are_counted_not_fatal(tmp_path: Path) -> None:
    """Unknown encodings, wrong sizes and missing stamps leave the other images alone."""
    path = tmp_path / "in.mcap"
    good = wire_sensors.image(np.zeros((HEIGHT, WIDTH, 3), dtype=np.uint8), START_NS, "camera")
    small = wire_sensors.image(np.zeros((4, 4, 3), dtype=np.uint8), START_NS + 3, "camera")
    bad = [good, {**good, "encoding": "h264"}, {**good, "step": 5}, small]
    bad.append({**good, "header": {**good["header"], "stamp": {"sec": 0, "nanosec": 0}}})
    with BagWriter(path) as bag:
        info = wire_sensors.camera_info(CAMERA, START_NS, "camera")
        for index, message in enumerate(bad):
            bag.write("/i", "sensor_msgs/msg/Image", message, START_NS + index)
        bag.write("/camera_info", "sensor_msgs/msg/CameraInfo", info, START_NS + 9)
    frames, notes = read(path)
    reasons = [each.reason for each in frames]
    assert reasons == ["", "bad_image", "bad_image", "camera_info_size", "no_stamp"]
    assert any("encoding 'h264'" in note for note in notes)
    assert any("4 x 4" in note for note in notes)


def test_unusable_camera_info(tmp_path: Path) -> None:
    """Intrinsics of zero are a reason, not a crash."""
    path = tmp_path / "in.mcap"
    info = {**wire_sensors.camera_info(CAMERA, START_NS, "camera"), "k": np.zeros(9)}
    image = wire_sensors.image(np.zeros((HEIGHT, WIDTH, 3), dtype=np.uint8), START_NS, "camera")
    with BagWriter(path) as bag:
        bag.write("/camera_info", "sensor_msgs/msg/CameraInfo", info, 1)
        bag.write("/image", "sensor_msgs/msg/Image", image, 2)
    frames, notes = read(path)
    assert [each.reason for each in frames] == ["camera_info_invalid"]
    assert any("camera_info is unusable" in note for note in notes)
