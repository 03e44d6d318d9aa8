"""The fit of a whole clip: derivatives, masks, mirrors, chunks and gaps."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest
import torch

from hand4d_ros.errors import ConfigError
from hand4d_ros.geometry import camera as cameras
from hand4d_ros.geometry import se3, so3
from hand4d_ros.hand.builtin import builtin_hand
from hand4d_ros.shapes import Array, Bool, Float
from hand4d_ros.tracking.costs.projection import Cameras
from hand4d_ros.tracking.hmp import process
from hand4d_ros.tracking.hmp.config import HmpConfig
from hand4d_ros.tracking.hmp.observations import (
    Observations,
    blended,
    mirrored_pose,
)
from hand4d_ros.tracking.hmp.problem import ChunkProblem, Unknowns, second_stage
from hand4d_ros.tracking.hmp.refiner import within_gaps
from hand4d_ros.tracking.priors.none import NoPrior
from hand4d_ros.tracking.priors.pca import PcaPrior
from hand4d_ros.tracking.priors.slerp import filled_rotations, filled_values
from hand4d_ros.tracking.priors.spline import frame_times
from hand4d_ros.types import Side

torch.set_num_threads(1)
MODEL = builtin_hand()
CAMERA = cameras.camera_from_fov(640, 480, 1.2)
CONFIG = HmpConfig(prior="pca", keypoint_weight=1.0)


def _prior() -> PcaPrior:
    rng = torch.Generator().manual_seed(0)
    # Slow components, so that a handful of them makes plausible motion.
    waves = torch.stack([torch.cos(torch.linspace(0.0, 3.14 * k, 35)) for k in range(1, 4)])
    pattern = 0.4 * torch.randn((3, 22), generator=rng)
    components = torch.einsum("kp,ka->pak", waves, pattern).reshape(770, 3)
    return PcaPrior(torch.zeros(770), components)


def _motion(frames: int, prior: PcaPrior) -> process.Motion:
    t = np.arange(frames) / 30.0
    with torch.no_grad():
        latent = torch.tensor([[1.0, -0.7, 0.5]])
        local = prior.decode(latent, frame_times(frames))[0].double().numpy()
    R = so3.exp(np.stack((0.2 * t, 0.3 * np.sin(t), -0.5 + 0.1 * t), axis=1))
    wrist_m = np.stack((0.05 * np.sin(t), 0.02 * t, 0.45 + 0.03 * np.cos(t)), axis=1)
    return process.Motion(R, wrist_m, local, np.zeros((frames, 10)))


def _observed(motion: process.Motion, seen: Bool[Array, " f"], noise: float = 0.0) -> Observations:
    """See a motion through a camera that drifts; the first estimate is off by some noise."""
    frames = len(seen)
    rng = np.random.default_rng(5)
    times_s = np.arange(frames) / 30.0
    hand = MODEL.with_shape()
    points = hand.chain(motion.R, motion.wrist_m, motion.local).keypoints_m
    centre = np.stack((0.01 * times_s, 0.0 * times_s, -0.02 * times_s), axis=1)
    px = cameras.project(CAMERA, points - centre[:, None])
    R = so3.exp(noise * rng.normal(size=(frames, 3))) @ motion.R
    wrist_m = motion.wrist_m + 0.02 * noise * rng.normal(size=(frames, 3))
    local = so3.exp(noise * rng.normal(size=(frames, 15, 3))) @ motion.local
    eye = np.tile(np.eye(3), (frames, 1, 1))
    return Observations(
        side=Side.RIGHT,
        times_s=times_s,
        camera=CAMERA,
        cameras=Cameras(eye, centre, np.zeros((frames, 3)), np.zeros((frames, 3, 3))),
        keypoints_px=np.where(seen[:, None, None], px, 1e6),
        confidence=np.where(seen[:, None], 1.0, 0.0) * np.ones(21),
        landmarks=np.eye(21),
        seen=seen,
        T_world_wrist=se3.from_rotation_translation(
            filled_rotations(R, seen, times_s), filled_values(wrist_m, seen, times_s)
        ),
        local=filled_rotations(local, seen, times_s),
        betas=np.zeros(10),
    )


def _keypoints(motion: process.Motion) -> Float[Array, "f 21 3"]:
    hand = MODEL.with_shape(motion.betas[0])
    return hand.chain(motion.R, motion.wrist_m, motion.local).keypoints_m


@pytest.mark.parametrize("stage", [1, 2])
def test_gradient_and_curvature_are_those_of_the_energy(stage: int) -> None:
    """Against differences of the energy along random directions, away from the optimum."""
    prior = _prior()
    seen = np.ones(12, dtype=bool)
    seen[4:7] = False
    observed = _observed(_motion(12, prior), seen, 0.1)
    belief = process.encoded(observed, prior, CONFIG)
    problem = ChunkProblem(observed, prior, MODEL, belief, CONFIG, observed.local)
    problem = problem if stage == 1 else second_stage(problem)
    start = problem.start()
    x = replace(start, latent=start.latent + 0.2)
    at = problem.linearise(x)
    assert at.energy == pytest.approx(problem.energy(x), rel=1e-6)
    rng = np.random.default_rng(1)
    frames, border = rng.normal(size=at.gradient.shape), rng.normal(size=at.border_gradient.shape)
    h = 1e-4
    ahead, behind = (problem.energy(problem.stepped(x, s * frames, s * border)) for s in (h, -h))
    slope = float((at.gradient * frames).sum() + at.border_gradient @ border)
    assert slope == pytest.approx((ahead - behind) / (2.0 * h), rel=2e-3)


def test_energy_at_the_truth_has_no_keypoint_term() -> None:
    """What is left is smoothness and the prior, and unseen frames add no keypoints."""
    prior = _prior()
    seen = np.ones(20, dtype=bool)
    seen[5:9] = False
    motion = _motion(20, prior)
    observed = _observed(motion, seen)
    belief = process.encoded(observed, prior, CONFIG)
    problem = ChunkProblem(observed, prior, MODEL, belief, CONFIG, observed.local)
    truth = Unknowns(motion.R, motion.wrist_m, np.zeros(10), belief.mean)
    with_keypoints = replace(problem, local=motion.local).energy(truth)
    weightless = replace(CONFIG, keypoint_weight=0.0)
    without = replace(problem, local=motion.local, config=weightless).energy(truth)
    assert with_keypoints == pytest.approx(without, abs=1e-9)


def test_fit_recovers_a_motion_of_the_prior_through_a_gap() -> None:
    """A noisy first estimate and two thirds of a second without it, to within millimetres."""
    prior = _prior()
    seen = np.ones(100, dtype=bool)
    seen[40:60] = False
    motion = _motion(100, prior)
    observed = _observed(motion, seen, 0.15)
    fitted = process.fit_chunk(observed, prior, MODEL, CONFIG)
    first = replace(
        motion,
        R=observed.T_world_wrist[:, :3, :3],
        wrist_m=observed.T_world_wrist[:, :3, 3],
        local=observed.local,
    )

    def local_error_mm(made: process.Motion) -> float:
        still = replace(made, R=motion.R, wrist_m=motion.wrist_m)
        off = _keypoints(still) - _keypoints(motion)
        return 1e3 * float(np.linalg.norm(off, axis=-1).mean())

    assert local_error_mm(fitted) < 0.25 * local_error_mm(first)
    assert local_error_mm(fitted) < 4.0


def test_adam_and_gauss_newton_agree() -> None:
    """The paper's optimiser comes near the energy that ours reaches."""
    prior = _prior()
    observed = _observed(_motion(12, prior), np.ones(12, dtype=bool), 0.05)
    config = replace(CONFIG, solver="adam", adam_steps=(30, 150))
    belief = process.encoded(observed, prior, CONFIG)
    problem = second_stage(ChunkProblem(observed, prior, MODEL, belief, CONFIG, observed.local))
    ours, theirs = (process.fit_chunk(observed, prior, MODEL, c) for c in (CONFIG, config))
    gap = np.linalg.norm(_keypoints(ours) - _keypoints(theirs), axis=-1).mean()
    first = np.linalg.norm(
        _keypoints(ours)
        - MODEL.with_shape().keypoints(observed.T_world_wrist, so3.log(observed.local)),
        axis=-1,
    ).mean()
    assert problem.local is None
    assert gap < 0.5 * first


