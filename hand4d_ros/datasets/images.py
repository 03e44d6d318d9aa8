"""Pictures that are read when they are asked for: from files, from tar archives, remapped."""

from __future__ import annotations

import tarfile
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from hand4d_ros.datasets.base import ImageSource
from hand4d_ros.errors import DatasetError, MediaError
from hand4d_ros.imaging import rgb_from_encoded
from hand4d_ros.shapes import Array, Float, UInt8


class ImageFiles:
    """One file a frame; None where a frame has none."""

    def __init__(self, paths: Sequence[Path | None]) -> None:
        """Take the paths; nothing is opened."""
        self.paths = tuple(paths)

    def __len__(self) -> int:
        """Number of frames."""
        return len(self.paths)

    def has(self, index: int) -> bool:
        """Whether the frame has a file that lies there."""
        path = self.paths[index]
        return path is not None and path.is_file()

    def read(self, index: int) -> UInt8[Array, "h w 3"]:
        """Read one picture, RGB.

        Raises:
            DatasetError: It is missing or damaged.
        """
        path = self.paths[index]
        if path is None:
            raise DatasetError(f"frame {index} has no picture")
        try:
            return rgb_from_encoded(path.read_bytes())
        except (OSError, MediaError) as error:
            raise DatasetError(f"the picture {path} cannot be read: {error}") from None


class TarImages:
    """One member of a tar archive a frame."""

    def __init__(self, archive: Path, members: Sequence[str]) -> None:
        """Take the names of the members; an empty one is a frame without a picture."""
        self.archive = archive
        self.members = tuple(members)

    def __len__(self) -> int:
        """Number of frames."""
        return len(self.members)

    def has(self, index: int) -> bool:
        """Whether the frame has a member."""
        return bool(self.members[index])

    def read(self, index: int) -> UInt8[Array, "h w 3"]:
        """Read one picture, RGB.

        Raises:
            DatasetError: It is missing or damaged.
        """
        where = f"the picture {self.members[index]!r} of {self.archive}"
        try:
            with tarfile.open(self.archive) as archive:
                member = archive.extractfile(self.members[index])
                if member is None:
                    raise DatasetError(f"{where} is no file")
                return rgb_from_encoded(member.read())
        except (OSError, KeyError, tarfile.TarError, MediaError) as error:
            raise DatasetError(f"{where} cannot be read: {error}") from None


class RemappedImages:
    """Pictures resampled bilinearly, such as from a fisheye to a pinhole; black outside."""

    def __init__(self, source: ImageSource, source_px: Float[Array, "h w 2"]) -> None:
        """Take, for each new pixel, where in the old picture it comes from; NaN is outside."""
        self.source = source
        self._source_px = np.where(np.isfinite(source_px), source_px, -1e6).astype(np.float32)

    def __len__(self) -> int:
        """Number of frames."""
        return len(self.source)

    def has(self, index: int) -> bool:
        """Whether the frame has a picture."""
        return self.source.has(index)

    def read(self, index: int) -> UInt8[Array, "h w 3"]:
        """Read and resample one picture, RGB.

        Raises:
            DatasetError: It is missing or damaged.
        """
        import cv2

        image = self.source.read(index)
        columns, rows = self._source_px[..., 0], self._source_px[..., 1]
        return np.asarray(cv2.remap(image, columns, rows, cv2.INTER_LINEAR))
