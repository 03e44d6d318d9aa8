"""Checks that every frozen config shares: numbers within their bounds, names among the choices.

A field's metadata holds ``min`` and ``max`` (inclusive); its ``Literal`` type the choices. ROS
parameters, the command line and the documentation read the same metadata.
"""

from __future__ import annotations

import dataclasses
import math
import typing
from typing import Any, Literal

from hand4d_ros.errors import ConfigError


def check(config: Any) -> None:
    """Reject a config with a value out of range; call it from ``__post_init__``.

    Args:
        config: A dataclass instance.

    Raises:
        ConfigError: A number is not finite or outside its bounds, or a name is unknown.
    """
    hints = typing.get_type_hints(type(config))
    for field in dataclasses.fields(config):
        value = getattr(config, field.name)
        if typing.get_origin(hints[field.name]) is Literal:
            choices = typing.get_args(hints[field.name])
            if value not in choices:
                given = ", ".join(repr(choice) for choice in choices)
                raise ConfigError(f"{field.name} is {value!r}; give one of {given}")
        if hints[field.name] in (int, float):
            _check_number(field.name, value, field.metadata.get("min"), field.metadata.get("max"))


def _check_number(name: str, value: Any, low: Any, high: Any) -> None:
    too_low = low is not None and value < low
    too_high = high is not None and value > high
    if math.isfinite(value) and not too_low and not too_high:
        return
    if low is None and high is None:
        allowed = "a finite number"
    elif high is None:
        allowed = f"a value of at least {low:g}"
    elif low is None:
        allowed = f"a value of at most {high:g}"
    else:
        allowed = f"a value between {low:g} and {high:g}"
    raise ConfigError(f"{name} is {value}; give {allowed}")
