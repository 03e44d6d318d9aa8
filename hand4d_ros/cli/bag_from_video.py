"""Turn a video, or a folder of frames with its JSON, into a bag that every tool here reads."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated

import tyro

from hand4d_ros.cli.progress import progress_bar
from hand4d_ros.replay.media import MediaOptions, open_media
from hand4d_ros.replay.media_bag import MediaBagOptions, write_media_bag


@dataclass(frozen=True)
class Args:
    """Write image, camera_info and, where poses are known, odometry.

    A folder of frames needs a JSON of the form {"cameras": {NAME: {"width", "height", "K",
    "frames": [{"file", "t_ns", "T_world_camera"}, ...]}}}; see docs/conventions.md.

    Example: hand4d bag-from-video hand.mp4 --out hand.mcap --fov-deg 65
    """

    source: tyro.conf.Positional[Path]
    """Video file, or folder of frames, or the JSON in it."""
    out: Path
    """Bag to write: NAME.mcap for one file, any other name for a rosbag2 folder."""
    camera: str = ""
    """Camera of a folder that has several."""
    intrinsics: Path | None = None
    """JSON or YAML with the camera's intrinsics, as ROS camera_calibration writes it."""
    fov_deg: float = 0.0
    """Field of view along the longer side of the image (deg), where intrinsics are unknown."""
    store: Annotated[MediaBagOptions, tyro.conf.arg(name="")] = field(
        default_factory=MediaBagOptions
    )


def run(args: Args) -> int:
    """Write the bag and say what is in it.

    Raises:
        MediaError: The recording cannot be read or the options do not fit it.
        BagError: The bag cannot be written.
    """
    options = MediaOptions(args.camera, args.intrinsics, args.fov_deg)
    source = open_media(args.source, options)
    if source.note:
        print(f"note: {source.note}")
    with progress_bar("writing") as advance:
        written = write_media_bag(
            source, args.out, args.store, lambda done: advance(done, source.frame_count)
        )
    camera = source.camera
    print(
        f"wrote {args.out}: {written.frames} frames of {camera.width_px} x {camera.height_px}, "
        f"{written.duration_s:.2f} s, focal length {camera.fx_px:.1f} px, "
        f"{written.poses} camera poses"
    )
    print(f"topics: {', '.join(written.topics)}")
    if not written.poses:
        print("no camera poses are known: the camera will count as static")
    print(f"next: hand4d replay {args.out} --out out/replay")
    return 0
