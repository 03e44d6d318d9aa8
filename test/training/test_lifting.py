"""The lifting model's data is consistent with itself, and a tiny model learns it by heart."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pytest
import torch

from hand4d_ros.errors import ConfigError, TrainingError
from hand4d_ros.estimation.lifting.config import WIDTHS, LiftingConfig
from hand4d_ros.estimation.lifting.motion_vector import Hands, keypoints_from_hands
from hand4d_ros.hand.builtin import builtin_hand
from hand4d_ros.nn.diffusion import DiffusionConfig
from hand4d_ros.nn.hand_chain import HandChain
from hand4d_ros.nn.transformer import TransformerConfig
from hand4d_ros.shapes import Array
from hand4d_ros.synthetic.odometry_noise import OdometryRecord
from hand4d_ros.training.config import TrainConfig
from hand4d_ros.training.lifting import LiftingTask, LiftingTaskConfig
from hand4d_ros.training.lifting_scenes import FilmConfig, SceneFilms, poses_at
from hand4d_ros.training.lifting_windows import (
    KNOWN,
    MASK,
    ROTATIONS,
    WRIST_M,
    WindowConfig,
    Windows,
    mirrored,
    window_arrays,
)
from hand4d_ros.training.shards import Shards
from hand4d_ros.training.trainer import METRICS, Trainer

torch.set_num_threads(1)
FILMS = FilmConfig(scenes=1, views=2, seconds=1.2, things=0, errors=0.0, drift=0.0)
TINY = LiftingTaskConfig(
    shards=1,
    held_out_shards=1,
    evaluation_windows=4,
    films=FILMS,
    network=LiftingConfig(
        frames=16,
        transformer=TransformerConfig(layers=2, width=64, heads=2, feed_forward=64, dropout=0.0),
        diffusion=DiffusionConfig(steps=100),
    ),
)


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Four short films."""
    folder = tmp_path_factory.mktemp("data")
    LiftingTask(TINY).prepare(folder, workers=0)
    return folder


def films(data: Path) -> dict[str, Array]:
    """The films to train on."""
    return Shards(data / "train", shuffle=False).batch(0, 2)


def off_rays_mm(batch: Mapping[str, Array]) -> float:
    """Median distance of the true keypoints, on the mean hand, from the rays that are told."""
    hands = Hands(torch.from_numpy(batch[ROTATIONS]), torch.from_numpy(batch[WRIST_M]))
    points = keypoints_from_hands(HandChain(builtin_hand().with_shape()), hands).numpy()
    lines = batch["plucker"].reshape(*points.shape[:-1], 6)
    off = np.linalg.norm(np.cross(points, lines[..., :3]) - lines[..., 3:], axis=-1)
    told = lines[..., :3].any(-1)
    assert told.mean() > 0.3
    return float(1e3 * np.median(off[told]))


def test_rays_go_through_the_hands(data: Path) -> None:
    """But for the shape of the hand and what the detector marks; so do those of mirror images."""
    cut = {name: value[:, :16] for name, value in films(data).items()}
    everything = np.ones((2, 16), dtype=bool)
    batch = window_arrays(cut, everything)
    assert off_rays_mm(batch) < 12.0
    other = window_arrays(mirrored(cut), everything)
    assert off_rays_mm(other) == pytest.approx(off_rays_mm(batch), rel=1e-3)
    assert np.array_equal(batch[KNOWN][:, :, ::-1], other[KNOWN])
    again = window_arrays(mirrored(mirrored(cut)), everything)
    for name in (*WIDTHS, ROTATIONS, WRIST_M):
        np.testing.assert_allclose(again[name], batch[name], atol=1e-6)


def test_frames_that_are_not_there_tell_nothing(data: Path) -> None:
    """And do not count; the others are as they were."""
    cut = {name: value[:, :16] for name, value in films(data).items()}
    mask = np.arange(16) < np.array([[5], [16]])
    batch, whole = window_arrays(cut, mask), window_arrays(cut, np.ones((2, 16), dtype=bool))
    for name in WIDTHS:
        assert not batch[name][0, 5:].any()
        np.testing.assert_array_equal(batch[name][0, :5], whole[name][0, :5])
        np.testing.assert_array_equal(batch[name][1], whole[name][1])
    assert not batch[KNOWN][0, 5:].any()


