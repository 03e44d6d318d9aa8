"""The person behind the hands: shoulders, elbows, bare forearms and sleeves."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from hand4d_ros.hand.model import HandModel
from hand4d_ros.shapes import Array, Float
from hand4d_ros.synthetic import mesh
from hand4d_ros.synthetic.skin import SkinTone, arm_albedo
from hand4d_ros.synthetic.surface import Look
from hand4d_ros.synthetic.textures import thing_colour
from hand4d_ros.types import Side

_RINGS, _FOREARM_RINGS, _SEGMENTS = 32, 22, 28
_TUCK_M = 0.010
"""How far the forearm starts inside the end of the hand's mesh."""
_ELBOW_HALF_M = (0.046, 0.042)


@dataclass(frozen=True)
class Body:
    """One seated person; positions in the world."""

    eyes_m: tuple[float, float, float]
    """Between the eyes, at ease."""
    shoulder_m: tuple[float, float, float]
    """Of the right arm; the left one is its mirror image through y = 0."""
    upper_arm_m: float
    forearm_m: float
    tone: SkinTone
    sleeve_start_m: float
    """From the wrist to the cuff along the forearm; above ``forearm_m`` the arm is bare."""
    sleeve_slack_m: float
    """Between skin and cloth."""
    table_m: float
    """Height of the table, which elbows do not sink into."""

    @property
    def is_bare(self) -> bool:
        """Whether no sleeve covers the forearm."""
        return self.sleeve_start_m >= self.forearm_m


def sampled_body(rng: np.random.Generator, tone: SkinTone, table_m: float) -> Body:
    """Draw a person sitting at a table of a height (m)."""
    return Body(
        eyes_m=(float(rng.uniform(-0.02, 0.06)), 0.0, table_m + float(rng.uniform(0.40, 0.50))),
        shoulder_m=(
            float(rng.uniform(-0.12, -0.05)),
            -float(rng.uniform(0.17, 0.21)),
            table_m + float(rng.uniform(0.18, 0.28)),
        ),
        upper_arm_m=float(rng.uniform(0.28, 0.34)),
        forearm_m=float(rng.uniform(0.24, 0.28)),
        tone=tone,
        sleeve_start_m=float(rng.choice([0.04, 0.07, 0.12, 0.5], p=[0.35, 0.25, 0.2, 0.2])),
        sleeve_slack_m=float(rng.uniform(0.006, 0.014)),
        table_m=table_m,
    )


def elbow_m(body: Body, side: Side, T_world_wrist: Float[Array, "4 4"]) -> Float[Array, "3"]:
    """Return where the elbow is: below and outside of the line from shoulder to wrist.

    The triangle of upper arm and forearm fixes its distance from that line; where the wrist is
    too far away, the shoulder follows. It is drawn towards the back of the hand, as wrists bend
    little.
    """
    mirror = np.array([1.0, -1.0 if side is Side.LEFT else 1.0, 1.0])
    wrist = T_world_wrist[:3, 3]
    shoulder = np.array(body.shoulder_m) * mirror
    line = shoulder - wrist
    far = float(np.linalg.norm(line))
    line = line / far
    far = min(far, 0.98 * (body.upper_arm_m + body.forearm_m))
    along = (far**2 + body.forearm_m**2 - body.upper_arm_m**2) / (2 * far)
    aside = np.sqrt(max(body.forearm_m**2 - along**2, 0.0))
    outward = np.array([-0.1, -0.75, -0.65]) * mirror
    outward = outward - line * (outward @ line)
    outward /= np.linalg.norm(outward)
    direct = along * line + aside * outward
    back = T_world_wrist[:3, 0] * (-1.0 if side is Side.LEFT else 1.0)
    mixed = direct / np.linalg.norm(direct) + 0.6 * back
    elbow = wrist + body.forearm_m * mixed / np.linalg.norm(mixed)
    if wrist[2] > body.table_m:
        elbow[2] = max(elbow[2], body.table_m + _ELBOW_HALF_M[1])
    return np.asarray(elbow)


@dataclass(frozen=True)
class WristCut:
    """Where a hand's mesh ends, in the axes of the right wrist."""

    end_m: float
    """How far behind the wrist joint."""
    centre_m: tuple[float, float]
    """Of the cut across (thumbward) and towards the back of the hand."""
    half_m: tuple[float, float]
    """Half axes across and towards the back."""


def wrist_cut(model: HandModel, betas: Float[Array, "10"]) -> WristCut:
    """Measure the end of a hand's mesh."""
    hand = model.with_shape(betas)
    points = hand.template_m - hand.joints_m[0]
    along = points[:, 0] * (-1.0 if model.side is Side.LEFT else 1.0)
    end = float(along.max())
    rim = points[along > end - 0.012]
    low, high = rim.min(0), rim.max(0)
    middle, half = 0.5 * (low + high), 0.5 * (high - low)
    return WristCut(end, (middle[2], middle[1]), (half[2], half[1]))


