"""Stage III with a motion prior: its Jacobian, and gaps that move as the prior knows."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from dynhamr_samples import problem_of, shot

from hand4d_ros.geometry import so3
from hand4d_ros.hand.biomechanics import REST_RAD, Anatomy
from hand4d_ros.hand.builtin import builtin_hand
from hand4d_ros.shapes import Bool, Float
from hand4d_ros.tracking.dynhamr import interaction
from hand4d_ros.tracking.dynhamr.latents import PriorClip

_FRAMES = 16


class Waves:
    """A prior of two latents: how far all fingers bend, and how much they wave."""

    name = "waves"
    frames = _FRAMES
    rate_hz = 30.0
    latent_size = 2

    def __init__(self) -> None:
        """Bend about the flexion axes of the mean hand."""
        anatomy = Anatomy(builtin_hand().with_shape())
        self._axes = anatomy.axes[:, 0]
        self._rest = anatomy.local_rotations(REST_RAD)

    def _basis(self, times: torch.Tensor) -> torch.Tensor:
        phase = 2.0 * np.pi * times.double()
        return torch.stack((torch.ones_like(phase), torch.sin(phase)), dim=-1)

    def decode(
        self, latent: Float[torch.Tensor, "b z"], times: Float[torch.Tensor, " t"]
    ) -> Float[torch.Tensor, "b t 15 3 3"]:
        """Bend the relaxed hand."""
        bend = (latent.double() @ self._basis(times).T).numpy()
        turned = so3.exp(bend[..., None, None] * self._axes) @ self._rest
        return torch.from_numpy(turned)

    def encode(
        self, rotations: Float[torch.Tensor, "b f 15 3 3"], seen: Bool[torch.Tensor, "b f"]
    ) -> Float[torch.Tensor, "b z"]:
        """Fit the bend of the seen frames."""
        turn = so3.log(rotations.double().numpy() @ self._rest.swapaxes(-1, -2))
        bend = np.einsum("bfjx,jx->bf", turn, self._axes) / 15.0
        basis = self._basis(torch.arange(self.frames) / self.frames).numpy()
        rows = [
            np.linalg.lstsq(basis[s], b[s], rcond=None)[0]
            for b, s in zip(bend, seen.numpy(), strict=True)
        ]
        return torch.from_numpy(np.stack(rows))

    def energy(self, latent: Float[torch.Tensor, "b z"]) -> Float[torch.Tensor, " b"]:
        """Return that of a standard normal."""
        return 0.5 * latent.square().sum(-1)

    def curvature(self, latent: Float[torch.Tensor, " z"]) -> Float[torch.Tensor, "z z"]:
        """Return that of a standard normal."""
        return torch.eye(len(latent))

    def tangents(
        self, latent: Float[torch.Tensor, " z"], times: Float[torch.Tensor, " t"]
    ) -> tuple[Float[torch.Tensor, "t 15 3 3"], Float[torch.Tensor, "t 15 3 z"]]:
        """All joints turn about their axes."""
        turn = torch.einsum("jx,tz->tjxz", torch.from_numpy(self._axes), self._basis(times))
        return self.decode(latent[None], times)[0], turn


def test_gradient_with_latents_matches_differences() -> None:
    """Angles and latents together."""
    problem, x = problem_of(shot(6))
    problem = replace(problem, prior=PriorClip(Waves(), problem.observations.stamps_ns))
    x = replace(x, latents=np.array([[0.3, -0.2], [0.1, 0.4]]))
    at = problem.linearise(x)
    rng = np.random.default_rng(1)
    for _ in range(4):
        frames, border = rng.normal(size=(6, x.block)), rng.normal(size=x.border)
        ahead = problem.energy(problem.stepped(x, 1e-6 * frames, 1e-6 * border))
        behind = problem.energy(problem.stepped(x, -1e-6 * frames, -1e-6 * border))
        slope = float((at.gradient * frames).sum() + at.border_gradient @ border)
        assert (ahead - behind) / 2e-6 == pytest.approx(slope, rel=2e-4)


def test_the_clip_ends_where_the_prior_does_and_encodes_at_its_own_rate() -> None:
    """A chunk at half the rate and of twice the time has a prior in its first half only."""
    prior = Waves()
    stamps_ns = np.ceil(np.arange(16) * 1e9 / 15.0).astype(np.int64)
    clip = PriorClip(prior, stamps_ns)
    np.testing.assert_array_equal(clip.rows, np.arange(8))
    latent = np.array([0.4, 0.2])
    local, _ = clip.tangents(latent)
    whole = np.concatenate((local, np.repeat(local[-1:], 8, axis=0)))
    found = clip.encoded(whole, np.arange(16) < 8)
    np.testing.assert_allclose(found, latent, atol=0.02)


def test_gaps_take_the_motion_of_the_prior_and_join_at_both_ends() -> None:
    """Where SLERP would cut a wave short, the prior's motion goes through."""
    problem, x = problem_of(shot(_FRAMES))
    stamps_ns = problem.observations.stamps_ns
    clip = PriorClip(Waves(), stamps_ns)
    anatomy = Anatomy(problem.hand)
    true, _ = clip.tangents(np.array([0.1, 0.5]))
    angles = anatomy.angles(true)
    seen = np.ones((2, _FRAMES), dtype=bool)
    seen[:, 2:7] = False
    straight = angles.copy()
    for row in range(2, 7):
        straight[row] = angles[1] + (angles[7] - angles[1]) * (row - 1) / 6.0
    problem = replace(problem, prior=clip, observations=replace(problem.observations, seen=seen))
    x = replace(x, angles=np.stack((straight, straight)))
    filled = interaction.infilled(problem, interaction.encoded(problem, x))
    missed = np.abs(filled.angles[0] - angles).max()
    assert missed < 0.1 * np.abs(straight - angles).max()
    np.testing.assert_allclose(filled.angles[:, [1, 7]], np.stack((angles[[1, 7]],) * 2))
