"""Trains ForeHand4D's lifting model on augmented films of our worlds (section 3.2).

A sample on disk is one film of one scene (``lifting_scenes``); a batch takes a random window out
of each (``lifting_windows``). Losses are those of the public code: squared errors of wrist
rotations, finger rotations and scaled positions, each by itself, of rotation matrices, and of
joints relative to the wrist and in space. Joints are those of the mean hand, truth and prediction
alike: shape is no part of the motion.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

import torch
from torch import Tensor, nn

from hand4d_ros.errors import ConfigError, TrainingError
from hand4d_ros.estimation.lifting.config import WIDTHS, LiftingConfig
from hand4d_ros.estimation.lifting.motion_vector import (
    Hands,
    hands_from_two_row_vector,
    keypoints_from_hands,
    two_row_vector_from_hands,
)
from hand4d_ros.estimation.lifting.network import LiftingNetwork
from hand4d_ros.hand.builtin import builtin_hand
from hand4d_ros.nn.diffusion import drop_tokens, masked_mean
from hand4d_ros.nn.diffusion_samplers import spaced_steps
from hand4d_ros.nn.hand_chain import HandChain
from hand4d_ros.settings import check
from hand4d_ros.shapes import Bool, Float
from hand4d_ros.training.data import BatchSource
from hand4d_ros.training.lifting_scenes import FilmConfig, SceneFilms
from hand4d_ros.training.lifting_windows import (
    KNOWN,
    MASK,
    ROTATIONS,
    WRIST_M,
    WindowConfig,
    Windows,
)
from hand4d_ros.training.shards import Shards, write_shards
from hand4d_ros.training.task import Batch, Moment, Task, Term

_HAND_M = 0.1
"""Errors of joints count in this unit, so that all terms are of order one."""
_STATISTICS = 256
"""Windows that mean and spread of the wrists are taken from."""


@dataclass(frozen=True)
class LiftingTaskConfig:
    """What to train on and how to judge."""

    shards: int = field(default=16, metadata={"min": 1})
    """Files of training data."""
    held_out_shards: int = field(default=1, metadata={"min": 1})
    """Further ones to judge by."""
    drop: float = field(default=0.1, metadata={"min": 0.0, "max": 1.0})
    """Share of the conditions' tokens that are zero in training, as in the paper."""
    matrix_weight: float = field(default=1.0, metadata={"min": 0.0})
    """Of the squared error of rotation matrices."""
    joints_weight: float = field(default=1.0, metadata={"min": 0.0})
    """Of the squared error of joints relative to the wrist (0.1 m)."""
    space_weight: float = field(default=0.1, metadata={"min": 0.0})
    """Of the squared error of the wrists in space (0.1 m)."""
    evaluation_steps: int = field(default=4, metadata={"min": 1, "max": 1000})
    """Of DDIM, when judging."""
    evaluation_windows: int = field(default=128, metadata={"min": 1})
    """Held-out windows to judge by."""
    films: FilmConfig = field(default_factory=FilmConfig)
    """The data."""
    windows: WindowConfig = field(default_factory=WindowConfig)
    """How a batch is taken from it."""
    network: LiftingConfig = field(default_factory=LiftingConfig)
    """Size of the network."""

    def __post_init__(self) -> None:
        """Reject values out of range and films shorter than a window."""
        check(self)
        if self.films.frames < self.network.frames:
            raise ConfigError(
                f"films have {self.films.frames} frames, a window {self.network.frames}; "
                "make films.seconds larger"
            )


