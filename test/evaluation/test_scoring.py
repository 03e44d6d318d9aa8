"""Clips: what applies is computed, what does not is left out with a reason."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from hand4d_ros.errors import ConfigError, MetricError
from hand4d_ros.evaluation import metrics_pose, scoring
from hand4d_ros.evaluation.metrics import metrics_registry
from hand4d_ros.evaluation.scoring import ForecastPair, ScoringConfig, SequencePair

RNG = np.random.default_rng(31)
FRAMES = 40
STAMPS = np.arange(FRAMES, dtype=np.int64) * 33_333_333
PATH = np.cumsum(0.01 * RNG.normal(size=(FRAMES, 1, 3)), axis=0)
TRUTH = 0.05 * RNG.normal(size=(1, 21, 3)) + PATH
ESTIMATE = TRUTH + 0.005 * RNG.normal(size=TRUTH.shape)
PAIR = SequencePair("clip", STAMPS, TRUTH, ESTIMATE)
CUBE = np.array([[x, y, z] for x in (0, 1) for y in (0, 1) for z in (0, 1)]) * 0.1
CUBE_FACES = np.array(
    [
        *([0, 1, 3], [0, 3, 2], [4, 6, 7], [4, 7, 5], [0, 4, 5], [0, 5, 1]),
        *([2, 3, 7], [2, 7, 6], [0, 2, 6], [0, 6, 4], [1, 5, 7], [1, 7, 3]),
    ]
)


def test_a_plain_pair_gets_every_figure_of_keypoints() -> None:
    """Values are those of the metrics; every key is in the registry."""
    found = scoring.evaluate_sequence(PAIR)
    assert set(found.figures) <= set(metrics_registry)
    expected = {
        *("pa_mpjpe_mm", "ra_mpjpe_mm", "mpjpe_mm", "ga_mpjpe_mm", "fa_mpjpe_mm", "g_mpjpe_mm"),
        *("w_mpjpe_mm", "wa_mpjpe_mm", "auc_j", "acc_err_mm_s2", "acc_err_world_mm_s2"),
        *("acc_norm", "acc_norm_diffnorm", "jerk_m_s3", "trans_err_pct", "observed_fraction"),
        *("longest_gap_s", "bone_variation_pct"),
    }
    assert set(found.figures) == expected
    assert found.values["pa_mpjpe_mm"] == metrics_pose.pa_mpjpe_mm(TRUTH, ESTIMATE)
    assert found.values["observed_fraction"] == 1.0
    assert found.frames == FRAMES
    assert "never returns into view" in found.skipped["reacquisition_s"]
    assert set(found.skipped) == {"reacquisition_s", "rest_jitter_mm", "rest_drift_mm_s"}


def test_identical_is_perfect() -> None:
    """Every error of the truth against itself is zero, up to rounding."""
    found = scoring.evaluate_sequence(replace(PAIR, estimate_m=TRUTH)).values
    for key, value in found.items():
        if key.endswith(("mpjpe_mm", "acc_norm", "_pct")) and key != "bone_variation_pct":
            assert value == pytest.approx(0.0, abs=1e-6), key
    assert found["auc_j"] == pytest.approx(1.0)


def test_missing_estimates_cost_coverage_not_accuracy() -> None:
    """NaN rows leave the errors of the other rows and count as not observed."""
    estimate = ESTIMATE.copy()
    estimate[10:20] = np.nan
    found = scoring.evaluate_sequence(replace(PAIR, estimate_m=estimate))
    kept = np.r_[0:10, 20:FRAMES]
    assert found.values["mpjpe_mm"] == pytest.approx(
        metrics_pose.mpjpe_mm(TRUTH[kept], ESTIMATE[kept])
    )
    assert found.values["observed_fraction"] == pytest.approx(0.75)
    assert found.values["longest_gap_s"] == pytest.approx(10 * 0.033333333)
    assert found.figures["mpjpe_mm"].frames == 30
    assert found.figures["observed_fraction"].frames == FRAMES


def test_infilled_frames_are_judged_but_not_observed() -> None:
    """The observed flags change the coverage only."""
    observed = np.ones(FRAMES, dtype=bool)
    observed[5:15] = False
    plain = scoring.evaluate_sequence(PAIR).values
    found = scoring.evaluate_sequence(replace(PAIR, observed=observed)).values
    assert found["observed_fraction"] == pytest.approx(0.75)
    assert found["mpjpe_mm"] == plain["mpjpe_mm"]


def test_scored_frames_select_a_bin() -> None:
    """The errors run over one bin of frames, the coverage over all."""
    scored = np.arange(FRAMES) < 12
    found = scoring.evaluate_sequence(replace(PAIR, scored=scored))
    assert found.values["mpjpe_mm"] == pytest.approx(
        metrics_pose.mpjpe_mm(TRUTH[:12], ESTIMATE[:12])
    )
    assert found.figures["mpjpe_mm"].frames == 12
    assert found.figures["observed_fraction"].frames == FRAMES


def test_no_estimate_at_all_is_a_figure_not_an_error() -> None:
    """Nothing was observed: coverage 0, and no error is made up."""
    found = scoring.evaluate_sequence(replace(PAIR, estimate_m=np.full_like(TRUTH, np.nan)))
    assert found.values["observed_fraction"] == 0.0
    assert not any(key.endswith("mpjpe_mm") for key in found.figures)


def test_a_recording_without_truth_is_judged_by_itself() -> None:
    """Bones, jerk, reprojection and the rest that is known need no truth; errors are not given."""
    pixels = RNG.uniform(0.0, 200.0, size=(FRAMES, 21, 2))
    rest = np.arange(FRAMES) >= 20
    still = ESTIMATE.copy()
    still[20:] = ESTIMATE[20]
    found = scoring.evaluate_sequence(
        replace(
            PAIR,
            truth_m=np.full_like(TRUTH, np.nan),
            estimate_m=still,
            rest=rest,
            estimate_px=pixels,
            detected_px=pixels + 2.0,
            truth_px=pixels,
        )
    )
    assert set(found.figures) == {
        *("jerk_m_s3", "bone_variation_pct", "rest_jitter_mm", "rest_drift_mm_s"),
        *("reprojection_px", "pck_0_05", "pck_0_1", "pck_0_15"),
    }
    assert found.values["rest_jitter_mm"] == pytest.approx(0.0, abs=1e-9)
    assert found.values["reprojection_px"] == pytest.approx(2.0 * np.sqrt(2))
    assert "never in view" in found.skipped["observed_fraction"]


def test_rest_is_found_in_the_truth() -> None:
    """A true hand that stops lets the estimate's jitter and drift be measured."""
    truth = TRUTH.copy()
    truth[20:] = truth[20]
    estimate = truth + 0.001 * np.arange(FRAMES)[:, None, None] * np.array([1.0, 0.0, 0.0])
    found = scoring.evaluate_sequence(replace(PAIR, truth_m=truth, estimate_m=estimate))
    assert found.figures["rest_drift_mm_s"].frames == 20
    assert found.values["rest_drift_mm_s"] == pytest.approx(30.0, rel=1e-6)
    assert found.values["rest_jitter_mm"] == pytest.approx(0.0, abs=1e-6)


