"""The truth as a detector, for simulation: true hands in the world, projected into the frame."""

from __future__ import annotations

import bisect
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from hand4d_ros.detection.base import fill_unseen
from hand4d_ros.errors import DetectionError
from hand4d_ros.geometry import camera as cameras
from hand4d_ros.geometry import se3
from hand4d_ros.settings import check
from hand4d_ros.shapes import Array, Float
from hand4d_ros.types import CameraModel, Frame, HandDetection, HandState, Side

_NS = 1e-9


@dataclass(frozen=True)
class TruthConfig:
    """What a perfect detector is made worse by."""

    noise_px: float = field(default=0.0, metadata={"min": 0.0, "max": 1000.0})
    """One standard deviation of each keypoint's error along each axis of the image (px)."""
    noise_3d_m: float = field(default=0.0, metadata={"min": 0.0, "max": 1.0})
    """One standard deviation of each 3D keypoint's error along each axis (m)."""
    dropout: float = field(default=0.0, metadata={"min": 0.0, "max": 1.0})
    """Probability that a hand is missed in a frame."""
    wrong_side: float = field(default=0.0, metadata={"min": 0.0, "max": 1.0})
    """Probability that a hand is given the other side in a frame."""
    min_keypoints: int = field(default=8, metadata={"min": 1, "max": 21})
    """Keypoints that must lie in the image for a hand to be found."""
    outside_confidence: float = field(default=0.25, metadata={"min": 0.0, "max": 1.0})
    """Confidence of keypoints outside of the image; inside it is 1."""
    tolerance_s: float = field(default=0.001, metadata={"min": 0.0, "max": 1.0})
    """Largest difference between the stamps of a frame and of its truth (s)."""
    seed: int = field(default=0, metadata={"min": 0})
    """Of all random numbers; a frame's depend on it and on the frame's stamp alone."""

    def __post_init__(self) -> None:
        """Reject values out of range."""
        check(self)


@dataclass(frozen=True)
class TrueHand:
    """Where one hand truly is."""

    side: Side
    keypoints_world_m: Float[Array, "21 3"]
    """OpenPose order."""

    @classmethod
    def from_state(cls, state: HandState) -> TrueHand:
        """Truth from a hand state that is given in the world.

        Args:
            state: With its keypoints in the world (m).

        Returns:
            Its side and keypoints.
        """
        return cls(state.side, state.keypoints_m)


@dataclass(frozen=True)
class _Moment:
    hands: tuple[TrueHand, ...]
    T_world_camera: Float[Array, "4 4"] | None


class TruthDetector:
    """Detector that knows where the hands are and says so as well as it is allowed to."""

    def __init__(self, config: TruthConfig | None = None) -> None:
        """Start without any truth.

        Args:
            config: What to make worse; a perfect detector if None.
        """
        self._config = config or TruthConfig()
        self._stamps_ns: list[int] = []
        self._moments: dict[int, _Moment] = {}

    def put(
        self,
        stamp_ns: int,
        hands: Sequence[TrueHand],
        T_world_camera: Float[Array, "4 4"] | None = None,
    ) -> None:
        """Tell the truth of one instant.

        Args:
            stamp_ns: Capture time of the image.
            hands: All hands there are.
            T_world_camera: Where the camera truly is; None takes the frame's own pose, which
                is right only while odometry is simulated without error.

        Raises:
            GeometryError: If the camera's pose is not a rigid transform.
        """
        if T_world_camera is not None:
            T_world_camera = se3.check_rigid(T_world_camera, "T_world_camera")
        if stamp_ns not in self._moments:
            bisect.insort(self._stamps_ns, stamp_ns)
        self._moments[stamp_ns] = _Moment(tuple(hands), T_world_camera)

    def detect(self, frame: Frame) -> list[HandDetection]:
        """The hands of this instant that enough can be seen of.

        Args:
            frame: The frame; its image is not looked at.

        Returns:
            One detection for each hand; none where the truth of this stamp is not known.

        Raises:
            DetectionError: If neither the truth nor the frame says where the camera is.
        """
        moment = self._nearest(frame.stamp_ns)
        if moment is None:
            return []
        T_world_camera = moment.T_world_camera
        if T_world_camera is None:
            T_world_camera = frame.T_world_camera
        if T_world_camera is None:
            msg = (
                f"the truth of stamp {frame.stamp_ns} has no camera pose and neither has the "
                "frame; give T_world_camera to put() or run with odometry"
            )
            raise DetectionError(msg)
        T_camera_world = se3.inverse(T_world_camera)
        rng = np.random.default_rng([self._config.seed, frame.stamp_ns % 2**63])
        detections = []
        for hand in moment.hands:
            # Both random decisions and the noise are drawn for every hand, so that one
            # setting does not change the random numbers of another.
            missed, mistaken = rng.random(2) < (self._config.dropout, self._config.wrong_side)
            errors = rng.normal(size=(21, 5))
            p_camera = se3.apply(T_camera_world, hand.keypoints_world_m)
            side = Side(1 - hand.side) if mistaken else hand.side
            detection = self._detection(side, p_camera, frame.camera, errors)
            if detection is not None and not missed:
                detections.append(detection)
        return detections

    def warm_up(self, camera: CameraModel) -> None:
        """Do nothing: there is nothing to prepare.

        Args:
            camera: Not used.
        """

    def close(self) -> None:
        """Forget the truth."""
        self._stamps_ns.clear()
        self._moments.clear()

    def _nearest(self, stamp_ns: int) -> _Moment | None:
        index = bisect.bisect_left(self._stamps_ns, stamp_ns)
        near = self._stamps_ns[max(index - 1, 0) : index + 1]
        if not near:
            return None
        nearest = min(near, key=lambda stamp: abs(stamp - stamp_ns))
        if abs(nearest - stamp_ns) * _NS > self._config.tolerance_s:
            return None
        return self._moments[nearest]

    def _detection(
        self,
        side: Side,
        p_camera: Float[Array, "21 3"],
        camera: CameraModel,
        errors: Float[Array, "21 5"],
    ) -> HandDetection | None:
        """Detection of one hand, with its errors in standard deviations."""
        px, seen = fill_unseen(cameras.project(camera, p_camera))
        inside = cameras.in_image(camera, px) & seen
        if inside.sum() < self._config.min_keypoints:
            return None
        relative_m = p_camera - p_camera.mean(axis=0)
        return HandDetection(
            side=side,
            score=1.0,
            keypoints_px=px + self._config.noise_px * errors[:, :2],
            keypoint_confidence=np.where(inside, 1.0, self._config.outside_confidence) * seen,
            keypoints_3d_m=relative_m + self._config.noise_3d_m * errors[:, 2:],
        )
