"""Settings as words, files and recipes; every trainable loads."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch
from torch import nn
from training_samples import Toy, ToyConfig, quick

from hand4d_ros.errors import ConfigError
from hand4d_ros.nn.cards import Card
from hand4d_ros.nn.config_json import json_from_config
from hand4d_ros.training.__main__ import main
from hand4d_ros.training.registry import TRAINABLES, Recipe, Trainable, find_trainable
from hand4d_ros.training.run import (
    changes_from_file,
    changes_from_words,
    recipe_for,
    train,
)
from hand4d_ros.training.task import Task

torch.set_num_threads(1)

TOYS = {"toy": Trainable("a toy", lambda: Recipe(Toy, ToyConfig(), quick()))}


def test_words_become_settings() -> None:
    """Numbers, truth values, lists and plain text."""
    words = ["train.max_steps=5", "task.width=2", "train.schedule=linear", "train.curve=true"]
    assert changes_from_words([*words, "task.a.b=[1, 2]"]) == {
        "train": {"max_steps": 5, "schedule": "linear", "curve": True},
        "task": {"width": 2, "a": {"b": [1, 2]}},
    }
    recipe = recipe_for("toy", words, trainables=TOYS)
    assert recipe.task_config == ToyConfig(width=2)
    assert (recipe.train.max_steps, recipe.train.schedule) == (5, "linear")


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["max_steps=5"], "'max_steps=5' is no setting; write train.NAME=VALUE"),
        (["train.max_steps"], "is no setting"),
        (["train.=5"], "is no setting"),
        (["train.seed=1", "train.seed=2"], "train.seed is given twice"),
        (["train.seed=1", "train.seed.x=2"], "an earlier setting gave seed a value"),
        (["train.max_step=5"], "no setting train.max_step; did you mean train.max_steps?"),
        (["task.zzz=5"], "no setting task.zzz; known: width, dropout, noise"),
        (["train.max_steps=few"], "train.max_steps is 'few', which is no int"),
        (["train.max_steps=0"], "max_steps is 0; give a value of at least 1"),
        (["train.schedule=stairs"], "schedule is 'stairs'; give one of 'constant'"),
    ],
)
def test_mistakes_in_words_are_explained(words: list[str], message: str) -> None:
    """Each names what was given and what is allowed."""
    with pytest.raises(ConfigError) as caught:
        recipe_for("toy", words, trainables=TOYS)
    assert message in str(caught.value)


def test_settings_come_back_from_a_file(tmp_path: Path) -> None:
    """A run's own file will do; words come after it."""
    path = tmp_path / "settings.json"
    path.write_text(json.dumps({"name": "toy", "task": {"width": 3}, "sessions": []}))
    assert recipe_for("toy", file=path, trainables=TOYS).task_config.width == 3
    again = recipe_for("toy", ["task.width=4"], path, TOYS)
    assert (again.task_config.width, again.train) == (4, quick())


@pytest.mark.parametrize(
    ("text", "message"),
    [(None, "cannot be read"), ("{", "cannot be read"), ('{"a": 1}', "neither 'task' nor 'train'")],
)
def test_mistakes_in_files_are_explained(tmp_path: Path, text: str | None, message: str) -> None:
    """Missing, damaged and foreign files."""
    path = tmp_path / "settings.json"
    if text is not None:
        path.write_text(text)
    with pytest.raises(ConfigError, match=message):
        changes_from_file(path)


def test_unknown_names_are_explained() -> None:
    """With the nearest, the list, or its emptiness."""
    with pytest.raises(ConfigError, match="called 'tay'; did you mean 'toy'"):
        find_trainable("tay", TOYS)
    with pytest.raises(ConfigError, match="there are: toy"):
        find_trainable("zebra", TOYS)
    with pytest.raises(ConfigError, match="there are: none"):
        find_trainable("toy", {})


def test_recipe_trains_and_resumes(tmp_path: Path) -> None:
    """From words to a finished run."""
    recipe = recipe_for("toy", ["train.max_seconds=0.000001"], trainables=TOYS)
    assert train("toy", recipe, tmp_path).reason == "time"
    done = train("toy", recipe_for("toy", trainables=TOYS), tmp_path, resume=True)
    assert done.reason == "done"
    assert json.loads((tmp_path / "run.json").read_text())["name"] == "toy"


@pytest.mark.parametrize("name", TRAINABLES)
def test_every_trainable_loads(name: str) -> None:
    """Its recipe makes a task and a network, and its card gives the network's config back."""
    recipe = TRAINABLES[name].load()
    task = recipe.task(recipe.task_config)
    assert isinstance(task, Task)
    assert isinstance(task.model(), nn.Module)
    assert task.objective
    config = json_from_config(task.network_config)
    card = Card(name, "1", config, {}, 0, "unknown", {}, "Apache-2.0", "0" * 64)
    assert card.network_config(type(task.network_config)) == task.network_config


def test_module_explains_mistakes(capsys: pytest.CaptureFixture[str]) -> None:
    """``python -m hand4d_ros.training`` ends with 2 and one line."""
    with pytest.raises(SystemExit) as ended:
        main(["zebra", "--resume", "train.max_steps=1"])
    assert ended.value.code == 2
    assert "there is nothing to train called 'zebra'" in capsys.readouterr().err
