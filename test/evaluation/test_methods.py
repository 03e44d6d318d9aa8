"""The registry of methods, and the pipeline and the truth as methods."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from bench_samples import exact_clip

from hand4d_ros.errors import ConfigError
from hand4d_ros.evaluation import methods
from hand4d_ros.evaluation.pipeline_method import PipelineMethod, TruthMethod
from hand4d_ros.evaluation.suites.registry import SUITES
from hand4d_ros.forecasting.base import Forecaster
from hand4d_ros.pipeline import HandPipeline, PipelineResult
from hand4d_ros.types import Frame, Side, TrackingState


def test_every_entry_can_be_made() -> None:
    """Each method and forecaster is what its registry says, for suites that exist."""
    for name, entry in methods.METHODS.items():
        made = entry.make()
        kind = methods.Oracle if entry.is_reference else methods.Method
        assert isinstance(made, kind), name
        assert set(entry.suites) <= set(SUITES), name
    for name, forecaster in methods.FORECASTERS.items():
        assert isinstance(forecaster.make(), Forecaster), name
        assert set(forecaster.suites) <= set(SUITES), name


def test_names_of_a_suite() -> None:
    """Nothing given takes all that apply, in the order of the registry."""
    assert methods.chosen_names("forecast", []) == tuple(methods.FORECASTERS)
    assert "truth" in methods.chosen_names("world", [])
    assert methods.chosen_names("world", ["keypoint_fit"]) == ("keypoint_fit",)
    assert {"static", "keypoint_fit"} <= set(methods.names_for("real"))


@pytest.mark.parametrize(
    ("suite", "wanted", "text"),
    [
        ("world", ["keypoint_fti"], "is no method; did you mean 'keypoint_fit'"),
        ("world", ["static"], "does not run on the suite 'world'; 'world' runs keypoint_fit"),
        ("forecast", ["static", "static"], "give each name once"),
    ],
)
def test_names_that_cannot_be(suite: str, wanted: list[str], text: str) -> None:
    """The message says what there is."""
    with pytest.raises(ConfigError, match=text):
        methods.chosen_names(suite, wanted)


def test_the_pipeline_runs_through_step(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every frame goes through ``HandPipeline.step``, as in the live node."""
    clip, truth = exact_clip()
    steps: list[int] = []
    step = HandPipeline.step

    def counted(self: HandPipeline, frame: Frame) -> PipelineResult:
        steps.append(frame.stamp_ns)
        return step(self, frame)

    monkeypatch.setattr(HandPipeline, "step", counted)
    estimate = PipelineMethod().run(clip)
    assert steps == clip.stamps_ns.tolist()
    assert len(estimate.frame_ms) == len(clip)
    assert set(estimate.stage_ms) == {"detect", "estimate", "track"}
    for side, hand in estimate.hands.items():
        rows = hand.there & truth.hands[side].in_view
        assert rows.any()
        offset = hand.keypoints_m[rows] - hand.keypoints_m[rows][:, :1]
        true = truth.hands[side].keypoints_m[rows]
        error = np.linalg.norm(offset - (true - true[:, :1]), axis=-1)
        assert np.median(error) < 0.02


def test_a_measured_hand_is_used() -> None:
    """The length that a clip states reaches the fit; an unknown one does not."""
    clip, _ = exact_clip()
    lengths = []
    for length_m in (0.0, 0.16):
        hands = PipelineMethod().run(replace(clip, hand_length_m=length_m)).hands
        hand = hands[Side.RIGHT]
        row = int(np.flatnonzero(hand.there)[0])
        assert hand.model is not None
        lengths.append(hand.model.with_shape(hand.betas[row]).hand_length_m)
    assert lengths[1] == pytest.approx(0.16, abs=0.002)
    assert lengths[0] > 0.17


def test_gaps_are_filled_offline() -> None:
    """With ``fill_gaps`` a hand that was not detected for a while is infilled, not lost."""
    clip, _ = exact_clip()
    silent = tuple(() if 3 <= row < 9 else found for row, found in enumerate(clip.detections))
    gappy = replace(clip, detections=silent)
    filled = PipelineMethod(fill_gaps=True).run(gappy)
    states = filled.hands[Side.RIGHT].state[3:9]
    assert set(states) == {int(TrackingState.INFILLED)}
    assert "fill" in filled.stage_ms


def test_the_truth_is_perfect() -> None:
    """It is there in every frame and equal to itself."""
    clip, truth = exact_clip()
    hands = TruthMethod().run_with_truth(clip, truth).hands
    for side, hand in hands.items():
        assert hand.observed.all()
        assert np.array_equal(hand.keypoints_m, truth.hands[side].keypoints_m)
        vertices = hand.vertices_m(np.array([0]))
        assert vertices is not None
        assert np.isfinite(vertices).all()
