"""Settings of the tracker."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

from hand4d_ros.settings import check
from hand4d_ros.tracking.fixed_lag.config import FixedLagConfig


@dataclass(frozen=True)
class TrackerConfig:
    """Identity over time, gaps and smoothing of hands in the world."""

    min_score: float = field(default=0.5, metadata={"min": 0.0, "max": 1.0})
    """Detections less sure than this are ignored."""
    hold_s: float = field(default=0.3, metadata={"min": 0.0, "max": 10.0})
    """How long a hand that is not seen is extrapolated before it is declared lost (s)."""
    max_speed_m_s: float = field(default=8.0, metadata={"min": 0.1, "max": 100.0})
    """A wrist that seems to move faster than this has jumped: the frame is not believed."""
    believe_after: int = field(default=3, metadata={"min": 1, "max": 100})
    """A jump or a swap of sides that lasts for this many frames is believed after all."""
    smoothing: Literal["none", "one_euro"] = "none"
    """One-Euro filter on wrist and joint rotations, or nothing."""
    one_euro_min_cutoff_hz: float = field(default=1.5, metadata={"min": 0.01, "max": 100.0})
    """Cutoff of the One-Euro filter at rest: lower is smoother and slower (Hz)."""
    one_euro_beta_hz_s_m: float = field(default=10.0, metadata={"min": 0.0, "max": 1000.0})
    """How much the cutoff of the position rises with its speed (Hz per m/s)."""
    one_euro_beta_hz_s_rad: float = field(default=1.0, metadata={"min": 0.0, "max": 100.0})
    """How much the cutoff of a rotation rises with its speed (Hz per rad/s)."""
    refine: Literal["none", "fixed_lag"] = "none"
    """Fixed-lag smoother over the last frames of both hands, or nothing. It takes the place of the
    One-Euro filter."""
    fixed_lag: FixedLagConfig = field(default_factory=FixedLagConfig)
    reset_after_s: float = field(default=0.5, metadata={"min": 0.0, "max": 3600.0})
    """Stamps that run back by more than this start everything anew; by less, they are dropped."""

    def __post_init__(self) -> None:
        """Reject values out of range."""
        check(self)
