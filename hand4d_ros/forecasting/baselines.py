"""Rivals that know nothing but motion: a resting hand, constant velocity, damped acceleration.

Position and orientation of the wrist are extrapolated from a least-squares fit to the last
moments; the fingers keep their pose. The uncertainty grows with time, and faster for a hand that
moves, by factors that were fitted on synthetic worlds, see ``docs/benchmark.md``.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from hand4d_ros.forecasting.base import ForecastConfig
from hand4d_ros.geometry import se3, so3
from hand4d_ros.hand.load import load_hand
from hand4d_ros.hand.orders import FINGERS, OPENPOSE_KEYPOINTS
from hand4d_ros.settings import check
from hand4d_ros.shapes import Array, Float
from hand4d_ros.types import (
    ForecastMode,
    Frame,
    HandForecast,
    HandTrack,
    Side,
    TrackingState,
)

TIPS = [OPENPOSE_KEYPOINTS.index(f"{finger}_tip") for finger in FINGERS]
"""OpenPose keypoints of the fingertips, thumb to little finger."""


@dataclass(frozen=True)
class KinematicConfig:
    """How the wrist is extrapolated and how sure of it to be."""

    order: int = field(default=1, metadata={"min": 0, "max": 2})
    """0 stays where it is, 1 keeps its velocity, 2 its velocity and acceleration."""
    window_s: float = field(default=0.15, metadata={"min": 0.0, "max": 2.0})
    """Past that velocity and acceleration are fitted to (s)."""
    damping_s: float = field(default=0.0, metadata={"min": 0.0, "max": 60.0})
    """Time constant with which velocity and acceleration die away (s); 0 keeps them for ever."""
    spread_m_s: float = field(default=0.1, metadata={"min": 0.0, "max": 10.0})
    """Growth of the deviation of the position of a resting hand, along each axis (m/s)."""
    spread_of_speed: float = field(default=0.5, metadata={"min": 0.0, "max": 10.0})
    """How much faster it grows for a hand that moves, as a share of its speed."""
    spread_time_s: float = field(default=1.0, metadata={"min": 0.01, "max": 60.0})
    """Time constant after which the deviation grows no further: hands stay in reach (s)."""
    hand_model: str = ""
    """Hand model file that the tracks' parameters belong to; empty is the built-in hand."""
    forecast: ForecastConfig = field(default_factory=ForecastConfig)

    def __post_init__(self) -> None:
        """Reject values out of range."""
        check(self)


STATIC = KinematicConfig(order=0)
"""The hand stays as it is."""
CONSTANT_VELOCITY = KinematicConfig(order=1)
"""Translation and rotation go on as they are."""
CONSTANT_ACCELERATION = KinematicConfig(order=2, window_s=0.25, damping_s=0.25)
"""Velocity and acceleration go on and die away, as those of a reach do."""


class KinematicForecaster:
    """Extrapolates each wrist by itself; one mode a hand."""

    def __init__(self, config: KinematicConfig | None = None) -> None:
        """Prepare the hand models.

        Args:
            config: Settings; None keeps the velocity.

        Raises:
            HandModelError: The hand model file is unusable.
        """
        self.config = config or CONSTANT_VELOCITY
        self._models = {side: load_hand(self.config.hand_model, side) for side in Side}

    @property
    def model_id(self) -> str:
        """Method without weights."""
        return f"kinematic-{self.config.order}"

    def forecast(
        self, past: Sequence[Sequence[HandTrack]], frame: Frame | None = None
    ) -> list[HandForecast]:
        """Forecast every hand that is tracked now; see ``Forecaster``."""
        del frame
        now = past[-1] if past else ()
        alive = [t for t in now if t.tracking_state is not TrackingState.LOST]
        return [
            self._one(track, observations(past, track, self.config.window_s))
            for track in sorted(alive, key=lambda track: track.hand.side)
        ]

    def _one(self, now: HandTrack, seen: Sequence[HandTrack]) -> HandForecast:
        config = self.config
        t_s = config.forecast.times_s
        motion = fitted_motion(now, seen, config.order)
        T = extrapolated(now.hand.T_frame_wrist, motion, t_s, config.damping_s)
        shaped = self._models[now.hand.side].with_shape(now.hand.betas)
        rotvec = np.broadcast_to(now.hand.joint_rotvec, (len(t_s), 15, 3))
        spread_m = _spread_m(config, float(np.linalg.norm(motion[0, :3])), t_s)
        covariance = now.hand.wrist_covariance[:3, :3] + spread_m[:, None, None] ** 2 * np.eye(3)
        pose = np.concatenate((so3.log(T[:, :3, :3]), rotvec.reshape(-1, 45)), axis=1)
        mode = ForecastMode(
            probability=1.0,
            T_world_wrist=T,
            wrist_covariance_m2=covariance,
            fingertips_m=shaped.keypoints(T, rotvec)[:, TIPS],
            radius_m=sphere_radius_m(covariance, config.forecast.coverage),
            mano_pose=pose,
        )
        return HandForecast(
            stamp_ns=now.stamp_ns,
            side=now.hand.side,
            track_id=now.track_id,
            existence_probability=now.presence,
            time_step_ns=config.forecast.step_ns,
            coverage=config.forecast.coverage,
            modes=(mode,),
        )


