"""Everything that can be set on the forecaster node; its ROS parameters are declared from this."""

from __future__ import annotations

from dataclasses import dataclass, field

from hand4d_ros.forecasting.registry import ForecasterConfig
from hand4d_ros.settings import check


@dataclass(frozen=True)
class ForecasterNodeConfig:
    """Config of the forecaster node."""

    autostart: bool = field(default=True, metadata={"read_only": True})
    """Configure and activate at start; false leaves both to a lifecycle manager."""
    past_s: float = field(default=1.0, metadata={"min": 0.0, "max": 10.0})
    """How much of the past the forecaster is shown (s)."""
    reset_after_s: float = field(default=0.5, metadata={"min": 0.0})
    """Hands stamped so long before the last ones are a jump in time (s), as of a bag that loops,
    after which the past is forgotten; what is stamped a little before is late and left out."""
    markers: bool = True
    """Publish ~/markers for RViz and Foxglove, while someone subscribes."""
    forecaster: ForecasterConfig = field(
        default=ForecasterConfig(), metadata={"flatten": True, "reconfigure": True}
    )

    def __post_init__(self) -> None:
        """Reject values out of range."""
        check(self)
