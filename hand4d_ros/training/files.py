"""Files and folders that are there whole or not at all, whenever a process is killed."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

_ASIDE = ".writing-"


@contextmanager
def whole_folder(target: Path) -> Iterator[Path]:
    """Give a folder to write into that takes its name when all is on the disk.

    A folder of that name that is already there is replaced. What a killed process left aside is
    removed by the next one that writes the same folder.

    Args:
        target: The folder to make.

    Yields:
        Where to write.
    """
    aside = target.with_name(_ASIDE + target.name)
    shutil.rmtree(aside, ignore_errors=True)
    aside.mkdir(parents=True)
    try:
        yield aside
        for path in aside.rglob("*"):
            if path.is_file():
                _flush(path)
        _flush(aside)
        if target.exists():
            shutil.rmtree(target)
        aside.rename(target)
        _flush(target.parent)
    finally:
        shutil.rmtree(aside, ignore_errors=True)


@contextmanager
def whole_file(target: Path) -> Iterator[Path]:
    """Give a path to write to that takes its name when all is on the disk.

    Args:
        target: The file to make or replace.

    Yields:
        Where to write; it has the suffix of the target.
    """
    aside = target.with_name(_ASIDE + target.name)
    try:
        yield aside
        _flush(aside)
        aside.replace(target)
        _flush(target.parent)
    finally:
        aside.unlink(missing_ok=True)


def write_json(path: Path, value: Any) -> None:
    """Write a JSON file, whole or not at all. Numbers keep every bit."""
    with whole_file(path) as aside:
        aside.write_text(json.dumps(value, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")


def _flush(path: Path) -> None:
    """Wait until the disk has a file, or the names in a folder."""
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
