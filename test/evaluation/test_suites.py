"""Suites: the same seed gives the same figures, groups are what they are called."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from bench_samples import exact_clip, simple_scene, truth_detector

from hand4d_ros.datasets.real import RealRecordings
from hand4d_ros.errors import ConfigError
from hand4d_ros.evaluation import runtime_probe
from hand4d_ros.evaluation.bench_document import bench_document, document_text, without_timings
from hand4d_ros.evaluation.scene_clips import Detect
from hand4d_ros.evaluation.suites import forecast, images, keypoints, occlusion, real, world, worlds
from hand4d_ros.evaluation.suites.base import SuiteOptions, SuiteResult, clip_seed
from hand4d_ros.evaluation.suites.registry import SUITES, run_suite, suite_entry
from hand4d_ros.types import Side

ONE = SuiteOptions(seed=3, clips=1)


@pytest.fixture(autouse=True)
def _short(monkeypatch: pytest.MonkeyPatch) -> None:
    """Make clips of a few frames, seen by a detector that needs no fitted numbers."""

    def noisy(seed: int, difficulty: str) -> Detect:
        return truth_detector(seed, {"easy": 0.5, "normal": 1.0, "hard": 2.0}[difficulty])

    monkeypatch.setattr(worlds, "noisy_detector", noisy)
    monkeypatch.setattr(worlds, "build_scene", simple_scene)
    for suite in (keypoints, world):
        monkeypatch.setattr(suite, "FRAMES", 6)


def text_of(result: SuiteResult) -> str:
    """Return everything that must be the same again."""
    return document_text(without_timings(bench_document(result)))


@pytest.mark.parametrize("suite", ["keypoints", "world"])
def test_the_same_seed_gives_the_same_figures(suite: str) -> None:
    """Two runs are equal to the last digit, another seed is not."""
    names = ["keypoint_fit", "keypoint_fit+oneeuro"]
    first, again = (text_of(run_suite(suite, names, ONE)) for _ in range(2))
    assert first == again
    assert text_of(run_suite(suite, names, replace(ONE, seed=4))) != first


def test_what_a_suite_reports() -> None:
    """Rows are in the order asked for, progress counts frames, the truth is perfect."""
    done: list[tuple[int, int]] = []
    names = ["truth", "keypoint_fit"]
    result = run_suite("keypoints", names, ONE, lambda a, b: done.append((a, b)))
    assert [row.method for row in result.methods] == names
    assert done == [(6, 12), (12, 12)]
    truth, fit = result.methods
    assert truth.metrics()["mpjpe_mm"] == pytest.approx(0.0, abs=1e-6)
    assert fit.metrics()["mpjpe_mm"] > 1.0
    assert truth.ms_per_frame == 0.0
    assert fit.ms_per_frame > 0.0
    assert fit.frames == 6


def test_scales_take_turns() -> None:
    """Clips with an even number lack a scale; their odometry is stretched, the others' is not."""
    samples = list(world.samples(SuiteOptions(seed=1, clips=2)))
    assert [list(sample.groups) for sample in samples] == [[world.UNKNOWN], [world.METRIC]]
    assert [sample.clip.odometry_is_metric for sample in samples] == [False, True]
    scales = {
        world.drifting_odometry(seed, "normal", scale_is_known=False).scale for seed in range(4)
    }
    assert len(scales) == 4
    assert world.drifting_odometry(1, "normal", scale_is_known=True).scale == 1.0


def test_harder_is_worse() -> None:
    """Noise, drift and spread rise with the difficulty."""
    levels = [worlds.LEVELS[name] for name in ("easy", "normal", "hard")]
    for name in ("detector_errors", "sway", "shape_spread", "drift"):
        values = [getattr(level, name) for level in levels]
        assert values == sorted(set(values))


def test_gaps_have_no_detections_and_a_group_each() -> None:
    """All stated lengths occur over two clips, and a gap's frames are in no level."""
    clip, _ = exact_clip(seconds=8.0, seed=6)
    lengths = set()
    for index in range(2):
        gaps = occlusion.sampled_gaps(5, index)
        lengths |= {gap.length_s for gap in gaps}
        silent = occlusion.without_detections(clip, gaps)
        ratios = {side: np.full(len(clip), 0.3) for side in Side}
        groups = occlusion.frame_groups(silent, ratios, gaps)
        for gap in gaps:
            rows = np.flatnonzero(groups[gap.name][gap.side])
            assert len(rows) == pytest.approx(gap.length_s * 30.0, abs=1.0)
            assert all(gap.side not in {d.side for d in silent.detections[r]} for r in rows)
            assert not groups["25-50%"][gap.side][rows].any()
        last_s = max(gap.start_s + gap.length_s for gap in gaps)
        assert last_s < occlusion.SECONDS - 0.1
    assert lengths == {0.1, 0.25, 0.5, 1.0}


