"""What a chunk of frames says: image keypoints, cameras, and where each hand was seen."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from hand4d_ros.detection.landmarks import LANDMARKS
from hand4d_ros.geometry import so3
from hand4d_ros.hand.biomechanics import Anatomy
from hand4d_ros.shapes import Array, Bool, Float, Int
from hand4d_ros.tracking.dynhamr.config import CostConfig
from hand4d_ros.tracking.dynhamr.odometry import expected_path
from hand4d_ros.types import CameraModel, Frame, HandDetection, HandState, Side

MIRROR = np.array([-1.0, 1.0, 1.0])
"""Takes points of a left hand's mirrored world to the world and back."""
_LEAST_CONFIDENCE = 0.05


@dataclass(frozen=True)
class SeenFrame:
    """One frame as the pipeline saw it."""

    frame: Frame
    detections: tuple[HandDetection, ...]
    """At most one a side."""
    states: tuple[HandState, ...]
    """In the camera frame."""


@dataclass(frozen=True)
class Observations:
    """h hands over t frames, in the order of ``sides``."""

    stamps_ns: Int[Array, "t"]
    camera: CameraModel
    T_odom_camera: Float[Array, "t 4 4"]
    """The path that the odometry tells of, also where it was silent."""
    odometry_known: Bool[Array, "t"]
    travel_std: float
    """Relative deviation of the way that the camera went: what drift does to the scale."""
    sides: tuple[Side, ...]
    target_px: Float[Array, "h t 21 2"]
    weight: Float[Array, "h t 21"]
    """Confidence over deviation (1/px); 0 where the hand was not seen."""
    landmarks: Float[Array, "h t 21 21"]
    shape_m: Float[Array, "h t 21 3"]
    """The detector's own 3D keypoints at the hand's size, axes of the (mirrored) world."""
    shape_weight: Float[Array, "h t"]
    """1/m."""
    seen: Bool[Array, "h t"]

    @property
    def signs(self) -> Float[Array, "h 3"]:
        """Takes points of each hand's own world to the world."""
        return np.stack([MIRROR if side is Side.LEFT else np.ones(3) for side in self.sides])


@dataclass(frozen=True)
class FirstGuess:
    """Hands of single frames in their own worlds; NaN where a hand was not seen."""

    R: Float[Array, "h t 3 3"]
    wrist_m: Float[Array, "h t 3"]
    angles: Float[Array, "h t 22"]


def gathered(
    frames: Sequence[SeenFrame],
    anatomy: Anatomy,
    costs: CostConfig,
    start_m: Float[Array, "3"] | None = None,
) -> tuple[Observations, FirstGuess] | None:
    """Gather a chunk; None where no hand was seen at all or no pose of the camera is known.

    Args:
        frames: In order of time.
        anatomy: Axes of the right hand.
        costs: Deviations of the keypoints.
        start_m: Where the first camera stands; None is where the odometry has it.
    """
    poses, known = _camera_poses([each.frame for each in frames])
    sides = tuple(s for s in Side if any(state.side is s for f in frames for state in f.states))
    if not sides or not known.any():
        return None
    h, t = len(sides), len(frames)
    stamps_ns = np.array([each.frame.stamp_ns for each in frames])
    path = expected_path(poses, known, stamps_ns, costs.camera_jerk_m_s3, costs.camera_jerk_rad_s3)
    poses = path.T_world_camera
    if start_m is not None:
        poses[:, :3, 3] += start_m - poses[0, :3, 3]
    obs = Observations(
        stamps_ns=stamps_ns,
        camera=frames[0].frame.camera,
        T_odom_camera=poses,
        odometry_known=known,
        travel_std=path.relative_std,
        sides=sides,
        target_px=np.zeros((h, t, 21, 2)),
        weight=np.zeros((h, t, 21)),
        landmarks=np.tile(np.eye(21), (h, t, 1, 1)),
        shape_m=np.zeros((h, t, 21, 3)),
        shape_weight=np.zeros((h, t)),
        seen=np.zeros((h, t), dtype=bool),
    )
    guess = FirstGuess(
        np.full((h, t, 3, 3), np.nan), np.full((h, t, 3), np.nan), np.full((h, t, 22), np.nan)
    )
    for row, seen in enumerate(frames):
        for state in seen.states:
            own = [d for d in seen.detections if d.side is state.side]
            if own:
                hand = sides.index(state.side)
                _observe(obs, hand, row, own[0], state, costs)
                _guess(guess, anatomy, hand, row, state, poses[row])
    return obs, guess


def _observe(
    obs: Observations,
    hand: int,
    row: int,
    detection: HandDetection,
    state: HandState,
    costs: CostConfig,
) -> None:
    """Write one detection into the arrays."""
    px = detection.keypoints_px
    std_px = max(costs.keypoint_std * np.ptp(px, axis=0).max(), costs.keypoint_std_min_px)
    confidence = detection.keypoint_confidence.clip(_LEAST_CONFIDENCE)
    each = 1.0 / np.sqrt(costs.correlation_frames)
    obs.target_px[hand, row] = px
    obs.weight[hand, row] = each * confidence / std_px
    obs.landmarks[hand, row] = LANDMARKS[detection.landmarks]
    obs.seen[hand, row] = True
    if detection.keypoints_3d_m is None:
        return
    marks = LANDMARKS[detection.landmarks] @ state.keypoints_m
    target = detection.keypoints_3d_m - detection.keypoints_3d_m.mean(axis=0)
    target = target * np.linalg.norm(marks - marks.mean(axis=0)) / np.linalg.norm(target).clip(1e-6)
    in_world = target @ obs.T_odom_camera[row, :3, :3].T
    obs.shape_m[hand, row] = in_world * obs.signs[hand]
    obs.shape_weight[hand, row] = each / costs.detector_3d_std_m


def _guess(
    guess: FirstGuess,
    anatomy: Anatomy,
    hand: int,
    row: int,
    state: HandState,
    T_world_camera: Float[Array, "4 4"],
) -> None:
    """Write one state, moved to the world, into the arrays."""
    left = state.side is Side.LEFT
    sign = MIRROR if left else np.ones(3)
    T = T_world_camera @ state.T_frame_wrist
    rotvec = state.joint_rotvec * ([1.0, -1.0, -1.0] if left else 1.0)
    guess.R[hand, row] = T[:3, :3] * np.outer(sign, sign)
    guess.wrist_m[hand, row] = T[:3, 3] * sign
    guess.angles[hand, row] = anatomy.angles(so3.exp(rotvec))


def _camera_poses(frames: Sequence[Frame]) -> tuple[Float[Array, "t 4 4"], Bool[Array, "t"]]:
    """Poses of the camera by the odometry, the identity where there are none, and which are."""
    known = np.array([frame.T_world_camera is not None for frame in frames])
    poses = [np.eye(4) if (T := frame.T_world_camera) is None else T for frame in frames]
    return np.stack(poses), known
