"""What a method says about a clip: both hands in the world, with validity and deviations."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from hand4d_ros.hand.model import HandModel
from hand4d_ros.shapes import Array, Bool, Float, Int
from hand4d_ros.types import HandTrack, Side, TrackingState

ABSENT = -1
"""State of a frame without this hand, beside the values of ``TrackingState``."""


@dataclass(frozen=True)
class HandEstimate:
    """One hand over ``t`` frames in the world; NaN where the method has nothing to say."""

    side: Side
    state: Int[Array, "t"]
    """Value of ``TrackingState``, or ``ABSENT``."""
    keypoints_m: Float[Array, "t 21 3"]
    T_world_wrist: Float[Array, "t 4 4"]
    joint_rotvec: Float[Array, "t 15 3"]
    """Axis-angle (rad) of joints 1..15 in MANO order."""
    betas: Float[Array, "t 10"]
    keypoint_std_m: Float[Array, "t 21"] | None = None
    """Stated deviations; None where the method states none."""
    model: HandModel | None = None
    """Model of this side that the parameters belong to, for meshes; None gives no meshes."""

    @property
    def there(self) -> Bool[Array, "t"]:
        """Frames with an estimate."""
        return np.asarray(np.isfinite(self.keypoints_m).all(axis=(1, 2)))

    @property
    def observed(self) -> Bool[Array, "t"]:
        """Frames in which the hand was seen in the image itself."""
        return np.asarray(self.state == int(TrackingState.OBSERVED))

    def vertices_m(self, rows: Int[Array, "n"]) -> Float[Array, "n v 3"] | None:
        """Return the mesh in some frames, NaN where there is no estimate.

        Args:
            rows: Numbers of the frames.
        """
        if self.model is None:
            return None
        out = np.full((len(rows), *self.model.template_m.shape), np.nan)
        for place, row in enumerate(rows):
            if self.there[row]:
                shaped = self.model.with_shape(self.betas[row])
                out[place] = shaped.vertices(self.T_world_wrist[row], self.joint_rotvec[row])
        return out


@dataclass(frozen=True)
class ClipEstimate:
    """Everything that a method returns for a clip."""

    hands: Mapping[Side, HandEstimate]
    frame_ms: Float[Array, "n"]
    """Wall time of each frame that was processed; offline methods spread theirs evenly."""
    stage_ms: Mapping[str, float] = field(default_factory=dict)
    """Mean wall time of each stage."""
    model_id: str = ""
    T_world_camera: Float[Array, "n 4 4"] | None = None
    """Where the method has the cameras, if it does not take them from the odometry."""
    world_scale: float | None = None
    """Metres per unit of the odometry, if the method estimates it."""


def empty_hand(side: Side, frames: int, model: HandModel | None = None) -> HandEstimate:
    """Return an estimate that says nothing yet; its arrays may be filled in place.

    Args:
        side: Of the hand.
        frames: Number of frames.
        model: Hand model of this side.
    """
    return HandEstimate(
        side=side,
        state=np.full(frames, ABSENT),
        keypoints_m=np.full((frames, 21, 3), np.nan),
        T_world_wrist=np.full((frames, 4, 4), np.nan),
        joint_rotvec=np.full((frames, 15, 3), np.nan),
        betas=np.full((frames, 10), np.nan),
        keypoint_std_m=np.full((frames, 21), np.nan),
        model=model,
    )


def hands_from_tracks(
    tracks: Sequence[Sequence[HandTrack]], right_hand: HandModel
) -> dict[Side, HandEstimate]:
    """Gather the tracks of all frames into one estimate a side.

    A hand that is lost leaves its frame empty: its last known pose is no estimate.

    Args:
        tracks: Of each frame.
        right_hand: Hand model of the right side, which the tracks' parameters belong to.
    """
    models = {Side.RIGHT: right_hand, Side.LEFT: right_hand.mirrored()}
    hands = {side: empty_hand(side, len(tracks), models[side]) for side in Side}
    for row, of_frame in enumerate(tracks):
        for track in of_frame:
            found, state = hands[track.hand.side], track.hand
            found.state[row] = int(track.tracking_state)
            if track.tracking_state is TrackingState.LOST:
                continue
            found.keypoints_m[row] = state.keypoints_m
            found.T_world_wrist[row] = state.T_frame_wrist
            found.joint_rotvec[row] = state.joint_rotvec
            found.betas[row] = state.betas
            if found.keypoint_std_m is not None:
                found.keypoint_std_m[row] = state.keypoint_std_m
    return hands
