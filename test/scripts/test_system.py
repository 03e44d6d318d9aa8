"""The set-up picks a Python that fits, and says exactly what to type for what is missing."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

SCRIPTS = Path(__file__).parent.parent.parent / "scripts"
TOOLS = ("bash", "cat", "dirname", "env", "grep", "head", "id", "sh", "sort", "uname")
"""What the functions call besides what the tests look at."""


@pytest.fixture
def machine(tmp_path: Path) -> Path:
    """A folder that is the whole search path of a machine, with no Python and no compiler."""
    folder = tmp_path / "bin"
    folder.mkdir()
    for tool in TOOLS:
        found = shutil.which(tool)
        assert found is not None
        (folder / tool).symlink_to(found)
    return folder


def install(machine: Path, name: str, script: str) -> Path:
    """Put a shell script onto the search path of a machine."""
    path = machine / name
    path.unlink(missing_ok=True)
    path.write_text(f"#!/bin/sh\n{script}\n", encoding="utf-8")
    path.chmod(0o755)
    return path


def install_python(machine: Path, name: str, version: str, lacks: str = "") -> Path:
    """Put an interpreter onto a machine: it answers the two questions that are asked of it."""
    supported = version in ("3.10", "3.11", "3.12")
    answer = f'program=$(cat)\ncase $program in\n*ensurepip*) echo "{lacks}" ;;\n'
    answer += f"*) echo {version}; exit {0 if supported else 1} ;;\nesac"
    version_line = f'[ "$1" = -V ] && echo "Python {version}.0" && exit\n'
    return install(machine, name, version_line + answer)


def call(machine: Path, code: str, **variables: str) -> subprocess.CompletedProcess[str]:
    """Run bash code after the functions were read."""
    source = f"set -euo pipefail; source {SCRIPTS}/lib/common.sh; source {SCRIPTS}/lib/system.sh"
    return subprocess.run(
        ["bash", "-c", f"{source}\n{code}"],
        env={"PATH": str(machine), "HOME": str(machine.parent), **variables},
        capture_output=True,
        text=True,
        check=False,
        timeout=30,
    )


@pytest.mark.parametrize("script", ["setup", "demo", "test", "lock", "lib/common.sh", "../.ci/run"])
def test_scripts_are_sound_bash(script: str) -> None:
    """Every script is read by bash without a fault, and those to start can be started."""
    path = SCRIPTS / script
    subprocess.run(["bash", "-n", path], check=True, timeout=10)
    if path.suffix != ".sh":
        assert os.access(path, os.X_OK)
        assert "set -euo pipefail" in path.read_text(encoding="utf-8")


def test_newest_tested_python_first(machine: Path) -> None:
    """3.11 comes before 3.12 and 3.10, whatever python3 is."""
    for name, version in (
        ("python3.10", "3.10"),
        ("python3.12", "3.12"),
        ("python3.11", "3.11"),
        ("python3", "3.13"),
    ):
        install_python(machine, name, version)
    assert call(machine, "find_python").stdout == f"{machine}/python3.11\n"


def test_complete_python_before_incomplete(machine: Path) -> None:
    """A Python that needs nothing from the system comes before one that lacks its venv module."""
    install_python(machine, "python3.11", "3.11", lacks="venv dev")
    install_python(machine, "python3.10", "3.10")
    assert call(machine, "find_python").stdout == f"{machine}/python3.10\n"
    (machine / "python3.10").unlink()
    assert call(machine, "find_python").stdout == f"{machine}/python3.11\n"


def test_plain_python3_is_enough(machine: Path) -> None:
    """A machine whose only Python is called python3 is served."""
    install_python(machine, "python3", "3.12")
    assert call(machine, "find_python").stdout == f"{machine}/python3\n"


def test_no_fitting_python(machine: Path) -> None:
    """Where no Python fits, those that were found are named and what to type is said."""
    install_python(machine, "python3", "3.13")
    install_python(machine, "python3.9", "3.9")
    done = call(machine, "find_python")
    assert done.returncode == 1
    assert "python3 (Python 3.13.0) python3.9 (Python 3.9.0)" in done.stderr
    assert "sudo apt-get install python3.11" in done.stderr


def test_foreign_processor(machine: Path) -> None:
    """On a processor without wheels the way through ROS itself is shown."""
    install(machine, "uname", "echo aarch64")
    done = call(machine, "find_python")
    assert done.returncode == 1
    assert "x86-64 only, and this machine is aarch64" in done.stderr
    assert "colcon" in done.stderr


def test_named_python_must_fit(machine: Path) -> None:
    """HAND4D_PYTHON wins, and is refused with the reason where it does not fit."""
    install_python(machine, "python3.11", "3.11")
    fitting = install_python(machine, "mine", "3.12")
    assert call(machine, "find_python", HAND4D_PYTHON=str(fitting)).stdout == f"{fitting}\n"
    old = install_python(machine, "old", "3.9")
    done = call(machine, "find_python", HAND4D_PYTHON=str(old))
    assert done.returncode == 1
    assert f"HAND4D_PYTHON={old} cannot be used" in done.stderr


def test_the_running_python_is_understood(machine: Path) -> None:
    """The questions themselves are right: a real interpreter answers with its version."""
    done = call(machine, f"python_version_if_supported {sys.executable}")
    assert done.stdout == f"{sys.version_info[0]}.{sys.version_info[1]}\n"
    assert done.returncode == 0


def test_missing_packages_are_named(machine: Path) -> None:
    """A bare machine needs the parts of Python, a compiler, make and OpenCV's libraries."""
    python = install_python(machine, "python3.11", "3.11", lacks="venv dev")
    library_answer = '[ "$1" = -c ] && exit 1\n'
    text = python.read_text(encoding="utf-8")
    python.write_text(text.replace("#!/bin/sh\n", f"#!/bin/sh\n{library_answer}"))
    done = call(machine, f"missing_packages {python}")
    assert done.stdout.split() == [
        "python3.11-venv",
        "python3.11-dev",
        "g++",
        "make",
        "libgl1",
        "libglib2.0-0",
        "libxcb1",
    ]


