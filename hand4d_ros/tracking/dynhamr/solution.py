"""A solved chunk, and the tracks that are published of it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from hand4d_ros.geometry import se3, so3
from hand4d_ros.hand.biomechanics import Anatomy
from hand4d_ros.hand.model import HandModel, ShapedHand
from hand4d_ros.shapes import Array, Bool, Float
from hand4d_ros.tracking.costs.projection import corrected_cameras
from hand4d_ros.tracking.dynhamr.observations import Observations
from hand4d_ros.tracking.dynhamr.posing import posed, scaled_betas
from hand4d_ros.tracking.dynhamr.problem import TrajectoryProblem
from hand4d_ros.tracking.dynhamr.stages import covered
from hand4d_ros.tracking.dynhamr.variables import Unknowns
from hand4d_ros.tracking.solvers.base import Report
from hand4d_ros.types import HandState, HandTrack, Side, TrackingState

_INFILLED_PRESENCE = 0.9
_SYSTEMATIC = 0.07
"""What frames have in common and no sum over them shows: errors of the detector's definition of
its landmarks, as a fraction of the hand's length and of its distance."""


@dataclass(frozen=True)
class Solution:
    """The unknowns of a chunk and what is known of their errors."""

    problem: TrajectoryProblem
    """What was solved last."""
    unknowns: Unknowns
    covariances: Float[Array, "t p p"]
    """Of each frame's unknowns."""
    shared_covariance: Float[Array, "2 2"]
    """Of the logarithms of size and world scale."""
    report: Report

    @property
    def observations(self) -> Observations:
        """What the chunk says."""
        return self.problem.observations

    @property
    def hand(self) -> ShapedHand:
        """Right hand with the proportions that the unknowns belong to, before the size."""
        return self.problem.hand

    @property
    def T_world_camera(self) -> Float[Array, "t 4 4"]:
        """Optimised poses of the camera."""
        x = self.unknowns
        at = corrected_cameras(self.observations.T_odom_camera, x.correction, x.log_scale)
        return se3.from_rotation_translation(at.R_world_camera, at.centre_m)

    @property
    def world_scale(self) -> float:
        """Metres per unit of the odometry."""
        return float(np.exp(self.unknowns.log_scale))

    @property
    def hand_length_m(self) -> float:
        """Length of both hands."""
        return float(np.exp(self.unknowns.log_size)) * self.hand.hand_length_m

    def keypoints_m(self, i: int) -> Float[Array, "t 21 3"]:
        """Keypoints of a hand in the world, before they are posed with whole coefficients."""
        return posed(self.hand, self.unknowns, i).points_m * self.observations.signs[i]


