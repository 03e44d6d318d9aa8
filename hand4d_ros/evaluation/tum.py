"""Wrist tracks as TUM trajectory files, which ``evo`` and most SLAM tools read.

One pose a line: ``t x y z qx qy qz qw``, t in seconds, metres, a quaternion with the real part
last; ``#`` begins a comment. Source: Sturm et al., "A benchmark for the evaluation of RGB-D SLAM
systems", IROS 2012, and its file format page. Stamps keep all nanoseconds: they are written and
read as decimal text, never as floating point.
"""

from __future__ import annotations

from decimal import Decimal, InvalidOperation
from pathlib import Path

import numpy as np

from hand4d_ros.errors import MetricError
from hand4d_ros.geometry import so3
from hand4d_ros.geometry.se3 import from_quaternion_translation
from hand4d_ros.shapes import Array, Float, Int

COLUMNS = 8
NS_PER_S = 1_000_000_000


def write_tum(path: Path, stamps_ns: Int[Array, "t"], T_world_wrist: Float[Array, "t 4 4"]) -> None:
    """Write a track.

    Args:
        path: File to write; its folder exists.
        stamps_ns: Rising.
        T_world_wrist: Poses (m). Rows that are not finite are left out: the format has no other
            way to say that a pose is missing.

    Raises:
        MetricError: Stamps and poses are not equally many, a stamp is negative or they do not
            rise.
    """
    if len(stamps_ns) != len(T_world_wrist):
        msg = f"TUM: {len(stamps_ns)} stamps for {len(T_world_wrist)} poses; give one each"
        raise MetricError(msg)
    if np.any(np.diff(stamps_ns) <= 0) or np.any(stamps_ns < 0):
        msg = "TUM: stamps must be non-negative and rise from line to line; sort them"
        raise MetricError(msg)
    given = np.isfinite(T_world_wrist).all(axis=(1, 2))
    quaternions = so3.quaternion_from_matrix(T_world_wrist[given][:, :3, :3])
    lines = ["# t x y z qx qy qz qw"]
    for stamp_ns, T, wxyz in zip(stamps_ns[given], T_world_wrist[given], quaternions, strict=True):
        seconds, rest_ns = divmod(int(stamp_ns), NS_PER_S)
        numbers = (*T[:3, 3], *wxyz[1:], wxyz[0])
        lines.append(" ".join([f"{seconds}.{rest_ns:09d}", *(f"{value:.9f}" for value in numbers)]))
    path.write_text("\n".join(lines) + "\n", encoding="ascii")


def read_tum(path: Path) -> tuple[Int[Array, "t"], Float[Array, "t 4 4"]]:
    """Read a track.

    Args:
        path: A TUM file; values are separated by spaces, tabs or commas.

    Returns:
        Stamps (ns) and poses (m).

    Raises:
        MetricError: The file is missing or no TUM trajectory; the message names the line.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        msg = f"TUM: {path} cannot be read ({error}); give a text file of t x y z qx qy qz qw"
        raise MetricError(msg) from error
    stamps: list[int] = []
    rows: list[list[float]] = []
    for number, line in enumerate(text.splitlines(), start=1):
        content = line.partition("#")[0].replace(",", " ").split()
        if content:
            stamp_ns, row = _parsed(content, f"{path}:{number}")
            stamps.append(stamp_ns)
            rows.append(row)
    if not rows:
        msg = f"TUM: {path} holds no pose; each line is t x y z qx qy qz qw"
        raise MetricError(msg)
    values = np.array(rows)
    stamps_ns = np.array(stamps, dtype=np.int64)
    late = np.flatnonzero(np.diff(stamps_ns) <= 0)
    if len(late):
        msg = f"TUM: {path} does not rise in time after pose {int(late[0]) + 1}; sort it"
        raise MetricError(msg)
    norm = np.linalg.norm(values[:, 3:], axis=1, keepdims=True)
    wxyz = np.concatenate([values[:, 6:], values[:, 3:6]], axis=1) / norm
    return stamps_ns, from_quaternion_translation(wxyz, values[:, :3])


def _parsed(content: list[str], place: str) -> tuple[int, list[float]]:
    """Stamp (ns) and the seven numbers of one line."""
    if len(content) != COLUMNS:
        msg = f"TUM: {place} has {len(content)} values, expected 8: t x y z qx qy qz qw"
        raise MetricError(msg)
    try:
        stamp_ns = int((Decimal(content[0]) * NS_PER_S).to_integral_value())
        row = [float(value) for value in content[1:]]
    except (ValueError, InvalidOperation, OverflowError) as error:
        msg = f"TUM: {place} holds something that is no number: {' '.join(content)}"
        raise MetricError(msg) from error
    if not np.all(np.isfinite(row)) or not any(row[3:]):
        msg = f"TUM: {place} holds a value that is not finite or a quaternion of zeros"
        raise MetricError(msg)
    return stamp_ns, row
