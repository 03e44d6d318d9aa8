"""Forecasts judged: a seer is perfect, parts of the horizon are their own, spread is spread."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import pytest
from bench_samples import moving_hand, stamps

from hand4d_ros.errors import MetricError
from hand4d_ros.evaluation import forecasts
from hand4d_ros.evaluation.forecasts import Recording, judge_forecaster, slice_names
from hand4d_ros.evaluation.motions import resampled, tracks_from_motions
from hand4d_ros.types import ForecastMode, Frame, HandForecast, HandTrack, Side

FRAMES = 120
MOTIONS = (moving_hand(Side.LEFT, FRAMES), moving_hand(Side.RIGHT, FRAMES))
TRACKS = tracks_from_motions(stamps(FRAMES), MOTIONS)
RECORDING = Recording("steady", stamps(FRAMES), TRACKS, MOTIONS, (30, 40))


@dataclass
class Seer:
    """Knows the future, and adds shifted ones if asked."""

    shifts_m: tuple[float, ...] = (0.0,)
    radius_m: float = 0.01
    steps: int = 60
    step_ns: int = 33_333_333
    model_id: str = "seer"

    def forecast(
        self, past: Sequence[Sequence[HandTrack]], frame: Frame | None = None
    ) -> list[HandForecast]:
        """Return the true future of every hand."""
        del frame
        now = past[-1]
        row = int(np.searchsorted(stamps(FRAMES), now[0].stamp_ns))
        return [self._one(track, row) for track in now]

    def _one(self, track: HandTrack, row: int) -> HandForecast:
        motion = MOTIONS[track.hand.side]
        rows = np.arange(row + 1, row + 1 + self.steps)
        modes = []
        for shift in self.shifts_m:
            T = motion.T_world_wrist[rows].copy()
            T[:, 2, 3] += shift
            modes.append(
                ForecastMode(
                    probability=1.0 / len(self.shifts_m),
                    T_world_wrist=T,
                    wrist_covariance_m2=np.tile(np.eye(3), (self.steps, 1, 1)),
                    fingertips_m=np.zeros((self.steps, 5, 3)),
                    radius_m=np.full(self.steps, self.radius_m),
                    mano_pose=motion.mano_pose(rows),
                )
            )
        return HandForecast(
            track.stamp_ns, track.hand.side, track.track_id, 1.0, self.step_ns, 0.9, tuple(modes)
        )


def test_a_seer_is_perfect() -> None:
    """All errors are zero, and every sphere holds the truth."""
    found = judge_forecaster(RECORDING, Seer())
    assert found.forecasts == 2
    values = found.merged("steady").values
    for key in ("m_cm", "m_g_cm", "m_f_cm", "mr_cm", "ade_cm", "fde_mean_cm"):
        assert values[key] == pytest.approx(0.0, abs=1e-6), key
    assert values["coverage_90"] == 1.0
    assert values["radius_90_cm"] == pytest.approx(1.0)


def test_the_best_future_counts() -> None:
    """Of two futures M takes the better one, the mean displacement takes both."""
    values = judge_forecaster(RECORDING, Seer((0.1, 0.0))).merged("steady").values
    assert values["m_cm"] == pytest.approx(0.0, abs=1e-6)
    assert values["ade_mean_cm"] == pytest.approx(5.0)


def test_parts_of_the_horizon() -> None:
    """The parts cover all steps once and have no figures of an alignment over the whole."""
    found = judge_forecaster(RECORDING, Seer((0.02,)))
    parts = found.merged_slices("steady")
    assert tuple(parts) == slice_names()
    assert sum(found.steps.values()) == 2 * 2 * 60
    assert all(part.values["m_cm"] == pytest.approx(2.0) for part in parts.values())
    assert all(part.values["coverage_90"] == 0.0 for part in parts.values())
    assert "m_g_cm" not in parts["0-0.1 s"].figures


def test_spread_of_futures() -> None:
    """One future each has the truth's diversity and no multimodality; two have some."""
    own, true = forecasts.spread_metrics([judge_forecaster(RECORDING, Seer())])
    assert own["diversity"] == pytest.approx(true["diversity"])
    assert "multimodality" not in own
    both, _ = forecasts.spread_metrics([judge_forecaster(RECORDING, Seer((0.0, 0.1)))])
    # 60 steps of two hands, each 0.1 m apart.
    assert both["multimodality"] == pytest.approx(0.1 * np.sqrt(120.0))


def test_a_recording_that_ends() -> None:
    """Steps after the end have no truth; the others are judged, without a spread."""
    late = replace(RECORDING, rows=(FRAMES - 20,))
    pair = forecasts.forecast_pair(late, late.rows[0], _static(late, 60))
    assert pair is not None
    assert np.isfinite(pair.truth_m).all(axis=(1, 2, 3)).sum() == 19


def _static(recording: Recording, steps: int) -> list[HandForecast]:
    """Return forecasts in which nothing moves."""
    made = []
    for track in recording.tracks[recording.rows[0]]:
        T = np.tile(track.hand.T_frame_wrist, (steps, 1, 1))
        mode = ForecastMode(
            1.0, T, np.zeros((steps, 3, 3)), np.zeros((steps, 5, 3)), np.ones(steps)
        )
        made.append(
            HandForecast(
                track.stamp_ns, track.hand.side, track.track_id, 1.0, 33_333_333, 0.9, (mode,)
            )
        )
    return made


@pytest.mark.parametrize("seer", [Seer(step_ns=50_000_000), Seer(steps=30)])
def test_another_step_or_horizon_is_refused(seer: Seer) -> None:
    """Forecasts must be what is judged."""
    with pytest.raises(MetricError, match=r"60 steps of 0\.033333 s are judged"):
        judge_forecaster(RECORDING, seer)


def test_nobody_to_judge() -> None:
    """Without a forecast there is no figure."""
    silent = replace(RECORDING, tracks=tuple(() for _ in range(FRAMES)))
    found = judge_forecaster(silent, _Silent())
    assert found.forecasts == 0
    assert found.figures == []
    assert len(found.milliseconds) == 2


class _Silent:
    """Forecasts nothing."""

    model_id = "silent"

    def forecast(
        self, past: Sequence[Sequence[HandTrack]], frame: Frame | None = None
    ) -> list[HandForecast]:
        """Return nothing."""
        del past, frame
        return []


def test_resampling_is_linear_and_leaves_gaps() -> None:
    """Between two near samples the line is followed; nothing is made up elsewhere."""
    own = np.array([0, 100, 200, 900, 1000]) * 1_000_000
    points = own[:, None, None] * 1e-9 * np.ones((1, 21, 3))
    points[4] = np.nan
    wanted = np.array([0, 50, 150, 200, 500, 900, 950]) * 1_000_000
    found = resampled(points, own, wanted, 0.2)
    assert np.allclose(found[:4, 0, 0], [0.0, 0.05, 0.15, 0.2])
    assert np.isnan(found[[4, 6]]).all()
    assert np.isnan(resampled(points[:1], own[:1], wanted, 0.2)).all()
