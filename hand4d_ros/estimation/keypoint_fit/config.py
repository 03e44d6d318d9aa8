"""Settings of the keypoint fit."""

from __future__ import annotations

from dataclasses import dataclass, field

from hand4d_ros.errors import ConfigError
from hand4d_ros.settings import check


@dataclass(frozen=True)
class KeypointFitConfig:
    """Damped least-squares fit of the hand model to the keypoints of single frames."""

    hand_length_m: float = field(default=0.0, metadata={"min": 0.0, "max": 0.3})
    """Length of the person's hand, wrist to tip of the straight middle finger (m). One camera
    cannot see it, and it sets the depth. 0 takes the population's mean and publishes its spread."""
    calibration: str = ""
    """File with measured lengths of the person's hand, from `hand4d calibrate`; empty is none."""
    estimate_proportions: bool = True
    """Estimate the proportions of the hand from the first confident frames, then hold them."""
    proportion_frames: int = field(default=60, metadata={"min": 1, "max": 10000})
    """Confident hands to estimate the proportions from."""
    keypoint_std: float = field(default=0.03, metadata={"min": 0.001, "max": 0.2})
    """Standard deviation of an image keypoint, as a fraction of the hand's size in the image."""
    keypoint_std_min_px: float = field(default=1.0, metadata={"min": 0.05, "max": 50.0})
    """Lower bound of that deviation (px)."""
    robust_scale: float = field(default=3.0, metadata={"min": 0.5, "max": 100.0})
    """Residual, in standard deviations, from which a keypoint loses influence (Cauchy)."""
    detector_3d_std_m: float = field(default=0.08, metadata={"min": 0.001, "max": 1.0})
    """Standard deviation of the detector's own 3D keypoints, after their size is divided out."""
    prior_weight: float = field(default=1.0, metadata={"min": 0.0, "max": 10.0})
    """Pull of the joint angles towards the relaxed hand, in standard deviations."""
    iterations: int = field(default=2, metadata={"min": 1, "max": 100})
    """Steps a frame when warm-started from the last one."""
    cold_iterations: int = field(default=14, metadata={"min": 1, "max": 200})
    """Steps for a hand that was not seen in the last frame."""
    restart_rms: float = field(default=3.0, metadata={"min": 0.5, "max": 100.0})
    """A warm-started fit worse than this, in standard deviations, is fitted again from nothing."""

    def __post_init__(self) -> None:
        """Reject what cannot be a hand."""
        if self.hand_length_m != 0.0 and not 0.1 <= self.hand_length_m <= 0.3:
            msg = (
                f"hand_length_m is {self.hand_length_m}; give 0.1 to 0.3 m, wrist to tip of the "
                "straight middle finger, or 0 for the population mean"
            )
            raise ConfigError(msg)
        if self.hand_length_m and self.calibration:
            msg = (
                f"both hand_length_m ({self.hand_length_m}) and calibration "
                f"({self.calibration!r}) are given; give one of them"
            )
            raise ConfigError(msg)
        check(self)
