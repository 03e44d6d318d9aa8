"""`hand4d synth`: render a bag with known truth."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated

import tyro

from hand4d_ros.cli.progress import progress_bar
from hand4d_ros.replay.media_bag import MediaBagOptions
from hand4d_ros.synthetic.scene import SceneConfig


@dataclass(frozen=True)
class Args:
    """Render two hands at a table from a moving camera, with odometry and the truth.

    The bag has /camera/image_raw/compressed, /camera/camera_info, /odom and /truth/hands. The
    same seed gives the same bag.

    Example: hand4d synth --seconds 20 --seed 7 --out scene.mcap && hand4d replay scene.mcap
    --out out/scene
    """

    out: Path
    """Bag to write: NAME.mcap for one file, any other name for a rosbag2 folder."""
    scene: Annotated[SceneConfig, tyro.conf.arg(name="")] = field(default_factory=SceneConfig)
    store: Annotated[MediaBagOptions, tyro.conf.arg(name="")] = field(
        default_factory=MediaBagOptions
    )


def run(args: Args) -> int:
    """Render and say what happens in the scene.

    Raises:
        SceneError: The scene cannot be made.
        BagError: The bag cannot be written.
    """
    from hand4d_ros.replay.scene_bag import write_scene_bag
    from hand4d_ros.synthetic.scene import build_scene

    scene = build_scene(args.scene)
    for line in scene.log:
        print(line)
    with progress_bar("rendering") as advance:
        write_scene_bag(scene, args.out, args.store, advance)
    camera = scene.camera
    print(
        f"wrote {args.out}: {args.scene.frames} frames of {camera.width_px} x {camera.height_px}, "
        f"{args.scene.seconds:g} s, truth on /truth/hands"
    )
    print(f"next: hand4d replay {args.out} --out out/replay")
    return 0
