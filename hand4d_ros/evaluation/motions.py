"""Motion of hands that is known: as the past of a forecaster and as the future to judge by."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from hand4d_ros.evaluation.clips import ClipTruth
from hand4d_ros.geometry import so3
from hand4d_ros.hand.model import ShapedHand
from hand4d_ros.shapes import Array, Bool, Float, Int
from hand4d_ros.types import HandState, HandTrack, Side, TrackingState

_TURN_STD_RAD = 0.02
_LEAST_STD_M = 1e-4


@dataclass(frozen=True)
class Motion:
    """One hand over ``t`` instants in the world; NaN where it is not known."""

    side: Side
    track_id: str
    hand: ShapedHand
    T_world_wrist: Float[Array, "t 4 4"]
    joint_rotvec: Float[Array, "t 15 3"]
    """Axis-angle (rad) of joints 1..15 in MANO order."""
    keypoints_m: Float[Array, "t 21 3"]
    std_m: float = 0.0
    """How well the motion is known."""

    @property
    def there(self) -> Bool[Array, "t"]:
        """Instants at which the hand is known."""
        return np.asarray(np.isfinite(self.T_world_wrist).all(axis=(1, 2)))

    def mano_pose(self, rows: Int[Array, "n"]) -> Float[Array, "n 48"]:
        """Return the global orientation and the 15 joints, axis-angle (rad).

        Args:
            rows: Numbers of the instants, at which the hand is known.
        """
        turn = so3.log(self.T_world_wrist[rows, :3, :3])
        return np.concatenate((turn, self.joint_rotvec[rows].reshape(-1, 45)), axis=1)


def motions_from_truth(truth: ClipTruth) -> tuple[Motion, ...]:
    """Take the hands out of the truth of a clip; those without parameters are left out."""
    return tuple(
        Motion(
            side=side,
            track_id=f"{side.label}-1",
            hand=hand.hand,
            T_world_wrist=hand.T_world_wrist,
            joint_rotvec=hand.joint_rotvec,
            keypoints_m=hand.keypoints_m,
        )
        for side, hand in sorted(truth.hands.items())
        if hand.hand is not None
        and hand.T_world_wrist is not None
        and hand.joint_rotvec is not None
    )


def tracks_from_motions(
    stamps_ns: Int[Array, "t"], motions: Sequence[Motion]
) -> tuple[tuple[HandTrack, ...], ...]:
    """Tell known motion as a tracker would: one track a hand and instant, all observed.

    Args:
        stamps_ns: Rising.
        motions: Hands; several of one side must not be there at the same time.
    """
    tracks: list[list[HandTrack]] = [[] for _ in stamps_ns]
    for motion in motions:
        there = motion.there
        for row in np.flatnonzero(there):
            velocity = np.zeros(6)
            if row and there[row - 1]:
                dt_s = float(stamps_ns[row] - stamps_ns[row - 1]) * 1e-9
                before, after = motion.T_world_wrist[row - 1], motion.T_world_wrist[row]
                velocity[:3] = (after[:3, 3] - before[:3, 3]) / dt_s
                velocity[3:] = so3.log(after[:3, :3] @ before[:3, :3].T) / dt_s
            tracks[row].append(
                HandTrack(
                    stamp_ns=int(stamps_ns[row]),
                    track_id=motion.track_id,
                    tracking_state=TrackingState.OBSERVED,
                    age_ns=0,
                    presence=1.0,
                    hand=_state(motion, int(row)),
                    linear_velocity_m_s=velocity[:3],
                    angular_velocity_rad_s=velocity[3:],
                )
            )
    return tuple(tuple(sorted(each, key=lambda track: track.hand.side)) for each in tracks)


def resampled(
    keypoints_m: Float[Array, "n 21 3"],
    stamps_ns: Int[Array, "n"],
    wanted_ns: Int[Array, "t"],
    longest_gap_s: float,
) -> Float[Array, "t 21 3"]:
    """Interpolate recorded keypoints linearly at other instants.

    Args:
        keypoints_m: Recorded; a row that is NaN throughout was not recorded.
        stamps_ns: Of the rows, rising.
        wanted_ns: Instants.
        longest_gap_s: No instant is filled in that lies between rows further apart.

    Returns:
        Keypoints; NaN where a neighbour is missing.
    """
    out = np.full((len(wanted_ns), 21, 3), np.nan)
    known = np.flatnonzero(np.isfinite(keypoints_m).any(axis=(1, 2)))
    if len(known) < 2:
        return out
    own_ns = stamps_ns[known]
    after = np.searchsorted(own_ns, wanted_ns)
    inside = (after > 0) & (after < len(own_ns)) | np.isin(wanted_ns, own_ns)
    after = np.clip(after, 1, len(own_ns) - 1)
    span_ns = own_ns[after] - own_ns[after - 1]
    alpha = (wanted_ns - own_ns[after - 1]) / span_ns
    use = inside & (span_ns <= longest_gap_s * 1e9)
    first, second = keypoints_m[known[after - 1]], keypoints_m[known[after]]
    out[use] = (first + alpha[:, None, None] * (second - first))[use]
    return out


def _state(motion: Motion, row: int) -> HandState:
    std_m = max(motion.std_m, _LEAST_STD_M)
    covariance = np.diag([std_m**2] * 3 + [_TURN_STD_RAD**2] * 3)
    return HandState(
        side=motion.side,
        T_frame_wrist=motion.T_world_wrist[row],
        joint_rotvec=motion.joint_rotvec[row],
        betas=motion.hand.betas,
        rest_wrist_m=motion.hand.joints_m[0],
        keypoints_m=motion.keypoints_m[row],
        keypoint_confidence=np.ones(21),
        keypoint_std_m=np.full(21, std_m),
        wrist_covariance=covariance,
        keypoints_px=np.full((21, 2), np.nan),
        reprojection_px=0.0,
    )
