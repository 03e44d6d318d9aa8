"""The detector's faults without pictures."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hand_clip_samples import CAMERA, clip_of, hand_keypoints, two_hands

from benchmarks.detector.landmark_map import landmark_digest
from hand4d_ros.errors import ConfigError, SceneError
from hand4d_ros.geometry import camera as cameras
from hand4d_ros.shapes import Array, Float
from hand4d_ros.synthetic.detector_noise import DetectorNoiseConfig, SimulatedClip, simulated
from hand4d_ros.synthetic.detector_parameters import NoiseParameters, fitted
from hand4d_ros.synthetic.detector_view import views_from_clip
from hand4d_ros.types import Side

_CLIP = clip_of(two_hands(60))
_EXACT = DetectorNoiseConfig(
    errors=0.0, errors_3d=0.0, misses=False, side_swaps=False, false_hands=False
)


def _error(made: SimulatedClip) -> Float[Array, "f h 21"]:
    """Errors in sizes of the hand, of all hands whether they are reported or not."""
    views = views_from_clip(made.clip)
    offset = made.report.keypoints_px - views.landmarks_px
    return np.linalg.norm(offset, axis=-1) / views.size_px[..., None]


def _typical(config: DetectorNoiseConfig, keypoints_m: Float[Array, "f h 21 3"]) -> float:
    """Median error over a few seeds."""
    clip = clip_of(keypoints_m)
    made = (simulated(clip, replace(config, seed=seed)) for seed in range(4))
    return float(np.median(np.concatenate([_error(m) for m in made])))


def test_no_fault_is_the_truth_as_the_detector_marks_it() -> None:
    """Without faults every hand is there, at the projection of the landmark map."""
    made = simulated(_CLIP, _EXACT)
    views = views_from_clip(_CLIP)
    for frame, hands in enumerate(made.detections):
        assert {hand.side for hand in hands} == {Side.LEFT, Side.RIGHT}
        for hand in hands:
            index = int(hand.side)
            assert hand.landmarks == "mediapipe"
            np.testing.assert_allclose(hand.keypoints_px, views.landmarks_px[frame, index])
            true = views.landmarks_m[frame, index]
            assert hand.keypoints_3d_m is not None
            np.testing.assert_allclose(hand.keypoints_3d_m, true - true.mean(0), atol=1e-12)


def test_joints_can_be_marked_instead() -> None:
    """With the definition ``joints`` the joints themselves are projected."""
    made = simulated(_CLIP, replace(_EXACT, definition="joints"))
    expected = cameras.project(CAMERA, _CLIP.keypoints_m)
    hand = made.detections[10][0]
    assert hand.landmarks == "joints"
    np.testing.assert_allclose(hand.keypoints_px, expected[10, int(hand.side)])


def test_same_seed_same_detections() -> None:
    """A clip and a seed give the same detections bit by bit; another seed gives others."""
    first, second, other = (simulated(_CLIP, DetectorNoiseConfig(seed=seed)) for seed in (5, 5, 6))
    np.testing.assert_array_equal(first.report.keypoints_px, second.report.keypoints_px)
    assert [len(f) for f in first.detections] == [len(f) for f in second.detections]
    assert not np.array_equal(first.report.keypoints_px, other.report.keypoints_px)


@pytest.mark.parametrize(
    "off",
    [
        DetectorNoiseConfig(seed=2, misses=False),
        DetectorNoiseConfig(seed=2, false_hands=False),
        DetectorNoiseConfig(seed=2, side_swaps=False),
        DetectorNoiseConfig(seed=2, gaps_per_s=1.0),
    ],
)
def test_a_switch_leaves_the_errors_alone(off: DetectorNoiseConfig) -> None:
    """What is missed or swapped does not change where keypoints are marked."""
    on = simulated(_CLIP, DetectorNoiseConfig(seed=2))
    other = simulated(_CLIP, off)
    np.testing.assert_array_equal(on.report.keypoints_px, other.report.keypoints_px)


def test_errors_scale_with_their_factor() -> None:
    """Twice the factor is twice the error in the image; 3D blends from the truth."""
    once, twice = (
        simulated(_CLIP, DetectorNoiseConfig(seed=1, errors=factor)) for factor in (1.0, 2.0)
    )
    np.testing.assert_allclose(_error(twice), 2.0 * _error(once))
    views = views_from_clip(_CLIP)
    true = views.landmarks_m - views.landmarks_m.mean(2, keepdims=True)
    half = simulated(_CLIP, DetectorNoiseConfig(seed=1, errors_3d=0.5))
    expected = 0.5 * (true + once.report.keypoints_3d_m)
    np.testing.assert_allclose(half.report.keypoints_3d_m, expected, atol=1e-12)


def test_occlusion_makes_errors_larger_unless_switched_off() -> None:
    """A hand behind another errs more; the switch takes that away."""
    behind = two_hands(60, motion=0.3)
    behind[:, 0] = behind[:, 1] + [0.02, -0.02, -0.15]
    config = DetectorNoiseConfig()
    assert clip_of(behind).visibility.open[:, 1].mean() < 0.7
    off = replace(config, occlusion_effect=False)
    assert _typical(config, behind) > 1.3 * _typical(off, behind)


def test_small_hands_are_seen_worse_unless_switched_off() -> None:
    """Errors in sizes grow with the distance; the switch takes that away."""
    config = DetectorNoiseConfig()
    near, far = two_hands(60, 0.3), two_hands(60, 1.5)
    off = replace(config, size_effect=False)
    ratio = _typical(config, far) / _typical(config, near)
    assert ratio > 1.1 * _typical(off, far) / _typical(off, near)


def test_the_border_makes_errors_larger_unless_switched_off() -> None:
    """A hand that reaches out of the picture errs more; the switch takes that away."""
    cut = two_hands(60) + np.array([[-0.22, 0.0, 0.0], [0.22, 0.0, 0.0]])[:, None]
    config = DetectorNoiseConfig()
    assert 0.2 < clip_of(cut).visibility.inside.mean() < 0.9
    assert _typical(config, cut) > 1.15 * _typical(config, two_hands(60))
    assert _typical(replace(config, border_effect=False), cut) < _typical(config, cut)


def test_heavy_tails_can_be_switched_off() -> None:
    """Without them the worst errors are much smaller and the usual ones are not."""
    clips = (DetectorNoiseConfig(), DetectorNoiseConfig(heavy_tails=False))
    errors = [
        np.concatenate([_error(simulated(_CLIP, replace(c, seed=s))) for s in range(5)])
        for c in clips
    ]
    tails = [float(np.quantile(e, 0.99) / np.median(e)) for e in errors]
    assert tails[0] > 1.3 * tails[1]


def _alike(config: DetectorNoiseConfig, axis: int) -> float:
    """Mean correlation of neighbouring errors, over frames (0) or along fingers (2)."""
    views = views_from_clip(_CLIP)
    totals = []
    for seed in range(4):
        made = simulated(_CLIP, replace(config, seed=seed))
        offset = views.from_px(made.report.keypoints_px - views.landmarks_px)
        direction = offset / np.linalg.norm(offset, axis=-1, keepdims=True)
        if axis == 0:
            totals.append((direction[1:] * direction[:-1]).sum(-1).mean())
        else:
            joints, tips = direction[:, :, [7, 11, 15, 19]], direction[:, :, [8, 12, 16, 20]]
            totals.append((joints * tips).sum(-1).mean())
    return float(np.mean(totals))


def test_errors_last_and_fingers_err_together_unless_switched_off() -> None:
    """Neighbouring frames and joints have like errors; each switch takes one of these away."""
    config = DetectorNoiseConfig(seed=0)
    assert _alike(config, 0) > 0.7
    assert _alike(config, 2) > 0.5
    # What is left is where errors point on average.
    assert _alike(replace(config, memory=False), 0) < _alike(config, 0) - 0.3
    assert _alike(replace(config, joint_correlation=False), 2) < _alike(config, 2) - 0.3


def test_hands_that_cannot_be_seen_are_not_reported() -> None:
    """A hand that leaves the picture is lost, and one that was never in it is not found."""
    keypoints = two_hands(80)
    keypoints[30:, 0] -= [3.0, 0.0, 0.0]
    config = DetectorNoiseConfig(false_hands=False)
    for seed in range(4):
        made = simulated(clip_of(keypoints), replace(config, seed=seed))
        assert made.found[:30, 0].any()
        assert not made.found[30:, 0].any()
        assert (
            not simulated(clip_of(keypoints), replace(config, seed=seed, misses=False))
            .found[30:, 0]
            .any()
        )


def test_hidden_hands_are_missed_more_often() -> None:
    """Of hands that are nearly hidden fewer are held than of open ones."""
    behind = two_hands(60, motion=0.3)
    behind[:, 0] = behind[:, 1] * [1.0, 1.0, 1.3]
    clip = clip_of(behind)
    assert clip.visibility.open[:, 0].mean() < 0.4
    made = [simulated(clip, DetectorNoiseConfig(seed=seed)) for seed in range(8)]
    shares = np.mean([m.found.mean(0) for m in made], axis=0)
    assert shares[0] < shares[1] - 0.2


def test_gaps_on_request() -> None:
    """Whole gaps take hands away for as long as asked, at about the rate that was asked for."""
    clip = clip_of(two_hands(600, motion=0.2))
    config = DetectorNoiseConfig(misses=False, false_hands=False, gaps_per_s=0.2, gap_s=1.0)
    made = simulated(clip, config)
    missing = 1.0 - made.found.mean()
    assert 0.05 < missing < 0.35
    runs = np.diff(np.flatnonzero(np.diff(np.r_[1, made.found[:, 0], 1].astype(int))))[::2]
    # Gaps at the ends are cut and some overlap; none of the others is shorter than asked.
    assert np.sort(runs)[len(runs) // 2] >= 29


def test_confidence_is_that_of_the_hand_and_lower_outside() -> None:
    """Inside of the picture it is the presence, outside a quarter of it."""
    keypoints = two_hands(30) + np.array([[-0.2, 0.0, 0.0], [0.2, 0.0, 0.0]])[:, None]
    made = simulated(clip_of(keypoints), DetectorNoiseConfig(misses=False, false_hands=False))
    hand = made.detections[5][0]
    inside = cameras.in_image(CAMERA, hand.keypoints_px)
    assert inside.any()
    assert not inside.all()
    np.testing.assert_allclose(
        hand.keypoint_confidence[~inside], 0.25 * hand.keypoint_confidence[inside][0]
    )
    assert hand.score <= hand.keypoint_confidence.max() + 1e-12


def test_false_hands_fill_the_room_that_is_left() -> None:
    """They come only where a hand is missing, never more than the detector reports at most."""
    clip = clip_of(hand_keypoints(300, (0.0, 0.0, -1.0))[:, None])
    eager = replace(fitted(), false_start=0.2, false_end=0.2)
    made = simulated(clip, DetectorNoiseConfig(), eager)
    count = [len(hands) for hands in made.detections]
    assert max(count) == 1
    assert 0.2 < np.mean(count) < 0.8
    none = simulated(clip, DetectorNoiseConfig(false_hands=False), eager)
    assert not any(none.detections)


def test_sides_are_mistaken_together_unless_switched_off() -> None:
    """A pair that is reported has one hand of each side; without swaps both are right."""
    parameters = fitted()
    doubtful = parameters.location.copy()
    doubtful[-1, 0] -= 3.0
    parameters = replace(parameters, location=doubtful)
    swapped, pairs = 0, 0
    for seed in range(8):
        made = simulated(_CLIP, DetectorNoiseConfig(seed=seed, misses=False), parameters)
        for frame, hands in enumerate(made.detections):
            pairs += len(hands) == 2
            for hand in hands:
                x = made.report.keypoints_px[frame, :, 0, 0]
                swapped += hand.keypoints_px[0, 0] != x[int(hand.side)]
    assert pairs > 0
    assert 0.02 < swapped / (2 * pairs) < 0.98
    config = DetectorNoiseConfig(misses=False, side_swaps=False, false_hands=False)
    right = simulated(_CLIP, config, parameters)
    for frame, hands in enumerate(right.detections):
        for hand in hands:
            px = right.report.keypoints_px[frame, int(hand.side)]
            np.testing.assert_array_equal(hand.keypoints_px, px)


def test_the_place_of_a_hand_settles_its_side_for_an_egocentric_detector() -> None:
    """Hands in doubt that lie where they belong are mistaken less often than by look alone."""
    location = fitted().location.copy()
    location[-1] = 0.0
    parameters = replace(fitted(), location=location)
    wrong = []
    for viewpoint in ("egocentric", "any"):
        config = DetectorNoiseConfig(misses=False, viewpoint=viewpoint)
        made = simulated(_CLIP, config, parameters)
        px = made.report.keypoints_px
        wrong.append(
            sum(
                hand.keypoints_px[0, 0] != px[frame, int(hand.side), 0, 0]
                for frame, hands in enumerate(made.detections)
                for hand in hands
            )
        )
    assert wrong[0] < wrong[1]


def test_hands_that_rest_have_steady_errors() -> None:
    """The slower the hand, the less its errors change from frame to frame."""
    steps = []
    for motion in (0.05, 1.0):
        clip = clip_of(two_hands(60, motion=motion))
        views = views_from_clip(clip)
        made = [simulated(clip, DetectorNoiseConfig(seed=s)) for s in range(4)]
        offset = np.stack([views.from_px(m.report.keypoints_px - views.landmarks_px) for m in made])
        steps.append(float(np.median(np.linalg.norm(np.diff(offset, axis=1), axis=-1))))
    assert steps[0] < 0.75 * steps[1]


def test_impossible_configs_are_refused() -> None:
    """Numbers out of range are refused with what is allowed."""
    with pytest.raises(ConfigError, match="errors is -1"):
        DetectorNoiseConfig(errors=-1.0)
    with pytest.raises(ConfigError, match="max_hands is 0"):
        DetectorNoiseConfig(max_hands=0)


def test_parameters_survive_their_file(tmp_path: Path) -> None:
    """What is written is read again to four digits."""
    parameters = fitted()
    parameters.save(tmp_path / "p.json")
    again = NoiseParameters.load(tmp_path / "p.json")
    np.testing.assert_allclose(again.factors, parameters.factors, rtol=1e-3, atol=1e-6)
    np.testing.assert_allclose(again.scale, parameters.scale, rtol=1e-3)
    assert again.card == parameters.card
    # The file has four digits, so writing once more changes nothing.
    again.save(tmp_path / "q.json")
    assert (tmp_path / "q.json").read_text() == (tmp_path / "p.json").read_text()


def test_foreign_parameters_are_refused(tmp_path: Path) -> None:
    """A missing file, another format and other features are refused with what to do."""
    with pytest.raises(SceneError, match="--fit"):
        NoiseParameters.load(tmp_path / "missing.json")
    fitted().save(tmp_path / "p.json")
    document = json.loads((tmp_path / "p.json").read_text())
    for key, value in (("format", 99), ("features", ["one"])):
        (tmp_path / "p.json").write_text(json.dumps(document | {key: value}))
        with pytest.raises(SceneError, match="fit it anew"):
            NoiseParameters.load(tmp_path / "p.json")


def test_the_model_was_fitted_with_the_landmark_map_in_the_code() -> None:
    """Errors are relative to the map, so a new map needs a new fit: benchmarks.detector --fit."""
    assert fitted().card["landmarks"] == landmark_digest()
