"""Samples on disk come back whole, shuffled by epoch, and are recognised when changed."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from hand4d_ros.errors import TrainingError
from hand4d_ros.shapes import Array
from hand4d_ros.training.data import batches
from hand4d_ros.training.shards import INDEX, Shards, read_index, write_shards


class Counted:
    """Samples that are their own place on disk."""

    def __init__(self, start: int = 0) -> None:
        self.start = start
        self.made: list[int] = []
        self.description: Mapping[str, Any] = {"start": start}

    def batch(self, number: int, size: int) -> dict[str, Array]:
        """Return places, twice."""
        self.made.append(number)
        places = np.arange(number * size, (number + 1) * size) + self.start
        return {"place": places, "pair": np.stack((places, -places), 1).astype(np.float32)}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Three shards of seven samples."""
    write_shards(tmp_path / "data", Counted(), 3, 7)
    return tmp_path / "data"


def test_unshuffled_samples_are_what_was_written(folder: Path) -> None:
    """Over the borders of shards and epochs, types and shapes kept."""
    shards = Shards(folder, shuffle=False)
    assert len(shards) == 21
    batch = shards.batch(3, 6)
    assert batch["place"].tolist() == [18, 19, 20, 0, 1, 2]
    assert batch["place"].dtype == np.int64
    assert batch["pair"].dtype == np.float32
    assert batch["pair"][:, 1].tolist() == [-18, -19, -20, 0, -1, -2]


@pytest.mark.parametrize("size", [1, 5, 21, 50])
def test_every_epoch_is_a_permutation(folder: Path, size: int) -> None:
    """All samples once an epoch, in another order each, whatever the batch size."""
    shards = Shards(folder, seed=1)
    needed = -(-63 // size)
    places = np.concatenate([shards.batch(i, size)["place"] for i in range(needed)])[:63]
    epochs = places.reshape(3, 21)
    assert all(sorted(epoch) == list(range(21)) for epoch in epochs.tolist())
    assert len({tuple(epoch) for epoch in epochs.tolist()}) == 3
    one_by_one = [int(Shards(folder, seed=1).batch(i, 1)["place"][0]) for i in range(63)]
    assert places.tolist() == one_by_one


def test_workers_and_seeds(folder: Path) -> None:
    """Worker processes change nothing; the seed changes the order."""
    orders = [
        [
            int(x)
            for b in batches(Shards(folder, seed=seed), 4, range(5), workers=w)
            for x in b["place"]
        ]
        for seed, w in ((1, 0), (1, 2), (2, 0))
    ]
    assert orders[0] == orders[1]
    assert orders[0] != orders[2]


def test_finished_shards_are_kept(tmp_path: Path) -> None:
    """After an interruption only what is missing is made; a finished folder is only read."""
    whole = write_shards(tmp_path / "a", Counted(), 3, 7, workers=1)
    write_shards(tmp_path / "b", Counted(), 3, 7)
    (tmp_path / "b" / INDEX).unlink()
    for path in (tmp_path / "b" / "shard-00001").iterdir():
        path.unlink()
    (tmp_path / "b" / "shard-00001").rmdir()
    source = Counted()
    again = write_shards(tmp_path / "b", source, 3, 7)
    assert source.made == [1]
    assert again == whole
    assert again.content_hash == read_index(tmp_path / "b").content_hash
    write_shards(tmp_path / "b", source, 3, 7)
    assert source.made == [1]


def test_changes_are_found(folder: Path) -> None:
    """One number that changed on disk does not pass."""
    Shards(folder).verify()
    path = folder / "shard-00002" / "place.npy"
    places = np.load(path)
    places[0] += 1
    np.save(path, places)
    with pytest.raises(TrainingError, match="shard-00002 is not what the index says"):
        Shards(folder).verify()
    np.save(path, places.astype(np.float32))
    with pytest.raises(TrainingError, match=r"place.npy is <f4 \(7,\), the index says <i8"):
        Shards(folder).batch(0, 1)
    path.unlink()
    with pytest.raises(TrainingError, match="shard-00002 cannot be read"):
        Shards(folder).batch(0, 1)


def test_other_data_is_refused(folder: Path) -> None:
    """A folder that holds something else is not taken for it, nor overwritten."""
    with pytest.raises(TrainingError, match="holds other data than is asked for"):
        write_shards(folder, Counted(start=5), 3, 7)
    with pytest.raises(TrainingError, match="holds other data than is asked for"):
        write_shards(folder, Counted(), 4, 7)


def test_description_has_count_and_hash(folder: Path) -> None:
    """The card of a network says what it was trained on."""
    described = Shards(folder).description
    assert described["start"] == 0
    assert described["samples"] == 21
    assert len(described["sha256"]) == 64


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (None, "holds no finished shards"),
        ("{", "is no index of shards"),
        ('{"format": 9}', "has format 9, expected 1"),
        ('{"format": 1}', "is no index of shards"),
        (json.dumps({"format": 1, "shards": [], "fields": {}, "description": {}}), "no samples"),
    ],
)
def test_folder_without_a_right_index_is_refused(
    tmp_path: Path, text: str | None, message: str
) -> None:
    """Unfinished, damaged, foreign and empty folders are told apart."""
    if text is not None:
        (tmp_path / INDEX).write_text(text)
    with pytest.raises(TrainingError, match=message):
        Shards(tmp_path)


def test_a_place_that_cannot_be_written_is_told(tmp_path: Path) -> None:
    """A file where the folder should be."""
    (tmp_path / "data").write_text("")
    with pytest.raises(TrainingError, match="cannot write shards to"):
        write_shards(tmp_path / "data", Counted(), 1, 2)
