"""One session of a run: its clock, what it last measured and what it already wrote."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any

from hand4d_ros.training.config import TrainConfig
from hand4d_ros.training.interruption import Interruption
from hand4d_ros.training.progress import Progress
from hand4d_ros.training.state import TrainState

_DRAW_EVERY_S = 30.0


class Session:
    """What belongs to one call of ``run``."""

    def __init__(
        self,
        state: TrainState,
        recipe: Mapping[str, Any],
        interruption: Interruption,
        shown: Progress,
        config: TrainConfig,
    ) -> None:
        """Start the clock.

        Args:
            state: Of the run.
            recipe: Of the run, for checkpoints.
            interruption: Hears signals.
            shown: Shows progress.
            config: Of the run.
        """
        self.state = state
        self.recipe = recipe
        self.interruption = interruption
        self.shown = shown
        self.figures: dict[str, float] = {}
        self.evaluated_at = -1
        # A resumed state is on the disk already.
        self.saved_at = state.step or -1
        self.last_loss = float("nan")
        self._config = config
        self._before_s = state.seconds
        self._began_s = time.monotonic()
        self._drawn_s = self._began_s
        self._window: list[dict[str, float]] = []
        self._window_began_s = self._began_s

    @property
    def seconds(self) -> float:
        """Spent training so far, earlier sessions counted in."""
        return self._before_s + time.monotonic() - self._began_s

    @property
    def is_over(self) -> bool:
        """Whether the session's time is up."""
        limit = self._config.max_seconds
        return limit > 0.0 and time.monotonic() - self._began_s >= limit

    @property
    def may_draw(self) -> bool:
        """Whether the last picture is some time ago."""
        return time.monotonic() - self._drawn_s >= _DRAW_EVERY_S

    def note_drawing(self) -> None:
        """Note that a picture is drawn now."""
        self._drawn_s = time.monotonic()

    def add(self, metrics: dict[str, float]) -> None:
        """Keep the metrics of a step."""
        losses = (v for name, v in metrics.items() if name.rpartition("/")[2] == "loss")
        self.last_loss = next(losses, self.last_loss)
        self._window.append(metrics)

    def means(self) -> dict[str, float]:
        """Return the means since the last call, and how many samples a second went through."""
        names = {name: None for metrics in self._window for name in metrics}
        means = {}
        for name in names:
            values = [metrics[name] for metrics in self._window if name in metrics]
            means[name] = sum(values) / len(values)
        now_s = time.monotonic()
        samples = len(self._window) * self._config.batch_size * self._config.micro_batches
        means["samples_per_s"] = round(samples / max(now_s - self._window_began_s, 1e-9), 1)
        self._window, self._window_began_s = [], now_s
        return means
