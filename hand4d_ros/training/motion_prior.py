"""Trains HMP's motion prior on hands of our worlds, judged against PCA and a Gaussian mixture.

A sample on disk is one hand of one scene over its whole length; a batch takes a random clip out
of each. The encoder sees a spoilt copy of the clip: errors that last, as those of detectors do,
and gaps filled in by straight lines. It learns the distribution of the true motion given that,
which is what a fit starts from and holds on to (Eq. 9). The paper shows it clean motion.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from hand4d_ros.errors import TrainingError
from hand4d_ros.nn.hand_chain import HandChain
from hand4d_ros.nn.rotations import angle_between
from hand4d_ros.settings import check
from hand4d_ros.shapes import Array, Bool, Float
from hand4d_ros.tracking.priors.base import FRAMES, RATE_HZ
from hand4d_ros.tracking.priors.hmp_config import MotionVaeConfig
from hand4d_ros.tracking.priors.hmp_network import Code, MotionVae, divergence
from hand4d_ros.training.data import Arrays, BatchSource
from hand4d_ros.training.motion_noise import SpoiltConfig, spoilt
from hand4d_ros.training.seeds import DATA, numpy_rng
from hand4d_ros.training.shards import Shards, write_shards
from hand4d_ros.training.task import Batch, Moment, Task, Term

FIELD = "angles_rad"
_ANGLES = 22


@dataclass(frozen=True)
class MotionPriorTaskConfig:
    """What to train on and how to judge."""

    shards: int = field(default=8, metadata={"min": 1})
    """Files of training data."""
    held_out_shards: int = field(default=1, metadata={"min": 1})
    """Further ones to judge by."""
    scenes: int = field(default=16, metadata={"min": 1})
    """Synthetic scenes in a file, each of two hands."""
    seconds: float = field(default=20.0, metadata={"min": 5.0, "max": 600.0})
    """Length of a scene."""
    things: int = field(default=4, metadata={"min": 0, "max": 6})
    """Things on the table of a scene, to be grasped."""
    data_seed: int = field(default=0, metadata={"min": 0})
    """Of the scenes."""
    pace: float = field(default=1.3, metadata={"min": 1.0, "max": 3.0})
    """Clips run up to so many times as fast or as slow as the hands of the scenes."""
    times: int = field(default=40, metadata={"min": 2, "max": 128})
    """Frames of a clip that a step's loss looks at, with their neighbours."""
    rotation_weight: float = field(default=1.0, metadata={"min": 0.0})
    """Of the geodesic error (rad), as in the paper."""
    position_weight: float = field(default=10.0, metadata={"min": 0.0})
    """Of the absolute error of the joints (m, times 100), 10 in the paper."""
    velocity_weight: float = field(default=2.0, metadata={"min": 0.0})
    """Of the absolute error of the joints' steps from frame to frame (m, times 1000)."""
    kl_weight: float = field(default=1e-3, metadata={"min": 0.0})
    """Of the divergence from the standard normal (nats a clip)."""
    kl_warmup: float = field(default=0.1, metadata={"min": 0.0, "max": 1.0})
    """Share of the steps in which that weight rises."""
    spoilt: SpoiltConfig = field(default_factory=SpoiltConfig)
    """What the encoder sees."""
    network: MotionVaeConfig = field(default_factory=MotionVaeConfig)
    """Size of the network."""

    def __post_init__(self) -> None:
        """Reject values out of range."""
        check(self)


class SceneMotions:
    """Batches of whole motions: the right and the left hand of one scene after the other."""

    def __init__(self, config: MotionPriorTaskConfig, first: int) -> None:
        """Keep what scenes to make.

        Args:
            config: Of the task.
            first: Number of the first batch.
        """
        self._config = config
        self._first = first
        self.description: Mapping[str, object] = {
            "made": "angles of both hands of synthetic scenes over time",
            "first_batch": first,
            "seconds": config.seconds,
            "rate_hz": RATE_HZ,
            "things": config.things,
            "seed": config.data_seed,
        }

    def batch(self, number: int, size: int) -> dict[str, Array]:
        """Return so many motions, those of left hands as those of right ones."""
        # Planning scenes takes scipy; training on finished shards does without.
        from hand4d_ros.synthetic.scene import SceneConfig, build_scene

        config = self._config
        t_s = np.arange(round(config.seconds * RATE_HZ)) / RATE_HZ
        motions: list[Array] = []
        while len(motions) < size:
            words = [config.data_seed, self._first + number, len(motions)]
            seed = int(np.random.SeedSequence(words).generate_state(1, np.uint32)[0])
            scene = build_scene(
                SceneConfig(seed=seed, seconds=config.seconds, things=config.things)
            )
            motions += [hand.at(t_s).angles_rad for hand in scene.hands.values()]
        return {FIELD: np.stack(motions[:size]).astype(np.float32)}


