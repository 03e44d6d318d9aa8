"""Batches by number: made on the fly or read from disk, in any number of worker processes.

A source is a pure function of a batch's number. That alone makes a run the same for any number
of workers and processes, and its place in the data a number that a checkpoint need not guess.
"""

from __future__ import annotations

import signal
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any, Protocol, runtime_checkable

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import DataLoader, Dataset

from hand4d_ros.errors import TrainingError
from hand4d_ros.shapes import Array
from hand4d_ros.training.seeds import DATA, numpy_rng

Arrays = Mapping[str, Array]
"""Samples by field; the first axis of every array counts them."""
Make = Callable[[np.random.Generator, int], Arrays]
"""Makes so many samples of a source of randomness."""


@runtime_checkable
class BatchSource(Protocol):
    """Where batches come from."""

    @property
    def description(self) -> Mapping[str, Any]:
        """What the data is, as JSON, for the card."""
        ...

    def batch(self, number: int, size: int) -> Arrays:
        """Return a batch; the same for the same arguments, whatever was asked for before.

        Args:
            number: From 0.
            size: Samples in it.
        """
        ...


class Generated:
    """Batches that are made when they are asked for."""

    def __init__(self, make: Make, seed: int, description: Mapping[str, Any] | None = None) -> None:
        """Keep what makes batches.

        Args:
            make: Makes samples; it must draw from its generator only.
            seed: Of the data.
            description: For the card.
        """
        self._make = make
        self._seed = seed
        self.description: Mapping[str, Any] = {"made": "on the fly", **(description or {})}

    def batch(self, number: int, size: int) -> Arrays:
        """Return a batch of the generator that belongs to its number.

        Raises:
            TrainingError: ``make`` returned another number of samples.
        """
        return checked_samples(self._make(numpy_rng(self._seed, DATA, number), size), size)


def checked_samples(arrays: Arrays, size: int) -> Arrays:
    """Return arrays that all hold so many samples.

    Raises:
        TrainingError: Naming those that do not.
    """
    wrong = [name for name, array in arrays.items() if array.ndim == 0 or len(array) != size]
    if wrong or not arrays:
        shapes = {name: arrays[name].shape for name in wrong}
        raise TrainingError(f"a batch of {size} samples came with {shapes or 'no arrays'}")
    return arrays


class _Numbered(Dataset[dict[str, Tensor]]):
    """A source as PyTorch's loader wants it: one item is one batch."""

    def __init__(self, source: BatchSource, size: int) -> None:
        self._source = source
        self._size = size

    def __getitem__(self, number: int) -> dict[str, Tensor]:
        arrays = self._source.batch(number, self._size)
        return {name: _tensor(array) for name, array in arrays.items()}


def _tensor(array: Array) -> Tensor:
    """Share memory where it may be written; what is mapped from a file is copied."""
    whole = np.ascontiguousarray(array)
    return torch.from_numpy(whole if whole.flags.writeable else whole.copy())


def _ignore_interrupts(_worker: int) -> None:
    # Ctrl-C reaches every process of a terminal; the trainer decides when workers end.
    signal.signal(signal.SIGINT, signal.SIG_IGN)


def batches(
    source: BatchSource, size: int, numbers: Iterable[int], *, workers: int = 0, pin: bool = False
) -> Iterator[dict[str, Tensor]]:
    """Yield the batches of these numbers, in this order, for any number of workers.

    Args:
        source: Makes them.
        size: Samples in a batch.
        numbers: Of the batches.
        workers: Processes that work ahead; 0 works here.
        pin: Put them where a GPU reads them fast.
    """
    loader = DataLoader(
        _Numbered(source, size),
        batch_size=None,
        sampler=numbers,
        num_workers=workers,
        pin_memory=pin,
        worker_init_fn=_ignore_interrupts,
        # Without one of its own the loader draws from PyTorch's global generator.
        generator=torch.Generator(),
    )
    return iter(loader)
