"""Frozen records of everything that flows between the rooms.

Every field names its shape and unit. Arrays are float64 unless the field says otherwise.
Frames: ``T_a_b`` maps coordinates in b to coordinates in a; camera frames are optical
(x right, y down, z forward). Joint orders are those of ``hand4d_ros.hand.orders``.
"""

from __future__ import annotations

import enum
from dataclasses import dataclass, field
from typing import Literal

import numpy as np

from hand4d_ros.errors import ForecastError
from hand4d_ros.shapes import Array, Float, UInt8

DistortionModel = Literal["plumb_bob", "rational_polynomial", "equidistant"]


LandmarkDefinition = Literal["joints", "mediapipe"]
"""``joints``: centres of rotation and fingertips; otherwise a detector's own idea of them."""


class Side(enum.IntEnum):
    """Which hand. The values are those of ``HandState.msg``."""

    LEFT = 0
    RIGHT = 1

    @property
    def label(self) -> str:
        """``"left"`` or ``"right"``, as topics, frames and tables spell it."""
        return self.name.lower()


class TrackingState(enum.IntEnum):
    """How a published hand came to be. The values are those of ``HandState.msg``."""

    LOST = 0
    """Not seen for longer than the hold time; the last pose is kept for reference only."""
    OBSERVED = 1
    """Detected in this very frame."""
    INFILLED = 2
    """Not detected in this frame, filled in from frames on both sides or by a motion prior."""
    PREDICTED = 3
    """Not detected in this frame, extrapolated from the past."""


@dataclass(frozen=True)
class CameraModel:
    """A calibrated camera; ``hand4d_ros.geometry.camera`` projects with it.

    ``distortion`` holds (k1, k2, p1, p2, k3) for plumb_bob, (k1, k2, p1, p2, k3, k4, k5, k6)
    for rational_polynomial and (k1, k2, k3, k4) for equidistant; shorter tuples are padded
    with zeros.
    """

    width_px: int
    height_px: int
    fx_px: float
    fy_px: float
    cx_px: float
    cy_px: float
    model: DistortionModel = "plumb_bob"
    distortion: tuple[float, ...] = ()


@dataclass(frozen=True)
class Frame:
    """One camera image with all that is known at its instant."""

    stamp_ns: int
    """Capture time."""
    image: UInt8[Array, "h w 3"]
    """RGB."""
    camera: CameraModel
    T_world_camera: Float[Array, "4 4"] | None = field(default_factory=lambda: np.eye(4))
    """Camera pose at ``stamp_ns``; None where it is unknown, as where odometry has a hole. By
    default the camera does not move and the world is its frame."""
    camera_frame: str = "camera"
    world_frame: str = "world"


@dataclass(frozen=True)
class HandDetection:
    """One hand found in one image."""

    side: Side
    score: float
    """Probability that this is a hand of this side, 0..1."""
    keypoints_px: Float[Array, "21 2"]
    """Pixel coordinates of the distorted image, OpenPose order; may lie outside of it."""
    keypoint_confidence: Float[Array, "21"]
    """0..1 each."""
    keypoints_3d_m: Float[Array, "21 3"] | None = None
    """The detector's own 3D guess: camera axes, arbitrary origin, its own idea of size."""
    landmarks: LandmarkDefinition = "joints"
    """What exactly the keypoints mark, see ``hand4d_ros.detection.landmarks``."""


@dataclass(frozen=True)
class HandState:
    """One hand at one instant as a MANO state, in one frame (camera or world).

    The parameters belong to the hand model of this ``side``: a left hand's to the left model,
    the mirror image of the right one through x = 0.
    """

    side: Side
    T_frame_wrist: Float[Array, "4 4"]
    """Wrist joint position (m) and MANO global orientation."""
    joint_rotvec: Float[Array, "15 3"]
    """Axis-angle (rad) of joints 1..15 in MANO order, absolute from the flat hand."""
    betas: Float[Array, "10"]
    """Shape coefficients (standard deviations)."""
    rest_wrist_m: Float[Array, "3"]
    """Wrist joint of the shaped model at rest; MANO's translation is wrist minus this."""
    keypoints_m: Float[Array, "21 3"]
    """OpenPose order, in the same frame as ``T_frame_wrist``."""
    keypoint_confidence: Float[Array, "21"]
    """0..1 each."""
    keypoint_std_m: Float[Array, "21"]
    """One standard deviation of each keypoint's position, the root mean over its three axes."""
    wrist_covariance: Float[Array, "6 6"]
    """Covariance of wrist position (m) and orientation (rad, axes of the frame)."""
    keypoints_px: Float[Array, "21 2"]
    """The image keypoints that the state explains; NaN where there were none."""
    reprojection_px: float
    """Root mean square of projected minus detected keypoints."""

    @property
    def wrist_m(self) -> Float[Array, "3"]:
        """Wrist position in the state's frame (m)."""
        return self.T_frame_wrist[:3, 3]

    @property
    def transl_m(self) -> Float[Array, "3"]:
        """MANO's translation parameter (m): vertices are posed about the wrist, then shifted."""
        return self.T_frame_wrist[:3, 3] - self.rest_wrist_m


