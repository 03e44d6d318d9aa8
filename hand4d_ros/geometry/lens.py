"""Lenses: points in camera axes to normalised image coordinates (pixels before the intrinsics).

Three lenses behind one interface. Each knows its field: the part of space where the image moves
outwards when the point does. A distortion polynomial is fitted inside the image only; beyond
its field it folds back and would put a point from outside into the middle of the image, so
such points give NaN. Points behind a pinhole give NaN too; an equidistant lens may see them.

Sources: Brown, "Decentering distortion of lenses", Photogrammetric Engineering 32(3), 1966, in
the form of ROS REP 104 and OpenCV; Kannala and Brandt, "A generic camera model and calibration
method for conventional, wide-angle, and fish-eye lenses", PAMI 28(8), 2006.
"""

from __future__ import annotations

from typing import Protocol, runtime_checkable

import numpy as np
from numpy.polynomial import polynomial

from hand4d_ros.shapes import Array, Float

_Reals = Array | np.float64
"""One number for each point; numpy makes a scalar of it where there is a single point."""

_MIN_DEPTH_M = 1e-9
_TABLE_SIZE = 512
_WIDEST_PINHOLE_RAD = np.deg2rad(89.5)
_ITERATIONS = 20
_CONVERGED = 1e-12
"""Residual in normalised image coordinates at which an inversion stops."""
_ACCEPTED = 1e-9
"""Largest residual of an inversion that is let through: 1e-6 px at a focal length of 1000 px."""


@runtime_checkable
class Lens(Protocol):
    """What a camera model needs to know about its lens."""

    def image(self, p: Float[Array, "*batch 3"]) -> Float[Array, "*batch 2"]:
        """Normalised image coordinates of points (m); NaN outside of the field."""
        ...

    def image_with_jacobian(
        self, p: Float[Array, "*batch 3"]
    ) -> tuple[Float[Array, "*batch 2"], Float[Array, "*batch 2 3"]]:
        """``image`` and its derivative with respect to the points (1/m)."""
        ...

    def bearing(self, xy: Float[Array, "*batch 2"]) -> Float[Array, "*batch 3"]:
        """Unit vectors that ``image`` maps to ``xy``; NaN where there is none."""
        ...


def _depth(p: Float[Array, "*batch 3"]) -> Array:
    """Depth (m), NaN at and behind the pinhole, which then spreads without a warning."""
    z = p[..., 2]
    return np.where(z > _MIN_DEPTH_M, z, np.nan)


def _unit(x: _Reals, y: _Reals) -> Float[Array, "*batch 3"]:
    """Unit vectors along (x, y, 1)."""
    v = np.stack([x, y, np.ones_like(x)], axis=-1)
    unit: Array = v / np.linalg.norm(v, axis=-1, keepdims=True)
    return unit


class PinholeLens:
    """No distortion at all: the image is (X/Z, Y/Z)."""

    def image(self, p: Float[Array, "*batch 3"]) -> Float[Array, "*batch 2"]:
        """Normalised image coordinates of points (m); NaN behind the camera."""
        xy: Array = p[..., :2] / _depth(p)[..., None]
        return xy

    def image_with_jacobian(
        self, p: Float[Array, "*batch 3"]
    ) -> tuple[Float[Array, "*batch 2"], Float[Array, "*batch 2 3"]]:
        """``image`` and its derivative with respect to the points (1/m)."""
        inverse = 1.0 / _depth(p)
        xy = p[..., :2] * inverse[..., None]
        J = np.zeros((*xy.shape, 3))
        J[..., 0, 0] = inverse
        J[..., 1, 1] = inverse
        J[..., 2] = -xy * inverse[..., None]
        return xy, J

    def bearing(self, xy: Float[Array, "*batch 2"]) -> Float[Array, "*batch 3"]:
        """Unit vectors that ``image`` maps to ``xy``."""
        return _unit(xy[..., 0], xy[..., 1])


