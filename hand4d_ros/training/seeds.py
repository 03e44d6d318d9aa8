"""Randomness by place instead of by history: every draw follows from a seed and where it is.

No generator outlives a step, so a resumed run, another number of workers or of processes sees
the same numbers, and a checkpoint has no generator's state to keep.
"""

from __future__ import annotations

import numpy as np
import torch

WEIGHTS, DATA, NOISE, EVALUATION, ORDER = range(5)
"""What a draw is for; each purpose has its own stream."""


def derived_seed(*words: int) -> int:
    """Return a seed of 63 bits that depends on all words.

    Args:
        *words: Not negative, such as the run's seed, a purpose and a step.
    """
    state = np.random.SeedSequence(words).generate_state(1, np.uint64)
    return int(state[0]) >> 1


def numpy_rng(*words: int) -> np.random.Generator:
    """Return the generator of a place; see ``derived_seed``."""
    return np.random.default_rng(np.random.SeedSequence(words))


def torch_rng(device: torch.device, *words: int) -> torch.Generator:
    """Return the generator of a place, and seed PyTorch's own with it.

    Layers such as dropout draw from PyTorch's own, which are one for the CPU and one for each GPU.

    Args:
        device: Where it draws.
        *words: As for ``derived_seed``.
    """
    seed = derived_seed(*words)
    # torch.manual_seed would also note, with a stack trace, a wish for every kind of device that
    # is not in use; that takes longer than a step of a small network.
    torch.default_generator.manual_seed(seed)
    if device.type == "cuda":
        index = torch.cuda.current_device() if device.index is None else device.index
        torch.cuda.default_generators[index].manual_seed(seed)
    return torch.Generator(device).manual_seed(seed)