def test_a_mirrored_world_gives_the_mirrored_hand() -> None:
    """Mirroring twice is nothing, and a mirrored pose stays rigid."""
    T = se3.from_rotation_translation(
        so3.exp(np.array([0.3, -0.4, 0.8])), np.array([0.1, 0.2, 0.3])
    )
    np.testing.assert_allclose(mirrored_pose(mirrored_pose(T)), T)
    se3.check_rigid(mirrored_pose(T), "mirrored")


def test_never_seen_stays_interpolated() -> None:
    """There is nothing to fit to."""
    observed = replace(
        _observed(_motion(10, _prior()), np.ones(10, dtype=bool)), seen=np.zeros(10, dtype=bool)
    )
    kept = process.fit_chunk(observed, NoPrior(), MODEL, CONFIG)
    np.testing.assert_array_equal(kept.local, observed.local)


def test_chunks_cover_everything_and_overlap() -> None:
    """Any length and any rate; the last chunk is of full length too."""
    for frames, rate in ((50, 30.0), (128, 30.0), (300, 30.0), (500, 60.0), (90, 10.0)):
        rows = list(process.chunk_rows(np.arange(frames) / rate, 16))
        assert rows[0].start == 0
        assert rows[-1].stop == frames
        for a, b in pairwise(rows):
            assert (a.stop - b.start) / rate >= 16.0 / 30.0 - 1.01 / rate
        assert all((r.stop - 1 - r.start) / rate < process.CLIP_S for r in rows)
    assert [r.start for r in process.chunk_rows(np.arange(300) / 30.0, 16)] == [0, 112, 172]


