"""`hand4d demo`: a rendered clip or your video through the real nodes, and a report."""

from __future__ import annotations

import dataclasses
import json
import os
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from hand4d_ros.errors import RosError
from hand4d_ros.pipeline import PipelineConfig

INPUT = "input.mcap"


@dataclass(frozen=True)
class Args:
    """Run the nodes on a clip, over DDS and in real time, and report what they did.

    Without --video a scene is rendered: two hands reach, grasp and gesture over a table, seen
    from a moving head with odometry; the report then has errors against the truth. The folder
    gets report.html, overlay.mp4, hands.mcap, metrics.json, and the input as input.mcap.

    Example: hand4d demo --video my_hands.mp4 --out out/mine
    """

    out: Path = Path("out/demo")
    """Folder for the results; files of an earlier run are replaced."""
    video: Path | None = None
    """Your video instead of the rendered clip; its camera counts as static."""
    fov_deg: float = 0.0
    """Field of view of the video along its longer side (deg); 0 takes a usual one, and says so."""
    seconds: float = field(default=10.0, metadata={"min": 1.0, "max": 600.0})
    """Length of the rendered clip (s)."""
    seed: int | None = None
    """Another seed renders another person, table and motion."""


def run(args: Args) -> int:
    """Make the input, run the graph on it, write the results.

    Raises:
        MediaError: The video cannot be read or the folder not written.
        BagError: A bag cannot be written.
        RosError: The nodes failed.
    """
    from hand4d_ros.cli.progress import progress_bar
    from hand4d_ros.cli.replay import summary_lines
    from hand4d_ros.errors import BagError
    from hand4d_ros.replay.outputs import make_folder
    from hand4d_ros.replay.results import (
        HANDS,
        METRICS,
        OVERLAY,
        REPORT,
        ResultOptions,
        write_results,
    )

    make_folder(args.out, BagError)
    source, hands = args.out / INPUT, args.out / HANDS
    _make_input(args, source)
    _run_nodes(source, hands, moving=args.video is None)
    options = ResultOptions(
        title="hand4d_ros demo" if args.video is None else args.video.name,
        mode="live",
        detector=PipelineConfig().detector,
        config=json.dumps(dataclasses.asdict(PipelineConfig()), indent=2),
    )
    with progress_bar("drawing") as advance:
        metrics = write_results(source, hands, args.out, options, progress=advance)
    print("\n".join(summary_lines(metrics)))
    print(f"wrote {', '.join(str(args.out / n) for n in (REPORT, OVERLAY, HANDS, METRICS))}")
    return 0


def _make_input(args: Args, out: Path) -> None:
    """Render the scene or turn the video into a bag."""
    from hand4d_ros.cli import bag_from_video
    from hand4d_ros.cli.progress import progress_bar

    if args.video is not None:
        bag_from_video.run(bag_from_video.Args(args.video, out, fov_deg=args.fov_deg))
        return
    from hand4d_ros.replay.scene_bag import write_scene_bag
    from hand4d_ros.synthetic.demo import DEMO_SEED, demo_config
    from hand4d_ros.synthetic.scene import build_scene

    seed = DEMO_SEED if args.seed is None else args.seed
    print(f"rendering {args.seconds:g} s of two hands, seed {seed}")
    with progress_bar("rendering") as advance:
        write_scene_bag(build_scene(demo_config(seed, args.seconds)), out, progress=advance)


def _run_nodes(source: Path, hands: Path, *, moving: bool) -> None:
    """Play the bag through the tracker's process and record what it says.

    Args:
        source: The bag.
        hands: The bag to write.
        moving: It has odometry; without, the nodes would wait for it in vain.

    Raises:
        RosError: A node died.
    """
    from hand4d_ros.ros.graph import replay_graph
    from hand4d_ros.ros.graph_arguments import ReplayArguments
    from hand4d_ros.ros.processes import run_graph

    # The demo must not meet a robot that happens to be on the network.
    os.environ.setdefault("ROS_AUTOMATIC_DISCOVERY_RANGE", "LOCALHOST")
    print("running the nodes on it in real time, over DDS")
    odometry: Literal["auto", "static"] = "auto" if moving else "static"
    arguments = ReplayArguments(
        bag=str(source), record=str(hands), odometry_mode=odometry, forecast="false"
    )
    code = run_graph(replay_graph(arguments))
    if code:
        msg = f"the nodes ended with exit code {code}; their own words above say why"
        raise RosError(msg)
