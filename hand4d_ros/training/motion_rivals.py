"""Fits the rivals of HMP's motion prior to the same motions.

Principal components of clips need no steps and no evaluation on the way, and a mixture of poses
takes a few dozen sweeps, so both are fitted here and not by the trainer.
"""

from __future__ import annotations

import math
from pathlib import Path

import torch
from torch import Tensor

from hand4d_ros.hand.biomechanics import REST_RAD, STD_RAD
from hand4d_ros.nn.cards import Card
from hand4d_ros.shapes import Float
from hand4d_ros.tracking.priors.spline import SplineMotion
from hand4d_ros.training.card import write_weights
from hand4d_ros.training.motion_prior import FIELD, Clips
from hand4d_ros.training.recipe import git_commit
from hand4d_ros.training.shards import Shards

LATENT = 128
COMPONENTS = 16
_SWEEPS = 40
_LEAST_STD = 0.1
"""Of a pose in a component, in everyday spreads."""


def clip_points(motions: Shards, clips: int, seed: int = 0) -> Float[Tensor, "n 35 22"]:
    """Return the control points of random clips.

    Args:
        motions: Whole ones.
        clips: How many.
        seed: Of their times.
    """
    spline = SplineMotion()
    angles = torch.from_numpy(Clips(motions, seed).batch(0, clips)[FIELD])
    scaled = (angles - torch.as_tensor(REST_RAD)) / torch.as_tensor(STD_RAD)
    return spline.points(scaled.float())


def fit_pca(points: Float[Tensor, "n 35 22"], latent: int = LATENT) -> dict[str, Tensor]:
    """Return mean and components, each component times its standard deviation.

    Args:
        points: Control points of clips.
        latent: How many components.
    """
    flat = points.flatten(1).double()
    mean = flat.mean(0)
    _, size, directions = torch.linalg.svd(flat - mean, full_matrices=False)
    std = size[:latent] / math.sqrt(len(flat) - 1)
    components = directions[:latent].T * std
    return {"mean": mean.float(), "components": components.float().contiguous()}


def fit_gmm(
    poses: Float[Tensor, "n 22"], components: int = COMPONENTS, seed: int = 0
) -> dict[str, Tensor]:
    """Return a mixture with full covariances, by expectation maximisation.

    Args:
        poses: In everyday spreads from the rest.
        components: How many.
        seed: Of the first means.
    """
    poses = poses.double()
    rng = torch.Generator().manual_seed(seed)
    size = poses.shape[1]
    floor = _LEAST_STD**2 * torch.eye(size, dtype=poses.dtype)
    means = poses[torch.randperm(len(poses), generator=rng)[:components]]
    factors = torch.eye(size, dtype=poses.dtype).repeat(components, 1, 1)
    log_weights = torch.full((components,), -math.log(components), dtype=poses.dtype)
    for _ in range(_SWEEPS):
        off = torch.einsum("nka,kac->nkc", poses[:, None] - means, factors)
        share = torch.softmax(log_weights - 0.5 * off.square().sum(-1), 1)
        count = share.sum(0) + 1e-6
        means = share.T @ poses / count[:, None]
        spread = poses[:, None] - means
        covariance = torch.einsum("nk,nka,nkb->kab", share, spread, spread)
        covariance = covariance / count[:, None, None] + floor
        factors = torch.linalg.inv(torch.linalg.cholesky(covariance)).transpose(-1, -2)
        volume = factors.diagonal(dim1=-2, dim2=-1).log().sum(-1)
        log_weights = (count / len(poses)).log() + volume
    found = {"log_weights": log_weights, "means": means, "factors": factors}
    return {name: tensor.float().contiguous() for name, tensor in found.items()}


def write_rivals(motions: Shards, out: Path, clips: int) -> list[Path]:
    """Fit both rivals and write their weights with cards.

    Args:
        motions: Whole ones, of training.
        out: Folder for the weights.
        clips: How many random clips to fit to.
    """
    points = clip_points(motions, clips)
    fitted = {"motion_pca": fit_pca(points), "motion_gmm": fit_gmm(points[::2, ::7].flatten(0, 1))}
    written = []
    for name, tensors in fitted.items():
        card = Card(
            name=name,
            version="1",
            config={key: list(tensor.shape) for key, tensor in tensors.items()},
            recipe={"clips": clips, "data": dict(motions.description)},
            seed=0,
            commit=git_commit(),
            figures={},
            licence="Apache-2.0",
            sha256="0" * 64,
        )
        written.append(write_weights(out, tensors, card))
    return written
