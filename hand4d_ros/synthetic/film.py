"""Draws a scene: pictures with the truth about each, one after the other in bounded memory."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import torch

from hand4d_ros.geometry import se3
from hand4d_ros.hand.orders import OPENPOSE_BONES
from hand4d_ros.shapes import Array, Bool, Float, Int, UInt8
from hand4d_ros.synthetic import body as bodies
from hand4d_ros.synthetic import textures
from hand4d_ros.synthetic.backdrop import Table
from hand4d_ros.synthetic.lighting import Lighting, sampled_lighting
from hand4d_ros.synthetic.props import prop_look
from hand4d_ros.synthetic.render import Renderer, View
from hand4d_ros.synthetic.scene import TABLE_M, HandTruth, Scene, Truth
from hand4d_ros.synthetic.sensor import SensorConfig
from hand4d_ros.synthetic.skin import hand_look
from hand4d_ros.synthetic.surface import Part, Surface, surface
from hand4d_ros.types import Frame, Side

_SKIN_M = np.array([0.036, 0.030, 0.022, 0.018, 0.014] + 4 * [0.026, 0.018, 0.015, 0.014])
"""Keypoints lie inside of the hand: its own skin hides them only if it is nearer by more."""
_OTHER_M = 0.004
_BONE_RADIUS_M = 0.009
_BLUR_SAMPLES = 3


@dataclass(frozen=True)
class Shot:
    """One picture and the truth about it."""

    frame: Frame
    """With the true camera pose."""
    truth: Truth
    visible: dict[Side, Bool[Array, "21"]]
    """Which keypoints are in the picture with nothing in front of them."""
    depth_m: Float[Array, "h w"]
    """Along the optical axis; infinite for the room."""
    part: Int[Array, "h w"]
    """0 and 1 where the left and right hand are, larger numbers for arms and things, -1 else."""

    def visible_share(self, side: Side) -> float:
        """Share of a hand's keypoints that can be seen."""
        return float(self.visible[side].mean())


@dataclass(frozen=True)
class Wardrobe:
    """All that is drawn and does not move, on the renderer's device."""

    hands: dict[Side, Surface]
    arm: Surface
    sleeve: Surface
    things: tuple[Surface, ...]
    table: Table
    texture: torch.Tensor
    room: torch.Tensor
    light: Lighting
    sensor: SensorConfig
    shutter_s: float


def dressed(scene: Scene, device: torch.device) -> Wardrobe:
    """Draw colours, light and sensor of a scene from its seed."""
    cloth, paint, air = (np.random.default_rng([scene.config.seed, 10 + i]) for i in range(3))
    tone = scene.body.tone
    hands = {
        side: surface(motion.model.faces, hand_look(motion.model, tone), device)
        for side, motion in scene.hands.items()
    }
    wrist = np.eye(4)
    cut = bodies.wrist_cut(scene.hands[Side.RIGHT].model, scene.hands[Side.RIGHT].betas)
    arm_faces = bodies.arm_mesh(scene.body, cut, Side.RIGHT, wrist).faces
    meshes = [prop.mesh() for prop in scene.props]
    kind = str(paint.choice(["wood", "wood", "cloth", "laminate", "laminate", "stone"]))

    def picture(pixels: Float[Array, "h w 3"]) -> torch.Tensor:
        return torch.tensor(pixels, dtype=torch.float32, device=device).permute(2, 0, 1)

    near = float(paint.uniform(0.10, 0.18))
    half = float(paint.uniform(0.5, 0.9))
    table = Table(
        TABLE_M,
        (near, -half),
        (near + float(paint.uniform(0.6, 1.0)), half),
        float(paint.uniform(0.5, 0.9)),
        float(paint.uniform(0, 2 * np.pi)),
    )
    sensor, shutter_s = _sensor(scene.config.difficulty, air)
    return Wardrobe(
        hands,
        surface(arm_faces, bodies.arm_look(tone), device),
        surface(arm_faces, bodies.sleeve_look(cloth), device),
        tuple(
            surface(mesh.faces, prop_look(paint, prop, mesh), device)
            for prop, mesh in zip(scene.props, meshes, strict=True)
        ),
        table,
        picture(textures.table_texture(paint, kind)),  # type: ignore[arg-type]
        picture(textures.room_panorama(paint)),
        sampled_lighting(air),
        sensor,
        shutter_s,
    )


def _sensor(difficulty: str, rng: np.random.Generator) -> tuple[SensorConfig, float]:
    """Draw sensor and shutter time (0 is no motion blur) for a difficulty."""
    level = {"easy": 0.0, "normal": 1.0, "hard": 2.0}[difficulty]
    config = SensorConfig(
        exposure=float(rng.uniform(0.85, 1.15) ** (1.0 + 1.5 * level)),
        red_gain=float(1.0 + 0.05 * level * rng.uniform(-1, 1)),
        blue_gain=float(1.0 + 0.07 * level * rng.uniform(-1, 1)),
        vignetting=float(0.12 * level * rng.uniform(0.3, 1.0)),
        read_noise=0.003 * level,
        shot_noise=0.006 * level,
        jpeg_quality=0 if level < 2 else int(rng.integers(55, 90)),
    )
    return config, (0.0 if level < 2 else float(rng.uniform(0.006, 0.016)))


