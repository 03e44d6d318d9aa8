"""How hands look: tones over the human range, palms, knuckles, fingertips and nails.

Tones lie on the line through the ten of the Monk skin tone scale (Monk, "The Monk Skin Tone
Scale", 2019), which is in sRGB. Everything else is placed by the hand model's own joints, tips
and normals, so that it works for any mesh with MANO's tree.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from hand4d_ros.hand.model import HandModel
from hand4d_ros.hand.orders import TIP_PARENTS
from hand4d_ros.shapes import Array, Float
from hand4d_ros.synthetic.surface import HAND_TEXTURE_M, NO_NAIL_MM, Look
from hand4d_ros.synthetic.textures import hex_colour

MONK_TONES = (
    *("#f6ede4", "#f3e7db", "#f7ead0", "#eadaba", "#d7bd96"),
    *("#a07e56", "#825c43", "#604134", "#3a312a", "#292420"),
)
"""From the lightest to the darkest."""

_ROSY = np.array([1.06, 0.80, 0.70])
"""The swatches are paler than skin in a photograph, which has blood behind it."""
_PALM_TARGET = hex_colour("#e3b49b")
_NAIL_TARGET = hex_colour("#ecc3b2")
_DORSAL = np.array([0.0, 1.0, 0.0])
_THUMB_DORSAL = np.array([0.0, 0.6, 0.8])
_MIRROR_X = np.array([-1.0, 1.0, 1.0])
_NAIL_HALF_LENGTH_MM = 6.0
_NAIL_HALF_WIDTH_MM = 5.2
_NAIL_MIDDLE_MM = 7.0
"""Of the nail's middle behind the tip."""
_PALM_START, _PALM_END = -0.1, 0.55


@dataclass(frozen=True)
class SkinTone:
    """One person's skin."""

    monk: float
    """Place on the Monk scale, 1 to 10."""
    redness: float
    """How far knuckles, fingertips and palms are flushed, about 1."""
    mottle: float
    """Amplitude of the unevenness."""
    gloss: float
    """Exponent of the highlight."""
    specular: float
    """Reflectance straight on: dry 0.02 to moist 0.05."""

    @property
    def albedo(self) -> Float[Array, "3"]:
        """Of the back of the hand, linear RGB."""
        tones = np.stack([hex_colour(code) for code in MONK_TONES])
        place = np.clip(self.monk - 1.0, 0.0, 9.0)
        mixed = np.array([np.interp(place, np.arange(10), tones[:, c]) for c in range(3)])
        return np.asarray(np.clip(mixed * _ROSY * 0.85, 0.01, 0.9))


def sampled_tone(rng: np.random.Generator) -> SkinTone:
    """Draw a person's skin, every part of the scale alike."""
    return SkinTone(
        monk=float(rng.uniform(1.0, 10.0)),
        redness=float(rng.uniform(0.5, 1.5)),
        mottle=float(rng.uniform(0.05, 0.13)),
        gloss=float(rng.uniform(10.0, 28.0)),
        specular=float(rng.uniform(0.02, 0.045)),
    )


def hand_look(model: HandModel, tone: SkinTone) -> Look:
    """Paint a hand.

    Args:
        model: The hand; its mean shape says where everything is.
        tone: The person's skin.
    """
    mirror = _MIRROR_X if model.side == 0 else np.ones(3)
    points = (model.template_m - model.joints_m[0]) * mirror
    joints = (model.joints_m - model.joints_m[0]) * mirror
    tips = points[model.tip_vertices]
    normals = _normals(points, model.faces if model.side == 1 else model.faces[:, ::-1])
    thumb = model.weights[:, 13:].sum(-1, keepdims=True)
    dorsal = _DORSAL * (1 - thumb) + _THUMB_DORSAL * thumb
    back = (normals * dorsal).sum(-1) / np.linalg.norm(dorsal, axis=-1)
    palm = _smooth((-back - _PALM_START) / (_PALM_END - _PALM_START))
    # Beyond the wrist the inside of the arm is only a little lighter than its back.
    palm *= 1.0 - 0.75 * _smooth(points[:, 0] / 0.02 + 0.5)
    flush = _flush(points, joints, tips, back)
    albedo = _mixed(tone, palm, flush)
    nail_mm = _nails(points, joints, tips, normals)
    near = _smooth((nail_mm + 1.0) / 2.0)[:, None]
    nail = 0.45 * albedo + 0.55 * _NAIL_TARGET * (0.45 + 0.55 * albedo.max() / 0.8)
    albedo = albedo * (1 - near) + nail * near
    full = np.ones(len(points))
    return Look(
        albedo,
        full * tone.specular,
        full * tone.gloss,
        full,
        full * tone.mottle,
        nail_mm,
        np.clip(-back / 0.5, -1.0, 1.0),
        points / HAND_TEXTURE_M,
    )


