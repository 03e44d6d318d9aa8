"""Pictures that are read when asked for."""

from __future__ import annotations

import tarfile
from pathlib import Path

import numpy as np
import pytest
from dataset_samples import write_picture

from hand4d_ros.datasets.base import ImageSource
from hand4d_ros.datasets.images import ImageFiles, RemappedImages, TarImages
from hand4d_ros.errors import DatasetError


def test_files(tmp_path: Path) -> None:
    """Present, lost and never there; a source knows which without opening any."""
    write_picture(tmp_path / "0.jpg", 30)
    source: ImageSource = ImageFiles([tmp_path / "0.jpg", tmp_path / "1.jpg", None])
    assert len(source) == 3
    assert [source.has(index) for index in range(3)] == [True, False, False]
    assert source.read(0).shape == (6, 8, 3)
    with pytest.raises(DatasetError, match=r"1\.jpg cannot be read"):
        source.read(1)
    with pytest.raises(DatasetError, match="frame 2 has no picture"):
        source.read(2)


def test_tar_members(tmp_path: Path) -> None:
    """A member, a name that is not there, a folder, no name, no archive."""
    write_picture(tmp_path / "0.jpg", 30)
    with tarfile.open(tmp_path / "a.tar", "w") as archive:
        archive.add(tmp_path / "0.jpg", "0.jpg")
        folder = tarfile.TarInfo("folder")
        folder.type = tarfile.DIRTYPE
        archive.addfile(folder)
    source: ImageSource = TarImages(tmp_path / "a.tar", ["0.jpg", "1.jpg", "folder", ""])
    assert len(source) == 4
    assert [source.has(index) for index in range(4)] == [True, True, True, False]
    assert source.read(0).shape == (6, 8, 3)
    with pytest.raises(DatasetError, match=r"'1\.jpg' of .*a\.tar cannot be read"):
        source.read(1)
    with pytest.raises(DatasetError, match=r"'folder' .* is no file"):
        source.read(2)
    with pytest.raises(DatasetError, match=r"nowhere\.tar cannot be read"):
        TarImages(tmp_path / "nowhere.tar", ["0.jpg"]).read(0)


def test_remapped_pictures_take_each_pixel_from_its_place(tmp_path: Path) -> None:
    """A shift by whole pixels copies them; what lies outside is black."""
    write_picture(tmp_path / "0.jpg", 200)
    inner = ImageFiles([tmp_path / "0.jpg", None])
    columns, rows = np.meshgrid(np.arange(8.0), np.arange(6.0))
    source_px = np.stack([columns + 3.0, rows], axis=-1)
    source_px[0] = np.nan
    source: ImageSource = RemappedImages(inner, source_px)
    assert len(source) == 2
    assert not source.has(1)
    image = source.read(0)[..., 0].astype(int)
    assert (image[0] == 0).all()
    assert (image[1:, 5:] == 0).all()
    assert (abs(image[1:, :5] - 200) <= 2).all()
