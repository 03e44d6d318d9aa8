"""Settings of the fixed-lag smoother."""

from __future__ import annotations

from dataclasses import dataclass, field

from hand4d_ros.settings import check


@dataclass(frozen=True)
class FixedLagConfig:
    """The terms of the offline world optimisation over a sliding window of frames."""

    lag_frames: int = field(default=8, metadata={"min": 4, "max": 32})
    """Frames before the newest that are still being corrected; older ones are marginalised."""
    iterations: int = field(default=1, metadata={"min": 1, "max": 20})
    """Gauss-Newton steps a frame."""
    odometry_is_metric: bool = True
    """Whether the odometry's distances are metres. Then its motion shows the size of the hands;
    else it shows the scale of the world, and hands are published in a world of metres."""
    estimate_ratio: bool = True
    """Estimate hand size, or world scale, from the camera's motion; else both stay as given."""
    size_std: float = field(default=0.0, metadata={"min": 0.0, "max": 1.0})
    """Relative deviation of the size that single frames assume; 0 takes the population's."""
    keypoint_std: float = field(default=0.03, metadata={"min": 0.001, "max": 0.2})
    """Standard deviation of an image keypoint, as a fraction of the hand's size in the image."""
    keypoint_std_min_px: float = field(default=1.0, metadata={"min": 0.05, "max": 50.0})
    """Lower bound of that deviation (px)."""
    correlation_frames: float = field(default=30.0, metadata={"min": 1.0, "max": 100.0})
    """Errors of a detector last, so each frame counts as one in so many. More than offline, as the
    newest frame has no later ones to contradict it."""
    robust_scale: float = field(default=3.0, metadata={"min": 0.5, "max": 100.0})
    """Residual, in standard deviations, from which a keypoint loses influence (Geman-McClure)."""
    detector_3d_std_m: float = field(default=0.03, metadata={"min": 0.001, "max": 10.0})
    """Standard deviation of the detector's own 3D keypoints, after their size is divided out."""
    acceleration_std_m_s2: float = field(default=2.0, metadata={"min": 0.001, "max": 1000.0})
    """Of the keypoints in the world."""
    jerk_std_m_s3: float = field(default=50.0, metadata={"min": 0.01, "max": 1e6})
    """Of the keypoints in the world."""
    angle_acceleration_std_rad_s2: float = field(default=30.0, metadata={"min": 0.01, "max": 1e5})
    """Of the joint angles."""
    rest_std_m_s: float = field(default=0.06, metadata={"min": 0.0001, "max": 10.0})
    """Speed that a hand at rest seems to have, with the noise of the odometry."""
    rest_scale: float = field(default=2.0, metadata={"min": 0.5, "max": 100.0})
    """Speed, in such deviations, from which a hand does not rest (Geman-McClure)."""
    unseen_speed_m_s: float = field(default=0.3, metadata={"min": 0.001, "max": 100.0})
    """Speed of a hand while it is not seen: it is taken to slow down."""
    pose_prior_weight: float = field(default=0.3, metadata={"min": 0.0, "max": 10.0})
    """Pull of the joint angles towards the relaxed hand, in standard deviations."""
    limit_std_rad: float = field(default=0.05, metadata={"min": 0.001, "max": 10.0})
    """How far joint angles may leave their ranges."""
    odometry_drift_m: float = field(default=0.008, metadata={"min": 0.0, "max": 1.0})
    """Deviation of the odometry's position one second later, along each axis."""
    odometry_noise_m: float = field(default=0.001, metadata={"min": 0.0, "max": 1.0})
    """Noise of each position of the odometry."""

    def __post_init__(self) -> None:
        """Reject values out of range."""
        check(self)
