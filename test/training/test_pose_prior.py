"""The pose prior learns which angles go together, and says so better than a normal distribution."""

from __future__ import annotations

import json
import math
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch

from hand4d_ros.errors import TrainingError
from hand4d_ros.hand.biomechanics import LOWER_RAD, UPPER_RAD
from hand4d_ros.nn.cards import find_weights, listed_weights
from hand4d_ros.nn.config_json import json_from_config
from hand4d_ros.nn.pose_prior import PosePrior, PosePriorConfig
from hand4d_ros.nn.weights import load_weights
from hand4d_ros.synthetic.postures import POSTURES
from hand4d_ros.training.card import pack
from hand4d_ros.training.config import TrainConfig
from hand4d_ros.training.pose_prior import (
    PosePriorTask,
    PosePriorTaskConfig,
    ScenePoses,
    gaussian_nll,
)
from hand4d_ros.training.trainer import METRICS, Trainer

torch.set_num_threads(1)

SMALL = PosePriorTaskConfig(
    scenes=3,
    held_out_scenes=1,
    seconds=5.0,
    things=1,
    poses=200,
    network=PosePriorConfig(latent=4, width=48, depth=1),
)


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Poses of a few scenes."""
    folder = tmp_path_factory.mktemp("data")
    PosePriorTask(SMALL).prepare(folder, workers=0)
    return folder


def test_small_run_learns_and_beats_the_baseline(data: Path, tmp_path: Path) -> None:
    """The loss falls, and on scenes never seen the likelihood is above the normal's."""
    config = TrainConfig(
        max_steps=150,
        batch_size=128,
        warmup_steps=10,
        learning_rate=1e-2,
        clip_norm=20.0,
        ema_decay=0.9,
        log_every=15,
        evaluate_every=0,
        checkpoint_every=0,
        device="cpu",
        curve=False,
    )
    result = Trainer(PosePriorTask(SMALL), config, tmp_path, data=data).run()
    lines = [json.loads(line) for line in (tmp_path / METRICS).read_text().splitlines()]
    losses = [line["loss"] for line in lines if line["kind"] == "train"]
    assert losses[-1] < losses[0] - 10.0
    assert result.figures["nll"] < result.figures["gaussian_nll"] - 1.0
    assert result.figures["gain"] == pytest.approx(
        result.figures["gaussian_nll"] - result.figures["nll"]
    )


_BARE = """
import sys

for name in ("cv2", "jaxtyping", "matplotlib", "mediapipe", "rclpy", "rich", "safetensors", "scipy",
             "tyro", "yaml"):
    sys.modules[name] = None
from hand4d_ros.training.__main__ import main

sys.exit(main(sys.argv[1:]))
"""


def test_machine_with_torch_and_numpy_only(data: Path, tmp_path: Path) -> None:
    """On finished data, training needs nothing else, and says what it does without."""
    (tmp_path / "settings.json").write_text(
        json.dumps(
            {
                "task": json_from_config(SMALL),
                "train": {"max_steps": 2, "warmup_steps": 1, "device": "cpu"},
            }
        )
    )
    words = ["pose_prior", "--config", "settings.json", "--data", str(data), "--out", "run"]
    done = subprocess.run(
        [sys.executable, "-c", _BARE, *words, "train.log_every=1"],
        check=False,
        capture_output=True,
        text=True,
        timeout=100,
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[2]), "OMP_NUM_THREADS": "1"},
    )
    assert done.returncode == 0, done.stderr
    assert "step 2/2 100.0 %" in done.stderr
    assert "no curve: matplotlib is not installed" in done.stderr
    assert (tmp_path / "run" / "checkpoints" / "step-00000002" / "ema.pt").is_file()
    packed = pack(tmp_path / "run", tmp_path, version="1")
    load_weights(PosePrior(SMALL.network), packed, "pose_prior")


def test_poses_follow_from_their_scene() -> None:
    """The same number gives the same poses, within the limits of the joints."""
    source = ScenePoses(SMALL, 3)
    first, again = source.batch(0, 50)["angles_rad"], source.batch(0, 50)["angles_rad"]
    assert np.array_equal(first, again)
    assert not np.array_equal(first, source.batch(1, 50)["angles_rad"])
    assert np.array_equal(first, ScenePoses(SMALL, 2).batch(1, 50)["angles_rad"])
    assert (first > LOWER_RAD - 1e-6).all()
    assert (first < UPPER_RAD + 1e-6).all()


def test_data_comes_before_training() -> None:
    """Asking for batches of a task that has prepared nothing."""
    with pytest.raises(TrainingError, match=r"prepare\(\) comes before"):
        PosePriorTask(SMALL).source(0)


def test_baseline_in_closed_form() -> None:
    """For the very samples it is fitted to, the normal's likelihood is its entropy."""
    rng = np.random.default_rng(0)
    samples = rng.normal(size=(4000, 3)) @ np.diag([1.0, 2.0, 0.5]) + [1.0, 0.0, -1.0]
    covariance = np.cov(samples.T, bias=True)
    entropy = 0.5 * (3 * (1.0 + math.log(2.0 * math.pi)) + np.linalg.slogdet(covariance)[1])
    assert gaussian_nll(samples, samples) == pytest.approx(entropy, abs=1e-3)
    assert gaussian_nll(samples, samples + 5.0) > entropy + 5.0


@pytest.mark.skipif("pose_prior" not in listed_weights(), reason="no pose_prior weights here")
def test_shipped_weights_know_hands() -> None:
    """Known postures are likelier than the same angles dealt to other joints."""
    path = find_weights("pose_prior")
    model = PosePrior(PosePriorConfig()).eval()
    card = load_weights(model, path, "pose_prior")
    assert card.figures["gain"] > 5.0
    assert card.network_config(PosePriorConfig) == PosePriorConfig()
    poses = torch.tensor(np.stack(list(POSTURES.values())), dtype=torch.float32)
    shuffled = poses[:, torch.from_numpy(np.random.default_rng(0).permutation(22))]
    shuffled = shuffled.clamp(torch.tensor(LOWER_RAD).float(), torch.tensor(UPPER_RAD).float())
    rng = torch.Generator().manual_seed(0)
    with torch.no_grad():
        known = model.log_evidence(poses, 64, rng)
        scrambled = model.log_evidence(shuffled, 64, rng)
        near = (model.project(poses) - poses).square().mean().sqrt()
    assert bool((known > scrambled).all())
    assert math.degrees(float(near)) < 6.0
