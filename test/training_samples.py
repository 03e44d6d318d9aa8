"""Small tasks for tests of the training loop, with all that a large one has."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from hand4d_ros.shapes import Array
from hand4d_ros.training.checkpoints import Checkpoint, CheckpointFolder
from hand4d_ros.training.config import TrainConfig
from hand4d_ros.training.data import BatchSource, Generated
from hand4d_ros.training.task import Batch, Moment, Phase, Task, Term
from hand4d_ros.training.trainer import CHECKPOINTS, METRICS, Trainer, TrainResult

INPUTS = 5


@dataclass(frozen=True)
class ToyConfig:
    """A regression."""

    width: int = 8
    """Of the hidden layer."""
    dropout: float = 0.2
    """Draws from PyTorch's own generator."""
    noise: float = 0.1
    """On the inputs, from the generator of the moment."""


class Table:
    """Batches of a table of samples, in order, round and round: k small ones make a large one."""

    def __init__(self, samples: int = 1024, seed: int = 3) -> None:
        rng = np.random.default_rng(seed)
        self._x = rng.normal(size=(samples, INPUTS)).astype(np.float32)
        self._y = np.sin(self._x).sum(-1, keepdims=True)
        self.description: Mapping[str, Any] = {"made": "a table", "seed": seed}

    def batch(self, number: int, size: int) -> dict[str, Array]:
        """Return rows."""
        rows = np.arange(number * size, (number + 1) * size) % len(self._x)
        return {"x": self._x[rows], "y": self._y[rows]}


class Toy(Task):
    """A small perceptron with every kind of randomness."""

    objective = "error"

    def __init__(
        self,
        config: ToyConfig = ToyConfig(),
        source: BatchSource | None = None,
        at_evaluation: Callable[[nn.Module], None] | None = None,
    ) -> None:
        self._config = config
        self._source = Table() if source is None else source
        self._at_evaluation = at_evaluation
        self.moments: list[Moment] = []

    @property
    def config(self) -> ToyConfig:
        """What is trained."""
        return self._config

    @property
    def network_config(self) -> ToyConfig:
        """The same."""
        return self._config

    def model(self) -> nn.Module:
        """Return a perceptron with a buffer, a dropout and a norm."""
        width = self._config.width
        return nn.Sequential(
            nn.Linear(INPUTS, width),
            nn.BatchNorm1d(width),
            nn.Tanh(),
            nn.Dropout(self._config.dropout),
            nn.Linear(width, 1),
        )

    def source(self, seed: int) -> BatchSource:
        """Return the given source."""
        del seed
        return self._source

    def loss(self, model: nn.Module, batch: Batch, moment: Moment) -> Mapping[str, Term]:
        """Return the squared error and a second term."""
        self.moments.append(moment)
        x = batch["x"]
        noise = torch.randn(x.shape, generator=moment.rng, device=x.device)
        found = model(x + self._config.noise * noise)
        error = (found.float() - batch["y"]).square().mean()
        return {"error": Term(error), "size": Term(found.float().square().mean(), 0.01)}

    def evaluate(self, model: nn.Module, rng: torch.Generator) -> Mapping[str, float]:
        """Return the squared error of other samples."""
        if self._at_evaluation is not None:
            self._at_evaluation(model)
        device = next(model.parameters()).device
        x = torch.randn((64, INPUTS), generator=rng, device=device)
        y = torch.sin(x).sum(-1, keepdim=True)
        return {"error": float((model(x) - y).square().mean())}


class Plain(Toy):
    """Without norm, dropout and noise: one linear layer, whose gradients are exact means."""

    def __init__(self, source: BatchSource | None = None) -> None:
        super().__init__(ToyConfig(dropout=0.0, noise=0.0), source)

    def model(self) -> nn.Module:
        """Return a linear layer, the same for threads that share PyTorch's own generator."""
        layer = nn.Linear(INPUTS, 1)
        rng = torch.Generator().manual_seed(5)
        with torch.no_grad():
            for weight in layer.parameters():
                weight.uniform_(-0.5, 0.5, generator=rng)
        return layer


