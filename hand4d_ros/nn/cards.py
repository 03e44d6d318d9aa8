"""The card of weights: the JSON beside a tensor file that says what it is and where it is from.

Nothing here needs PyTorch, so that weights can be listed where no network runs.
"""

from __future__ import annotations

import dataclasses
import json
import math
import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from importlib import resources
from pathlib import Path
from types import MappingProxyType
from typing import Any, TypeVar

from hand4d_ros.errors import ConfigError, WeightsError
from hand4d_ros.nn.config_json import config_from_json

ConfigT = TypeVar("ConfigT")

SAFETENSORS = ".safetensors"
"""Suffix of tensor files that ship."""
FORMAT = 1
"""Version of the card's own layout."""
FOLDER_VARIABLE = "HAND4D_WEIGHTS"
"""Environment variable that names a folder to look into first."""
UNKNOWN = "unknown"

_NAME = re.compile(r"[a-z0-9][a-z0-9_.-]*")
_SHA256 = re.compile(r"[0-9a-f]{64}")


@dataclass(frozen=True)
class Card:
    """What weights are, how they were made and what they reach."""

    name: str
    """Of the network: lower case, digits, ``_``, ``-`` and ``.``."""
    version: str
    """Of these weights."""
    config: Mapping[str, Any]
    """Of the network, as JSON: what its class is made with."""
    recipe: Mapping[str, Any]
    """Everything that made them: settings of the task and of the training, steps, data."""
    seed: int
    """Of the training."""
    commit: str
    """Of the code that trained, with ``+dirty`` where files differed; ``unknown`` without git."""
    figures: Mapping[str, float]
    """What they reached on held-out data, by metric."""
    licence: str
    """SPDX identifier, or a sentence."""
    sha256: str
    """Of the tensor file."""
    format: int = field(default=FORMAT)
    """Version of this layout."""

    def __post_init__(self) -> None:
        """Reject cards that say nothing or nonsense; freeze what they hold."""
        if not _NAME.fullmatch(self.name):
            raise WeightsError(f"name is {self.name!r}; give lower case letters, digits, _ - .")
        if not _SHA256.fullmatch(self.sha256):
            raise WeightsError(f"sha256 is {self.sha256!r}; expected 64 hexadecimal digits")
        if self.format != FORMAT:
            raise WeightsError(
                f"the card has format {self.format}; this version reads {FORMAT}: update hand4d_ros"
            )
        for name in ("version", "commit", "licence"):
            if not getattr(self, name):
                raise WeightsError(f"{name} is empty; say {UNKNOWN!r} where it is")
        bad = [name for name, value in self.figures.items() if not math.isfinite(value)]
        if bad:
            raise WeightsError(f"figures that are no finite numbers: {', '.join(bad)}")
        for name in ("config", "recipe", "figures"):
            object.__setattr__(self, name, MappingProxyType(dict(getattr(self, name))))

    def text(self) -> str:
        """Return the JSON."""
        values = {f.name: getattr(self, f.name) for f in dataclasses.fields(self)}
        plain = {k: dict(v) if isinstance(v, Mapping) else v for k, v in values.items()}
        return json.dumps(plain, indent=2, ensure_ascii=False) + "\n"

    def network_config(self, cls: type[ConfigT]) -> ConfigT:
        """Return the network's config.

        Args:
            cls: The config's dataclass.

        Raises:
            WeightsError: The card holds settings that the network does not have.
        """
        try:
            return config_from_json(cls, self.config)
        except (ConfigError, TypeError) as error:
            raise WeightsError(
                f"the weights {self.name!r} {self.version} are of another network: {error}"
            ) from error


_TYPES = {
    "name": str,
    "version": str,
    "config": dict,
    "recipe": dict,
    "seed": int,
    "commit": str,
    "figures": dict,
    "licence": str,
    "sha256": str,
    "format": int,
}


def card_path(weights: Path) -> Path:
    """Return where the card of a tensor file is."""
    return weights.with_suffix(".json")


def read_card(weights: Path) -> Card:
    """Read the card of a tensor file.

    Args:
        weights: The ``.safetensors`` file; its card lies beside it.

    Raises:
        WeightsError: The card is missing, no JSON, or lacks something.
    """
    path = card_path(weights)
    try:
        values = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise WeightsError(
            f"{weights.name} has no card {path}; `hand4d weights pack` writes both"
        ) from None
    except (OSError, UnicodeDecodeError, json.JSONDecodeError) as error:
        raise WeightsError(f"the card {path} cannot be read: {error}") from error
    if not isinstance(values, dict):
        raise WeightsError(f"the card {path} holds a {type(values).__name__}, expected an object")
    missing = sorted(_TYPES.keys() - values.keys())
    unknown = sorted(values.keys() - _TYPES.keys())
    if missing or unknown:
        raise WeightsError(f"the card {path} lacks {missing} and has unknown {unknown}")
    for name, kind in _TYPES.items():
        if type(values[name]) is not kind:
            raise WeightsError(f"the card {path}: {name} is {values[name]!r}, no {kind.__name__}")
    for name, value in values["figures"].items():
        if type(value) not in (int, float):
            raise WeightsError(f"the card {path}: figure {name} is {value!r}, no number")
    try:
        return Card(**values)
    except WeightsError as error:
        raise WeightsError(f"the card {path}: {error}") from error


def weights_folders() -> tuple[Path, ...]:
    """Return where weights are looked for, in order; not all need exist.

    The folder that ``HAND4D_WEIGHTS`` names, the user's data folder, what ships.
    """
    given = os.environ.get(FOLDER_VARIABLE, "")
    first = (Path(given).expanduser(),) if given else ()
    return (*first, user_folder(), shipped_folder())


def user_folder() -> Path:
    """Return the folder of this user's weights (XDG base directory specification)."""
    given = os.environ.get("XDG_DATA_HOME", "")
    # The specification has relative paths ignored.
    base = Path(given) if Path(given).is_absolute() else Path.home() / ".local" / "share"
    return base / "hand4d" / "weights"


def shipped_folder() -> Path:
    """Return the folder of the weights that the package brings."""
    return Path(str(resources.files("hand4d_ros"))) / "assets" / "weights"


def listed_weights() -> dict[str, Path]:
    """Return the tensor file of every name; an earlier folder hides a later one."""
    found: dict[str, Path] = {}
    for folder in weights_folders():
        for path in sorted(folder.glob("*" + SAFETENSORS)):
            found.setdefault(path.stem, path)
    return dict(sorted(found.items()))


def find_weights(name: str) -> Path:
    """Return the tensor file of a name, or of a path.

    Args:
        name: Such as ``"pose_prior"``, or a path to a ``.safetensors`` file.

    Raises:
        WeightsError: There is none.
    """
    path = Path(name).expanduser()
    if path.suffix == SAFETENSORS:
        if not path.is_file():
            raise WeightsError(f"there is no file {path}; `hand4d weights list` says what there is")
        return path
    found = listed_weights()
    if name not in found:
        known = ", ".join(found) or "none"
        places = ", ".join(str(folder) for folder in weights_folders())
        raise WeightsError(f"there are no weights {name!r}; known: {known}; looked in {places}")
    return found[name]
