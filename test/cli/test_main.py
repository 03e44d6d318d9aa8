"""``hand4d`` teaches, fails in one line and passes exit statuses on."""

from __future__ import annotations

import importlib
import subprocess
import sys
from dataclasses import dataclass
from types import ModuleType

import pytest

from hand4d_ros import __version__
from hand4d_ros.cli.main import COMMANDS, Command, main
from hand4d_ros.errors import BagError

MODULE = "hand4d_ros_test_command"


@dataclass(frozen=True)
class Args:
    """Probe the command line."""

    status: int = 0
    """Exit status to return."""


def set_command(monkeypatch: pytest.MonkeyPatch, run: object) -> None:
    """Make ``hand4d probe`` run a function."""
    module = ModuleType(MODULE)
    vars(module).update(Args=Args, run=run)
    monkeypatch.setitem(sys.modules, MODULE, module)
    monkeypatch.setitem(COMMANDS, "probe", Command(MODULE, "probe"))


def raiser(error: BaseException) -> object:
    """A ``run`` that raises."""

    def run(_args: Args) -> int:
        raise error

    return run


@pytest.mark.parametrize("arguments", [[], ["--help"], ["-h"], ["help"]])
def test_help_lists_every_command(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    """The list of commands is what a user without arguments gets."""
    assert main(arguments) == 0
    shown = capsys.readouterr().out
    for name, command in COMMANDS.items():
        assert f"  {name} " in shown
        assert command.summary in shown


def test_version_is_shown(capsys: pytest.CaptureFixture[str]) -> None:
    """``hand4d --version`` names the package's version."""
    assert main(["--version"]) == 0
    assert capsys.readouterr().out == f"hand4d {__version__}\n"


def test_unknown_command_suggests(capsys: pytest.CaptureFixture[str]) -> None:
    """A slip of the finger is answered with the nearest command."""
    assert main(["doctr"]) == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    assert "did you mean 'doctor'" in captured.err
    assert captured.err.count("\n") == 1


def test_unknown_command_without_a_likeness(capsys: pytest.CaptureFixture[str]) -> None:
    """Where nothing is near, the way to the list is shown."""
    assert main(["xyzzy"]) == 2
    assert capsys.readouterr().err == (
        "hand4d: there is no command 'xyzzy'; `hand4d --help` lists all\n"
    )


def test_missing_module_of_a_command(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """A command that an installation lacks does not break the others."""
    monkeypatch.setitem(COMMANDS, "probe", Command("hand4d_ros.cli.no_such_module", "probe"))
    assert main(["probe"]) == 2
    assert "does not have this command" in capsys.readouterr().err


def test_missing_library_is_named(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """A library that a command needs is named, with the way to the cure."""

    def fail(_name: str) -> ModuleType:
        raise ModuleNotFoundError("No module named 'av'", name="av")

    set_command(monkeypatch, raiser(AssertionError()))
    monkeypatch.setattr(importlib, "import_module", fail)
    assert main(["probe"]) == 2
    assert "needs the Python library 'av'" in capsys.readouterr().err


def test_arguments_and_status_pass_through(monkeypatch: pytest.MonkeyPatch) -> None:
    """What the command returns is the exit status."""
    set_command(monkeypatch, lambda args: args.status)
    assert main(["probe"]) == 0
    assert main(["probe", "--status", "7"]) == 7


def test_process_arguments_are_the_default(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without arguments given, those of the process are used."""
    set_command(monkeypatch, lambda args: args.status)
    monkeypatch.setattr(sys, "argv", ["hand4d", "probe", "--status", "3"])
    assert main() == 3


def test_unknown_option_is_refused(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Tyro explains a wrong option and ends with the usual status."""
    set_command(monkeypatch, lambda args: args.status)
    with pytest.raises(SystemExit) as ended:
        main(["probe", "--sttus", "7"])
    assert ended.value.code == 2
    assert "--status" in capsys.readouterr().err


def test_help_of_a_command_shows_the_docstrings(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The docstring under a field is its help; that of ``Args`` is the command's."""
    set_command(monkeypatch, lambda args: args.status)
    with pytest.raises(SystemExit) as ended:
        main(["probe", "--help"])
    assert ended.value.code == 0
    shown = capsys.readouterr().out
    assert "Exit status to return." in shown
    assert "Probe the command line." in shown


def test_own_errors_are_one_line(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """An error that the package raises on purpose is shown without a traceback."""
    set_command(monkeypatch, raiser(BagError("no bag at x; give a file that exists")))
    assert main(["probe"]) == 2
    assert capsys.readouterr().err == "hand4d probe: no bag at x; give a file that exists\n"


def test_foreign_errors_keep_their_traceback(monkeypatch: pytest.MonkeyPatch) -> None:
    """A fault of the program is not disguised as one of the user."""
    set_command(monkeypatch, raiser(ZeroDivisionError("fault")))
    with pytest.raises(ZeroDivisionError, match="fault"):
        main(["probe"])


def test_interrupt_has_the_status_of_the_signal(monkeypatch: pytest.MonkeyPatch) -> None:
    """Ctrl-C ends with 130, as shells expect."""
    set_command(monkeypatch, raiser(KeyboardInterrupt()))
    assert main(["probe"]) == 130


def test_without_tyro_defaults_run(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """A robot without tyro still runs commands that need no options, and hears why others fail."""
    monkeypatch.setitem(sys.modules, "tyro", None)
    set_command(monkeypatch, lambda args: args.status)
    assert main(["probe"]) == 0
    assert main(["probe", "--status", "7"]) == 2
    assert "pip install tyro" in capsys.readouterr().err


def test_a_reader_that_leaves_ends_it_quietly() -> None:
    """``hand4d doctor --json | head -n 1`` ends without a traceback."""
    command = f"{sys.executable} -m hand4d_ros.cli.main doctor --json | head -n 1"
    done = subprocess.run(
        ["bash", "-c", f"set -o pipefail; {command}"],
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert done.stdout == "{\n"
    assert "Traceback" not in done.stderr
