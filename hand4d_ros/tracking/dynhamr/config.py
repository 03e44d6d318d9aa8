"""Settings of the optimisation in the world."""

from __future__ import annotations

from dataclasses import dataclass, field

from hand4d_ros.settings import check
from hand4d_ros.tracking.solvers.gauss_newton import GaussNewtonConfig


@dataclass(frozen=True)
class CostConfig:
    """Deviations of everything that the optimisation weighs against each other.

    A weight of the paper is the inverse square of a deviation here, so that the energy is a
    negative log-likelihood and its curvature an honest covariance.
    """

    keypoint_std: float = field(default=0.03, metadata={"min": 0.001, "max": 0.2})
    """Standard deviation of an image keypoint, as a fraction of the hand's size in the image."""
    keypoint_std_min_px: float = field(default=1.0, metadata={"min": 0.05, "max": 50.0})
    """Lower bound of that deviation (px)."""
    correlation_frames: float = field(default=10.0, metadata={"min": 1.0, "max": 100.0})
    """Errors of a detector last for about so many frames, so each frame counts as one in so
    many."""
    robust_scale: float = field(default=2.0, metadata={"min": 0.5, "max": 100.0})
    """Residual, in standard deviations, from which a keypoint loses influence (Geman-McClure)."""
    detector_3d_std_m: float = field(default=0.1, metadata={"min": 0.001, "max": 10.0})
    """Standard deviation of the detector's own 3D keypoints, after their size is divided out."""
    acceleration_std_m_s2: float = field(default=4.0, metadata={"min": 0.001, "max": 1000.0})
    """Of the keypoints in the world."""
    jerk_std_m_s3: float = field(default=100.0, metadata={"min": 0.01, "max": 1e6})
    """Of the keypoints in the world."""
    rest_std_m_s: float = field(default=0.02, metadata={"min": 0.0001, "max": 10.0})
    """Speed of a hand that rests: rests show the scale of the camera's motion."""
    rest_scale: float = field(default=2.0, metadata={"min": 0.5, "max": 100.0})
    """Speed, in such deviations, from which a hand does not rest (Geman-McClure)."""
    angle_acceleration_std_rad_s2: float = field(default=30.0, metadata={"min": 0.01, "max": 1e5})
    """Of the joint angles."""
    odometry_std_m: float = field(default=0.001, metadata={"min": 1e-5, "max": 1.0})
    """Noise of each position of the odometry."""
    odometry_std_rad: float = field(default=0.002, metadata={"min": 1e-5, "max": 1.0})
    """Noise of each rotation of the odometry."""
    camera_jerk_m_s3: float = field(default=8.0, metadata={"min": 0.001, "max": 1e4})
    """Jerk of a head along each axis, against which the odometry's noise is told."""
    camera_jerk_rad_s3: float = field(default=20.0, metadata={"min": 0.001, "max": 1e5})
    """The same of its turning."""
    camera_speed_m_s: float = field(default=0.3, metadata={"min": 0.001, "max": 100.0})
    """Speed of the camera where the odometry is silent."""
    camera_turn_rad_s: float = field(default=1.0, metadata={"min": 0.001, "max": 100.0})
    """Rate of turn of the camera where the odometry is silent."""
    metric_scale_std: float = field(default=0.01, metadata={"min": 1e-4, "max": 1.0})
    """Relative error of the distances of a metric odometry."""
    unknown_scale_std: float = field(default=0.7, metadata={"min": 0.01, "max": 5.0})
    """Spread of the logarithm of an unknown world scale."""
    pose_prior_weight: float = field(default=0.3, metadata={"min": 0.0, "max": 10.0})
    """Pull of the joint angles towards the relaxed hand, in standard deviations."""
    limit_std_rad: float = field(default=0.05, metadata={"min": 0.001, "max": 10.0})
    """How far joint angles may leave their ranges."""
    region_std_rad: float = field(default=0.05, metadata={"min": 0.001, "max": 10.0})
    """How far joint angles may leave their regions of flexion and abduction (Stage III)."""
    bone_std: float = field(default=0.01, metadata={"min": 0.0001, "max": 1.0})
    """How far bones, relative to the hand, and palm may leave their intervals (Stage III)."""
    penetration_std_m: float = field(default=0.002, metadata={"min": 0.0001, "max": 1.0})
    """How deep both hands may be in each other (Stage III)."""
    motion_prior_std_rad: float = field(default=0.15, metadata={"min": 0.001, "max": 10.0})
    """How far the angles may be from a motion of the prior (Stage III)."""

    def __post_init__(self) -> None:
        """Reject values out of range."""
        check(self)


@dataclass(frozen=True)
class DynHamrConfig:
    """World-space optimisation of both hands, offline, in chunks."""

    stages: int = field(default=3, metadata={"min": 1, "max": 3})
    """1: initialisation and gaps; 2: trajectories in the world; 3: priors of motion and body."""
    biomechanics: bool = True
    """Joint-angle regions, bone lengths and the palm in Stage III."""
    penetration: bool = True
    """Keep the hands out of each other in Stage III."""
    infilling: bool = True
    """Let the optimisation and the motion prior fill gaps; else they are interpolated."""
    motion_prior: str = ""
    """Name or file of a motion prior; empty does without."""
    chunk_frames: int = field(default=128, metadata={"min": 8, "max": 4096})
    """Frames that are solved at once."""
    overlap_frames: int = field(default=16, metadata={"min": 4, "max": 1024})
    """Frames at the end of a chunk that the next one solves again, knowing more of what
    follows."""
    longest_gap_frames: int = field(default=50, metadata={"min": 0, "max": 1000})
    """Gaps up to this are filled."""
    costs: CostConfig = field(default_factory=CostConfig)
    solver: GaussNewtonConfig = field(default_factory=GaussNewtonConfig)

    def __post_init__(self) -> None:
        """Reject values out of range."""
        check(self)
