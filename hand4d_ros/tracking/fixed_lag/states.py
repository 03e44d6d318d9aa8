"""Between hand states and rows of a window: mirrored, relative to the camera, at assumed size."""

from __future__ import annotations

from dataclasses import replace
from typing import NamedTuple

import numpy as np

from hand4d_ros.detection.landmarks import LANDMARKS
from hand4d_ros.geometry import camera as cameras
from hand4d_ros.geometry import se3, so3
from hand4d_ros.hand.biomechanics import Anatomy
from hand4d_ros.hand.model import HandModel, ShapedHand
from hand4d_ros.hand.sizing import HAND_LENGTH, measured_length
from hand4d_ros.shapes import Array, Float
from hand4d_ros.tracking.fixed_lag.config import FixedLagConfig
from hand4d_ros.tracking.fixed_lag.ratio import Ratio
from hand4d_ros.tracking.fixed_lag.window import Seen, Window
from hand4d_ros.tracking.transform import moved
from hand4d_ros.types import Frame, HandDetection, HandState, Side

SIGNS = {Side.LEFT: np.array([-1.0, 1.0, 1.0]), Side.RIGHT: np.ones(3)}
"""Takes points of each hand's own world to the world and back."""
_TURNS = {Side.LEFT: np.array([1.0, -1.0, -1.0]), Side.RIGHT: np.ones(3)}
_LEAST_CONFIDENCE = 0.05
_STEP = 1e-3
_OUTLIER = 3.0
"""Residual of a single frame, in deviations, from which a keypoint loses influence (Cauchy)."""
_LONGEST_SHARE = 2.0
_ACCELERATION_M_S2 = 5.0
"""Spread of a hand's acceleration, by which the uncertainty of an unseen hand grows."""


class Assumed:
    """The hand that single frames assume, and how its coefficients change with its size."""

    def __init__(self, right_hand: HandModel, betas: Float[Array, "10"]) -> None:
        """Prepare a shape.

        Args:
            right_hand: The right hand model.
            betas: Its coefficients.
        """
        self.hand: ShapedHand = right_hand.with_shape(betas)
        self.anatomy = Anatomy(self.hand)
        steps = _STEP * np.eye(10)
        ahead = [measured_length(right_hand, betas + each, HAND_LENGTH) for each in steps]
        length_m = self.hand.hand_length_m
        gradient = (np.array(ahead) - length_m) / _STEP
        self._by_size = length_m * gradient / (gradient @ gradient)

    def scaled_betas(self, size: float) -> Float[Array, "10"]:
        """Coefficients of the hand that is longer by a factor, the nearest ones that are."""
        return np.asarray(self.hand.betas + (size - 1.0) * self._by_size)


def observed(
    costs: FixedLagConfig,
    anatomy: Anatomy,
    frame: Frame,
    T: Float[Array, "4 4"],
    state: HandState,
    detection: HandDetection | None,
) -> Seen:
    """What a frame says of a hand that was seen in it.

    Args:
        costs: Deviations.
        anatomy: Axes of the right hand.
        frame: The frame.
        T: Its camera's pose by the odometry.
        state: In the camera frame.
        detection: What it was made of, if that is known.
    """
    sign = SIGNS[state.side]
    mirror = np.outer(sign, sign)
    px = state.keypoints_px
    std_px = max(costs.keypoint_std * float(np.ptp(px, axis=0).max()), costs.keypoint_std_min_px)
    each = 1.0 / np.sqrt(costs.correlation_frames)
    landmarks = np.eye(21) if detection is None else LANDMARKS[detection.landmarks]
    marks = landmarks @ state.keypoints_m
    # What the hand of this frame alone cannot explain is an outlier; judged here, where no motion
    # of the hand is mistaken for one.
    off = np.square(cameras.project(frame.camera, marks) - px).sum(axis=1) / std_px**2
    trust = 1.0 / np.sqrt(1.0 + np.nan_to_num(off, nan=np.inf) / _OUTLIER**2)
    shape, shape_weight = np.zeros((21, 3)), 0.0
    if detection is not None and detection.keypoints_3d_m is not None:
        shape = detection.keypoints_3d_m - detection.keypoints_3d_m.mean(axis=0)
        size = np.linalg.norm(marks - marks.mean(axis=0)) / np.linalg.norm(shape).clip(1e-6)
        shape = (size * shape) @ T[:3, :3].T * sign
        shape_weight = float(each / costs.detector_3d_std_m)
    return Seen(
        stamp_ns=frame.stamp_ns,
        R=(T[:3, :3] @ state.T_frame_wrist[:3, :3]) * mirror,
        relative_m=(T[:3, :3] @ state.wrist_m) * sign,
        angles=anatomy.angles(so3.exp(state.joint_rotvec * _TURNS[state.side])),
        R_world_camera=T[:3, :3] * mirror,
        centre=T[:3, 3] * sign,
        target_px=px,
        weight=each * trust * state.keypoint_confidence.clip(_LEAST_CONFIDENCE) / std_px,
        shape_m=shape,
        shape_weight=shape_weight,
        seen=True,
    )


def unseen(stamp_ns: int, T: Float[Array, "4 4"], window: Window, ratio: float) -> Seen:
    """What a frame says of a hand that was not seen: nothing; it starts where it was.

    Args:
        stamp_ns: The frame's time.
        T: Its camera's pose by the odometry.
        window: Of the hand.
        ratio: From units of the odometry to those of the assumed hand.
    """
    sign = window.sign
    centre = T[:3, 3] * sign
    return Seen(
        stamp_ns=stamp_ns,
        R=window.R[-1],
        relative_m=window.relative_m[-1] - ratio * (centre - window.centre[-1]),
        angles=window.angles[-1],
        R_world_camera=T[:3, :3] * np.outer(sign, sign),
        centre=centre,
        target_px=np.zeros((21, 2)),
        weight=np.zeros(21),
        shape_m=np.zeros((21, 3)),
        shape_weight=0.0,
        seen=False,
    )


