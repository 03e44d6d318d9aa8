"""Small regressions: ridge, logistic, and the decay of a correlation."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.optimize import least_squares

from hand4d_ros.shapes import Array, Float

_RIDGE = 0.01
"""Weight of the prior in linear regressions, as a share of the data's."""
_LOGISTIC_RIDGE = 4.0
"""Weight of the prior in logistic regressions, in rows."""
_STEPS = 60


def linear(
    x: Float[Array, "n m"], y: Float[Array, "n"], prior: Float[Array, "m"] | None = None
) -> Float[Array, "m"]:
    """Least squares that is drawn to a prior where the data do not say much.

    Args:
        x: Regressors; the first is constant and is not drawn.
        y: Values.
        prior: Coefficients to be drawn to; zero if None.
    """
    start = np.zeros(x.shape[1]) if prior is None else prior
    ridge = _RIDGE * len(x) * x.var(0) + 1e-6
    step = np.linalg.solve(x.T @ x + np.diag(ridge), x.T @ (y - x @ start))
    return start + step


def logistic(x: Float[Array, "n m"], y: Float[Array, "n"]) -> Float[Array, "m"]:
    """Maximum likelihood of log odds, with a weak pull of all but the constant to zero.

    Args:
        x: Regressors; the first is constant.
        y: 0 or 1.
    """
    ridge = _LOGISTIC_RIDGE * x.var(0) + 1e-3
    b = np.zeros(x.shape[1])
    for _ in range(_STEPS):
        p = 1.0 / (1.0 + np.exp(-np.clip(x @ b, -30.0, 30.0)))
        weight = p * (1.0 - p)
        slope = x.T @ (y - p) - ridge * b
        curve = (x * weight[:, None]).T @ x + np.diag(ridge)
        step = np.linalg.solve(curve, slope)
        b = b + step * min(1.0, 3.0 / max(float(np.abs(step).max()), 1e-9))
    return b


@dataclass(frozen=True)
class Pairs:
    """How alike the scores of a number are in two frames."""

    likeness: Float[Array, "n"]
    elapsed_s: Float[Array, "n"]
    change: Float[Array, "n"]
    weight: Float[Array, "n"]


def decay(pairs: Pairs) -> Float[Array, "3"]:
    """Fit how the correlation of a number with itself decays.

    It is ``share exp(-elapsed / time - change / length)``.

    Args:
        pairs: Likeness, whose mean is the correlation.

    Returns:
        Share, time constant (s) and length of change.
    """
    root = np.sqrt(pairs.weight)

    def miss(logs: Array) -> Array:
        share = 1.0 / (1.0 + np.exp(-logs[0]))
        fade = pairs.elapsed_s * np.exp(-logs[1]) + pairs.change * np.exp(-logs[2])
        return np.asarray(root * (share * np.exp(-fade) - pairs.likeness))

    start = np.array([2.0, 1.0, -1.0])
    found = least_squares(miss, start, bounds=([-4.0, -4.0, -4.0], [7.0, 4.0, 4.0])).x
    share = 1.0 / (1.0 + np.exp(-found[0]))
    return np.array([share, np.exp(found[1]), np.exp(found[2])])