def observations(
    past: Sequence[Sequence[HandTrack]], now: HandTrack, window_s: float
) -> list[HandTrack]:
    """The observed states of one track in the last moments, oldest first, without now.

    Args:
        past: Tracks of the last images, oldest first.
        now: The track as it is now.
        window_s: How far back to look.
    """
    return [
        track
        for tracks in past
        for track in tracks
        if track.track_id == now.track_id
        and track.tracking_state is not TrackingState.PREDICTED
        and 0 < now.stamp_ns - track.stamp_ns <= window_s * 1e9
    ]


def fitted_motion(now: HandTrack, seen: Sequence[HandTrack], order: int) -> Float[Array, "2 6"]:
    """Velocity and acceleration of a wrist by least squares through its pose of now.

    Positions and rotation vectors relative to now are fitted with ``v t + a t^2 / 2``; an order
    that the number of states does not carry is lowered.

    Args:
        now: The track as it is now.
        seen: Its earlier states.
        order: 0 for none, 1 for a velocity, 2 for both.

    Returns:
        Rows velocity (m/s, rad/s) and acceleration (m/s^2, rad/s^2).
    """
    motion = np.zeros((2, 6))
    terms = min(order, len(seen))
    if terms == 0:
        return motion
    t_s = np.array([(track.stamp_ns - now.stamp_ns) * 1e-9 for track in seen])
    T = np.stack([track.hand.T_frame_wrist for track in seen])
    R_now = now.hand.T_frame_wrist[:3, :3]
    turn = so3.log(T[:, :3, :3] @ R_now.T)
    offset = np.concatenate((T[:, :3, 3] - now.hand.wrist_m, turn), axis=1)
    design = np.stack((t_s, 0.5 * t_s**2), axis=1)[:, :terms]
    motion[:terms] = np.linalg.lstsq(design, offset, rcond=None)[0]
    return motion


def extrapolated(
    T_world_wrist: Float[Array, "4 4"],
    motion: Float[Array, "2 6"],
    t_s: Float[Array, "n"],
    damping_s: float,
) -> Float[Array, "n 4 4"]:
    """Move a wrist on with a velocity ``(v + a t) exp(-t / damping)``.

    Its integral is closed: with d the damping, ``v d (1 - e) + a d^2 (1 - (1 + t / d) e)`` where
    ``e = exp(-t / d)``; without damping it is ``v t + a t^2 / 2``.

    Args:
        T_world_wrist: Pose of now.
        motion: Velocity and acceleration, as ``fitted_motion`` gives them.
        t_s: Times after now (s).
        damping_s: Time constant (s); 0 is no damping.
    """
    if damping_s > 0.0:
        # Written with expm1, which keeps its digits where the damping is weak.
        gone = -np.expm1(-t_s / damping_s)
        first = damping_s * gone
        second = damping_s * (damping_s * gone - t_s * (1.0 - gone))
    else:
        first, second = t_s, 0.5 * t_s**2
    offset = np.stack((first, second), axis=1) @ motion
    R = so3.exp(offset[:, 3:]) @ T_world_wrist[:3, :3]
    return se3.from_rotation_translation(R, T_world_wrist[:3, 3] + offset[:, :3])


def sphere_radius_m(covariance_m2: Float[Array, "n 3 3"], coverage: float) -> Float[Array, "n"]:
    """Radius of the sphere about the mean that holds a Gaussian with a probability.

    The squared distance is a weighted sum of chi-square variables; it is matched in mean and
    variance by a scaled one (Satterthwaite, Biometrics 1946), which is exact where all three
    axes are alike and within 3% otherwise for probabilities of 0.5 to 0.99.

    Args:
        covariance_m2: Of the position.
        coverage: The probability.
    """
    from scipy.special import gammaincinv

    trace = np.einsum("nii->n", covariance_m2)
    squares = np.einsum("nij,nji->n", covariance_m2, covariance_m2)
    # A covariance of zero is a point: its radius is zero with any number of degrees.
    known = squares > 0.0
    degrees = np.where(known, trace**2 / np.where(known, squares, 1.0), 3.0)
    quantile = 2.0 * gammaincinv(0.5 * degrees, coverage)
    return np.asarray(np.sqrt(trace / degrees * quantile))


def _spread_m(
    config: KinematicConfig, speed_m_s: float, t_s: Float[Array, "n"]
) -> Float[Array, "n"]:
    """Deviation of the forecast position along each axis, besides that of the pose of now."""
    rate_m_s = config.spread_m_s + config.spread_of_speed * speed_m_s
    grown_s = config.spread_time_s * (1.0 - np.exp(-t_s / config.spread_time_s))
    return np.asarray(rate_m_s * grown_s)
