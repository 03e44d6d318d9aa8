"""Detections to hand states: the keypoint fit as an estimator.

Left hands are fitted as right hands in a world mirrored through x = 0, both hands in one batch.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from hand4d_ros.detection.landmarks import LANDMARKS
from hand4d_ros.estimation.keypoint_fit import initialise
from hand4d_ros.estimation.keypoint_fit.config import KeypointFitConfig
from hand4d_ros.estimation.keypoint_fit.proportions import Proportions
from hand4d_ros.estimation.keypoint_fit.solver import Linearised, Pose, Targets, solve
from hand4d_ros.geometry import camera as cameras
from hand4d_ros.geometry import se3, so3
from hand4d_ros.hand.biomechanics import Anatomy
from hand4d_ros.hand.model import HandModel
from hand4d_ros.hand.orders import MIDDLE_MCP, WRIST
from hand4d_ros.hand.sizing import HAND_LENGTH, HandSize, hand_size, load_calibration
from hand4d_ros.shapes import Array, Bool, Float, Int
from hand4d_ros.types import CameraModel, Frame, HandDetection, HandState, Side

_MIRROR = np.diag([-1.0, 1.0, 1.0])
_MEMORY_NS = 200_000_000
_LEAST_CONFIDENCE = 0.05
_CONFIDENT_SCORE = 0.8
_COMMON_STD = 0.04
"""Detector errors that all keypoints share, as a fraction of the hand's size in the image."""
_APPARENT_SIZE_STD = 0.06
"""Relative error of the apparent size, which turns into depth. This and the one above are the
root mean square errors of this fit, of known hand size, on renders seen by MediaPipe."""


@dataclass(frozen=True)
class _Remembered:
    stamp_ns: int
    pose: Pose


