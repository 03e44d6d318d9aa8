"""Reading the kinds of files that datasets come in; every fault names the file and its remedy."""

from __future__ import annotations

import json
import pickle
import zipfile
from collections.abc import Mapping, Sequence
from io import BufferedIOBase
from pathlib import Path
from typing import IO, Any

import numpy as np

from hand4d_ros.datasets.info import DatasetInfo
from hand4d_ros.errors import HandModelError
from hand4d_ros.hand.restricted_pickle import RestrictedUnpickler, read_pickle
from hand4d_ros.shapes import Array, Float

_DAMAGED = (OSError, ValueError, EOFError, KeyError, zipfile.BadZipFile, pickle.UnpicklingError)


def folder(path: Path, info: DatasetInfo, why: str = "") -> Path:
    """Return a folder that is there.

    Raises:
        DatasetError: It is not.
    """
    if not path.is_dir():
        raise info.missing(path, why)
    return path


def content(path: Path, info: DatasetInfo, why: str = "") -> str:
    """Return the text of a file.

    Raises:
        DatasetError: It is missing or no text.
    """
    if not path.is_file():
        raise info.missing(path, why)
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise info.foreign(path, f"cannot be read ({error})", "a text file") from None


def json_mapping(path: Path, info: DatasetInfo, why: str = "") -> dict[str, Any]:
    """Read a JSON object.

    Raises:
        DatasetError: The file is missing or holds something else.
    """
    return mapping_from_json(content(path, info, why), path, info)


def mapping_from_json(text: str | bytes, path: Path, info: DatasetInfo) -> dict[str, Any]:
    """Parse a JSON object.

    Args:
        text: The JSON.
        path: Where it is from, for the message.
        info: The dataset.

    Raises:
        DatasetError: It is something else.
    """
    try:
        found = json.loads(text)
    except ValueError as error:
        raise info.foreign(path, f"is no JSON ({error})", "a JSON object") from None
    if not isinstance(found, dict):
        raise info.foreign(path, f"holds a {type(found).__name__}", "a JSON object")
    return found


def yaml_mapping(path: Path, info: DatasetInfo) -> dict[str, Any]:
    """Read a YAML mapping.

    Raises:
        DatasetError: The file is missing or holds something else.
    """
    import yaml

    try:
        found = yaml.safe_load(content(path, info))
    except yaml.YAMLError as error:
        raise info.foreign(path, f"is no YAML ({error})", "a YAML mapping") from None
    if not isinstance(found, dict):
        raise info.foreign(path, f"holds a {type(found).__name__}", "a YAML mapping")
    return found


def rows(path: Path, info: DatasetInfo, columns: int) -> Float[Array, "n columns"]:
    """Read lines of numbers.

    Raises:
        DatasetError: The file is missing, or a line has another number of numbers.
    """
    lines = [line.split() for line in content(path, info).splitlines() if line.strip()]
    try:
        values = [[float(word) for word in line] for line in lines]
    except ValueError as error:
        raise info.foreign(path, f"holds other things than numbers ({error})", "numbers") from None
    widths = sorted({len(line) for line in values})
    if widths != [columns]:
        found = f"has lines of {widths or 'no'} numbers"
        raise info.foreign(path, found, f"{columns} in each line")
    return np.array(values)


def arrays(path: Path, info: DatasetInfo, names: Sequence[str]) -> dict[str, Array]:
    """Read plain arrays of an ``.npz``; the other arrays of the file are not touched.

    Raises:
        DatasetError: The file is missing, damaged or lacks one.
    """
    if not path.is_file():
        raise info.missing(path)
    try:
        with np.load(path, allow_pickle=False) as data:
            lacking = [name for name in names if name not in data.files]
            if lacking:
                found = f"lacks {', '.join(lacking)} (it has {', '.join(data.files)})"
                raise info.foreign(path, found, f"arrays {', '.join(names)}")
            return {name: data[name] for name in names}
    except _DAMAGED as error:
        raise info.foreign(path, f"is no readable .npz ({error})", "numpy arrays") from None


