"""The training loop that every network of this project goes through."""

from __future__ import annotations

import signal
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import torch
from torch import Tensor

from hand4d_ros.errors import ConfigError, TrainingError
from hand4d_ros.training.checkpoints import Checkpoint, CheckpointFolder
from hand4d_ros.training.config import TrainConfig
from hand4d_ros.training.data import BatchSource, batches
from hand4d_ros.training.interruption import Interruption
from hand4d_ros.training.log import EVALUATION, TRAINING, MetricsLog, draw_curve
from hand4d_ros.training.processes import Alone, Processes, micro_batch_numbers
from hand4d_ros.training.progress import progress
from hand4d_ros.training.recipe import check_same, note_session, recipe_of
from hand4d_ros.training.seeds import EVALUATION as EVALUATION_SEED
from hand4d_ros.training.seeds import WEIGHTS, torch_rng
from hand4d_ros.training.session import Session
from hand4d_ros.training.state import TrainState, new_state
from hand4d_ros.training.stepper import Numbered, Stepper
from hand4d_ros.training.task import Batch, Task

CHECKPOINTS = "checkpoints"
METRICS = "metrics.jsonl"
CURVE = "curve.png"


@dataclass(frozen=True)
class TrainResult:
    """How a session ended."""

    step: int
    """Steps that are done."""
    reason: Literal["done", "time", "signal"]
    """All steps, the session's time is up, or a signal came."""
    figures: Mapping[str, float]
    """Of the last evaluation of this session; empty where there was none."""
    checkpoint: Path
    """The newest."""
    signal: signal.Signals | None = None
    """Which one came."""


