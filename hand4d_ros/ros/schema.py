"""Config dataclass in, flat list of named, described and bounded fields out. ROS-free.

ROS parameters, launch arguments, the YAML file and the tables of the README are all made from
what this module reads out of a frozen dataclass, so a default or a sentence exists once.
A field's metadata may hold:

* ``min``, ``max``: inclusive bounds of a number,
* ``flatten``: the fields of this nested config are named without its own name in front,
* ``reconfigure``: takes effect only when the node is configured again,
* ``read_only``: fixed once the node has started.
"""

from __future__ import annotations

import ast
import dataclasses
import difflib
import functools
import inspect
import itertools
import math
import textwrap
import typing
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Literal, TypeVar

from hand4d_ros.errors import ConfigError

Kind = Literal["bool", "int", "float", "str"]
Scalar = bool | int | float | str
Value = Scalar | tuple[Scalar, ...]
ConfigT = TypeVar("ConfigT")

_KINDS: dict[Any, Kind] = {bool: "bool", int: "int", float: "float", str: "str"}
_ACCEPTED = {"bool": (bool,), "int": (int,), "float": (float, int), "str": (str,)}


@dataclass(frozen=True)
class FieldSpec:
    """One leaf of a config, as a parameter or an argument."""

    name: str
    """Dotted name, such as ``estimator.hand_length_m``."""
    path: tuple[str, ...]
    """Attributes that lead to it from the outermost config, flattened ones included."""
    kind: Kind
    """Type of the value, or of each element of a tuple."""
    length: int | None
    """None for a scalar, -1 for a tuple of any length, else the exact length."""
    default: Value
    description: str
    """The docstring literal under the field, on one line."""
    choices: tuple[Scalar, ...] = ()
    """The only allowed values; empty where anything of the kind is allowed."""
    minimum: float | None = None
    maximum: float | None = None
    reconfigure: bool = False
    read_only: bool = False

    @property
    def type_label(self) -> str:
        """The type as documentation spells it, such as ``float[3]``."""
        if self.length is None:
            return self.kind
        return f"{self.kind}[]" if self.length < 0 else f"{self.kind}[{self.length}]"

    @property
    def allowed(self) -> str:
        """What is allowed, in words: ``one of raw, compressed`` or ``float >= 0``."""
        if self.choices:
            return "one of " + ", ".join(str(choice) for choice in self.choices)
        low, high = self.minimum, self.maximum
        if low is not None and high is not None:
            return f"{self.type_label} in {low:g}..{high:g}"
        if low is not None:
            return f"{self.type_label} >= {low:g}"
        if high is not None:
            return f"{self.type_label} <= {high:g}"
        return self.type_label


def specs_from_config(config: object) -> tuple[FieldSpec, ...]:
    """List the leaves of a nested config in the order in which they are written.

    Args:
        config: Instance of a frozen dataclass; its values are the defaults.

    Returns:
        One entry for each leaf.

    Raises:
        ConfigError: If a field has a type that is no parameter, or two leaves share a name.
    """
    specs = tuple(_walk(config, (), "", reconfigure=False, read_only=False))
    names = [spec.name for spec in specs]
    twice = {name for name in names if names.count(name) > 1}
    if twice:
        raise ConfigError(f"{type(config).__name__} names {sorted(twice)} more than once")
    return specs


def config_from_values(config: ConfigT, values: Mapping[str, object]) -> ConfigT:
    """Rebuild a config with some of its leaves replaced.

    Args:
        config: The config to start from; it is left as it is.
        values: New values by dotted name. Integers are taken for floats, lists for tuples.

    Returns:
        A new config, checked by every ``__post_init__`` on the way.

    Raises:
        ConfigError: If a name is unknown, a value has the wrong type or is out of range.
    """
    specs = {spec.name: spec for spec in specs_from_config(config)}
    changes: dict[tuple[str, ...], Value] = {}
    for name, value in values.items():
        if name not in specs:
            raise ConfigError(unknown_name_message(name, tuple(specs)))
        changes[specs[name].path] = coerced(specs[name], value)
    return _replaced(config, changes)


def unknown_name_message(name: str, known: tuple[str, ...]) -> str:
    """Sentence for a name that does not exist, with the nearest ones that do.

    Args:
        name: What was given.
        known: What exists.

    Returns:
        For an error message.
    """
    near = difflib.get_close_matches(name, known, n=3, cutoff=0.5)
    hint = f"did you mean {' or '.join(near)}?" if near else f"known: {', '.join(known)}"
    return f"there is no parameter {name!r}; {hint}"