class KeypointFit:
    """Per-frame fit of orientation, position and joint angles to 21 image keypoints."""

    def __init__(self, config: KeypointFitConfig, model: HandModel) -> None:
        """Fit hands of one person.

        Args:
            config: Settings.
            model: Hand model of either side.

        Raises:
            HandModelError: The calibration file is unusable.
        """
        self.config = config
        self._model = model if model.side is Side.RIGHT else model.mirrored()
        lengths = {HAND_LENGTH: config.hand_length_m} if config.hand_length_m else {}
        if config.calibration:
            lengths = load_calibration(config.calibration)
        self._size = hand_size(self._model, lengths)
        frames = config.proportion_frames if config.estimate_proportions else 0
        self._proportions = Proportions(self._size, frames)
        self._memory: dict[Side, _Remembered] = {}
        self._adopt(self._size)

    @property
    def model_id(self) -> str:
        """Method and hand model."""
        return f"keypoint_fit/{self._model.name}"

    @property
    def size(self) -> HandSize:
        """What is known of the person's hand shape."""
        return self._size

    def reset(self) -> None:
        """Forget the last frame; the proportions stay."""
        self._memory.clear()

    def estimate(self, frame: Frame, detections: Sequence[HandDetection]) -> list[HandState]:
        """Fit every detected hand; one that cannot be explained is left out."""
        if not detections:
            return []
        targets, rays, weights = _targets(self.config, frame.camera, detections)
        pose, at = self._fit(frame.stamp_ns, detections, targets, rays, weights)
        usable = np.isfinite(at.cost) & np.isfinite(at.image_rms)
        rows = np.flatnonzero(usable)
        states: list[HandState] = []
        if rows.size:
            kept = [detection for detection, ok in zip(detections, usable, strict=True) if ok]
            states = self._states(frame.camera, kept, pose.take(rows), at, rows)
        for row, state in zip(rows, states, strict=True):
            here = pose.take(np.array([row]))
            self._memory[state.side] = _Remembered(frame.stamp_ns, here)
        self._learn(targets, at, usable, frame.camera, detections)
        return states

    def _adopt(self, size: HandSize) -> None:
        self._size = size
        self._hand = self._model.with_shape(size.betas)
        self._anatomy = Anatomy(self._hand)
        self._left_rest_wrist_m = _MIRROR @ self._hand.joints_m[0]
        self._size_std = size.relative_std(self._model)

    def _learn(
        self,
        targets: Targets,
        at: Linearised,
        usable: Bool[Array, "b"],
        camera: CameraModel,
        detections: Sequence[HandDetection],
    ) -> None:
        """Let confident hands that are whole in the image inform the proportions."""
        if self._proportions.settled:
            return
        whole = cameras.in_image(camera, targets.keypoints_px).all(axis=1)
        sure = np.array([d.score >= _CONFIDENT_SCORE for d in detections])
        use = usable & whole & sure & (at.image_rms < self.config.robust_scale)
        if use.any():
            self._proportions.add(self._hand, targets, at, use)
            self._adopt(self._proportions.size)

    def _fit(
        self,
        stamp_ns: int,
        detections: Sequence[HandDetection],
        targets: Targets,
        rays: Float[Array, "b 21 3"],
        weights: Float[Array, "b 21"],
    ) -> tuple[Pose, Linearised]:
        """Fit warm where the hand was there a moment ago, cold where not or where that fails."""
        known = [self._memory.get(d.side) for d in detections]
        warm = np.array([k is not None and 0 < stamp_ns - k.stamp_ns <= _MEMORY_NS for k in known])
        b = len(detections)
        pose = Pose(np.tile(np.eye(3), (b, 1, 1)), np.zeros((b, 3)), np.zeros((b, 22)))
        for row, k in enumerate(known):
            if warm[row] and k is not None:
                pose.R[row], pose.angles[row] = k.pose.R[0], k.pose.angles[0]
        if warm.any():
            pose = initialise.replaced(self._hand, self._anatomy, pose, rays, weights)
            pose, at = self._solve(targets, pose, self.config.iterations)
            again = ~warm | ~(at.image_rms < self.config.restart_rms)
            if not again.any():
                return pose, at
        else:
            again = ~warm
        rows = np.flatnonzero(again)
        cold = self._cold(targets.take(rows), rays[rows], weights[rows])
        for name in ("R", "wrist_m", "angles"):
            getattr(pose, name)[rows] = getattr(cold, name)
        return self._solve(targets, pose, 1)

    def _solve(self, targets: Targets, pose: Pose, iterations: int) -> tuple[Pose, Linearised]:
        return solve(self._hand, self._anatomy, self.config, targets, pose, iterations)

    def _cold(
        self, targets: Targets, rays: Float[Array, "b 21 3"], weights: Float[Array, "b 21"]
    ) -> Pose:
        """Fit from nothing: from the detector's 3D keypoints, or the best of several views."""
        hand, anatomy = self._hand, self._anatomy
        if np.isfinite(targets.std_3d_m).all():
            start = initialise.from_keypoints_3d(
                hand, anatomy, targets.keypoints_3d_m, rays, weights
            )
            return self._solve(targets, start, self.config.cold_iterations)[0]
        along_px = targets.keypoints_px[:, MIDDLE_MCP] - targets.keypoints_px[:, WRIST]
        along_px[:, 0] *= targets.mirror
        start = initialise.from_views(hand, anatomy, along_px, rays, weights)
        rows = np.repeat(np.arange(len(rays)), initialise.VIEWS)
        pose, at = self._solve(targets.take(rows), start, self.config.cold_iterations)
        best = at.cost.reshape(-1, initialise.VIEWS).argmin(axis=1)
        return pose.take(best + np.arange(len(rays)) * initialise.VIEWS)

    def _states(
        self,
        camera: CameraModel,
        detections: Sequence[HandDetection],
        pose: Pose,
        at: Linearised,
        rows: Int[Array, "n"],
    ) -> list[HandState]:
        """Turn poses into states, left hands back through the mirror; ``at`` is cut to ``rows``."""
        left = np.array([d.side is Side.LEFT for d in detections])
        mirror = np.ones((len(rows), 3))
        mirror[left, 0] = -1.0
        rotvec = so3.log(self._anatomy.local_rotations(pose.angles))
        rotvec *= (mirror * mirror[:, :1])[:, None]
        T_camera_wrist = se3.from_rotation_translation(
            mirror[:, :, None] * pose.R * mirror[:, None], mirror * pose.wrist_m
        )
        keypoints_m = at.posed.keypoints_m[rows] * mirror[:, None]
        keypoints_px = np.stack([d.keypoints_px for d in detections])
        marks = np.stack([LANDMARKS[d.landmarks] for d in detections]) @ keypoints_m
        error_px = cameras.project(camera, marks) - keypoints_px
        reprojection_px = np.sqrt((error_px**2).sum(axis=-1).mean(axis=-1))
        covariance, spread_m = self._uncertainty(
            camera, keypoints_px, keypoints_m, mirror, at, rows
        )
        return [
            HandState(
                side=detection.side,
                T_frame_wrist=T_camera_wrist[n],
                joint_rotvec=rotvec[n],
                betas=self._hand.betas,
                rest_wrist_m=self._left_rest_wrist_m if left[n] else self._hand.joints_m[0],
                keypoints_m=keypoints_m[n],
                keypoint_confidence=detection.keypoint_confidence,
                keypoint_std_m=spread_m[n],
                wrist_covariance=covariance[n],
                keypoints_px=detection.keypoints_px,
                reprojection_px=float(reprojection_px[n]),
            )
            for n, detection in enumerate(detections)
        ]

    def _uncertainty(
        self,
        camera: CameraModel,
        keypoints_px: Float[Array, "n 21 2"],
        keypoints_m: Float[Array, "n 21 3"],
        mirror: Float[Array, "n 3"],
        at: Linearised,
        rows: Int[Array, "n"],
    ) -> tuple[Float[Array, "n 6 6"], Float[Array, "n 21"]]:
        """Covariance of the wrist pose and deviation of each keypoint.

        The inverse of the Gauss-Newton matrix, plus what it cannot know: errors common to all
        keypoints move the hand sideways, and the errors of the apparent and of the person's
        size scale the whole picture about the camera, t -> (1 + s) t, along the viewing ray.
        """
        covariance = np.linalg.inv(at.information[rows])
        J = at.keypoint_jacobian[rows].reshape(len(rows), 63, -1)
        per_keypoint = ((J @ covariance) * J).sum(axis=-1).reshape(-1, 21, 3).mean(axis=-1)
        wrist_m = keypoints_m[:, 0]
        radial = _APPARENT_SIZE_STD**2 + self._size_std**2
        focal_px = 0.5 * (camera.fx_px + camera.fy_px)
        distance_m = np.sqrt((wrist_m**2).sum(axis=-1))
        sideways = (_COMMON_STD * _size_px(keypoints_px) / focal_px * distance_m) ** 2
        # A rotation vector is mirrored like an axis: its sign turns with the determinant as well.
        turn = np.concatenate((mirror, mirror * mirror[:, :1]), axis=1)
        order = [3, 4, 5, 0, 1, 2]
        wrist = covariance[:, order][:, :, order] * (turn[:, :, None] * turn[:, None])
        wrist[:, :3, :3] += radial * wrist_m[:, :, None] * wrist_m[:, None]
        wrist[:, range(3), range(3)] += sideways[:, None]
        common = radial * (keypoints_m**2).mean(axis=-1) + sideways[:, None]
        return wrist, np.sqrt(per_keypoint + common)


