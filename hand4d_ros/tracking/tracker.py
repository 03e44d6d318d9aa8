"""Hands of single frames to tracks in the world: identity, gaps, jumps, velocity, smoothing."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from hand4d_ros.errors import TrackingError
from hand4d_ros.geometry import camera as cameras
from hand4d_ros.geometry import se3, so3
from hand4d_ros.hand.model import HandModel
from hand4d_ros.shapes import Array, Float
from hand4d_ros.tracking.config import TrackerConfig
from hand4d_ros.tracking.fixed_lag.smoother import FixedLag
from hand4d_ros.tracking.one_euro import OneEuroHand
from hand4d_ros.tracking.side_guard import SideGuard
from hand4d_ros.tracking.transform import moved
from hand4d_ros.types import Frame, HandDetection, HandState, HandTrack, Side, TrackingState

_VELOCITY_TIME_S = 0.05
"""Time constant of the velocity estimate."""
_STOPPING_TIME_S = 0.1
"""An unseen hand is taken to slow down with this time constant."""
_ACCELERATION_M_S2 = 5.0
"""Spread of a hand's acceleration, by which the uncertainty of an unseen hand grows."""
_SEEN_PRESENCE_GAIN = 0.5


@dataclass
class _Hand:
    """What is remembered of one hand between frames."""

    track_id: str
    state: HandState
    """As last observed, in the world."""
    observed_ns: int
    velocity_m_s: Float[Array, "3"] = field(default_factory=lambda: np.zeros(3))
    turning_rad_s: Float[Array, "3"] = field(default_factory=lambda: np.zeros(3))
    presence: float = 0.5
    jumps: int = 0
    gap: bool = False
    smooth: OneEuroHand | None = None


