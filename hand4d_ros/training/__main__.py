"""``python -m hand4d_ros.training``: trains where only PyTorch and numpy are installed.

``hand4d train`` is the same with better help; it needs tyro.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from hand4d_ros.errors import Hand4DError
from hand4d_ros.training.registry import TRAINABLES
from hand4d_ros.training.run import recipe_for, train


def main(argv: Sequence[str] | None = None) -> int:
    """Train what the arguments name.

    Args:
        argv: Arguments without the program's name; those of the process where None.

    Returns:
        0 when all steps are done or the time is up, 128 plus its number after a signal, 2 for a
        mistake in arguments or a run that cannot go on.
    """
    parser = argparse.ArgumentParser(prog="python -m hand4d_ros.training", description=__doc__)
    parser.add_argument("name", help=f"one of: {', '.join(TRAINABLES)}")
    parser.add_argument("settings", nargs="*", help="such as train.max_steps=100")
    parser.add_argument("--config", type=Path, help="JSON file with settings")
    parser.add_argument("--out", type=Path, help="folder of the run; out/train/NAME by default")
    parser.add_argument("--data", type=Path, help="folder for the data")
    parser.add_argument("--resume", action="store_true", help="continue the folder's run")
    args = parser.parse_intermixed_args(argv)
    folder = args.out or Path("out") / "train" / args.name
    try:
        recipe = recipe_for(args.name, args.settings, args.config)
        result = train(args.name, recipe, folder, resume=args.resume, data=args.data)
    except Hand4DError as error:
        parser.exit(2, f"{parser.prog}: {error}\n")
    return 0 if result.signal is None else 128 + result.signal


if __name__ == "__main__":
    sys.exit(main())