def _size_px(keypoints_px: Float[Array, "b 21 2"]) -> Float[Array, "b"]:
    """Return the larger side of the box around the keypoints (px)."""
    return np.ptp(keypoints_px, axis=1).max(axis=1)


def _targets(
    config: KeypointFitConfig, camera: CameraModel, detections: Sequence[HandDetection]
) -> tuple[Targets, Float[Array, "b 21 3"], Float[Array, "b 21"]]:
    """Gather a frame's detections, mirrored where they are left hands."""
    px = np.stack([d.keypoints_px for d in detections])
    confidence = np.stack([d.keypoint_confidence for d in detections]).clip(_LEAST_CONFIDENCE)
    mirror = np.array([-1.0 if d.side is Side.LEFT else 1.0 for d in detections])
    rays = cameras.unproject(camera, px)
    seen = np.isfinite(rays).all(axis=-1)
    weights = np.where(seen, confidence, 0.0)
    std = (config.keypoint_std * _size_px(px)).clip(config.keypoint_std_min_px)
    own = np.zeros((len(px), 21, 3))
    std_3d = np.full(len(px), np.inf)
    for row, detection in enumerate(detections):
        if detection.keypoints_3d_m is not None:
            own[row] = detection.keypoints_3d_m
            std_3d[row] = config.detector_3d_std_m
    signs = np.stack((mirror, np.ones_like(mirror), np.ones_like(mirror)), axis=1)[:, None]
    marks = np.stack([LANDMARKS[d.landmarks] for d in detections])
    std_px = std[:, None] / np.sqrt(confidence)
    targets = Targets(camera, mirror, px, std_px, own * signs, std_3d, marks)
    return targets, np.where(seen[..., None], rays, [0.0, 0.0, 1.0]) * signs, weights
