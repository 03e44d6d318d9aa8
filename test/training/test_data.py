"""Batches depend on their number and on nothing else."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from training_samples import numbered_source

from hand4d_ros.errors import ConfigError, TrainingError
from hand4d_ros.training.data import Generated, batches
from hand4d_ros.training.processes import Alone, micro_batch_numbers
from hand4d_ros.training.seeds import derived_seed, numpy_rng, torch_rng


@pytest.mark.parametrize("workers", [0, 1, 2])
def test_workers_do_not_change_batches(workers: int) -> None:
    """The same batches in the same order, from wherever one begins."""
    source = numbered_source()
    expected = [source.batch(number, 3)["x"] for number in range(5, 10)]
    found = list(batches(source, 3, range(5, 10), workers=workers))
    assert len(found) == 5
    for batch, wanted in zip(found, expected, strict=True):
        assert np.array_equal(batch["x"].numpy(), wanted)


def test_batches_differ_and_do_not_touch_other_randomness() -> None:
    """No two numbers give the same; PyTorch's generator is left as it was."""
    torch.manual_seed(4)
    before = torch.get_rng_state()
    found = [batch["x"] for batch in batches(numbered_source(), 2, range(20))]
    assert torch.equal(torch.get_rng_state(), before)
    assert len({float(x[0, 0]) for x in found}) == 20


def test_faults_of_a_worker_are_told_here() -> None:
    """An error while a batch is made keeps its class and its message."""
    source = Generated(lambda _rng, size: {"x": np.zeros((size + 1, 2))}, seed=0)
    for workers in (0, 1):
        with pytest.raises(TrainingError, match=r"batch of 4 samples came with .*\(5, 2\)"):
            next(batches(source, 4, range(3), workers=workers))
    with pytest.raises(TrainingError, match="came with no arrays"):
        Generated(lambda _rng, _size: {}, seed=0).batch(0, 4)


@pytest.mark.parametrize("size", [1, 2, 3, 6])
def test_processes_share_every_step(size: int) -> None:
    """Disjoint, complete, and in step: whatever their number, a step has the same six."""
    dealt = [list(micro_batch_numbers(2, 5, 6, rank, size)) for rank in range(size)]
    assert sorted(number for numbers in dealt for number in numbers) == list(range(12, 30))
    for numbers in dealt:
        assert [number // 6 for number in numbers] == sorted([2, 3, 4] * (6 // size))


def test_processes_must_fit() -> None:
    """An uneven share and a rank that is none are refused."""
    with pytest.raises(ConfigError, match="micro_batches is 4; give a multiple of the 3"):
        next(micro_batch_numbers(0, 1, 4, 0, 3))
    with pytest.raises(ConfigError, match="process 3 of 3; give a rank from 0 to 2"):
        next(micro_batch_numbers(0, 1, 3, 3, 3))


def test_one_process_adds_nothing() -> None:
    """Alone, a sum over processes is the value itself."""
    value = torch.ones(2)
    Alone().add([value])
    assert value.tolist() == [1.0, 1.0]
    assert Alone().any(True)
    assert not Alone().any(False)


def test_seeds_depend_on_every_word() -> None:
    """A seed is a place: the same words give the same draws, others give others."""
    seeds = {derived_seed(a, b, c) for a in range(3) for b in range(3) for c in range(3)}
    assert len(seeds) == 27
    assert all(0 <= seed < 2**63 for seed in seeds)
    assert numpy_rng(1, 2).random() == numpy_rng(1, 2).random()
    cpu = torch.device("cpu")
    first = torch.rand(3, generator=torch_rng(cpu, 1, 2)), torch.rand(3)
    second = torch.rand(3, generator=torch_rng(cpu, 1, 2)), torch.rand(3)
    assert torch.equal(first[0], second[0])
    assert torch.equal(first[1], second[1])
