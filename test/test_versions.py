"""What is said in two places is the same in both."""

from __future__ import annotations

import os
import re
from pathlib import Path
from xml.etree import ElementTree as ET

import hand4d_ros
from hand4d_ros.ros import graph

ROOT = Path(__file__).parent.parent


def text_of(name: str) -> str:
    """A file of the repository."""
    return (ROOT / name).read_text(encoding="utf-8")


def found(pattern: str, name: str) -> str:
    """The first group of a pattern in a file of the repository."""
    match = re.search(pattern, text_of(name), flags=re.MULTILINE)
    assert match is not None, f"{name} has no {pattern}"
    return match.group(1)


def test_version_is_the_same_everywhere() -> None:
    """package.xml, pyproject.toml, CHANGELOG.md and the package agree."""
    stated = {
        "package.xml": ET.fromstring(text_of("package.xml")).findtext("version"),  # noqa: S314  Ours.
        "pyproject.toml": found(r'^version = "(.+)"$', "pyproject.toml"),
        "CHANGELOG.md": found(r"^## (\d+\.\d+\.\d+)", "CHANGELOG.md"),
    }
    assert set(stated.values()) == {hand4d_ros.__version__}, stated


def test_every_message_is_built() -> None:
    """CMakeLists.txt names every file in msg/ and no other."""
    listed = set(re.findall(r"^\s+(msg/\w+\.msg)$", text_of("CMakeLists.txt"), re.MULTILINE))
    assert listed == {f"msg/{path.name}" for path in (ROOT / "msg").glob("*.msg")}


def test_every_executable_is_installed() -> None:
    """CMakeLists.txt installs what the graph of nodes starts, and the command line."""
    listed = set(re.findall(r"scripts/nodes/(\w+)", text_of("CMakeLists.txt")))
    assert listed == {*graph.MODULES, "hand4d"}
    for name, module in graph.MODULES.items():
        assert f"from {module} import main" in text_of(f"scripts/nodes/{name}")
    for name in listed:
        assert os.access(ROOT / "scripts" / "nodes" / name, os.X_OK)


def test_every_library_is_explained() -> None:
    """docs/dependencies.md has a row for every library that is pinned by name."""
    explained = set(re.findall(r"^\| `([\w-]+)`", text_of("docs/dependencies.md"), re.MULTILINE))
    pinned = {
        match.group(1)
        for name in ("base", "dev")
        for match in re.finditer(
            r"^([\w-]+)==", text_of(f"requirements/{name}.txt"), flags=re.MULTILINE
        )
    }
    assert pinned <= explained


def test_pins_fit_the_bounds_of_the_package() -> None:
    """Every run-time library of pyproject.toml is pinned for the virtual environment."""
    declared = re.search(
        r"^dependencies = \[(.+?)^\]", text_of("pyproject.toml"), re.MULTILINE | re.DOTALL
    )
    assert declared is not None
    names = {name.lower() for name in re.findall(r'"([\w-]+)', declared.group(1))}
    pinned = set(re.findall(r"^([\w-]+)==", text_of("requirements/base.txt"), re.MULTILINE))
    assert names <= pinned


def test_robot_dependencies_are_in_package_xml() -> None:
    """Every ROS package that the tree imports is a dependency by its rosdep key."""
    declared = {
        element.text
        for element in ET.fromstring(text_of("package.xml"))  # noqa: S314  Ours.
        if element.tag.endswith("depend")
    }
    imported: set[str] = set()
    for path in (ROOT / "hand4d_ros").rglob("*.py"):
        imported |= set(
            re.findall(
                r"^\s*(?:from|import) (rclpy|launch\w*|tf2_\w+|\w+_(?:msgs|srvs|interfaces))\b",
                path.read_text(encoding="utf-8"),
                re.MULTILINE,
            )
        )
    # The key of the Python module tf2_ros.
    declared |= {"tf2_ros"} if "tf2_ros_py" in declared else set()
    assert imported <= declared
