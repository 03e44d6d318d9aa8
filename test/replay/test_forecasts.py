"""Forecasts offline: written beside the hands, reviewed against what came, drawn as fans."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from replay_samples import InputOptions, TruePipeline, stamp_ns, write_input, write_output

from hand4d_ros.cli.main import main
from hand4d_ros.forecasting.base import ForecastConfig
from hand4d_ros.forecasting.registry import ForecasterConfig, make_forecaster
from hand4d_ros.replay import charts
from hand4d_ros.replay.bags import BagReader
from hand4d_ros.replay.forecast_charts import forecast_fan
from hand4d_ros.replay.forecasts import FORECAST_TOPIC, review_forecasts, wrist_then_m
from hand4d_ros.replay.replayer import replay
from hand4d_ros.replay.run_data import Run, load_run
from hand4d_ros.types import Side
from hand4d_ros.wire_forecast import forecasts_from_array

HORIZON = ForecastConfig(horizon_s=0.5)


@pytest.fixture(scope="module")
def bags(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """A bag of two hands, and its replay with forecasts."""
    folder = tmp_path_factory.mktemp("forecasts")
    source = write_input(folder / "in.mcap", InputOptions(images=45, truth=True))
    out = folder / "out.mcap"
    forecaster = make_forecaster(ForecasterConfig(forecast=HORIZON))
    replay(source, out, TruePipeline(), forecaster=forecaster)
    return source, out


@pytest.fixture(scope="module")
def run(bags: tuple[Path, Path]) -> Run:
    """Return what happened in the replay."""
    return load_run(*bags)


def test_every_frame_is_forecast(bags: tuple[Path, Path]) -> None:
    """One message a frame, with both hands, at its stamp and without latency."""
    with BagReader(bags[1]) as bag:
        messages = [read.message for read in bag.messages([FORECAST_TOPIC])]
    assert len(messages) == 45
    found = forecasts_from_array(messages[20])
    assert [each.side for each in found] == [Side.LEFT, Side.RIGHT]
    assert messages[20].generated_at == messages[20].header.stamp
    assert found[0].stamp_ns == stamp_ns(20)
    assert messages[20].header.frame_id == "odom"


def test_the_review(bags: tuple[Path, Path], run: Run) -> None:
    """Errors grow with the horizon, and slow hands stay inside of their spheres."""
    review = review_forecasts(bags[1], run)
    assert review is not None
    assert review.model_id == "kinematic-1+conformal"
    assert review.coverage == pytest.approx(0.9)
    assert [each.horizon_s for each in review.horizons] == [0.1, 0.3, 0.5]
    errors = [each.error_m for each in review.horizons]
    assert errors == sorted(errors)
    assert 0.0 < errors[-1] < 0.1
    first = review.horizons[0]
    # Of 45 frames the last three have no truth at 0.1 s, for each of two hands.
    assert (first.count, first.held) == (84, 1.0)
    assert first.best_error_m == first.error_m
    assert 1 <= len(review.shown) <= 6
    assert review.as_dict()["horizons"][0]["count"] == 84


def test_a_bag_without_forecasts_has_no_review(tmp_path: Path, run: Run) -> None:
    """Nothing is shown where nothing was forecast."""
    assert review_forecasts(write_output(tmp_path / "hands.mcap"), run) is None


def test_where_the_wrist_then_was(run: Run) -> None:
    """At an image it is the truth's; between two it lies between; after the end it is unknown."""
    wrist_m = run.truth[Side.RIGHT].wrist_m
    middle = 0.5 * (stamp_ns(3) + stamp_ns(4))
    times = np.array([stamp_ns(3), middle, stamp_ns(44) + 1e9])
    found = wrist_then_m(run, Side.RIGHT, times)
    assert np.allclose(found[0], wrist_m[3], atol=1e-6)
    assert np.allclose(found[1], 0.5 * (wrist_m[3] + wrist_m[4]), atol=1e-6)
    assert np.isnan(found[2]).all()


def test_a_fan_is_drawn(bags: tuple[Path, Path], run: Run) -> None:
    """For each hand: what came, the past, a future and two spheres."""
    review = review_forecasts(bags[1], run)
    assert review is not None
    svg = forecast_fan(run, review.shown[0], charts.views(run)[0])
    assert svg.count("<path") == 2 * 3
    assert svg.count("fill-opacity") == 2 * 2
    assert "nan" not in svg


def test_refined_hands_are_not_forecast(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """They know their future; the command says so before it does anything."""
    given = ["in.mcap", "--out", str(tmp_path / "out"), "--refine", "hmp", "--forecast", "static"]
    assert main(["replay", *given]) == 2
    assert "know their future" in capsys.readouterr().err
    assert not (tmp_path / "out").exists()