@dataclass(frozen=True)
class Film:
    """A scene with everything that it takes to draw it."""

    scene: Scene
    renderer: Renderer

    @cached_property
    def wardrobe(self) -> Wardrobe:
        """Colours and surfaces."""
        return dressed(self.scene, self.renderer.device)

    @cached_property
    def _meshes(self) -> list[Float[Array, "v 3"]]:
        return [prop.mesh().vertices_m for prop in self.scene.props]

    @cached_property
    def _cuts(self) -> dict[Side, bodies.WristCut]:
        return {s: bodies.wrist_cut(m.model, m.betas) for s, m in self.scene.hands.items()}

    def shots(self, start: int = 0, end: int | None = None) -> Iterator[Shot]:
        """Draw pictures one after the other; only one is in memory.

        Args:
            start: First picture.
            end: Picture to stop before; None is the last one of the clip.
        """
        for index in range(start, self.scene.config.frames if end is None else end):
            yield self.shot(index)

    def shot(self, index: int) -> Shot:
        """Draw one picture, the same whether the ones before it were drawn or not."""
        config = self.scene.config
        truth = self.scene.frame_truth(index)
        samples = 1 if self.wardrobe.shutter_s == 0 else _BLUR_SAMPLES
        middle = samples // 2
        # The shutter is open about the stamp, so that the truth is that of mid-exposure.
        shifts = (np.arange(samples) - middle) * (self.wardrobe.shutter_s / samples)
        truths = [
            truth if s == 0 else self.scene.truth(truth.t_s + s, truth.stamp_ns) for s in shifts
        ]
        views = [self.view(t, seed=config.seed * 1_000_003 + index) for t in truths]
        pictures = self.renderer.render(views, exposures=samples)
        depth = pictures.depth_m[middle].cpu().numpy().astype(np.float64)
        image: UInt8[Array, "h w 3"] = pictures.images[0].cpu().numpy()
        frame = Frame(truth.stamp_ns, image, self.scene.camera, truth.T_world_camera)
        part = pictures.part[middle].cpu().numpy()
        visible = {
            side: _visible(hand, depth, part, self._own(side)) for side, hand in truth.hands.items()
        }
        return Shot(frame, truth, visible, depth, part)

    def _own(self, side: Side) -> Bool[Array, " parts"]:
        """Say which parts of a view belong to a side: hand, arm and sleeve."""
        sleeves = 0 if self.scene.body.is_bare else 1
        kinds = [Side.LEFT, Side.RIGHT]
        for each in (Side.LEFT, Side.RIGHT):
            kinds += [each] * (1 + sleeves)
        return np.array([kind is side for kind in kinds] + [False] * len(self.scene.props))

    def view(self, truth: Truth, seed: int) -> View:
        """Return what the renderer is to draw at one instant."""
        wardrobe, scene = self.wardrobe, self.scene
        parts: list[Part] = []
        arms: list[Part] = []
        spheres: list[Float[Array, "_ 4"]] = []
        for side in (Side.LEFT, Side.RIGHT):
            motion, state = scene.hands[side], truth.hands[side].world
            vertices = motion.hand.vertices(state.T_frame_wrist, state.joint_rotvec)
            parts.append(Part(wardrobe.hands[side], vertices))
            spheres.append(_hand_spheres(state.keypoints_m))
            cut = self._cuts[side]
            arm = bodies.arm_mesh(scene.body, cut, side, state.T_frame_wrist)
            arms.append(Part(wardrobe.arm, arm.vertices_m))
            sleeve = bodies.sleeve_mesh(scene.body, cut, side, state.T_frame_wrist)
            if sleeve is not None:
                arms.append(Part(wardrobe.sleeve, sleeve.vertices_m))
        things = self._things(truth.T_world_things, spheres)
        return View(
            scene.camera,
            truth.T_world_camera,
            (*parts, *arms, *things),
            wardrobe.light,
            np.concatenate(spheres),
            wardrobe.table,
            wardrobe.texture,
            wardrobe.room,
            wardrobe.sensor,
            seed,
        )

    def _things(
        self, poses: Float[Array, "k 4 4"], spheres: list[Float[Array, "_ 4"]]
    ) -> Sequence[Part]:
        parts = []
        for pose, prop, vertices, look in zip(
            poses, self.scene.props, self._meshes, self.wardrobe.things, strict=True
        ):
            parts.append(Part(look, se3.apply(pose, vertices)))
            ball = prop.occluders_m()
            spheres.append(np.concatenate((se3.apply(pose, ball[:, :3]), ball[:, 3:]), -1))
        return parts


def _hand_spheres(keypoints_m: Float[Array, "21 3"]) -> Float[Array, "k 4"]:
    """Return spheres along the bones, for ambient occlusion."""
    pairs = np.array(OPENPOSE_BONES)
    starts, ends = keypoints_m[pairs[:, 0]], keypoints_m[pairs[:, 1]]
    centres = np.concatenate((keypoints_m[1:], 0.5 * (starts + ends)))
    return np.concatenate((centres, np.full((len(centres), 1), _BONE_RADIUS_M)), -1)


def _visible(
    hand: HandTruth,
    depth_m: Float[Array, "h w"],
    part: Int[Array, "h w"],
    own: Bool[Array, " parts"],
) -> Bool[Array, "21"]:
    """Compare the keypoints' depth with what the picture shows there.

    Args:
        hand: The hand.
        depth_m: Depth of what is nearest.
        part: What is nearest, -1 for the background.
        own: Which parts are this hand and its arm.
    """
    pixels = np.where(hand.in_image[:, None], hand.camera.keypoints_px, 0.0)
    column, row = np.round(pixels).astype(int).T
    height, width = depth_m.shape
    row, column = row.clip(0, height - 1), column.clip(0, width - 1)
    allowed = np.where(np.append(own, False)[part[row, column]], _SKIN_M, _OTHER_M)
    nearer = hand.camera.keypoints_m[:, 2] - depth_m[row, column]
    return np.asarray(hand.in_image & (nearer < allowed))
