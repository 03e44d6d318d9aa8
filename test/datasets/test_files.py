"""Files of the kinds that datasets come in: what is read, and what is refused."""

from __future__ import annotations

import zipfile
from pathlib import Path

import numpy as np
import pytest

from hand4d_ros.datasets import files
from hand4d_ros.datasets.info import DatasetInfo
from hand4d_ros.errors import DatasetError

INFO = DatasetInfo(
    key="made",
    title="Made",
    description="made up",
    where="https://example.org",
    access="an account there",
    licence="none",
    layout="here/\n  it.npy",
    world="none",
    conventions="one point\n  on two lines\nanother",
    not_derivable="nothing",
    sources="nowhere",
)


def test_points_are_unfolded() -> None:
    """Indented lines go on with the point above."""
    assert INFO.points("conventions") == ("one point on two lines", "another")


def test_what_is_missing_says_how_to_get_it(tmp_path: Path) -> None:
    """Path, reason, site, access, licence and layout are all in the message."""
    with pytest.raises(DatasetError) as raised:
        files.content(tmp_path / "it.txt", INFO, "It is withheld.")
    assert str(raised.value) == (
        f"Made: there is no {tmp_path / 'it.txt'}. It is withheld. Get it from "
        "https://example.org (an account there; licence: none) and unpack it so that the folder "
        "given holds\nhere/\n  it.npy"
    )


@pytest.mark.parametrize("by_column", [False, True])
def test_saved_arrays_come_back(tmp_path: Path, *, by_column: bool) -> None:
    """Numbers in either order of memory, and numbers saved as objects."""
    values = np.arange(12.0).reshape(3, 4)
    stored = np.asfortranarray(values) if by_column else values
    np.save(tmp_path / "a.npy", stored)
    np.testing.assert_array_equal(files.saved_array(tmp_path / "a.npy", INFO), values)
    np.save(tmp_path / "b.npy", stored.astype(object), allow_pickle=True)
    np.testing.assert_array_equal(files.saved_array(tmp_path / "b.npy", INFO), values)


def test_saved_dictionaries_come_back(tmp_path: Path) -> None:
    """Nested, with words, as ``np.save`` and ``np.savez`` box them."""
    content = {"right": {"rot": np.ones((2, 3), dtype=np.float32)}, "name": "s01", "n": 3}
    np.save(tmp_path / "a.npy", np.array(content, dtype=object), allow_pickle=True)
    found = files.saved_mapping(tmp_path / "a.npy", INFO)
    assert (found["name"], found["n"]) == ("s01", 3)
    np.testing.assert_array_equal(found["right"]["rot"], 1.0)
    boxed = {key: np.array(value, dtype=object) for key, value in content.items()}
    np.savez(tmp_path / "b.npz", **boxed)  # type: ignore[arg-type]
    members = files.saved_members(tmp_path / "b.npz", INFO, ("right", "name"))
    assert members["name"] == "s01"
    assert set(members) == {"right", "name"}


def test_members_that_are_not_asked_for_are_not_read(tmp_path: Path) -> None:
    """A member that would be refused does no harm."""
    np.savez(tmp_path / "a.npz", good=np.arange(3))
    with zipfile.ZipFile(tmp_path / "a.npz", "a") as archive:
        archive.writestr("bad.npy", b"damaged")
    found = files.saved_members(tmp_path / "a.npz", INFO, ("good",))
    np.testing.assert_array_equal(found["good"], [0, 1, 2])
    with pytest.raises(DatasetError, match="is damaged"):
        files.saved_members(tmp_path / "a.npz", INFO, ("bad",))


def test_plain_arrays_are_never_unpickled(tmp_path: Path) -> None:
    """An array of objects where numbers belong is refused."""
    np.savez(tmp_path / "a.npz", a=np.array([{}], dtype=object))
    with pytest.raises(DatasetError, match="Object arrays cannot be loaded"):
        files.arrays(tmp_path / "a.npz", INFO, ("a",))


@pytest.mark.parametrize(
    ("text", "match"),
    [("a: [1", "is no YAML"), ("- 1", "holds a list; expected a YAML mapping")],
)
def test_foreign_yaml_is_refused(tmp_path: Path, text: str, match: str) -> None:
    """The message says what it is."""
    (tmp_path / "a.yml").write_text(text, encoding="utf-8")
    with pytest.raises(DatasetError, match=match):
        files.yaml_mapping(tmp_path / "a.yml", INFO)


def test_numbers_have_the_size_that_they_should() -> None:
    """Reshaped if they can be; named with their file if not."""
    path = Path("there.json")
    np.testing.assert_array_equal(files.numbers([[1], [2]], path, INFO, (2,)), [1.0, 2.0])
    assert files.numbers([1, 2], path, INFO).dtype == np.float64
    wrongs: tuple[object, ...] = ([1, 2, 3], "abc", [[1], [2, 3]], None, {})
    for wrong in wrongs:
        with pytest.raises(DatasetError, match=r"there\.json holds .*expected numbers of shape"):
            files.numbers(wrong, path, INFO, (2,))


def test_missing_files_of_every_kind(tmp_path: Path) -> None:
    """Each reader says that there is none."""
    path = tmp_path / "nothing"
    readers = (
        lambda: files.folder(path, INFO),
        lambda: files.json_mapping(path, INFO),
        lambda: files.arrays(path, INFO, ("a",)),
        lambda: files.pickled_mapping(path, INFO),
        lambda: files.saved_mapping(path, INFO),
        lambda: files.saved_array(path, INFO),
        lambda: files.saved_members(path, INFO, ("a",)),
    )
    for reader in readers:
        with pytest.raises(DatasetError, match=r"there is no .*nothing"):
            reader()
