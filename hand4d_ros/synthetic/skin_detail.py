"""Creases of the skin as two pictures, of the palm and of the back, seen flat from above.

The rest pose is flat, so a vertex's place in them is its own x and z at rest. Where the creases
run is textbook anatomy (Standring, "Gray's Anatomy", 41st ed., ch. 50): flexion creases across
the fingers' joints, the two transverse lines and the thenar line of the palm, wrist creases;
on the back wrinkles over the joints and tendons that fan out to the knuckles.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from hand4d_ros.hand.model import HandModel
from hand4d_ros.hand.orders import TIP_PARENTS
from hand4d_ros.shapes import Array, Float
from hand4d_ros.types import Side

LOW_M = (-0.22, -0.11)
"""Least x and z of the pictures, in the axes of a right hand."""
SIZE_M = (0.28, 0.22)
"""Extent along x and z."""
_CELL_M = 0.0006
_CURVE_STEPS = 140
_FOLD_M = 0.0006
"""Width of the folds across fingers."""


@dataclass(frozen=True)
class _Sheet:
    """A picture that soft strokes are drawn into, each only where it is."""

    values: Float[Array, "h w"]

    @staticmethod
    def blank() -> _Sheet:
        columns, rows = (round(size / _CELL_M) for size in SIZE_M)
        return _Sheet(np.zeros((rows, columns)))

    def _window(
        self, low: Float[Array, "2"], high: Float[Array, "2"]
    ) -> tuple[tuple[slice, slice], Float[Array, "h w 2"]]:
        """Return the cells of a rectangle of x and z, and where they are."""
        first = np.floor((low - np.array(LOW_M)) / _CELL_M).astype(int).clip(0)
        last = np.ceil((high - np.array(LOW_M)) / _CELL_M).astype(int).clip(0)
        rows, columns = self.values.shape
        column = np.arange(first[0], min(last[0] + 1, columns))
        row = np.arange(first[1], min(last[1] + 1, rows))
        place = np.stack(np.meshgrid(column, row), -1) * _CELL_M + np.array(LOW_M)
        return (slice(first[1], row[-1] + 1), slice(first[0], column[-1] + 1)), place

    def line(self, curve: Float[Array, "n 2"], width_m: float, depth: float) -> None:
        """Draw along a curve, fading at its ends."""
        reach = 4 * width_m
        window, place = self._window(curve.min(0) - reach, curve.max(0) + reach)
        square = ((place[:, :, None] - curve) ** 2).sum(-1)
        share = np.linspace(0.0, 1.0, len(curve))
        fade = 0.35 + 0.65 * np.sin(np.pi * (0.12 + 0.76 * share))
        self.values[window] += depth * (fade * np.exp(-0.5 * square / width_m**2)).max(-1)

    def fold(
        self, centre: Float[Array, "2"], along: Float[Array, "2"], half_m: float, depth: float
    ) -> None:
        """Draw across a finger that runs along a unit vector."""
        window, place = self._window(centre - 1.5 * half_m, centre + 1.5 * half_m)
        lengthwise = (place - centre) @ along
        sideways = (place - centre) @ np.array([-along[1], along[0]])
        self.values[window] += depth * np.exp(
            -0.5 * (lengthwise / _FOLD_M) ** 2 - 0.5 * (sideways / (0.6 * half_m)) ** 4
        )


def detail_maps(model: HandModel) -> Float[Array, "2 h w"]:
    """Paint the creases of a hand: palm, then back; rows run along z, columns along x.

    Returns:
        How much darker the skin is, 0 for none, about 1 in the deepest crease; tendons are
        lighter than the skin about them, so negative.
    """
    mirror = np.array([-1.0, 1.0, 1.0]) if model.side is Side.LEFT else np.ones(3)
    joints = ((model.joints_m - model.joints_m[0]) * mirror)[:, [0, 2]]
    tips = ((model.template_m[model.tip_vertices] - model.joints_m[0]) * mirror)[:, [0, 2]]
    palm, back = _Sheet.blank(), _Sheet.blank()
    for finger in range(5):
        last = TIP_PARENTS[finger]
        chain = np.concatenate((joints[[last - 2, last - 1, last]], tips[finger : finger + 1]))
        _paint_finger(chain, palm, back, thumb=finger == 0)
    for curve in _palm_lines(joints):
        palm.line(curve, 0.0008, 0.85)
    for knuckle in joints[[1, 4, 7, 10]]:
        start = 0.25 * knuckle + np.array([-0.006, 0.0])
        tendon = start + np.linspace(0, 1, _CURVE_STEPS)[:, None] * (knuckle - start)
        back.line(tendon, 0.0022, -0.35)
    return np.stack((palm.values, back.values)).clip(-0.4, 1.2)


def _paint_finger(chain: Float[Array, "4 2"], palm: _Sheet, back: _Sheet, *, thumb: bool) -> None:
    """Add the creases across one finger; ``chain`` is its joints and tip."""
    for joint in (1, 2):
        along = chain[joint + 1] - chain[joint - 1]
        along = along / np.linalg.norm(along)
        half = 0.0095 if joint == 1 or thumb else 0.008
        # The skin folds a little on the near side of the joint on the palm.
        folds = (-0.0012, 0.0014) if joint == 1 else (0.0,)
        for shift in folds:
            palm.fold(chain[joint] + shift * along, along, half, 0.75)
        spread = (-0.0045, -0.0022, 0.0, 0.0022, 0.0045) if joint == 1 else (-0.0015, 0.0012)
        for shift in spread:
            weight = 0.55 * float(np.exp(-((shift / 0.004) ** 2)))
            back.fold(chain[joint] + shift * along, along, 0.7 * half, weight)
    if not thumb:
        bone = chain[1] - chain[0]
        base = chain[0] + 0.48 * bone
        palm.fold(base, bone / np.linalg.norm(bone), 0.0095, 0.8)


def _palm_lines(joints: Float[Array, "16 2"]) -> list[Float[Array, "n 2"]]:
    """Return the lines of the palm and of the wrist as curves in x and z (m)."""
    index, middle, little = joints[1], joints[4], joints[7]
    radial = index + _xz(24.0, 14.0)
    between = 0.5 * (little + middle), 0.5 * (index + middle)
    heart = _bezier(
        little + _xz(18.0, -10.0),
        between[0] + _xz(30.0, 0.0),
        middle + _xz(16.0, 2.0),
        between[1] + _xz(4.0, 0.0),
    )
    head = _bezier(
        radial, middle + _xz(34.0, 10.0), middle + _xz(38.0, -10.0), little + _xz(36.0, 4.0)
    )
    life = _bezier(radial, radial + _xz(10.0, -22.0), _xz(-40.0, 4.0), _xz(-8.0, 8.0))
    wrist = [_bezier(*(_xz(x, z) for z in (-22.0, -6.0, 10.0, 26.0))) for x in (-1.0, 9.0)]
    return [heart, head, life, *wrist]


def _xz(x_mm: float, z_mm: float) -> Float[Array, "2"]:
    return np.array([x_mm, z_mm]) / 1000.0


def _bezier(*corners: Float[Array, "2"]) -> Float[Array, "n 2"]:
    t = np.linspace(0.0, 1.0, _CURVE_STEPS)[:, None]
    a, b, c, d = corners
    return np.asarray(
        (1 - t) ** 3 * a + 3 * t * (1 - t) ** 2 * b + 3 * t**2 * (1 - t) * c + t**3 * d
    )