def test_without_rights_the_command_is_shown(machine: Path) -> None:
    """A user who may not install is told the exact line to type, and nothing is run."""
    install(machine, "id", "echo 1000")
    install(machine, "sudo", "exit 1")
    install(machine, "apt-get", f"touch {machine}/called")
    done = call(machine, "install_packages g++ make")
    assert done.returncode == 1
    assert (
        "  sudo apt-get update && sudo apt-get install -y --no-install-recommends g++ make"
        in done.stderr
    )
    assert not (machine / "called").exists()


@pytest.mark.parametrize(("user", "sudo"), [("0", "exit 1"), ("1000", 'shift 0; exec "$@"')])
def test_with_rights_packages_are_installed(machine: Path, user: str, sudo: str) -> None:
    """Root, and a user whose sudo asks for no password, get the packages installed."""
    install(machine, "id", f"echo {user}")
    install(machine, "sudo", f'[ "$1" = -n ] && exit 0\n{sudo}')
    install(machine, "apt-get", f'echo "$@" >> {machine}/calls')
    done = call(machine, "install_packages g++ make")
    assert done.returncode == 0, done.stderr
    calls = (machine / "calls").read_text(encoding="utf-8").splitlines()
    assert calls == ["update -qq", "install -y -qq --no-install-recommends g++ make"]


def test_failing_installation_says_what_to_type(machine: Path) -> None:
    """When apt-get fails, the set-up ends with the line to type."""
    install(machine, "id", "echo 0")
    install(machine, "apt-get", "exit 100")
    done = call(machine, "install_packages make")
    assert done.returncode == 1
    assert "  apt-get install -y --no-install-recommends make" in done.stderr


def test_machine_without_apt(machine: Path) -> None:
    """On another distribution the names of the packages are shown."""
    done = call(machine, "install_packages g++")
    assert done.returncode == 1
    assert "Missing, by their Debian names: g++" in done.stderr


def test_sourced_ros_is_left_outside(machine: Path) -> None:
    """Nothing of a sourced installation or of another environment's wheels gets in."""
    done = call(
        machine,
        'leave_sourced_ros; echo "$LD_LIBRARY_PATH|$PATH"; env',
        PATH=f"/opt/ros/jazzy/bin:/home/me/ws/install/bin:{machine}",
        ROS_DISTRO="jazzy",
        AMENT_PREFIX_PATH="/home/me/ws/install:/opt/ros/jazzy",
        PYTHONPATH="/opt/ros/jazzy/lib/python3.12/site-packages",
        LD_LIBRARY_PATH="/opt/ros/jazzy/lib:/usr/local/cuda/lib64:/x/site-packages/ros_rcl.libs",
        RMW_IMPLEMENTATION="rmw_cyclonedds_cpp",
    )
    assert done.returncode == 0, done.stderr
    first, *environment = done.stdout.splitlines()
    assert first == f"/usr/local/cuda/lib64|{machine}"
    kept = {line.partition("=")[0] for line in environment}
    assert not kept & {"AMENT_PREFIX_PATH", "PYTHONPATH", "ROS_DISTRO", "RMW_IMPLEMENTATION"}
    assert "ROS 2 jazzy is sourced" in done.stderr
