"""Adam and L-BFGS with strong Wolfe conditions, as the papers use them: readable references.

They see the same residuals as ``gauss_newton``: energy and gradient come from the same normal
equations, whose matrix they ignore. Their unknowns are steps from the start.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

import numpy as np

from hand4d_ros.shapes import Array, Float
from hand4d_ros.tracking.solvers.base import OnStep, Problem, Report, X

if TYPE_CHECKING:
    import torch

_INNER = 20
"""Evaluations that L-BFGS may take before it is asked again, as in the released code."""


def minimise(
    problem: Problem[X],
    start: X,
    method: Literal["lbfgs", "adam"] = "lbfgs",
    iterations: int = 50,
    learning_rate: float | None = None,
    on_step: OnStep | None = None,
) -> tuple[X, Report]:
    """Minimise with one of torch's optimisers.

    Args:
        problem: What to minimise.
        start: Where to start.
        method: ``lbfgs``: history of 100, strong Wolfe, up to 20 evaluations an iteration;
            ``adam``: one gradient an iteration.
        iterations: Number of iterations.
        learning_rate: 1 for L-BFGS (Dyn-HaMR, section 4) and 0.05 for Adam (HMP) unless given.
        on_step: Called after every iteration.
    """
    import torch

    first = problem.linearise(start)
    n, p, m = first.frames, first.block, first.border
    # Angles, metres and coefficients differ by orders of magnitude; so that the references are not
    # beaten by bad units, each unknown is measured in units of its own curvature at the start.
    frames, border = first.diagonal
    unit = 1.0 / np.sqrt(np.concatenate((frames.ravel(), border)).clip(1e-9))
    unknowns = torch.zeros(n * p + m, dtype=torch.float64, requires_grad=True)
    report = Report([first.energy], evaluations=1)

    def closure() -> float:
        optimiser.zero_grad()
        step = unknowns.detach().numpy() * unit
        energy, gradient = _evaluated(problem, start, step, n, p)
        report.evaluations += 1
        unknowns.grad = torch.from_numpy(gradient * unit)
        return energy

    optimiser = _optimiser(unknowns, method, learning_rate)
    for iteration in range(iterations):
        energy = float(optimiser.step(closure))
        report.energies.append(energy)
        if on_step is not None:
            on_step(iteration, energy)
    step = unknowns.detach().numpy() * unit
    x = problem.stepped(start, step[: n * p].reshape(n, p), step[n * p :])
    report.energies.append(problem.energy(x))
    return x, report


def _optimiser(
    unknowns: torch.Tensor, method: Literal["lbfgs", "adam"], learning_rate: float | None
) -> torch.optim.Optimizer:
    import torch

    if method == "adam":
        return torch.optim.Adam([unknowns], lr=learning_rate or 0.05)
    return torch.optim.LBFGS(
        [unknowns],
        lr=learning_rate or 1.0,
        max_iter=_INNER,
        history_size=100,
        line_search_fn="strong_wolfe",
    )


def _evaluated(
    problem: Problem[X], start: X, step: Float[Array, "u"], n: int, p: int
) -> tuple[float, Float[Array, "u"]]:
    """Energy and its gradient with respect to a step from the start."""
    frames = step[: n * p].reshape(n, p)
    at = problem.linearise(problem.stepped(start, frames, step[n * p :]))
    pulled = problem.pulled_back(frames, at.gradient)
    return at.energy, np.concatenate((pulled.ravel(), at.border_gradient))
