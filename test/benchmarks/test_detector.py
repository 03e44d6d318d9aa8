"""The benchmark of the detector: what it fits and what it compares."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hand_clip_samples import CAMERA, clip_of, two_hands

from benchmarks.detector import __main__ as program
from benchmarks.detector import regression
from benchmarks.detector.compare import Comparison, simulated_again
from benchmarks.detector.fit import fitted_parameters
from benchmarks.detector.landmark_map import fitted_map, neighbours
from benchmarks.detector.matching import Matched, matched
from benchmarks.detector.records import ClipRecord, Detections
from benchmarks.detector.statistics import statistics
from hand4d_ros.detection.landmarks import LANDMARKS
from hand4d_ros.detection.sides import choose_sides, seen_by_its_owner
from hand4d_ros.geometry import camera as cameras
from hand4d_ros.synthetic.detector_noise import DetectorNoiseConfig, simulated
from hand4d_ros.synthetic.detector_parameters import fitted
from hand4d_ros.synthetic.detector_view import views_from_clip
from hand4d_ros.synthetic.hand_clip import HandClip
from hand4d_ros.synthetic.occlusion import Obstacles, Solids
from hand4d_ros.types import HandDetection, Side


def _clips(count: int) -> list[HandClip]:
    """Clips of hands at several distances, some of them crossing the border."""
    rng = np.random.default_rng(0)
    clips = []
    for _ in range(count):
        shift = rng.normal(size=3) * [0.04, 0.03, 0.0]
        hands = two_hands(45, float(rng.uniform(0.35, 0.9)), float(rng.uniform(0.3, 1.5)))
        hands[:, 0] += rng.normal(size=3) * 0.08
        clips.append(clip_of(hands + shift))
    return clips


def _said(clip: HandClip, seed: int) -> Matched:
    made = simulated(clip, DetectorNoiseConfig(seed=seed))
    return matched(clip, Detections.from_lists(made.detections))


def _detection(px: np.ndarray, side: Side, score: float = 0.9) -> HandDetection:
    return HandDetection(side, score, px, np.full(21, 0.9), np.zeros((21, 3)), "mediapipe")


def test_detections_go_to_the_nearest_hand_whatever_side_they_claim() -> None:
    """Swapped sides are seen as such, missing hands as missing, stray ones as false."""
    clip = clip_of(two_hands(3, motion=0.0))
    px = views_from_clip(clip).landmarks_px
    frames = [
        [_detection(px[0, 1], Side.RIGHT), _detection(px[0, 0] + 3.0, Side.LEFT)],
        [_detection(px[1, 0], Side.RIGHT), _detection(px[1, 1], Side.LEFT)],
        [_detection(px[2, 1] - [320.0, 230.0], Side.RIGHT), _detection(px[2, 1], Side.RIGHT)],
    ]
    found = matched(clip, Detections.from_lists(frames))
    np.testing.assert_array_equal(found.found, [[True, True], [True, True], [False, True]])
    np.testing.assert_array_equal(found.wrong_side, [[False, False], [True, True], [False, False]])
    np.testing.assert_array_equal(found.false_hands, [0, 0, 1])
    size = found.views.size_px[0, 0]
    np.testing.assert_allclose(found.error[0, 0], np.hypot(3.0, 3.0) / size)


@pytest.mark.parametrize("beliefs", [(0.9, 0.8), (0.6, 0.95), (0.2, 0.3), (0.45, 0.7)])
def test_beliefs_are_what_they_were_before_the_sides_were_chosen(
    beliefs: tuple[float, float],
) -> None:
    """What the detector makes of the place of hands, and its joint choice, are undone."""
    clip = clip_of(two_hands(1, motion=0.0))
    views = views_from_clip(clip)
    px = views.landmarks_px
    places = views.landmarks_m[0].mean(1)
    alone = [1.0 - beliefs[0], beliefs[1]]
    right = [seen_by_its_owner(p, place) for p, place in zip(alone, places, strict=True)]
    hands = [
        _detection(px[0, hand], side, 0.9 * probability)
        for hand, (side, probability) in enumerate(choose_sides(right, 0.1))
    ]
    found = matched(clip, Detections.from_lists([hands]))
    np.testing.assert_allclose(found.report.belief[0], beliefs, atol=2e-3)


def test_clips_survive_their_file(tmp_path: Path) -> None:
    """A record is the same after writing and reading."""
    clip = clip_of(two_hands(5))
    made = simulated(clip, DetectorNoiseConfig(seed=1))
    solids = Solids(("box",), np.ones((1, 3)), np.tile(np.eye(4), (5, 1, 1, 1)))
    record = ClipRecord(
        "clip",
        "hard",
        CAMERA,
        clip.stamps_ns,
        clip.keypoints_m,
        clip.visibility.seen,
        Obstacles(solids, np.ones((5, 1, 7)), (0,)),
        Detections.from_lists(made.detections),
    )
    record.save(tmp_path / "clip.npz")
    again = ClipRecord.load(tmp_path / "clip.npz")
    assert (again.name, again.difficulty, again.camera) == ("clip", "hard", CAMERA)
    assert (again.obstacles.owners, again.obstacles.solids.kinds) == ((0,), ("box",))
    np.testing.assert_array_equal(again.keypoints_m, record.keypoints_m)
    np.testing.assert_array_equal(again.found.keypoints_px, record.found.keypoints_px)
    assert [path.name for path in tmp_path.iterdir()] == ["clip.npz"]


def test_the_landmark_map_is_recovered_from_marks_with_outliers() -> None:
    """From marks made with the map in the code, noise and outliers, the map comes back."""
    rng = np.random.default_rng(2)
    true = LANDMARKS["mediapipe"]
    flat = np.concatenate([two_hands(60, motion=2.0)[:, 1] for _ in range(5)])
    flat = flat + 0.006 * rng.normal(size=flat.shape)
    truth = cameras.project(CAMERA, flat)
    marked = cameras.project(CAMERA, np.einsum("kj,njx->nkx", true, flat))
    marked = marked + 0.5 * rng.normal(size=marked.shape)
    marked[::9] += 25.0 * rng.normal(size=marked[::9].shape)
    fit = fitted_map(truth, marked)
    expected = np.einsum("kj,njx->nkx", fit.matrix - true, truth)
    assert np.abs(expected).mean() < 0.5
    np.testing.assert_allclose(fit.matrix.sum(1), 1.0)
    assert fit.error_fitted.mean() < 0.4 * fit.error_joints.mean()
    for row, near in ((k, neighbours(k)) for k in range(21)):
        assert not np.delete(fit.matrix[row], near).any()


def test_regressions_find_what_made_their_data() -> None:
    """Linear, logistic and decay fits return the numbers that the data were made with."""
    rng = np.random.default_rng(3)
    x = np.concatenate((np.ones((6000, 1)), rng.normal(size=(6000, 2))), axis=1)
    b = np.array([-1.0, 0.5, -2.0])
    np.testing.assert_allclose(
        regression.linear(x, x @ b + 0.1 * rng.normal(size=6000)), b, atol=0.03
    )
    odds = (rng.random(6000) < 1.0 / (1.0 + np.exp(-x @ b))).astype(float)
    np.testing.assert_allclose(regression.logistic(x, odds), b, atol=0.15)
    elapsed, change = rng.uniform(0, 2, 4000), rng.uniform(0, 1, 4000)
    likeness = 0.9 * np.exp(-elapsed / 3.0 - change / 0.4) + 0.05 * rng.normal(size=4000)
    pairs = regression.Pairs(likeness, elapsed, change, np.ones(4000))
    share, time_s, length = regression.decay(pairs)
    assert share == pytest.approx(0.9, abs=0.02)
    assert time_s == pytest.approx(3.0, rel=0.15)
    assert length == pytest.approx(0.4, rel=0.1)


def test_a_prior_stands_in_where_data_say_nothing() -> None:
    """A regressor that never varies keeps the coefficient of the prior."""
    x = np.stack((np.ones(50), np.zeros(50)), axis=1)
    np.testing.assert_allclose(
        regression.linear(x, np.full(50, 3.0), np.array([1.0, 7.0])), [3.0, 7.0], atol=1e-3
    )


def test_the_fit_recovers_a_model_from_its_own_output() -> None:
    """Fitted to what a model said, another model has like errors, misses and memory."""
    clips = _clips(8)
    said = [_said(clip, seed) for seed, clip in enumerate(clips)]
    again = fitted_parameters(said, {})
    known = fitted()
    # Both describe the same clips, so they must agree where clips lie, not number by number.
    made = simulated_again(said, again, seed=500, repeats=2)
    real = simulated_again(said, known, seed=900, repeats=2)
    comparison = Comparison(statistics(real), statistics(made))
    ratios = comparison.ratios("error quantiles")["all"]
    np.testing.assert_allclose(ratios, 1.0, atol=0.35)
    found = comparison.ratios("found")["all hands"][0]
    assert found == pytest.approx(1.0, abs=0.15)
    shares = again.factors @ again.factors.T
    expected = known.factors @ known.factors.T
    above = np.triu_indices(len(shares), 1)
    assert np.corrcoef(shares[above], expected[above])[0, 1] > 0.3


def test_comparisons_count_what_is_within_the_goal() -> None:
    """A model that is the detector is within the goal everywhere; one of half the errors is not."""
    said = [_said(clip, seed) for seed, clip in enumerate(_clips(4))]
    same = statistics(said)
    good, total = Comparison(same, same).within_goal()
    assert good == total > 0
    halved = []
    for m in said:
        between_px = 0.5 * (m.report.keypoints_px + m.views.landmarks_px)
        halved.append(replace(m, report=replace(m.report, keypoints_px=between_px)))
    assert Comparison(same, statistics(halved)).within_goal()[0] == 0
    assert f"{total} of {total} error quantiles are within 20%" in Comparison(same, same).table()


def test_the_program_explains_itself(capsys: pytest.CaptureFixture[str]) -> None:
    """``--help`` shows what it does and how to call it."""
    with pytest.raises(SystemExit):
        program.main(["--help"])
    text = capsys.readouterr().out
    assert "python -m benchmarks.detector --clips 20" in text
    assert "--held-out" in text
