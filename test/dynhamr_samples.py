"""Two hands at a table before a moving camera: exact truth, detections with little noise."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from hand4d_ros.estimation.keypoint_fit.config import KeypointFitConfig
from hand4d_ros.estimation.keypoint_fit.process import KeypointFit
from hand4d_ros.geometry import camera as cameras
from hand4d_ros.geometry import se3, so3
from hand4d_ros.hand.biomechanics import REST_RAD, Anatomy
from hand4d_ros.hand.builtin import builtin_hand
from hand4d_ros.shapes import Array, Float
from hand4d_ros.tracking.costs.penetration import inscribed_spheres
from hand4d_ros.tracking.dynhamr import interaction, stages
from hand4d_ros.tracking.dynhamr.config import CostConfig
from hand4d_ros.tracking.dynhamr.observations import SeenFrame, gathered
from hand4d_ros.tracking.dynhamr.problem import Known, Tie
from hand4d_ros.tracking.dynhamr.variables import Unknowns
from hand4d_ros.types import CameraModel, Frame, HandDetection, Side

NO_IMAGE = np.zeros((1, 1, 3), dtype=np.uint8)
PERIOD_NS = 33_333_333


@dataclass(frozen=True)
class Shot:
    """A clip with its truth."""

    frames: tuple[Frame, ...]
    detections: tuple[tuple[HandDetection, ...], ...]
    keypoints_m: dict[Side, Float[Array, "t 21 3"]]
    hand_length_m: float


def shot(
    count: int = 40,
    *,
    noise_px: float = 0.5,
    odometry_scale: float = 1.0,
    travel_m: float = 0.15,
    betas: Float[Array, "10"] | None = None,
    seed: int = 0,
) -> Shot:
    """Film both hands; they rest in the second half, while the camera goes on moving.

    Args:
        count: Frames.
        noise_px: Deviation of each detected coordinate.
        odometry_scale: Factor on the distances that the odometry reports.
        travel_m: How far the camera sways to each side.
        betas: Shape of the person's hands.
        seed: Of the noise.
    """
    rng = np.random.default_rng(seed)
    camera = cameras.camera_from_fov(640, 480, 1.3)
    phase = np.linspace(0.0, 2.0 * np.pi, count)
    eye_m = travel_m * np.stack((np.sin(phase), 0.5 * np.sin(2 * phase), 0.3 * np.sin(phase)), 1)
    T_camera = se3.from_rotation_translation(
        so3.exp(0.05 * np.sin(phase)[:, None] * [1, 2, 1]), eye_m
    )
    reported = T_camera.copy()
    reported[:, :3, 3] = eye_m[0] + odometry_scale * (eye_m - eye_m[0])
    moving = np.clip(1.0 - 2.0 * np.arange(count) / count, 0.0, None)
    truth = {side: _keypoints(side, moving, betas) for side in Side}
    frames = [
        Frame(1_000_000_000 + i * PERIOD_NS, NO_IMAGE, camera, reported[i]) for i in range(count)
    ]
    detections = [
        tuple(_detected(camera, T_camera[i], side, truth[side][i], noise_px, rng) for side in Side)
        for i in range(count)
    ]
    length_m = builtin_hand().with_shape(betas).hand_length_m
    return Shot(tuple(frames), tuple(detections), truth, length_m)


def _keypoints(
    side: Side, moving: Float[Array, "t"], betas: Float[Array, "10"] | None
) -> Float[Array, "t 21 3"]:
    hand = builtin_hand(Side.RIGHT).with_shape(betas)
    local = Anatomy(hand).local_rotations(REST_RAD + 0.3 * moving[:, None])
    # Fingers up in the image, palm towards the camera.
    R = so3.exp(np.array([0.0, 0.0, -0.5 * np.pi]) + 0.2 * moving[:, None] * [0.0, 1.0, 0.0])
    wrist_m = np.array([0.13, 0.10, 0.5]) + 0.08 * moving[:, None] * [0.5, -1.0, 0.3]
    points = hand.chain(R, wrist_m, local).keypoints_m
    return points * [-1.0, 1.0, 1.0] if side is Side.LEFT else points


def _detected(
    camera: CameraModel,
    T_world_camera: Float[Array, "4 4"],
    side: Side,
    points_m: Float[Array, "21 3"],
    noise_px: float,
    rng: np.random.Generator,
) -> HandDetection:
    before = se3.apply(se3.inverse(T_world_camera), points_m)
    px = cameras.project(camera, before) + noise_px * rng.normal(size=(21, 2))
    return HandDetection(side, 0.95, px, np.ones(21), before - before.mean(axis=0))


def problem_of(sample: Shot) -> tuple[interaction.InteractionProblem, Unknowns]:
    """Stage III's problem with a tie, at a point where every term speaks."""
    fit = KeypointFit(KeypointFitConfig(), builtin_hand())
    seen = [
        SeenFrame(frame, found, tuple(fit.estimate(frame, found)))
        for frame, found in zip(sample.frames, sample.detections, strict=True)
    ]
    seen[3] = replace(seen[3], frame=replace(seen[3].frame, T_world_camera=None))
    hand = builtin_hand().with_shape()
    costs = CostConfig()
    found = gathered(seen, Anatomy(hand), costs)
    assert found is not None
    obs, guess = found
    x = stages.initialised(obs, guess, 0.05, -0.1)
    known = Known(np.array([0.02, 0.1]), np.array([[10.0, 2.0], [0.0, 4.0]]))
    tie = Tie(0.01, x.R[:, :2], x.wrist_m[:, :2] + 0.01, x.angles[:, :2], x.correction[:2])
    rng = np.random.default_rng(2)
    x = replace(
        x,
        angles=x.angles + rng.normal(0.0, 0.6, x.angles.shape),
        wrist_m=x.wrist_m - np.array([0.12, 0.0, 0.0]) + rng.normal(0.0, 0.003, x.wrist_m.shape),
        correction=rng.normal(0.0, 0.01, x.correction.shape),
    )
    spheres = inscribed_spheres(hand.model)
    return interaction.InteractionProblem(obs, hand, known, costs, tie, spheres=spheres), x
