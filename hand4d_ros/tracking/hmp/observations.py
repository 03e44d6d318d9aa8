"""One hand over a clip as the fit takes it: a right one, in a world mirrored for a left one."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from hand4d_ros.detection.landmarks import LANDMARKS
from hand4d_ros.geometry import camera as cameras
from hand4d_ros.geometry import se3, so3
from hand4d_ros.hand.model import HandModel
from hand4d_ros.shapes import Array, Bool, Float, Int
from hand4d_ros.tracking.costs.projection import Cameras
from hand4d_ros.tracking.hmp.config import HmpConfig
from hand4d_ros.tracking.priors.slerp import filled_rotations, filled_values
from hand4d_ros.types import CameraModel, HandTrack, LandmarkDefinition, Side, TrackingState

MIRROR = np.array([-1.0, 1.0, 1.0])
ROTVEC_MIRROR = np.array([1.0, -1.0, -1.0])


@dataclass(frozen=True)
class Observations:
    """One hand over ``f`` frames, as a right hand."""

    side: Side
    times_s: Float[Array, " f"]
    camera: CameraModel
    cameras: Cameras
    """In the mirrored world of a left hand, so of determinant -1 there; anything where not
    ``seen``."""
    keypoints_px: Float[Array, "f 21 2"]
    """Anything where not ``seen``."""
    confidence: Float[Array, "f 21"]
    landmarks: Float[Array, "21 21"]
    """What the keypoints mark, of the model's keypoints."""
    seen: Bool[Array, " f"]
    """Frames with keypoints, an estimate and a camera pose."""
    T_world_wrist: Float[Array, "f 4 4"]
    """Estimated, interpolated where not seen."""
    local: Float[Array, "f 15 3 3"]
    """Joint rotations, interpolated where not seen."""
    betas: Float[Array, " 10"]

    def __len__(self) -> int:
        """Number of frames."""
        return len(self.times_s)

    def part(self, rows: slice) -> Observations:
        """Return some of the frames."""
        names = ("times_s", "keypoints_px", "confidence", "seen", "T_world_wrist", "local")
        cut = {name: getattr(self, name)[rows] for name in names}
        return replace(self, cameras=Cameras(*(part[rows] for part in self.cameras)), **cut)


def mirrored_pose(T: Float[Array, "*b 4 4"]) -> Float[Array, "*b 4 4"]:
    """Return the pose of the mirrored hand in the world mirrored through x = 0, or back."""
    M = np.diag([-1.0, 1.0, 1.0, 1.0])
    return np.asarray(M @ T @ M)


def observations_from_tracks(
    side: Side,
    stamps_ns: Int[Array, " f"],
    tracks: Sequence[Sequence[HandTrack]],
    camera: CameraModel,
    T_world_camera: Float[Array, "f 4 4"],
    landmarks: LandmarkDefinition,
    config: HmpConfig,
) -> Observations | None:
    """Gather one side's tracks.

    Args:
        side: Which hand.
        stamps_ns: Rising.
        tracks: Of each frame.
        camera: The camera.
        T_world_camera: Its poses; NaN where unknown.
        landmarks: What the keypoints of the tracks mark.
        config: Of the fit.

    Returns:
        The hand, or None where it was never seen.
    """
    px, confidence, T, rotvec, betas = _gathered(side, tracks)
    known = np.isfinite(T_world_camera).all((1, 2))
    seen = np.isfinite(px).all((1, 2)) & known & (confidence.mean(1) >= config.least_score)
    if not seen.any():
        return None
    left = side is Side.LEFT
    poses = np.where(known[:, None, None], T_world_camera, np.eye(4))
    R_camera, centre_m = poses[:, :3, :3], poses[:, :3, 3]
    if left:
        T, rotvec = mirrored_pose(T), rotvec * ROTVEC_MIRROR
        R_camera, centre_m = MIRROR[:, None] * R_camera, MIRROR * centre_m
    times_s = (stamps_ns - stamps_ns[0]) * 1e-9
    R = filled_rotations(T[:, :3, :3], seen, times_s)
    wrist_m = filled_values(T[:, :3, 3], seen, times_s)
    return Observations(
        side=side,
        times_s=times_s,
        camera=camera,
        # The camera is no unknown of this fit, so its derivatives are never read.
        cameras=Cameras(R_camera, centre_m, np.zeros_like(centre_m), np.zeros_like(R_camera)),
        keypoints_px=np.where(seen[:, None, None], px, 0.0),
        confidence=confidence * seen[:, None],
        landmarks=LANDMARKS[landmarks],
        seen=seen,
        T_world_wrist=se3.from_rotation_translation(R, wrist_m),
        local=filled_rotations(so3.exp(rotvec), seen, times_s),
        betas=np.median(betas[seen], axis=0),
    )


def _gathered(
    side: Side, tracks: Sequence[Sequence[HandTrack]]
) -> tuple[
    Float[Array, "f 21 2"],
    Float[Array, "f 21"],
    Float[Array, "f 4 4"],
    Float[Array, "f 15 3"],
    Float[Array, "f 10"],
]:
    """Return keypoints (NaN where not observed), confidence, wrist, joints and shape."""
    frames = len(tracks)
    px = np.full((frames, 21, 2), np.nan)
    confidence = np.zeros((frames, 21))
    T = np.tile(np.eye(4), (frames, 1, 1))
    rotvec, betas = np.zeros((frames, 15, 3)), np.zeros((frames, 10))
    for row, of_frame in enumerate(tracks):
        for track in of_frame:
            hand = track.hand
            if hand.side is side and track.tracking_state is TrackingState.OBSERVED:
                px[row], confidence[row] = hand.keypoints_px, hand.keypoint_confidence
                T[row], rotvec[row], betas[row] = hand.T_frame_wrist, hand.joint_rotvec, hand.betas
    return px, confidence, T, rotvec, betas


def blended(seen: Observations, model: HandModel, share: float) -> Observations:
    """Return observations whose keypoints are means of detected and estimated ones.

    HMP blends two sources (section 3.2): a detector's keypoints and the projection of the
    estimate, which counts alone where the detector is not sure of anything.

    Args:
        seen: What was observed.
        model: Right hand.
        share: Confidence of the estimate's keypoints; 0 changes nothing.
    """
    if share == 0.0:
        return seen
    points = model.with_shape(seen.betas).keypoints(seen.T_world_wrist, so3.log(seen.local))
    arm = seen.landmarks @ points - seen.cameras.centre_m[:, None]
    px = cameras.project(seen.camera, arm @ seen.cameras.R_world_camera)
    own = np.where(np.isfinite(px).all(-1) & seen.seen[:, None], share, 0.0)
    total = (seen.confidence + own).clip(1e-9)
    mixed = seen.confidence[..., None] * seen.keypoints_px + own[..., None] * np.nan_to_num(px)
    return replace(
        seen, keypoints_px=mixed / total[..., None], confidence=np.maximum(seen.confidence, own)
    )
