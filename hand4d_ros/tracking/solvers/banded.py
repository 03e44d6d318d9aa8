"""Cholesky of a block band with a border: one frame after the other, and a Schur complement.

With the band H, coupling B and corner C, the shared unknowns solve the small dense system
``(C - B' H^-1 B) y = g_y - B' H^-1 g`` and the rest is ``x = H^-1 (g - B y)``. The factor
``H = L L'`` keeps the band: its block column t has ``L_t`` on the diagonal and ``W_t'`` below, over
the k frames of the reach. For n frames of p unknowns and m shared unknowns that takes about
``n k^2 p^3 + 4 n k p^2 m`` operations, linear in the number of frames.

LAPACK's own banded factor (pbtrf) is a little faster, but gives no covariances of frames and solves
for one column at a time, and a motion prior's latents are hundreds of columns. On a machine that is
busy, let BLAS use one thread (``OPENBLAS_NUM_THREADS=1``): it would share these small products
between threads that wait for each other, 60 times as long as one alone takes.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.linalg import LinAlgError
from scipy.linalg import cho_factor, cho_solve, cholesky, solve_triangular

from hand4d_ros.shapes import Array, Float
from hand4d_ros.tracking.solvers.normal_equations import NormalEquations

__all__ = ["BorderedFactor", "LinAlgError", "factorised", "frame_covariances"]


@dataclass(frozen=True)
class BorderedFactor:
    """The factor of a bordered band."""

    lower: Float[Array, "n p p"]
    """``L_t``, lower triangular."""
    beside: Float[Array, "n p w"]
    """``W_t``, over the frames of the reach; zero beyond the last frame."""
    coupling: Float[Array, "u m"]
    reduced: Float[Array, "u m"]
    """``H^-1 B``."""
    schur: Float[Array, "m m"]
    """Cholesky factor of ``C - B' H^-1 B``, lower; the information on the shared unknowns."""

    def solve(
        self, frames: Float[Array, "n p"], border: Float[Array, "m"]
    ) -> tuple[Float[Array, "n p"], Float[Array, "m"]]:
        """Solve for one right-hand side.

        Args:
            frames: Of the frames' unknowns.
            border: Of the shared unknowns.
        """
        alone = _solved(self.lower, self.beside, frames.reshape(-1, 1))[:, 0]
        shared = border
        if border.size:
            rest = border - self.coupling.T @ alone
            shared = cho_solve((self.schur, True), rest, check_finite=False)
        return (alone - self.reduced @ shared).reshape(frames.shape), shared

    def border_covariance(self) -> Float[Array, "m m"]:
        """Covariance of the shared unknowns, all others marginalised."""
        return np.asarray(cho_solve((self.schur, True), np.eye(len(self.schur))))


def factorised(
    system: NormalEquations,
    frame_damping: Float[Array, "n p"],
    border_damping: Float[Array, "m"],
) -> BorderedFactor:
    """Factor the damped normal equations.

    Args:
        system: The normal equations.
        frame_damping: Added to the diagonal of the band.
        border_damping: Added to the diagonal of the corner.

    Raises:
        LinAlgError: The damped matrix is not positive definite.
    """
    n, p, reach = system.frames, system.block, system.reach
    lower, beside = np.empty((n, p, p)), np.zeros((n, p, reach * p))
    # What is left of the band from frame t on; eliminating a frame changes those in its reach.
    left = system.band.copy()
    left[0][:, np.arange(p), np.arange(p)] += frame_damping
    for t in range(n):
        lower[t] = cholesky(left[0, t], lower=True, check_finite=False)
        ahead = min(reach, n - 1 - t)
        if not ahead:
            continue
        row = np.concatenate([left[k, t] for k in range(1, ahead + 1)], axis=1)
        W = _triangular(lower[t], row)
        beside[t, :, : ahead * p] = W
        for a in range(ahead):
            change = W[:, a * p : (a + 1) * p].T @ W[:, a * p :]
            for b in range(a, ahead):
                left[b - a, t + 1 + a] -= change[:, (b - a) * p : (b - a + 1) * p]
    coupling = system.coupling.reshape(-1, system.border)
    reduced, schur = coupling, system.corner
    if system.border:
        reduced = _solved(lower, beside, coupling)
        schur = system.corner + np.diag(border_damping) - coupling.T @ reduced
        schur = np.tril(cho_factor(schur, lower=True, check_finite=False)[0])
    return BorderedFactor(lower, beside, coupling, reduced, schur)


def frame_covariances(system: NormalEquations, factor: BorderedFactor) -> Float[Array, "n p p"]:
    """Marginal covariance of each frame's unknowns.

    The blocks of the inverse within the band follow from the last frame to the first (Takahashi
    et al., 1973): with ``C_t = L_t'^-1 W_t`` and the covariance P of the frames in reach,
    ``P_t = L_t'^-1 L_t^-1 + C_t P C_t'`` and its covariance with them is ``-C_t P``. What the
    shared unknowns add is ``R Y R'`` with their covariance Y and ``R = H^-1 B``.

    Args:
        system: The normal equations.
        factor: Their factor, damping included.
    """
    n, p = system.frames, system.block
    out = np.empty((n, p, p))
    window = np.zeros((system.reach * p, system.reach * p))
    for t in reversed(range(n)):
        root = _triangular(factor.lower[t], np.eye(p))
        C = root.T @ factor.beside[t]
        across = C @ window
        out[t] = root.T @ root + across @ C.T
        out[t] = 0.5 * (out[t] + out[t].T)
        grown = np.block([[out[t], -across], [-across.T, window]])
        window = grown[: system.reach * p, : system.reach * p]
    if system.border:
        response = factor.reduced.reshape(n, p, -1)
        out += response @ factor.border_covariance() @ np.swapaxes(response, 1, 2)
    return out


def _triangular(
    lower: Float[Array, "p p"], right: Float[Array, "p r"], *, transposed: bool = False
) -> Float[Array, "p r"]:
    """Solve with a lower triangular matrix or its transpose."""
    trans = 1 if transposed else 0
    return np.asarray(solve_triangular(lower, right, trans=trans, lower=True, check_finite=False))


def _solved(
    lower: Float[Array, "n p p"], beside: Float[Array, "n p w"], right: Float[Array, "u r"]
) -> Float[Array, "u r"]:
    """Solve with the factor of the band, forwards and back."""
    n, p, width = beside.shape
    # Frames of zeros after the last one take what its empty reach would give them.
    x = np.concatenate((right, np.zeros((width, right.shape[1]))))
    for t in range(n):
        here, ahead = slice(t * p, (t + 1) * p), slice((t + 1) * p, (t + 1) * p + width)
        x[here] = _triangular(lower[t], x[here])
        x[ahead] -= beside[t].T @ x[here]
    x[n * p :] = 0.0
    for t in reversed(range(n)):
        here, ahead = slice(t * p, (t + 1) * p), slice((t + 1) * p, (t + 1) * p + width)
        x[here] = _triangular(lower[t], x[here] - beside[t] @ x[ahead], transposed=True)
    return x[: n * p]
