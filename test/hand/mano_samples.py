"""Files in the layout of MANO with made-up numbers, as tests of the importer need them."""

from __future__ import annotations

import io
import pickle
import struct
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np

from hand4d_ros.hand.orders import MANO_PARENTS
from hand4d_ros.types import Side

VERTICES, FACES = 778, 1538


def mano_content(seed: int = 0, side: Side = Side.RIGHT) -> dict[str, Any]:
    """Return arrays that are valid in the sense of the official file, under its names.

    A left hand is a mirror image, with the shape directions of the right one as published.
    """
    rng = np.random.default_rng(seed)
    template = rng.normal(size=(VERTICES, 3)) * [0.05, 0.01, 0.03]
    regressor = np.zeros((16, VERTICES))
    for joint, row in enumerate(regressor):
        chosen = rng.choice(VERTICES, size=12, replace=False)
        row[chosen] = rng.uniform(0.1, 1.0, size=12)
        template[chosen, 0] += 0.1 if joint == 0 else 0.0
    regressor /= regressor.sum(axis=1, keepdims=True)
    template[443, 0] = -0.12
    weights = np.zeros((VERTICES, 16))
    for row in weights:
        row[rng.choice(16, size=4, replace=False)] = rng.uniform(0.1, 1.0, size=4)
    shape = rng.normal(scale=1e-4, size=(VERTICES, 3, 10))
    shape[..., 0] += 0.06 * template
    if side is Side.LEFT:
        template = template * [-1.0, 1.0, 1.0]
    parents = np.array(MANO_PARENTS, dtype=np.int64) % 2**32
    return {
        "v_template": template,
        "shapedirs": shape,
        "posedirs": rng.normal(scale=1e-3, size=(VERTICES, 3, 135)),
        "J_regressor": regressor,
        "weights": weights / weights.sum(axis=1, keepdims=True),
        "f": rng.permuted(np.tile(np.arange(VERTICES), (FACES, 1)), axis=1)[:, :3].astype("u4"),
        "kintree_table": np.array([parents, np.arange(16)]).astype(np.uint32),
        "hands_mean": rng.normal(size=45),
        "hands_components": rng.normal(size=(45, 45)),
        "hands_coeffs": rng.normal(size=(3, 45)),
        "J": rng.normal(size=(16, 3)),
        "bs_type": "lrotmin",
        "bs_style": "lbs",
    }


class _Stored:
    """An object of a library that is not there: only its name and state reach the file."""

    def __init__(self, **state: object) -> None:
        self.__dict__.update(state)


def _stored_class(module: str, name: str) -> type[_Stored]:
    return type(name, (_Stored,), {"__module__": module})


@contextmanager
def foreign_classes() -> Iterator[dict[str, type[_Stored]]]:
    """Make classes of chumpy and of an old scipy that can be pickled while this lasts."""
    names = {"Ch": "chumpy.ch", "Select": "chumpy.reordering", "csc_matrix": "scipy.sparse.csc"}
    classes = {name: _stored_class(module, name) for name, module in names.items()}
    before = {module: sys.modules.get(module) for module in (*names.values(), "chumpy")}
    try:
        sys.modules["chumpy"] = ModuleType("chumpy")
        for name, module in names.items():
            sys.modules[module] = ModuleType(module)
            setattr(sys.modules[module], name, classes[name])
        yield classes
    finally:
        for module, known in before.items():
            if known is None:
                del sys.modules[module]
            else:
                sys.modules[module] = known


def _save_as_byte_string(pickler: Any, value: str | bytes) -> None:
    data = value if isinstance(value, bytes) else value.encode("latin1")
    pickler.write(b"T" + struct.pack("<i", len(data)) + data)
    pickler.memoize(value)


def python2_pickle(content: object) -> bytes:
    """Pickle as numpy 1 under Python 2 did: text and bytes are both byte strings."""
    file = io.BytesIO()
    pickler: Any = pickle._Pickler(file, protocol=2)
    by_type = dict.fromkeys((bytes, str), _save_as_byte_string)
    pickler.dispatch = {**pickler.dispatch, **by_type}
    pickler.dump(content)
    return file.getvalue().replace(b"cnumpy._core.", b"cnumpy.core.")


def write_official(path: Path, content: dict[str, Any]) -> Path:
    """Write a file as the official one is: chumpy for the shape, a sparse regressor, Python 2."""
    shape = content["shapedirs"]
    regressor = content["J_regressor"]
    columns, rows = np.nonzero(regressor.T)
    starts = np.searchsorted(columns, np.arange(VERTICES + 1)).astype(np.int32)
    with foreign_classes() as classes:
        # The published shape is a selection of more directions than it shows.
        padded = np.concatenate((shape, np.ones((VERTICES, 3, 2))), axis=2)
        chosen = np.arange(padded.size).reshape(padded.shape)[..., :10].ravel()
        whole = classes["Ch"](x=padded, _dirty_vars=set())
        stored = {
            **content,
            "shapedirs": classes["Select"](a=whole, idxs=chosen, preferred_shape=shape.shape),
            "J_regressor": classes["csc_matrix"](
                _shape=(16, VERTICES),
                maxprint=50,
                data=regressor.T[columns, rows],
                indices=rows.astype(np.int32),
                indptr=starts,
            ),
        }
        path.write_bytes(python2_pickle(stored))
    return path