def test_windows_follow_from_their_number(data: Path) -> None:
    """With short, mirrored and unposed ones among them."""
    shards = Shards(data / "train", 0)
    windows = Windows(shards, 16, 0, WindowConfig(short_share=0.5, unposed_share=0.5))
    first, again = windows.batch(3, 40), windows.batch(3, 40)
    for name, value in first.items():
        np.testing.assert_array_equal(value, again[name])
    lengths = first[MASK].sum(1)
    assert lengths.min() < 16 == lengths.max()
    posed = first["camera"].any((1, 2))
    assert 0.2 < posed.mean() < 0.8
    assert not first["plucker"][~posed].any()


def test_films_differ_by_view_and_repeat() -> None:
    """The same hands on another path; the same number, the same film."""
    source = SceneFilms(FILMS, 0)
    batch, again = source.batch(1, 2), source.batch(1, 2)
    for name, value in batch.items():
        np.testing.assert_array_equal(value, again[name])
    np.testing.assert_array_equal(batch["T_world_wrist"][0], batch["T_world_wrist"][1])
    assert np.abs(batch["T_world_camera"][0] - batch["T_world_camera"][1]).max() > 0.02


def test_silent_odometry_is_not_made_up() -> None:
    """Halfway between near poses, unknown between far ones."""
    poses = np.tile(np.eye(4), (3, 1, 1))
    poses[:, 0, 3] = [0.0, 1.0, 2.0]
    times = np.array([0.0, 0.05, 0.5])
    found = poses_at(OdometryRecord(times, times, poses), np.array([0.025, 0.05, 0.3]))
    assert found[:2, 0, 3] == pytest.approx([0.5, 1.0])
    assert np.isnan(found[2]).all()


def test_tiny_model_learns_its_films_by_heart(data: Path, tmp_path: Path) -> None:
    """Every term of the loss falls."""
    config = TrainConfig(
        max_steps=100,
        batch_size=4,
        warmup_steps=10,
        learning_rate=3e-3,
        ema_decay=0.9,
        log_every=10,
        evaluate_every=0,
        checkpoint_every=0,
        device="cpu",
        curve=False,
    )
    exact = WindowConfig(short_share=0.0, unposed_share=0.0, mirror=False)
    task_config = LiftingTaskConfig(
        shards=1,
        held_out_shards=1,
        evaluation_windows=4,
        films=FILMS,
        windows=exact,
        network=TINY.network,
    )
    task = LiftingTask(task_config)
    Trainer(task, config, tmp_path, data=data).run()
    lines = [json.loads(line) for line in (tmp_path / METRICS).read_text().splitlines()]
    train = [line for line in lines if line["kind"] == "train"]
    assert train[-1]["loss"] < 0.3 * train[0]["loss"]
    for term in ("wrist", "fingers", "place", "matrix", "joints", "space"):
        assert train[-1][term] < 0.6 * train[0][term], term


def test_figures_of_a_model_that_knows_nothing(data: Path) -> None:
    """Finite, in millimetres, and no better than the mean pose."""
    task = LiftingTask(TINY)
    task.prepare(data, workers=0)
    with torch.no_grad():
        figures = task.evaluate(task.model().eval(), torch.Generator().manual_seed(0))
    assert all(np.isfinite(value) for value in figures.values())
    assert figures["mpjpe_mm"] > figures["mean_mpjpe_mm"] > 10.0


def test_films_must_hold_a_window() -> None:
    """And data comes before training."""
    with pytest.raises(ConfigError, match=r"films\.seconds larger"):
        LiftingTaskConfig(films=FilmConfig(seconds=1.0))
    with pytest.raises(TrainingError, match=r"prepare\(\) comes before"):
        LiftingTask(TINY).source(0)