class Clips:
    """Batches of clips: one of each motion, at a random time and pace."""

    def __init__(self, motions: Shards, seed: int, pace: float = 1.0) -> None:
        """Keep where clips come from.

        Args:
            motions: Whole ones.
            seed: Of the times.
            pace: Clips run up to so many times as fast or as slow as the motions.
        """
        self._motions = motions
        self._seed = seed
        self._pace = pace

    @property
    def description(self) -> Mapping[str, object]:
        """What the motions are."""
        return self._motions.description

    def batch(self, number: int, size: int) -> Arrays:
        """Return the clips that belong to a number."""
        whole = self._motions.batch(number, size)[FIELD]
        rng = numpy_rng(self._seed, DATA, number)
        pace = self._pace ** rng.uniform(-1.0, 1.0, size)
        starts = rng.uniform(0.0, whole.shape[1] - 1 - pace * (FRAMES - 1))
        places = starts[:, None] + pace[:, None] * np.arange(FRAMES)
        if self._pace == 1.0:
            places = np.round(places)
        before = np.minimum(places.astype(int), whole.shape[1] - 2)[:, :, None]
        share = (places[:, :, None] - before).astype(np.float32)
        first, second = (np.take_along_axis(whole, before + step, axis=1) for step in (0, 1))
        return {FIELD: first + share * (second - first)}


