"""One Gauss-Newton step of all windows, and the marginalisation of their oldest frames.

A window of nine frames has 252 unknowns a hand. Its band is half as wide as the matrix, so a dense
Cholesky factor costs no more than a banded one and needs one call.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.linalg.lapack import dpotrf, dpotrs

from hand4d_ros.shapes import Array, Float
from hand4d_ros.tracking.fixed_lag.config import FixedLagConfig
from hand4d_ros.tracking.fixed_lag.terms import REACH, Motion, Own, coupled, motion
from hand4d_ros.tracking.fixed_lag.window import HAND, Prior, Window, marginalised, prior_gradient

_DAMPING = 1e-4


@dataclass(frozen=True)
class Linearised:
    """A window at the point where its last step started, as far as its oldest frame goes."""

    R: Float[Array, "f 3 3"]
    relative_m: Float[Array, "f 3"]
    angles: Float[Array, "f 22"]
    own_information: Float[Array, "28 28"]
    own_gradient: Float[Array, "28"]
    by_hand: Float[Array, "f 63 28"]
    world_m: Float[Array, "f 63"]
    motion: Motion
    prior: Prior | None
    """Its gradient is that at this point."""
    newest: Float[Array, "28 28"] | None
    """Last block of the Cholesky factor, lower; None where there was none and so no step."""

    @property
    def newest_covariance(self) -> Float[Array, "28 28"]:
        """Covariance of the newest frame, all others marginalised; infinite without a step."""
        if self.newest is None:
            return np.diag(np.full(HAND, np.inf))
        # Elimination in order of time leaves the newest frame's marginal in the last block.
        root = np.linalg.inv(np.tril(self.newest))
        return np.asarray(root.T @ root)


def step(costs: FixedLagConfig, window: Window, own: Own, ratio: float) -> Linearised:
    """Move a window by one Gauss-Newton step.

    Args:
        costs: Deviations.
        window: Whose unknowns are moved.
        own: Its frames' own terms.
        ratio: World scale over size: from units of the odometry to those of the assumed hand.

    Returns:
        What the marginalisation of the oldest frame will need.
    """
    n = len(window)
    travel = ratio * (window.centre - window.centre[-1])
    world_m = (own.points_m + travel[:, None]).reshape(n, 63)
    by_hand = own.by_hand.reshape(n, 63, HAND)
    hang = motion(costs, window, world_m)
    H, gradient = coupled(by_hand, world_m, window.angles, hang.keypoints, hang.angles)
    np.einsum("tptq->tpq", H)[...] += own.information
    gradient += own.gradient
    prior = window.prior
    if prior is not None:
        prior = _moved(prior, window)
        _add(prior, H, gradient)
    matrix = H.reshape(n * HAND, n * HAND)
    matrix.ravel()[:: n * HAND + 1] *= 1.0 + _DAMPING
    factor, failed = dpotrf(matrix.T, lower=1, clean=0, overwrite_a=1)
    f = min(REACH + 1, n)
    at = Linearised(
        R=window.R[:f],
        relative_m=window.relative_m[:f],
        angles=window.angles[:f],
        own_information=own.information[0],
        own_gradient=own.gradient[0],
        by_hand=by_hand[:f],
        world_m=world_m[:f],
        motion=hang,
        prior=prior,
        newest=None if failed else factor[-HAND:, -HAND:],
    )
    if not failed:
        moved, _ = dpotrs(factor, -gradient.ravel(), lower=1)
        window.stepped(moved.reshape(n, HAND))
    return at


def prior_from_oldest(at: Linearised) -> Prior:
    """Marginalise the oldest frame onto those that its motion terms look at."""
    f = len(at.R)
    hang = at.motion
    H, gradient = coupled(
        at.by_hand, at.world_m, at.angles, hang.first_keypoints, hang.first_angles
    )
    H[0, :, 0] += at.own_information
    gradient[0] += at.own_gradient
    if at.prior is not None:
        _add(at.prior, H, gradient)
    rest = marginalised(H.reshape(f * HAND, f * HAND), gradient.ravel(), HAND)
    return Prior(at.R[1:], at.relative_m[1:], at.angles[1:], *rest)


def _moved(prior: Prior, window: Window) -> Prior:
    """The same energy about where the window is now."""
    k = len(prior.R)
    pulled = prior_gradient(window, prior)
    here = (window.R[:k], window.relative_m[:k], window.angles[:k])
    return Prior(*here, prior.information, pulled)


def _add(prior: Prior, H: Float[Array, "n 28 n 28"], gradient: Float[Array, "n 28"]) -> None:
    """Add a prior to the normal equations of the frames that it is on."""
    k = len(prior.R)
    H[:k, :, :k] += prior.information.reshape(k, HAND, k, HAND)
    gradient[:k] += prior.gradient.reshape(k, HAND)
