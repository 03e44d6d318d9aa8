"""The learning rate follows its closed form."""

from __future__ import annotations

import math

import pytest

from hand4d_ros.errors import ConfigError
from hand4d_ros.training.config import Schedule, TrainConfig
from hand4d_ros.training.schedule import rate_share


def config(schedule: Schedule) -> TrainConfig:
    """A warm-up of 10 of 111 steps."""
    return TrainConfig(max_steps=111, warmup_steps=10, schedule=schedule, final_share=0.2)


@pytest.mark.parametrize("schedule", ["constant", "cosine", "linear"])
def test_warm_up_is_linear_and_starts_above_zero(schedule: Schedule) -> None:
    """The first step has a tenth, the tenth all of the rate."""
    shares = [rate_share(step, config(schedule)) for step in range(11)]
    assert shares[:10] == pytest.approx([0.1 * (i + 1) for i in range(10)])
    assert shares[10] == 1.0


def test_courses_after_the_warm_up() -> None:
    """Start, middle, end and beyond of every course."""
    steps = (10, 35, 60, 110, 500)
    assert [rate_share(s, config("constant")) for s in steps] == [1.0] * 5
    line = [1.0, 1.0 - 0.8 / 4, 0.6, 0.2, 0.2]
    assert [rate_share(s, config("linear")) for s in steps] == pytest.approx(line)
    quarter = 0.2 + 0.8 * 0.5 * (1.0 + math.cos(math.pi / 4))
    cosine = [1.0, quarter, 0.6, 0.2, 0.2]
    assert [rate_share(s, config("cosine")) for s in steps] == pytest.approx(cosine)


def test_warm_up_must_end() -> None:
    """A warm-up as long as the run is a mistake."""
    with pytest.raises(ConfigError, match=r"warmup_steps is 100; give less than max_steps \(50\)"):
        TrainConfig(max_steps=50)
    assert rate_share(49, TrainConfig(max_steps=50, schedule="constant")) == 0.5


@pytest.mark.parametrize(
    "change", [{"max_steps": 0}, {"ema_decay": 1.0}, {"learning_rate": float("nan")}]
)
def test_values_out_of_range_are_refused(change: dict[str, float]) -> None:
    """Bounds are checked when a config is made."""
    with pytest.raises(ConfigError, match=f"{next(iter(change))} is"):
        TrainConfig(**change)  # type: ignore[arg-type]
