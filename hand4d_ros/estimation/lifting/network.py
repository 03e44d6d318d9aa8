"""The lifting model L (Fig. 4): a diffusion denoiser told keypoints and cameras of every frame."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor, nn

from hand4d_ros.errors import EstimationError
from hand4d_ros.estimation.lifting.config import WIDTHS, LiftingConfig
from hand4d_ros.estimation.lifting.motion_vector import FEATURES, Scale
from hand4d_ros.nn.diffusion import Diffusion
from hand4d_ros.nn.diffusion_samplers import Denoise, ddim
from hand4d_ros.nn.transformer import MotionTransformer
from hand4d_ros.shapes import Bool, Float, Int


class LiftingNetwork(nn.Module):
    """Conditions and noisy motion in, clean motion out."""

    wrist_mean_m: Tensor
    wrist_std_m: Tensor

    def __init__(self, config: LiftingConfig) -> None:
        """Make a network with random weights.

        Args:
            config: Its size.
        """
        super().__init__()
        self.config = config
        self.diffusion = Diffusion(config.diffusion)
        width = config.transformer.width
        self.conditioners = nn.ModuleDict(
            {name: _perceptron(WIDTHS[name], width) for name in config.conditions}
        )
        length = config.frames * (1 + (len(config.conditions) if self._has_tokens else 0))
        steps = config.diffusion.steps
        self.denoiser = MotionTransformer(config.transformer, FEATURES, length, steps)
        self.register_buffer("wrist_mean_m", torch.tensor([0.0, 0.0, 0.45]))
        self.register_buffer("wrist_std_m", torch.full((3,), 0.2))

    @property
    def scale(self) -> Scale:
        """Mean and spread of wrist positions."""
        return Scale(self.wrist_mean_m, self.wrist_std_m)

    @property
    def _has_tokens(self) -> bool:
        return self.config.layout == "tokens"

    def embed(self, conditions: Mapping[str, Float[Tensor, "b t n"]]) -> Float[Tensor, "b m d"]:
        """Return the conditions' tokens: one kind after the other, each frame by frame.

        They do not depend on the noise, so a sampler asks for them once.

        Args:
            conditions: By name; what the network does not use is left alone.

        Raises:
            EstimationError: One is missing, or the window is too long.
        """
        missing = [name for name in self.conditioners if name not in conditions]
        if missing:
            raise EstimationError(f"conditions lack {', '.join(missing)}; give all of the network")
        parts = [net(conditions[name]) for name, net in self.conditioners.items()]
        if parts[0].shape[1] > self.config.frames:
            raise EstimationError(
                f"a window of {parts[0].shape[1]} frames; this network takes {self.config.frames}"
            )
        return torch.cat(parts, 1)

    def forward(
        self,
        x_t: Float[Tensor, "b t 198"],
        step: Int[Tensor, "b"],
        tokens: Float[Tensor, "b m d"],
        mask: Bool[Tensor, "b t"] | None = None,
    ) -> Float[Tensor, "b t 198"]:
        """Return clean motion.

        Args:
            x_t: Noisy motion.
            step: Its noise level.
            tokens: As ``embed`` made them, some dropped where training does so; zeros for none.
            mask: Frames that are there; None has all.
        """
        kinds = len(self.conditioners)
        if self._has_tokens:
            context_mask = None if mask is None else mask.repeat(1, kinds)
            clean: Tensor = self.denoiser(
                x_t, step, context=tokens, mask=mask, context_mask=context_mask
            )
            return clean
        beside = tokens.reshape(len(tokens), kinds, *x_t.shape[1:2], -1).sum(1)
        added: Tensor = self.denoiser(x_t, step, beside=beside, mask=mask)
        return added

    def denoise(
        self, tokens: Float[Tensor, "b m d"], mask: Bool[Tensor, "b t"] | None = None
    ) -> Denoise:
        """Return the network with fixed conditions, as samplers take it."""

        def clean(x_t: Tensor, step: Tensor) -> Tensor:
            found: Tensor = self(x_t, step, tokens, mask)
            return found

        return clean

    def sample(
        self,
        conditions: Mapping[str, Float[Tensor, "b t n"]],
        steps: Sequence[int],
        rng: torch.Generator,
        mask: Bool[Tensor, "b t"] | None = None,
        warm: Float[Tensor, "b t 198"] | None = None,
    ) -> Float[Tensor, "b t 198"]:
        """Return one motion for each window, by deterministic DDIM.

        Args:
            conditions: By name.
            steps: Falling noise levels, see ``spaced_steps``.
            rng: Source of the first noise, on the network's device.
            mask: Frames that are there.
            warm: Motion to start from, which gets the noise of the first step; None starts from
                noise alone.
        """
        tokens = self.embed(conditions)
        shape = (*next(iter(conditions.values())).shape[:2], FEATURES)
        x = torch.randn(shape, generator=rng, device=tokens.device)
        if warm is not None:
            first = torch.full((shape[0],), steps[0], dtype=torch.int64, device=tokens.device)
            x = self.diffusion.q_sample(warm, first, x)
        return ddim(self.diffusion, self.denoise(tokens, mask), x, steps)


def _perceptron(inputs: int, width: int) -> nn.Sequential:
    return nn.Sequential(
        nn.Linear(inputs, width),
        nn.ReLU(),
        nn.Linear(width, width),
        nn.ReLU(),
        nn.Linear(width, width),
    )
