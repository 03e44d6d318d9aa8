"""The motion prior learns, its rivals fit, and what spoils its input is as stated."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch

from hand4d_ros.hand.biomechanics import STD_RAD
from hand4d_ros.nn.cards import find_weights, read_card
from hand4d_ros.nn.motion_field import MotionFieldConfig
from hand4d_ros.tracking.priors.base import FRAMES
from hand4d_ros.tracking.priors.hmp import HmpPrior
from hand4d_ros.tracking.priors.hmp_config import MotionVaeConfig
from hand4d_ros.tracking.priors.registry import load_prior
from hand4d_ros.training.config import TrainConfig
from hand4d_ros.training.motion_noise import SpoiltConfig, interpolated, spoilt
from hand4d_ros.training.motion_prior import (
    FIELD,
    Clips,
    MotionPriorTask,
    MotionPriorTaskConfig,
)
from hand4d_ros.training.motion_rivals import clip_points, fit_gmm, fit_pca
from hand4d_ros.training.shards import Shards
from hand4d_ros.training.trainer import METRICS, Trainer

torch.set_num_threads(1)
SMALL = MotionPriorTaskConfig(
    shards=1,
    held_out_shards=1,
    scenes=1,
    seconds=6.0,
    things=0,
    times=16,
    network=MotionVaeConfig(
        latent=8,
        channels=(4, 4, 4, 4),
        field=MotionFieldConfig(
            hidden=32, layers=2, outputs=96, knots=8, channels=8, activation="silu"
        ),
    ),
)


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Motions of two short scenes."""
    folder = tmp_path_factory.mktemp("data")
    MotionPriorTask(SMALL).prepare(folder, workers=0)
    return folder


def test_small_run_learns(data: Path, tmp_path: Path) -> None:
    """The loss falls, and reconstruction is better than that of an untrained network."""
    config = TrainConfig(
        max_steps=40,
        batch_size=8,
        warmup_steps=5,
        learning_rate=5e-3,
        ema_decay=0.8,
        log_every=8,
        evaluate_every=0,
        checkpoint_every=0,
        device="cpu",
        curve=False,
    )
    task = MotionPriorTask(SMALL)
    task.prepare(data, workers=0)
    untrained = task.evaluate(task.model().eval(), torch.Generator().manual_seed(0))
    result = Trainer(MotionPriorTask(SMALL), config, tmp_path, data=data).run()
    lines = [json.loads(line) for line in (tmp_path / METRICS).read_text().splitlines()]
    losses = [line["loss"] for line in lines if line["kind"] == "train"]
    assert losses[-1] < 0.5 * losses[0]
    assert result.figures["reconstruct_mm"] < 0.6 * untrained["reconstruct_mm"]


def test_clips_at_their_own_pace_are_pieces_of_the_motions(data: Path) -> None:
    """And at another pace they are between neighbouring frames of them."""
    motions = Shards(data / "train", shuffle=False)
    whole = motions.batch(0, 2)[FIELD]
    clips = Clips(motions, 3).batch(0, 2)[FIELD]
    for clip, motion in zip(clips, whole, strict=True):
        starts = [s for s in range(len(motion) - FRAMES + 1) if np.allclose(motion[s], clip[0])]
        assert any(np.allclose(motion[s : s + FRAMES], clip) for s in starts)
    paced = Clips(motions, 3, 1.3).batch(0, 2)[FIELD]
    assert paced.shape == clips.shape
    assert not np.allclose(paced, clips)
    assert (paced.max(1) <= whole.max(1) + 1e-6).all()


def test_spoilt_motion_is_the_truth_where_nothing_is_wrong() -> None:
    """Without errors only gaps differ, and these are straight lines."""
    truth = torch.randn(6, FRAMES, 22)
    config = SpoiltConfig(clean_share=1.0)
    given, seen = spoilt(truth, config, torch.Generator().manual_seed(0))
    assert torch.equal(given[seen], truth[seen])
    assert 0.2 < float(seen.float().mean()) < 0.95
    torch.testing.assert_close(given, interpolated(truth, seen))


def test_errors_have_about_the_size_that_is_asked_for() -> None:
    """Without bursts and gaps: uniformly drawn root mean squares up to the largest."""
    truth = torch.zeros(300, FRAMES, 22)
    config = SpoiltConfig(clean_share=0.0, error=0.6, burst=0.0, relaxed=0.0, gaps=0)
    given, seen = spoilt(truth, config, torch.Generator().manual_seed(1))
    assert bool(seen.all())

    rms = (given / torch.as_tensor(STD_RAD).float()).square().mean((1, 2)).sqrt()
    assert float(rms.max()) < 0.9
    assert float(rms.mean()) == pytest.approx(0.3, rel=0.15)


def test_interpolation_holds_at_both_ends() -> None:
    """And goes straight in between."""
    values = torch.tensor([[9.0, 1.0, 9.0, 9.0, 4.0, 9.0]])[..., None]
    seen = torch.tensor([[False, True, False, False, True, False]])
    filled = interpolated(values, seen)[0, :, 0]
    torch.testing.assert_close(filled, torch.tensor([1.0, 1.0, 2.0, 3.0, 4.0, 4.0]))


def test_rivals_fit_what_they_were_fitted_to(data: Path) -> None:
    """Components are orthogonal and explain the spread; the mixture finds two clusters."""
    points = clip_points(Shards(data / "train"), 40)
    found = fit_pca(points, 6)
    gram = found["components"].T @ found["components"]
    torch.testing.assert_close(gram, torch.diag(gram.diagonal()), atol=1e-3, rtol=0.0)
    off = points.flatten(1) - found["mean"]
    latent = off @ found["components"] / gram.diagonal()
    left = off - latent @ found["components"].T
    assert float(left.square().sum()) < 0.35 * float(off.square().sum())
    rng = torch.Generator().manual_seed(0)
    clusters = torch.randn((400, 22), generator=rng) * 0.2
    clusters[200:] += 2.0
    mixture = fit_gmm(clusters, 2)
    middles = mixture["means"].mean(1).sort().values
    torch.testing.assert_close(middles, torch.tensor([0.0, 2.0]), atol=0.05, rtol=0.0)


def test_shipped_weights_complete_a_motion(data: Path) -> None:
    """Of a scene that they were not trained on, within a centimetre or so."""
    prior = load_prior("hmp")
    card = read_card(find_weights("motion_prior"))
    assert card.figures["infill_mm"] < 9.0
    clips = torch.from_numpy(Clips(Shards(data / "train"), 1).batch(0, 2)[FIELD])
    assert prior.latent_size == 128

    assert isinstance(prior, HmpPrior)
    chain = prior.vae.chain
    truth = chain.rotations_from_angles(clips)
    latent = prior.encode(truth, torch.ones(2, FRAMES, dtype=torch.bool))
    made = prior.decode(latent, torch.arange(FRAMES) / FRAMES)
    off = chain.keypoints(made) - chain.keypoints(truth)
    assert float(off.norm(dim=-1).mean()) < 0.012
