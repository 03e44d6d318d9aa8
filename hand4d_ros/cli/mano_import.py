"""Read your MANO_RIGHT.pkl once and keep it as a plain file that `hand_model` can name."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

import tyro

from hand4d_ros.types import Side

LICENCE = (
    "MANO is licensed by the Max Planck Society for non-commercial research "
    "(https://mano.is.tue.mpg.de/license.html). The written file is a copy of it: "
    "keep it to yourself and out of repositories, bags and images."
)
"""Printed with every import."""


@dataclass(frozen=True)
class Args:
    """Import a MANO hand.

    Register at https://mano.is.tue.mpg.de, download "Models & Code" and unpack it. The right hand
    is enough: the left one is its mirror image. The file is read without running any of its code.

    Example: hand4d mano-import mano_v1_2/models/MANO_RIGHT.pkl
    """

    pkl: tyro.conf.Positional[Path]
    """MANO_RIGHT.pkl or MANO_LEFT.pkl."""
    out: Path | None = None
    """File to write (.npz); by default mano_right.npz or mano_left.npz in
    ~/.local/share/hand4d, or in hand4d under XDG_DATA_HOME."""
    correct_left: bool = True
    """Repair the shape directions of the published left hand, whose x has the wrong sign."""


def data_folder() -> Path:
    """Return the folder of this user's hand models (XDG base directory specification)."""
    given = os.environ.get("XDG_DATA_HOME", "")
    # The specification has relative paths ignored.
    base = Path(given) if Path(given).is_absolute() else Path.home() / ".local" / "share"
    return base / "hand4d"


def mano_import(pkl: Path, out: Path | None = None, *, correct_left: bool = True) -> Path:
    """Import a MANO pickle and return the file that was written.

    Args:
        pkl: ``MANO_RIGHT.pkl`` or ``MANO_LEFT.pkl``.
        out: File to write; None is this user's data folder.
        correct_left: Repair the shape directions of the published left hand.

    Raises:
        HandModelError: The file is not a MANO hand, or the output cannot be written.
    """
    from hand4d_ros.hand.mano_file import import_mano, save_hand_model

    model = import_mano(pkl.expanduser(), correct_left=correct_left)
    target = data_folder() / f"mano_{model.side.label}.npz" if out is None else out.expanduser()
    if target.suffix != ".npz":
        target = target.with_name(target.name + ".npz")
    save_hand_model(model, target)
    return target


def run(args: Args) -> int:
    """Import, and say what was written and how to use it.

    Raises:
        HandModelError: The file is not a MANO hand, or the output cannot be written.
    """
    from hand4d_ros.hand.load import load_hand

    target = mano_import(args.pkl, args.out, correct_left=args.correct_left)
    for side in Side:
        hand = load_hand(str(target), side).with_shape()
        print(f"{side.label} hand: {1e3 * hand.hand_length_m:.1f} mm from wrist to middle tip")
    print(f"wrote {target}; use it with the parameter hand_model:={target}")
    print(LICENCE)
    return 0
