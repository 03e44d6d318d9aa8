"""A whole scene from a seed: person, things, motion, camera, light, and the truth about it all.

``build_scene`` makes the plan; ``Scene.truth`` says where everything is at any time without
drawing; ``synthetic.film`` draws it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

import numpy as np

from hand4d_ros.errors import ConfigError
from hand4d_ros.geometry import camera as cameras_np
from hand4d_ros.geometry import se3
from hand4d_ros.hand.builtin import builtin_hand
from hand4d_ros.hand.model import HandModel
from hand4d_ros.settings import check
from hand4d_ros.shapes import Array, Bool, Float
from hand4d_ros.synthetic.activities import ACTIVITIES, SHARES, attempt
from hand4d_ros.synthetic.body import Body, sampled_body
from hand4d_ros.synthetic.cameras import CameraConfig, CameraMotion, camera_model, mounted_camera
from hand4d_ros.synthetic.motion import HandMotion, HandPlan, ThingMotion
from hand4d_ros.synthetic.odometry_noise import OdometryNoise, OdometryRecord, noisy_odometry
from hand4d_ros.synthetic.planner import Planner, Thing
from hand4d_ros.synthetic.postures import POSTURES
from hand4d_ros.synthetic.props import Prop, PropKind, sampled_prop
from hand4d_ros.synthetic.skin import sampled_tone
from hand4d_ros.synthetic.stage import Stage, standing
from hand4d_ros.synthetic.trajectory import sampled_ripple, sampled_wander
from hand4d_ros.types import CameraModel, HandState, Side

TABLE_M = 0.74
"""Height of the table above the floor, z = 0 of the world, whose x points away from the person."""

_LOOSE = np.array([0.006] * 3 + [0.05] * 16 + [0.03] * 6)
"""Sway of a hand in the air: of the wrist (m), of the fingers and of the thumb (rad)."""
_KINDS: tuple[PropKind, ...] = ("bottle", "mug", "cylinder", "box", "sphere", "box")
_STARTS_M = ((0.36, -0.17), (0.35, 0.17), (0.48, -0.05), (0.46, 0.24), (0.30, 0.02), (0.47, -0.28))


@dataclass(frozen=True)
class SceneConfig:
    """What to make up; everything else follows from the seed."""

    seed: int = field(default=0, metadata={"min": 0})
    """Same seed, same scene."""
    seconds: float = field(default=10.0, metadata={"min": 0.05, "max": 3600.0})
    """Length of the clip (s)."""
    fps: float = field(default=30.0, metadata={"min": 1.0, "max": 500.0})
    """Pictures per second."""
    things: int = field(default=4, metadata={"min": 0, "max": 6})
    """Things on the table, up to 6."""
    kinds: tuple[str, ...] = ()
    """Kinds of the things, nearest first; empty draws them."""
    activities: tuple[str, ...] = ()
    """What happens, in turn, as ``side:activity`` such as ``right:wave``; empty draws it."""
    difficulty: Literal["easy", "normal", "hard"] = "normal"
    """How dim, noisy and blurred the pictures are."""
    shape_spread: float = field(default=1.0, metadata={"min": 0.0, "max": 3.0})
    """Factor on the spread of hand shapes in the population."""
    start_ns: int = field(default=1_700_000_000_000_000_000, metadata={"min": 0})
    """Stamp of the first picture."""
    camera: CameraConfig = field(default_factory=CameraConfig)
    """The camera."""
    odometry: OdometryNoise = field(default_factory=OdometryNoise)
    """Faults of the odometry."""

    def __post_init__(self) -> None:
        """Reject values out of range and unknown names."""
        check(self)
        for kind in self.kinds:
            if kind not in _KINDS:
                known = ", ".join(sorted(set(_KINDS)))
                raise ConfigError(f"unknown kind of thing {kind!r}; known are {known}")
        for entry in self.activities:
            side, _, name = entry.partition(":")
            if side not in ("left", "right") or name not in ACTIVITIES:
                known = ", ".join(sorted(ACTIVITIES))
                raise ConfigError(f"unknown activity {entry!r}; side:activity with one of {known}")

    @property
    def frames(self) -> int:
        """Number of pictures."""
        return max(1, round(self.seconds * self.fps))

    def stamp_ns(self, frame: int) -> int:
        """Return the stamp of a picture."""
        return self.start_ns + round(frame * 1e9 / self.fps)


@dataclass(frozen=True)
class HandTruth:
    """One hand at one instant, without errors."""

    world: HandState
    camera: HandState
    """The same in the camera's frame."""
    in_image: Bool[Array, "21"]
    """Which keypoints are in front of the camera and inside of the picture."""


