"""A name and settings as words in, a trained run out: what ``hand4d train`` calls."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from hand4d_ros.errors import ConfigError
from hand4d_ros.nn.config_json import with_overrides
from hand4d_ros.training.config import TrainConfig
from hand4d_ros.training.registry import TRAINABLES, Recipe, Trainable, find_trainable
from hand4d_ros.training.trainer import Trainer, TrainResult

_PARTS = ("task", "train")


def changes_from_words(words: Sequence[str]) -> dict[str, Any]:
    """Read settings such as ``train.max_steps=100`` or ``task.network.width=64``.

    Args:
        words: Each a dotted name, ``=`` and a value: a JSON value, else taken as text.

    Returns:
        The values in nested dictionaries.

    Raises:
        ConfigError: A word has another form, or a name is given twice.
    """
    changes: dict[str, Any] = {}
    for word in words:
        name, sign, text = word.partition("=")
        path = name.split(".")
        if not sign or path[0] not in _PARTS or len(path) < 2 or not all(path):
            raise ConfigError(
                f"{word!r} is no setting; write train.NAME=VALUE or task.NAME=VALUE, "
                "such as train.max_steps=100"
            )
        below = changes
        for part in path[:-1]:
            below = below.setdefault(part, {})
            if not isinstance(below, dict):
                raise ConfigError(f"{word!r}: an earlier setting gave {part} a value")
        if path[-1] in below:
            raise ConfigError(f"{name} is given twice; give it once")
        below[path[-1]] = _value(text)
    return changes


def _value(text: str) -> Any:
    try:
        return json.loads(text)
    except json.JSONDecodeError:
        return text


def changes_from_file(path: Path) -> dict[str, Any]:
    """Read settings from a JSON file with the parts ``task`` and ``train``; a ``run.json`` too.

    Raises:
        ConfigError: The file is missing, no JSON, or has neither part.
    """
    try:
        values = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise ConfigError(f"the settings {path} cannot be read: {error}") from error
    if not isinstance(values, dict) or not any(part in values for part in _PARTS):
        raise ConfigError(f"{path} has neither 'task' nor 'train'; give an object with one of them")
    return {part: values[part] for part in _PARTS if part in values}


def changed_recipe(recipe: Recipe, changes: Sequence[Mapping[str, Any]]) -> Recipe:
    """Return a recipe with settings replaced, later changes over earlier ones.

    Raises:
        ConfigError: A name is unknown or a value is not allowed.
    """
    task, train = recipe.task_config, recipe.train
    for change in changes:
        task = with_overrides(task, change.get("task", {}), "task.")
        train = with_overrides(train, change.get("train", {}), "train.")
    return replace(recipe, task_config=task, train=train)


def recipe_for(
    name: str,
    words: Sequence[str] = (),
    file: Path | None = None,
    trainables: Mapping[str, Trainable] = TRAINABLES,
) -> Recipe:
    """Return the recipe of a name with the settings of a file and of words, words last.

    Raises:
        ConfigError: The name or a setting is unknown or not allowed.
    """
    changes = [] if file is None else [changes_from_file(file)]
    changes.append(changes_from_words(words))
    return changed_recipe(find_trainable(name, trainables).load(), changes)


def train(
    name: str, recipe: Recipe, folder: Path, *, resume: bool = False, data: Path | None = None
) -> TrainResult:
    """Train by a recipe.

    Args:
        name: What is trained.
        recipe: How.
        folder: Of the run.
        resume: Continue the folder's run; where there is none yet, begin it.
        data: Folder for the data; None is ``data`` in the run's folder.

    Raises:
        TrainingError: As ``Trainer.run``.
        ConfigError: As ``Trainer``.
    """
    config: TrainConfig = recipe.train
    task = recipe.task(recipe.task_config)
    return Trainer(task, config, folder, name=name, data=data).run(resume=resume)