def arm_albedo(tone: SkinTone) -> Float[Array, "3"]:
    """Return the colour of the bare forearm, linear RGB."""
    return tone.albedo


def _mixed(
    tone: SkinTone, palm: Float[Array, " v"], flush: Float[Array, " v"]
) -> Float[Array, "v 3"]:
    """Mix the back's colour with the palm's, which varies less between people, and with blood."""
    back = tone.albedo
    depth = np.clip((tone.monk - 1.0) / 9.0, 0.0, 1.0)
    palm_colour = back + (0.25 + 0.35 * depth) * (_PALM_TARGET * (1 - 0.45 * depth) - back)
    albedo = back + palm[:, None] * (palm_colour - back)
    blood = np.array([1.0, 0.74, 0.70])
    return np.asarray(albedo * blood ** (tone.redness * flush[:, None]))


def _flush(
    points: Float[Array, "v 3"],
    joints: Float[Array, "16 3"],
    tips: Float[Array, "5 3"],
    back: Float[Array, " v"],
) -> Float[Array, " v"]:
    """Say where blood shows: over the knuckles, at the fingertips, in the ball of the thumb."""
    knuckles = _bumps(points, joints[1:], 0.010) * _smooth(back + 0.3)
    ends = _bumps(points, tips, 0.012)
    balls = _bumps(points, 0.5 * (joints[13:14] + joints[14:15]), 0.02) * _smooth(-back + 0.3)
    return np.asarray(np.clip(0.6 * knuckles + 0.8 * ends + 0.5 * balls, 0.0, 1.2))


def _bumps(
    points: Float[Array, "v 3"], centres: Float[Array, "n 3"], radius_m: float
) -> Float[Array, " v"]:
    square = ((points[:, None] - centres) ** 2).sum(-1)
    return np.asarray(np.exp(-0.5 * square / radius_m**2).max(-1))


def _nails(
    points: Float[Array, "v 3"],
    joints: Float[Array, "16 3"],
    tips: Float[Array, "5 3"],
    normals: Float[Array, "v 3"],
) -> Float[Array, " v"]:
    """Return the signed distance to the nearest nail's rim (mm), an ellipse behind each tip."""
    best = np.full(len(points), NO_NAIL_MM)
    for finger, joint in enumerate(TIP_PARENTS):
        along = tips[finger] - joints[joint]
        length = np.linalg.norm(along)
        along = along / length
        dorsal = _THUMB_DORSAL if joint == 15 else _DORSAL
        dorsal = dorsal - along * (dorsal @ along)
        dorsal /= np.linalg.norm(dorsal)
        across = np.cross(along, dorsal)
        offset = (points - tips[finger]) * 1000.0
        wide = 1.25 if joint == 15 else 1.0
        lengthwise = (offset @ along + _NAIL_MIDDLE_MM) / (_NAIL_HALF_LENGTH_MM * wide)
        sideways = offset @ across / (_NAIL_HALF_WIDTH_MM * wide)
        radius = np.sqrt(lengthwise**2 + sideways**2)
        mm = (1.0 - radius) * _NAIL_HALF_WIDTH_MM
        mm = np.where(normals @ dorsal > 0.15, mm, np.minimum(mm, -2.0))
        mm = np.where(np.linalg.norm(offset, axis=-1) < 25.0, mm, NO_NAIL_MM)
        best = np.maximum(best, mm)
    return np.asarray(np.maximum(best, -5.0))


def _smooth(x: Float[Array, " v"]) -> Float[Array, " v"]:
    """Rise smoothly from 0 at 0 to 1 at 1."""
    t = np.clip(x, 0.0, 1.0)
    return np.asarray(t * t * (3.0 - 2.0 * t))


def _normals(points: Float[Array, "v 3"], faces: Array) -> Float[Array, "v 3"]:
    corner = points[faces]
    face = np.cross(corner[:, 1] - corner[:, 0], corner[:, 2] - corner[:, 0])
    total = np.zeros_like(points)
    for k in range(3):
        np.add.at(total, faces[:, k], face)
    return np.asarray(total / np.linalg.norm(total, axis=-1, keepdims=True).clip(1e-12))
