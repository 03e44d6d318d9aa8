"""Weights into a network: the file checked against its card, its tensors against the network."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path

import torch
from torch import Tensor, nn

from hand4d_ros.errors import WeightsError
from hand4d_ros.nn.cards import SAFETENSORS, Card, read_card
from hand4d_ros.nn.tensor_files import read_tensors, sha256_of

_SHOWN = 6
"""How many names a message lists."""


def read_weights(path: Path, name: str = "") -> tuple[Card, dict[str, Tensor]]:
    """Read weights that have a card.

    Args:
        path: The ``.safetensors`` file.
        name: Which network's they must be; empty takes any.

    Returns:
        The card, and the tensors on the CPU.

    Raises:
        WeightsError: A file is missing or damaged, the card is of another file or of another
            network, or a value is not finite.
    """
    if path.suffix != SAFETENSORS:
        raise WeightsError(
            f"{path} does not end in {SAFETENSORS}; `hand4d weights pack` makes such a file"
        )
    if not path.is_file():
        raise WeightsError(f"there is no file {path}; `hand4d weights list` says what there is")
    card = read_card(path)
    if name and card.name != name:
        raise WeightsError(f"{path} has the weights of {card.name!r}, expected those of {name!r}")
    found = sha256_of(path)
    if found != card.sha256:
        raise WeightsError(
            f"{path} has the SHA-256 {found[:12]}…, its card says {card.sha256[:12]}…: the file is "
            "damaged or was exchanged; fetch or pack it again"
        )
    tensors = read_tensors(path)
    check_finite(tensors, str(path))
    return card, tensors


def load_weights(model: nn.Module, path: Path, name: str = "") -> Card:
    """Read weights into a network.

    Args:
        model: Takes the values, converted to its own precision and moved to its device.
        path: The ``.safetensors`` file.
        name: Which network's they must be; empty takes any.

    Raises:
        WeightsError: As ``read_weights`` and ``fill``.
    """
    card, tensors = read_weights(path, name)
    fill(model, tensors, str(path))
    return card


def fill(model: nn.Module, tensors: Mapping[str, Tensor], where: str) -> None:
    """Copy tensors into a network that has exactly these.

    Args:
        model: Takes the values, converted to its own precision and moved to its device.
        tensors: By name, as ``model.state_dict()`` names them.
        where: What they come from, for messages.

    Raises:
        WeightsError: Names are missing or unknown, or a shape is another.
    """
    own = model.state_dict()
    missing, unknown = own.keys() - tensors.keys(), tensors.keys() - own.keys()
    if missing or unknown:
        raise WeightsError(
            f"{where} does not fit {type(model).__name__}: "
            f"missing {_names(missing)}; unknown {_names(unknown)}"
        )
    wrong = [
        f"{name} is {list(tensors[name].shape)}, expected {list(own[name].shape)}"
        for name in own
        if own[name].shape != tensors[name].shape
    ]
    if wrong:
        raise WeightsError(
            f"{where} does not fit {type(model).__name__}: {'; '.join(wrong[:_SHOWN])}"
        )
    with torch.no_grad():
        for name, value in own.items():
            value.copy_(tensors[name])


def check_finite(tensors: Mapping[str, Tensor], where: str) -> None:
    """Reject tensors with NaN or infinities.

    Raises:
        WeightsError: Naming them.
    """
    bad = [
        name
        for name, tensor in tensors.items()
        if tensor.is_floating_point() and not bool(torch.isfinite(tensor).all())
    ]
    if bad:
        raise WeightsError(f"{where} has values that are not finite in {_names(bad)}")


def _names(names: Iterable[str]) -> str:
    ordered = sorted(names)
    if not ordered:
        return "none"
    rest = len(ordered) - _SHOWN
    return ", ".join(ordered[:_SHOWN]) + (f" and {rest} more" if rest > 0 else "")
