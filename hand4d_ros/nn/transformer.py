"""The denoiser of MDM: a post-norm transformer over the noise level, conditions and frames.

Tevet et al., "Human Motion Diffusion Model", ICLR 2023, as ForeHand4D uses it: conditions are
tokens of their own between that of the noise level and those of the frames. Layers are PyTorch's,
so weights of the public code fit by name (``tensors_from_mdm``).
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field

import torch
from torch import Tensor, nn

from hand4d_ros.errors import ConfigError, WeightsError
from hand4d_ros.settings import check
from hand4d_ros.shapes import Bool, Float, Int

_MDM = {
    "input_process.poseEmbedding.": "inputs.",
    "embed_timestep.time_embed.": "level.",
    "seqTransEncoder.": "encoder.",
    "output_process.poseFinal.": "outputs.",
}
"""Prefixes in the public code, and here."""


@dataclass(frozen=True)
class TransformerConfig:
    """Size of the network; the defaults are ForeHand4D's."""

    layers: int = field(default=16, metadata={"min": 1, "max": 64})
    """Of the encoder."""
    width: int = field(default=1024, metadata={"min": 8, "max": 8192})
    """Of a token."""
    heads: int = field(default=4, metadata={"min": 1, "max": 64})
    """Of the attention."""
    feed_forward: int = field(default=1024, metadata={"min": 8, "max": 32768})
    """Hidden width between attentions."""
    dropout: float = field(default=0.1, metadata={"min": 0.0, "max": 0.9})
    """Share of activations that training sets to zero."""

    def __post_init__(self) -> None:
        """Reject values out of range and heads of uneven width."""
        check(self)
        if self.width % self.heads or self.width % 2:
            raise ConfigError(
                f"width is {self.width} with {self.heads} heads; give an even multiple of them"
            )


def sinusoids(length: int, width: int) -> Float[Tensor, "n d"]:
    """Return positional encodings, sine and cosine by turns (Vaswani et al., 2017, 3.5)."""
    position = torch.arange(length, dtype=torch.float32)[:, None]
    rate = torch.exp(torch.arange(0, width, 2).float() * (-math.log(10000.0) / width))
    return torch.stack(((position * rate).sin(), (position * rate).cos()), -1).flatten(1)


class MotionTransformer(nn.Module):
    """Denoises ``features`` numbers a frame."""

    positions: Tensor
    levels: Tensor

    def __init__(self, config: TransformerConfig, features: int, length: int, steps: int) -> None:
        """Make a network with random weights.

        Args:
            config: Its size.
            features: Numbers a frame.
            length: Frames and conditions at most.
            steps: Of the diffusion.
        """
        super().__init__()
        width = config.width
        self.inputs = nn.Linear(features, width)
        self.level = nn.Sequential(nn.Linear(width, width), nn.SiLU(), nn.Linear(width, width))
        layer = nn.TransformerEncoderLayer(
            width, config.heads, config.feed_forward, config.dropout, "gelu", batch_first=True
        )
        self.encoder = nn.TransformerEncoder(layer, config.layers, enable_nested_tensor=False)
        self.outputs = nn.Linear(width, features)
        self.dropout = nn.Dropout(config.dropout)
        # Two tables, because they are looked up by different things and may differ in length.
        self.register_buffer("positions", sinusoids(1 + length, width), persistent=False)
        self.register_buffer("levels", sinusoids(steps, width), persistent=False)

    def forward(
        self,
        x: Float[Tensor, "b t f"],
        step: Int[Tensor, "b"],
        context: Float[Tensor, "b n d"] | None = None,
        beside: Float[Tensor, "b t d"] | None = None,
        mask: Bool[Tensor, "b t"] | None = None,
        context_mask: Bool[Tensor, "b n"] | None = None,
    ) -> Float[Tensor, "b t f"]:
        """Return clean samples.

        Args:
            x: Noisy ones.
            step: Their noise levels.
            context: Conditions that stand before the frames.
            beside: Conditions that are added to the frames.
            mask: Frames that are there; the others are seen by none. None has all.
            context_mask: Likewise of the conditions.
        """
        frames = self.inputs(x) if beside is None else self.inputs(x) + beside
        level = self.level(self.levels[step])[:, None]
        parts = [level, frames] if context is None else [level, context, frames]
        sequence = torch.cat(parts, 1)
        sequence = self.dropout(sequence + self.positions[: sequence.shape[1]])
        hidden = None
        if mask is not None or context_mask is not None:
            hidden = torch.zeros(sequence.shape[:2], dtype=torch.bool, device=x.device)
            if mask is not None:
                hidden[:, -x.shape[1] :] = ~mask
            if context_mask is not None:
                hidden[:, 1 : 1 + context_mask.shape[1]] = ~context_mask
        found = self.encoder(sequence, src_key_padding_mask=hidden)[:, -x.shape[1] :]
        clean: Tensor = self.outputs(found)
        return clean


def tensors_from_mdm(tensors: Mapping[str, Tensor], prefix: str = "") -> dict[str, Tensor]:
    """Pick the denoiser out of a checkpoint of MDM or ForeHand4D, under the names used here.

    Args:
        tensors: Of the checkpoint; what is no part of the denoiser is left out.
        prefix: What precedes the denoiser's names.

    Raises:
        WeightsError: There is no denoiser.
    """
    found = {
        ours + name[len(prefix + theirs) :]: tensor
        for name, tensor in tensors.items()
        for theirs, ours in _MDM.items()
        if name.startswith(prefix + theirs)
    }
    if not found:
        first = ", ".join(sorted(tensors)[:4]) or "nothing"
        raise WeightsError(
            f"no tensor starts with {prefix + 'seqTransEncoder.'!r}; the file has {first}…: "
            "give the prefix of the denoiser"
        )
    return found