class LiftingTask(Task):
    """The lifting model: masked squared errors of clean-sample prediction."""

    objective = "mpjpe_mm"

    def __init__(self, config: LiftingTaskConfig) -> None:
        """Keep what to train.

        Args:
            config: Of the task.
        """
        self._config = config
        self._folders: tuple[Path, Path] | None = None

    @property
    def config(self) -> LiftingTaskConfig:
        """What to train on and how to judge."""
        return self._config

    @property
    def network_config(self) -> LiftingConfig:
        """Size of the network."""
        return self._config.network

    def prepare(self, data: Path, workers: int) -> None:
        """Make the films that are not there yet."""
        config = self._config
        train, held_out = data / "train", data / "held_out"
        films = config.films.scenes * config.films.views
        write_shards(train, SceneFilms(config.films, 0), config.shards, films, workers)
        later = SceneFilms(config.films, config.shards)
        write_shards(held_out, later, config.held_out_shards, films, workers)
        self._folders = train, held_out

    def model(self) -> nn.Module:
        """Return a new network; with data it knows where wrists are in it."""
        net = LiftingNetwork(self._config.network)
        if self._folders is None:
            return net
        windows = Windows(Shards(self._prepared[0], 0), self._config.network.frames, 0)
        batch = windows.batch(0, _STATISTICS)
        wrists = torch.from_numpy(batch[WRIST_M][batch[KNOWN]])
        net.wrist_mean_m.copy_(wrists.mean(0))
        net.wrist_std_m.copy_(wrists.std(0))
        return net

    def source(self, seed: int) -> BatchSource:
        """Return training windows of shuffled films."""
        films = Shards(self._prepared[0], seed)
        return Windows(films, self._config.network.frames, seed, self._config.windows)

    def loss(self, model: nn.Module, batch: Batch, moment: Moment) -> Mapping[str, Term]:
        """Return the terms, each the mean over frames and hands that count."""
        net, config = _network(model), self._config
        truth = Hands(batch[ROTATIONS], batch[WRIST_M])
        x0 = two_row_vector_from_hands(truth, net.scale)
        step = torch.randint(
            net.diffusion.steps, (len(x0),), generator=moment.rng, device=x0.device
        )
        noise = torch.randn(x0.shape, generator=moment.rng, device=x0.device)
        tokens = net.embed({name: batch[name] for name in net.config.conditions})
        tokens = drop_tokens(tokens, config.drop, moment.rng)
        found = net(net.diffusion.q_sample(x0, step, noise), step, tokens, batch[MASK])
        # Rotations are built in full precision whatever the network computes in.
        with torch.autocast(x0.device.type, enabled=False):
            return self._terms(net, found.float(), x0, truth, batch[KNOWN])

    def _terms(
        self,
        net: LiftingNetwork,
        found: Float[Tensor, "b t 198"],
        x0: Float[Tensor, "b t 198"],
        truth: Hands,
        known: Bool[Tensor, "b t 2"],
    ) -> dict[str, Term]:
        config = self._config
        off = (found - x0).square()
        rows = off[..., :192].reshape(*off.shape[:-1], 2, 16, 6)
        places = off[..., 192:].reshape(*off.shape[:-1], 2, 3)
        hands = hands_from_two_row_vector(found, net.scale)
        matrices = (hands.rotations - truth.rotations).square()
        made, wanted = (keypoints_from_hands(self._chain(x0), h) for h in (hands, truth))
        local = made - hands.wrist_m[..., None, :] - wanted + truth.wrist_m[..., None, :]
        space = (hands.wrist_m - truth.wrist_m) / _HAND_M
        return {
            "wrist": Term(masked_mean(rows[..., 0, :], known)),
            "fingers": Term(masked_mean(rows[..., 1:, :], known)),
            "place": Term(masked_mean(places, known)),
            "matrix": Term(masked_mean(matrices, known), config.matrix_weight),
            "joints": Term(masked_mean((local / _HAND_M).square(), known), config.joints_weight),
            "space": Term(masked_mean(space.square(), known), config.space_weight),
        }

    def evaluate(self, model: nn.Module, rng: torch.Generator) -> Mapping[str, float]:
        """Return held-out figures: mean distances of keypoints over windows.

        ``mpjpe_mm``: in the frame of the first camera; ``ra_mpjpe_mm``: relative to the wrist;
        ``one_step_mpjpe_mm``: the first of a single denoising step; ``mean_mpjpe_mm``: of the
        mean motion of these windows, which knows nothing. All on the mean hand.
        """
        net = _network(model)
        device = net.wrist_mean_m.device
        batch = {name: value.to(device) for name, value in self._held_out.items()}
        told: dict[str, Tensor] = {name: batch[name] for name in WIDTHS}
        truth = Hands(batch[ROTATIONS], batch[WRIST_M])
        last = net.diffusion.steps - 1
        many, one = (
            hands_from_two_row_vector(net.sample(told, spaced_steps(last, n), rng), net.scale)
            for n in (self._config.evaluation_steps, 1)
        )
        x0 = two_row_vector_from_hands(truth, net.scale)
        usual = hands_from_two_row_vector(x0.mean((0, 1)).expand_as(x0), net.scale)
        mpjpe, relative = self._distances(many, truth, batch[KNOWN])
        return {
            "mpjpe_mm": mpjpe,
            "ra_mpjpe_mm": relative,
            "one_step_mpjpe_mm": self._distances(one, truth, batch[KNOWN])[0],
            "mean_mpjpe_mm": self._distances(usual, truth, batch[KNOWN])[0],
        }

    def _distances(
        self, made: Hands, truth: Hands, known: Bool[Tensor, "b t 2"]
    ) -> tuple[float, float]:
        """Mean distance of keypoints (mm), in space and relative to the wrist."""
        chain = self._chain(truth.wrist_m)
        points, wanted = (keypoints_from_hands(chain, hands) for hands in (made, truth))
        off = points - wanted
        local = off - (made.wrist_m - truth.wrist_m)[..., None, :]
        space, relative = (1e3 * float(masked_mean(o.norm(dim=-1), known)) for o in (off, local))
        return space, relative

    def _chain(self, like: Tensor) -> HandChain:
        return self._mean_hand.to(like.device)

    @cached_property
    def _mean_hand(self) -> HandChain:
        return HandChain(builtin_hand().with_shape())

    @property
    def _prepared(self) -> tuple[Path, Path]:
        if self._folders is None:
            raise TrainingError("prepare() comes before the data is asked for")
        return self._folders

    @cached_property
    def _held_out(self) -> dict[str, Tensor]:
        films = Shards(self._prepared[1], shuffle=False)
        windows = Windows(films, self._config.network.frames, 1)
        batch = windows.batch(0, self._config.evaluation_windows)
        return {name: torch.from_numpy(value) for name, value in batch.items()}


def _network(model: nn.Module) -> LiftingNetwork:
    if not isinstance(model, LiftingNetwork):
        raise TypeError(f"expected a LiftingNetwork, got a {type(model).__name__}")
    return model
