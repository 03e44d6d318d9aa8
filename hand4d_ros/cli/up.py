"""Start the nodes and pass on what they say, as ``ros2 launch`` would; ctrl-c ends them all."""

from __future__ import annotations

import dataclasses
import shlex
from dataclasses import dataclass

from hand4d_ros.errors import ConfigError
from hand4d_ros.ros.graph import NodeSpec, egocentric_graph, replay_graph
from hand4d_ros.ros.graph_arguments import EgocentricArguments, replay_from_egocentric
from hand4d_ros.ros.processes import command_of, run_graph


@dataclass(frozen=True)
class Args(EgocentricArguments):
    """Options of ``hand4d up``: those of egocentric.launch.py, and these."""

    config: str = ""
    """Parameter file (YAML) of the nodes; another name of params-file."""
    bag: str = ""
    """Play this bag with /clock instead of waiting for a camera, as replay.launch.py does; topics
    that are not given are found in the bag by their types."""
    rate: float = 1.0
    """Speed of the bag."""
    loop: bool = False
    """Begin the bag anew at its end."""
    dry_run: bool = False
    """Print the commands instead of running them."""


def run(args: Args) -> int:
    """Run the graph until it ends.

    Returns:
        0 when asked to end or at the end of the bag, else the exit code of the node that died.

    Raises:
        ConfigError: If an option contradicts another or a file is missing.
        BagError: If the bag cannot be read.
        RosError: If a program that was asked for is not installed.
    """
    specs = graph_of(args)
    if args.dry_run:
        for spec in specs:
            print(shlex.join(command_of(spec)))
        return 0
    return run_graph(specs)


def graph_of(args: Args) -> tuple[NodeSpec, ...]:
    """Return the processes that the options ask for.

    Raises:
        ConfigError: If an option contradicts another or a file is missing.
        BagError: If the bag cannot be read.
    """
    if args.config and args.params_file:
        raise ConfigError(
            f"config is {args.config!r} and params_file {args.params_file!r}; give one of them"
        )
    names = [field.name for field in dataclasses.fields(EgocentricArguments)]
    arguments = EgocentricArguments(**{name: getattr(args, name) for name in names})
    if args.config:
        arguments = dataclasses.replace(arguments, params_file=args.config)
    if not args.bag:
        return egocentric_graph(arguments)
    return replay_graph(replay_from_egocentric(arguments, args.bag, args.rate, loop=args.loop))
