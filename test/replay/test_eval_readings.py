"""Readings: offline, recorded, and what the detector saw, as clips of the benchmark."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest
from replay_samples import InputOptions, TruePipeline, stamp_ns, write_input, write_output

from hand4d_ros.evaluation.bag_eval import figures_of, truth_on_images, worst_rows
from hand4d_ros.replay.eval_pictures import write_worst
from hand4d_ros.replay.eval_readings import Watched, read_offline, read_recorded
from hand4d_ros.replay.eval_truth import read_truth
from hand4d_ros.types import Side


@pytest.fixture
def bag(tmp_path: Path) -> Path:
    """Return a recording of a second with a truth."""
    return write_input(tmp_path / "in.mcap", InputOptions(images=30, truth=True))


def test_offline_reading(bag: Path, tmp_path: Path) -> None:
    """Every image is a row; hands shifted by 2 cm are 2 cm off."""
    progress: list[tuple[int, int]] = []
    reading, seen = read_offline(
        bag,
        tmp_path / "hands.mcap",
        TruePipeline(0.02),
        progress=lambda done, total: progress.append((done, total)),
    )
    assert progress[-1] == (30, 30)
    assert len(reading.clip) == len(seen) == 30
    assert reading.estimate.hands[Side.LEFT].there.all()
    truth = truth_on_images(reading.clip, reading.estimate, read_truth([], bag))
    figures = figures_of("offline", reading.clip, reading.estimate, truth).hands["both"]
    assert figures["mpjpe_mm"] == pytest.approx(20.0, abs=0.01)
    assert figures["observed_fraction"] == 1.0


def test_recorded_reading(bag: Path, tmp_path: Path) -> None:
    """Dropped images are rows without hands, whose camera is where it must have been."""
    hands = write_output(tmp_path / "hands.mcap", drop=(4, 5))
    reading = read_recorded("live", bag, hands)
    right = reading.estimate.hands[Side.RIGHT]
    assert np.flatnonzero(~right.there).tolist() == [4, 5]
    assert np.isfinite(reading.clip.T_world_camera).all()
    assert len(reading.estimate.frame_ms) == 28
    truth = truth_on_images(reading.clip, reading.estimate, read_truth([], bag))
    figures = figures_of("live", reading.clip, reading.estimate, truth).hands["right"]
    assert figures["observed_fraction"] == pytest.approx(28 / 30)
    assert right.model is not None
    assert right.model.name == "builtin"


def test_a_watched_pipeline_is_the_pipeline(bag: Path) -> None:
    """Watching changes nothing but keeps the detections."""
    inner = TruePipeline()
    watched = Watched(inner)
    assert (watched.model_id, watched.hand) == (inner.model_id, inner.hand)
    assert bag.exists()


def test_the_worst_moments_as_pictures(bag: Path, tmp_path: Path) -> None:
    """A picture shows the moment between its neighbours, hands and truth drawn."""
    hands = write_output(tmp_path / "hands.mcap", shift_m=0.05)
    reading = read_recorded("live", bag, hands)
    truth = truth_on_images(reading.clip, reading.estimate, read_truth([], bag))
    worst = worst_rows(reading.clip, reading.estimate, truth, count=1)
    (path,) = write_worst(tmp_path, bag, reading, truth, worst)
    picture = cv2.imread(str(path))
    assert picture is not None
    width = reading.clip.camera.width_px
    assert picture.shape[1] in (2 * width, 3 * width)
    # The pictures of the recording are grey; hands are not.
    assert (np.ptp(picture.astype(int), axis=2) > 60).any()
    assert worst[0][1] == pytest.approx(0.05, abs=1e-3)
    assert reading.clip.stamps_ns[0] == stamp_ns(0)