class TrackWriter:
    """Makes tracks of solved chunks; identities go on from chunk to chunk."""

    def __init__(self, right_hand: HandModel, longest_gap: int) -> None:
        """Write tracks of one person.

        Args:
            right_hand: The right hand model.
            longest_gap: Longest gap in frames that is filled.
        """
        self._models = {Side.RIGHT: right_hand, Side.LEFT: right_hand.mirrored()}
        self._longest_gap = longest_gap
        self._count = dict.fromkeys(Side, 0)
        self._there = dict.fromkeys(Side, False)
        self._seen_ns: dict[Side, int] = {}

    def tracks(self, solution: Solution, count: int) -> list[tuple[HandTrack, ...]]:
        """Tracks of the first frames of a chunk.

        Args:
            solution: The chunk.
            count: Number of frames that are handed out.
        """
        obs = solution.observations
        out: list[list[HandTrack]] = [[] for _ in range(count)]
        gone = set(Side) - set(obs.sides)
        self._there.update(dict.fromkeys(gone, False))
        for i, side in enumerate(obs.sides):
            there = covered(obs.seen[i], self._longest_gap)
            if self._there[side]:
                # The gap began in the chunk before, which saw that the hand would come back.
                there[: int(np.argmax(obs.seen[i]))] = bool(obs.seen[i].any())
            states = self._states(solution, i, there)
            for row in range(count):
                state = states.get(row)
                self._continue(side, state is not None)
                if state is not None:
                    out[row].append(self._track(solution, i, row, state, states))
        return [tuple(each) for each in out]

    def _continue(self, side: Side, there: bool) -> None:
        if there and not self._there[side]:
            self._count[side] += 1
        self._there[side] = there

    def _track(
        self, solution: Solution, i: int, row: int, hand: HandState, states: dict[int, HandState]
    ) -> HandTrack:
        obs = solution.observations
        side, stamp_ns = obs.sides[i], int(obs.stamps_ns[row])
        seen = bool(obs.seen[i, row])
        since_ns = stamp_ns - self._seen_ns.get(side, stamp_ns)
        if seen:
            self._seen_ns[side] = stamp_ns
        before, after = max(row - 1, min(states)), min(row + 1, max(states))
        before = before if before in states else row
        after = after if after in states else row
        dt_s = max(float(obs.stamps_ns[after] - obs.stamps_ns[before]) * 1e-9, 1e-9)
        a, b = states[before].T_frame_wrist, states[after].T_frame_wrist
        return HandTrack(
            stamp_ns=stamp_ns,
            track_id=f"{side.label}-{self._count[side]}",
            tracking_state=TrackingState.OBSERVED if seen else TrackingState.INFILLED,
            age_ns=0 if seen else since_ns,
            presence=1.0 if seen else _INFILLED_PRESENCE,
            hand=hand,
            linear_velocity_m_s=(b[:3, 3] - a[:3, 3]) / dt_s,
            angular_velocity_rad_s=so3.log(b[:3, :3] @ a[:3, :3].T) / dt_s,
        )

    def _states(self, solution: Solution, i: int, there: Bool[Array, "t"]) -> dict[int, HandState]:
        """States in the world of the frames with a hand."""
        obs, x = solution.observations, solution.unknowns
        side, sign = obs.sides[i], obs.signs[i]
        betas = scaled_betas(solution.hand, float(np.exp(x.log_size)))
        shaped = self._models[side].with_shape(betas)
        rotvec = so3.log(Anatomy(solution.hand).local_rotations(x.angles[i]))
        rotvec = rotvec * ([1.0, -1.0, -1.0] if side is Side.LEFT else 1.0)
        R = x.R[i] * np.outer(sign, sign)
        T = se3.from_rotation_translation(R, x.wrist_m[i] * sign)
        keypoints_m = shaped.keypoints(T, rotvec)
        wrist, std_m = _deviations(solution, i)
        confidence = obs.weight[i] / obs.weight[i].max(initial=1e-9)
        return {
            int(row): HandState(
                side=side,
                T_frame_wrist=T[row],
                joint_rotvec=rotvec[row],
                betas=betas,
                rest_wrist_m=shaped.joints_m[0],
                keypoints_m=keypoints_m[row],
                keypoint_confidence=confidence[row],
                keypoint_std_m=std_m[row],
                wrist_covariance=wrist[row],
                keypoints_px=np.where(obs.seen[i, row], obs.target_px[i, row], np.nan),
                reprojection_px=float("nan"),
            )
            for row in np.flatnonzero(there)
        }


def _deviations(solution: Solution, i: int) -> tuple[Float[Array, "t 6 6"], Float[Array, "t 21"]]:
    """Covariance of the wrist in the world, position first, and deviation of each keypoint."""
    obs, x = solution.observations, solution.unknowns
    at = posed(solution.hand, x, i)
    own = x.hand_slice(i)
    covariance = solution.covariances[:, own, own]
    spread = np.einsum("tkip,tpq,tkiq->tk", at.by_hand, covariance, at.by_hand, optimize=True)
    apart_m = np.linalg.norm(
        x.wrist_m[i] * obs.signs[i] - solution.T_world_camera[:, :3, 3], axis=1
    )
    common = (_SYSTEMATIC * apart_m) ** 2
    order = [3, 4, 5, 0, 1, 2]
    wrist = covariance[:, :6, :6][:, order][:, :, order]
    sign = obs.signs[i]
    # An axial vector turns the other way in a mirror.
    turn = np.concatenate((sign, np.prod(sign) * sign))
    wrist = wrist * np.outer(turn, turn)
    wrist[:, :3, :3] += common[:, None, None] / 3.0 * np.eye(3)
    return wrist, np.sqrt(spread / 3.0 + common[:, None] / 3.0)