def test_segments_follow_the_config() -> None:
    """Segments of 20 frames are aligned each for itself; 0 takes the clip as one."""
    parts = [metrics_pose.ga_mpjpe_mm(TRUTH[i : i + 20], ESTIMATE[i : i + 20]) for i in (0, 20)]
    found = scoring.evaluate_sequence(PAIR, ScoringConfig(segment_frames=20)).values
    assert found["ga_mpjpe_mm"] == pytest.approx(np.mean(parts))
    # 40 frames are three segments of 13 and one frame, which G-MPJPE leaves out.
    assert "g_mpjpe_mm" in scoring.evaluate_sequence(PAIR, ScoringConfig(segment_frames=13)).values
    whole = scoring.evaluate_sequence(PAIR, ScoringConfig(segment_frames=0)).values
    assert whole["ga_mpjpe_mm"] == pytest.approx(metrics_pose.ga_mpjpe_mm(TRUTH, ESTIMATE))


def test_degenerate_estimates_are_skipped_with_the_reason() -> None:
    """A hand collapsed to a point fixes no similarity; what is defined is still given."""
    found = scoring.evaluate_sequence(replace(PAIR, estimate_m=np.zeros_like(TRUTH)))
    assert "one line or in one place" in found.skipped["ga_mpjpe_mm"]
    assert found.values["mpjpe_mm"] > 0.0


def test_meshes_pixels_and_deviations_add_their_figures() -> None:
    """Each group needs its own arrays."""
    vertices = TRUTH[:, :1] + 0.05 * RNG.normal(size=(1, 30, 3))
    pixels = RNG.uniform(0.0, 200.0, size=(FRAMES, 21, 2))
    detected = pixels + 1.0
    detected[3] = np.nan
    found = scoring.evaluate_sequence(
        replace(
            PAIR,
            truth_vertices_m=vertices,
            estimate_vertices_m=vertices + 0.002,
            truth_px=pixels,
            estimate_px=pixels + np.array([3.0, 4.0]),
            detected_px=detected,
            keypoint_std_m=np.full((FRAMES, 21), 0.005),
        )
    )
    assert found.values["f_at_5mm"] == 1.0
    assert found.values["mpvpe_mm"] > 0.0
    assert found.values["pck_0_05"] == 1.0
    assert found.values["reprojection_px"] == pytest.approx(np.hypot(2.0, 3.0))
    assert found.figures["reprojection_px"].frames == FRAMES - 1
    assert found.values["keypoint_coverage_90"] == pytest.approx(0.9, abs=0.04)
    assert found.values["calibration_error"] < 0.05