def coerced(spec: FieldSpec, value: object) -> Value:
    """Bring a value to the type of its field, or refuse it.

    Args:
        spec: The field.
        value: What was given, for instance by a YAML file.

    Returns:
        The value in the field's own type.

    Raises:
        ConfigError: If it cannot be one or is out of range.
    """
    if spec.length is None:
        return _coerced_scalar(spec, value)
    if isinstance(value, (str, bytes)) or not hasattr(value, "__iter__"):
        raise ConfigError(f"{spec.name} is {value!r}, but must be {spec.allowed}")
    elements = tuple(_coerced_scalar(spec, element) for element in value)
    if spec.length >= 0 and len(elements) != spec.length:
        raise ConfigError(f"{spec.name} has {len(elements)} values, but must have {spec.length}")
    return elements


def _coerced_scalar(spec: FieldSpec, value: object) -> Scalar:
    expected: tuple[type, ...] = _ACCEPTED[spec.kind]
    wrong = not isinstance(value, expected) or (spec.kind != "bool" and isinstance(value, bool))
    if wrong or (spec.choices and value not in spec.choices):
        raise ConfigError(f"{spec.name} is {value!r}, but must be {spec.allowed}")
    result = float(value) if spec.kind == "float" else value  # type: ignore[arg-type]
    if isinstance(result, (int, float)) and not isinstance(result, bool):
        below = spec.minimum is not None and not result >= spec.minimum
        above = spec.maximum is not None and not result <= spec.maximum
        if below or above or math.isnan(result):
            raise ConfigError(f"{spec.name} is {value!r}, but must be {spec.allowed}")
    return typing.cast("Scalar", result)


def _replaced(config: ConfigT, changes: Mapping[tuple[str, ...], Value]) -> ConfigT:
    grouped: dict[str, dict[tuple[str, ...], Value]] = {}
    here: dict[str, Any] = {}
    for path, value in changes.items():
        if len(path) == 1:
            here[path[0]] = value
        else:
            grouped.setdefault(path[0], {})[path[1:]] = value
    for attribute, inner in grouped.items():
        here[attribute] = _replaced(getattr(config, attribute), inner)
    return dataclasses.replace(config, **here) if here else config  # type: ignore[type-var]


def _walk(
    config: object, path: tuple[str, ...], prefix: str, *, reconfigure: bool, read_only: bool
) -> Iterator[FieldSpec]:
    cls = type(config)
    hints = typing.get_type_hints(cls)
    descriptions = field_descriptions(cls)  # type: ignore[arg-type]
    for field in dataclasses.fields(config):  # type: ignore[arg-type]
        value = getattr(config, field.name)
        inner_path = (*path, field.name)
        flags = {
            "reconfigure": reconfigure or bool(field.metadata.get("reconfigure")),
            "read_only": read_only or bool(field.metadata.get("read_only")),
        }
        if dataclasses.is_dataclass(value):
            flat = bool(field.metadata.get("flatten"))
            yield from _walk(
                value, inner_path, prefix if flat else f"{prefix}{field.name}.", **flags
            )
            continue
        kind, length, choices = _type_from_hint(hints[field.name], f"{cls.__name__}.{field.name}")
        yield FieldSpec(
            name=prefix + field.name,
            path=inner_path,
            kind=kind,
            length=length,
            default=value,
            description=descriptions.get(field.name, ""),
            choices=choices,
            minimum=_bound(field.metadata.get("min")),
            maximum=_bound(field.metadata.get("max")),
            **flags,
        )


def _bound(value: Any) -> float | None:
    return None if value is None else float(value)


def _type_from_hint(hint: Any, where: str) -> tuple[Kind, int | None, tuple[Scalar, ...]]:
    origin, args = typing.get_origin(hint), typing.get_args(hint)
    if origin is Literal:
        return _type_from_hint(type(args[0]), where)[0], None, args
    if origin is tuple and args:
        kind, _, choices = _type_from_hint(args[0], where)
        return kind, -1 if args[-1] is Ellipsis else len(args), choices
    if hint in _KINDS:
        return _KINDS[hint], None, ()
    raise ConfigError(f"{where} is a {hint}, which is no parameter type")


@functools.cache
def field_descriptions(cls: type) -> dict[str, str]:
    """Read the docstring literals under the fields of a dataclass from its source.

    Args:
        cls: A dataclass that was read from a file.

    Returns:
        Description by field name, on one line each; fields without one are absent.
    """
    found: dict[str, str] = {}
    for base in reversed(cls.__mro__):
        if not dataclasses.is_dataclass(base):
            continue
        tree = ast.parse(textwrap.dedent(inspect.getsource(base)))
        body = typing.cast("ast.ClassDef", tree.body[0]).body
        for statement, following in itertools.pairwise(body):
            named = isinstance(statement, ast.AnnAssign) and isinstance(statement.target, ast.Name)
            if (
                named
                and isinstance(following, ast.Expr)
                and isinstance(following.value, ast.Constant)
                and isinstance(following.value.value, str)
            ):
                name = typing.cast("ast.Name", typing.cast("ast.AnnAssign", statement).target).id
                found[name] = " ".join(following.value.value.split())
    return found
