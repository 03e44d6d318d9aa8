"""The scene of the demo: ten seconds of two hands over a table, seen from a moving head."""

from __future__ import annotations

from hand4d_ros.synthetic.cameras import CameraConfig
from hand4d_ros.synthetic.odometry_noise import OdometryNoise
from hand4d_ros.synthetic.scene import SceneConfig

DEMO_SEED = 6
"""Of the scene that the demo shows."""

_ACTIVITIES = (
    "right:move_thing",
    "left:move_thing",
    "right:gesture",
    "left:gesture",
    "right:move_thing",
    "left:leave",
    "left:move_thing",
    "right:wave",
    "left:rest",
    "right:rest",
)


def demo_config(seed: int = DEMO_SEED, seconds: float = 10.0) -> SceneConfig:
    """Return the demo's scene: things are moved, hands gesture, one leaves and comes back.

    Args:
        seed: Another one gives another person, table and motion with the same plot.
        seconds: Length; what comes later is cut off.
    """
    return SceneConfig(
        seed=seed,
        seconds=seconds,
        things=4,
        kinds=("box", "sphere", "bottle", "cylinder"),
        activities=_ACTIVITIES,
        camera=CameraConfig(horizontal_fov_deg=72.0),
        odometry=OdometryNoise(
            seed=seed,
            rate_hz=200.0,
            position_std_m=0.0005,
            rotation_std_deg=0.03,
            drift_m_per_sqrt_s=0.001,
            drift_deg_per_sqrt_s=0.03,
        ),
    )