def test_stitching_fades_from_one_chunk_to_the_next() -> None:
    """Nothing jumps, and what comes after the overlap is the new chunk's."""
    motion = _motion(30, _prior())
    moved = replace(motion, wrist_m=motion.wrist_m + 0.01).part(slice(10, 30))
    whole = process.stitched(motion, moved, slice(10, 30), 20)
    shift = (whole.wrist_m - motion.wrist_m)[:, 0]
    np.testing.assert_allclose(shift[:10], 0.0)
    np.testing.assert_allclose(shift[20:], 0.01)
    assert (np.diff(shift[9:21]) > 0.0).all()
    assert np.diff(shift).max() < 0.0016


def test_resampling_keeps_frames_of_a_clip_and_knows_gaps() -> None:
    """At 30 fps nothing changes; at 15 fps every second frame is interpolated."""
    prior = _prior()
    motion = _motion(128, prior)
    seen = np.ones(128, dtype=bool)
    seen[50:80] = False
    observed = _observed(motion, seen)
    local, near = process.resampled(observed)
    np.testing.assert_allclose(local, observed.local, atol=1e-9)
    np.testing.assert_array_equal(near, seen)
    half = replace(observed, local=motion.local, seen=np.ones(128, dtype=bool)).part(
        slice(None, None, 2)
    )
    local, near = process.resampled(half)
    assert near[:127].all()
    np.testing.assert_allclose(local[:127:2], motion.local[:127:2], atol=1e-9)
    assert float(so3.angle_between(local[1:126:2], motion.local[1:126:2]).max()) < 0.01


def test_blending_takes_the_estimate_where_the_detector_is_unsure() -> None:
    """And the mean in between."""
    motion = _motion(5, _prior())
    observed = _observed(motion, np.ones(5, dtype=bool))
    moved = replace(observed, keypoints_px=observed.keypoints_px + 10.0)
    unsure = replace(moved, confidence=np.zeros((5, 21)))
    np.testing.assert_allclose(
        blended(unsure, MODEL, 0.5).keypoints_px, observed.keypoints_px, atol=1e-6
    )
    both = blended(moved, MODEL, 1.0)
    np.testing.assert_allclose(both.keypoints_px, observed.keypoints_px + 5.0, atol=1e-6)
    assert blended(moved, MODEL, 0.0) is moved


def test_only_short_gaps_are_filled() -> None:
    """Not what comes before the first or after the last frame that was seen."""
    seen = np.array([0, 1, 0, 1, 0, 0, 0, 1, 0], dtype=bool)
    there = within_gaps(seen, np.arange(9.0), 2.0)
    np.testing.assert_array_equal(there, [0, 1, 1, 1, 0, 0, 0, 1, 0])


def test_config_rejects_nonsense() -> None:
    """As every config does."""
    with pytest.raises(ConfigError, match="overlap is 200"):
        HmpConfig(overlap=200)
