"""What a solver needs of a problem, and what it tells."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Protocol, TypeVar, runtime_checkable

from hand4d_ros.shapes import Array, Float
from hand4d_ros.tracking.solvers.normal_equations import NormalEquations

X = TypeVar("X")


@runtime_checkable
class Problem(Protocol[X]):
    """Half a sum of squared residuals over unknowns that live on a manifold."""

    def linearise(self, x: X) -> NormalEquations:
        """Return energy, gradient and Gauss-Newton matrix at the unknowns."""
        ...

    def energy(self, x: X) -> float:
        """Return the energy alone."""
        ...

    def stepped(self, x: X, frames: Float[Array, "n p"], border: Float[Array, "m"]) -> X:
        """Move the unknowns by a step of the frames' and one of the shared unknowns."""
        ...

    def pulled_back(
        self, step: Float[Array, "n p"], gradient: Float[Array, "n p"]
    ) -> Float[Array, "n p"]:
        """Return the gradient with respect to a step from the gradient at where it leads.

        They differ because turns do not add up: it takes the transpose of how ``stepped`` changes
        with its step.
        """
        ...


@dataclass
class Report:
    """How a solver went."""

    energies: list[float] = field(default_factory=list)
    """At the start and after every iteration."""
    evaluations: int = 0
    """Times the residuals were evaluated."""
    converged: bool = False

    def followed_by(self, other: Report) -> Report:
        """Return one report of two runs, the second of another energy."""
        return Report(
            [*self.energies, *other.energies],
            self.evaluations + other.evaluations,
            converged=other.converged,
        )

    @property
    def iterations(self) -> int:
        """Number of iterations."""
        return max(len(self.energies) - 1, 0)


OnStep = Callable[[int, float], None]
"""Takes the number of the iteration and the energy."""
