"""The training loop: the same numbers however it is interrupted, shared or fed."""

from __future__ import annotations

import json
import math
import threading
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from training_samples import (
    INPUTS,
    Duel,
    Plain,
    Table,
    Toy,
    differences,
    metrics_lines,
    newest,
    quick,
    trained,
    weights_of,
)

from hand4d_ros.errors import ConfigError, TrainingError
from hand4d_ros.shapes import Array
from hand4d_ros.training.checkpoints import CheckpointFolder
from hand4d_ros.training.seeds import WEIGHTS, torch_rng
from hand4d_ros.training.task import Batch, Moment, Term
from hand4d_ros.training.trainer import CHECKPOINTS, METRICS, Trainer

torch.set_num_threads(1)

CUDA = pytest.mark.skipif(not torch.cuda.is_available(), reason="no GPU on this machine")


@pytest.mark.parametrize("workers", [1, 2])
def test_workers_change_no_number(tmp_path: Path, workers: int) -> None:
    """A run is the same for any number of worker processes."""
    _, alone = trained(Toy(), tmp_path / "alone", max_steps=4)
    _, helped = trained(Toy(), tmp_path / "helped", max_steps=4, workers=workers)
    assert not differences(alone, helped)


def test_seed_decides(tmp_path: Path) -> None:
    """Same seed, same weights; another seed, others."""
    for name, seed in (("a", 1), ("b", 1), ("c", 2)):
        trained(Toy(), tmp_path / name, max_steps=4, seed=seed)
    assert not differences(newest(tmp_path / "a"), newest(tmp_path / "b"))
    assert "model/0.weight" in differences(newest(tmp_path / "a"), newest(tmp_path / "c"))


