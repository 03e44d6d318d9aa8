"""The checks that every config shares."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

import pytest

from hand4d_ros import settings
from hand4d_ros.errors import ConfigError


@dataclass(frozen=True)
class _Config:
    bounded: float = field(default=1.0, metadata={"min": 0.0, "max": 2.0})
    positive: int = field(default=1, metadata={"min": 1})
    small: float = field(default=0.0, metadata={"max": 5.0})
    free: float = 0.0
    mode: Literal["a", "b"] = "a"

    def __post_init__(self) -> None:
        """Check."""
        settings.check(self)


@pytest.mark.parametrize(
    ("change", "match"),
    [
        ({"bounded": 2.5}, "bounded is 2.5; give a value between 0 and 2"),
        ({"bounded": float("nan")}, "bounded is nan; give a value between 0 and 2"),
        ({"positive": 0}, "positive is 0; give a value of at least 1"),
        ({"small": 6.0}, "small is 6.0; give a value of at most 5"),
        ({"free": float("inf")}, "free is inf; give a finite number"),
        ({"mode": "c"}, "mode is 'c'; give one of 'a', 'b'"),
    ],
)
def test_nonsense_is_refused(change: dict[str, float], match: str) -> None:
    """Every refusal says what was given and what is allowed."""
    with pytest.raises(ConfigError, match=match):
        _Config(**change)  # type: ignore[arg-type]


def test_bounds_are_inclusive() -> None:
    """The bounds themselves are fine."""
    _Config(bounded=0.0, positive=1, small=5.0, mode="b")
    _Config(bounded=2.0)