class Tracker:
    """Follows at most one hand of each side in the world frame."""

    def __init__(self, config: TrackerConfig, right_hand: HandModel) -> None:
        """Follow hands of one person.

        Args:
            config: Settings.
            right_hand: The right hand model; the left one is its mirror image.
        """
        self.config = config
        self._models = {Side.RIGHT: right_hand, Side.LEFT: right_hand.mirrored()}
        self._guard = SideGuard(config.believe_after)
        self._hands: dict[Side, _Hand] = {}
        self._count = dict.fromkeys(Side, 0)
        self._stamp_ns: int | None = None
        self._smoother: FixedLag | None = None
        if config.refine == "fixed_lag":
            self._smoother = FixedLag(config.fixed_lag, right_hand)
        self._screened: tuple[int, Sequence[HandDetection]] = (0, ())

    @property
    def stamp_ns(self) -> int | None:
        """Stamp of the last update."""
        return self._stamp_ns

    def reset(self) -> None:
        """Forget all hands; numbers of tracks go on, so no identity is used twice."""
        self._hands.clear()
        self._guard.reset()
        self._stamp_ns = None
        if self._smoother is not None:
            self._smoother.reset()

    def screen(self, frame: Frame, detections: Sequence[HandDetection]) -> list[HandDetection]:
        """Drop unsure detections, mend swapped sides, and keep one detection a side."""
        sure = [d for d in detections if d.score >= self.config.min_score]
        kept, forget = self._guard(sure, self._expected_px(frame))
        if forget:
            self._hands.clear()
        self._screened = (frame.stamp_ns, kept)
        return kept

    def update(self, frame: Frame, states: Sequence[HandState]) -> list[HandTrack]:
        """Advance all tracks to a frame.

        Args:
            frame: The frame; without a pose of the camera nothing in it can be placed, and
                tracks are extrapolated.
            states: Hands in the camera frame, at most one a side.

        Returns:
            Every hand that is observed or held, and once every hand that has just been lost.

        Raises:
            TrackingError: The stamp is not later than the last one.
        """
        if self._stamp_ns is not None and frame.stamp_ns <= self._stamp_ns:
            msg = (
                f"frame at {frame.stamp_ns} ns comes after one at {self._stamp_ns} ns; feed "
                "frames in the order of their stamps, or reset() after a jump in time"
            )
            raise TrackingError(msg)
        self._stamp_ns = frame.stamp_ns
        seen: Mapping[Side, HandState] = {}
        T_world_camera = self._camera_pose(frame)
        if T_world_camera is not None:
            moved_states = [moved(s, T_world_camera) for s in states]
            seen = {s.side: s for s in moved_states if self._believed(frame.stamp_ns, s)}
        filled: Mapping[Side, HandState] = {}
        if self._smoother is not None:
            filled = self._refined(self._smoother, frame, [s for s in states if s.side in seen])
            seen = {side: filled.get(side, state) for side, state in seen.items()}
        tracks = []
        for side in Side:
            hand = self._hands.get(side)
            if side in seen:
                tracks.append(self._observe(side, frame.stamp_ns, seen[side], hand))
            elif hand is not None:
                tracks.append(self._extrapolate(side, frame.stamp_ns, hand, filled.get(side)))
        return tracks

    def _camera_pose(self, frame: Frame) -> Float[Array, "4 4"] | None:
        """Pose of a frame's camera in the published world, whose unit is the metre."""
        if frame.T_world_camera is None or self._smoother is None:
            return frame.T_world_camera
        return self._smoother.in_metres(frame.T_world_camera)

    def _refined(
        self, smoother: FixedLag, frame: Frame, states: Sequence[HandState]
    ) -> dict[Side, HandState]:
        """Smooth what is believed, and fill in the hands that are held."""
        stamp_ns, detections = self._screened
        own = detections if stamp_ns == frame.stamp_ns else ()
        for side in Side:
            if side not in self._hands:
                smoother.forget(side)
        return smoother.update(frame, states, own, held=tuple(self._hands))

    def _believed(self, stamp_ns: int, state: HandState) -> bool:
        """Whether a hand can be where it seems to be; one that insists starts anew there."""
        hand = self._hands.get(state.side)
        if hand is None or not self._jumped(hand, stamp_ns, state):
            return True
        hand.jumps += 1
        if hand.jumps < self.config.believe_after:
            return False
        del self._hands[state.side]
        return True

    def _jumped(self, hand: _Hand, stamp_ns: int, state: HandState) -> bool:
        """Whether a wrist is farther off than any hand and any plausible error could bring it."""
        dt_s = (stamp_ns - hand.observed_ns) * 1e-9
        step_m = float(np.linalg.norm(state.wrist_m - hand.state.wrist_m))
        # Errors of depth persist from frame to frame, so half a deviation covers their change.
        slack_m = 0.5 * float(np.sqrt(np.trace(state.wrist_covariance[:3, :3])))
        return step_m > self.config.max_speed_m_s * dt_s + slack_m

    def _observe(
        self, side: Side, stamp_ns: int, state: HandState, hand: _Hand | None
    ) -> HandTrack:
        if hand is None:
            self._count[side] += 1
            hand = _Hand(f"{side.label}-{self._count[side]}", state, stamp_ns)
            if self.config.smoothing == "one_euro" and self._smoother is None:
                hand.smooth = OneEuroHand(self._models[side], self.config)
            self._hands[side] = hand
        if hand.smooth is not None:
            state = hand.smooth(stamp_ns, state)
        dt_s = (stamp_ns - hand.observed_ns) * 1e-9
        if dt_s > 0.0:
            gain = 1.0 - np.exp(-dt_s / _VELOCITY_TIME_S)
            before, after = hand.state.T_frame_wrist, state.T_frame_wrist
            velocity = (after[:3, 3] - before[:3, 3]) / dt_s
            turning = so3.log(after[:3, :3] @ before[:3, :3].T) / dt_s
            hand.velocity_m_s = hand.velocity_m_s + gain * (velocity - hand.velocity_m_s)
            hand.turning_rad_s = hand.turning_rad_s + gain * (turning - hand.turning_rad_s)
        reacquired, hand.gap = hand.gap, False
        hand.state, hand.observed_ns, hand.jumps = state, stamp_ns, 0
        hand.presence += _SEEN_PRESENCE_GAIN * (1.0 - hand.presence)
        return self._track(hand, stamp_ns, TrackingState.OBSERVED, state, reacquired=reacquired)

    def _extrapolate(
        self, side: Side, stamp_ns: int, hand: _Hand, filled: HandState | None
    ) -> HandTrack:
        age_s = (stamp_ns - hand.observed_ns) * 1e-9
        hand.gap = True
        if age_s > self.config.hold_s:
            del self._hands[side]
            return self._track(hand, stamp_ns, TrackingState.LOST, hand.state)
        if filled is None:
            return self._track(hand, stamp_ns, TrackingState.PREDICTED, _predicted(hand, age_s))
        infills = self._smoother is not None and self._smoother.infills(side)
        tracking_state = TrackingState.INFILLED if infills else TrackingState.PREDICTED
        return self._track(hand, stamp_ns, tracking_state, filled)

    def _track(
        self,
        hand: _Hand,
        stamp_ns: int,
        tracking_state: TrackingState,
        state: HandState,
        *,
        reacquired: bool = False,
    ) -> HandTrack:
        age_ns = stamp_ns - hand.observed_ns
        scale, scale_std = 1.0, 0.0
        if self._smoother is not None:
            scale, scale_std = self._smoother.ratio[:2]
        fade = max(0.0, 1.0 - age_ns * 1e-9 / max(self.config.hold_s, 1e-9)) if age_ns else 1.0
        return HandTrack(
            stamp_ns=stamp_ns,
            track_id=hand.track_id,
            tracking_state=tracking_state,
            age_ns=age_ns,
            presence=hand.presence * fade,
            hand=state,
            linear_velocity_m_s=hand.velocity_m_s,
            angular_velocity_rad_s=hand.turning_rad_s,
            reacquired=reacquired,
            world_scale=scale,
            world_scale_std=scale_std,
        )

    def _expected_px(self, frame: Frame) -> dict[Side, Float[Array, "21 2"]]:
        """Project the tracked hands into a frame, moved on to its stamp."""
        T_world_camera = self._camera_pose(frame)
        if T_world_camera is None:
            return {}
        T_camera_world = se3.inverse(T_world_camera)
        expected = {}
        for side, hand in self._hands.items():
            age_s = (frame.stamp_ns - hand.observed_ns) * 1e-9
            points = se3.apply(T_camera_world, _predicted(hand, age_s).keypoints_m)
            expected[side] = cameras.project(frame.camera, points)
        return expected


def _predicted(hand: _Hand, age_s: float) -> HandState:
    """Move a hand on from where it was last observed, slowing down, with growing uncertainty."""
    travel_s = _STOPPING_TIME_S * (1.0 - np.exp(-age_s / _STOPPING_TIME_S))
    old = hand.state.T_frame_wrist
    new = se3.from_rotation_translation(
        so3.exp(hand.turning_rad_s * travel_s) @ old[:3, :3],
        old[:3, 3] + hand.velocity_m_s * travel_s,
    )
    spread_m = 0.5 * _ACCELERATION_M_S2 * age_s**2
    state = moved(hand.state, new @ se3.inverse(old))
    covariance = state.wrist_covariance.copy()
    covariance[:3, :3] += spread_m**2 * np.eye(3)
    return replace(
        state,
        keypoint_std_m=np.sqrt(state.keypoint_std_m**2 + spread_m**2),
        keypoints_px=np.full((21, 2), np.nan),
        keypoint_confidence=np.zeros(21),
        reprojection_px=float("nan"),
        wrist_covariance=covariance,
    )
