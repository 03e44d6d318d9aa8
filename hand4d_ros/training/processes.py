"""Several processes that train one network: the seam that a launcher of processes fills.

Micro-batches are dealt out, never split: process r of n takes the micro-batches r, r + n, … of
every step. Each has its own number, data and noise wherever it is computed, so the gradients of
any number of processes add up to those of one.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Protocol, runtime_checkable

from torch import Tensor

from hand4d_ros.errors import ConfigError


@runtime_checkable
class Processes(Protocol):
    """What a trainer asks of the processes that it is one of."""

    @property
    def rank(self) -> int:
        """Number of this process, from 0. Process 0 writes and evaluates."""
        ...

    @property
    def size(self) -> int:
        """How many there are."""
        ...

    def add(self, tensors: Sequence[Tensor]) -> None:
        """Replace every tensor by its sum over all processes."""
        ...

    def any(self, flag: bool) -> bool:
        """Return whether the flag is set in any process, so that all stop at the same step."""
        ...


class Alone:
    """One process."""

    rank = 0
    size = 1

    def add(self, tensors: Sequence[Tensor]) -> None:
        """Leave the tensors: a sum over one."""

    def any(self, flag: bool) -> bool:
        """Return the flag."""
        return flag


def micro_batch_numbers(
    first_step: int, last_step: int, micro_batches: int, rank: int = 0, size: int = 1
) -> Iterator[int]:
    """Yield the numbers of the micro-batches that a process computes, in order.

    Args:
        first_step: From 0.
        last_step: The step to stop before.
        micro_batches: In one step, over all processes.
        rank: Of this process.
        size: How many processes there are.

    Raises:
        ConfigError: The micro-batches of a step cannot be dealt out evenly.
    """
    if not 0 <= rank < size:
        raise ConfigError(f"process {rank} of {size}; give a rank from 0 to {size - 1}")
    if micro_batches % size:
        raise ConfigError(
            f"micro_batches is {micro_batches}; give a multiple of the {size} processes"
        )
    for step in range(first_step, last_step):
        for place in range(rank, micro_batches, size):
            yield step * micro_batches + place