class MotionPriorTask(Task):
    """The motion prior: reconstruction of rotations, positions and steps, plus divergence."""

    objective = "infill_mm"

    def __init__(self, config: MotionPriorTaskConfig) -> None:
        """Keep what to train.

        Args:
            config: Of the task.
        """
        self._config = config
        self._folders: tuple[Path, Path] | None = None

    @property
    def config(self) -> MotionPriorTaskConfig:
        """What to train on and how to judge."""
        return self._config

    @property
    def network_config(self) -> MotionVaeConfig:
        """Size of the network."""
        return self._config.network

    def prepare(self, data: Path, workers: int) -> None:
        """Make the scenes that are not there yet and keep their motions."""
        config = self._config
        train, held_out = data / "train", data / "held_out"
        motions = 2 * config.scenes
        write_shards(train, SceneMotions(config, 0), config.shards, motions, workers)
        later = SceneMotions(config, config.shards)
        write_shards(held_out, later, config.held_out_shards, motions, workers)
        self._folders = train, held_out

    def model(self) -> nn.Module:
        """Return a new network; with data it knows the spread of the features in it."""
        vae = MotionVae(self._config.network)
        if self._folders is None:
            return vae
        clips = Clips(Shards(self._prepared[0], 0), 0).batch(0, 256)[FIELD]
        features = vae.features(vae.chain.rotations_from_angles(torch.from_numpy(clips)))
        vae.feature_mean.copy_(features.mean((0, 1)))
        std = features.std((0, 1))
        # The wrist's features never change; dividing by their spread would make noise of them.
        vae.feature_std.copy_(torch.where(std < 1e-4, torch.ones_like(std), std))
        return vae

    def source(self, seed: int) -> BatchSource:
        """Return training clips at random times of shuffled motions."""
        return Clips(Shards(self._prepared[0], seed), seed, self._config.pace)

    def loss(self, model: nn.Module, batch: Batch, moment: Moment) -> Mapping[str, Term]:
        """Return the terms: degrees, centimetres and millimetres a frame are of order one."""
        vae, config = _vae(model), self._config
        angles = batch[FIELD]
        truth = vae.chain.rotations_from_angles(angles)
        given, seen = spoilt(angles, config.spoilt, moment.rng)
        code = vae.encode(vae.chain.rotations_from_angles(given), seen)
        noise = torch.randn(code.mean.shape, generator=moment.rng, device=angles.device)
        latent = code.mean + torch.exp(0.5 * code.log_variance) * noise
        rotation, position, velocity = _errors(vae, latent, truth, config.times // 2, moment.rng)
        rising = min(1.0, (moment.step + 1) / max(config.kl_warmup * moment.steps, 1.0))
        return {
            "rotation": Term(rotation, config.rotation_weight),
            "position": Term(100.0 * position, 0.1 * config.position_weight),
            "velocity": Term(1000.0 * velocity, 0.1 * config.velocity_weight),
            "divergence": Term(divergence(code).mean(), rising * config.kl_weight),
        }

    def evaluate(self, model: nn.Module, rng: torch.Generator) -> Mapping[str, float]:
        """Return held-out figures.

        ``reconstruct_mm`` and ``reconstruct_mm_s2``: mean distance of the keypoints and of their
        accelerations of clean motion through the code and back; ``infill_mm`` and
        ``infill_mm_s2``: the same in gaps of a spoilt motion, by the code's mean alone;
        ``divergence``: nats a clip; ``latent_std``: of the means of clean clips.
        """
        vae = _vae(model)
        angles = torch.from_numpy(self._held_out)
        truth = vae.chain.rotations_from_angles(angles)
        everything = torch.ones(truth.shape[:2], dtype=torch.bool)
        clean = vae.encode(truth, everything)
        given, seen = spoilt(angles, self._config.spoilt, rng)
        repaired = vae.encode(vae.chain.rotations_from_angles(given), seen)
        figures = {f"reconstruct_{k}": v for k, v in _figures(vae, clean, truth, seen).items()}
        figures |= {f"infill_{k}": v for k, v in _figures(vae, repaired, truth, ~seen).items()}
        return {
            **figures,
            "divergence": float(divergence(repaired).mean()),
            "latent_std": float(clean.mean.std()),
        }

    @property
    def _prepared(self) -> tuple[Path, Path]:
        if self._folders is None:
            raise TrainingError("prepare() comes before the data is asked for")
        return self._folders

    @cached_property
    def _held_out(self) -> Float[Array, "n f 22"]:
        shards = Shards(self._prepared[1], shuffle=False)
        parts = [Clips(shards, 1).batch(i, len(shards))[FIELD] for i in range(2)]
        return np.concatenate(parts)


def _errors(
    vae: MotionVae,
    latent: Float[Tensor, "b z"],
    truth: Float[Tensor, "b f 15 3 3"],
    pairs: int,
    rng: torch.Generator,
) -> tuple[Tensor, Tensor, Tensor]:
    """Mean errors of rotations (rad), positions (m) and steps (m) at random pairs of frames."""
    first = torch.randperm(FRAMES - 1, generator=rng, device=latent.device)[:pairs]
    frames = torch.cat((first, first + 1))
    turned = vae.turned(latent, frames / FRAMES)
    wanted = vae.chain.global_rotations(truth[:, frames])
    off = vae.chain.points(turned) - vae.chain.points(wanted)
    step = off[:, pairs:] - off[:, :pairs]
    return angle_between(turned, wanted).mean(), off.abs().mean(), step.abs().mean()


def _figures(
    vae: MotionVae, code: Code, truth: Float[Tensor, "b f 15 3 3"], where: Bool[Tensor, "b f"]
) -> dict[str, float]:
    """Distances of keypoints (mm) and of their accelerations (mm/s^2) in some frames."""
    times = torch.arange(FRAMES, device=truth.device) / FRAMES
    return motion_figures(vae.chain, vae.decode(code.mean, times), truth, where)


def motion_figures(
    chain: HandChain,
    made: Float[Tensor, "b f 15 3 3"],
    truth: Float[Tensor, "b f 15 3 3"],
    where: Bool[Tensor, "b f"],
) -> dict[str, float]:
    """Compare motions in some frames.

    Args:
        chain: The hand that is posed.
        made: What is judged.
        truth: What it should be.
        where: Frames that count.

    Returns:
        ``mm``: mean distance of the keypoints; ``mm_s2``: of their accelerations.
    """
    off = (chain.keypoints(made) - chain.keypoints(truth)).double()
    bend = (off[:, 2:] - 2.0 * off[:, 1:-1] + off[:, :-2]) * RATE_HZ**2
    return {
        "mm": 1e3 * float(off.detach().norm(dim=-1)[where].mean()),
        "mm_s2": 1e3 * float(bend.detach().norm(dim=-1)[where[:, 1:-1]].mean()),
    }


def _vae(model: nn.Module) -> MotionVae:
    if not isinstance(model, MotionVae):
        raise TypeError(f"expected a MotionVae, got a {type(model).__name__}")
    return model
