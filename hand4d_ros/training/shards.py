"""Samples on disk: shards of plain ``.npy`` files with an index, mapped into memory when read.

``.npy`` rather than ``.npz``: numpy maps such a file into memory, a member of a zip it cannot,
so a data set larger than memory costs nothing to open. The index holds fields, counts and
SHA-256 of every shard, and is written last: a folder without it is unfinished. Every array that
is open costs a file descriptor, so make shards large and few: tens, not thousands.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from torch import Tensor

from hand4d_ros.errors import TrainingError
from hand4d_ros.nn.tensor_files import sha256_of
from hand4d_ros.shapes import Array, Int
from hand4d_ros.training.data import BatchSource, batches
from hand4d_ros.training.files import whole_folder, write_json
from hand4d_ros.training.seeds import ORDER, numpy_rng

INDEX = "index.json"
_FORMAT = 1


@dataclass(frozen=True)
class ShardIndex:
    """What a folder of shards holds."""

    samples: tuple[int, ...]
    """In each shard."""
    hashes: tuple[str, ...]
    """SHA-256 of each shard: of the names and contents of its files."""
    fields: Mapping[str, Mapping[str, Any]]
    """``dtype`` and ``shape`` of one sample, by field."""
    description: Mapping[str, Any]
    """How they were made."""

    @property
    def content_hash(self) -> str:
        """SHA-256 of everything, for cards."""
        return hashlib.sha256("".join(self.hashes).encode()).hexdigest()


def write_shards(
    folder: Path, source: BatchSource, shards: int, samples: int, workers: int = 0
) -> ShardIndex:
    """Write batches of a source as shards; finished ones are kept, so this can be interrupted.

    Args:
        folder: For the shards; made where it is not there.
        source: Batch ``i`` becomes shard ``i``.
        shards: How many.
        samples: In each.
        workers: Processes that make them; changes nothing in them.

    Raises:
        TrainingError: The folder holds shards of something else, or cannot be written.
    """
    wanted = {"description": dict(source.description), "shards": shards, "samples": samples}
    plan = folder / "plan.json"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        if plan.exists() and json.loads(plan.read_text(encoding="utf-8")) != wanted:
            raise TrainingError(
                f"{folder} holds other data than is asked for; give another folder or remove it"
            )
        if (folder / INDEX).exists():
            return read_index(folder)
        write_json(plan, wanted)
        missing = [i for i in range(shards) if not _shard(folder, i).is_dir()]
        made = batches(source, samples, missing, workers=workers)
        for number, batch in zip(missing, made, strict=True):
            _write_shard(_shard(folder, number), batch)
        return _write_index(folder, shards, samples, source.description)
    except (OSError, json.JSONDecodeError) as error:
        raise TrainingError(f"cannot write shards to {folder}: {error}") from error


def _shard(folder: Path, number: int) -> Path:
    return folder / f"shard-{number:05d}"


def _write_shard(path: Path, batch: Mapping[str, Tensor]) -> None:
    with whole_folder(path) as aside:
        for name, tensor in batch.items():
            np.save(aside / f"{name}.npy", tensor.numpy(), allow_pickle=False)


def _write_index(
    folder: Path, shards: int, samples: int, description: Mapping[str, Any]
) -> ShardIndex:
    first = sorted(_shard(folder, 0).glob("*.npy"))
    heads = {path.stem: np.load(path, mmap_mode="r", allow_pickle=False) for path in first}
    fields = {
        name: {"dtype": array.dtype.str, "shape": list(array.shape[1:])}
        for name, array in heads.items()
    }
    hashes = tuple(_hash(_shard(folder, i)) for i in range(shards))
    index = ShardIndex((samples,) * shards, hashes, fields, dict(description))
    write_json(
        folder / INDEX,
        {
            "format": _FORMAT,
            "fields": fields,
            "shards": [
                {"samples": n, "sha256": digest}
                for n, digest in zip(index.samples, hashes, strict=True)
            ],
            "description": index.description,
        },
    )
    return index


def _hash(shard: Path) -> str:
    digest = hashlib.sha256()
    for path in sorted(shard.glob("*.npy")):
        digest.update(f"{path.stem} {sha256_of(path)}\n".encode())
    return digest.hexdigest()


def read_index(folder: Path) -> ShardIndex:
    """Read the index of a folder of shards.

    Raises:
        TrainingError: There is none, or it is not one.
    """
    path = folder / INDEX
    try:
        values = json.loads(path.read_text(encoding="utf-8"))
        if values["format"] != _FORMAT:
            raise TrainingError(f"{path} has format {values['format']}, expected {_FORMAT}")
        return ShardIndex(
            tuple(int(shard["samples"]) for shard in values["shards"]),
            tuple(str(shard["sha256"]) for shard in values["shards"]),
            values["fields"],
            values["description"],
        )
    except FileNotFoundError:
        raise TrainingError(f"{folder} holds no finished shards: there is no {INDEX}") from None
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise TrainingError(f"{path} is no index of shards: {error!r}") from error


class Shards:
    """Batches of samples from disk, shuffled anew in every epoch.

    A batch is found from its number alone: numbers run on from one epoch to the next, and each
    epoch is a permutation that follows from the seed and its number.
    """

    def __init__(self, folder: Path, seed: int = 0, *, shuffle: bool = True) -> None:
        """Open the shards; nothing but the index is read yet.

        Args:
            folder: Of the shards.
            seed: Of the order.
            shuffle: Whether to shuffle; else samples come as they lie.

        Raises:
            TrainingError: The folder holds no shards, or none with samples.
        """
        self.folder = folder
        self.index = read_index(folder)
        self._seed = seed
        self._shuffle = shuffle
        self._ends = np.cumsum(self.index.samples)
        self._order: tuple[int, Int[Array, "n"]] | None = None
        if len(self) == 0:
            raise TrainingError(f"{folder} holds no samples; make the data again")

    def __len__(self) -> int:
        """Number of samples."""
        return int(self._ends[-1]) if len(self._ends) else 0

    @property
    def description(self) -> Mapping[str, Any]:
        """How the samples were made, how many there are and their hash."""
        return {
            **self.index.description,
            "samples": len(self),
            "sha256": self.index.content_hash,
        }

    def verify(self) -> None:
        """Read everything and compare it with the index.

        Raises:
            TrainingError: A shard was changed or is missing.
        """
        for number, wanted in enumerate(self.index.hashes):
            if _hash(_shard(self.folder, number)) != wanted:
                raise TrainingError(
                    f"{_shard(self.folder, number)} is not what the index says; make it again"
                )

    def batch(self, number: int, size: int) -> dict[str, Array]:
        """Return a batch; one that reaches over the end of an epoch goes on with the next."""
        places = np.arange(number * size, (number + 1) * size)
        epochs, within = np.divmod(places, len(self))
        rows = within
        if self._shuffle:
            # Most batches lie in one epoch; a batch larger than the data spans several.
            parts = [self._permutation(int(e))[within[epochs == e]] for e in np.unique(epochs)]
            rows = np.concatenate(parts)
        return self.rows(rows)

    def rows(self, rows: Int[Array, "n"]) -> dict[str, Array]:
        """Return samples by their place on disk, in the given order."""
        shard = np.searchsorted(self._ends, rows, side="right")
        starts = self._ends - np.asarray(self.index.samples)
        out: dict[str, Array] = {}
        for name, kind in self.index.fields.items():
            out[name] = np.empty((len(rows), *kind["shape"]), dtype=np.dtype(kind["dtype"]))
            for number in np.unique(shard):
                here = shard == number
                out[name][here] = self._maps[int(number)][name][rows[here] - starts[number]]
        return out

    def _permutation(self, epoch: int) -> Int[Array, "n"]:
        if self._order is None or self._order[0] != epoch:
            rng = numpy_rng(self._seed, ORDER, epoch)
            self._order = epoch, rng.permutation(len(self))
        return self._order[1]

    @cached_property
    def _maps(self) -> list[dict[str, Array]]:
        """Every array, mapped into memory."""
        maps = []
        for number in range(len(self.index.samples)):
            folder = _shard(self.folder, number)
            try:
                found = {
                    name: np.load(folder / f"{name}.npy", mmap_mode="r", allow_pickle=False)
                    for name in self.index.fields
                }
            except (OSError, ValueError) as error:
                raise TrainingError(f"{folder} cannot be read: {error}") from error
            self._check(folder, found, self.index.samples[number])
            maps.append(found)
        return maps

    def _check(self, folder: Path, found: Mapping[str, Array], samples: int) -> None:
        for name, kind in self.index.fields.items():
            array, shape = found[name], (samples, *kind["shape"])
            if array.shape != shape or array.dtype != np.dtype(kind["dtype"]):
                raise TrainingError(
                    f"{folder / name}.npy is {array.dtype.str} {array.shape}, the index says "
                    f"{kind['dtype']} {shape}; make the data again"
                )
