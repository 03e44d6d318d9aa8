"""Dyn-HaMR: gradients, sides, size and scale, gaps, chunks."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from dynhamr_samples import Shot, problem_of, shot

from hand4d_ros.hand.builtin import builtin_hand
from hand4d_ros.shapes import Array
from hand4d_ros.tracking.dynhamr import interaction
from hand4d_ros.tracking.dynhamr.config import DynHamrConfig
from hand4d_ros.tracking.dynhamr.process import DynHamr, RefinedFrame
from hand4d_ros.tracking.dynhamr.sides import with_sides
from hand4d_ros.types import HandDetection, Side, TrackingState


def refined(
    sample: Shot, config: DynHamrConfig, *, odometry_is_metric: bool = True
) -> tuple[DynHamr, list[RefinedFrame]]:
    """Run a whole shot."""
    system = DynHamr(config, builtin_hand(), odometry_is_metric=odometry_is_metric)
    done = []
    for frame, found in zip(sample.frames, sample.detections, strict=True):
        done += system.push(frame, found)
    return system, done + system.finish()


def errors_m(sample: Shot, done: list[RefinedFrame], side: Side) -> Array:
    """Mean distance of the keypoints in every frame; NaN without a hand."""
    out = np.full(len(done), np.nan)
    for row, each in enumerate(done):
        for track in each.tracks:
            if track.hand.side is side:
                apart = track.hand.keypoints_m - sample.keypoints_m[side][row]
                out[row] = np.linalg.norm(apart, axis=1).mean()
    return out


def hidden(sample: Shot, side: Side, frames: range) -> Shot:
    """Take one hand out of some frames."""
    detections = tuple(
        tuple(d for d in found if d.side is not side or row not in frames)
        for row, found in enumerate(sample.detections)
    )
    return replace(sample, detections=detections)


def test_gradient_of_every_term_matches_differences() -> None:
    """Of the whole energy, in random directions, where hands overlap and odometry has a hole."""
    problem, x = problem_of(shot(7))
    at = problem.linearise(x)
    rng = np.random.default_rng(4)
    for _ in range(6):
        frames, border = rng.normal(size=(7, x.block)), rng.normal(size=x.border)
        ahead = problem.energy(problem.stepped(x, 1e-6 * frames, 1e-6 * border))
        behind = problem.energy(problem.stepped(x, -1e-6 * frames, -1e-6 * border))
        slope = float((at.gradient * frames).sum() + at.border_gradient @ border)
        assert (ahead - behind) / 2e-6 == pytest.approx(slope, rel=2e-4)


def test_gradient_is_pulled_back_through_a_long_step() -> None:
    """L-BFGS sees the derivative by the whole step, not by a further one."""
    problem, x = problem_of(shot(5))
    rng = np.random.default_rng(4)
    step, border = rng.normal(0.0, 0.3, (5, x.block)), np.zeros(2)
    direction = rng.normal(size=step.shape)
    at = problem.linearise(problem.stepped(x, step, border))
    slope = float((problem.pulled_back(step, at.gradient) * direction).sum())
    ahead = problem.energy(problem.stepped(x, step + 1e-7 * direction, border))
    behind = problem.energy(problem.stepped(x, step - 1e-7 * direction, border))
    assert (ahead - behind) / 2e-7 == pytest.approx(slope, rel=1e-3)


def test_sides_are_mended_when_the_detector_swaps_both_for_long() -> None:
    """More than half of the frames have the wrong labels, on both hands at once."""
    sample = shot(40)

    def swapped(found: tuple[HandDetection, ...]) -> tuple[HandDetection, ...]:
        return tuple(replace(d, side=Side(1 - d.side)) for d in found)

    wrong = [swapped(d) if row >= 15 else d for row, d in enumerate(sample.detections)]
    R = np.stack([f.T_world_camera[:3, :3] for f in sample.frames if f.T_world_camera is not None])
    stamps_ns = np.array([frame.stamp_ns for frame in sample.frames])
    mended = with_sides(wrong, sample.frames[0].camera, R, stamps_ns)
    for found, true in zip(mended, sample.detections, strict=True):
        by_side = {d.side: d.keypoints_px for d in found}
        for each in true:
            np.testing.assert_array_equal(by_side[each.side], each.keypoints_px)


def test_one_hand_alone_keeps_its_label() -> None:
    """Without the other hand beside it, the detector's majority decides."""
    sample = hidden(shot(20), Side.RIGHT, range(20))
    R = np.tile(np.eye(3), (20, 1, 1))
    stamps_ns = np.array([frame.stamp_ns for frame in sample.frames])
    mended = with_sides(sample.detections, sample.frames[0].camera, R, stamps_ns)
    assert all(len(found) == 1 and found[0].side is Side.LEFT for found in mended)