def test_two_hands_by_hand() -> None:
    """The right hand 3 cm off relative to the left; cubes that share a quarter of a litre."""
    apart = TRUTH + 0.4
    left = replace(
        PAIR,
        estimate_m=TRUTH,
        faces=CUBE_FACES,
        estimate_vertices_m=np.repeat(CUBE[None], FRAMES, axis=0),
    )
    right = replace(
        left,
        truth_m=apart,
        estimate_m=apart + np.array([0.03, 0.0, 0.0]),
        estimate_vertices_m=np.repeat(CUBE[None] + np.array([0.075, 0, 0]), FRAMES, axis=0),
    )
    found = scoring.evaluate_two_hands(left, right).values
    assert found["mr_cm"] == pytest.approx(3.0)
    assert found["handedness_err_pct"] == 0.0
    assert found["penetration_cm3"] == pytest.approx(250.0)
    swapped = scoring.evaluate_two_hands(
        replace(left, estimate_m=apart), replace(right, estimate_m=TRUTH)
    )
    assert swapped.values["handedness_err_pct"] == 100.0


def test_forecasts_take_one_best_sample() -> None:
    """A forecast with the truth among its modes has no error, but an expected one."""
    truth = np.stack([TRUTH, TRUTH + 0.4], axis=1)
    modes = np.stack([truth + 0.05, truth])
    radius = np.full((2, FRAMES, 2), 0.01)
    pair = ForecastPair("future", truth, modes, np.array([0.5, 0.5]), radius)
    found = scoring.evaluate_forecast(pair).values
    for key in ("m_cm", "m_g_cm", "m_f_cm", "mr_cm", "ade_cm", "fde_cm"):
        assert found[key] == pytest.approx(0.0, abs=1e-9), key
    assert found["ade_mean_cm"] == pytest.approx(0.5 * 5.0 * np.sqrt(3))
    assert found["coverage_90"] == 1.0
    assert found["radius_90_cm"] == pytest.approx(1.0)


def test_forecasts_of_hands_that_are_not_there() -> None:
    """A hand without a truth is left out; without radii there is no coverage."""
    truth = np.stack([TRUTH, np.full_like(TRUTH, np.nan)], axis=1)
    pair = ForecastPair("future", truth, np.stack([TRUTH, TRUTH], axis=1)[None], np.ones(1))
    found = scoring.evaluate_forecast(pair)
    assert found.values["m_cm"] == pytest.approx(0.0, abs=1e-9)
    assert "never have a truth at the same time" in found.skipped["mr_cm"]
    assert "coverage_90" not in found.figures
    assert found.figures["ade_cm"].frames == FRAMES


def test_documented_raises() -> None:
    """Rows that do not match, stamps that stand still, hands of other stamps, bad configs."""
    with pytest.raises(MetricError, match="truth_m has 40 rows but there are 39 stamps"):
        scoring.evaluate_sequence(_unchecked(stamps_ns=STAMPS[:-1]))
    with pytest.raises(MetricError, match="stamps must rise"):
        scoring.evaluate_sequence(replace(PAIR, stamps_ns=np.zeros(FRAMES, dtype=np.int64)))
    with pytest.raises(MetricError, match="differ; resample one"):
        scoring.evaluate_two_hands(PAIR, replace(PAIR, stamps_ns=STAMPS + 1))
    with pytest.raises(ConfigError, match="segment_frames is 1, allowed"):
        ScoringConfig(segment_frames=1)
    with pytest.raises(ConfigError, match="chunk_frames is 0, allowed"):
        ScoringConfig(chunk_frames=0)
    with pytest.raises(ConfigError, match="must be positive, got 0"):
        ScoringConfig(rest_speed_m_s=0.0)
    nobody = ForecastPair(
        "x", np.full((2, 1, 21, 3), np.nan), np.zeros((1, 2, 1, 21, 3)), np.ones(1)
    )
    with pytest.raises(MetricError, match="no hand has a truth"):
        scoring.evaluate_forecast(nobody)


def _unchecked(**changes: object) -> SequencePair:
    """The pair with fields set past the shape checks of its constructor."""
    pair = replace(PAIR)
    for name, value in changes.items():
        object.__setattr__(pair, name, value)
    return pair
