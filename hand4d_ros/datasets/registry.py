"""Datasets by name: what each is, where it is to be had, and its loader.

A new dataset is one module with ``INFO`` and a loader, and one line here.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hand4d_ros.datasets import (
    amass,
    arctic,
    assemblyhands,
    dexycb,
    fpha,
    grab,
    h2o,
    ho3d,
    hot3d_clips,
    interhand,
    real,
)
from hand4d_ros.datasets.base import DatasetLoader
from hand4d_ros.datasets.info import DatasetInfo
from hand4d_ros.datasets.mano import ManoHands
from hand4d_ros.errors import DatasetError


@dataclass(frozen=True)
class Entry:
    """One row of the registry."""

    info: DatasetInfo
    loader: Callable[..., DatasetLoader]
    """Takes the folder, a config or None, and the user's MANO or None."""
    config: type | None = None
    """The loader's config, where there is something to choose."""


_ENTRIES = (
    Entry(dexycb.INFO, dexycb.DexYcb, dexycb.DexYcbConfig),
    Entry(arctic.INFO, arctic.Arctic, arctic.ArcticConfig),
    Entry(hot3d_clips.INFO, hot3d_clips.Hot3dClips, hot3d_clips.Hot3dClipsConfig),
    Entry(h2o.INFO, h2o.H2O, h2o.H2OConfig),
    Entry(ho3d.INFO, ho3d.Ho3d, ho3d.Ho3dConfig),
    Entry(interhand.INFO, interhand.InterHand, interhand.InterHandConfig),
    Entry(assemblyhands.INFO, assemblyhands.AssemblyHands, assemblyhands.AssemblyHandsConfig),
    Entry(fpha.INFO, fpha.Fpha, fpha.FphaConfig),
    Entry(grab.INFO, grab.Grab),
    Entry(amass.INFO, amass.Amass),
    Entry(real.INFO, real.RealRecordings),
)
DATASETS: dict[str, Entry] = {entry.info.key: entry for entry in _ENTRIES}
"""All datasets, in the order of the documentation."""


def open_dataset(
    name: str, root: Path | str, config: Any = None, mano: ManoHands | None = None
) -> DatasetLoader:
    """Return the loader of a dataset; nothing is read yet.

    Args:
        name: A key of ``DATASETS``.
        root: Folder, as the dataset's layout says.
        config: Of the type that the entry names; None takes its defaults.
        mano: The user's MANO, for what needs it.

    Raises:
        DatasetError: There is no such dataset, or the config is that of another.
    """
    entry = DATASETS.get(name)
    if entry is None:
        raise DatasetError(f"there is no dataset {name!r}; choose one of {', '.join(DATASETS)}")
    if config is not None and (entry.config is None or not isinstance(config, entry.config)):
        wanted = "none" if entry.config is None else entry.config.__name__
        raise DatasetError(f"{name}: the config is a {type(config).__name__}, expected {wanted}")
    return entry.loader(Path(root).expanduser(), config, mano)
