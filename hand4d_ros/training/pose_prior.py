"""Trains the pose prior on hands of our worlds, judged against a normal distribution.

Poses are taken from whole synthetic scenes: gestures, grasps of things, rest and everything in
between. A scene is either trained on or held out, never both. The baseline is the normal
distribution of 22 angles with full covariance, which is what fits of hand poses regularise with.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

import numpy as np
import torch
from torch import nn

from hand4d_ros.errors import TrainingError
from hand4d_ros.nn.pose_prior import ANGLES, PosePrior, PosePriorConfig, divergence
from hand4d_ros.settings import check
from hand4d_ros.shapes import Array, Float
from hand4d_ros.training.data import Arrays, BatchSource
from hand4d_ros.training.shards import Shards, write_shards
from hand4d_ros.training.task import Batch, Moment, Task, Term

_FIELD = "angles_rad"
_BASELINE_STD_RAD = np.deg2rad(0.5)
"""Added to the baseline's covariance, which else is singular for few poses."""


@dataclass(frozen=True)
class PosePriorTaskConfig:
    """What to train on and how to judge."""

    scenes: int = field(default=320, metadata={"min": 1})
    """Synthetic scenes to train on."""
    held_out_scenes: int = field(default=32, metadata={"min": 1})
    """Further ones to judge by."""
    seconds: float = field(default=20.0, metadata={"min": 1.0, "max": 600.0})
    """Length of a scene."""
    things: int = field(default=4, metadata={"min": 0, "max": 6})
    """Things on the table of a scene, to be grasped."""
    poses: int = field(default=400, metadata={"min": 2})
    """Taken from a scene, at random times of both hands."""
    data_seed: int = field(default=0, metadata={"min": 0})
    """Of the scenes."""
    kl_weight: float = field(default=1.0, metadata={"min": 0.0})
    """Of the divergence; 1 is the evidence bound."""
    evaluation_samples: int = field(default=32, metadata={"min": 1})
    """Latents drawn for each held-out pose."""
    network: PosePriorConfig = field(default_factory=PosePriorConfig)
    """Size of the network."""

    def __post_init__(self) -> None:
        """Reject values out of range."""
        check(self)


class ScenePoses:
    """Batches of poses, each from one scene: batch ``i`` from scene ``first + i``."""

    def __init__(self, config: PosePriorTaskConfig, first: int) -> None:
        """Keep what scenes to make.

        Args:
            config: Of the task.
            first: Number of the first scene.
        """
        self._config = config
        self._first = first
        self.description: Mapping[str, object] = {
            "made": "angles of both hands in synthetic scenes",
            "first_scene": first,
            "seconds": config.seconds,
            "things": config.things,
            "seed": config.data_seed,
        }

    def batch(self, number: int, size: int) -> dict[str, Array]:
        """Return poses of a scene, half of them of each hand, as those of a right hand."""
        # Planning scenes takes scipy; training on finished shards does without.
        from hand4d_ros.synthetic.scene import SceneConfig, build_scene

        config = self._config
        words = [config.data_seed, self._first + number]
        seed = int(np.random.SeedSequence(words).generate_state(1, np.uint32)[0])
        scene = build_scene(SceneConfig(seed=seed, seconds=config.seconds, things=config.things))
        rng = np.random.default_rng(seed)
        times_s = np.sort(rng.uniform(0.0, config.seconds, size))
        angles = np.empty((size, ANGLES), dtype=np.float32)
        for index, hand in enumerate(scene.hands.values()):
            mine = slice(index, None, len(scene.hands))
            angles[mine] = hand.at(times_s[mine]).angles_rad
        return {_FIELD: angles}


