"""A run's checkpoint becomes weights with a card that says everything about them."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest
import torch
from training_samples import Toy, newest, trained

from hand4d_ros.errors import TrainingError, WeightsError
from hand4d_ros.nn.cards import Card, read_card
from hand4d_ros.nn.weights import load_weights, read_weights
from hand4d_ros.training.card import pack, write_weights
from hand4d_ros.training.checkpoints import CheckpointFolder
from hand4d_ros.training.recipe import RUN, git_commit, read_run
from hand4d_ros.training.trainer import CHECKPOINTS

torch.set_num_threads(1)


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A finished run with several checkpoints."""
    folder = tmp_path_factory.mktemp("run")
    trained(Toy(), folder, evaluate_every=4, checkpoint_every=4, keep_last=9, seed=3)
    return folder


def test_best_checkpoint_is_packed_with_its_story(run: Path, tmp_path: Path) -> None:
    """The running mean of the best step; recipe, seed, figures and commit in the card."""
    path = pack(run, tmp_path, version="1", name="toy", licence="CC0-1.0")
    best = CheckpointFolder(run / CHECKPOINTS).best()
    assert best is not None
    card, tensors = read_weights(path, "toy")
    checkpoint = CheckpointFolder(run / CHECKPOINTS).read(best[0])
    assert all(torch.equal(tensors[k], v) for k, v in checkpoint.tensors["ema"].items())
    assert (card.name, card.version, card.licence, card.seed) == ("toy", "1", "CC0-1.0", 3)
    assert card.config == {"width": 8, "dropout": 0.2, "noise": 0.1}
    assert card.figures["error"] == best[1]
    assert card.commit == git_commit()
    assert card.recipe["steps"] == best[0]
    assert card.recipe["train"]["batch_size"] == 8
    assert card.recipe["data"] == {"made": "a table", "seed": 3}
    assert card.recipe["running_mean"]
    model = Toy().model()
    load_weights(model, path)
    assert torch.equal(model.state_dict()["0.weight"], tensors["0.weight"])


def test_a_step_can_be_chosen(run: Path, tmp_path: Path) -> None:
    """By number; one that is not there is named with those that are."""
    path = pack(run, tmp_path, version="1", step=4)
    assert path.name == "run.safetensors"
    assert read_card(path).recipe["steps"] == 4
    with pytest.raises(TrainingError, match=r"no checkpoint of step 5; there are \[4, 8, 12\]"):
        pack(run, tmp_path, version="1", step=5)


def test_run_without_mean_and_evaluation_packs_the_newest(tmp_path: Path) -> None:
    """What there is."""
    trained(Toy(), tmp_path / "run", ema_decay=0.0, max_seconds=1e-6)
    path = pack(tmp_path / "run", tmp_path, version="1")
    card, tensors = read_weights(path)
    assert not card.recipe["running_mean"]
    assert card.figures == {}
    last = newest(tmp_path / "run").tensors["model"]
    assert all(torch.equal(tensors[name], value) for name, value in last.items())


def test_refusals(run: Path, tmp_path: Path) -> None:
    """Each mistake has an answer."""
    with pytest.raises(TrainingError, match="is no folder of a training run"):
        pack(tmp_path, tmp_path, version="1")
    (tmp_path / RUN).write_text("[]")
    with pytest.raises(TrainingError, match="is not the file of a training run"):
        read_run(tmp_path)
    (tmp_path / RUN).write_text(json.dumps({"name": "x", "sessions": []}))
    with pytest.raises(TrainingError, match="holds no checkpoint; train first"):
        pack(tmp_path, tmp_path, version="1")
    with pytest.raises(WeightsError, match=r"name is '../x'; give lower case letters"):
        pack(run, tmp_path, version="1", name="../x")
    with pytest.raises(WeightsError, match="version is empty"):
        pack(run, tmp_path / "out", version="")
    assert not (tmp_path / "out").exists()
    (tmp_path / "file").write_text("")
    with pytest.raises(WeightsError, match="cannot write weights to"):
        pack(run, tmp_path / "file", version="1")


@pytest.mark.parametrize(
    ("value", "hidden", "message"),
    [
        (float("inf"), False, "network 'x' has values that are not finite in w"),
        (1.0, True, "pip install safetensors"),
    ],
)
def test_nothing_is_packed_that_should_not(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, value: float, hidden: bool, message: str
) -> None:
    """A diverged network is no product; shipped weights are safetensors or nothing."""
    draft = Card("x", "1", {}, {}, 0, "unknown", {}, "CC0-1.0", "0" * 64)
    if hidden:
        monkeypatch.setitem(sys.modules, "safetensors", None)
        monkeypatch.setitem(sys.modules, "safetensors.torch", None)
    with pytest.raises(WeightsError, match=message):
        write_weights(tmp_path, {"w": torch.tensor([1.0, value])}, draft)
    assert not list(tmp_path.iterdir())