def test_metric_odometry_shows_the_size_of_the_hand() -> None:
    """A hand 8% larger than the mean: found within 2%, with a deviation that says so."""
    betas = np.zeros(10)
    betas[0] = 1.3
    sample = shot(60, betas=betas, noise_px=0.3)
    system, done = refined(sample, DynHamrConfig(stages=2))
    (solution,) = system.solutions
    assert sample.hand_length_m / builtin_hand().with_shape().hand_length_m > 1.07
    assert solution.hand_length_m == pytest.approx(sample.hand_length_m, rel=0.02)
    std = float(np.sqrt(solution.shared_covariance[0, 0]))
    still, _ = refined(shot(60, betas=betas, travel_m=0.002), DynHamrConfig(stages=2))
    assert std < 0.03
    assert float(np.sqrt(still.solutions[0].shared_covariance[0, 0])) > 2.0 * std
    for side in Side:
        assert np.nanmean(errors_m(sample, done, side)) < 0.015


def test_unknown_world_scale_is_recovered_where_the_hand_is_the_mean_one() -> None:
    """The odometry reports 0.6 of every distance."""
    sample = shot(60, odometry_scale=0.6, noise_px=0.3)
    system, _ = refined(sample, DynHamrConfig(stages=2), odometry_is_metric=False)
    assert system.solutions[0].world_scale == pytest.approx(1.0 / 0.6, rel=0.05)


def test_gaps_are_filled_and_said_to_be() -> None:
    """Short ones are infilled, long ones stay empty, and nothing is made up before or after."""
    sample = hidden(shot(40), Side.LEFT, range(10, 20))
    _, done = refined(sample, DynHamrConfig(longest_gap_frames=12))
    states = [t.tracking_state for f in done for t in f.tracks if t.hand.side is Side.LEFT]
    assert states.count(TrackingState.INFILLED) == 10
    gap = errors_m(sample, done, Side.LEFT)[10:20]
    assert np.isfinite(gap).all()
    assert gap.max() < 0.06
    _, done = refined(sample, DynHamrConfig(longest_gap_frames=8))
    missing = np.isnan(errors_m(sample, done, Side.LEFT))
    np.testing.assert_array_equal(np.flatnonzero(missing), np.arange(10, 20))
    ids = {t.track_id for f in done for t in f.tracks}
    assert ids == {"left-1", "left-2", "right-1"}


def test_chunks_join_without_a_seam() -> None:
    """Chunks of 24 frames give every frame once, in order, and hands do not jump between them."""
    sample = shot(60)
    system, done = refined(sample, DynHamrConfig(chunk_frames=24, overlap_frames=8))
    assert [f.frame.stamp_ns for f in done] == [f.stamp_ns for f in sample.frames]
    assert len(system.solutions) == 1
    for side in Side:
        wrists = np.array([t.hand.wrist_m for f in done for t in f.tracks if t.hand.side is side])
        assert len(wrists) == 60
        assert np.linalg.norm(np.diff(wrists, axis=0), axis=1).max() < 0.012
    assert {t.track_id for f in done for t in f.tracks} == {"left-1", "right-1"}


def test_frames_without_hands_odometry_or_order_do_not_break_it() -> None:
    """Nothing seen; no pose of the camera; stamps that run back start anew."""
    sample = shot(12)
    empty = replace(sample, detections=((),) * 12)
    _, done = refined(empty, DynHamrConfig())
    assert [each.tracks for each in done] == [()] * 12
    lost = replace(sample, frames=tuple(replace(f, T_world_camera=None) for f in sample.frames))
    _, done = refined(lost, DynHamrConfig())
    assert len(done) == 12
    twice = replace(sample, frames=sample.frames * 2, detections=sample.detections * 2)
    _, done = refined(twice, DynHamrConfig())
    assert [f.frame.stamp_ns for f in done] == [f.stamp_ns for f in twice.frames]


def test_stage_three_pulls_hands_apart() -> None:
    """Overlapping spheres become fewer and shallower."""
    problem, x = problem_of(shot(7))
    apart = replace(problem, spheres=None)
    assert problem.energy(x) > apart.energy(x)


def test_shapes_beyond_the_population_are_brought_back() -> None:
    """A plausible shape stays; an absurd one comes nearer."""
    model = builtin_hand()
    kept = interaction.plausible_shape(model, np.full(10, 0.3), 0.01)
    np.testing.assert_allclose(kept.betas, 0.3, atol=0.02)
    absurd = interaction.plausible_shape(model, np.full(10, 6.0), 0.01)
    assert np.linalg.norm(absurd.betas) < 0.9 * np.linalg.norm(np.full(10, 6.0))
