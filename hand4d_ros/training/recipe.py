"""What a run is made with, written beside it, and recognised when it is resumed."""

from __future__ import annotations

import json
import platform
import subprocess
from collections.abc import Iterator, Mapping
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

import torch

from hand4d_ros.errors import TrainingError
from hand4d_ros.nn.cards import UNKNOWN
from hand4d_ros.nn.config_json import json_from_config
from hand4d_ros.training.config import IDENTITY, TrainConfig
from hand4d_ros.training.files import write_json
from hand4d_ros.training.task import Task

RUN = "run.json"


def recipe_of(task: Task, config: TrainConfig, data: Mapping[str, Any]) -> dict[str, Any]:
    """Return the settings of a run as JSON.

    Args:
        task: What is trained.
        config: How.
        data: Description of the training data.
    """
    recipe = {
        "task": json_from_config(task.config),
        "network": json_from_config(task.network_config),
        "train": json_from_config(config),
        "data": dict(data),
    }
    # Through text, so that a recipe of now and one from a file compare equal.
    plain: dict[str, Any] = json.loads(json.dumps(recipe))
    return plain


def check_same(before: Mapping[str, Any], now: Mapping[str, Any], folder: Path) -> None:
    """Reject resuming a run with settings that make it another one.

    Steps, times, rates, workers and devices may change; what is trained, the data and which
    sample comes when may not.

    Args:
        before: Recipe of the checkpoint.
        now: Recipe of today.
        folder: Of the run.

    Raises:
        TrainingError: Naming what changed.
    """
    changed = [
        f"{name}: was {old!r}, is {new!r}"
        for part in ("task", "network", "data")
        for name, old, new in _differences(before.get(part), now[part], part)
    ]
    changed += [
        f"train.{name}: was {before['train'].get(name)!r}, is {now['train'][name]!r}"
        for name in IDENTITY
        if before["train"].get(name) != now["train"][name]
    ]
    if changed:
        raise TrainingError(
            f"{folder} is another run and cannot be resumed so: {'; '.join(changed[:6])}; "
            "give the same settings or another output folder"
        )


def _differences(old: Any, new: Any, name: str) -> Iterator[tuple[str, Any, Any]]:
    if isinstance(old, Mapping) and isinstance(new, Mapping):
        for key in [*old, *(key for key in new if key not in old)]:
            yield from _differences(old.get(key), new.get(key), f"{name}.{key}")
    elif old != new:
        yield name, old, new


def note_session(
    folder: Path, name: str, recipe: Mapping[str, Any], device: torch.device, step: int
) -> None:
    """Write ``run.json``: the recipe, the code's commit and every session of the run.

    Args:
        folder: Of the run.
        name: What is trained.
        recipe: Of today.
        device: Of today.
        step: At which this session starts.
    """
    session = {
        "from_step": step,
        "started": datetime.now(timezone.utc).isoformat(timespec="seconds"),
        "commit": git_commit(),
        "device": torch.cuda.get_device_name(device) if device.type == "cuda" else device.type,
        "torch": torch.__version__,
        "python": platform.python_version(),
    }
    path = folder / RUN
    sessions = read_run(folder)["sessions"] if step and path.exists() else []
    write_json(path, {"name": name, **recipe, "sessions": [*sessions, session]})


def read_run(folder: Path) -> dict[str, Any]:
    """Read ``run.json``.

    Raises:
        TrainingError: It is missing or no such file.
    """
    path = folder / RUN
    try:
        run = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise TrainingError(f"{folder} is no folder of a training run: {error}") from error
    if not isinstance(run, dict) or not isinstance(run.get("sessions"), list):
        raise TrainingError(f"{path} is not the file of a training run")
    return run


def git_commit() -> str:
    """Return the commit of this source tree, ``+dirty`` where tracked files differ from it.

    ``unknown`` where this code is not tracked, such as in an environment that lies inside of
    somebody's repository.
    """
    here = Path(__file__).parent
    tracked = _git(here, "ls-files", "--error-unmatch", Path(__file__).name)
    commit = _git(here, "rev-parse", "HEAD") if tracked else ""
    if not commit:
        return UNKNOWN
    changed = _git(here, "status", "--porcelain", "--untracked-files=no")
    return commit + ("+dirty" if changed else "")


def _git(folder: Path, *arguments: str) -> str:
    """Return what git prints; nothing where there is no git or no repository."""
    try:
        done = subprocess.run(
            ["git", *arguments], cwd=folder, capture_output=True, text=True, check=False, timeout=20
        )
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return done.stdout.strip() if done.returncode == 0 else ""