class PolynomialLens:
    """Radial polynomial, or ratio of two, with tangential terms (plumb_bob and rational).

    With x = X/Z, y = Y/Z and s = x^2 + y^2 the image is
    ``x g + 2 p1 x y + p2 (s + 2 x^2)``, ``y g + p1 (s + 2 y^2) + 2 p2 x y``,
    ``g = (1 + k1 s + k2 s^2 + k3 s^3) / (1 + k4 s + k5 s^2 + k6 s^3)``.
    """

    def __init__(self, k1: float, k2: float, p1: float, p2: float, *k3_to_k6: float) -> None:
        """Take the coefficients in OpenCV's order: k1, k2, p1, p2, k3, k4, k5, k6."""
        k3, k4, k5, k6 = (*k3_to_k6, 0.0, 0.0, 0.0, 0.0)[:4]
        self._k = (k1, k2, k3)
        self._d = (k4, k5, k6) if any((k4, k5, k6)) else None
        self._p = (p1, p2)
        self._field = self._radial_field()
        if p1 or p2:
            self._field = self._tangential_field()
        widest = min(np.arctan(np.sqrt(self._field)), _WIDEST_PINHOLE_RAD)
        self._radii = np.tan(np.linspace(0.0, widest, _TABLE_SIZE))
        self._images = self._radii * self._gain(self._radii**2)[0]

    @property
    def field(self) -> float:
        """Square of the distance X^2 + Y^2 at Z = 1 beyond which there is no image."""
        return self._field

    def image(self, p: Float[Array, "*batch 3"]) -> Float[Array, "*batch 2"]:
        """Normalised image coordinates of points (m); NaN outside of the field."""
        xy = p[..., :2] / _depth(p)[..., None]
        return self._distort(xy[..., 0], xy[..., 1])

    def image_with_jacobian(
        self, p: Float[Array, "*batch 3"]
    ) -> tuple[Float[Array, "*batch 2"], Float[Array, "*batch 2 3"]]:
        """``image`` and its derivative with respect to the points (1/m)."""
        inverse = 1.0 / _depth(p)
        xy = p[..., :2] * inverse[..., None]
        image, (xx, xy_term, yy) = self._distort_with_derivative(xy[..., 0], xy[..., 1])
        J = np.empty((*xy.shape, 3))
        J[..., 0, 0] = xx * inverse
        J[..., 0, 1] = J[..., 1, 0] = xy_term * inverse
        J[..., 1, 1] = yy * inverse
        J[..., 2] = -(J[..., 0] * xy[..., :1] + J[..., 1] * xy[..., 1:])
        return image, J

    def bearing(self, xy: Float[Array, "*batch 2"]) -> Float[Array, "*batch 3"]:
        """Unit vectors that ``image`` maps to ``xy``: Newton from a table of the radial part."""
        target = np.asarray(xy, dtype=np.float64)
        radius = np.hypot(target[..., 0], target[..., 1])
        start = np.interp(radius, self._images, self._radii) / np.maximum(radius, 1e-300)
        start = np.where(radius > 0.0, start, 1.0)
        x, y = target[..., 0] * start, target[..., 1] * start
        with np.errstate(all="ignore"):  # Points outside of the field diverge and end as NaN.
            for _ in range(_ITERATIONS):
                image, (xx, xy_term, yy) = self._distort_with_derivative(x, y)
                dx, dy = image[..., 0] - target[..., 0], image[..., 1] - target[..., 1]
                determinant = xx * yy - xy_term * xy_term
                x = x - (yy * dx - xy_term * dy) / determinant
                y = y - (xx * dy - xy_term * dx) / determinant
                if not np.any(np.maximum(np.abs(dx), np.abs(dy)) > _CONVERGED):
                    break
            residual = np.abs(self._distort(x, y) - target).max(axis=-1)
        good = residual < _ACCEPTED
        return _unit(np.where(good, x, np.nan), np.where(good, y, np.nan))

    def _gain(self, s: _Reals) -> tuple[_Reals, _Reals]:
        """Radial factor g and its derivative with respect to s."""
        k1, k2, k3 = self._k
        g = 1.0 + s * (k1 + s * (k2 + s * k3))
        dg = k1 + s * (2.0 * k2 + s * (3.0 * k3))
        if self._d is not None:
            k4, k5, k6 = self._d
            inverse = 1.0 / (1.0 + s * (k4 + s * (k5 + s * k6)))
            g = g * inverse
            dg = (dg - g * (k4 + s * (2.0 * k5 + s * (3.0 * k6)))) * inverse
        return g, dg

    def _distort(self, x: _Reals, y: _Reals) -> Float[Array, "*batch 2"]:
        return self._distort_with_derivative(x, y)[0]

    def _distort_with_derivative(
        self, x: _Reals, y: _Reals
    ) -> tuple[Float[Array, "*batch 2"], tuple[_Reals, _Reals, _Reals]]:
        """Distorted image and the three distinct entries of its symmetric 2x2 derivative."""
        s = x * x + y * y
        g, dg = self._gain(np.where(s < self._field, s, np.nan))
        twice = 2.0 * dg
        xd, yd = x * g, y * g
        xx, xy, yy = g + twice * x * x, twice * x * y, g + twice * y * y
        p1, p2 = self._p
        if p1 or p2:
            a, b = 2.0 * p1, 2.0 * p2
            along = a * y + b * x
            xd, yd = xd + x * along + p2 * s, yd + y * along + p1 * s
            xx, xy, yy = xx + along + 2.0 * b * x, xy + a * x + b * y, yy + along + 2.0 * a * y
        return np.stack([xd, yd], axis=-1), (xx, xy, yy)

    def _radial_field(self) -> float:
        """Smallest s at which r g(s) stops growing or its denominator vanishes."""
        numerator = np.array([1.0, *self._k])
        denominator = np.array([1.0, *(self._d or (0.0, 0.0, 0.0))])
        # d(r N/D)/dr = (N D + 2 s (N' D - N D')) / D^2 with s = r^2.
        slope = polynomial.polysub(
            polynomial.polymul(polynomial.polyder(numerator), denominator),
            polynomial.polymul(numerator, polynomial.polyder(denominator)),
        )
        growth = polynomial.polyadd(
            polynomial.polymul(numerator, denominator), polynomial.polymul([0.0, 2.0], slope)
        )
        return min(_smallest_positive_root(growth), _smallest_positive_root(denominator))

    def _tangential_field(self) -> float:
        """Field with the tangential terms: where the derivative's determinant first vanishes."""
        widest = min(np.arctan(np.sqrt(self._field)), _WIDEST_PINHOLE_RAD)
        radius = np.tan(np.linspace(0.0, widest, _TABLE_SIZE, endpoint=False))[:, None]
        azimuth = np.linspace(0.0, 2.0 * np.pi, 64, endpoint=False)
        _, (xx, xy, yy) = self._distort_with_derivative(
            radius * np.cos(azimuth), radius * np.sin(azimuth)
        )
        folded = np.flatnonzero((xx * yy - xy * xy <= 0.0).any(axis=-1))
        return float(radius[folded[0] - 1, 0] ** 2) if folded.size else self._field


