"""A running mean of a network's weights, which is better than the last ones (Polyak averaging)."""

from __future__ import annotations

import copy

import torch
from torch import Tensor, nn


def decay_at(updates: int, decay: float) -> float:
    """Return the decay of an update: small at first, so that the first weights are forgotten.

    min(decay, (1 + n) / (10 + n)) after n updates, as TensorFlow's ExponentialMovingAverage.

    Args:
        updates: Made before this one.
        decay: Largest value.
    """
    return min(decay, (1.0 + updates) / (10.0 + updates))


class MeanWeights:
    """The running mean, in a network of its own."""

    def __init__(self, model: nn.Module, decay: float) -> None:
        """Start at a network's weights.

        Args:
            model: What is trained.
            decay: Largest decay.
        """
        self.model = copy.deepcopy(model).requires_grad_(requires_grad=False).eval()
        self.updates = 0
        self._decay = decay

    @torch.no_grad()
    def update(self, model: nn.Module) -> None:
        """Move towards the weights of now; buffers, such as counts, are copied."""
        keep = decay_at(self.updates, self._decay)
        means: list[Tensor] = list(self.model.parameters())
        now = [value.detach() for value in model.parameters()]
        torch._foreach_lerp_(means, now, 1.0 - keep)
        for mean, value in zip(self.model.buffers(), model.buffers(), strict=True):
            mean.copy_(value)
        self.updates += 1
