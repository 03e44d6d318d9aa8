"""Settings of HMP's fit.

The paper's weights (Table 2) are of sums in its own units, so each depends on the number of frames
and on the size of the image. Here every residual is divided by the deviation that is expected of
it, which is what a weight says in its inverse square, and holds for any camera and any rate.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

from hand4d_ros.settings import check

PriorName = Literal["hmp", "pca", "gmm", "none"]


@dataclass(frozen=True)
class HmpConfig:
    """Fit of one hand over a clip to all of its keypoints with a motion prior."""

    prior: PriorName = "hmp"
    """Motion prior."""
    solver: Literal["newton", "adam"] = "newton"
    """Damped Gauss-Newton, or the paper's Adam."""
    newton_steps: tuple[int, int] = (6, 10)
    """Largest number of Gauss-Newton steps of stages 1 and 2."""
    adam_steps: tuple[int, int] = (400, 400)
    """Steps of Adam of stages 1 and 2, the paper's."""
    adam_rate: float = field(default=0.05, metadata={"min": 1e-6, "max": 1.0})
    """Learning rate of Adam, the paper's."""
    overlap: int = field(default=16, metadata={"min": 0, "max": 64})
    """Frames that a chunk of 128 shares with the next one."""
    least_score: float = field(default=0.0, metadata={"min": 0.0, "max": 1.0})
    """Frames whose mean keypoint confidence is below count as not seen."""
    longest_gap_s: float = field(default=1.7, metadata={"min": 0.0, "max": 1e6})
    """Longer gaps are not filled in, except for the first and last half of this (s)."""
    keypoint_std: float = field(default=0.03, metadata={"min": 0.001, "max": 0.5})
    """Deviation of an image keypoint, as a fraction of the hand's size in the image."""
    keypoint_std_min_px: float = field(default=1.0, metadata={"min": 0.05, "max": 50.0})
    """Lower bound of that deviation (px)."""
    robust_scale: float = field(default=3.0, metadata={"min": 0.5, "max": 100.0})
    """Deviations from which a keypoint loses influence (Geman-McClure)."""
    keypoint_weight: float = field(default=0.15, metadata={"min": 0.0, "max": 10.0})
    """Of the keypoints: errors of a detector last for several frames, so each is worth less than
    a measurement of its own."""
    blend: float = field(default=0.0, metadata={"min": 0.0, "max": 1.0})
    """Confidence of the estimate's own keypoints, which detected ones are blended with."""
    orientation_std_rad: float = field(default=0.5, metadata={"min": 1e-4, "max": 10.0})
    """Deviation of the first estimate's orientation (L_o)."""
    translation_std_m: float = field(default=0.05, metadata={"min": 1e-5, "max": 10.0})
    """Deviation of the first estimate's position (L_tr)."""
    shape_std: float = field(default=0.3, metadata={"min": 1e-4, "max": 10.0})
    """Deviation of the first estimate's shape coefficients (L_beta)."""
    turn_std_rad_s2: float = field(default=10.0, metadata={"min": 1e-3, "max": 1e4})
    """Angular acceleration to be expected of the wrist (L_os)."""
    move_std_m_s2: float = field(default=2.0, metadata={"min": 1e-3, "max": 1e4})
    """Acceleration to be expected of the wrist (L_ts)."""
    turn_speed_rad_s: float = field(default=3.0, metadata={"min": 1e-3, "max": 1e4})
    """Angular speed to be expected of the wrist: the paper's own L_os."""
    speed_m_s: float = field(default=0.6, metadata={"min": 1e-3, "max": 1e4})
    """Speed to be expected of the wrist: the paper's own L_ts."""
    prior_weight: float = field(default=1.0, metadata={"min": 0.0, "max": 1e4})
    """Of the motion prior (L_MP)."""
    estimate_weight: float = field(default=0.3, metadata={"min": 0.0, "max": 1.0})
    """How much of what the encoder concludes from the first estimate the prior holds on to, where
    it has an encoder that says how sure it is: 1 is Eq. 9, 0 the released code's standard normal
    latent. Between them, because the first estimate comes from the keypoints that the fit sees
    again."""
    least_latent_std: float = field(default=0.1, metadata={"min": 1e-3, "max": 1.0})
    """The encoder is not believed to be surer of a latent than this."""

    def __post_init__(self) -> None:
        """Reject values out of range."""
        check(self)
