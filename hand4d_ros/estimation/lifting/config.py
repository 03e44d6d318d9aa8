"""Size of ForeHand4D's lifting model: the paper's, and one that trains and runs on a CPU."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

from hand4d_ros.errors import ConfigError
from hand4d_ros.nn.diffusion import DiffusionConfig
from hand4d_ros.nn.transformer import TransformerConfig
from hand4d_ros.settings import check

Condition = Literal["keypoints", "camera", "plucker", "kpe"]

WIDTHS: dict[Condition, int] = {
    "keypoints": 2 * 21 * 2,
    "camera": 4 * 4,
    "plucker": 2 * 21 * 6,
    "kpe": 2 * 21 * 4 * 4,
}
"""Numbers a frame of every condition, in the order of their tokens."""


@dataclass(frozen=True)
class LiftingConfig:
    """Size of the lifting model; the defaults are the ``small`` one."""

    frames: int = field(default=64, metadata={"min": 2, "max": 1024})
    """Of a window."""
    conditions: tuple[Condition, ...] = ("keypoints", "camera", "plucker", "kpe")
    """What it is told; fewer for the ablation of the paper's Table 2."""
    layout: Literal["tokens", "sum"] = "sum"
    """tokens: every condition has a token a frame, as in the paper; sum: they are added to the
    frame's own, which makes the sequence five times shorter."""
    transformer: TransformerConfig = field(
        default_factory=lambda: TransformerConfig(layers=6, width=256, feed_forward=768)
    )
    """The denoiser."""
    diffusion: DiffusionConfig = field(default_factory=DiffusionConfig)
    """The course of the noise."""

    def __post_init__(self) -> None:
        """Reject values out of range and conditions that are unknown or given twice."""
        check(self)
        ordered = tuple(name for name in WIDTHS if name in self.conditions)
        if not ordered or ordered != tuple(self.conditions):
            raise ConfigError(
                f"conditions is {self.conditions}; give some of {', '.join(WIDTHS)}, in this order"
            )


def paper_size() -> LiftingConfig:
    """Return the size of the paper: 256 frames, 16 layers of width 1024, 1281 tokens."""
    return LiftingConfig(frames=256, layout="tokens", transformer=TransformerConfig())
