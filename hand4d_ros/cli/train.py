"""``hand4d train``: a name and settings in, a run with checkpoints and a curve out."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

import tyro

from hand4d_ros.ros.schema import specs_from_config
from hand4d_ros.training.registry import TRAINABLES, Recipe


@dataclass(frozen=True)
class Args:
    """Train a network, or continue to.

    Without a name, lists what can be trained. Settings are words such as train.max_steps=2000 or
    task.network.width=64; --show explains all of them. Ctrl-C saves and ends; --resume goes on as
    if nothing had happened.

    Example: hand4d train pose_prior train.max_seconds=600 --resume
    """

    name: tyro.conf.Positional[str] = ""
    """What to train."""
    settings: tyro.conf.Positional[tuple[str, ...]] = ()
    """Settings that differ from the recipe."""
    config: Path | None = None
    """JSON file with settings, such as the run.json of another run; words come after it."""
    out: Path | None = None
    """Folder of the run; by default out/train/NAME."""
    data: Path | None = None
    """Folder for the training data; by default data in the run's folder."""
    resume: bool = False
    """Continue the folder's run; where there is none yet, begin it."""
    show: bool = False
    """Print every setting with its value, what it means and what is allowed, and end."""


def run(args: Args) -> int:
    """Train, or list what can be trained.

    Returns:
        0 when all steps are done or the session's time is up, 128 plus its number after a signal.

    Raises:
        ConfigError: The name or a setting is unknown or not allowed.
        TrainingError: The run cannot begin or go on.
    """
    if not args.name:
        print(listing())
        return 0
    # PyTorch takes seconds to import, and the list is to come at once.
    from hand4d_ros.training.run import recipe_for, train

    recipe = recipe_for(args.name, args.settings, args.config)
    if args.show:
        print(settings_text(recipe))
        return 0
    folder = args.out or Path("out") / "train" / args.name
    result = train(args.name, recipe, folder, resume=args.resume, data=args.data)
    figures = ", ".join(f"{name} {value:.4g}" for name, value in result.figures.items())
    reasons = {
        "done": "all steps are done",
        "time": "the session's time is up; --resume goes on",
        "signal": f"stopped by {result.signal and result.signal.name}; --resume goes on",
    }
    print(f"step {result.step}: {reasons[result.reason]}" + (f"; {figures}" if figures else ""))
    print(f"wrote {result.checkpoint}; hand4d weights pack {folder} makes weights of the best one")
    return 0 if result.signal is None else 128 + result.signal


def settings_text(recipe: Recipe) -> str:
    """Every setting of a recipe as the word that sets it, with what it means."""
    lines = []
    for part, config in (("task", recipe.task_config), ("train", recipe.train)):
        for spec in specs_from_config(config):
            value = spec.default if isinstance(spec.default, str) else json.dumps(spec.default)
            lines += [f"{part}.{spec.name}={value}", f"    {spec.description} ({spec.allowed})"]
    return "\n".join(lines)


def listing() -> str:
    """What can be trained, one line each."""
    if not TRAINABLES:
        return "There is nothing to train in this version."
    width = max(len(name) for name in TRAINABLES)
    lines = [f"  {name:<{width}}  {entry.summary}" for name, entry in TRAINABLES.items()]
    return "\n".join(
        ["hand4d train NAME [train.SETTING=VALUE …] [--resume], with NAME one of", *lines]
    )
