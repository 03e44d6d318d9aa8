"""The pose prior's densities are densities, and its bound is one."""

from __future__ import annotations

import math

import pytest
import torch

from hand4d_ros.errors import ConfigError
from hand4d_ros.hand.biomechanics import REST_RAD, STD_RAD
from hand4d_ros.nn.pose_prior import Code, PosePrior, PosePriorConfig, divergence

torch.set_num_threads(1)


def prior() -> PosePrior:
    """A random network in double precision."""
    torch.manual_seed(0)
    return PosePrior(PosePriorConfig(latent=3, width=16, depth=1)).double()


def poses(count: int) -> torch.Tensor:
    """Random poses near rest."""
    rng = torch.Generator().manual_seed(1)
    noise = torch.randn((count, 22), generator=rng, dtype=torch.float64)
    return torch.tensor(REST_RAD) + torch.tensor(STD_RAD) * noise


def test_log_likelihood_is_that_of_a_normal() -> None:
    """Against PyTorch's own distribution, with batch axes."""
    model, angles = prior(), poses(6).reshape(2, 3, 22)
    latent = torch.randn(2, 3, 3, dtype=torch.float64)
    spread = torch.exp(model.log_std) * model.spread_rad
    normal = torch.distributions.Normal(model.decode(latent), spread)
    wanted = normal.log_prob(angles).sum(-1)  # type: ignore[no-untyped-call]
    torch.testing.assert_close(model.log_likelihood(angles, latent), wanted)


def test_divergence_is_that_of_normals() -> None:
    """Against PyTorch's own; zero for the standard normal."""
    code = Code(torch.randn(4, 3), torch.randn(4, 3))
    normal = torch.distributions.Normal(code.mean, code.log_std.exp())
    standard = torch.distributions.Normal(torch.zeros(()), torch.ones(()))
    wanted = torch.distributions.kl_divergence(normal, standard).sum(-1)
    torch.testing.assert_close(divergence(code), wanted)
    assert divergence(Code(torch.zeros(3), torch.zeros(3))).item() == 0.0


def test_evidence_bound_rises_with_samples_to_the_evidence() -> None:
    """With a decoder that ignores the latent the evidence is known, and any bound meets it."""
    model, angles = prior(), poses(5)
    with torch.no_grad():
        means = [
            model.log_evidence(angles, count, torch.Generator().manual_seed(2)).mean()
            for count in (1, 10, 1000)
        ]
        assert means[0] < means[1] < means[2]
        last = model.decoder[-1]
        assert isinstance(last, torch.nn.Linear)
        last.weight.zero_()
        wanted = model.log_likelihood(angles, torch.zeros(5, 3, dtype=torch.float64))
        found = model.log_evidence(angles, 20_000, torch.Generator().manual_seed(2))
    torch.testing.assert_close(found, wanted, atol=0.05, rtol=0.0)


def test_projection_goes_through_the_code() -> None:
    """Decoding the code's mean, pose by pose."""
    model, angles = prior(), poses(4)
    with torch.no_grad():
        wanted = model.decode(model.encode(angles).mean)
        assert torch.equal(model.project(angles), wanted)
        assert bool((model.encode(1e6 * angles).log_std.abs() <= 5.0).all())
    assert math.isfinite(float(wanted.sum()))


def test_sizes_out_of_range_are_refused() -> None:
    """As any config."""
    with pytest.raises(ConfigError, match="latent is 0; give a value between 1 and 64"):
        PosePriorConfig(latent=0)