def pickled_mapping(path: Path, info: DatasetInfo) -> dict[str, Any]:
    """Read a pickled dictionary of arrays without running anything that it asks for.

    Raises:
        DatasetError: The file is missing, damaged, asks for code, or holds something else.
    """
    if not path.is_file():
        raise info.missing(path)
    try:
        found = read_pickle(path)
    except HandModelError as error:
        raise info.foreign(path, f"is refused: {error}", "a pickle of arrays") from None
    return _mapping(found, path, info)


def saved_mapping(path: Path, info: DatasetInfo, why: str = "") -> dict[str, Any]:
    """Read a dictionary that ``np.save`` wrote, which pickles it, without running its code.

    Raises:
        DatasetError: The file is missing, damaged, asks for code, or holds something else.
    """
    if not path.is_file():
        raise info.missing(path, why)
    with path.open("rb") as stream:
        return _mapping(_object(stream, path, info), path, info)


def saved_array(path: Path, info: DatasetInfo) -> Float[Array, "..."]:
    """Read an array of numbers that ``np.save`` wrote, as numbers or as objects.

    Raises:
        DatasetError: The file is missing or damaged, or holds something else.
    """
    if not path.is_file():
        raise info.missing(path)
    with path.open("rb") as stream:
        return numbers(_object(stream, path, info), path, info)


def saved_members(path: Path, info: DatasetInfo, names: Sequence[str]) -> dict[str, Any]:
    """Read members of an ``.npz`` that holds dictionaries, words and numbers as objects.

    Raises:
        DatasetError: The file is missing or damaged, asks for code, or lacks one.
    """
    if not path.is_file():
        raise info.missing(path)
    found: dict[str, Any] = {}
    try:
        with zipfile.ZipFile(path) as archive:
            for name in names:
                with archive.open(f"{name}.npy") as stream:
                    found[name] = _object(stream, path, info)
    except _DAMAGED as error:
        expected = f"an .npz with {', '.join(names)}"
        raise info.foreign(path, f"cannot be read ({error})", expected) from None
    return found


def numbers(
    value: object, path: Path, info: DatasetInfo, shape: tuple[int, ...] | None = None
) -> Float[Array, "..."]:
    """Return a value as numbers of a given number of elements, reshaped.

    Args:
        value: What was read.
        path: Where it is from, for the message.
        info: The dataset.
        shape: What to make of it; -1 is any length. None keeps its shape.

    Raises:
        DatasetError: It is no array of numbers, or of another size.
    """
    try:
        array = np.asarray(value, dtype=np.float64)
        return array if shape is None else array.reshape(shape)
    except (TypeError, ValueError) as error:
        raise info.foreign(path, f"holds {error}", f"numbers of shape {shape}") from None


def entry(found: Mapping[str, Any], key: str, path: Path, info: DatasetInfo) -> Any:
    """Return one entry of a mapping.

    Raises:
        DatasetError: It lacks it.
    """
    if key not in found:
        have = ", ".join(sorted(map(str, found))[:12]) or "nothing"
        raise info.foreign(path, f"lacks {key!r} (it has {have})", f"{key!r}")
    return found[key]


def _mapping(found: object, path: Path, info: DatasetInfo) -> dict[str, Any]:
    if not isinstance(found, dict):
        raise info.foreign(path, f"holds a {type(found).__name__}", "a dictionary of arrays")
    return found


def _object(stream: IO[bytes] | BufferedIOBase, path: Path, info: DatasetInfo) -> Any:
    """Restore what ``np.save`` wrote; an array of objects is a pickle behind numpy's header."""
    try:
        version = np.lib.format.read_magic(stream)
        header = {
            (1, 0): np.lib.format.read_array_header_1_0,
            (2, 0): np.lib.format.read_array_header_2_0,
        }[version]
        shape, by_column, dtype = header(stream)
        if dtype.hasobject:
            value = RestrictedUnpickler(stream, encoding="latin1").load()
        else:
            flat = np.frombuffer(stream.read(), dtype, count=int(np.prod(shape)))
            value = flat.reshape(shape, order="F" if by_column else "C")
    except HandModelError as error:
        raise info.foreign(path, f"is refused: {error}", "numpy arrays") from None
    # A damaged pickle can fail in any way that its operations can.
    except Exception as error:
        raise info.foreign(
            path, f"is damaged ({type(error).__name__}: {error})", "arrays"
        ) from error
    return value.item() if isinstance(value, np.ndarray) and value.ndim == 0 else value
