"""The learning rate as a function of the step, so that resuming needs no state."""

from __future__ import annotations

import math

from hand4d_ros.training.config import TrainConfig


def rate_share(step: int, config: TrainConfig) -> float:
    """Return the share of the full learning rate that a step has.

    Rises as (step + 1) / warm-up, so that the first step is not lost. Then it stays, falls
    linearly, or falls as half a cosine (Loshchilov and Hutter, "SGDR", ICLR 2017, without
    restarts), to ``final_share`` at the last step.

    Args:
        step: From 0.
        config: Names the schedule.
    """
    if step < config.warmup_steps:
        return (step + 1) / config.warmup_steps
    if config.schedule == "constant":
        return 1.0
    last = max(config.max_steps - 1 - config.warmup_steps, 1)
    done = min((step - config.warmup_steps) / last, 1.0)
    course = 1.0 - done if config.schedule == "linear" else 0.5 * (1.0 + math.cos(math.pi * done))
    return config.final_share + (1.0 - config.final_share) * course