def started(window: Window, new: Seen, ratio: float) -> Seen:
    """Let a frame start where the window's motion leads.

    The smoothed answer is nearer to the prediction than to the noisy hand of a single frame, so one
    Gauss-Newton step from there suffices.

    Args:
        window: What came before.
        new: The frame, starting at the hand that it alone shows.
        ratio: From units of the odometry to those of the assumed hand.
    """
    if len(window) < 2:
        return new
    world_m = window.relative_m[-2:] + ratio * (window.centre[-2:] - new.centre)
    ago_s, step_s = np.diff((*window.stamps_ns[-2:], new.stamp_ns)) * 1e-9
    share = min(float(step_s / ago_s), _LONGEST_SHARE)
    relative_m = world_m[1] + share * (world_m[1] - world_m[0])
    R = so3.exp(share * so3.log(window.R[-1] @ window.R[-2].T)) @ window.R[-1]
    return new._replace(relative_m=relative_m, R=R, angles=window.angles[-1])


class Placed(NamedTuple):
    """The newest frame of a window in the published world."""

    side: Side
    T_world_wrist: Float[Array, "4 4"]
    joint_rotvec: Float[Array, "15 3"]
    hand: ShapedHand
    keypoints_m: Float[Array, "21 3"]
    camera_m: Float[Array, "3"]
    """Centre of the camera."""


def placed(
    side: Side,
    window: Window,
    anatomy: Anatomy,
    hand: ShapedHand,
    camera_m: Float[Array, "3"],
    size: float,
) -> Placed:
    """Take the newest frame of a window to the published world.

    Args:
        side: Of the hand.
        window: Its frames.
        anatomy: Axes of the right hand of the assumed shape.
        hand: Hand of this side and of the estimated size.
        camera_m: Centre of the camera in the published world.
        size: Of the hand relative to the assumed one.
    """
    sign = SIGNS[side]
    R = window.R[-1] * np.outer(sign, sign)
    wrist_m = camera_m + size * window.relative_m[-1] * sign
    local = anatomy.local_rotations(window.angles[-1])
    rotvec = so3.log(local) * _TURNS[side]
    T = se3.from_rotation_translation(R, wrist_m)
    return Placed(side, T, rotvec, hand, hand.keypoints(T, rotvec), camera_m)


def observed_state(
    frame: Frame,
    T: Float[Array, "4 4"],
    state: HandState,
    detection: HandDetection | None,
    at: Placed,
    ratio: Ratio,
    assumed_std: float,
) -> HandState:
    """The smoothed state of a hand that was seen.

    What single frames have in common (the detector's slow errors) no window of a fraction of a
    second removes, so the deviations stay those of the single frame, but for the size.

    Args:
        frame: The frame.
        T: Pose of the camera in the published world.
        state: Of the frame alone, in the camera frame.
        detection: What it was made of, if that is known.
        at: The smoothed hand.
        ratio: What is known of its size.
        assumed_std: Relative deviation of the size of single frames.
    """
    in_world = moved(state, T)
    offset_m = in_world.wrist_m - at.camera_m
    covariance = in_world.wrist_covariance.copy()
    along = offset_m @ covariance[:3, :3] @ offset_m / (offset_m @ offset_m) ** 2
    # Deviations that do not hold the size's, as after a calibration, must not become negative.
    learnt = max(ratio.size_std**2 - assumed_std**2, -0.5 * float(along))
    covariance[:3, :3] += learnt * np.outer(offset_m, offset_m)
    common = learnt * np.square(at.keypoints_m - at.camera_m).sum(axis=1) / 3.0
    std_m = np.sqrt(np.maximum(state.keypoint_std_m**2 + common, 0.25 * state.keypoint_std_m**2))
    landmarks = np.eye(21) if detection is None else LANDMARKS[detection.landmarks]
    marks = se3.apply(se3.inverse(T), landmarks @ at.keypoints_m)
    error = cameras.project(frame.camera, marks) - state.keypoints_px
    return replace(
        _posed(in_world, at),
        wrist_covariance=covariance,
        keypoint_std_m=std_m,
        reprojection_px=float(np.sqrt(np.mean(np.sum(error**2, axis=1)))),
    )


def unseen_state(last: HandState, age_s: float, at: Placed) -> HandState:
    """The state of a hand that was not seen: the window's, with growing uncertainty.

    Args:
        last: As last observed.
        age_s: Since then.
        at: The window's hand.
    """
    spread_m = 0.5 * _ACCELERATION_M_S2 * age_s**2
    covariance = last.wrist_covariance.copy()
    covariance[:3, :3] += spread_m**2 * np.eye(3)
    return replace(
        _posed(last, at),
        keypoint_std_m=np.sqrt(last.keypoint_std_m**2 + spread_m**2),
        keypoints_px=np.full((21, 2), np.nan),
        keypoint_confidence=np.zeros(21),
        reprojection_px=float("nan"),
        wrist_covariance=covariance,
    )


def _posed(state: HandState, at: Placed) -> HandState:
    return replace(
        state,
        T_frame_wrist=at.T_world_wrist,
        joint_rotvec=at.joint_rotvec,
        betas=at.hand.betas,
        rest_wrist_m=at.hand.joints_m[0],
        keypoints_m=at.keypoints_m,
    )
