"""The normal equations of a chain of frames: a band of blocks with a border.

Every frame has the same number of unknowns. A residual looks at a few neighbouring frames and
perhaps at the shared unknowns (shape, scale, latent). So the Gauss-Newton matrix is zero but for
blocks near its diagonal, a border of a few columns, and its corner::

    [ H00 H01 H02  .  .  | B0 ]
    [ H10 H11 H12 H13 .  | B1 ]
    [  .   .   .   .  .  | .. ]
    [ B0' B1' B2' B3' .  | C  ]
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from hand4d_ros.shapes import Array, Float, Int


@dataclass
class NormalEquations:
    """Gradient and Gauss-Newton matrix of half a sum of squares."""

    frames: int
    block: int
    """Unknowns of a frame."""
    border: int
    """Shared unknowns."""
    reach: int
    """How many frames farther on the last frame of a residual may be."""
    only_energy: bool = False
    """Add up the energy and leave the rest at zero, for trial steps."""
    energy: float = 0.0
    band: Float[Array, "reach+1 n p p"] = field(init=False)
    """``band[k, t]`` is the block of frames t (rows) and t + k (columns)."""
    gradient: Float[Array, "n p"] = field(init=False)
    coupling: Float[Array, "n p m"] = field(init=False)
    """Of each frame's unknowns (rows) and the shared ones (columns)."""
    corner: Float[Array, "m m"] = field(init=False)
    border_gradient: Float[Array, "m"] = field(init=False)

    def __post_init__(self) -> None:
        """Start from zero."""
        n, p, m = (0, 0, 0) if self.only_energy else (self.frames, self.block, self.border)
        self.band = np.zeros((self.reach + 1, n, p, p))
        self.gradient = np.zeros((n, p))
        self.coupling = np.zeros((n, p, m))
        self.corner = np.zeros((m, m))
        self.border_gradient = np.zeros(m)

    def add(
        self,
        first: Int[Array, "r"],
        where: slice,
        residual: Float[Array, "r d"],
        jacobian: Float[Array, "r d k w"],
        shared: tuple[slice, Float[Array, "r d s"]] | None = None,
        energy: Float[Array, "r"] | None = None,
    ) -> None:
        """Add residuals that look at k neighbouring frames each.

        Args:
            first: First of the frames of each residual; no two alike.
            where: Their unknowns within a frame's block, w of them.
            residual: Whitened; where a robust cost is meant, times the root of its weight.
            jacobian: Its derivative with respect to those unknowns.
            shared: Which shared unknowns it depends on as well, and the derivative.
            energy: What each residual adds to the energy; None is half its square.
        """
        rows, dims, width, each = jacobian.shape
        own = np.square(residual).sum(axis=1) * 0.5 if energy is None else energy
        self.energy += float(own.sum())
        if self.only_energy:
            return
        flat = jacobian.reshape(rows, dims, width * each)
        turned = np.swapaxes(flat, 1, 2)
        gram = (turned @ flat).reshape(rows, width, each, width, each)
        pull = (turned @ residual[..., None]).reshape(rows, width, each)
        for a in range(width):
            self.gradient[first + a, where] += pull[:, a]
            for b in range(a, width):
                self.band[b - a][first + a, where, where] += gram[:, a, :, b]
        if shared is None:
            return
        columns, slope = shared
        cross = (turned @ slope).reshape(rows, width, each, -1)
        for a in range(width):
            self.coupling[first + a, where, columns] += cross[:, a]
        every = slope.reshape(rows * dims, -1)
        self.corner[columns, columns] += every.T @ every
        self.border_gradient[columns] += every.T @ residual.reshape(-1)

    def add_shared(
        self, columns: slice, residual: Float[Array, "d"], jacobian: Float[Array, "d s"]
    ) -> None:
        """Add a residual of the shared unknowns alone.

        Args:
            columns: Which of them.
            residual: Whitened.
            jacobian: Its derivative.
        """
        self.energy += 0.5 * float(residual @ residual)
        if self.only_energy:
            return
        self.corner[columns, columns] += jacobian.T @ jacobian
        self.border_gradient[columns] += jacobian.T @ residual

    @property
    def diagonal(self) -> tuple[Float[Array, "n p"], Float[Array, "m"]]:
        """Diagonals of the band and of the corner."""
        return np.einsum("tii->ti", self.band[0]).copy(), self.corner.diagonal().copy()

    def dense(self) -> tuple[Float[Array, "u u"], Float[Array, "u"]]:
        """The whole matrix and gradient, shared unknowns last; for tests."""
        n, p, m = self.frames, self.block, self.border
        matrix = np.zeros((n * p + m, n * p + m))
        for k in range(self.reach + 1):
            for t in range(n - k):
                rows, columns = slice(t * p, t * p + p), slice((t + k) * p, (t + k) * p + p)
                matrix[rows, columns] = self.band[k, t]
                matrix[columns, rows] = self.band[k, t].T
        matrix[: n * p, n * p :] = self.coupling.reshape(n * p, m)
        matrix[n * p :, : n * p] = self.coupling.reshape(n * p, m).T
        matrix[n * p :, n * p :] = self.corner
        return matrix, np.concatenate((self.gradient.ravel(), self.border_gradient))