def test_micro_batches_add_up_to_a_large_one(tmp_path: Path) -> None:
    """Four micro-batches of 8 give the step of one batch of 32."""
    trained(Plain(), tmp_path / "large", batch_size=32, max_steps=5)
    trained(Plain(), tmp_path / "small", batch_size=8, micro_batches=4, max_steps=5)
    large, small = weights_of(tmp_path / "large"), weights_of(tmp_path / "small")
    for name, tensor in large.items():
        torch.testing.assert_close(small[name], tensor, rtol=1e-5, atol=1e-6)
    norms = [
        json.loads(line)["grad_norm"]
        for run in ("large", "small")
        for line in (tmp_path / run / METRICS).read_text().splitlines()
        if "grad_norm" in line
    ]
    assert norms[: len(norms) // 2] == pytest.approx(norms[len(norms) // 2 :], rel=1e-4)


class Pair:
    """Two threads as two processes: sums meet at a barrier."""

    size = 2

    def __init__(self, rank: int, shared: list[Any], barrier: threading.Barrier) -> None:
        self.rank = rank
        self._shared = shared
        self._barrier = barrier

    def add(self, tensors: Sequence[Tensor]) -> None:
        """Add up the tensors of both."""
        mine = [tensor.clone() for tensor in tensors]
        for tensor, other in zip(tensors, self._exchanged(mine), strict=True):
            tensor.add_(other)

    def any(self, flag: bool) -> bool:
        """Return whether one of both has the flag."""
        return self._exchanged(flag) or flag

    def _exchanged(self, value: Any) -> Any:
        self._shared[self.rank] = value
        self._barrier.wait(20)
        other = self._shared[1 - self.rank]
        self._barrier.wait(20)
        return other


def test_two_processes_equal_one(tmp_path: Path) -> None:
    """Processes that share the micro-batches take the steps of one, and go on as one."""
    trained(Plain(), tmp_path / "one", micro_batches=2)
    shared: list[Any] = [None, None]
    barrier = threading.Barrier(2)
    config = quick(micro_batches=2)

    def run(rank: int) -> None:
        pair = Pair(rank, shared, barrier)
        Trainer(Plain(), config, tmp_path / "two", processes=pair).run()

    threads = [threading.Thread(target=run, args=(rank,)) for rank in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    one, two = weights_of(tmp_path / "one"), weights_of(tmp_path / "two")
    for name, tensor in one.items():
        torch.testing.assert_close(two[name], tensor, rtol=1e-5, atol=1e-6)


def test_micro_batches_must_be_dealt_out_evenly(tmp_path: Path) -> None:
    """Three micro-batches cannot be shared by two processes."""
    pair = Pair(0, [None, None], threading.Barrier(1))
    trainer = Trainer(Plain(), quick(micro_batches=3), tmp_path, processes=pair)
    with pytest.raises(ConfigError, match="micro_batches is 3; give a multiple of the 2"):
        trainer.run()


class Spoilt(Table):
    """A table with a NaN in one batch."""

    def batch(self, number: int, size: int) -> dict[str, Array]:
        """Return rows, spoilt in batch 7."""
        arrays = super().batch(number, size)
        return {"x": arrays["x"], "y": np.full_like(arrays["y"], np.nan)} if number == 7 else arrays


def test_loss_that_is_not_finite_stops_before_the_weights_move(tmp_path: Path) -> None:
    """The error names step, micro-batch and terms; the checkpoints before it are whole."""
    message = r"step 3, micro-batch 7, phase 'main': .* \(loss nan, error nan, size [0-9.e-]+\)"
    with pytest.raises(TrainingError, match=message):
        trained(Toy(source=Spoilt()), tmp_path, micro_batches=2, checkpoint_every=3)
    kept = newest(tmp_path)
    assert kept.step == 3
    assert all(bool(torch.isfinite(t).all()) for t in kept.tensors["model"].values())


class Steep(Plain):
    """A loss that is finite where its gradient is not."""

    def loss(self, model: nn.Module, batch: Batch, moment: Moment) -> Mapping[str, Term]:
        """Return the root of zero."""
        del moment
        return {"root": Term((model(batch["x"]) * 0.0).sum().sqrt())}


def test_gradient_that_is_not_finite_stops(tmp_path: Path) -> None:
    """A finite loss with an infinite gradient is found too."""
    with pytest.raises(TrainingError, match=r"step 0: the gradient of phase 'main' .*finite"):
        trained(Steep(), tmp_path)


def test_clipping_bounds_the_step_and_reports_the_norm_before(tmp_path: Path) -> None:
    """The reported norm is that of the loss, not that of the clipped gradient."""
    trained(Plain(), tmp_path / "free", max_steps=4, clip_norm=0.0)
    trained(Plain(), tmp_path / "tight", max_steps=4, clip_norm=1e-6)
    free, tight = (
        json.loads((tmp_path / name / METRICS).read_text().splitlines()[0])["grad_norm"]
        for name in ("free", "tight")
    )
    assert free > 0.1
    assert tight > 0.1


def test_first_step_moves_every_weight_by_the_rate(tmp_path: Path) -> None:
    """Adam's first step in closed form: the rate times the sign of the gradient."""
    trained(Plain(), tmp_path, max_steps=6, warmup_steps=5, checkpoint_every=1, keep_last=9)
    torch_rng(torch.device("cpu"), 0, WEIGHTS)
    start = Plain().model().state_dict()
    first = CheckpointFolder(tmp_path / CHECKPOINTS).read(1).tensors["model"]
    for name, value in start.items():
        moved = (first[name] - value).abs()
        torch.testing.assert_close(moved, torch.full_like(moved, 0.02 / 5), rtol=1e-4, atol=0.0)


def test_logged_rate_is_the_mean_of_its_steps(tmp_path: Path) -> None:
    """Of steps 0 to 3 of the warm-up, and of its end and the start of the cosine."""
    trained(Plain(), tmp_path, max_steps=6, warmup_steps=5)
    rates = [line["rate"] for line in metrics_lines(tmp_path, "train")]
    assert rates == pytest.approx([0.02 * 2.5 / 5, 0.02])


class Course(Toy):
    """An evaluation whose figures are given."""

    def __init__(self, figures: list[float]) -> None:
        super().__init__()
        self._figures = figures

    def evaluate(self, model: nn.Module, rng: torch.Generator) -> Mapping[str, float]:
        """Return the next figure."""
        del rng
        assert not model.training
        assert not torch.is_grad_enabled()
        return {"error": self._figures.pop(0)}


def test_last_and_best_checkpoints_survive(tmp_path: Path) -> None:
    """Two of five are the newest, one is the best, NaN is never."""
    figures = [5.0, 2.0, math.nan, 3.0, 4.0]
    trained(Course(figures), tmp_path, max_steps=10, evaluate_every=2, checkpoint_every=2)
    folder = CheckpointFolder(tmp_path / CHECKPOINTS)
    assert folder.steps() == [4, 8, 10]
    assert folder.best() == (4, 2.0)
    assert folder.read(4).values["figures"] == {"error": 2.0}
    assert [line["error"] for line in metrics_lines(tmp_path, "evaluate")] == [
        5.0,
        2.0,
        None,
        3.0,
        4.0,
    ]


class Aimless(Toy):
    """An objective that no figure has."""

    objective = "beauty"


def test_objective_must_be_among_the_figures(tmp_path: Path) -> None:
    """A misspelt objective is found at the first evaluation."""
    with pytest.raises(TrainingError, match=r"'beauty' is not among the figures \['error'\]"):
        trained(Aimless(), tmp_path)


def test_running_mean_is_what_is_evaluated(tmp_path: Path) -> None:
    """The evaluated network has the mean's weights, or the last ones where there is no mean."""
    seen: list[Tensor] = []
    task = Toy(at_evaluation=lambda model: seen.append(next(model.parameters()).clone()))
    _, mean = trained(task, tmp_path / "mean")
    _, last = trained(task, tmp_path / "last", ema_decay=0.0)
    assert torch.equal(seen[0], mean.tensors["ema"]["0.weight"])
    assert torch.equal(seen[1], last.tensors["model"]["0.weight"])
    assert "ema" not in last.tensors
    assert not torch.equal(seen[0], seen[1])


def test_moments_say_where_a_loss_is(tmp_path: Path) -> None:
    """Steps count from 0 of all; each micro-batch has a generator of its own."""
    task = Toy()
    trained(task, tmp_path, max_steps=4, micro_batches=2)
    assert [moment.step for moment in task.moments] == [0, 0, 1, 1, 2, 2, 3, 3]
    assert {moment.steps for moment in task.moments} == {4}
    assert len({moment.rng.initial_seed() for moment in task.moments}) == 8


def test_phases_move_only_their_own(tmp_path: Path) -> None:
    """An adversarial task has two optimisers; the second moves every second step."""
    trained(Duel(), tmp_path, max_steps=4, log_every=1, checkpoint_every=1, keep_last=9)
    folder = CheckpointFolder(tmp_path / CHECKPOINTS)
    steps = [folder.read(step) for step in (1, 2, 3)]
    weights = [step.tensors["model"] for step in steps]
    assert not torch.equal(weights[0]["maker.weight"], weights[1]["maker.weight"])
    assert torch.equal(weights[0]["critic.weight"], weights[1]["critic.weight"])
    assert not torch.equal(weights[1]["critic.weight"], weights[2]["critic.weight"])
    counts = {k: float(v) for k, v in steps[2].tensors["optimiser"].items() if "step" in k}
    assert counts == {"maker.0.step": 3, "maker.1.step": 3, "critic.0.step": 2, "critic.1.step": 2}
    first, second = metrics_lines(tmp_path, "train")[:2]
    assert first["critic/rate"] == pytest.approx(0.5 * first["maker/rate"])
    assert "critic/loss" not in second


class Empty(Plain):
    """A loss without terms."""

    def loss(self, model: nn.Module, batch: Batch, moment: Moment) -> Mapping[str, Term]:
        """Return nothing."""
        del model, batch, moment
        return {}


def test_loss_needs_a_term(tmp_path: Path) -> None:
    """A loss without terms is a mistake in the task."""
    with pytest.raises(TrainingError, match="'main' has no terms"):
        trained(Empty(), tmp_path)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"device": "abacus"}, "device is 'abacus'; give auto, cpu"),
        ({"device": "cuda:99"}, "device is 'cuda:99', but"),
        ({"precision": "float16"}, "float16 needs a GPU"),
    ],
)
def test_device_must_be_there(tmp_path: Path, changes: dict[str, Any], message: str) -> None:
    """A device or precision that this machine lacks is refused before anything starts."""
    with pytest.raises(ConfigError, match=message):
        Trainer(Toy(), quick(**changes), tmp_path)


def test_decay_is_of_matrices_only(tmp_path: Path) -> None:
    """Without a gradient a matrix shrinks by rate times decay, and a vector stays."""

    class Idle(Plain):
        def loss(self, model: nn.Module, batch: Batch, moment: Moment) -> Mapping[str, Term]:
            del batch, moment
            assert isinstance(model, nn.Linear)
            return {"nothing": Term(0.0 * (model.weight.sum() + model.bias.sum()))}

    settings: dict[str, Any] = {"schedule": "constant", "warmup_steps": 0, "weight_decay": 0.5}
    trained(
        Idle(), tmp_path, max_steps=3, checkpoint_every=1, keep_last=3, ema_decay=0.0, **settings
    )
    folder = CheckpointFolder(tmp_path / CHECKPOINTS)
    before, after = folder.read(1).tensors["model"], folder.read(3).tensors["model"]
    torch.testing.assert_close(after["weight"], before["weight"] * (1 - 0.02 * 0.5) ** 2)
    assert torch.equal(after["bias"], before["bias"])
    assert after["weight"].shape == (1, INPUTS)