@dataclass(frozen=True)
class Truth:
    """Everything that is known about one instant."""

    t_s: float
    stamp_ns: int
    T_world_camera: Float[Array, "4 4"]
    hands: Mapping[Side, HandTruth]
    T_world_things: Float[Array, "k 4 4"]


@dataclass(frozen=True)
class Scene:
    """A scene as functions of time."""

    config: SceneConfig
    camera: CameraModel
    camera_motion: CameraMotion
    hands: Mapping[Side, HandMotion]
    props: Sequence[Prop]
    thing_motions: Sequence[ThingMotion]
    body: Body
    log: tuple[str, ...]
    """What happens, for people."""

    def truth(self, t_s: float, stamp_ns: int) -> Truth:
        """Return where everything is at a time (s)."""
        t = np.array([t_s])
        T_world_camera = self.camera_motion.at(t)[0]
        hands = {side: self._hand(motion, t, T_world_camera) for side, motion in self.hands.items()}
        things = [motion.at(t, self.hands)[0] for motion in self.thing_motions]
        return Truth(
            t_s,
            stamp_ns,
            T_world_camera,
            hands,
            np.stack(things) if things else np.zeros((0, 4, 4)),
        )

    def frame_truth(self, frame: int) -> Truth:
        """Return the truth at the instant of a picture."""
        return self.truth(frame / self.config.fps, self.config.stamp_ns(frame))

    def odometry(self) -> OdometryRecord:
        """Return what the odometry reports, from half a second before the first picture."""
        return noisy_odometry(
            self.camera_motion.at, self.config.seconds, self.config.odometry, before_s=0.5
        )

    def _hand(
        self, motion: HandMotion, t: Float[Array, "1"], T_world_camera: Float[Array, "4 4"]
    ) -> HandTruth:
        poses = motion.at(t)
        T_world_wrist, rotvec = poses.T_world_wrist[0], poses.joint_rotvec[0]
        T_camera_world = se3.inverse(T_world_camera)
        keypoints = motion.hand.keypoints(T_world_wrist, rotvec)
        in_camera = se3.apply(T_camera_world, keypoints)
        pixels = cameras_np.project(self.camera, in_camera)
        known = np.isfinite(pixels).all(-1)
        inside = known & cameras_np.in_image(self.camera, np.where(known[:, None], pixels, -1e6))
        return HandTruth(
            _state(motion, T_world_wrist, rotvec, keypoints, pixels, inside),
            _state(motion, T_camera_world @ T_world_wrist, rotvec, in_camera, pixels, inside),
            inside,
        )


def _state(
    motion: HandMotion,
    T_frame_wrist: Float[Array, "4 4"],
    joint_rotvec: Float[Array, "15 3"],
    keypoints_m: Float[Array, "21 3"],
    keypoints_px: Float[Array, "21 2"],
    inside: Bool[Array, "21"],
) -> HandState:
    return HandState(
        side=motion.side,
        T_frame_wrist=T_frame_wrist,
        joint_rotvec=joint_rotvec,
        betas=motion.betas,
        rest_wrist_m=motion.hand.joints_m[0],
        keypoints_m=keypoints_m,
        keypoint_confidence=inside.astype(np.float64),
        keypoint_std_m=np.zeros(21),
        wrist_covariance=np.zeros((6, 6)),
        keypoints_px=keypoints_px,
        reprojection_px=0.0,
    )