class Trainer:
    """Trains one task into one folder.

    The folder gets ``run.json`` (recipe and sessions), ``metrics.jsonl``, ``curve.png`` and
    ``checkpoints/``.
    """

    def __init__(
        self,
        task: Task,
        config: TrainConfig,
        folder: Path,
        *,
        name: str = "run",
        data: Path | None = None,
        processes: Processes | None = None,
    ) -> None:
        """Keep what to train; nothing is read or written yet.

        Args:
            task: What to train.
            config: How.
            folder: Of the run.
            name: Of what is trained, for titles and cards.
            data: Folder for the task's data; None is ``data`` in the run's folder.
            processes: That train together; None is this one alone.

        Raises:
            ConfigError: The device is not there or cannot do the precision.
        """
        self._task = task
        self._config = config
        self._folder = folder
        self._name = name
        self._data = folder / "data" if data is None else data
        self._processes: Processes = Alone() if processes is None else processes
        self._device = chosen_device(config)
        self._checkpoints = CheckpointFolder(folder / CHECKPOINTS, config.keep_last)
        self._log = MetricsLog(folder / METRICS)

    def run(self, *, resume: bool = False) -> TrainResult:
        """Train until all steps are done, the session's time is up or a signal comes.

        Args:
            resume: Continue the folder's run; where there is none yet, begin it.

        Raises:
            TrainingError: The folder holds a run and ``resume`` is not set, or another run; a
                loss or gradient is not finite; a checkpoint cannot be read or written.
        """
        found, notes = self._found(resume)
        source = self._source()
        recipe = recipe_of(self._task, self._config, source.description)
        state = self._begun()
        if found is not None:
            check_same(found.values["recipe"], recipe, self._folder)
            state.restore(found)
        if self._is_writer:
            self._folder.mkdir(parents=True, exist_ok=True)
            note_session(self._folder, self._name, recipe, self._device, state.step)
            self._log.cut(state.step)
        with (
            Interruption() as interruption,
            progress(self._name, state.step, self._config.max_steps) as shown,
        ):
            for note in notes:
                shown.say(note)
            session = Session(state, recipe, interruption, shown, self._config)
            return self._trained(session, source)

    @property
    def _is_writer(self) -> bool:
        return self._processes.rank == 0

    def _found(self, resume: bool) -> tuple[Checkpoint | None, list[str]]:
        """Return the checkpoint to go on from, and what to say about it."""
        if not resume and self._checkpoints.steps():
            raise TrainingError(
                f"{self._folder} already holds a run; resume it, or give another output folder"
            )
        found, faults = self._checkpoints.newest()
        if found is None and faults:
            raise TrainingError(f"no checkpoint can be read: {'; '.join(faults)}")
        notes = [f"skipped: {fault}" for fault in faults]
        if found is not None:
            notes.append(f"resuming at step {found.step}")
        return found, notes

    def _source(self) -> BatchSource:
        # Process 0 makes the data; asking whether any failed is where the others wait for it.
        if self._is_writer:
            self._task.prepare(self._data, self._config.workers)
        self._processes.any(False)
        if not self._is_writer:
            self._task.prepare(self._data, self._config.workers)
        return self._task.source(self._config.seed)

    def _begun(self) -> TrainState:
        torch_rng(torch.device("cpu"), self._config.seed, WEIGHTS)
        model = self._task.model().to(self._device)
        return new_state(model, self._task.phases(model), self._config, self._device)

    def _stream(self, source: BatchSource, first: int) -> Iterator[list[Numbered]]:
        """Yield this process's micro-batches of every step, on the device."""
        config, processes = self._config, self._processes
        numbers = list(
            micro_batch_numbers(0, 1, config.micro_batches, processes.rank, processes.size)
        )
        loaded = batches(
            source,
            config.batch_size,
            micro_batch_numbers(
                first, config.max_steps, config.micro_batches, processes.rank, processes.size
            ),
            workers=config.workers,
            pin=self._device.type == "cuda",
        )
        for step in range(first, config.max_steps):
            yield [
                Numbered(step * config.micro_batches + place, self._moved(next(loaded)))
                for place in numbers
            ]

    def _moved(self, batch: Mapping[str, Tensor]) -> Batch:
        return {name: value.to(self._device, non_blocking=True) for name, value in batch.items()}

    def _trained(self, session: Session, source: BatchSource) -> TrainResult:
        """Go through the steps."""
        state = session.state
        stepper = Stepper(state, self._config, self._device, self._processes)
        reason: Literal["done", "time", "signal"] = "done"
        for micro_batches in self._stream(source, state.step):
            session.add(stepper.step(micro_batches))
            self._after_step(session)
            if state.step == self._config.max_steps:
                break
            signalled = session.interruption.received is not None
            if self._processes.any(signalled or session.is_over):
                reason = "signal" if signalled else "time"
                break
        if self._is_writer:
            self._save(session)
            self._draw(session)
        return TrainResult(
            state.step,
            reason,
            session.figures,
            self._checkpoints.path(state.step),
            session.interruption.received,
        )

    def _after_step(self, session: Session) -> None:
        """Log, evaluate and save where it is time."""
        if not self._is_writer:
            return
        config, step = self._config, session.state.step
        last = step == config.max_steps
        session.shown.show(step, session.last_loss)
        if last or step % config.log_every == 0:
            self._log.add(TRAINING, step, session.seconds, session.means())
        if last or (config.evaluate_every and step % config.evaluate_every == 0):
            self._evaluate(session)
        if config.checkpoint_every and step % config.checkpoint_every == 0:
            self._save(session)

    def _evaluate(self, session: Session) -> None:
        state = session.state
        rng = torch_rng(self._device, self._config.seed, EVALUATION_SEED)
        model = state.best_model.eval()
        with torch.no_grad():
            figures = {k: float(v) for k, v in self._task.evaluate(model, rng).items()}
        objective = self._task.objective
        if objective not in figures:
            raise TrainingError(
                f"the objective {objective!r} is not among the figures {sorted(figures)}"
            )
        session.figures, session.evaluated_at = figures, state.step
        self._log.add(EVALUATION, state.step, session.seconds, figures)
        shown = ", ".join(f"{name} {value:.4g}" for name, value in figures.items())
        session.shown.say(f"step {state.step}: {shown}")
        best = self._checkpoints.best()
        if best is None or figures[objective] < best[1]:
            self._save(session)
            self._checkpoints.offer_best(state.step, objective, figures[objective])

    def _save(self, session: Session) -> None:
        """Write a checkpoint of this step, unless there is one."""
        state = session.state
        if session.saved_at == state.step:
            return
        state.seconds = session.seconds
        figures = session.figures if session.evaluated_at == state.step else {}
        self._checkpoints.write(state.captured(session.recipe, figures))
        session.saved_at = state.step
        if session.may_draw:
            self._draw(session)

    def _draw(self, session: Session) -> None:
        if not self._config.curve:
            return
        session.note_drawing()
        title = f"{self._name}, step {session.state.step}"
        if not draw_curve(self._log.lines(), self._folder / CURVE, title):
            session.shown.say("no curve: matplotlib is not installed, or nothing is logged yet")


def chosen_device(config: TrainConfig) -> torch.device:
    """Return the device that a config asks for.

    Raises:
        ConfigError: It is not there, or cannot do the precision.
    """
    name = config.device
    if name == "auto":
        name = "cuda" if torch.cuda.is_available() else "cpu"
    try:
        device = torch.device(name)
    except RuntimeError as error:
        raise ConfigError(f"device is {name!r}; give auto, cpu, cuda or cuda:1") from error
    if device.type == "cuda" and (device.index or 0) >= torch.cuda.device_count():
        raise ConfigError(
            f"device is {name!r}, but {torch.cuda.device_count()} GPUs are there; give cpu or auto"
        )
    if config.precision == "float16" and device.type != "cuda":
        raise ConfigError(f"precision float16 needs a GPU, not {name!r}; give bfloat16 or float32")
    return device
