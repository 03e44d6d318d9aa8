"""Configs survive JSON, and nonsense does not become one."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import Any, Literal

import pytest

from hand4d_ros.errors import ConfigError
from hand4d_ros.nn.config_json import config_from_json, json_from_config, with_overrides


@dataclass(frozen=True)
class Inner:
    """Has tuples."""

    sizes: tuple[int, ...] = (1, 2)
    pair: tuple[float, float] = (0.0, 1.0)


@dataclass(frozen=True)
class Outer:
    """Has everything that a config may have."""

    flag: bool = False
    count: int = 1
    share: float = 0.5
    name: str = "a"
    kind: Literal["x", "y"] = "x"
    inner: Inner = field(default_factory=Inner)


CHANGED = Outer(True, 7, 0.1 + 0.2, "é", "y", Inner((), (2.0, 3.5)))


def test_round_trip() -> None:
    """Through text, every value and type."""
    text = json.dumps(json_from_config(CHANGED))
    assert config_from_json(Outer, json.loads(text)) == CHANGED
    assert config_from_json(Outer, {}) == Outer()


def test_overrides_merge_into_nested_configs() -> None:
    """What is not named stays."""
    found = with_overrides(CHANGED, {"inner": {"sizes": [4]}, "share": 2})
    assert found == Outer(True, 7, 2.0, "é", "y", Inner((4,), (2.0, 3.5)))
    assert isinstance(found.share, float)


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"cuont": 1}, "there is no setting task.cuont; did you mean task.count?"),
        ({"zzz": 1}, "no setting task.zzz; known: flag, count"),
        ({"inner": {"zzz": 1}}, "no setting task.inner.zzz; known: sizes, pair"),
        ({"inner": 3}, "task.inner is 3; it has fields of its own"),
        ({"count": 1.5}, "task.count is 1.5, which is no int"),
        ({"count": True}, "task.count is True, which is no int"),
        ({"flag": 1}, "task.flag is 1, which is no bool"),
        ({"share": "0.5"}, "task.share is '0.5', which is no float"),
        ({"inner": {"sizes": 3}}, "task.inner.sizes is 3; give a list"),
        ({"inner": {"sizes": [1, "2"]}}, "task.inner.sizes[1] is '2', which is no int"),
        ({"inner": {"pair": [1.0]}}, "task.inner.pair has 1 values; give 2"),
    ],
)
def test_refusals(values: dict[str, Any], message: str) -> None:
    """Each names the setting in full."""
    with pytest.raises(ConfigError) as caught:
        config_from_json(Outer, values, "task.")
    assert message in str(caught.value)
