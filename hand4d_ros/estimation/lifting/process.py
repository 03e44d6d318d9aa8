"""The lifting model on a stream: a window that slides by one frame, started from the last one.

Each frame's window overlaps the one before in all frames but one, so its motion is known up to a
little noise: the last result, moved into the new first camera's frame and held for one frame
more, gets the noise of a middle level and is denoised from there in few steps.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np
import torch

from hand4d_ros.detection.landmarks import LANDMARKS
from hand4d_ros.errors import ConfigError
from hand4d_ros.estimation.lifting.conditions import (
    SIDES,
    SeenKeypoints,
    conditions_from_keypoints,
    seen_keypoints,
)
from hand4d_ros.estimation.lifting.config import LiftingConfig
from hand4d_ros.estimation.lifting.motion_vector import (
    Hands,
    hands_from_two_row_vector,
    two_row_vector_from_hands,
)
from hand4d_ros.estimation.lifting.network import LiftingNetwork
from hand4d_ros.geometry import camera as cameras
from hand4d_ros.geometry import se3, so3
from hand4d_ros.hand.builtin import builtin_hand
from hand4d_ros.nn.cards import find_weights, read_card
from hand4d_ros.nn.diffusion_samplers import spaced_steps
from hand4d_ros.nn.weights import load_weights
from hand4d_ros.settings import check
from hand4d_ros.shapes import Array, Float
from hand4d_ros.types import Frame, HandDetection, HandState


@dataclass(frozen=True)
class LiftingStreamConfig:
    """How the model follows a stream."""

    steps: int = field(default=1, metadata={"min": 1, "max": 1000})
    """Of denoising a frame, when there is a motion to start from."""
    cold_steps: int = field(default=4, metadata={"min": 1, "max": 1000})
    """Without one."""
    warm_level: float = field(default=0.3, metadata={"min": 0.0, "max": 1.0})
    """Noise that the last motion gets, as a share of all levels."""
    max_gap_s: float = field(default=0.5, metadata={"min": 0.01, "max": 60.0})
    """Time between frames from which the past is forgotten."""
    position_std_m: float = field(default=0.03, metadata={"min": 0.001, "max": 1.0})
    """Published deviation of positions; a constant, not estimated."""
    rotation_std_rad: float = field(default=0.2, metadata={"min": 0.001, "max": 3.2})
    """Published deviation of the wrist's orientation; a constant, not estimated."""

    def __post_init__(self) -> None:
        """Reject values out of range."""
        check(self)


class _Past(NamedTuple):
    """One frame of the window."""

    stamp_ns: int
    seen: SeenKeypoints
    """Of one frame."""
    T_world_camera: Float[Array, "4 4"]