class Adversaries(nn.Module):
    """Two networks against each other."""

    def __init__(self) -> None:
        super().__init__()
        self.maker = nn.Linear(INPUTS, 2)
        self.critic = nn.Linear(2, 1)


class Duel(Plain):
    """The maker is to please the critic, the critic to tell its work from the real thing."""

    def model(self) -> nn.Module:
        """Return both networks."""
        return Adversaries()

    def phases(self, model: nn.Module) -> Sequence[Phase]:
        """Return the maker's phase, and every second step the critic's."""
        assert isinstance(model, Adversaries)
        return (
            Phase("maker", tuple(model.maker.parameters()), self._fool),
            Phase("critic", tuple(model.critic.parameters()), self._judge, rate=0.5, every=2),
        )

    def _fool(self, model: nn.Module, batch: Batch, _moment: Moment) -> Mapping[str, Term]:
        assert isinstance(model, Adversaries)
        assert not any(p.requires_grad for p in model.critic.parameters())
        return {"fool": Term(-model.critic(model.maker(batch["x"])).mean())}

    def _judge(self, model: nn.Module, batch: Batch, _moment: Moment) -> Mapping[str, Term]:
        assert isinstance(model, Adversaries)
        assert not any(p.requires_grad for p in model.maker.parameters())
        real = batch["x"][:, :2]
        made = model.maker(batch["x"])
        return {"judge": Term((model.critic(made) - model.critic(real)).mean())}

    def evaluate(self, model: nn.Module, rng: torch.Generator) -> Mapping[str, float]:
        """Return something."""
        del model, rng
        return {"error": 1.0}


def quick(**changes: Any) -> TrainConfig:
    """Settings of a run of a few milliseconds."""
    values: dict[str, Any] = {
        "max_steps": 12,
        "batch_size": 8,
        "warmup_steps": 3,
        "learning_rate": 0.02,
        "log_every": 4,
        "evaluate_every": 0,
        "checkpoint_every": 0,
        "device": "cpu",
        "curve": False,
    }
    return TrainConfig(**{**values, **changes})


def trained(
    task: Task, folder: Path, resume: bool = False, **changes: Any
) -> tuple[TrainResult, Checkpoint]:
    """Run a task and return its end and its newest checkpoint."""
    result = Trainer(task, quick(**changes), folder).run(resume=resume)
    return result, newest(folder)


def newest(folder: Path) -> Checkpoint:
    """The newest checkpoint of a run."""
    found, faults = CheckpointFolder(folder / CHECKPOINTS).newest()
    assert found is not None
    assert not faults
    return found


def differences(a: Checkpoint, b: Checkpoint) -> list[str]:
    """Names of tensors that are not equal bit for bit, and of values that differ."""
    found = []
    assert a.tensors.keys() == b.tensors.keys()
    for kind, tensors in a.tensors.items():
        assert tensors.keys() == b.tensors[kind].keys()
        found += [
            f"{kind}/{name}"
            for name, tensor in tensors.items()
            if not torch.equal(tensor, b.tensors[kind][name])
        ]
    times = ("seconds", "recipe", "bytes", "figures")
    found += [k for k, v in a.values.items() if k not in times and v != b.values[k]]
    return found


def weights_of(folder: Path) -> Mapping[str, Tensor]:
    """The weights of a run's newest checkpoint."""
    return newest(folder).tensors["model"]


def numbered_source() -> Generated:
    """Batches whose samples are noise that tells them apart."""
    return Generated(lambda rng, size: {"x": rng.normal(size=(size, 2))}, seed=5)


def metrics_lines(folder: Path, kind: str) -> list[dict[str, Any]]:
    """Lines of a run's metrics."""
    found = [json.loads(line) for line in (folder / METRICS).read_text().splitlines()]
    return [line for line in found if line["kind"] == kind]
