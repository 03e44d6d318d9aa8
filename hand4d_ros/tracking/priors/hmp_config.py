"""Size of HMP's motion prior: the paper's, and one that trains and runs on a CPU."""

from __future__ import annotations

from dataclasses import dataclass, field

from hand4d_ros.errors import ConfigError
from hand4d_ros.nn.motion_field import MotionFieldConfig
from hand4d_ros.settings import check


@dataclass(frozen=True)
class MotionVaeConfig:
    """Size of the variational auto-encoder; the defaults are the shipped ``small``."""

    latent: int = field(default=128, metadata={"min": 1, "max": 4096})
    """Numbers that describe a clip."""
    channels: tuple[int, ...] = (16, 24, 32, 32)
    """Of an edge of the hand's tree after each layer of the encoder; each halves the frames."""
    distance: int = field(default=2, metadata={"min": 0, "max": 4})
    """How many edges away the encoder's convolutions see."""
    kernel: int = field(default=4, metadata={"min": 2, "max": 8})
    """Length of the encoder's convolutions (frames)."""
    knows_gaps: bool = True
    """Tell the encoder which frames were seen."""
    field: MotionFieldConfig = field(
        default_factory=lambda: MotionFieldConfig(
            hidden=256, layers=4, outputs=96, knots=32, channels=24, activation="silu"
        )
    )
    """The decoder."""

    def __post_init__(self) -> None:
        """Reject values out of range."""
        check(self)
        if not self.channels or min(self.channels) < 1 or len(self.channels) > 6:
            raise ConfigError(f"channels is {self.channels}; give one to six positive numbers")


def paper_size() -> MotionVaeConfig:
    """Return the size of the published weights: 1024 latents, 54.9 million parameters."""
    return MotionVaeConfig(
        latent=1024,
        channels=(30, 60, 120, 240),
        knows_gaps=False,
        field=MotionFieldConfig(),
    )
