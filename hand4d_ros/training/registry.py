"""What can be trained, by name. A new trainable is one module and one entry here.

Importing this imports no network and no PyTorch; an entry's ``load`` does.
"""

from __future__ import annotations

import difflib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from hand4d_ros.errors import ConfigError
from hand4d_ros.training.config import TrainConfig

if TYPE_CHECKING:
    from hand4d_ros.training.task import Task


@dataclass(frozen=True)
class Recipe:
    """How something is trained unless told otherwise."""

    task: Callable[[Any], Task]
    """Makes the task of its config."""
    task_config: Any
    """A frozen dataclass."""
    train: TrainConfig


@dataclass(frozen=True)
class Trainable:
    """One entry."""

    summary: str
    """One line for the list."""
    load: Callable[[], Recipe]
    """Imports it."""


def _pose_prior() -> Recipe:
    from hand4d_ros.training.pose_prior import PosePriorTask, PosePriorTaskConfig

    return Recipe(
        PosePriorTask,
        PosePriorTaskConfig(),
        TrainConfig(
            max_steps=4000,
            batch_size=512,
            learning_rate=2e-3,
            clip_norm=50.0,
            log_every=50,
            evaluate_every=500,
            checkpoint_every=1000,
        ),
    )


def _motion_prior() -> Recipe:
    from hand4d_ros.training.motion_prior import MotionPriorTask, MotionPriorTaskConfig

    return Recipe(
        MotionPriorTask,
        MotionPriorTaskConfig(),
        TrainConfig(
            max_steps=2500,
            batch_size=32,
            learning_rate=1.5e-3,
            clip_norm=1.0,
            ema_decay=0.995,
            log_every=25,
            evaluate_every=250,
            checkpoint_every=250,
        ),
    )


def _lifting() -> Recipe:
    from hand4d_ros.training.lifting import LiftingTask, LiftingTaskConfig

    return Recipe(
        LiftingTask,
        LiftingTaskConfig(),
        TrainConfig(
            max_steps=8000,
            batch_size=64,
            learning_rate=4e-4,
            warmup_steps=400,
            clip_norm=1.0,
            ema_decay=0.998,
            log_every=50,
            evaluate_every=500,
            checkpoint_every=500,
        ),
    )


TRAINABLES: Mapping[str, Trainable] = {
    "pose_prior": Trainable(
        "which angles of a hand go together (VAE of single poses)", _pose_prior
    ),
    "motion_prior": Trainable("how hands move: HMP's VAE over 128 frames", _motion_prior),
    "lifting": Trainable("2D keypoints and camera poses to 4D hands (ForeHand4D's L)", _lifting),
}
"""Every trainable by name."""


def find_trainable(name: str, trainables: Mapping[str, Trainable] = TRAINABLES) -> Trainable:
    """Return an entry.

    Args:
        name: Its name.
        trainables: Where to look.

    Raises:
        ConfigError: There is none of this name.
    """
    if name not in trainables:
        close = difflib.get_close_matches(name, trainables, n=1)
        known = ", ".join(trainables) or "none"
        hint = f"did you mean {close[0]!r}?" if close else f"there are: {known}"
        raise ConfigError(f"there is nothing to train called {name!r}; {hint}")
    return trainables[name]
