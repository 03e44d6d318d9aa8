"""Frozen config dataclass in, declared ROS parameters out, and the config back, always checked.

A parameter that makes no sense is refused when it is set, at start and at run time, with what
was given and what is allowed. Unknown parameters in a file or on the command line are errors
too: rcl ignores them without a word, and a misspelt name is then found much later.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, Generic, TypeVar

from rcl_interfaces.msg import (
    FloatingPointRange,
    IntegerRange,
    ParameterDescriptor,
    SetParametersResult,
)
from rclpy.node import Node
from rclpy.parameter import Parameter

from hand4d_ros.errors import ConfigError
from hand4d_ros.ros.schema import (
    FieldSpec,
    coerced,
    config_from_values,
    specs_from_config,
    unknown_name_message,
)

ConfigT = TypeVar("ConfigT")

_OF_RCLPY = ("use_sim_time", "start_type_description_service")
_INT64_MAX = 2**63 - 1


class ConfigParameters(Generic[ConfigT]):
    """The parameters of one node and the config that they make.

    The node must be created with ``automatically_declare_parameters_from_overrides=True``, which
    is the only public way to see what a file or the command line asked for.
    """

    def __init__(
        self, node: Node, defaults: ConfigT, is_configured: Callable[[], bool] | None = None
    ) -> None:
        """Declare every leaf of a config and take what the start of the node asked for.

        Args:
            node: Declares the parameters and hears of changes.
            defaults: Config whose values are the defaults.
            is_configured: Whether parameters marked ``reconfigure`` must not change now.

        Raises:
            ConfigError: If a parameter is unknown, has the wrong type or is out of range.
        """
        self._node = node
        self._specs = {spec.name: spec for spec in specs_from_config(defaults)}
        self._is_configured = is_configured or (lambda: False)
        given = self._take_overrides()
        self._config = config_from_values(defaults, given)
        current = {spec.name: spec.default for spec in specs_from_config(self._config)}
        for spec in self._specs.values():
            value = current[spec.name]
            node.declare_parameter(
                spec.name,
                list(value) if isinstance(value, tuple) else value,
                descriptor_from_spec(spec),
            )
        node.add_on_set_parameters_callback(self._on_set)

    @property
    def config(self) -> ConfigT:
        """The config as the parameters make it now; a new object after each change."""
        return self._config

    def _take_overrides(self) -> dict[str, object]:
        given: dict[str, object] = {}
        # rclpy returns parameters here, although its annotation says values.
        declared: dict[str, Any] = dict(self._node.get_parameters_by_prefix(""))
        for name, parameter in declared.items():
            if name in _OF_RCLPY or name.startswith("qos_overrides."):
                continue
            if name not in self._specs:
                raise ConfigError(unknown_name_message(name, tuple(self._specs)))
            given[name] = parameter.value
            self._node.undeclare_parameter(name)
        return given

    def _on_set(self, parameters: list[Parameter]) -> SetParametersResult:
        values = {p.name: p.value for p in parameters if p.name in self._specs}
        try:
            for name, value in values.items():
                self._check_changeable(self._specs[name], value)
            config = config_from_values(self._config, values)
        except ConfigError as error:
            return SetParametersResult(successful=False, reason=str(error))
        if values:
            self._config = config
        return SetParametersResult(successful=True)

    def _check_changeable(self, spec: FieldSpec, value: object) -> None:
        if not spec.reconfigure or not self._is_configured():
            return
        now = {known.name: known.default for known in specs_from_config(self._config)}[spec.name]
        if coerced(spec, value) != now:
            raise ConfigError(
                f"{spec.name} cannot change while the node is configured: deactivate and clean "
                f"up the node, set {spec.name} ({spec.allowed}), then configure and activate it"
            )


def descriptor_from_spec(spec: FieldSpec) -> ParameterDescriptor:
    """Description, bounds and constraints of one parameter, for tools that show them.

    Args:
        spec: The field.

    Returns:
        A descriptor with dynamic typing, so that an integer may be given for a float; the type
        is checked with everything else when the parameter is set.
    """
    descriptor: Any = ParameterDescriptor(
        name=spec.name,
        description=spec.description,
        additional_constraints=spec.allowed,
        read_only=spec.read_only,
        dynamic_typing=True,
    )
    bounded = spec.minimum is not None or spec.maximum is not None
    if bounded and spec.length is None and spec.kind in ("int", "float"):
        low = -math.inf if spec.minimum is None else spec.minimum
        high = math.inf if spec.maximum is None else spec.maximum
        if spec.kind == "float":
            descriptor.floating_point_range = [
                FloatingPointRange(from_value=float(low), to_value=float(high))
            ]
        else:
            descriptor.integer_range = [
                IntegerRange(
                    from_value=int(max(low, -_INT64_MAX)), to_value=int(min(high, _INT64_MAX))
                )
            ]
    return descriptor
