"""MDM's denoiser: positions, masks, and the names and numbers of the public code."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor

from hand4d_ros.errors import ConfigError, WeightsError
from hand4d_ros.nn.transformer import (
    MotionTransformer,
    TransformerConfig,
    sinusoids,
    tensors_from_mdm,
)
from hand4d_ros.nn.weights import fill

torch.set_num_threads(1)
SMALL = TransformerConfig(layers=2, width=16, heads=4, feed_forward=24)
STEP = torch.tensor([3, 40])


def network() -> MotionTransformer:
    """A small one, the same every time."""
    torch.manual_seed(0)
    return MotionTransformer(SMALL, 5, 20, 50).eval()


def test_positions_are_those_of_the_paper() -> None:
    """Sine and cosine by turns, wavelengths from 2 pi to 20 000 pi."""
    table = sinusoids(7, 8)
    for position in range(7):
        for pair in range(4):
            angle = position / 10000.0 ** (2 * pair / 8)
            assert float(table[position, 2 * pair]) == pytest.approx(math.sin(angle), abs=1e-6)
            assert float(table[position, 2 * pair + 1]) == pytest.approx(math.cos(angle), abs=1e-6)


@pytest.mark.parametrize("gradients", [True, False])
def test_masked_frames_change_nothing(gradients: bool) -> None:
    """Neither noise in them nor conditions of them reach the frames that are there."""
    net, rng = network(), torch.Generator().manual_seed(1)
    x, context = torch.randn((2, 6, 5), generator=rng), torch.randn((2, 6, 16), generator=rng)
    mask = torch.tensor([[True] * 4 + [False] * 2, [True] * 6])
    other, strange = x.clone(), context.clone()
    other[0, 4:], strange[0, 4:] = 100.0, -100.0
    with torch.set_grad_enabled(gradients):
        first = net(x, STEP, context=context, mask=mask, context_mask=mask)
        again = net(other, STEP, context=strange, mask=mask, context_mask=mask)
        seen = net(other, STEP, context=strange)
    torch.testing.assert_close(first[mask], again[mask])
    assert not torch.allclose(first[0, :4], seen[0, :4], atol=1e-3)


def test_masked_frames_are_as_good_as_absent() -> None:
    """Without conditions before them, frames stand at the same places in a shorter window."""
    net = network()
    x = torch.randn((2, 6, 5), generator=torch.Generator().manual_seed(2))
    mask = torch.arange(6).expand(2, 6) < 4
    whole = net(x, STEP, mask=mask)[:, :4]
    torch.testing.assert_close(whole, net(x[:, :4], STEP), atol=1e-5, rtol=1e-5)


def test_level_of_noise_and_conditions_count() -> None:
    """Another step, other conditions beside the frames: other samples."""
    net, rng = network(), torch.Generator().manual_seed(3)
    x, beside = torch.randn((2, 6, 5), generator=rng), torch.randn((2, 6, 16), generator=rng)
    plain = net(x, STEP)
    assert plain.shape == x.shape
    assert not torch.allclose(plain, net(x, STEP + 5), atol=1e-4)
    assert not torch.allclose(plain, net(x, STEP, beside=beside), atol=1e-3)
    torch.testing.assert_close(plain, net(x, STEP, beside=torch.zeros_like(beside)))


def official(width: int, feed_forward: int, layers: int, features: int) -> dict[str, Tensor]:
    """Tensors as the public code names and shapes them, with what else its files hold."""
    rng = torch.Generator().manual_seed(4)
    shapes: dict[str, tuple[int, ...]] = {
        "input_process.poseEmbedding.weight": (width, features),
        "input_process.poseEmbedding.bias": (width,),
        "sequence_pos_encoder.pe": (5000, 1, width),
        "embed_timestep.sequence_pos_encoder.pe": (5000, 1, width),
        "embed_timestep.time_embed.0.weight": (width, width),
        "embed_timestep.time_embed.0.bias": (width,),
        "embed_timestep.time_embed.2.weight": (width, width),
        "embed_timestep.time_embed.2.bias": (width,),
        "output_process.poseFinal.weight": (features, width),
        "output_process.poseFinal.bias": (features,),
    }
    for layer in range(layers):
        at = f"seqTransEncoder.layers.{layer}."
        shapes |= {
            at + "self_attn.in_proj_weight": (3 * width, width),
            at + "self_attn.in_proj_bias": (3 * width,),
            at + "self_attn.out_proj.weight": (width, width),
            at + "self_attn.out_proj.bias": (width,),
            at + "linear1.weight": (feed_forward, width),
            at + "linear1.bias": (feed_forward,),
            at + "linear2.weight": (width, feed_forward),
            at + "linear2.bias": (width,),
            **{at + f"norm{i}.{kind}": (width,) for i in (1, 2) for kind in ("weight", "bias")},
        }
    return {
        "model.model." + name: torch.randn(shape, generator=rng) for name, shape in shapes.items()
    }


def test_official_layout_loads_and_means_the_same() -> None:
    """Every tensor has its place, and the layers compute post-norm attention by hand."""
    tensors = official(16, 24, 2, 5)
    net = network()
    fill(net, tensors_from_mdm(tensors, "model.model."), "test")
    x = torch.randn((1, 4, 5), generator=torch.Generator().manual_seed(5))
    found = net(x, torch.tensor([7]))

    def at(name: str) -> Tensor:
        return tensors["model.model." + name]

    def linear(name: str, value: Tensor) -> Tensor:
        return value @ at(name + ".weight").T + at(name + ".bias")

    level = linear("embed_timestep.time_embed.0", sinusoids(50, 16)[7:8])
    level = linear("embed_timestep.time_embed.2", level * torch.sigmoid(level))
    h = torch.cat((level, linear("input_process.poseEmbedding", x[0]))) + sinusoids(5, 16)
    for layer in range(2):
        name = f"seqTransEncoder.layers.{layer}."
        packed = h @ at(name + "self_attn.in_proj_weight").T + at(name + "self_attn.in_proj_bias")
        q, k, v = (part.reshape(5, 4, 4).transpose(0, 1) for part in packed.chunk(3, -1))
        mixed = torch.softmax(q @ k.transpose(1, 2) / 2.0, -1) @ v
        mixed = linear(name + "self_attn.out_proj", mixed.transpose(0, 1).reshape(5, 16))
        h = _norm(h + mixed, at(name + "norm1.weight"), at(name + "norm1.bias"))
        hidden = torch.nn.functional.gelu(linear(name + "linear1", h))
        h = h + linear(name + "linear2", hidden)
        h = _norm(h, at(name + "norm2.weight"), at(name + "norm2.bias"))
    expected = linear("output_process.poseFinal", h[1:])
    torch.testing.assert_close(found[0], expected, atol=1e-4, rtol=1e-4)


def _norm(value: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
    off = value - value.mean(-1, keepdim=True)
    return off / (off.square().mean(-1, keepdim=True) + 1e-5).sqrt() * weight + bias


def test_foreign_files_and_uneven_heads_are_refused() -> None:
    """A wrong prefix says what is there; widths must fit the heads."""
    with pytest.raises(WeightsError, match=r"model\.model\.embed_timestep"):
        tensors_from_mdm(official(16, 24, 1, 5), "wrong.")
    with pytest.raises(ConfigError, match="even multiple"):
        TransformerConfig(width=30, heads=4)
