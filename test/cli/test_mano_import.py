"""The command that reads a user's MANO file."""

from __future__ import annotations

from pathlib import Path

import pytest
from hand.mano_samples import mano_content, write_official

from hand4d_ros.cli.main import main
from hand4d_ros.cli.mano_import import LICENCE, data_folder, mano_import
from hand4d_ros.hand.load import load_hand
from hand4d_ros.types import Side


def test_default_output_is_in_the_data_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The command writes where the XDG specification says, and tells so with the licence."""
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "data"))
    for side in Side:
        pkl = write_official(tmp_path / f"{side.label}.pkl", mano_content(side=side))
        assert main(["mano-import", str(pkl)]) == 0
        target = tmp_path / "data" / "hand4d" / f"mano_{side.label}.npz"
        printed = capsys.readouterr().out
        assert str(target) in printed
        assert LICENCE in printed
        assert load_hand(str(target), side).name == "mano"


def test_data_folder_without_xdg(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without the variable, or with a relative path in it, the home folder is taken."""
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.delenv("XDG_DATA_HOME", raising=False)
    assert data_folder() == tmp_path / ".local" / "share" / "hand4d"
    monkeypatch.setenv("XDG_DATA_HOME", "relative")
    assert data_folder() == tmp_path / ".local" / "share" / "hand4d"


def test_named_output_is_an_npz(tmp_path: Path) -> None:
    """The ending is added where it is missing, as the reader goes by it."""
    pkl = write_official(tmp_path / "MANO_RIGHT.pkl", mano_content())
    assert mano_import(pkl, tmp_path / "mine.npz") == tmp_path / "mine.npz"
    assert mano_import(pkl, tmp_path / "other") == tmp_path / "other.npz"
    assert (tmp_path / "other.npz").is_file()


def test_a_wrong_file_is_one_line_of_error(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A file that is no MANO hand ends the command with a message and status 2."""
    path = tmp_path / "MANO_RIGHT.pkl"
    path.write_text("not a pickle")
    assert main(["mano-import", str(path), "--out", str(tmp_path / "o.npz")]) == 2
    assert "no readable pickle" in capsys.readouterr().err
    assert not (tmp_path / "o.npz").exists()
