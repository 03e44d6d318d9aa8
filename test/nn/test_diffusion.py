"""The diffusion core against closed forms: schedule, posterior, samplers, guidance, masks."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor

from hand4d_ros.errors import ConfigError
from hand4d_ros.nn.diffusion import Diffusion, DiffusionConfig, drop_tokens, masked_mean
from hand4d_ros.nn.diffusion_samplers import ancestral, ddim, guided, spaced_steps

torch.set_num_threads(1)
MEAN, STD = 1.5, 0.4


@pytest.fixture(scope="module")
def diffusion() -> Diffusion:
    """A short process."""
    return Diffusion(DiffusionConfig(steps=50))


def gaussian(diffusion: Diffusion, x_t: Tensor, step: Tensor) -> Tensor:
    """E[x0 | x_t] where clean samples are normal: the best denoiser that there is."""
    kept = diffusion.alpha_bar[step][:, None]
    gain = kept.sqrt() * STD**2 / (kept * STD**2 + 1.0 - kept)
    return MEAN + gain * (x_t - kept.sqrt() * MEAN)


def noise(count: int, seed: int = 0) -> Tensor:
    """Standard normal numbers."""
    rng = torch.Generator().manual_seed(seed)
    return torch.randn((count, 1), generator=rng, dtype=torch.float64)


def test_cosine_schedule_is_that_of_the_paper() -> None:
    """Falling from almost one to almost nothing, and Eq. 17 wherever no step is clipped."""
    diffusion = Diffusion(DiffusionConfig())
    alpha_bar = diffusion.alpha_bar
    assert bool((alpha_bar.diff() < 0.0).all())
    assert float(alpha_bar[0]) > 0.9999
    assert 0.0 < float(alpha_bar[-1]) < 1e-4
    assert bool((diffusion.beta > 0.0).all())
    assert float(diffusion.beta.max()) == pytest.approx(0.999)

    def course(t: float) -> float:
        return math.cos((t + 0.008) / 1.008 * math.pi / 2.0) ** 2

    for step in (0, 10, 499, 900):
        expected = course((step + 1) / 1000) / course(0.0)
        assert float(alpha_bar[step]) == pytest.approx(expected, rel=1e-9)


def test_posterior_is_bayes_rule(diffusion: Diffusion) -> None:
    """The product of two normal densities: of the step from below, and of the clean sample."""
    x0, x_t = torch.tensor([[0.7]], dtype=torch.float64), torch.tensor([[-0.3]]).double()
    for step in (1, 20, 48):
        found = diffusion.posterior(x0, x_t, torch.tensor([step]))
        beta, before = float(diffusion.beta[step]), float(diffusion.alpha_bar[step - 1])
        precision = (1.0 - beta) / beta + 1.0 / (1.0 - before)
        mean = math.sqrt(1.0 - beta) / beta * x_t + math.sqrt(before) / (1.0 - before) * x0
        torch.testing.assert_close(found.mean, mean / precision)
        assert float(found.variance) == pytest.approx(1.0 / precision)
    last = diffusion.posterior(x0, x_t, torch.tensor([0]))
    torch.testing.assert_close(last.mean, x0)
    assert float(last.variance) == 0.0


def test_noise_and_back(diffusion: Diffusion) -> None:
    """The noise of a noisy sample is found again, with the stated variance."""
    x0, added, step = noise(2000), noise(2000, 1), torch.full((2000,), 30)
    x_t = diffusion.q_sample(x0, step, added)
    torch.testing.assert_close(diffusion.noise_from(x_t, x0, step), added)
    still = diffusion.q_sample(torch.zeros_like(x0), step, added)
    expected = math.sqrt(1.0 - float(diffusion.alpha_bar[30]))
    assert float(still.std()) == pytest.approx(expected, rel=0.05)


def test_ddim_with_all_noise_is_ancestral(diffusion: Diffusion) -> None:
    """From the same random numbers the very same samples, and both of the right normal."""
    start = noise(4000)

    def denoise(x: Tensor, step: Tensor) -> Tensor:
        return gaussian(diffusion, x, step)

    rng = torch.Generator().manual_seed(5)
    slow = ancestral(diffusion, denoise, start, rng)
    rng = torch.Generator().manual_seed(5)
    fast = ddim(diffusion, denoise, start, spaced_steps(49, 50), 1.0, rng)
    torch.testing.assert_close(slow, fast)
    mean, std = sampled_normal(diffusion)
    assert float(slow.mean()) == pytest.approx(mean, abs=4.0 * std / 4000**0.5)
    assert float(slow.std()) == pytest.approx(std, rel=4.0 / 8000**0.5)


def sampled_normal(diffusion: Diffusion) -> tuple[float, float]:
    """Mean and deviation of ancestral samples with the best denoiser, which is affine: exact."""
    mean, variance = 0.0, 1.0
    one, nought = torch.ones((1, 1)).double(), torch.zeros((1, 1)).double()
    for number in range(diffusion.steps - 1, -1, -1):
        step = torch.tensor([number])
        start = gaussian(diffusion, nought, step)
        gain = gaussian(diffusion, one, step) - start
        constant = float(diffusion.posterior(start, nought, step).mean)
        slope = float(diffusion.posterior(gain, one, step).mean)
        mean = constant + slope * mean
        variance = slope**2 * variance + float(diffusion.posterior(one, one, step).variance)
    return mean, variance**0.5


def test_ancestral_samples_approach_the_data_with_more_steps() -> None:
    """The fixed small variance is too small by what vanishes as steps become many."""
    short, long = (sampled_normal(Diffusion(DiffusionConfig(steps=n))) for n in (50, 1000))
    assert long == pytest.approx((MEAN, STD), rel=0.005)
    assert abs(short[1] - STD) > 5.0 * abs(long[1] - STD)


def test_ddim_without_noise_keeps_the_order_of_the_samples(diffusion: Diffusion) -> None:
    """For a normal it is a rising map of the noise onto the data."""
    start = noise(200)

    def denoise(x: Tensor, step: Tensor) -> Tensor:
        return gaussian(diffusion, x, step)

    found = ddim(diffusion, denoise, start, spaced_steps(49, 50))
    assert torch.equal(start.argsort(0), found.argsort(0))
    torch.testing.assert_close(found, ddim(diffusion, denoise, start, spaced_steps(49, 50)))
    assert float(found.std()) == pytest.approx(STD * float(start.std()), rel=0.1)


@pytest.mark.parametrize("count", [1, 2, 7, 50])
@pytest.mark.parametrize("eta", [0.0, 1.0])
def test_a_single_truth_is_found_in_any_number_of_steps(
    diffusion: Diffusion, count: int, eta: float
) -> None:
    """The denoiser of a delta distribution says the same everywhere."""
    truth = torch.full((3, 2), 0.25)
    start = noise(6).reshape(3, 2).float()
    steps = spaced_steps(49, count)
    assert len(steps) == count
    assert steps[0] == 49
    rng = torch.Generator().manual_seed(0)
    found = ddim(diffusion, lambda _x, _step: truth, start, steps, eta, rng)
    torch.testing.assert_close(found, truth)


def test_spaced_steps_and_their_limits(diffusion: Diffusion) -> None:
    """All, few, and impossible ones."""
    assert spaced_steps(9, 10) == tuple(range(9, -1, -1))
    assert spaced_steps(999, 4) == (999, 749, 499, 249)
    with pytest.raises(ConfigError, match="1 to 10"):
        spaced_steps(9, 11)
    for wrong in ((), (50,), (3, 3), (2, -1)):
        with pytest.raises(ConfigError, match="falling"):
            ddim(diffusion, lambda x, _step: x, noise(1), wrong)


def test_guidance() -> None:
    """Scale 0 is free, 1 is conditional, and in between and beyond it is a straight line."""
    x, step = noise(4), torch.zeros(4, dtype=torch.int64)

    def conditional(x: Tensor, _step: Tensor) -> Tensor:
        return 3.0 * x

    def free(x: Tensor, _step: Tensor) -> Tensor:
        return x - 1.0

    torch.testing.assert_close(guided(conditional, free, 0.0)(x, step), free(x, step))
    torch.testing.assert_close(guided(conditional, free, 1.0)(x, step), conditional(x, step))
    torch.testing.assert_close(guided(conditional, free, 2.0)(x, step), 5.0 * x + 1.0)


def test_dropped_tokens() -> None:
    """A share of tokens is zero, each whole; the others are as they were."""
    rng = torch.Generator().manual_seed(0)
    tokens = torch.rand((40, 50, 3)) + 1.0
    found = drop_tokens(tokens, 0.1, rng)
    gone = (found == 0.0).all(-1)
    assert float(gone.float().mean()) == pytest.approx(0.1, abs=0.02)
    assert torch.equal(found[~gone], tokens[~gone])
    assert torch.equal(drop_tokens(tokens, 0.0), tokens)
    assert not bool(drop_tokens(tokens, 1.0).any())
    with pytest.raises(ConfigError, match="between 0 and 1"):
        drop_tokens(tokens, 1.5)


def test_masked_mean_does_not_see_what_does_not_count() -> None:
    """Not even NaN, and it gives no gradient there."""
    values = torch.tensor([[1.0, 2.0, math.nan], [6.0, math.nan, math.nan]], requires_grad=True)
    mask = torch.tensor([[True, True, False], [True, False, False]])
    mean = masked_mean(values, mask)
    assert mean.item() == pytest.approx(3.0)
    (gradient,) = torch.autograd.grad(mean, values)
    torch.testing.assert_close(gradient, mask.float() / 3.0)
    values = values.detach()
    assert float(masked_mean(values[..., None].expand(2, 3, 4), mask)) == pytest.approx(3.0)
    assert float(masked_mean(values, torch.zeros_like(mask))) == 0.0
