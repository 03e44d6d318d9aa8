"""Boards that are held between the camera and a hand, to hide a stated share of it.

Things on a table hide hands by chance and seldom by much. A board that follows a hand and covers
it from one side fills every level of occlusion; it is one more thing of the scene, so that the
simulated detector, the renderer and the masks all know of it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np

from hand4d_ros.geometry import se3
from hand4d_ros.shapes import Array, Float
from hand4d_ros.synthetic.cameras import CameraMotion
from hand4d_ros.synthetic.motion import HandMotion, ThingMotion
from hand4d_ros.synthetic.props import Prop
from hand4d_ros.synthetic.scene import TABLE_M, Scene
from hand4d_ros.types import Side

SIZE_M = (0.20, 0.22, 0.008)
"""Of a board: along the direction that it comes from, across it, and its thickness."""
_NEARNESS = 0.6
"""Distance of the board from the camera, as a share of that of the hand."""
_MARGIN_M = 0.010
"""Flesh around the keypoints."""
_RAMP_S = 0.25
_HOLD_S = (0.5, 0.9)
_PAUSE_S = (0.25, 0.5)
_SHARES = ((0.25, 0.45), (0.45, 0.65), (0.65, 0.85), (0.85, 1.1))
"""Ranges of the share of a hand's width that a board covers; every hand gets all in turn."""
_SPARE_M = (0.45, 0.0, TABLE_M - 0.25)
"""Where a board waits: under the table, where no camera sees it."""


@dataclass(frozen=True)
class Cover:
    """One time that a board is in front of a hand."""

    start_s: float
    hold_s: float
    share: float
    """Of the hand's width that is covered while the board is held; above 1 with some to spare."""

    @property
    def end_s(self) -> float:
        """When it is gone."""
        return self.start_s + self.hold_s + 2.0 * _RAMP_S


@dataclass(frozen=True)
class ScreenMotion(ThingMotion):
    """Motion of a board that covers one hand from time to time."""

    side: Side = Side.RIGHT
    camera_motion: CameraMotion | None = None
    covers: tuple[Cover, ...] = ()
    slant_rad: float = 0.0
    """Turn of the direction that the board comes from, away from the outer side of the image."""

    def at(
        self, t_s: Float[Array, " n"], hands: Mapping[Side, HandMotion]
    ) -> Float[Array, "n 4 4"]:
        """Return its pose at any times (s)."""
        T = np.tile(self.T_world_start, (len(t_s), 1, 1))
        share = self.share(np.asarray(t_s, dtype=np.float64))
        up = share > 0.0
        if self.camera_motion is None or not up.any():
            return T
        T_world_camera = self.camera_motion.at(t_s[up])
        keypoints_m = hands[self.side].keypoints_m(t_s[up])
        p_camera = se3.apply(se3.inverse(T_world_camera), keypoints_m)
        T[up] = T_world_camera @ self._covering(p_camera, share[up])
        return T

    def share(self, t_s: Float[Array, "n"]) -> Float[Array, "n"]:
        """Share of the hand's width that is covered at any times (s)."""
        share = np.zeros(len(t_s))
        for cover in self.covers:
            since, until = (t_s - cover.start_s) / _RAMP_S, (cover.end_s - t_s) / _RAMP_S
            ramp = np.clip(np.minimum(since, until), 0.0, 1.0)
            share = np.maximum(share, cover.share * ramp * ramp * (3.0 - 2.0 * ramp))
        return share

    def _covering(
        self, p_camera: Float[Array, "n 21 3"], share: Float[Array, "n"]
    ) -> Float[Array, "n 4 4"]:
        """Pose in the camera's frame with the front edge where the share is covered."""
        middle = p_camera.mean(axis=1)
        distance = np.linalg.norm(middle, axis=-1, keepdims=True)
        ahead = middle / distance
        # A right hand is covered from the right, so that the left one stays in view.
        sign = -1.0 if self.side is Side.RIGHT else 1.0
        along = sign * np.array([np.cos(self.slant_rad), np.sin(self.slant_rad), 0.0])
        along = along - (ahead @ along)[:, None] * ahead
        along /= np.linalg.norm(along, axis=-1, keepdims=True)
        across = np.cross(ahead, along)
        plane = _NEARNESS * distance
        reach = np.einsum("nki,ni->nk", p_camera, ahead)
        q = p_camera * (plane / np.maximum(reach, 0.05))[..., None]
        u, v = np.einsum("nki,ni->nk", q, along), np.einsum("nki,ni->nk", q, across)
        low, high = u.min(axis=1) - _NEARNESS * _MARGIN_M, u.max(axis=1) + _NEARNESS * _MARGIN_M
        edge = low + share * (high - low)
        centre = (edge - 0.5 * SIZE_M[0])[:, None] * along + plane * ahead
        centre += (0.5 * (v.min(axis=1) + v.max(axis=1)))[:, None] * across
        return se3.from_rotation_translation(np.stack((along, across, ahead), axis=-1), centre)


def with_screens(scene: Scene, seed: int, until_s: float) -> Scene:
    """Add a board for each hand to a scene.

    Args:
        scene: The scene.
        seed: Of times, shares and directions.
        until_s: No board is up after this time.
    """
    rng = np.random.default_rng([seed, 41])
    waiting = np.eye(4)
    waiting[:3, 3] = _SPARE_M
    boards = tuple(
        ScreenMotion(
            T_world_start=waiting,
            side=side,
            camera_motion=scene.camera_motion,
            covers=sampled_covers(rng, until_s),
            slant_rad=float(rng.uniform(-0.8, 0.8)),
        )
        for side in sorted(scene.hands)
    )
    props = tuple(Prop(f"board_{board.side.label}", "box", SIZE_M) for board in boards)
    return replace(
        scene,
        props=(*scene.props, *props),
        thing_motions=(*scene.thing_motions, *boards),
    )


def sampled_covers(rng: np.random.Generator, until_s: float) -> tuple[Cover, ...]:
    """Draw when a hand is covered and by how much; all levels come in turn, in random order.

    Args:
        rng: Source of randomness.
        until_s: When the last one is over.
    """
    covers: list[Cover] = []
    now_s = float(rng.uniform(0.2, 0.6))
    order = rng.permutation(len(_SHARES))
    while True:
        low, high = _SHARES[order[len(covers) % len(order)]]
        cover = Cover(now_s, float(rng.uniform(*_HOLD_S)), float(rng.uniform(low, high)))
        if cover.end_s > until_s:
            return tuple(covers)
        covers.append(cover)
        now_s = cover.end_s + float(rng.uniform(*_PAUSE_S))
