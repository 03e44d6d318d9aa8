"""The command ``hand4d``: a table of sub-commands, each a small module that is imported when asked.

A command's module has a frozen dataclass ``Args``, whose docstring and field docstrings are the
help, and a function ``run(args) -> int`` that returns the exit status.
"""

from __future__ import annotations

import difflib
import importlib
import os
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from types import ModuleType

from hand4d_ros import __version__
from hand4d_ros.errors import Hand4DError

EXIT_OK = 0
EXIT_USAGE = 2
"""Wrong arguments or input; tyro and argparse use the same."""
EXIT_INTERRUPTED = 130
"""128 plus the number of SIGINT, as shells report it."""
EXIT_PIPE = 141
"""128 plus the number of SIGPIPE."""


@dataclass(frozen=True)
class Command:
    """One sub-command."""

    module: str
    """Module that has ``Args`` and ``run``."""
    summary: str
    """One line for the list of commands."""


GROUPS: dict[str, dict[str, Command]] = {
    "Live": {
        "demo": Command("hand4d_ros.cli.demo", "render a clip, run the nodes on it, report"),
        "up": Command("hand4d_ros.cli.up", "start the nodes, as the launch file does"),
        "play": Command("hand4d_ros.cli.play", "publish a bag on topics, with /clock"),
    },
    "Recordings": {
        "bag-from-video": Command(
            "hand4d_ros.cli.bag_from_video", "a video or a folder of frames to a bag"
        ),
        "replay": Command("hand4d_ros.cli.replay", "a bag to hands and a report, every frame"),
        "synth": Command("hand4d_ros.cli.synth", "render a bag with known truth"),
    },
    "Figures": {
        "eval": Command("hand4d_ros.cli.eval", "score a bag of hands against the truth"),
        "bench": Command("hand4d_ros.cli.bench", "compare methods on one suite"),
    },
    "Networks": {
        "train": Command("hand4d_ros.cli.train", "train a network, or go on training it"),
        "weights": Command("hand4d_ros.cli.weights", "list, show, verify and pack weights"),
    },
    "This machine and this person": {
        "doctor": Command("hand4d_ros.cli.doctor", "what this machine has, lacks and needs"),
        "calibrate": Command("hand4d_ros.cli.calibrate", "measure the size of a person's hands"),
        "mano-import": Command("hand4d_ros.cli.mano_import", "read your MANO_RIGHT.pkl"),
    },
}
"""Every sub-command by group, in the order of the help."""

COMMANDS: dict[str, Command] = {
    name: command for group in GROUPS.values() for name, command in group.items()
}
"""Every sub-command by name."""


def main(argv: Sequence[str] | None = None) -> int:
    """Run ``hand4d`` with the given arguments.

    Args:
        argv: Arguments without the program's name; those of the process where None.

    Returns:
        Exit status: that of the command, 2 for a mistake in arguments or input, 130 when
        interrupted, 141 when the reader of the output left.
    """
    arguments = list(sys.argv[1:] if argv is None else argv)
    if not arguments or arguments[0] in ("-h", "--help", "help"):
        print(help_text())
        return EXIT_OK
    if arguments[0] in ("-V", "--version"):
        print(f"hand4d {__version__}")
        return EXIT_OK
    name, *rest = arguments
    if name not in COMMANDS:
        return _complain("hand4d", _unknown_command(name))
    return _guarded(f"hand4d {name}", COMMANDS[name], rest)


def help_text() -> str:
    """The list of commands, grouped."""
    lines = [
        f"hand4d {__version__}: both hands in metres in the world, on ROS 2.",
        "",
        "usage: hand4d COMMAND [options]      hand4d COMMAND --help  explains one command",
    ]
    width = max(len(name) for name in COMMANDS)
    for title, commands in GROUPS.items():
        lines += ["", f"{title}:"]
        lines += [f"  {name:<{width}}  {command.summary}" for name, command in commands.items()]
    lines += ["", "New here? `hand4d doctor`, then `hand4d demo`."]
    return "\n".join(lines)


def _guarded(program: str, command: Command, arguments: list[str]) -> int:
    """Run a command; turn what users cause into a line and an exit status."""
    try:
        status = _run(program, command, arguments)
        sys.stdout.flush()
    except Hand4DError as error:
        return _complain(program, str(error))
    except KeyboardInterrupt:
        return EXIT_INTERRUPTED
    except BrokenPipeError:
        # The reader, such as head, has seen enough. Python flushes once more at its end, which
        # must not fail again.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return EXIT_PIPE
    return status


def _run(program: str, command: Command, arguments: list[str]) -> int:
    """Import a command, read its arguments and run it.

    Raises:
        Hand4DError: If the command or a library that it needs is not installed.
    """
    module = _imported(command.module)
    args = _parsed(program, module, arguments)
    status: int = module.run(args)
    return status


def _imported(name: str) -> ModuleType:
    try:
        return importlib.import_module(name)
    except ModuleNotFoundError as error:
        if error.name == name:
            raise Hand4DError("this installation does not have this command") from None
        raise Hand4DError(
            f"needs the Python library {error.name!r}, which is not installed; "
            "`hand4d doctor` says what to type"
        ) from error


def _parsed(program: str, module: ModuleType, arguments: list[str]) -> object:
    """Fill ``module.Args`` from the command line."""
    try:
        import tyro
    except ModuleNotFoundError:
        # tyro has no rosdep key. Without arguments the defaults are all there is to know, so
        # at least `hand4d doctor` runs on a robot that lacks it.
        if not arguments:
            return module.Args()
        raise Hand4DError(
            "reading options needs the Python library 'tyro', which is not installed; "
            "type: pip install tyro"
        ) from None
    return tyro.cli(module.Args, prog=program, args=arguments)


def _unknown_command(name: str) -> str:
    close = difflib.get_close_matches(name, COMMANDS, n=1)
    hint = f"did you mean {close[0]!r}? " if close else ""
    return f"there is no command {name!r}; {hint}`hand4d --help` lists all"


def _complain(program: str, message: str) -> int:
    """Print one error and return the exit status for it."""
    print(f"{program}: {message}", file=sys.stderr)
    return EXIT_USAGE


if __name__ == "__main__":
    sys.exit(main())
