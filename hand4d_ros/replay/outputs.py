"""Files that are whole or not there: written aside, then renamed, with clear errors.

A full disk, a read-only folder or an interrupted run never leaves half a report or bag behind
that looks like a result.
"""

from __future__ import annotations

import errno
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from hand4d_ros.errors import Hand4DError

_REASONS = {
    errno.ENOSPC: "the disk is full; free some space or choose another folder",
    errno.EDQUOT: "your disk quota is used up; free some space or choose another folder",
    errno.EFBIG: "the file would exceed the size limit here; see `ulimit -f`",
    errno.EROFS: "the file system is read-only; choose another folder",
    errno.EACCES: "you have no permission to write there; choose another folder",
    errno.EPERM: "writing is not permitted there; choose another folder",
    errno.ENOTDIR: "a part of that path is a file, not a folder; choose another folder",
    errno.EISDIR: "that is a folder; give the name of a file",
}


@contextmanager
def output_errors(path: Path, error: type[Hand4DError]) -> Iterator[None]:
    """Turn every ``OSError`` inside into ``error``, which says what is wrong with ``path``."""
    try:
        yield
    except OSError as problem:
        reason = _REASONS.get(problem.errno or 0, os.strerror(problem.errno or errno.EIO))
        msg = f"{path} cannot be written: {reason}"
        raise error(msg) from problem


def make_folder(path: Path, error: type[Hand4DError]) -> Path:
    """Make an output folder where it is missing and check that files can be made in it.

    Raises:
        Hand4DError: As ``error``, where it cannot be made or written to.
    """
    with output_errors(path, error):
        path.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=path):
            pass
    return path


@contextmanager
def staged(path: Path, error: type[Hand4DError]) -> Iterator[Path]:
    """Give a temporary place to write ``path`` to, and move it there at the end.

    Whatever was at ``path`` is replaced only if the block succeeds; if it fails, nothing is
    left but what was there before.

    Args:
        path: File or folder that is wanted in the end; folders above it are made.
        error: Class that reports a folder that cannot be written.

    Yields:
        A path of the same name in a hidden folder beside ``path``.

    Raises:
        Hand4DError: As ``error``, where the place cannot be written.
    """
    with output_errors(path, error):
        path.parent.mkdir(parents=True, exist_ok=True)
        aside = Path(tempfile.mkdtemp(prefix=f".{path.name}.", dir=path.parent))
    try:
        yield aside / path.name
        with output_errors(path, error):
            if path.is_dir() and not path.is_symlink():
                path.rename(aside / "replaced")
            (aside / path.name).replace(path)
    finally:
        shutil.rmtree(aside, ignore_errors=True)