def _spine(
    body: Body, cut: WristCut, side: Side, T_world_wrist: Float[Array, "4 4"]
) -> tuple[Array, Array, Array, Array]:
    """Return centres, both cross axes of the rings and their distances along the arm.

    The arm leaves the hand along the hand's own axis and bends towards the elbow (a cubic
    Hermite curve), then goes straight to the shoulder.
    """
    sign = -1.0 if side is Side.LEFT else 1.0
    back, dorsal, across = sign * T_world_wrist[:3, 0], T_world_wrist[:3, 1], T_world_wrist[:3, 2]
    elbow = elbow_m(body, side, T_world_wrist)
    start = T_world_wrist[:3, 3] + (cut.end_m - _TUCK_M) * back
    start = start + cut.centre_m[0] * across + cut.centre_m[1] * dorsal
    arm = elbow - start
    share = np.linspace(0.0, 1.0, _FOREARM_RINGS)[:, None] ** 1.25
    lead = 0.35 * np.linalg.norm(arm) * back
    bend = share * (1 - share) ** 2 * lead + share**2 * (share - 1) * arm
    forearm = start + share**2 * (3 - 2 * share) * arm + bend
    shoulder = np.array(body.shoulder_m) * [1.0, sign, 1.0]
    rest = np.linspace(0.0, 1.0, _RINGS - _FOREARM_RINGS + 1)[1:, None]
    centres = np.concatenate((forearm, elbow + rest * (shoulder - elbow)))
    along = np.gradient(centres, axis=0)
    along /= np.linalg.norm(along, axis=-1, keepdims=True)
    side_axis = _unit(across - along * (along @ across)[:, None])
    steps = np.linalg.norm(np.diff(centres, axis=0), axis=-1)
    far = np.concatenate((np.zeros(1), np.cumsum(steps)))[:, None]
    return centres, side_axis, np.cross(along, side_axis), far


def arm_mesh(
    body: Body, cut: WristCut, side: Side, T_world_wrist: Float[Array, "4 4"]
) -> mesh.Mesh:
    """Return the skin of the forearm in the world."""
    centres, across, up, far = _spine(body, cut, side, T_world_wrist)
    radii = _radii(body, cut, far)
    radii[:2] *= np.array([[0.96], [0.998]])
    return mesh.swept(centres, across, up, radii, _SEGMENTS)


def sleeve_mesh(
    body: Body, cut: WristCut, side: Side, T_world_wrist: Float[Array, "4 4"]
) -> mesh.Mesh | None:
    """Return the sleeve in the world, or None for a bare arm."""
    if body.is_bare:
        return None
    centres, across, up, far = _spine(body, cut, side, T_world_wrist)
    rows = np.linspace(body.sleeve_start_m, float(far[-1, 0]), _RINGS)
    where = np.interp(rows, far[:, 0], np.arange(_RINGS))
    lower = np.minimum(where.astype(int), _RINGS - 2)
    part = (where - lower)[:, None]

    def between(values: Array) -> Array:
        return np.asarray(values[lower] * (1 - part) + values[lower + 1] * part)

    folds = 1.0 + 0.025 * np.sin(90.0 * rows) + 0.018 * np.sin(200.0 * rows + 1.0)
    radii = (_radii(body, cut, rows[:, None]) + body.sleeve_slack_m) * folds[:, None]
    # The first ring turns inwards, which shows as the thickness of the cuff.
    radii[0] -= 0.8 * body.sleeve_slack_m
    middle = between(centres)
    middle[0] = middle[1]
    return mesh.swept(middle, _unit(between(across)), _unit(between(up)), radii, _SEGMENTS)


def _radii(body: Body, cut: WristCut, far_m: Float[Array, "n 1"]) -> Float[Array, "n 2"]:
    swell = np.clip(1.35 * far_m / body.forearm_m, 0.0, 1.0)
    swell = swell * swell * (3 - 2 * swell)
    return np.asarray(np.array(cut.half_m) * (1 - swell) + np.array(_ELBOW_HALF_M) * swell)


def _unit(vectors: Float[Array, "n 3"]) -> Float[Array, "n 3"]:
    return np.asarray(vectors / np.linalg.norm(vectors, axis=-1, keepdims=True))


def arm_look(tone: SkinTone) -> Look:
    """Paint the forearm."""
    place = _grid_coordinates()
    albedo = np.broadcast_to(arm_albedo(tone), (len(place), 3)).copy()
    return Look.plain(
        albedo,
        place / 0.06,
        specular=tone.specular,
        gloss=tone.gloss,
        scatter=1.0,
        mottle=tone.mottle,
    )


def sleeve_look(rng: np.random.Generator) -> Look:
    """Paint a sleeve: plain or striped cloth."""
    place = _grid_coordinates()
    base, other = thing_colour(rng), thing_colour(rng)
    striped = rng.random() < 0.35
    stripe = (np.floor(place[:, 2] / 0.018) % 2 > 0.5) & striped
    albedo = np.where(stripe[:, None], other, base)
    return Look.plain(albedo, place / 0.05, specular=0.015, gloss=6.0, mottle=0.22)


def _grid_coordinates() -> Float[Array, "v 3"]:
    """Place every vertex of a forearm on a plain cylinder, for textures."""
    angle = np.tile(np.arange(_SEGMENTS) * (2 * np.pi / _SEGMENTS), _RINGS)
    row = np.repeat(np.arange(_RINGS), _SEGMENTS)
    return np.stack((0.03 * np.cos(angle), 0.03 * np.sin(angle), 0.012 * row), -1)