class EquidistantLens:
    """Fisheye after Kannala and Brandt: the radius of the image is a polynomial of the angle.

    With t the angle from the optical axis the radius is
    ``t (1 + k1 t^2 + k2 t^4 + k3 t^6 + k4 t^8)``, which sees past 90 degrees.
    """

    def __init__(self, k1: float, k2: float, k3: float, k4: float) -> None:
        """Take the coefficients in the order of ROS and OpenCV's fisheye module."""
        self._k = (k1, k2, k3, k4)
        self._distorted = any(self._k)
        turning = _smallest_positive_root(np.array([1.0, 3.0 * k1, 5.0 * k2, 7.0 * k3, 9.0 * k4]))
        self._field = min(float(np.sqrt(turning)), np.pi)
        self._angles = np.linspace(0.0, self._field, _TABLE_SIZE)
        self._radii = self._radius(self._angles)[0]

    @property
    def field(self) -> float:
        """Angle from the optical axis (rad) beyond which there is no image."""
        return self._field

    def image(self, p: Float[Array, "*batch 3"]) -> Float[Array, "*batch 2"]:
        """Normalised image coordinates of points (m); NaN outside of the field."""
        x, y, z = p[..., 0], p[..., 1], p[..., 2]
        across = np.sqrt(x * x + y * y + 1e-300)
        radius, _ = self._radius(self._angle(across, z))
        xy: Array = p[..., :2] * (radius / across)[..., None]
        return xy

    def image_with_jacobian(
        self, p: Float[Array, "*batch 3"]
    ) -> tuple[Float[Array, "*batch 2"], Float[Array, "*batch 2 3"]]:
        """``image`` and its derivative with respect to the points (1/m)."""
        xy, x, y, z = p[..., :2], p[..., 0], p[..., 1], p[..., 2]
        # The tiny addend keeps points on the axis finite: what it divides is multiplied by
        # x or y, which are zero there.
        across2 = x * x + y * y + 1e-300
        across = np.sqrt(across2)
        radius, slope = self._radius(self._angle(across, z))
        scale = radius / across
        along = slope / (across2 + z * z)
        curve = (along * z - scale) / across2
        J = np.empty((*xy.shape, 3))
        xc = x * curve
        J[..., 0, 0] = scale + x * xc
        J[..., 0, 1] = J[..., 1, 0] = y * xc
        J[..., 1, 1] = scale + y * y * curve
        J[..., 2] = -xy * along[..., None]
        return xy * scale[..., None], J

    def bearing(self, xy: Float[Array, "*batch 2"]) -> Float[Array, "*batch 3"]:
        """Unit vectors that ``image`` maps to ``xy``: Newton in the angle from a table."""
        target = np.asarray(xy, dtype=np.float64)
        radius = np.hypot(target[..., 0], target[..., 1])
        angle = np.interp(radius, self._radii, self._angles)
        with np.errstate(all="ignore"):  # Points outside of the field diverge and end as NaN.
            for _ in range(_ITERATIONS if self._distorted else 0):
                value, slope = self._radius(angle)
                angle = angle - (value - radius) / slope
                if not np.any(np.abs(value - radius) > _CONVERGED):
                    break
            residual = np.abs(self._radius(angle)[0] - radius)
        good = (residual < _ACCEPTED) & (angle < self._field) & (angle >= 0.0)
        angle = np.where(good, angle, np.nan)
        sine = np.sin(angle) / np.where(radius > 0.0, radius, 1.0)
        return np.concatenate([target * sine[..., None], np.cos(angle)[..., None]], axis=-1)

    def _angle(self, across: _Reals, z: _Reals) -> Array:
        """Angle from the axis (rad), NaN outside of the field and at the centre itself."""
        angle = np.arctan2(across, z)
        seen = (angle < self._field) & (across + np.abs(z) > _MIN_DEPTH_M)
        return np.where(seen, angle, np.nan)

    def _radius(self, angle: _Reals) -> tuple[_Reals, _Reals | float]:
        """Radius in the image and its derivative with respect to the angle."""
        if not self._distorted:
            return angle, 1.0
        k1, k2, k3, k4 = self._k
        s = angle * angle
        radius = angle * (1.0 + s * (k1 + s * (k2 + s * (k3 + s * k4))))
        slope = 1.0 + s * (3.0 * k1 + s * (5.0 * k2 + s * (7.0 * k3 + s * (9.0 * k4))))
        return radius, slope


def _smallest_positive_root(coefficients: Float[Array, " n"]) -> float:
    """Smallest positive real root of a polynomial, lowest power first; infinity if none."""
    # A coefficient this small changes nothing within 89.5 degrees, but overflows the root finder.
    trimmed = polynomial.polytrim(coefficients, tol=1e-30)
    roots = polynomial.polyroots(trimmed)
    real = roots.real[(np.abs(roots.imag) <= 1e-9 * np.abs(roots)) & (roots.real > 0.0)]
    return float(real.min()) if real.size else np.inf
