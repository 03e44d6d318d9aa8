"""Vertices of a PLY file, ASCII or binary; faces and colours are left alone."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from hand4d_ros.datasets.info import DatasetInfo
from hand4d_ros.shapes import Array, Float

_TYPES = {
    **dict.fromkeys(("char", "int8"), "i1"),
    **dict.fromkeys(("uchar", "uint8"), "u1"),
    **dict.fromkeys(("short", "int16"), "i2"),
    **dict.fromkeys(("ushort", "uint16"), "u2"),
    **dict.fromkeys(("int", "int32"), "i4"),
    **dict.fromkeys(("uint", "uint32"), "u4"),
    **dict.fromkeys(("float", "float32"), "f4"),
    **dict.fromkeys(("double", "float64"), "f8"),
}
_ORDERS = {"binary_little_endian": "<", "binary_big_endian": ">"}


def ply_vertices(path: Path, info: DatasetInfo) -> Float[Array, "v 3"]:
    """Read the x, y and z of the vertices, which must be the first element.

    Source: Turk, "The PLY polygon file format" (1994).

    Raises:
        DatasetError: The file is missing, damaged or has no vertices.
    """
    if not path.is_file():
        raise info.missing(path)
    data = path.read_bytes()
    end = data.find(b"end_header")
    if not data.startswith(b"ply") or end < 0:
        raise info.foreign(path, "has no PLY header", "a mesh")
    body = data[data.find(b"\n", end) + 1 :]
    try:
        kind, count, properties = _header(data[:end].decode("ascii").splitlines())
        columns = [name for name, _ in properties]
        if kind == "ascii":
            width = len(columns)
            table = np.array(body.split()[: count * width], dtype=float).reshape(count, width)
            return table[:, [columns.index(axis) for axis in "xyz"]]
        dtype = np.dtype([(name, _ORDERS[kind] + code) for name, code in properties])
        vertices = np.frombuffer(body, dtype, count=count)
        return np.stack([vertices[axis].astype(np.float64) for axis in "xyz"], axis=1)
    except (KeyError, ValueError, IndexError) as error:
        raise info.foreign(path, f"is a damaged PLY file ({error!r})", "a mesh") from None


def _header(lines: list[str]) -> tuple[str, int, list[tuple[str, str]]]:
    """Format, number of vertices and their properties (name, numpy type)."""
    kind, count, properties, element = "", -1, list[tuple[str, str]](), ""
    for line in lines:
        words = line.split()
        if words[:1] == ["format"]:
            kind = words[1]
        elif words[:1] == ["element"]:
            element = words[1]
            if count < 0 and element != "vertex":
                raise ValueError(f"first element {element}")
            if element == "vertex":
                count = int(words[2])
        elif words[:1] == ["property"] and element == "vertex":
            properties.append((words[2], _TYPES[words[1]]))
    if kind not in ("ascii", *_ORDERS) or count < 0:
        raise ValueError(f"format {kind!r}, {count} vertices")
    return kind, count, properties
