"""How to train: everything about a run that is not about the network or its data."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

from hand4d_ros.errors import ConfigError
from hand4d_ros.settings import check

Precision = Literal["float32", "bfloat16", "float16"]
Schedule = Literal["constant", "cosine", "linear"]


@dataclass(frozen=True)
class TrainConfig:
    """How to train; the same for every task.

    A step takes ``micro_batches`` batches of ``batch_size`` samples and averages their gradients.
    Several processes share the micro-batches of a step, so a run does not depend on their number.
    """

    seed: int = field(default=0, metadata={"min": 0})
    """Of initial weights, data and noise. Same seed, same run."""
    max_steps: int = field(default=10_000, metadata={"min": 1})
    """Steps of the whole run; the learning rate's schedule ends here."""
    max_seconds: float = field(default=0.0, metadata={"min": 0.0})
    """Time after which this session saves and ends, to be resumed (s); 0 has no limit."""
    batch_size: int = field(default=64, metadata={"min": 1})
    """Samples in one micro-batch."""
    micro_batches: int = field(default=1, metadata={"min": 1})
    """Micro-batches in one step, over all processes."""
    workers: int = field(default=0, metadata={"min": 0, "max": 256})
    """Processes that make batches; 0 makes them in the training process. Changes no number."""
    learning_rate: float = field(default=1e-3, metadata={"min": 0.0, "max": 10.0})
    """Largest learning rate of the optimiser (AdamW)."""
    schedule: Schedule = "cosine"
    """Course of the learning rate after the warm-up."""
    warmup_steps: int = field(default=100, metadata={"min": 0})
    """Steps in which the learning rate rises linearly."""
    final_share: float = field(default=0.01, metadata={"min": 0.0, "max": 1.0})
    """Share of the learning rate at the last step."""
    weight_decay: float = field(default=0.0, metadata={"min": 0.0, "max": 10.0})
    """Decoupled decay of matrices; vectors, such as biases and norms, have none."""
    beta1: float = field(default=0.9, metadata={"min": 0.0, "max": 0.9999})
    """Decay of the optimiser's mean gradient."""
    beta2: float = field(default=0.999, metadata={"min": 0.0, "max": 0.99999})
    """Decay of the optimiser's mean squared gradient."""
    clip_norm: float = field(default=1.0, metadata={"min": 0.0})
    """Largest norm of the gradient of a step; 0 clips nothing. The norm is always reported."""
    ema_decay: float = field(default=0.999, metadata={"min": 0.0, "max": 0.999999})
    """Of the running mean of the weights, which is evaluated and packed; 0 has the last ones."""
    precision: Precision = "float32"
    """Of the arithmetic inside the network; float16 needs a GPU."""
    device: str = "auto"
    """``cpu``, ``cuda``, ``cuda:1``…; auto takes a GPU where there is one."""
    log_every: int = field(default=20, metadata={"min": 1})
    """Steps between two lines of metrics."""
    evaluate_every: int = field(default=500, metadata={"min": 0})
    """Steps between two evaluations; 0 evaluates at the end only."""
    checkpoint_every: int = field(default=500, metadata={"min": 0})
    """Steps between two checkpoints; 0 saves when the session ends only."""
    keep_last: int = field(default=2, metadata={"min": 1})
    """Newest checkpoints that are kept, besides the best one."""
    curve: bool = True
    """Draw the course of the metrics with checkpoints, every half minute at most."""

    def __post_init__(self) -> None:
        """Reject values out of range and a warm-up that never ends."""
        check(self)
        if self.warmup_steps >= self.max_steps and self.schedule != "constant":
            raise ConfigError(
                f"warmup_steps is {self.warmup_steps}; give less than max_steps ({self.max_steps})"
            )


IDENTITY = ("seed", "batch_size", "micro_batches")
"""Settings that a run cannot change on its way: they decide which sample comes when."""