class PosePriorTask(Task):
    """The pose prior: reconstruction plus divergence."""

    objective = "nll"

    def __init__(self, config: PosePriorTaskConfig) -> None:
        """Keep what to train.

        Args:
            config: Of the task.
        """
        self._config = config
        self._folders: tuple[Path, Path] | None = None

    @property
    def config(self) -> PosePriorTaskConfig:
        """What to train on and how to judge."""
        return self._config

    @property
    def network_config(self) -> PosePriorConfig:
        """Size of the network."""
        return self._config.network

    def prepare(self, data: Path, workers: int) -> None:
        """Make the scenes that are not there yet and keep their poses."""
        config = self._config
        train, held_out = data / "train", data / "held_out"
        write_shards(train, ScenePoses(config, 0), config.scenes, config.poses, workers)
        later = ScenePoses(config, config.scenes)
        write_shards(held_out, later, config.held_out_scenes, config.poses, workers)
        self._folders = train, held_out

    def model(self) -> nn.Module:
        """Return a new network."""
        return PosePrior(self._config.network)

    def source(self, seed: int) -> BatchSource:
        """Return the training poses, shuffled."""
        return Shards(self._prepared[0], seed)

    def loss(self, model: nn.Module, batch: Batch, moment: Moment) -> Mapping[str, Term]:
        """Return the two terms of the negative evidence bound (nats a pose)."""
        prior = _prior(model)
        poses = batch[_FIELD]
        code = prior.encode(poses)
        noise = torch.randn(
            code.mean.shape, generator=moment.rng, device=poses.device, dtype=code.mean.dtype
        )
        latent = code.mean + torch.exp(code.log_std) * noise
        return {
            "reconstruction": Term(-prior.log_likelihood(poses, latent).mean()),
            "divergence": Term(divergence(code).mean(), self._config.kl_weight),
        }

    def evaluate(self, model: nn.Module, rng: torch.Generator) -> Mapping[str, float]:
        """Return held-out figures.

        ``nll``: upper bound of the negative log-likelihood (nats a pose, density over radians);
        ``gaussian_nll``: the exact one of the baseline; ``gain``: their difference;
        ``reconstruction_deg``: root mean square over angles of a pose through its code and back.
        """
        prior = _prior(model)
        held_out = torch.from_numpy(self._held_out).to(prior.centre_rad)
        evidence = prior.log_evidence(held_out, self._config.evaluation_samples, rng)
        nll = -float(evidence.double().mean())
        off = (prior.project(held_out) - held_out).double()
        return {
            "nll": nll,
            "gaussian_nll": self._gaussian_nll,
            "gain": self._gaussian_nll - nll,
            "reconstruction_deg": math.degrees(float(off.square().mean().sqrt())),
        }

    @property
    def _prepared(self) -> tuple[Path, Path]:
        if self._folders is None:
            raise TrainingError("prepare() comes before the data is asked for")
        return self._folders

    @cached_property
    def _held_out(self) -> Float[Array, "n 22"]:
        return _all(Shards(self._prepared[1], shuffle=False))

    @cached_property
    def _gaussian_nll(self) -> float:
        return gaussian_nll(_all(Shards(self._prepared[0], shuffle=False)), self._held_out)


def gaussian_nll(fitted: Float[Array, "n d"], judged: Float[Array, "m d"]) -> float:
    """Return the mean negative log-likelihood (nats) under a fitted normal distribution.

    Args:
        fitted: Samples that mean and covariance are taken from.
        judged: Samples that are judged.
    """
    fitted, judged = np.asarray(fitted, np.float64), np.asarray(judged, np.float64)
    mean = fitted.mean(0)
    deviations = fitted - mean
    covariance = deviations.T @ deviations / len(fitted)
    covariance += _BASELINE_STD_RAD**2 * np.eye(len(mean))
    factor = np.linalg.cholesky(covariance)
    z = np.linalg.solve(factor, (judged - mean).T)
    log_volume = np.log(np.diag(factor)).sum() + 0.5 * len(mean) * math.log(2.0 * math.pi)
    return float(0.5 * np.square(z).sum(0).mean() + log_volume)


def _all(shards: Shards) -> Float[Array, "n 22"]:
    found: Arrays = shards.rows(np.arange(len(shards)))
    return found[_FIELD]


def _prior(model: nn.Module) -> PosePrior:
    if not isinstance(model, PosePrior):
        raise TypeError(f"expected a PosePrior, got a {type(model).__name__}")
    return model
