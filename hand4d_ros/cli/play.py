"""Publish a bag on its topics, at its pace and with its own stamps, with /clock."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import tyro

from hand4d_ros.ros.graph import NodeSpec
from hand4d_ros.ros.schema import Value


@dataclass(frozen=True)
class Args:
    """Options of ``hand4d play``."""

    bag: tyro.conf.Positional[Path]
    """Bag to play: a .mcap or .db3 file, or a folder of rosbag2."""
    rate: float = 1.0
    """Speed; 1 is that of the recording."""
    loop: bool = False
    """Begin anew at the end; time then jumps back, as the stamps are those of the bag."""
    start_paused: bool = False
    """Wait for the service /hand4d/player/set_paused before the first message."""
    clock_hz: float = 200.0
    """Rate of /clock, for nodes with use_sim_time; 0 publishes none (Hz)."""
    topics: tuple[str, ...] = ()
    """Topics to play; none plays all."""
    wait_for: tuple[str, ...] = ()
    """Topics that must have a subscriber before the first message."""
    wait_timeout_s: float = 60.0
    """The longest wait for them (s)."""


def run(args: Args) -> int:
    """Play until the end of the bag, or until interrupted.

    Returns:
        0 at the end, 1 where the bag is damaged on the way, 2 where it cannot be played.
    """
    # rclpy is imported only now, so that the help of this command needs no ROS.
    from hand4d_ros.ros.player_node import main

    return main(list(player_spec(args).command_line()))


def player_spec(args: Args) -> NodeSpec:
    """Return the player as a node with parameters."""
    parameters: dict[str, Value] = {
        "bag": str(args.bag),
        "rate": args.rate,
        "loop": args.loop,
        "start_paused": args.start_paused,
        "clock_hz": args.clock_hz,
        "wait_timeout_s": args.wait_timeout_s,
    }
    # rcl has no empty arrays; left out they are empty.
    lists = {"topics": args.topics, "wait_for": args.wait_for}
    parameters |= {name: names for name, names in lists.items() if names}
    return NodeSpec(
        executable="player",
        name="player",
        namespace="/hand4d",
        parameters=tuple(parameters.items()),
    )
