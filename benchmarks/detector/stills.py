"""Pictures of one hand in the open in any pose, for what the detector marks on a hand.

The landmark map says what the detector marks where it sees well, so nothing hides the hand, it
fills half of the picture, and poses and views are spread far wider than in any clip.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

from hand4d_ros.detection.mediapipe_detector import MediaPipeConfig, MediaPipeDetector
from hand4d_ros.geometry import camera as cameras
from hand4d_ros.geometry import se3, so3
from hand4d_ros.hand import biomechanics as bio
from hand4d_ros.hand.builtin import builtin_hand
from hand4d_ros.hand.model import ShapedHand
from hand4d_ros.shapes import Array, Bool, Float
from hand4d_ros.synthetic import body as bodies
from hand4d_ros.synthetic import textures
from hand4d_ros.synthetic.backdrop import Table
from hand4d_ros.synthetic.lighting import sampled_lighting
from hand4d_ros.synthetic.render import Renderer, View
from hand4d_ros.synthetic.skin import SkinTone, hand_look, sampled_tone
from hand4d_ros.synthetic.surface import Part, surface
from hand4d_ros.types import CameraModel, Frame, Side

SHEET = 10
"""Pictures that are made and kept together."""
_WIDTH_PX = 320
_FILLS = 0.55
"""Extent of the hand in the picture."""


@dataclass(frozen=True)
class Stills:
    """Pictures one after the other; NaN where the detector found nothing."""

    keypoints_px: Float[Array, "n 21 2"]
    """The truth."""
    marked_px: Float[Array, "n 21 2"]
    """What the detector marked."""

    @property
    def found(self) -> Bool[Array, "n"]:
        """In which pictures the hand was found."""
        return np.isfinite(self.marked_px).all((1, 2))


@dataclass(frozen=True)
class StillMaker:
    """Renders stills and lets the detector look at each by itself."""

    renderer: Renderer
    detector: MediaPipeDetector
    folder: Path | None

    @classmethod
    def start(cls, folder: Path | None) -> StillMaker:
        """Load renderer and detector.

        Args:
            folder: Where sheets are kept; None keeps none.
        """
        if folder is not None:
            folder.mkdir(parents=True, exist_ok=True)
        detector = MediaPipeDetector(MediaPipeConfig(static_image_mode=True))
        return cls(Renderer(), detector, folder)

    def sheet(self, seed: int, index: int) -> Stills:
        """Make or read a sheet of ``SHEET`` pictures."""
        path = None if self.folder is None else self.folder / f"stills-{seed}-{index:04d}.npz"
        if path is not None and path.exists():
            with np.load(path, allow_pickle=False) as file:
                return Stills(file["keypoints_px"], file["marked_px"])
        pairs = [self._still(seed, SHEET * index + i) for i in range(SHEET)]
        stills = Stills(np.stack([p[0] for p in pairs]), np.stack([p[1] for p in pairs]))
        if path is not None:
            np.savez_compressed(path, keypoints_px=stills.keypoints_px, marked_px=stills.marked_px)
        return stills

    def _still(self, seed: int, index: int) -> tuple[Float[Array, "21 2"], Float[Array, "21 2"]]:
        """Return the truth of one picture and what the detector marked."""
        rng = np.random.default_rng([seed, index, 1])
        model = builtin_hand(Side(int(rng.integers(2))))
        hand = model.with_shape(0.8 * rng.normal(size=10))
        T_camera_wrist, rotvec = _pose(hand, rng)
        keypoints_m = hand.keypoints(T_camera_wrist, rotvec)
        extent = float((np.ptp(keypoints_m[:, :2], axis=0) / keypoints_m[:, 2].mean()).max())
        focal, middle = _FILLS * _WIDTH_PX / extent, 0.5 * (_WIDTH_PX - 1)
        camera = CameraModel(_WIDTH_PX, _WIDTH_PX, focal, focal, middle, middle)
        vertices = hand.vertices(T_camera_wrist, rotvec)
        view = self._view(camera, hand, T_camera_wrist, (vertices, keypoints_m), rng)
        image = self.renderer.render([view]).images[0].cpu().numpy()
        found = self.detector.detect(Frame(index, image, camera))
        truth = cameras.project(camera, keypoints_m)
        if not found:
            return truth, np.full((21, 2), np.nan)
        return truth, min(found, key=lambda d: _apart(d.keypoints_px, truth)).keypoints_px

    def _view(
        self,
        camera: CameraModel,
        hand: ShapedHand,
        T_camera_wrist: Float[Array, "4 4"],
        points_m: tuple[Float[Array, "v 3"], Float[Array, "21 3"]],
        rng: np.random.Generator,
    ) -> View:
        """Dress a hand and its forearm and put them over a table."""
        vertices, keypoints = points_m
        model = hand.model
        device = self.renderer.device
        tone = sampled_tone(rng)
        above_m = float(keypoints[:, 2].mean()) + rng.uniform(0.05, 0.2)
        R = so3.exp(np.array([np.pi + rng.uniform(-0.5, 0.5), 0.0, 0.0]))
        T_world_camera = se3.from_rotation_translation(R, np.array([0.0, 0.0, above_m]))
        skin = surface(model.faces, hand_look(model, tone), device)
        world = se3.apply(T_world_camera, vertices)
        spheres = np.concatenate((se3.apply(T_world_camera, keypoints), np.full((21, 1), 0.009)), 1)
        height = float(world[:, 2].min() - rng.uniform(0.01, 0.1))
        kind = str(rng.choice(["wood", "cloth", "laminate", "stone"]))
        table = Table(height, (-2.0, -2.0), (2.0, 2.0), 0.6, float(rng.uniform(0.0, 6.28)))
        arm = self._arm(hand, T_world_camera @ T_camera_wrist, tone, rng)
        return View(
            camera,
            T_world_camera,
            (Part(skin, world), arm),
            sampled_lighting(rng),
            spheres,
            table,
            self._picture(textures.table_texture(rng, kind)),  # type: ignore[arg-type]
            self._picture(textures.room_panorama(rng)),
        )

    def _arm(
        self,
        hand: ShapedHand,
        T_world_wrist: Float[Array, "4 4"],
        tone: SkinTone,
        rng: np.random.Generator,
    ) -> Part:
        """Put a bare forearm behind the wrist: that of a person who sits there."""
        model = hand.model
        person = bodies.sampled_body(rng, tone, float(T_world_wrist[2, 3]))
        cut = bodies.wrist_cut(model, hand.betas)
        mirror = -1.0 if model.side is Side.LEFT else 1.0
        # The person sits where the arm points, so that the wrist does not bend unnaturally.
        back = T_world_wrist[:3, 0] * mirror
        shift = T_world_wrist[:3, 3] + 0.5 * back
        T_person_wrist = T_world_wrist.copy()
        shoulder = np.array(person.shoulder_m) * [1.0, mirror, 1.0]
        T_person_wrist[:3, 3] += shoulder - shift
        arm = bodies.arm_mesh(person, cut, model.side, T_person_wrist)
        look = surface(arm.faces, bodies.arm_look(tone), self.renderer.device)
        return Part(look, arm.vertices_m + (shift - shoulder))

    def _picture(self, pixels: Float[Array, "h w 3"]) -> torch.Tensor:
        tensor = torch.tensor(pixels, dtype=torch.float32, device=self.renderer.device)
        return tensor.permute(2, 0, 1)


def _apart(a_px: Float[Array, "21 2"], b_px: Float[Array, "21 2"]) -> float:
    return float(np.linalg.norm(a_px - b_px, axis=-1).mean())


def _pose(
    hand: ShapedHand, rng: np.random.Generator
) -> tuple[Float[Array, "4 4"], Float[Array, "15 3"]]:
    """Draw the pose of the wrist in the camera's frame and the joints of the fingers."""
    spread = bio.STD_RAD * rng.choice([0.3, 0.6, 1.0])
    angles = np.clip(rng.normal(bio.REST_RAD, spread), bio.LOWER_RAD, bio.UPPER_RAD)
    right = hand if hand.model.side is Side.RIGHT else hand.model.mirrored().with_shape(hand.betas)
    rotvec = so3.log(bio.Anatomy(right).local_rotations(angles))
    if hand.model.side is Side.LEFT:
        rotvec = rotvec * [1.0, -1.0, -1.0]
    if rng.random() < 0.5:
        # As people see their own hands: fingers away from them, back or palm towards the eye.
        fingers, normal = np.array([0.0, 1.0, 0.0]), rng.choice([-1.0, 1.0]) * np.array([0, 0, 1.0])
        base = np.stack([fingers, normal, np.cross(fingers, normal)], axis=1)
        R = so3.exp(0.5 * rng.normal(size=3)) @ base
    else:
        R = so3.nearest_rotation(rng.normal(size=(3, 3)))
    T = se3.from_rotation_translation(R, np.zeros(3))
    middle = hand.keypoints(T, rotvec).mean(axis=0)
    T[:3, 3] = [0.0, 0.0, rng.uniform(0.35, 0.6)] - middle + 0.01 * rng.normal(size=3)
    return T, rotvec