def build_scene(config: SceneConfig, model: HandModel | None = None) -> Scene:
    """Make up a scene.

    Args:
        config: What to make up.
        model: The right hand; the built-in one where None.

    Raises:
        SceneError: If the plan cannot be made.
    """
    right = builtin_hand(Side.RIGHT) if model is None else model
    # Streams are split by purpose, so that a change in one does not shift the others.
    who, what, how, eyes = (np.random.default_rng([config.seed, i]) for i in range(4))
    body = sampled_body(who, sampled_tone(who), TABLE_M)
    betas = config.shape_spread * np.clip(who.normal(size=10), -2.0, 2.0)
    # The two hands of a person are alike, not the same.
    other = betas + 0.15 * config.shape_spread * who.normal(size=10)
    stage = Stage(
        {
            Side.LEFT: _planner(Side.LEFT, right.mirrored(), other, how),
            Side.RIGHT: _planner(Side.RIGHT, right, betas, how),
        },
        _things(config, what),
        TABLE_M,
    )
    _play(config, stage, how)
    hands = {side: planner.motion for side, planner in stage.hands.items()}

    def between_m(t: Float[Array, " n"]) -> Float[Array, "n 3"]:
        return np.asarray(np.mean([hand.keypoints_m(t)[:, 9] for hand in hands.values()], axis=0))

    motion = mounted_camera(config.camera, body, TABLE_M, between_m, config.seconds, eyes)
    return Scene(
        config,
        camera_model(config.camera),
        motion,
        hands,
        tuple(thing.prop for thing in stage.things),
        _thing_motions(stage.things),
        body,
        tuple(stage.log),
    )


def _planner(
    side: Side, model: HandModel, betas: Float[Array, "10"], rng: np.random.Generator
) -> Planner:
    """Put a hand on the table's edge."""
    plan = HandPlan(np.eye(4), POSTURES["lying"])
    motion = HandMotion(
        side,
        model,
        betas,
        plan,
        sampled_wander(rng, 3, 0.0012, 0.00008),
        sampled_wander(rng, 3, 0.008, 0.0006),
        sampled_wander(rng, 22, 0.016, 0.0006),
        sampled_ripple(rng, 25),
        sampled_wander(rng, 25, _LOOSE),
    )
    planner = Planner(motion, float(rng.uniform(0.85, 1.3)), TABLE_M)
    place = np.array([rng.uniform(0.18, 0.24), rng.uniform(-0.22, -0.14), TABLE_M + 0.035])
    T_start = planner.pose(place, rng.uniform(0.15, 0.5), 0.05, rng.uniform(-0.1, 0.3))
    plan.T_start = planner.T = planner.cleared(T_start, plan.start_rad)
    return planner


def _things(config: SceneConfig, rng: np.random.Generator) -> list[Thing]:
    """Put things on the table."""
    drawn = [_KINDS[int(i)] for i in rng.permutation(len(_KINDS))]
    kinds = [kind for name in config.kinds for kind in _KINDS if kind == name]
    kinds = (list(dict.fromkeys(kinds)) if config.kinds else drawn)[: config.things]
    things: list[Thing] = []
    for place, kind in zip(_STARTS_M, kinds, strict=False):
        prop = sampled_prop(rng, f"{kind}_{len(things)}", kind)
        where = np.array(place) + rng.uniform(-0.02, 0.02, 2)
        T = standing(prop.size_m[2], where, rng.uniform(-0.5, 0.5), TABLE_M)
        things.append(Thing(prop, T, T))
        if kind == "bottle":
            things.append(_cap(things[-1], len(things) - 1))
    return things


def _cap(bottle: Thing, place: int) -> Thing:
    """Make the cap of a bottle, which is at a place among the things."""
    width = 0.55 * bottle.prop.size_m[0]
    prop = Prop(f"cap_{place}", "cylinder", (width, width, 0.030))
    T = bottle.T_world.copy()
    T[2, 3] += 0.5 * bottle.prop.size_m[2] - 0.009
    return Thing(prop, T, T, on=place)


def _thing_motions(things: Sequence[Thing]) -> tuple[ThingMotion, ...]:
    """Return the finished motions; what something sits on comes before it."""
    found: list[ThingMotion] = []
    for thing in things:
        on = None if thing.on is None else found[thing.on]
        found.append(ThingMotion(thing.T_world_start, tuple(thing.carries), on))
    return tuple(found)


def _play(config: SceneConfig, stage: Stage, rng: np.random.Generator) -> None:
    """Write plans until the clip is full."""
    for entry in config.activities:
        label, _, name = entry.partition(":")
        side = Side[label.upper()]
        while not attempt(stage, rng, side, name) and stage.hands[side].now_s < config.seconds:
            pass
    if config.activities:
        return
    names, shares = list(SHARES), list(SHARES.values())
    for planner in stage.hands.values():
        planner.now_s = float(rng.uniform(0.1, 1.0))
    while stage.now_s < config.seconds:
        side = min(stage.hands, key=lambda s: stage.hands[s].now_s)
        if attempt(stage, rng, side, str(rng.choice(names, p=shares))):
            stage.hands[side].now_s += rng.exponential(0.25)