@dataclass(frozen=True)
class HandTrack:
    """One hand with an identity over time, in the world."""

    stamp_ns: int
    """Capture time of the image that this track was updated for."""
    track_id: str
    """Unique for one unbroken presence of one hand, such as ``right-3``."""
    tracking_state: TrackingState
    age_ns: int
    """Time since the hand was last observed; 0 when observed."""
    presence: float
    """Probability that the hand is there, 0..1."""
    hand: HandState
    """In ``world_frame``."""
    linear_velocity_m_s: Float[Array, "3"]
    """Of the wrist, in the world."""
    angular_velocity_rad_s: Float[Array, "3"]
    """Of the wrist, in the world."""
    reacquired: bool = False
    """True in the first observed frame after a gap, so that teleoperation can re-clutch."""
    world_scale: float = 1.0
    """Metres per unit of the odometry, by which the track was placed; 1 where it is metric."""
    world_scale_std: float = 0.0
    """Its relative deviation; 0 where it was not estimated."""


@dataclass(frozen=True)
class ForecastMode:
    """One of several futures of one hand, ``n`` steps, the first one step after the stamp."""

    probability: float
    T_world_wrist: Float[Array, "n 4 4"]
    """Wrist poses (m)."""
    wrist_covariance_m2: Float[Array, "n 3 3"]
    """Position covariance per step."""
    fingertips_m: Float[Array, "n 5 3"]
    """Thumb to little finger, in the world."""
    radius_m: Float[Array, "n"]
    """Sphere about the wrist that holds the wrist with probability ``HandForecast.coverage``."""
    mano_pose: Float[Array, "n 48"] | None = None
    """Global orientation and 15 joints, axis-angle (rad), MANO order."""


@dataclass(frozen=True)
class HandForecast:
    """Possible futures of one hand. A prediction is not an observation."""

    stamp_ns: int
    """Capture time of the last observation that it is made from."""
    side: Side
    track_id: str
    existence_probability: float
    time_step_ns: int
    coverage: float
    modes: tuple[ForecastMode, ...] = field(default=())
    """Sorted by falling probability, which sum to one."""

    def at(self, stamp_ns: int) -> tuple[ForecastPose, ...]:
        """Where the hand is forecast to be at a time of the planner's choosing, for each mode.

        A planner that asks for its own now, or for when its robot arrives, need not know how long
        image and forecast took. Between two steps the wrist turns by SLERP and everything else is
        interpolated linearly, the fingertips as the wrist carries them; at a step it is the step.
        From the last image to the first step the motion of the first two steps is led back.

        Args:
            stamp_ns: From the stamp of the forecast to its last step.

        Returns:
            One pose a mode, in the order of the modes.

        Raises:
            ForecastError: The time is before the forecast or beyond its horizon.
        """
        steps = min((len(mode.T_world_wrist) for mode in self.modes), default=0)
        place = (stamp_ns - self.stamp_ns) / self.time_step_ns - 1.0
        if not -1.0 <= place <= steps - 1.0:
            first, last = (self.stamp_ns + n * self.time_step_ns for n in (0, steps))
            msg = (
                f"a forecast from {first} to {last} ns was asked for {stamp_ns} ns, "
                f"{(stamp_ns - first) * 1e-9:.3f} s after its image; ask for a time within it, "
                "or forecast with a longer horizon_s"
            )
            raise ForecastError(msg)
        start = max(min(int(place // 1.0), steps - 2), 0)
        return tuple(_pose_between(mode, start, place - start) for mode in self.modes)


@dataclass(frozen=True)
class ForecastPose:
    """One of several possible states of one hand at one time; see ``ForecastMode``."""

    probability: float
    T_world_wrist: Float[Array, "4 4"]
    wrist_covariance_m2: Float[Array, "3 3"]
    fingertips_m: Float[Array, "5 3"]
    radius_m: float


def _pose_between(mode: ForecastMode, start: int, alpha: float) -> ForecastPose:
    """Interpolate a mode from one step to the next; a negative alpha leads the wrist back."""
    # This room comes before that of geometry, which needs its cameras.
    from scipy.spatial.transform import Rotation

    rows = [start, min(start + 1, len(mode.T_world_wrist) - 1)]
    T, within = mode.T_world_wrist[rows], min(max(alpha, 0.0), 1.0)
    R, p = T[:, :3, :3], T[:, :3, 3]
    turn = Rotation.from_matrix(R[0].T @ R[1]).as_rotvec()
    T_world_wrist = np.eye(4)
    T_world_wrist[:3, :3] = R[0] @ Rotation.from_rotvec(alpha * turn).as_matrix()
    T_world_wrist[:3, 3] = p[0] + alpha * (p[1] - p[0])
    tips_wrist = (mode.fingertips_m[rows] - p[:, None]) @ R

    def between(values: Float[Array, "2 ..."]) -> Float[Array, "..."]:
        return np.asarray(values[0] + within * (values[1] - values[0]))

    return ForecastPose(
        probability=mode.probability,
        T_world_wrist=T_world_wrist,
        wrist_covariance_m2=between(mode.wrist_covariance_m2[rows]),
        fingertips_m=between(tips_wrist) @ T_world_wrist[:3, :3].T + T_world_wrist[:3, 3],
        radius_m=float(between(mode.radius_m[rows])),
    )
