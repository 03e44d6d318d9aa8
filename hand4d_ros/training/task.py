"""What is trained: a network, its data, its losses, and how to tell whether it is any good."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

from hand4d_ros.training.data import BatchSource

Batch = Mapping[str, Tensor]
"""One micro-batch on the device, by name; the first axis counts samples."""


class Term(NamedTuple):
    """One term of a loss."""

    value: Tensor
    """A scalar: the mean over the micro-batch."""
    weight: float = 1.0
    """Its factor in the sum."""


@dataclass(frozen=True)
class Moment:
    """Where in the run a loss is computed."""

    step: int
    """From 0."""
    steps: int
    """Of the whole run."""
    rng: torch.Generator
    """Source of randomness on the device. It depends on the seed, the step and the micro-batch
    and on nothing else; PyTorch's own generators are seeded alike."""


Loss = Callable[[nn.Module, Batch, Moment], Mapping[str, Term]]


@dataclass(frozen=True)
class Phase:
    """One optimiser and what it makes smaller.

    A task with one loss has one. An adversarial task has two, say ``generator`` and ``critic``;
    a step goes through them in order, over the same micro-batches.
    """

    name: str
    parameters: Sequence[nn.Parameter]
    """What this phase changes; all others stand still meanwhile."""
    loss: Loss
    rate: float = 1.0
    """Factor on the learning rate."""
    every: int = 1
    """Steps from one turn of this phase to the next."""


class Task(ABC):
    """What a trainable thing brings to the trainer."""

    objective: str
    """The figure of ``evaluate`` that chooses the best checkpoint; lower is better."""

    @property
    @abstractmethod
    def config(self) -> Any:
        """Everything that decides what is trained, as a frozen dataclass; goes into the card."""

    @property
    @abstractmethod
    def network_config(self) -> Any:
        """What the network is made with, as a frozen dataclass; goes into the card."""

    def prepare(self, data: Path, workers: int) -> None:  # noqa: B027  Optional on purpose.
        """Make or check the data on disk, before anything else is asked for.

        Args:
            data: Folder for it. What is there and right is kept.
            workers: Processes that may be used.
        """

    @abstractmethod
    def model(self) -> nn.Module:
        """Return a new network on the CPU; PyTorch's generator is seeded."""

    @abstractmethod
    def source(self, seed: int) -> BatchSource:
        """Return the training data, after ``prepare``.

        Args:
            seed: Of the run.
        """

    @abstractmethod
    def loss(self, model: nn.Module, batch: Batch, moment: Moment) -> Mapping[str, Term]:
        """Return the terms of the loss of one micro-batch.

        Args:
            model: As ``model()`` made it, training.
            batch: On the device.
            moment: Where in the run.
        """

    @abstractmethod
    def evaluate(self, model: nn.Module, rng: torch.Generator) -> Mapping[str, float]:
        """Return figures on held-out data, those of baselines among them.

        Args:
            model: Evaluating, without gradients, on its device: the running mean of the weights
                where there is one.
            rng: The same at every evaluation.
        """

    def phases(self, model: nn.Module) -> Sequence[Phase]:
        """Return the optimisers, in their order within a step; by default one of everything."""
        trained = tuple(p for p in model.parameters() if p.requires_grad)
        return (Phase("main", trained, self.loss),)
