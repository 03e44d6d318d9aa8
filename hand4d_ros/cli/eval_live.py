"""A recording played at its own pace through the real nodes, and what they said."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from hand4d_ros.errors import RosError
from hand4d_ros.pipeline import PipelineConfig
from hand4d_ros.replay.context import BagInputConfig
from hand4d_ros.ros.graph import NodeSpec, replay_graph
from hand4d_ros.ros.graph_arguments import ReplayArguments
from hand4d_ros.ros.processes import run_graph
from hand4d_ros.ros.schema import specs_from_config

TRACKER = "tracker"


def live_hands(
    bag: Path,
    out: Path,
    pipeline: PipelineConfig | None = None,
    config: BagInputConfig | None = None,
) -> Path:
    """Play a recording through the tracker's process and record what it publishes.

    Args:
        bag: The recording.
        out: Bag to record to; an older one is replaced.
        pipeline: Settings of the pipeline, the same as offline.
        config: Topics of the recording.

    Returns:
        The bag of the hands.

    Raises:
        BagError: The recording cannot be read.
        RosError: The nodes failed.
    """
    out.unlink(missing_ok=True)
    code = run_graph(live_graph(bag, out, pipeline, config))
    if code:
        msg = f"the nodes ended with exit code {code}; their own words above say why"
        raise RosError(msg)
    return out


def live_graph(
    bag: Path,
    out: Path,
    pipeline: PipelineConfig | None = None,
    config: BagInputConfig | None = None,
) -> tuple[NodeSpec, ...]:
    """Return the processes of a live reading, with the pipeline set as offline.

    Args:
        bag: The recording.
        out: Bag to record to.
        pipeline: Settings of the pipeline.
        config: Topics of the recording.

    Raises:
        BagError: The recording cannot be read.
    """
    given = config or BagInputConfig()
    arguments = ReplayArguments(
        bag=str(bag),
        record=str(out),
        image_topic=given.image_topic,
        camera_info_topic=given.camera_info_topic,
        odom_topic=given.odometry_topic,
        odometry_mode="static" if given.static_camera else "",
    )
    settings = pipeline or PipelineConfig()
    # All of them, not those that differ from the default: a parameter file may hold others.
    # rcl has no empty arrays; left out they are empty.
    specs = [spec for spec in specs_from_config(settings) if spec.default != ()]
    values = tuple((spec.name, spec.default) for spec in specs)
    return tuple(
        replace(spec, parameters=(*spec.parameters, *values)) if spec.name == TRACKER else spec
        for spec in replay_graph(arguments)
    )
