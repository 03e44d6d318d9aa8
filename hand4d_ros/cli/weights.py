"""``hand4d weights``: list, show, verify and pack the weights of networks."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import tyro

from hand4d_ros.errors import WeightsError

Action = Literal["list", "show", "verify", "pack"]


@dataclass(frozen=True)
class Args:
    """List, show, verify or pack weights.

    list: what is there, and where. show NAME: its card. verify [NAME]: files against their cards,
    all of them without a name. pack RUN: a training run's best checkpoint to NAME.safetensors and
    NAME.json. A name is that of weights in $HAND4D_WEIGHTS, in ~/.local/share/hand4d/weights or in
    the package, in this order, or a path to a .safetensors file.

    Example: hand4d weights pack out/train/pose_prior --version 2
    """

    action: tyro.conf.Positional[Action] = "list"
    """What to do."""
    target: tyro.conf.Positional[str] = ""
    """Name of weights, or for pack the folder of a run."""
    out: Path | None = None
    """Folder for packed weights; by default ~/.local/share/hand4d/weights."""
    name: str = ""
    """Name of packed weights; by default what was trained."""
    version: str = "1"
    """Version of packed weights."""
    licence: str = "Apache-2.0"
    """Licence of packed weights."""
    step: int | None = None
    """Checkpoint to pack; by default the best one."""
    half: bool = False
    """Pack in half precision, in half the space."""


def run(args: Args) -> int:
    """Do what the arguments ask for.

    Returns:
        0, or 1 where ``verify`` found a fault.

    Raises:
        WeightsError: The weights are missing or unusable.
        TrainingError: The run to pack is unusable.
    """
    if args.action == "list":
        print(listing())
        return 0
    if args.action == "verify":
        return verify(args.target)
    if not args.target:
        what = "the folder of a run" if args.action == "pack" else "a name"
        raise WeightsError(f"{args.action} needs {what}, such as `hand4d weights {args.action} X`")
    if args.action == "show":
        from hand4d_ros.nn.cards import find_weights, read_card

        print(read_card(find_weights(args.target)).text(), end="")
        return 0
    return pack(args)


def listing() -> str:
    """Every weights file that is found, one line each."""
    from hand4d_ros.nn.cards import listed_weights, read_card, weights_folders

    lines = []
    for name, path in listed_weights().items():
        size = path.stat().st_size / 1e6
        try:
            card = read_card(path)
            about = f"{card.version}, {card.licence}, {_figures(card.figures)}"
        except WeightsError as error:
            about = f"unusable: {error}"
        lines.append(f"{name}  {size:.2f} MB  {about}  ({path})")
    if lines:
        return "\n".join(lines)
    places = ", ".join(str(folder) for folder in weights_folders())
    return f"There are no weights in {places}."


def verify(target: str) -> int:
    """Compare weights with their cards and say what is found.

    Args:
        target: Name or path; empty is all that are found.

    Returns:
        0, or 1 where one is unusable.
    """
    from hand4d_ros.nn.cards import find_weights, listed_weights
    from hand4d_ros.nn.weights import read_weights

    paths = [find_weights(target)] if target else list(listed_weights().values())
    status = 0
    for path in paths:
        try:
            card, tensors = read_weights(path)
        except WeightsError as error:
            print(f"✗ {path.stem}: {error}")
            status = 1
            continue
        numbers = sum(tensor.numel() for tensor in tensors.values())
        what = f"{len(tensors)} tensors, {numbers} numbers"
        print(f"✓ {card.name} {card.version}: {what}, as its card says")
    return status


def pack(args: Args) -> int:
    """Pack a run's checkpoint and say where it is."""
    from hand4d_ros.nn.cards import read_card, user_folder
    from hand4d_ros.training import card

    out = args.out or user_folder()
    path = card.pack(
        Path(args.target),
        out,
        version=args.version,
        licence=args.licence,
        name=args.name,
        step=args.step,
        half=args.half,
    )
    packed = read_card(path)
    print(f"wrote {path} and its card: step {packed.recipe['steps']}, {_figures(packed.figures)}")
    return 0


def _figures(figures: Mapping[str, float]) -> str:
    return ", ".join(f"{name} {value:.4g}" for name, value in figures.items()) or "no figures"
