"""Config dataclasses as flat lists of described, bounded fields, and back."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

import pytest

from hand4d_ros.errors import ConfigError
from hand4d_ros.ros.schema import FieldSpec, config_from_values, specs_from_config


@dataclass(frozen=True)
class Inner:
    """A nested config."""

    gain: float = field(default=1.0, metadata={"min": 0.0, "max": 2.0})
    """How much,
    on two lines."""
    steps: int = 3

    def __post_init__(self) -> None:
        """Reject a combination."""
        if self.steps == 13:
            raise ConfigError("steps is 13; expected another number")


@dataclass(frozen=True)
class Outer:
    """A config with every kind of field."""

    mode: Literal["fast", "exact"] = "fast"
    """Which way."""
    on: bool = True
    point_m: tuple[float, float, float] = (0.0, 0.0, 1.0)
    names: tuple[str, ...] = ()
    inner: Inner = field(default=Inner(), metadata={"reconfigure": True})
    flat: Inner = field(default=Inner(gain=0.5), metadata={"flatten": True})


def _specs() -> dict[str, FieldSpec]:
    return {spec.name: spec for spec in specs_from_config(Outer())}


def test_names_types_and_defaults() -> None:
    """Nested fields have dotted names, flattened ones do not, and defaults are the instance's."""
    found = {name: (spec.type_label, spec.default) for name, spec in _specs().items()}
    assert found == {
        "mode": ("str", "fast"),
        "on": ("bool", True),
        "point_m": ("float[3]", (0.0, 0.0, 1.0)),
        "names": ("str[]", ()),
        "inner.gain": ("float", 1.0),
        "inner.steps": ("int", 3),
        "gain": ("float", 0.5),
        "steps": ("int", 3),
    }


def test_descriptions_come_from_the_source() -> None:
    """The docstring literal under a field is its description, on one line."""
    specs = _specs()
    assert specs["inner.gain"].description == "How much, on two lines."
    assert specs["mode"].description == "Which way."
    assert specs["on"].description == ""


def test_bounds_choices_and_flags() -> None:
    """Metadata and Literal become bounds and choices; flags are inherited by nested fields."""
    specs = _specs()
    assert specs["gain"].allowed == "float in 0..2"
    assert specs["mode"].allowed == "one of fast, exact"
    assert specs["inner.steps"].reconfigure
    assert not specs["steps"].reconfigure


def test_values_replace_only_what_is_named() -> None:
    """Nested and flattened values arrive in their place; integers become floats."""
    config = config_from_values(
        Outer(), {"inner.gain": 2, "steps": 7, "point_m": [1, 2, 3], "names": ["a"]}
    )
    assert config == Outer(
        point_m=(1.0, 2.0, 3.0), names=("a",), inner=Inner(gain=2.0), flat=Inner(0.5, 7)
    )
    assert isinstance(config.inner.gain, float)


@pytest.mark.parametrize(
    ("name", "value", "match"),
    [
        ("inner.gain", 3.0, r"inner.gain is 3.0, but must be float in 0..2"),
        ("inner.gain", float("nan"), "inner.gain is nan"),
        ("inner.gain", "much", "inner.gain is 'much'"),
        ("steps", 1.5, "steps is 1.5, but must be int"),
        ("steps", True, "steps is True, but must be int"),
        ("on", 1, "on is 1, but must be bool"),
        ("mode", "slow", "mode is 'slow', but must be one of fast, exact"),
        ("point_m", [1.0, 2.0], "point_m has 2 values, but must have 3"),
        ("names", "abc", "names is 'abc', but must be str"),
        ("steps", 13, "steps is 13; expected another"),
        ("step", 4, "no parameter 'step'; did you mean steps"),
        ("zzz", 4, "no parameter 'zzz'; known: mode"),
    ],
)
def test_nonsense_is_refused(name: str, value: object, match: str) -> None:
    """What is wrong, out of range or unknown is refused with what was given and is allowed."""
    with pytest.raises(ConfigError, match=match):
        config_from_values(Outer(), {name: value})


def test_a_type_that_is_no_parameter_is_refused() -> None:
    """A dictionary cannot be a ROS parameter."""

    @dataclass(frozen=True)
    class Bad:
        table: dict[str, int] = field(default_factory=dict)

    with pytest.raises(ConfigError, match=r"Bad\.table is a dict"):
        specs_from_config(Bad())


def test_one_name_for_two_fields_is_refused() -> None:
    """Flattening must not hide one field behind another."""

    @dataclass(frozen=True)
    class Twice:
        gain: float = 0.0
        inner: Inner = field(default=Inner(), metadata={"flatten": True})

    with pytest.raises(ConfigError, match=r"'gain'.*more than once"):
        specs_from_config(Twice())
