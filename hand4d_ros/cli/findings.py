"""What ``hand4d doctor`` finds, as records, and what the checks share."""

from __future__ import annotations

import importlib
import importlib.metadata
from dataclasses import dataclass
from typing import Literal

Status = Literal["ok", "note", "missing"]
"""note: something works less well, or an optional part is not there. missing: the nodes cannot
run as they are configured by default."""


@dataclass(frozen=True)
class Finding:
    """One line of the report."""

    group: str
    """Heading that it belongs under."""
    name: str
    """What was looked for."""
    status: Status
    """Whether it is there."""
    value: str
    """What was found."""
    advice: str = ""
    """What to do; empty where nothing is to be done."""


def version_of(distribution: str) -> str | None:
    """Return the installed version of a Python distribution, None where there is none."""
    try:
        return importlib.metadata.version(distribution)
    except importlib.metadata.PackageNotFoundError:
        return None


def import_problem(module: str) -> str | None:
    """Import a module and return what went wrong, None where nothing did."""
    try:
        importlib.import_module(module)
    except ModuleNotFoundError as error:
        return f"{error.name} is not installed"
    except Exception as error:  # noqa: BLE001  A broken library may raise anything on import.
        return f"{type(error).__name__}: {error}".splitlines()[0]
    return None


def library_finding(
    group: str, module: str, purpose: str, advice: str, *, required: bool = False
) -> Finding:
    """Report a Python library by importing it.

    Args:
        group: Heading of the finding.
        module: Name to import.
        purpose: What it is for, shown when it is not there.
        advice: What to type to get it.
        required: Whether the nodes need it by default.
    """
    problem = import_problem(module)
    if problem is None:
        stated = getattr(importlib.import_module(module), "__version__", None)
        return Finding(group, module, "ok", str(stated or version_of(module) or "installed"))
    status: Status = "missing" if required else "note"
    return Finding(group, module, status, f"{problem}; {purpose}", advice)
