"""The motion field is continuous in time, and its spline is one."""

from __future__ import annotations

import dataclasses

import pytest
import torch
from torch.func import jacfwd, vmap

from hand4d_ros.errors import ConfigError
from hand4d_ros.nn.motion_field import MotionField, MotionFieldConfig, spline_weights

torch.set_num_threads(1)
SMALL = MotionFieldConfig(hidden=16, layers=3, outputs=96, knots=8, channels=6, activation="silu")
GLOBAL = dataclasses.replace(SMALL, knots=0)


def test_spline_weights_sum_to_one_and_reproduce_lines() -> None:
    """Partition of unity, and linear precision of cubic B-splines."""
    times = torch.linspace(0.0, 1.0, 33, dtype=torch.float64)
    weights = spline_weights(times, 8)
    torch.testing.assert_close(weights.sum(1), torch.ones_like(times))
    torch.testing.assert_close(weights @ torch.arange(-1.0, 10.0).double(), 8.0 * times)


@pytest.mark.parametrize("config", [SMALL, GLOBAL])
def test_field_is_continuous(config: MotionFieldConfig) -> None:
    """Halving a step of time about halves the step of the output, knots or not."""
    torch.manual_seed(0)
    field = MotionField(4, config).double()
    latent = torch.randn(2, 4, dtype=torch.float64)
    at = torch.linspace(0.05, 0.95, 20, dtype=torch.float64)
    with torch.no_grad():
        near, nearer = (
            (field(latent, at + step) - field(latent, at)).abs().max() for step in (1e-4, 5e-5)
        )
    assert 0.4 < float(nearer / near) < 0.6


@pytest.mark.parametrize("config", [SMALL, GLOBAL])
def test_field_works_under_function_transforms(config: MotionFieldConfig) -> None:
    """A batch is the same as ``vmap``, and ``jacfwd`` agrees with a difference."""
    torch.manual_seed(1)
    field = MotionField(4, config).double()
    latent, times = torch.randn(3, 4).double(), torch.rand(5).double()
    each = vmap(lambda z: field(z[None], times)[0])(latent)
    torch.testing.assert_close(each, field(latent, times))
    jacobian = jacfwd(lambda z: field(z[None], times)[0])(latent[0])
    step = 1e-6 * torch.eye(4).double()[2]
    difference = (field((latent[0] + step)[None], times) - field(latent[:1], times))[0] / 1e-6
    torch.testing.assert_close(jacobian[..., 2], difference, atol=1e-4, rtol=1e-4)


def test_config_rejects_nonsense() -> None:
    """As every config does."""
    with pytest.raises(ConfigError, match="hidden is 0"):
        MotionFieldConfig(hidden=0)
