"""A run's arrays and figures follow from its two bags, live or offline."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from replay_samples import (
    CAMERA,
    START_NS,
    InputOptions,
    camera_pose,
    hands_message,
    stamp_ns,
    track_of,
    write_input,
    write_output,
)

from hand4d_ros import wire, wire_sensors
from hand4d_ros.errors import BagError, MediaError
from hand4d_ros.replay.bags import BagWriter
from hand4d_ros.replay.run_data import ABSENT, Run, load_run, stamp_from_cdr
from hand4d_ros.replay.run_metrics import run_metrics, wrist_errors_m, write_metrics
from hand4d_ros.replay.typestore import MessageBuilder, default_typestore
from hand4d_ros.types import Side, TrackingState


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Run:
    """A live run with truth, in which images 3 and 7 were dropped."""
    folder = tmp_path_factory.mktemp("run")
    source = write_input(folder / "in.mcap", InputOptions(truth=True))
    return load_run(source, write_output(folder / "out.mcap", shift_m=0.02, drop=(3, 7)))


def test_rows_are_the_images(run: Run) -> None:
    """One row an image; dropped ones are not processed and have no hands."""
    assert run.stamps_ns.tolist() == [stamp_ns(index) for index in range(30)]
    assert np.flatnonzero(~run.processed).tolist() == [3, 7]
    assert run.duration_s == pytest.approx(29 / 30, abs=1e-6)
    assert np.isnan(run.latency_ms[3])
    assert run.latency_ms[4] == 24.0
    assert (run.world_frame, run.camera_frame, run.is_static) == ("odom", "camera", False)
    assert run.drops == {"not_received": 1, "superseded": 1}


def test_states_of_hands(run: Run) -> None:
    """Observed, predicted, lost and absent rows are told apart; a lost hand has no pose."""
    left = run.hands[Side.LEFT]
    assert left.state[[0, 3, 10, 20, 25]].tolist() == [
        TrackingState.OBSERVED,
        ABSENT,
        TrackingState.PREDICTED,
        TrackingState.LOST,
        ABSENT,
    ]
    assert left.tracked.sum() == 18
    assert left.observed.sum() == 15
    assert np.isnan(left.wrist_m[20]).all()
    assert left.age_s[11] == pytest.approx(2 / 30, abs=1e-6)
    assert (run.truth[Side.RIGHT].grasp >= 0.0).all()


def test_in_view_follows_the_rule(run: Run, tmp_path: Path) -> None:
    """Both hands start in view; one whose truth says absent, or that is outside, is not."""
    assert run.in_view[Side.LEFT].all()
    assert run.in_view[Side.RIGHT].all()
    path = tmp_path / "in.mcap"
    with BagWriter(path) as bag:
        for index in range(3):
            at = stamp_ns(index)
            hands = [track_of(side, at) for side in Side]
            hands[0] = replace(hands[0], presence=0.4)
            if index == 1:
                moved = hands[1].hand.keypoints_m + np.array([0.0, 5.0, 0.0])
                hands[1] = replace(hands[1], hand=replace(hands[1].hand, keypoints_m=moved))
            if index == 2:
                behind = hands[1].hand.keypoints_m - np.array([1.0, 0.0, 0.0])
                hands[1] = replace(hands[1], hand=replace(hands[1].hand, keypoints_m=behind))
            truth = wire.TrackedHands(at, tuple(hands), "odom", "camera", camera_pose(at))
            bag.write(
                "/truth/hands", "hand4d_ros/msg/HandStateArray", wire.hand_state_array(truth), at
            )
            image = wire_sensors.image(np.zeros((72, 96, 3), dtype=np.uint8), at, "camera")
            bag.write("/image", "sensor_msgs/msg/Image", image, at)
            info = wire_sensors.camera_info(CAMERA, at, "camera")
            bag.write("/camera_info", "sensor_msgs/msg/CameraInfo", info, at)
    other = load_run(path, write_output(tmp_path / "out.mcap"))
    assert other.in_view[Side.LEFT].tolist() == [False, False, False]
    assert other.in_view[Side.RIGHT].tolist() == [True, False, False]


def test_figures(run: Run) -> None:
    """Known errors and states give known figures."""
    metrics = run_metrics(run)
    left, right = metrics["hands"]["left"], metrics["hands"]["right"]
    assert left["observed_fraction"] == pytest.approx(15 / 30)
    assert left["observed_fraction_of_processed"] == pytest.approx(15 / 28)
    assert right["observed_fraction"] == pytest.approx(28 / 30)
    assert right["wrist_error_median_m"] == pytest.approx(0.02, abs=1e-6)
    assert right["wrist_error_p95_m"] == pytest.approx(0.02, abs=1e-6)
    assert right["mpjpe_mm"] == pytest.approx(20.0, abs=1e-3)
    assert right["acc_err_mm_s2"] == pytest.approx(0.0, abs=1.0)
    assert metrics["frames"] == {
        "images": 30,
        "processed": 28,
        "duration_s": pytest.approx(0.966667, abs=1e-6),
        "drops": {"not_received": 1, "superseded": 1},
    }
    latency = metrics["latency_ms"]
    assert latency["kind"] == "capture to publication"
    assert (latency["count"], latency["max"]) == (28, 49.0)
    assert latency["p50"] <= latency["p95"] <= latency["p99"]
    assert "15 of the 21 true keypoints" in metrics["in_view_rule"]
    errors = wrist_errors_m(run, Side.LEFT)
    assert np.isfinite(errors).sum() == 18


def test_figures_are_json_without_nan(run: Run, tmp_path: Path) -> None:
    """The file is strict JSON and says the same."""
    metrics = run_metrics(run)
    write_metrics(tmp_path / "metrics.json", metrics)

    def refuse(text: str) -> float:
        raise AssertionError(text)

    text = (tmp_path / "metrics.json").read_text(encoding="utf-8")
    assert json.loads(text, parse_constant=refuse) == json.loads(json.dumps(metrics))


def test_without_truth(tmp_path: Path) -> None:
    """Without a truth every image counts, and a side that was never there has no share."""
    source = write_input(tmp_path / "in.mcap", InputOptions(images=15))
    with BagWriter(tmp_path / "out.mcap") as bag:
        for index in range(15):
            tracks = [track_of(Side.RIGHT, stamp_ns(index))]
            message = hands_message(index, tracks, float("nan"))
            bag.write("/hands", "hand4d_ros/msg/HandStateArray", message, stamp_ns(index))
    run = load_run(source, tmp_path / "out.mcap")
    metrics = run_metrics(run, [5.0] * 15)
    assert metrics["hands"]["right"]["observed_fraction"] == 1.0
    assert "observed_fraction" not in metrics["hands"]["left"]
    assert metrics["latency_ms"]["kind"] == "processing of one frame, offline"
    assert metrics["latency_ms"]["p99"] == 5.0
    assert "both_hands" not in metrics
    assert run_metrics(run)["latency_ms"]["count"] == 0


def test_first_message_of_an_image_counts(tmp_path: Path) -> None:
    """A node that stops says lost under the last stamp; the result of that image stays."""
    source = write_input(tmp_path / "in.mcap", InputOptions(images=2))
    with BagWriter(tmp_path / "out.mcap") as bag:
        for state in (TrackingState.OBSERVED, TrackingState.LOST):
            message = hands_message(1, [track_of(Side.RIGHT, stamp_ns(1), state)], 5.0)
            bag.write("/hands", "hand4d_ros/msg/HandStateArray", message, stamp_ns(2))
    run = load_run(source, tmp_path / "out.mcap")
    assert run.hands[Side.RIGHT].state.tolist() == [ABSENT, TrackingState.OBSERVED]
    assert run.processed.tolist() == [False, True]


@pytest.mark.parametrize("images", [1, 2, 3])
def test_shortest_runs(tmp_path: Path, images: int) -> None:
    """A run of a few images has the figures that it can have."""
    source = write_input(tmp_path / "in.mcap", InputOptions(images=images, truth=True))
    run = load_run(source, write_output(tmp_path / "out.mcap", images))
    metrics = run_metrics(run)
    assert metrics["hands"]["right"]["observed_fraction"] == 1.0
    assert metrics["hands"]["right"]["wrist_error_median_m"] == pytest.approx(0.0, abs=1e-9)


def test_bags_of_different_runs(tmp_path: Path) -> None:
    """Hands whose stamps are of no image of the input are refused."""
    stamps = [START_NS + 10**12 + index for index in range(3)]
    source = write_input(tmp_path / "in.mcap", InputOptions(stamps_ns=stamps))
    with pytest.raises(BagError, match="have the stamp of an image"):
        load_run(source, write_output(tmp_path / "out.mcap"))


def test_bag_without_usable_images(tmp_path: Path) -> None:
    """An input none of whose images can be decoded says why."""
    image = wire_sensors.image(np.zeros((4, 4, 3), dtype=np.uint8), START_NS, "camera")
    with BagWriter(tmp_path / "in.mcap") as bag:
        bag.write("/image", "sensor_msgs/msg/Image", {**image, "encoding": "x"}, 1)
    with pytest.raises(BagError, match=r"no image that can be used.*encoding 'x'"):
        load_run(tmp_path / "in.mcap", write_output(tmp_path / "out.mcap"))


@pytest.mark.parametrize("little_endian", [True, False])
def test_stamp_without_deserialising(little_endian: bool) -> None:
    """The stamp of a serialised image is read from its first bytes."""
    image = wire_sensors.image(np.zeros((4, 4, 3), dtype=np.uint8), START_NS + 7, "camera")
    store = default_typestore()
    built = MessageBuilder(store).build("sensor_msgs/msg/Image", image)
    data = store.serialize_cdr(built, "sensor_msgs/msg/Image", little_endian=little_endian)
    assert stamp_from_cdr(data) == START_NS + 7


@pytest.mark.skipif(not Path("/sys/kernel").is_dir(), reason="needs Linux's /sys")
def test_metrics_to_read_only_folder() -> None:
    """Figures cannot go where nothing can be written."""
    with pytest.raises(MediaError, match="cannot be written"):
        write_metrics(Path("/sys/kernel/metrics.json"), {})
