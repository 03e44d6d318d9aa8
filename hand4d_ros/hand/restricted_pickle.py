"""Read numpy arrays, sparse matrices and chumpy constants from a pickle without running its code.

A pickle can call anything it names, so nothing is looked up by name: each global that such files
need is answered by this module, everything else is refused. chumpy and scipy are not needed.
"""

from __future__ import annotations

import pickle
from collections.abc import Callable, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any, ClassVar

import numpy as np

from hand4d_ros.errors import HandModelError
from hand4d_ros.shapes import Array

MAX_BYTES = 64 * 1024 * 1024
"""Larger files are refused; a released MANO file has 4 MB."""


class SparseMatrix:
    """Stands in for the compressed matrices of scipy.sparse, of any version."""

    by_column: ClassVar[bool]
    state: Mapping[str, Any] = MappingProxyType({})

    def __setstate__(self, state: dict[str, Any]) -> None:
        """Take what pickle restores."""
        self.state = dict(state)

    def to_array(self) -> Array:
        """Return the matrix with its zeros.

        Raises:
            KeyError: A part of a compressed matrix is missing.
        """
        state = self.state
        rows, columns = (int(n) for n in state["_shape" if "_shape" in state else "shape"])
        data, indices, starts = (np.asarray(state[k]) for k in ("data", "indices", "indptr"))
        major = np.repeat(np.arange(len(starts) - 1), np.diff(starts))
        place = (indices, major) if self.by_column else (major, indices)
        dense = np.zeros((rows, columns))
        np.add.at(dense, place, data)
        return dense


class _ColumnMatrix(SparseMatrix):
    by_column = True


class _RowMatrix(SparseMatrix):
    by_column = False


class ChumpyNode:
    """Stands in for chumpy's differentiable arrays: constants and selections of them."""

    state: Mapping[str, Any] = MappingProxyType({})

    def __setstate__(self, state: dict[str, Any]) -> None:
        """Take what pickle restores."""
        self.state = dict(state)

    def to_array(self) -> Array:
        """Return the value.

        Raises:
            ValueError: The node computes something other than a selection.
        """
        if "x" in self.state:
            return as_array(self.state["x"])
        if {"a", "idxs"} <= self.state.keys():
            chosen = as_array(self.state["a"]).ravel()[as_array(self.state["idxs"])]
            return np.asarray(chosen.reshape(self.state.get("preferred_shape", chosen.shape)))
        names = ", ".join(sorted(map(str, self.state)))
        raise ValueError(f"a chumpy expression of {names}, which is no constant")


def as_array(value: object) -> Array:
    """Return a restored value as a plain array.

    Raises:
        ValueError: The value holds something other than numbers.
    """
    if isinstance(value, (SparseMatrix, ChumpyNode)):
        return value.to_array()
    array = np.asarray(value)
    if array.dtype.kind not in "biuf":
        raise ValueError(f"{type(value).__name__} of {array.dtype}, not numbers")
    return array


def _encode(text: str, encoding: str) -> bytes:
    """``_codecs.encode``, by which Python 3 writes bytes for Python 2."""
    if encoding != "latin1":
        raise pickle.UnpicklingError(f"bytes encoded as {encoding!r}")
    return text.encode("latin1")


def _array_from_buffer(
    buffer: bytes | bytearray, dtype: np.dtype[Any], shape: tuple[int, ...], order: str
) -> Array:
    """``numpy._core.numeric._frombuffer``, by which protocol 5 restores arrays."""
    return np.frombuffer(buffer, dtype).reshape(shape, order="F" if order == "F" else "C")


def _new_object(cls: type, base: type, _state: object) -> object:
    """``copyreg._reconstructor``, by which protocols 0 and 1 make objects."""
    if cls not in (_ColumnMatrix, _RowMatrix, ChumpyNode) or base is not object:
        raise pickle.UnpicklingError(f"an object of {cls!r}")
    return base.__new__(cls)


def _numpy_globals() -> dict[tuple[str, str], Any]:
    # These two helpers are written in C and restore an array and a number; their place moved.
    multiarray = np.ndarray((0,)).__reduce__()[0]
    scalar = np.float64(0.0).__reduce__()[0]
    known: dict[tuple[str, str], Any] = {
        ("numpy", "ndarray"): np.ndarray,
        ("numpy", "dtype"): np.dtype,
    }
    for core in ("core", "_core"):
        known[f"numpy.{core}.multiarray", "_reconstruct"] = multiarray
        known[f"numpy.{core}.multiarray", "scalar"] = scalar
        known[f"numpy.{core}.numeric", "_frombuffer"] = _array_from_buffer
    return known


def _scipy_globals() -> dict[tuple[str, str], Any]:
    known: dict[tuple[str, str], Any] = {}
    for kind, stand_in in (("csc", _ColumnMatrix), ("csr", _RowMatrix)):
        for module in (f"scipy.sparse.{kind}", f"scipy.sparse._{kind}", "scipy.sparse"):
            known[module, f"{kind}_matrix"] = stand_in
            known[module, f"{kind}_array"] = stand_in
    return known


_CHUMPY_GLOBALS: dict[tuple[str, str], Any] = {
    ("chumpy.ch", "Ch"): ChumpyNode,
    ("chumpy", "Ch"): ChumpyNode,
    ("chumpy.reordering", "Select"): ChumpyNode,
}

_PYTHON_GLOBALS: dict[tuple[str, str], Any] = {
    ("_codecs", "encode"): _encode,
    **dict.fromkeys((("copyreg", "_reconstructor"), ("copy_reg", "_reconstructor")), _new_object),
    **dict.fromkeys((("builtins", "object"), ("__builtin__", "object")), object),
    **dict.fromkeys((("builtins", "set"), ("__builtin__", "set")), set),
}


class RestrictedUnpickler(pickle.Unpickler):
    """Answers every global from a table."""

    _known: ClassVar[dict[tuple[str, str], Callable[..., Any]]] = {
        **_numpy_globals(),
        **_scipy_globals(),
        **_CHUMPY_GLOBALS,
        **_PYTHON_GLOBALS,
    }

    def find_class(self, module: str, name: str) -> Any:
        """Return the stand-in for a global.

        Raises:
            HandModelError: It is not among those that such files need.
        """
        try:
            return self._known[module, name]
        except KeyError:
            raise HandModelError(
                f"it asks for {module}.{name}, which a file of arrays has no need of; "
                "nothing was run. Use the file as its makers publish it."
            ) from None


def read_pickle(path: Path) -> object:
    """Restore a pickle of arrays, of Python 2 or 3.

    Raises:
        HandModelError: The file cannot be read, is too large, is no pickle, is truncated or
            asks for anything but arrays.
    """
    try:
        size = path.stat().st_size
        if size > MAX_BYTES:
            raise HandModelError(
                f"{path} has {size >> 20} MB, which is more than any hand model ({MAX_BYTES >> 20})"
            )
        content = path.open("rb")
    except OSError as error:
        raise HandModelError(f"cannot read {path}: {error.strerror or error}") from error
    with content:
        try:
            return RestrictedUnpickler(content, encoding="latin1").load()
        except HandModelError as error:
            raise HandModelError(f"{path} is refused: {error}") from None
        # A damaged pickle can fail in any way that its operations can.
        except Exception as error:
            raise HandModelError(
                f"{path} is no readable pickle, or is truncated ({type(error).__name__}: {error})"
            ) from error
