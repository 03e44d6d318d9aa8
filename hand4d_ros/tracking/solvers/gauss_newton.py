"""Levenberg-Marquardt on a chain of frames: the solver that is used.

Robust residuals enter by their weights (Triggs et al., "Bundle adjustment: a modern synthesis",
1999, section 3.3), damping follows Marquardt's scaling by the diagonal and Nielsen's update
("Damping parameter in Marquardt's method", IMM-REP-1999-05, Eq. 2.8).
"""

from __future__ import annotations

from dataclasses import dataclass, field

from hand4d_ros.settings import check
from hand4d_ros.tracking.solvers.banded import LinAlgError, factorised
from hand4d_ros.tracking.solvers.base import Problem, Report, X
from hand4d_ros.tracking.solvers.normal_equations import NormalEquations

_MOST_DAMPING = 1e9


@dataclass(frozen=True)
class GaussNewtonConfig:
    """When to stop."""

    iterations: int = field(default=25, metadata={"min": 1, "max": 1000})
    """Most steps."""
    tolerance: float = field(default=1e-4, metadata={"min": 0.0, "max": 1.0})
    """Relative decrease of the energy in a step that ends the iterations."""
    first_damping: float = field(default=1e-4, metadata={"min": 1e-12, "max": 1e6})
    """Of the first step, relative to the diagonal."""

    def __post_init__(self) -> None:
        """Reject values out of range."""
        check(self)


def solve(
    problem: Problem[X], start: X, config: GaussNewtonConfig | None = None
) -> tuple[X, NormalEquations, Report]:
    """Minimise; a step that does not lower the energy is taken back.

    Args:
        problem: What to minimise.
        start: Where to start.
        config: When to stop.

    Returns:
        The unknowns, the normal equations there, and how it went.
    """
    settings = config or GaussNewtonConfig()
    x, at = start, problem.linearise(start)
    report = Report([at.energy], evaluations=1)
    damping, growth = settings.first_damping, 2.0
    for _ in range(settings.iterations):
        while damping < _MOST_DAMPING:
            moved = _step(problem, x, at, damping)
            report.evaluations += 1
            if moved is not None:
                break
            damping, growth = damping * growth, growth * 2.0
        else:
            break
        x, energy, gain = moved
        damping *= max(1.0 / 3.0, 1.0 - (2.0 * gain - 1.0) ** 3)
        growth = 2.0
        decrease = at.energy - energy
        report.energies.append(energy)
        at = problem.linearise(x)
        if decrease <= settings.tolerance * report.energies[-2]:
            report.converged = True
            break
    return x, at, report


def _step(
    problem: Problem[X], x: X, at: NormalEquations, damping: float
) -> tuple[X, float, float] | None:
    """Try one damped step: where it leads, the energy there and the gain ratio; None if worse."""
    frames, border = at.diagonal
    frames = damping * frames.clip(1e-9)
    border = damping * border.clip(1e-9)
    try:
        factor = factorised(at, frames, border)
    except LinAlgError:
        return None
    step, shared = factor.solve(-at.gradient, -at.border_gradient)
    candidate = problem.stepped(x, step, shared)
    energy = problem.energy(candidate)
    if not energy < at.energy:
        return None
    expected = 0.5 * float((step * (frames * step - at.gradient)).sum())
    expected += 0.5 * float((shared * (border * shared - at.border_gradient)).sum())
    return candidate, energy, min((at.energy - energy) / max(expected, 1e-300), 1.0)
