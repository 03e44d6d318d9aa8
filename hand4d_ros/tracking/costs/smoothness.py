"""Smooth motion in the world (Dyn-HaMR, L_smooth): finite differences over neighbouring frames."""

from __future__ import annotations

import numpy as np

from hand4d_ros.shapes import Array, Float, Int


def stencil(stamps_ns: Int[Array, "t"], order: int) -> Float[Array, "r k"]:
    """Coefficients of the derivative of some order over neighbouring frames, any steps of time.

    Row i applies to frames i, i+1, ..., i+order, so there are order fewer rows than frames, of
    order + 1 coefficients; the derivative is per second to the order.
    Source: divided differences times the factorial of the order.

    Args:
        stamps_ns: Rising capture times.
        order: 1 for velocity, 2 for acceleration, 3 for jerk.
    """
    t = (stamps_ns - stamps_ns[0]) * 1e-9
    rows = max(len(t) - order, 0)
    window = t[np.arange(rows)[:, None] + np.arange(order + 1)]
    apart = window[:, :, None] - window[:, None, :]
    apart[:, np.arange(order + 1), np.arange(order + 1)] = 1.0
    factorial = float(np.prod(np.arange(1, order + 1)))
    return factorial / apart.prod(axis=2)


def differences(
    values: Float[Array, "t d"],
    jacobian: Float[Array, "t d p"],
    coefficients: Float[Array, "r k"],
) -> tuple[Float[Array, "r d"], Float[Array, "r d k p"]]:
    """Derivative over time of any function of each frame's unknowns.

    Args:
        values: The function, such as the 63 coordinates of the keypoints in the world.
        jacobian: Its derivative with respect to the unknowns of its own frame.
        coefficients: Of ``stencil``, divided by a deviation.

    Returns:
        One residual a row of coefficients, and its derivative with respect to the unknowns of
        each of the k frames that it spans.
    """
    rows, width = coefficients.shape
    spans = np.arange(rows)[:, None] + np.arange(width)
    residual = np.einsum("rk,rkd->rd", coefficients, values[spans])
    slope = jacobian[spans] * coefficients[:, :, None, None]
    return residual, np.swapaxes(slope, 1, 2)


def over_size(
    residual: Float[Array, "r d"], by_log_size: Float[Array, "r d"], size: float
) -> tuple[Float[Array, "r d"], Float[Array, "r d"]]:
    """Measure motion in sizes of the hand, so that a smaller hand is not a smoother one.

    An image fixes a hand's place up to its size: a hand that is s times as large is s times as
    far away and moves s times as fast. A prior on metres per second would therefore shrink every
    hand; relative to its size the motion says nothing about s but through the camera's own travel,
    which is the information that is wanted: the regression of the hand's apparent motion on the
    camera's known one.

    Args:
        residual: Derivative of places over time.
        by_log_size: Its derivative with respect to the logarithm of the size.
        size: Of the hand, relative to that of the first guess.

    Returns:
        The residual over the size, and the derivative of that.
    """
    return residual / size, (by_log_size - residual) / size
