"""Checkpoints in a folder: written whole, found again, pruned to the last few and the best.

A checkpoint is a folder ``step-00001000`` of tensor files (``model``, ``ema``, ``optimiser``) and
``state.json``. Nothing in it is pickled Python. It takes its name when all is on the disk, so a
process that is killed while it writes leaves the one before.
"""

from __future__ import annotations

import json
import math
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from torch import Tensor

from hand4d_ros.errors import TrainingError, WeightsError
from hand4d_ros.nn.tensor_files import find_tensors, read_tensors, write_tensors
from hand4d_ros.training.files import whole_folder, write_json

_STATE = "state.json"
_BEST = "best.json"
_FORMAT = 1


@dataclass(frozen=True)
class Checkpoint:
    """One moment of a run."""

    step: int
    """Steps that were done."""
    tensors: Mapping[str, Mapping[str, Tensor]]
    """By file and name, on the CPU once read."""
    values: Mapping[str, Any]
    """What is no tensor, as JSON."""


class CheckpointFolder:
    """The checkpoints of one run."""

    def __init__(self, folder: Path, keep_last: int = 2) -> None:
        """Look at a folder; it is made when something is written.

        Args:
            folder: Of the checkpoints.
            keep_last: How many of the newest survive, besides the best.
        """
        self.folder = folder
        self._keep_last = keep_last

    def steps(self) -> list[int]:
        """Return the steps of whole checkpoints, oldest first."""
        names = (path.name for path in self.folder.glob("step-*") if (path / _STATE).is_file())
        return sorted(int(name.removeprefix("step-")) for name in names)

    def path(self, step: int) -> Path:
        """Return the folder of a step."""
        return self.folder / f"step-{step:08d}"

    def write(self, checkpoint: Checkpoint) -> Path:
        """Write a checkpoint, then remove those that are too many.

        Raises:
            TrainingError: It cannot be written.
        """
        target = self.path(checkpoint.step)
        try:
            with whole_folder(target) as aside:
                sizes = {}
                for stem, tensors in checkpoint.tensors.items():
                    path = write_tensors(aside / stem, tensors)
                    sizes[path.name] = path.stat().st_size
                values = {"format": _FORMAT, "bytes": sizes, **checkpoint.values}
                write_json(aside / _STATE, values)
        except (OSError, WeightsError) as error:
            raise TrainingError(f"cannot write the checkpoint {target}: {error}") from error
        self._prune()
        return target

    def read(self, step: int) -> Checkpoint:
        """Read the checkpoint of a step.

        Raises:
            TrainingError: It is missing or damaged.
        """
        folder = self.path(step)
        try:
            values = json.loads((folder / _STATE).read_text(encoding="utf-8"))
            if values["format"] != _FORMAT:
                raise TrainingError(f"{folder} has format {values['format']}, expected {_FORMAT}")
            for name, size in values["bytes"].items():
                found = (folder / name).stat().st_size
                if found != size:
                    raise TrainingError(f"{folder / name} has {found} bytes, {size} were written")
            stems = [Path(name).stem for name in values["bytes"]]
            tensors = {stem: read_tensors(find_tensors(folder / stem)) for stem in stems}
        except (OSError, ValueError, KeyError, WeightsError) as error:
            raise TrainingError(f"the checkpoint {folder} cannot be read: {error!r}") from error
        return Checkpoint(step, tensors, values)

    def newest(self) -> tuple[Checkpoint | None, list[str]]:
        """Return the newest checkpoint that can be read, and what is wrong with newer ones."""
        faults: list[str] = []
        for step in reversed(self.steps()):
            found, fault = self._tried(step)
            if found is not None:
                return found, faults
            faults.append(fault)
        return None, faults

    def _tried(self, step: int) -> tuple[Checkpoint | None, str]:
        try:
            return self.read(step), ""
        except TrainingError as error:
            return None, str(error)

    def best(self) -> tuple[int, float] | None:
        """Return the step of the best checkpoint and its objective, if one was chosen."""
        try:
            values = json.loads((self.folder / _BEST).read_text(encoding="utf-8"))
            step, value = int(values["step"]), float(values["value"])
        except (OSError, ValueError, KeyError, TypeError):
            # Without the note the best one is simply chosen anew.
            return None
        return (step, value) if step in self.steps() else None

    def offer_best(self, step: int, objective: str, value: float) -> bool:
        """Note a checkpoint as the best one if it is; lower is better, NaN never.

        Args:
            step: Of a checkpoint that was written.
            objective: Name of the figure.
            value: Its value.

        Returns:
            Whether it is the best so far.
        """
        best = self.best()
        if not math.isfinite(value) or (best is not None and best[1] <= value):
            return False
        write_json(self.folder / _BEST, {"step": step, "objective": objective, "value": value})
        self._prune()
        return True

    def _prune(self) -> None:
        steps = self.steps()
        best = self.best()
        kept = {*steps[-self._keep_last :], *(() if best is None else best[:1])}
        for step in steps:
            if step not in kept:
                shutil.rmtree(self.path(step), ignore_errors=True)
