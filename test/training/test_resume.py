"""A run that stops and goes on is the run that never stopped."""

from __future__ import annotations

import os
import signal
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn
from training_samples import (
    Duel,
    Table,
    Toy,
    ToyConfig,
    differences,
    metrics_lines,
    trained,
)

from hand4d_ros.errors import TrainingError
from hand4d_ros.training.recipe import read_run
from hand4d_ros.training.trainer import CURVE, METRICS

torch.set_num_threads(1)

CUDA = pytest.mark.skipif(not torch.cuda.is_available(), reason="no GPU on this machine")


def stop_here(_model: nn.Module) -> None:
    """Ask for the end, as a scheduler of jobs does."""
    os.kill(os.getpid(), signal.SIGTERM)


@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
def test_resumed_run_equals_uninterrupted_one(tmp_path: Path, precision: str) -> None:
    """Weights, running mean and optimiser are equal bit for bit, with other workers too."""
    same: dict[str, Any] = {"precision": precision, "micro_batches": 2}
    _, whole = trained(Toy(), tmp_path / "whole", **same)
    part, _ = trained(Toy(at_evaluation=stop_here), tmp_path / "part", evaluate_every=5, **same)
    assert (part.step, part.reason, part.signal) == (5, "signal", signal.SIGTERM)
    rest, resumed = trained(Toy(), tmp_path / "part", resume=True, workers=1, **same)
    assert (rest.step, rest.reason) == (12, "done")
    assert not differences(whole, resumed)
    sessions = read_run(tmp_path / "part")["sessions"]
    assert [session["from_step"] for session in sessions] == [0, 5]


@CUDA
@pytest.mark.parametrize("precision", ["float32", "bfloat16", "float16"])
def test_resumed_run_equals_uninterrupted_one_on_a_gpu(tmp_path: Path, precision: str) -> None:
    """The same holds on a GPU, the scale of float16 included."""
    same: dict[str, Any] = {"precision": precision, "device": "cuda"}
    _, whole = trained(Toy(), tmp_path / "whole", **same)
    trained(Toy(at_evaluation=stop_here), tmp_path / "part", evaluate_every=5, **same)
    _, resumed = trained(Toy(), tmp_path / "part", resume=True, **same)
    assert not differences(whole, resumed)


def test_log_has_every_step_once_after_resuming(tmp_path: Path) -> None:
    """Lines after the checkpoint are dropped, since they come again."""
    task = Toy(at_evaluation=stop_here)
    trained(task, tmp_path, evaluate_every=4, log_every=2)
    with (tmp_path / METRICS).open("a") as file:
        file.write('{"kind": "train", "step": 6, "loss": 1.0}\n{"kind": "tr')
    trained(Toy(), tmp_path, resume=True, log_every=2, curve=True)
    assert [line["step"] for line in metrics_lines(tmp_path, "train")] == [2, 4, 6, 8, 10, 12]
    for line in metrics_lines(tmp_path, "train"):
        assert {"loss", "error", "size", "grad_norm", "rate", "samples_per_s"} <= line.keys()
    assert (tmp_path / CURVE).is_file()


def test_session_ends_when_its_time_is_up(tmp_path: Path) -> None:
    """The budget of seconds saves and ends; the next session goes on."""
    result, saved = trained(Toy(), tmp_path, max_seconds=1e-6)
    assert (result.step, result.reason) == (1, "time")
    assert saved.step == 1
    result, _ = trained(Toy(), tmp_path, resume=True)
    assert result.reason == "done"
    again, _ = trained(Toy(), tmp_path, resume=True)
    assert (again.step, again.reason, again.figures) == (12, "done", {})


def test_interrupt_saves_and_gives_the_signal_back(tmp_path: Path) -> None:
    """Ctrl-C ends after the step in progress; afterwards it acts as before."""
    before = signal.getsignal(signal.SIGINT)

    def interrupt(_model: nn.Module) -> None:
        os.kill(os.getpid(), signal.SIGINT)
        assert signal.getsignal(signal.SIGINT) is before

    result, saved = trained(Toy(at_evaluation=interrupt), tmp_path, evaluate_every=2)
    assert (result.signal, result.step, saved.step) == (signal.SIGINT, 2, 2)
    assert signal.getsignal(signal.SIGINT) is before


def test_a_run_is_not_overwritten(tmp_path: Path) -> None:
    """Starting anew in the folder of a run is refused."""
    trained(Toy(), tmp_path, max_steps=4)
    with pytest.raises(TrainingError, match="already holds a run; resume it"):
        trained(Toy(), tmp_path, max_steps=4)


def test_resuming_nothing_begins(tmp_path: Path) -> None:
    """A script may always say resume."""
    result, _ = trained(Toy(), tmp_path, resume=True, max_steps=4)
    assert result.step == 4


@pytest.mark.parametrize(
    ("task", "changes", "message"),
    [
        (Toy(), {"seed": 1}, "train.seed: was 0, is 1"),
        (Toy(), {"batch_size": 4}, "train.batch_size: was 8, is 4"),
        (Toy(ToyConfig(width=9)), {}, "task.width: was 8, is 9"),
        (Toy(source=Table(seed=4)), {}, "data.seed: was 3, is 4"),
    ],
)
def test_another_run_is_not_resumed(
    tmp_path: Path, task: Toy, changes: dict[str, Any], message: str
) -> None:
    """What decides which sample comes when cannot change on the way."""
    trained(Toy(), tmp_path, max_steps=4)
    with pytest.raises(TrainingError, match=message):
        trained(task, tmp_path, resume=True, **changes)


def test_steps_may_be_added(tmp_path: Path) -> None:
    """A finished run goes on when it is given more steps."""
    trained(Toy(), tmp_path, max_steps=4)
    result, _ = trained(Toy(), tmp_path, resume=True, max_steps=6, learning_rate=0.01)
    assert result.step == 6


def test_duel_resumes_bit_for_bit(tmp_path: Path) -> None:
    """Both optimisers are restored."""
    _, whole = trained(Duel(), tmp_path / "whole")
    trained(Duel(), tmp_path / "part", max_seconds=1e-6)
    _, resumed = trained(Duel(), tmp_path / "part", resume=True)
    assert not differences(whole, resumed)
