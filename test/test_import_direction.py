"""Imports go one way, down the list of rooms, and only the rim knows ROS."""

from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

PACKAGE = "hand4d_ros"
SOURCE = Path(__file__).parent.parent / PACKAGE

ORDER = (
    "errors",
    "settings",
    "shapes",
    "types",
    "imaging",
    "geometry",
    "hand",
    "nn",
    "runtime",
    "detection",
    "estimation",
    "tracking",
    "forecasting",
    "pipeline",
    "wire",
    "wire_sensors",
    "wire_detections",
    "wire_forecast",
    "wire_markers",
    "synthetic",
    "datasets",
    "training",
    "evaluation",
    "replay",
    "export",
    "ros",
    "cli",
)
"""Rooms from the first to the last. A module may import from its own room and earlier ones.

The two last are the rim: commands such as ``hand4d up`` start nodes, nodes know no commands."""

RIM = ("cli", "ros")
"""Rooms that may import rclpy and messages."""

ROS_PACKAGES = {
    "action_msgs",
    "ament_index_python",
    "builtin_interfaces",
    "diagnostic_msgs",
    "geometry_msgs",
    "launch",
    "launch_ros",
    "lifecycle_msgs",
    "nav_msgs",
    "rcl_interfaces",
    "rclpy",
    "rosgraph_msgs",
    "sensor_msgs",
    "std_msgs",
    "std_srvs",
    "tf2_msgs",
    "tf2_ros",
    "visualization_msgs",
}

HEAVY = ("av", "cv2", "jax", "matplotlib", "mediapipe", "numpy", "rclpy", "rosbags", "torch")


def imported_names(source: str) -> Iterator[str]:
    """Every module that a source imports, anywhere in it, with dots."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"line {node.lineno}: write imports in full"
            assert node.module is not None
            yield node.module
            # "from hand4d_ros import pipeline" imports a room that only the alias names.
            if node.module == PACKAGE:
                yield from (f"{PACKAGE}.{alias.name}" for alias in node.names)


def faults(room: str, source: str) -> list[str]:
    """What a source that lies in a room must not import, with the reason."""
    found = []
    for name in imported_names(source):
        top, _, rest = name.partition(".")
        target = rest.partition(".")[0]
        is_message = name.startswith(f"{PACKAGE}.msg")
        if (top in ROS_PACKAGES or is_message) and room not in RIM:
            found.append(f"{name}: only {RIM} may know ROS")
        elif top == PACKAGE and target in ORDER and ORDER.index(target) > ORDER.index(room):
            found.append(f"{name}: {target} comes after {room}")
    return found


def modules() -> list[Path]:
    """Every module of the package, except the package's own ``__init__``."""
    return sorted(path for path in SOURCE.rglob("*.py") if path != SOURCE / "__init__.py")


def room_of(path: Path) -> str:
    """The room that a module lies in."""
    return path.relative_to(SOURCE).parts[0].removesuffix(".py")


def test_every_room_has_its_place() -> None:
    """A new room or module beside the rooms must be put into the order."""
    assert {room_of(path) for path in modules()} <= set(ORDER)


@pytest.mark.parametrize("room", ORDER)
def test_imports_go_down_the_list(room: str) -> None:
    """No module imports from a later room, and only the rim imports ROS."""
    found = {
        str(path.relative_to(SOURCE)): wrong
        for path in modules()
        if room_of(path) == room and (wrong := faults(room, path.read_text(encoding="utf-8")))
    }
    assert not found


@pytest.mark.parametrize(
    ("room", "source"),
    [
        ("geometry", "def f():\n    from hand4d_ros.hand.model import HandModel"),
        ("tracking", "from hand4d_ros import pipeline"),
        ("replay", "import rclpy.node"),
        ("wire", "from hand4d_ros.msg import HandState"),
        ("ros", "import hand4d_ros.cli.main"),
    ],
)
def test_a_fault_is_found(room: str, source: str) -> None:
    """The check sees late, lazy, aliased and message imports."""
    assert len(faults(room, source)) == 1


@pytest.mark.parametrize("module", [PACKAGE, f"{PACKAGE}.cli.main"])
def test_importing_is_light(module: str) -> None:
    """Neither the package nor the command line's table pulls in a heavy library."""
    code = f"import sys, {module}; print(*sorted(set({HEAVY!r}) & set(sys.modules)))"
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60
    )
    assert not done.stdout.split()


def test_rooms_have_one_docstring_and_nothing_else() -> None:
    """A room's ``__init__`` says what flows in and out; it re-exports nothing."""
    for path in SOURCE.rglob("*/__init__.py"):
        body = ast.parse(path.read_text(encoding="utf-8")).body
        assert len(body) == 1, path
        assert ast.get_docstring(ast.Module(body=body, type_ignores=[])), path