@pytest.fixture
def short_occlusion(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Make clips of one second with a gap at the end."""
    monkeypatch.setattr(occlusion, "SECONDS", 1.0)
    monkeypatch.setattr(occlusion, "COVERED_S", 0.6)
    monkeypatch.setattr(occlusion, "_GAP_START_S", 0.6)
    monkeypatch.setattr(occlusion, "GAPS_S", ((0.1,), (0.2,)))
    return iter([None])


@pytest.mark.usefixtures("short_occlusion")
def test_occlusion_has_levels_and_gaps() -> None:
    """Every level and gap is a group, and only infilling says something in a long gap."""
    result = run_suite("occlusion", ["keypoint_fit", "keypoint_fit+slerp"], ONE)
    groups = list(result.methods[0].groups)
    assert groups[:4] == ["0-25%", "25-50%", "50-75%", "75-100%"]
    assert groups[4:] == ["gap 0.1 s", "gap 0.2 s"]
    filled = result.of("keypoint_fit+slerp").counts["gap 0.2 s"]
    assert filled.estimated == filled.in_view > 0


def test_forecasts_of_tracked_hands(monkeypatch: pytest.MonkeyPatch) -> None:
    """The suite judges every forecaster at the same instants and shows the truth's spread."""
    monkeypatch.setattr(forecast, "SECONDS", 3.6)
    names = ["static", "constant_velocity"]
    options = SuiteOptions(seed=2, clips=1, difficulty="easy")
    result = run_suite("forecast", names, options)
    static, velocity = (result.of(name) for name in names)
    assert static.frames == velocity.frames > 0
    assert "m_cm" in static.metrics()
    assert list(static.groups) == ["0-0.1 s", "0.1-0.3 s", "0.3-0.5 s", "0.5-1 s", "1-2 s"]
    assert result.notes
    assert text_of(result) == text_of(run_suite("forecast", names, options))


def test_size_groups_divide_the_frames() -> None:
    """Every frame of a hand is small, large or at the border."""
    clip, truth = exact_clip()
    groups = images.size_groups(clip, truth)
    for side in Side:
        counts = np.sum([groups[name][side] for name in groups], axis=0)
        assert (counts == 1).all()


def test_pictures_are_drawn_once() -> None:
    """A clip with its images in memory draws no more."""
    clip, _ = exact_clip()
    calls: list[int] = []

    def draw(index: int) -> np.ndarray:
        calls.append(index)
        return np.zeros((480, 640, 3), dtype=np.uint8)

    kept = images.kept(replace(clip, draw=draw))
    for _ in range(2):
        assert kept.frame(1).image.shape == (480, 640, 3)
    assert calls == list(range(len(clip)))
    assert images.kept(clip) is clip


def test_without_recordings_the_suite_says_so(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """No recordings are a note, not a failure."""
    monkeypatch.setenv("HAND4D_REAL_DATA", str(tmp_path / "nothing"))
    result = run_suite("real", ["keypoint_fit"], ONE)
    assert result.methods == []
    assert result.notes[0].startswith("skipped: ")
    assert "rows" in bench_document(result)


def test_the_glasses(real_data: Path) -> None:
    """Both real hands are placed within a few centimetres, with the size unknown and known."""
    loader = RealRecordings(real_data)
    if real.GLASSES not in loader.sequence_names():
        pytest.skip(f"no {real.GLASSES} in {real_data}")
    sample, length_m = real.glasses_sample(loader.sequence(real.GLASSES))
    assert 0.16 < length_m < 0.19
    assert all(len(found) == 2 for found in sample.clip.detections[1:])
    assert list(sample.groups) == [real.UNKNOWN]


def test_the_sensor(real_data: Path) -> None:
    """Recordings become even motion of whole hands, with a track of their own each."""
    loader = RealRecordings(real_data)
    name = "leap/three-claps"
    if name not in loader.sequence_names():
        pytest.skip(f"no {name} in {real_data}")
    (recording,) = real.recordings(loader, [name])
    assert {m.side for m in recording.motions} == set(Side)
    assert np.ptp(np.diff(recording.stamps_ns)) <= 1
    assert all(len(recording.tracks[row]) == 2 for row in recording.rows)
    assert recording.frame(0, with_image=True) is None


def test_the_probe_times_every_stage() -> None:
    """Detector and method are timed frame by frame after a warm-up, and memory is measured."""
    clip, _ = exact_clip()
    blank = [np.zeros((clip.camera.height_px, clip.camera.width_px, 3), dtype=np.uint8)] * len(clip)
    timing = runtime_probe.timed("keypoint_fit", clip, blank)
    assert len(timing.frame_ms) == len(clip) - runtime_probe.WARM_UP_FRAMES
    assert list(timing.stage_ms) == ["detect", "estimate", "track"]
    assert timing.peak_mib > 50.0
    with pytest.raises(ConfigError, match="has no run time"):
        runtime_probe.timed("truth", clip, blank)


def test_the_registry() -> None:
    """Every suite can be imported, and an unknown one is answered with what there is."""
    assert set(SUITES) == {
        *("keypoints", "occlusion", "world", "images", "forecast", "real", "runtime")
    }
    with pytest.raises(ConfigError, match="did you mean 'keypoints'"):
        suite_entry("keypoint")
    with pytest.raises(ConfigError, match="clips is 0"):
        SuiteOptions(clips=0)


def test_seeds_differ() -> None:
    """No two clips of any suite, seed or number share a seed."""
    seeds = {
        clip_seed(suite, SuiteOptions(seed=seed), index)
        for suite in SUITES
        for seed in range(4)
        for index in range(4)
    }
    assert len(seeds) == len(SUITES) * 16
