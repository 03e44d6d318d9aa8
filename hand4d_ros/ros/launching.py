"""The graph in, a launch description out: all that the launch files do.

Only launch files import this module, as ``launch`` and ``launch_ros`` exist only where the launch
tools of ROS 2 are installed.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any, TypeVar

from launch.actions import DeclareLaunchArgument, OpaqueFunction, Shutdown
from launch.launch_description import LaunchDescription
from launch.substitutions import LaunchConfiguration
from launch_ros.actions import LifecycleNode, Node

from hand4d_ros.errors import ConfigError
from hand4d_ros.ros.graph import NodeSpec
from hand4d_ros.ros.schema import FieldSpec, Scalar, config_from_values, specs_from_config

ArgumentsT = TypeVar("ArgumentsT")


def launch_description(
    defaults: ArgumentsT, graph: Callable[[ArgumentsT], tuple[NodeSpec, ...]]
) -> Any:
    """Make a launch description whose arguments are the fields of a dataclass.

    Args:
        defaults: Arguments with their defaults.
        graph: Makes the processes of the arguments.

    Returns:
        A ``launch.LaunchDescription``.
    """
    specs = specs_from_config(defaults)

    def start(context: Any) -> list[Any]:
        given = {
            spec.name: _parsed(spec, LaunchConfiguration(spec.name).perform(context))
            for spec in specs
        }
        return [_action(node) for node in graph(config_from_values(defaults, given))]

    return LaunchDescription([*(_declared(spec) for spec in specs), OpaqueFunction(function=start)])


def _declared(spec: FieldSpec) -> Any:
    choices = [str(choice) for choice in spec.choices] or None
    if spec.kind == "bool":
        choices = ["true", "false"]
    return DeclareLaunchArgument(
        spec.name, default_value=_text(spec.default), description=spec.description, choices=choices
    )


def _text(value: object) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def _parsed(spec: FieldSpec, text: str) -> Scalar:
    """Read an argument, which launch hands over as text."""
    if spec.kind == "bool":
        return text == "true"
    if spec.kind == "str":
        return text
    try:
        return float(text) if spec.kind == "float" else int(text)
    except ValueError:
        raise ConfigError(f"{spec.name} is {text!r}, but must be {spec.allowed}") from None


def _action(spec: NodeSpec) -> Any:
    """Return the process; as with ``hand4d up``, its end ends the graph unless it is optional."""
    action = LifecycleNode if spec.lifecycle else Node
    files: list[Any] = list(spec.params_files)
    return action(
        package=spec.package,
        executable=spec.executable,
        name=spec.name,
        namespace=spec.namespace,
        remappings=list(spec.remappings),
        parameters=[*files, dict(spec.parameters)] if spec.parameters else files,
        arguments=list(spec.arguments),
        ros_arguments=["--log-level", spec.log_level],
        output="screen",
        on_exit=None if spec.role == "optional" else partial(_end, spec.name),
    )


def _end(name: str, event: Any, context: Any) -> Any:
    """Shut the system down; a second time while it does so already makes launch_ros complain."""
    del event
    return None if context.is_shutdown else Shutdown(reason=f"{name} ended")
