"""A pickle of arrays is read; a pickle that asks for anything else is refused and runs nothing."""

from __future__ import annotations

import os
import pickle
from pathlib import Path

import numpy as np
import pytest
from hand.mano_samples import foreign_classes, python2_pickle

from hand4d_ros.errors import HandModelError
from hand4d_ros.hand import restricted_pickle
from hand4d_ros.hand.restricted_pickle import as_array, read_pickle


class _Evil:
    """Calls something when it is unpickled by an ordinary reader."""

    def __init__(self, call: object, argument: str) -> None:
        self.what = (call, (argument,))

    def __reduce__(self) -> tuple[object, tuple[str]]:
        return self.what


@pytest.mark.parametrize("protocol", range(6))
def test_arrays_of_every_protocol(tmp_path: Path, protocol: int) -> None:
    """What numpy writes comes back equal: C and Fortran order, numbers, text."""
    content = {
        "c": np.arange(6.0).reshape(2, 3),
        "f": np.asfortranarray(np.arange(6.0).reshape(2, 3)),
        "u": np.array([4294967295], dtype=np.uint32),
        "n": np.float64(0.5),
        "t": "lrotmin",
    }
    path = tmp_path / "a.pkl"
    path.write_bytes(pickle.dumps(content, protocol=protocol))
    restored = read_pickle(path)
    assert isinstance(restored, dict)
    assert restored["t"] == "lrotmin"
    for name in ("c", "f", "u", "n"):
        np.testing.assert_array_equal(as_array(restored[name]), content[name])


def test_python2_file_with_old_names(tmp_path: Path) -> None:
    """Byte strings, numpy's old module names and chumpy's classes of Python 2 are understood."""
    path = tmp_path / "a.pkl"
    with foreign_classes() as classes:
        node = classes["Select"](
            a=classes["Ch"](x=np.arange(12.0)), idxs=np.arange(4), preferred_shape=(2, 2)
        )
        data = python2_pickle({"s": node, "a": np.eye(2)})
    assert b"cnumpy.core.multiarray\n" in data
    path.write_bytes(data)
    restored = read_pickle(path)
    assert isinstance(restored, dict)
    np.testing.assert_array_equal(as_array(restored["s"]), [[0.0, 1.0], [2.0, 3.0]])
    np.testing.assert_array_equal(as_array(restored["a"]), np.eye(2))


@pytest.mark.parametrize("kind", ["csc_matrix", "csr_matrix", "csc_array", "csr_array"])
def test_sparse_matrices_of_this_scipy(tmp_path: Path, kind: str) -> None:
    """Compressed matrices come back with their zeros, by row and by column."""
    sparse = pytest.importorskip("scipy.sparse")
    dense = np.random.default_rng(0).normal(size=(5, 7))
    dense[dense < 0.5] = 0.0
    path = tmp_path / "a.pkl"
    path.write_bytes(pickle.dumps(getattr(sparse, kind)(dense)))
    np.testing.assert_array_equal(as_array(read_pickle(path)), dense)


@pytest.mark.parametrize("protocol", [0, 2, 4])
def test_code_is_refused_and_does_not_run(tmp_path: Path, protocol: int) -> None:
    """A file that calls a shell, or evaluates text, is named and has no effect."""
    trace = tmp_path / "trace"
    calls = {
        "system": _Evil(os.system, f"touch {trace}"),
        "eval": _Evil(eval, f"open({str(trace)!r}, 'w')"),
    }
    path = tmp_path / "MANO_RIGHT.pkl"
    for name, evil in calls.items():
        path.write_bytes(pickle.dumps({"v_template": evil}, protocol=protocol))
        with pytest.raises(HandModelError, match=rf"refused: it asks for \w+\.{name}"):
            read_pickle(path)
        assert not trace.exists()
    # The same file does run where it is trusted, so the test above means something.
    path.write_bytes(pickle.dumps(calls["system"], protocol=protocol))
    pickle.loads(path.read_bytes())  # noqa: S301
    assert trace.exists()


def test_attributes_of_allowed_names_are_refused(tmp_path: Path) -> None:
    """Dotted names, by which protocol 4 reaches into a module, are not followed."""
    path = tmp_path / "a.pkl"
    path.write_bytes(b"\x80\x04\x8c\x05numpy\x8c\x12ndarray.__reduce__\x93.")
    with pytest.raises(HandModelError, match="refused"):
        read_pickle(path)


def test_damaged_files_are_refused(tmp_path: Path) -> None:
    """Missing, foreign, truncated and oversized files each get an error of this package."""
    path = tmp_path / "a.pkl"
    with pytest.raises(HandModelError, match="cannot read"):
        read_pickle(path)
    path.write_bytes(b"\x89PNG\r\n\x1a\n")
    with pytest.raises(HandModelError, match="no readable pickle"):
        read_pickle(path)
    whole = pickle.dumps({"a": np.zeros(1000)}, protocol=2)
    for length in (0, 10, len(whole) // 2, len(whole) - 1):
        path.write_bytes(whole[:length])
        with pytest.raises(HandModelError, match="truncated"):
            read_pickle(path)


def test_large_files_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A file beyond the limit is not even opened."""
    path = tmp_path / "a.pkl"
    path.write_bytes(pickle.dumps(np.zeros(10)))
    monkeypatch.setattr(restricted_pickle, "MAX_BYTES", 50)
    with pytest.raises(HandModelError, match="more than any hand model"):
        read_pickle(path)


def test_values_that_are_no_numbers_are_refused(tmp_path: Path) -> None:
    """Text, objects and chumpy's expressions are no arrays."""
    with foreign_classes() as classes:
        data = pickle.dumps(classes["Ch"](left=1, right=2))
    path = tmp_path / "a.pkl"
    path.write_bytes(data)
    with pytest.raises(ValueError, match="expression of left, right"):
        as_array(read_pickle(path))
    values: tuple[object, ...] = ("text", [{}], np.array([None]))
    for value in values:
        with pytest.raises(ValueError, match="not numbers"):
            as_array(value)
