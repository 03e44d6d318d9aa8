"""The One-Euro filter: Casiez, Roussel and Vogel, CHI 2012, Eqs. 1-7."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from hand4d_ros.geometry import se3, so3
from hand4d_ros.hand.model import HandModel
from hand4d_ros.shapes import Array, Float
from hand4d_ros.tracking.config import TrackerConfig
from hand4d_ros.types import HandState

_DERIVATIVE_CUTOFF_HZ = 3.0


def _gain(cutoff_hz: Float[Array, "*batch"] | float, dt_s: float) -> Float[Array, "*batch"]:
    """Return the weight of the new sample (Eq. 6): 1 / (1 + tau / T), tau = 1 / (2 pi fc)."""
    return np.asarray(1.0 / (1.0 + 1.0 / (2.0 * np.pi * np.asarray(cutoff_hz) * dt_s)))


class OneEuroHand:
    """One-Euro filter of one hand: wrist position, and every rotation on its own manifold."""

    def __init__(self, model: HandModel, config: TrackerConfig) -> None:
        """Filter the hand of one side.

        Args:
            model: Hand model of that side.
            config: Cutoffs.
        """
        self._model = model
        self._config = config
        self._position = np.zeros(3)
        self._velocity = np.zeros(3)
        self._rotations = np.zeros((16, 3, 3))
        self._turning = np.zeros((16, 3))
        self._stamp_ns: int | None = None

    def __call__(self, stamp_ns: int, hand: HandState) -> HandState:
        """Return the smoothed state; the first one passes as it is."""
        rotations = np.concatenate(
            (hand.T_frame_wrist[None, :3, :3], so3.exp(hand.joint_rotvec)), axis=0
        )
        if self._stamp_ns is None:
            self._position, self._rotations = hand.wrist_m, rotations
            self._stamp_ns = stamp_ns
            return hand
        dt_s = (stamp_ns - self._stamp_ns) * 1e-9
        self._stamp_ns = stamp_ns
        self._smooth(dt_s, hand.wrist_m, rotations)
        T = se3.from_rotation_translation(self._rotations[0], self._position)
        joint_rotvec = so3.log(self._rotations[1:])
        keypoints_m = self._model.with_shape(hand.betas).keypoints(T, joint_rotvec)
        return replace(hand, T_frame_wrist=T, joint_rotvec=joint_rotvec, keypoints_m=keypoints_m)

    def _smooth(
        self, dt_s: float, position: Float[Array, "3"], rotations: Float[Array, "16 3 3"]
    ) -> None:
        keep = _gain(_DERIVATIVE_CUTOFF_HZ, dt_s)
        shift = position - self._position
        self._velocity = self._velocity + keep * (shift / dt_s - self._velocity)
        speed = float(np.linalg.norm(self._velocity))
        least_hz = self._config.one_euro_min_cutoff_hz
        cutoff_hz = least_hz + self._config.one_euro_beta_hz_s_m * speed
        self._position = self._position + shift * _gain(cutoff_hz, dt_s)
        turn = so3.log(rotations @ np.swapaxes(self._rotations, -1, -2))
        self._turning = self._turning + keep * (turn / dt_s - self._turning)
        rate = np.linalg.norm(self._turning, axis=-1)
        gain = _gain(least_hz + self._config.one_euro_beta_hz_s_rad * rate, dt_s)
        self._rotations = so3.exp(gain[:, None] * turn) @ self._rotations
