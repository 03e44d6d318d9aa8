"""Find the hand model that a configuration names."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path

from hand4d_ros.errors import HandModelError
from hand4d_ros.hand.builtin import builtin_hand
from hand4d_ros.hand.mano_file import load_hand_model
from hand4d_ros.hand.model import HandModel
from hand4d_ros.types import Side


def load_hand(path: str = "", side: Side = Side.RIGHT) -> HandModel:
    """Return a hand model of one side; read once while its file stays as it is.

    Args:
        path: A file that ``hand4d mano-import`` wrote, of either side; empty is the built-in
            hand. ``~`` is the home folder.
        side: Wanted side; the other one is the mirror image of what the file holds.

    Raises:
        HandModelError: The file is missing, damaged, foreign or not yet imported.
    """
    if not path:
        return builtin_hand(side)
    file = Path(path).expanduser()
    if file.suffix.lower() == ".pkl":
        raise HandModelError(
            f"{file} is MANO as it is published; run `hand4d mano-import {file}` once and give "
            "the .npz that it writes"
        )
    try:
        status = file.stat()
    except OSError as error:
        raise HandModelError(
            f"there is no hand model {file} ({error.strerror}); give the .npz that "
            "`hand4d mano-import` wrote, or nothing for the built-in hand"
        ) from error
    return _read(file.resolve(), status.st_mtime_ns, status.st_size, side)


@lru_cache(maxsize=8)
def _read(file: Path, _mtime_ns: int, _size: int, side: Side) -> HandModel:
    """Read a file again only when its time or size has changed."""
    model = load_hand_model(file)
    return model if model.side is side else model.mirrored()
