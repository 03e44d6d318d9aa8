"""Closed-form alignments of one point set to another, in batches.

All four solve the same weighted least squares, over fewer and fewer unknowns::

    min over (s, R, t) of  sum_i w_i | target_i - (s R source_i + t) |^2

``similarity`` solves for s, R and t, ``rigid`` for R and t, ``scale`` for s alone (about the
origin, which is the camera's centre for points in camera axes) and ``translation`` for t alone.

Source: S. Umeyama, "Least-squares estimation of transformation parameters between two point
patterns", IEEE PAMI 13(4), 1991, equations 34 to 43, with the weights carried through.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from hand4d_ros.errors import MetricError
from hand4d_ros.shapes import Array, Float

COLLINEAR_RATIO = 1e-9
"""Points lie on a line where the cross-covariance's second singular value is below this share
of its first (it goes with the square of the points' thickness)."""


@dataclass(frozen=True)
class Alignment:
    """The map ``p -> scale * rotation @ p + translation``, one for each batch element."""

    scale: Float[Array, "*batch"]
    rotation: Float[Array, "*batch 3 3"]
    """Proper rotations: determinant +1, never a reflection."""
    translation: Float[Array, "*batch 3"]
    """In the units of the target."""

    def apply(self, points: Float[Array, "*batch n 3"]) -> Float[Array, "*batch n 3"]:
        """Map points, batch element by batch element.

        Args:
            points: Shape (*batch, n, 3); n may differ from that of the fit.
        """
        turned = points @ np.swapaxes(self.rotation, -1, -2)
        scaled: Float[Array, "*batch n 3"] = self.scale[..., None, None] * turned
        shift: Float[Array, "*batch 1 3"] = self.translation[..., None, :]
        moved: Float[Array, "*batch n 3"] = scaled + shift
        return moved


def similarity(
    source: Float[Array, "*batch n 3"],
    target: Float[Array, "*batch n 3"],
    weights: Float[Array, "*batch n"] | None = None,
    *,
    unique: bool = True,
) -> Alignment:
    """Scale, rotation and translation that bring ``source`` closest to ``target``.

    Args:
        source: Points to move, shape (*batch, n, 3).
        target: Where they should be, same shape.
        weights: Non-negative, 0 leaves a point out; None weighs all points alike.
        unique: Refuse points that leave the answer open (all on one line), as anyone must who
            applies the map to other points than these. With False one of the equally good
            answers is returned, which is enough to measure the residual of these points.

    Raises:
        MetricError: Shapes differ, a value is not finite, a weight is negative, fewer than
            three points have weight, or ``unique`` and the points do not fix the map.
    """
    return _procrustes(source, target, weights, unique=unique, with_scale=True)


def rigid(
    source: Float[Array, "*batch n 3"],
    target: Float[Array, "*batch n 3"],
    weights: Float[Array, "*batch n"] | None = None,
    *,
    unique: bool = True,
) -> Alignment:
    """Rotation and translation that bring ``source`` closest to ``target``; scale stays 1.

    Args:
        source: Points to move, shape (*batch, n, 3).
        target: Where they should be, same shape.
        weights: Non-negative, 0 leaves a point out; None weighs all points alike.
        unique: As for ``similarity``.

    Raises:
        MetricError: As for ``similarity``.
    """
    return _procrustes(source, target, weights, unique=unique, with_scale=False)


def scale(
    source: Float[Array, "*batch n 3"],
    target: Float[Array, "*batch n 3"],
    weights: Float[Array, "*batch n"] | None = None,
) -> Alignment:
    """Scale about the origin that brings ``source`` closest to ``target``.

    The closed form is ``s = sum w x.y / sum w x.x``. It takes out the one unknown of a
    monocular reconstruction when the origin is the camera's centre.

    Args:
        source: Points to move, shape (*batch, n, 3).
        target: Where they should be, same shape.
        weights: Non-negative, 0 leaves a point out; None weighs all points alike.

    Raises:
        MetricError: Shapes differ, a value is not finite, a weight is negative, no point has
            weight, or all weighted source points are the origin.
    """
    share, source, target = _checked(source, target, weights, least=1)
    square = np.sum(share * np.sum(source * source, axis=-1), axis=-1)
    if np.any(square <= 0.0):
        msg = "scale alignment: all source points are the origin, so no scale moves them"
        raise MetricError(msg)
    factor = np.asarray(np.sum(share * np.sum(source * target, axis=-1), axis=-1) / square)
    batch = factor.shape
    return Alignment(factor, np.broadcast_to(np.eye(3), (*batch, 3, 3)), np.zeros((*batch, 3)))


def translation(
    source: Float[Array, "*batch n 3"],
    target: Float[Array, "*batch n 3"],
    weights: Float[Array, "*batch n"] | None = None,
) -> Alignment:
    """Translation that brings ``source`` closest to ``target``: the difference of the means.

    Args:
        source: Points to move, shape (*batch, n, 3).
        target: Where they should be, same shape.
        weights: Non-negative, 0 leaves a point out; None weighs all points alike.

    Raises:
        MetricError: Shapes differ, a value is not finite, a weight is negative or no point has
            weight.
    """
    share, source, target = _checked(source, target, weights, least=1)
    shift = np.einsum("...n,...nd->...d", share, target - source)
    batch = shift.shape[:-1]
    return Alignment(np.ones(batch), np.broadcast_to(np.eye(3), (*batch, 3, 3)), shift)


def _procrustes(
    source: Float[Array, "*batch n 3"],
    target: Float[Array, "*batch n 3"],
    weights: Float[Array, "*batch n"] | None,
    *,
    unique: bool,
    with_scale: bool,
) -> Alignment:
    """Umeyama's solution; see the module's docstring."""
    share, source, target = _checked(source, target, weights, least=3)
    source_mean = np.einsum("...n,...nd->...d", share, source)
    target_mean = np.einsum("...n,...nd->...d", share, target)
    source_centred = source - source_mean[..., None, :]
    target_centred = target - target_mean[..., None, :]
    covariance = np.einsum("...n,...ni,...nj->...ij", share, target_centred, source_centred)
    u, singular, vt = np.linalg.svd(covariance)
    if unique and np.any(singular[..., 1] <= COLLINEAR_RATIO * singular[..., 0]):
        msg = (
            "alignment: the points lie on one line or in one place, which leaves the rotation "
            "open; give points that span a plane, or unique=False to measure their residual only"
        )
        raise MetricError(msg)
    # The smallest singular direction is flipped where the best orthogonal matrix would be a
    # reflection (Umeyama, equation 43).
    sign = np.ones(singular.shape)
    sign[..., 2] = np.where(np.linalg.det(u) * np.linalg.det(vt) < 0.0, -1.0, 1.0)
    rotation = (u * sign[..., None, :]) @ vt
    factor = np.ones(singular.shape[:-1])
    if with_scale:
        variance = np.einsum("...n,...nd->...", share, source_centred**2)
        spread = np.sum(singular * sign, axis=-1)
        factor = np.divide(spread, variance, out=factor, where=variance > 0.0)
    shift = target_mean - factor[..., None] * np.einsum("...ij,...j->...i", rotation, source_mean)
    return Alignment(factor, rotation, shift)


def _checked(
    source: Float[Array, "..."],
    target: Float[Array, "..."],
    weights: Float[Array, "..."] | None,
    *,
    least: int,
) -> tuple[Float[Array, "*batch n"], Float[Array, "*batch n 3"], Float[Array, "*batch n 3"]]:
    """Weights that sum to one and the points, with those of weight 0 set to 0.

    The zeros matter because a point left out may well be NaN, and 0 times NaN is NaN.
    """
    if source.shape != target.shape or source.ndim < 2 or source.shape[-1] != 3:
        msg = f"alignment: source {source.shape} and target {target.shape} must both be (..., n, 3)"
        raise MetricError(msg)
    share = np.ones(source.shape[:-1]) if weights is None else weights
    if share.shape != source.shape[:-1] or not np.all(share >= 0.0):
        msg = f"alignment: weights must be non-negative, of shape {source.shape[:-1]}"
        raise MetricError(msg)
    used = share > 0.0
    count = int(np.min(np.sum(used, axis=-1), initial=share.shape[-1]))
    if count < least:
        msg = f"alignment: {count} weighted points given, at least {least} needed"
        raise MetricError(msg)
    if not (np.all(np.isfinite(source[used])) and np.all(np.isfinite(target[used]))):
        msg = "alignment: points hold NaN or infinity; give them weight 0 or leave them out"
        raise MetricError(msg)
    keep = used[..., None]
    return (
        share / np.sum(share, axis=-1, keepdims=True),
        np.where(keep, source, 0.0),
        np.where(keep, target, 0.0),
    )
