"""The running mean follows its closed forms."""

from __future__ import annotations

import math

import pytest
import torch
from torch import nn

from hand4d_ros.training.ema import MeanWeights, decay_at


def line(value: float) -> nn.Linear:
    """A linear layer whose weights are all one value."""
    layer = nn.Linear(3, 2).double()
    with torch.no_grad():
        for parameter in layer.parameters():
            parameter.fill_(value)
    return layer


def test_warm_up_forgets_the_start() -> None:
    """From 0, with weights held at c, the mean is c (1 - 9! n! / (n + 9)!) while warming up."""
    model = line(0.0)
    mean = MeanWeights(model, 0.999)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.fill_(4.0)
    for n in range(1, 30):
        mean.update(model)
        wanted = 4.0 * (1.0 - 1.0 / math.comb(n + 9, 9))
        assert float(mean.model.state_dict()["weight"][0, 0]) == pytest.approx(wanted, rel=1e-12)
    assert mean.updates == 29


def test_lag_behind_a_ramp() -> None:
    """Behind weights that rise by r a step, the mean ends r d / (1 - d) late."""
    model, decay, rise = line(0.0), 0.8, 0.5
    mean = MeanWeights(model, decay)
    for _ in range(300):
        with torch.no_grad():
            for parameter in model.parameters():
                parameter.add_(rise)
        mean.update(model)
    lag = model.bias - mean.model.state_dict()["bias"]
    torch.testing.assert_close(lag, torch.full_like(lag, rise * decay / (1.0 - decay)))


def test_decay_rises_to_its_bound() -> None:
    """A tenth at first, then towards the bound and never over it."""
    assert decay_at(0, 0.999) == pytest.approx(0.1)
    assert decay_at(90, 0.999) == pytest.approx(0.91)
    assert decay_at(10**6, 0.999) == 0.999


def test_buffers_are_copied_and_the_model_is_left_alone() -> None:
    """Counts are no weights; the mean is evaluated and has no gradients."""
    model = nn.BatchNorm1d(2)
    mean = MeanWeights(model, 0.9)
    model(torch.tensor([[1.0, 2.0], [3.0, 6.0]]))
    before = {name: value.clone() for name, value in model.state_dict().items()}
    mean.update(model)
    for name in ("running_mean", "running_var", "num_batches_tracked"):
        assert torch.equal(mean.model.state_dict()[name], before[name])
    assert all(torch.equal(value, before[name]) for name, value in model.state_dict().items())
    assert not mean.model.training
    assert not any(parameter.requires_grad for parameter in mean.model.parameters())
