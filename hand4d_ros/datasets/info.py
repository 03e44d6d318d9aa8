"""What is to be known of a dataset before and after reading it, and the errors that say so."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from hand4d_ros.errors import DatasetError


@dataclass(frozen=True)
class DatasetInfo:
    """One dataset as users meet it; ``docs/datasets.md`` is made from these."""

    key: str
    """Name in the registry."""
    title: str
    description: str
    """One line: what was recorded, how, how much."""
    where: str
    """Site to get it from."""
    access: str
    """What must be done before it can be downloaded."""
    licence: str
    layout: str
    """Tree of files that the loader reads, below the folder that is given to it."""
    world: str
    """Which frame the record's world is."""
    conventions: str
    """What the loader converts: orders, units, frames, pose parameters. One point a line; indented
    lines go on with it, here and below."""
    not_derivable: str
    """What the record cannot hold, or only with the user's MANO file."""
    sources: str
    """Where the facts about the layout are from."""

    def points(self, name: str) -> tuple[str, ...]:
        """The points of ``conventions``, ``not_derivable`` or ``sources``, each on one line."""
        return tuple(str(getattr(self, name)).replace("\n  ", " ").splitlines())

    def missing(self, path: Path, why: str = "") -> DatasetError:
        """The error for a file that is not there.

        Args:
            path: What was looked for.
            why: Why the dataset may lack it, as a sentence.
        """
        reason = f" {why}" if why else ""
        return DatasetError(
            f"{self.title}: there is no {path}.{reason} Get it from {self.where} ({self.access}; "
            f"licence: {self.licence}) and unpack it so that the folder given holds\n{self.layout}"
        )

    def foreign(self, path: Path, found: str, expected: str) -> DatasetError:
        """The error for a file that is damaged, of something else or of another version.

        Args:
            path: The file.
            found: What it is.
            expected: What it should be.
        """
        return DatasetError(
            f"{self.title}: {path} {found}; expected {expected}. Get it anew from {self.where}, "
            f"or give the folder that holds\n{self.layout}"
        )