class LiftingEstimator:
    """Lifts detections frame by frame; see ``estimation.base.Estimator``."""

    def __init__(
        self, network: LiftingNetwork, config: LiftingStreamConfig, name: str = "lifting"
    ) -> None:
        """Start with an empty window.

        Args:
            network: With weights.
            config: How it follows a stream.
            name: Of the weights, for the states' model identifier.

        Raises:
            ConfigError: There are fewer noise levels than steps.
        """
        levels = network.config.diffusion.steps
        self._warm = round(config.warm_level * (levels - 1))
        if config.steps > self._warm + 1 or config.cold_steps > levels:
            raise ConfigError(
                f"steps is {config.steps} from level {self._warm} and cold_steps "
                f"{config.cold_steps} of {levels}; give fewer, or a higher warm_level"
            )
        self._network = network.eval()
        self._config = config
        self._name = name
        self._hands = {side: builtin_hand(side).with_shape() for side in SIDES}
        self._window: deque[_Past] = deque(maxlen=network.config.frames)
        self._motion: Hands | None = None
        self._held = 0
        self._is_posed = False
        self._rng = torch.Generator()
        self.reset()

    @property
    def model_id(self) -> str:
        """Name of the weights."""
        return self._name

    def reset(self) -> None:
        """Forget the past."""
        self._window.clear()
        self._motion, self._held = None, 0
        self._rng.manual_seed(0)

    def estimate(self, frame: Frame, detections: Sequence[HandDetection]) -> list[HandState]:
        """Return a state for each detection, in the same order.

        Args:
            frame: The image's camera, pose and stamp; the image itself is not looked at.
            detections: At most one of each hand counts, the surest.

        Raises:
            GeometryError: The camera is unusable.
        """
        self._note(frame, detections)
        if not detections:
            return []
        T_world_camera = self._window[-1].T_world_camera
        hands = self._lifted()
        R = T_world_camera[:3, :3].T @ hands.rotations[-1, :, 0].double().numpy()
        wrist_m = se3.apply(se3.inverse(T_world_camera), hands.wrist_m[-1].double().numpy())
        rotvec = so3.log(hands.rotations[-1, :, 1:].double().numpy())
        T_camera_wrist = se3.from_rotation_translation(R, wrist_m)
        return [self._state(frame, d, T_camera_wrist, rotvec) for d in detections]

    def _note(self, frame: Frame, detections: Sequence[HandDetection]) -> None:
        """Add a frame to the window, which begins anew after a gap and without a pose."""
        pose = frame.T_world_camera
        known = pose is not None and bool(np.isfinite(pose).all())
        if self._window:
            since_ns = frame.stamp_ns - self._window[-1].stamp_ns
            # A frame without a pose has nothing to do with the one before or after it.
            near = 0 < since_ns <= 1e9 * self._config.max_gap_s
            if not (near and known and self._is_posed):
                self.reset()
        self._is_posed = known
        seen = seen_keypoints(frame.camera, [detections])
        here = np.eye(4) if pose is None or not known else pose
        self._window.append(_Past(frame.stamp_ns, seen, here))
        self._held += 1

    def _lifted(self) -> Hands:
        """Lift the window; motion in the world, as far as the poses know it."""
        net, config = self._network, self._config
        T_world_camera = np.stack([past.T_world_camera for past in self._window])
        parts = [past.seen for past in self._window]
        seen = SeenKeypoints(
            *(
                np.concatenate([getattr(p, name) for p in parts])
                for name in ("uv", "bearings", "valid")
            )
        )
        told = {
            name: torch.from_numpy(value)[None]
            for name, value in conditions_from_keypoints(seen, T_world_camera).items()
        }
        first = T_world_camera[0]
        warm, steps = None, spaced_steps(net.diffusion.steps - 1, config.cold_steps)
        if self._motion is not None:
            held = _extended(self._motion, self._held, len(self._window))
            warm = two_row_vector_from_hands(_moved(held, se3.inverse(first)), net.scale)[None]
            steps = spaced_steps(self._warm, config.steps)
        with torch.inference_mode():
            vector = net.sample(told, steps, self._rng, warm=warm)[0]
        self._motion = _moved(hands_from_two_row_vector(vector, net.scale), first)
        self._held = 0
        return self._motion

    def _state(
        self,
        frame: Frame,
        detection: HandDetection,
        T_camera_wrist: Float[Array, "2 4 4"],
        rotvec: Float[Array, "2 15 3"],
    ) -> HandState:
        hand, row = self._hands[detection.side], SIDES.index(detection.side)
        keypoints_m = hand.keypoints(T_camera_wrist[row], rotvec[row])
        marks = cameras.project(frame.camera, LANDMARKS[detection.landmarks] @ keypoints_m)
        off_px = ((marks - detection.keypoints_px) ** 2).sum(-1)
        variance = [self._config.position_std_m**2] * 3 + [self._config.rotation_std_rad**2] * 3
        return HandState(
            side=detection.side,
            T_frame_wrist=T_camera_wrist[row],
            joint_rotvec=rotvec[row],
            betas=hand.betas,
            rest_wrist_m=hand.joints_m[0],
            keypoints_m=keypoints_m,
            keypoint_confidence=detection.keypoint_confidence,
            keypoint_std_m=np.full(21, self._config.position_std_m),
            wrist_covariance=np.diag(variance),
            keypoints_px=detection.keypoints_px,
            reprojection_px=float(np.sqrt(off_px.mean())),
        )


def load_lifting(weights: str, config: LiftingStreamConfig) -> LiftingEstimator:
    """Read an estimator's weights.

    Args:
        weights: Their name, or a path to a ``.safetensors`` file.
        config: How it follows a stream.

    Raises:
        WeightsError: They are missing, damaged or of another network.
    """
    path = find_weights(weights)
    network = LiftingNetwork(read_card(path).network_config(LiftingConfig))
    card = load_weights(network, path)
    return LiftingEstimator(network, config, f"{card.name}-{card.version}")


def _extended(motion: Hands, frames: int, window: int) -> Hands:
    """Hold the last frame for some more, and keep the newest ones."""
    parts = (torch.cat((m, m[-1:].expand(frames, *m.shape[1:])))[-window:] for m in motion)
    return Hands(*parts)


def _moved(motion: Hands, T: Float[Array, "4 4"]) -> Hands:
    """Return motion in another frame."""
    move = torch.as_tensor(T, dtype=motion.wrist_m.dtype)
    rotations = motion.rotations.clone()
    rotations[..., 0, :, :] = move[:3, :3] @ rotations[..., 0, :, :]
    return Hands(rotations, motion.wrist_m @ move[:3, :3].T + move[:3, 3])
