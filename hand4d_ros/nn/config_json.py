"""A config dataclass as JSON and back, checked: for cards of weights and recipes of runs."""

from __future__ import annotations

import dataclasses
import difflib
import json
import typing
from collections.abc import Mapping
from typing import Any, Literal, TypeVar

from hand4d_ros.errors import ConfigError

ConfigT = TypeVar("ConfigT")


def json_from_config(config: Any) -> dict[str, Any]:
    """Return the values of a config dataclass, nested ones included, as JSON would hold them.

    Args:
        config: A dataclass instance of bool, int, float, str, tuples of these and further configs.
    """
    values: dict[str, Any] = json.loads(json.dumps(dataclasses.asdict(config)))
    return values


def config_from_json(cls: type[ConfigT], values: Mapping[str, Any], where: str = "") -> ConfigT:
    """Make a config of JSON values; fields that are not named keep their defaults.

    Args:
        cls: The config's dataclass.
        values: Its values by field.
        where: What precedes a field's name in messages, such as ``"task."``.

    Raises:
        ConfigError: A name is unknown, or a value has the wrong type or is out of range.
    """
    hints = typing.get_type_hints(cls)
    known = [field.name for field in dataclasses.fields(typing.cast("Any", cls))]
    given: dict[str, Any] = {}
    for name, value in values.items():
        if name not in known:
            close = difflib.get_close_matches(name, known, n=1)
            hint = f"did you mean {where}{close[0]}?" if close else f"known: {', '.join(known)}"
            raise ConfigError(f"there is no setting {where}{name}; {hint}")
        given[name] = _value(hints[name], value, where + name)
    return cls(**given)


def with_overrides(config: ConfigT, changes: Mapping[str, Any], where: str = "") -> ConfigT:
    """Return a config with some values replaced; nested configs are merged.

    Args:
        config: What to start from.
        changes: New values by field, as JSON would hold them.
        where: What precedes a field's name in messages.

    Raises:
        ConfigError: A name is unknown, or a value has the wrong type or is out of range.
    """
    return config_from_json(type(config), _merged(json_from_config(config), changes), where)


def _merged(base: Mapping[str, Any], changes: Mapping[str, Any]) -> dict[str, Any]:
    merged = dict(base)
    for name, value in changes.items():
        below = merged.get(name)
        both = isinstance(below, Mapping) and isinstance(value, Mapping)
        merged[name] = _merged(below, value) if both else value  # type: ignore[arg-type]
    return merged


def _value(hint: Any, value: Any, name: str) -> Any:
    """Convert one JSON value to what a field holds."""
    if dataclasses.is_dataclass(hint) and isinstance(hint, type):
        if not isinstance(value, Mapping):
            raise ConfigError(f"{name} is {value!r}; it has fields of its own, such as {name}.x")
        return config_from_json(hint, value, name + ".")
    origin = typing.get_origin(hint)
    if origin is tuple:
        if not isinstance(value, (list, tuple)):
            raise ConfigError(f"{name} is {value!r}; give a list, such as [1, 2]")
        return _tuple(typing.get_args(hint), value, name)
    if origin is Literal:
        choices = typing.get_args(hint)
        if value not in choices:
            raise ConfigError(f"{name} is {value!r}; give one of {', '.join(map(repr, choices))}")
        return value
    # A number's bounds are the config's own to check.
    return _scalar(hint, value, name)


def _tuple(kinds: tuple[Any, ...], values: Any, name: str) -> tuple[Any, ...]:
    if len(kinds) == 2 and kinds[1] is Ellipsis:
        kinds = (kinds[0],) * len(values)
    if len(kinds) != len(values):
        raise ConfigError(f"{name} has {len(values)} values; give {len(kinds)}")
    return tuple(
        _value(kind, value, f"{name}[{i}]")
        for i, (kind, value) in enumerate(zip(kinds, values, strict=True))
    )


def _scalar(hint: Any, value: Any, name: str) -> Any:
    # bool is an int to Python, but "train.seed=true" is a slip.
    if hint is float and isinstance(value, int) and not isinstance(value, bool):
        return float(value)
    if type(value) is not hint:
        raise ConfigError(f"{name} is {value!r}, which is no {getattr(hint, '__name__', hint)}")
    return value
