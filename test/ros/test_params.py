"""A config dataclass as the parameters of a real node."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import pytest
import rclpy
from rclpy.context import Context
from ros_harness import PARAMETER

from hand4d_ros.errors import ConfigError
from hand4d_ros.ros import compat
from hand4d_ros.ros.params import ConfigParameters

pytestmark = pytest.mark.usefixtures("ros_domain")


@dataclass(frozen=True)
class Inner:
    """A nested config."""

    gain: float = field(default=1.0, metadata={"min": 0.0, "max": 2.0})
    """How much."""
    steps: int = field(default=3, metadata={"min": 1, "reconfigure": True})
    """How many."""


@dataclass(frozen=True)
class Config:
    """A config with every kind of field."""

    mode: Literal["fast", "exact"] = "fast"
    """Which way."""
    fixed: bool = field(default=True, metadata={"read_only": True})
    """Never changes."""
    point_m: tuple[float, float] = (0.0, 1.0)
    """Where."""
    names: tuple[str, ...] = ()
    """What."""
    inner: Inner = field(default=Inner())


@contextmanager
def _node(arguments: list[str]) -> Iterator[Any]:
    context = Context()
    rclpy.init(context=context)
    node: Any = compat.Node(
        "configured",
        context=context,
        cli_args=["--ros-args", *arguments],
        automatically_declare_parameters_from_overrides=True,
    )
    try:
        yield node
    finally:
        node.destroy_node()
        rclpy.shutdown(context=context)


def _set(node: Any, name: str, value: Any) -> Any:
    return node.set_parameters([PARAMETER(name, value=value)])[0]


def test_defaults_are_declared_and_described() -> None:
    """Tools see every parameter with its value, description and bounds."""
    with _node([]) as node:
        assert ConfigParameters(node, Config()).config == Config()
        assert node.get_parameter("inner.gain").value == 1.0
        assert list(node.get_parameter("names").value) == []
        descriptor = node.describe_parameter("inner.gain")
        assert descriptor.description == "How much."
        assert descriptor.additional_constraints == "float in 0..2"
        bounds = descriptor.floating_point_range[0]
        assert (bounds.from_value, bounds.to_value) == (0.0, 2.0)
        assert node.describe_parameter("fixed").read_only


def test_a_parameter_file_is_taken_in_any_namespace(tmp_path: Path) -> None:
    """The kind of file that is generated is read: /**/node, nested, integers for floats."""
    path = tmp_path / "params.yaml"
    path.write_text(
        "/**/configured:\n  ros__parameters:\n    mode: exact\n    point_m: [2, 3]\n"
        "    names: [a, b]\n    inner:\n      gain: 2\n",
        encoding="utf-8",
    )
    with _node(["--params-file", str(path), "-r", "__ns:=/robot/head"]) as node:
        config = ConfigParameters(node, Config()).config
        assert config == Config("exact", True, (2.0, 3.0), ("a", "b"), Inner(gain=2.0))
        assert node.get_parameter("inner.gain").value == 2.0


@pytest.mark.parametrize(
    ("assignment", "match"),
    [
        ("inner.gain:=3.0", r"inner\.gain is 3\.0, but must be float in 0\.\.2"),
        ("inner.gian:=1.0", r"no parameter 'inner\.gian'; did you mean inner\.gain"),
        ("mode:=slow", "mode is 'slow', but must be one of fast, exact"),
        ("point_m:=[1.0]", "point_m has 1 values, but must have 2"),
        ("fixed:=3", "fixed is 3, but must be bool"),
    ],
)
def test_nonsense_at_start_is_refused(assignment: str, match: str) -> None:
    """Unknown names, wrong types and values out of range are errors, not ignored."""
    with _node(["-p", assignment]) as node, pytest.raises(ConfigError, match=match):
        ConfigParameters(node, Config())


def test_changes_at_run_time_make_a_new_config() -> None:
    """A good value changes the config; a bad one changes nothing and says why."""
    with _node([]) as node:
        parameters = ConfigParameters(node, Config())
        before = parameters.config
        assert _set(node, "inner.gain", 0).successful
        assert parameters.config.inner.gain == 0.0
        assert before == Config(), "a config never changes"
        for name, value, reason in (
            ("inner.gain", 5.0, "out of range"),
            ("inner.gain", "much", "inner.gain is 'much', but must be float in 0..2"),
            ("mode", "slow", "mode is 'slow', but must be one of fast, exact"),
            ("fixed", False, "read-only"),
            ("point_m", [1.0, 2.0, 3.0], "point_m has 3 values, but must have 2"),
        ):
            result = _set(node, name, value)
            assert not result.successful
            assert reason in result.reason
        assert parameters.config == Config(inner=Inner(gain=0.0))


def test_what_needs_a_reconfigure_is_refused_while_configured() -> None:
    """The same value is fine, another one only while the node is not configured."""
    configured = True
    with _node([]) as node:
        parameters = ConfigParameters(node, Config(), lambda: configured)
        assert _set(node, "inner.steps", 3).successful
        result = _set(node, "inner.steps", 7)
        assert not result.successful
        assert "deactivate and clean up the node, set inner.steps (int >= 1)" in result.reason
        configured = False
        assert _set(node, "inner.steps", 7).successful
        assert parameters.config.inner.steps == 7


def test_several_parameters_are_set_together_or_not_at_all() -> None:
    """An atomic request with one bad value leaves the good one unset."""
    with _node([]) as node:
        parameters = ConfigParameters(node, Config())
        result = node.set_parameters_atomically(
            [PARAMETER("mode", value="exact"), PARAMETER("point_m", value=[1.0])]
        )
        assert not result.successful
        assert parameters.config == Config()


def test_parameters_of_rclpy_are_left_alone() -> None:
    """use_sim_time is not ours, neither at start nor later."""
    with _node(["-p", "use_sim_time:=true"]) as node:
        ConfigParameters(node, Config())
        assert node.get_parameter("use_sim_time").value is True
        assert _set(node, "use_sim_time", value=False).successful
