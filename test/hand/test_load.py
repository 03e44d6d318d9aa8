"""Which hand model a path names."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest
from hand.mano_samples import mano_content, write_official

from hand4d_ros.errors import HandModelError
from hand4d_ros.hand.builtin import builtin_hand
from hand4d_ros.hand.load import load_hand
from hand4d_ros.hand.mano_file import import_mano, save_hand_model
from hand4d_ros.types import Side


def test_no_path_is_the_builtin_hand() -> None:
    """The default needs no file, of either side."""
    for side in Side:
        assert load_hand("", side) is builtin_hand(side)
        assert load_hand("", side).side is side


def test_one_file_serves_both_sides(tmp_path: Path) -> None:
    """The other side is the mirror image of what the file holds; a file is read once."""
    model = import_mano(write_official(tmp_path / "MANO_RIGHT.pkl", mano_content()))
    path = tmp_path / "mano.npz"
    save_hand_model(model, path)
    right, left = (load_hand(str(path), side) for side in (Side.RIGHT, Side.LEFT))
    assert right is load_hand(str(path))
    assert (right.name, right.side, left.side) == ("mano", Side.RIGHT, Side.LEFT)
    np.testing.assert_array_equal(left.joints_m, model.mirrored().joints_m)


def test_a_changed_file_is_read_again(tmp_path: Path) -> None:
    """A file that is written anew is not served from memory."""
    path = tmp_path / "hand.npz"
    for side in Side:
        save_hand_model(builtin_hand(side), path)
        os.utime(path, ns=(int(side), int(side)))
        np.testing.assert_array_equal(
            load_hand(str(path), side).joints_m, builtin_hand(side).joints_m
        )


def test_the_home_folder_is_understood(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A tilde stands for the home folder, as parameters are not expanded by a shell."""
    monkeypatch.setenv("HOME", str(tmp_path))
    save_hand_model(builtin_hand(), tmp_path / "hand.npz")
    assert load_hand("~/hand.npz").name == "builtin"


def test_wrong_paths_say_what_to_do(tmp_path: Path) -> None:
    """A pickle and a missing file are answered with the command to run."""
    with pytest.raises(HandModelError, match=r"run `hand4d mano-import .*MANO_RIGHT\.pkl`"):
        load_hand("MANO_RIGHT.pkl")
    with pytest.raises(HandModelError, match=r"there is no hand model .*built-in"):
        load_hand(str(tmp_path / "hand.npz"))
    with pytest.raises(HandModelError, match="cannot read hand model"):
        load_hand(str(tmp_path))
