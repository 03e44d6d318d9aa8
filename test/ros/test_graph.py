"""One description of the graph: what launch makes of it is what ``hand4d up`` starts."""

from __future__ import annotations

import importlib
import importlib.util
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml

from hand4d_ros import wire_sensors
from hand4d_ros.cli import up
from hand4d_ros.cli.play import Args as PlayArgs
from hand4d_ros.cli.play import player_spec
from hand4d_ros.errors import ConfigError, RosError
from hand4d_ros.replay.bags import BagWriter
from hand4d_ros.ros.forecaster_config import ForecasterNodeConfig
from hand4d_ros.ros.graph import (
    FORECAST_TOPICS,
    MODULES,
    OUTPUT_TOPICS,
    NodeSpec,
    egocentric_graph,
    replay_graph,
    share_file,
)
from hand4d_ros.ros.graph_arguments import (
    EgocentricArguments,
    ReplayArguments,
    replay_from_egocentric,
)
from hand4d_ros.ros.player_node import PlayerConfig
from hand4d_ros.ros.processes import command_of
from hand4d_ros.ros.recorder_node import RecorderConfig
from hand4d_ros.ros.schema import config_from_values, specs_from_config
from hand4d_ros.ros.tracker_config import TrackerNodeConfig
from hand4d_ros.types import CameraModel

ROOT = Path(__file__).parents[2]
_OF_RCLPY = {"use_sim_time"}
_ON_OFF = ("publish_tf", "publish_joint_tf", "forecast")


@dataclass
class _Started:
    """What a command line makes of a node."""

    arguments: list[str] = field(default_factory=list)
    remappings: set[str] = field(default_factory=set)
    files: list[str] = field(default_factory=list)
    parameters: dict[str, Any] = field(default_factory=dict)
    log_level: str = ""


def _started(words: list[str]) -> _Started:
    """Read a command line, as launch or ``hand4d up`` writes it, without its program."""
    found, at, in_ros = _Started(), 0, False
    while at < len(words):
        word = words[at]
        if word == "--ros-args":
            in_ros, at = True, at + 1
            continue
        if not in_ros:
            found.arguments.append(word)
            at += 1
            continue
        value, at = words[at + 1], at + 2
        if word == "-r":
            found.remappings.add(value)
        elif word == "-p":
            name, _, text = value.partition(":=")
            found.parameters[name] = yaml.safe_load(text)
        elif word == "--params-file" and "launch_params" in Path(value).name:
            # launch_ros marks sequences with a tag of Python's, which rcl ignores.
            text = Path(value).read_text(encoding="utf-8").replace("!!python/tuple", "")
            tree = yaml.safe_load(text)
            found.parameters |= next(iter(tree.values()))["ros__parameters"]
        elif word == "--params-file":
            found.files.append(value)
        else:
            assert word == "--log-level"
            found.log_level = value
    return found


@pytest.fixture
def bag(tmp_path: Path) -> Path:
    """A bag with one compressed image, camera_info and odometry on topics of their own names."""
    path = tmp_path / "in.mcap"
    image = wire_sensors.compressed_image(b"x", "jpeg", 1, "cam")
    info = wire_sensors.camera_info(CameraModel(4, 4, 5.0, 5.0, 1.5, 1.5), 1, "cam")
    odometry = wire_sensors.odometry(np.eye(4), 1, "odom", "cam")
    with BagWriter(path) as writer:
        writer.write("/eye/image/compressed", "sensor_msgs/msg/CompressedImage", image, 1)
        writer.write("/eye/camera_info", "sensor_msgs/msg/CameraInfo", info, 1)
        writer.write("/vio", "nav_msgs/msg/Odometry", odometry, 1)
    return path


def _launched(launch_file: str, arguments: Mapping[str, str]) -> dict[str, list[str]]:
    """Load a launch file with the launch tools and return the command line of each node."""
    launch = pytest.importorskip("launch", reason="the launch tools of ROS 2 are not installed")
    if not hasattr(launch, "LaunchContext"):
        pytest.skip("the launch tools of ROS 2 are not installed")
    spec = importlib.util.spec_from_file_location("launch_file", ROOT / "launch" / launch_file)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    context = launch.LaunchContext(argv=[])
    context.launch_configurations.update(arguments)
    nodes: list[Any] = []
    waiting = list(module.generate_launch_description().entities)
    while waiting:
        entity = waiting.pop(0)
        if hasattr(entity, "node_executable"):
            nodes.append(entity)
        else:
            waiting = [*(entity.visit(context) or ()), *waiting]
    return dict(_command_line(node, context) for node in nodes)


def _command_line(node: Any, context: Any) -> tuple[str, list[str]]:
    """Let launch work out the command of a node, but not start it."""
    launch: Any = importlib.import_module("launch")
    nodes: Any = importlib.import_module("launch_ros.actions")
    perform = launch.utilities.perform_substitutions
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(launch.actions.ExecuteProcess, "execute", lambda *_: None)
        nodes.Node.execute(node, context)
    name = "/".join(
        perform(context, launch.utilities.normalize_to_list_of_substitutions(part))
        for part in (node.node_package, node.node_executable)
    )
    return name, [perform(context, part) for part in node.cmd[1:]]


def _up(specs: tuple[NodeSpec, ...]) -> dict[str, list[str]]:
    return {f"{spec.package}/{spec.executable}": spec.command_line() for spec in specs}


@pytest.mark.parametrize(
    "given",
    [
        {},
        {"image_topic": "/eye/image", "namespace": "robot/head", "log_level": "debug"},
        {"launch_rviz": "true", "launch_foxglove": "true", "use_sim_time": "true"},
        {
            "record": "/tmp/it's.mcap",  # noqa: S108 - a name, which nothing writes.
            "world_frame": "map",
            "publish_tf": "false",
            "autostart": "false",
            "forecast": "false",
            "params_file": str(ROOT / "config/tracker.yaml"),
        },
    ],
    ids=["defaults", "topics", "viewers", "values"],
)
def test_launch_starts_what_up_starts(given: dict[str, str]) -> None:
    """For the same arguments both start the same nodes with the same names and parameters."""
    launched = _launched("egocentric.launch.py", given)
    truth = {"true": True, "false": False}
    values: dict[str, Any] = {
        name: text if name in _ON_OFF else truth.get(text, text) for name, text in given.items()
    }
    started = _up(up.graph_of(up.Args(**values)))
    assert {k: _started(v) for k, v in launched.items()} == {
        k: _started(v) for k, v in started.items()
    }


def test_replay_launch_starts_what_up_starts(bag: Path) -> None:
    """With a bag, both find its topics and start the same player and tracker."""
    launched = _launched("replay.launch.py", {"bag": str(bag), "rate": "0.5", "loop": "true"})
    started = _up(up.graph_of(up.Args(bag=str(bag), rate=0.5, loop=True)))
    assert {k: _started(v) for k, v in launched.items()} == {
        k: _started(v) for k, v in started.items()
    }


def test_launch_files_refuse_nonsense(bag: Path) -> None:
    """A rate that is no number and a missing bag are clear errors."""
    with pytest.raises(ConfigError, match="rate is 'fast', but must be float"):
        _launched("replay.launch.py", {"bag": str(bag), "rate": "fast"})
    with pytest.raises(ConfigError, match="bag is empty"):
        _launched("replay.launch.py", {})


def test_topics_of_a_bag_are_found(bag: Path) -> None:
    """The tracker listens to what the bag has, with simulated time, and the player waits for it."""
    tracker, player = replay_graph(ReplayArguments(bag=str(bag)))
    assert dict(tracker.remappings) == {
        "image": "/eye/image/compressed",
        "camera_info": "/eye/camera_info",
        "odom": "/vio",
    }
    parameters = dict(tracker.parameters)
    assert parameters["image_transport"] == "compressed"
    assert parameters["use_sim_time"] is True
    assert dict(player.parameters)["wait_for"] == ("/eye/image/compressed",)


def test_the_forecaster_starts_for_a_camera_and_for_a_bag_when_asked(bag: Path) -> None:
    """It is on by default with a live camera, off with a bag; what it publishes is recorded."""
    live = egocentric_graph(EgocentricArguments(record="out.mcap"))
    assert [spec.name for spec in live] == ["tracker", "forecaster", "recorder"]
    topics = dict(live[-1].parameters)["topics"]
    assert isinstance(topics, tuple)
    assert {f"/hand4d/forecaster/{name}" for name in FORECAST_TOPICS} <= set(topics)
    assert len(egocentric_graph(EgocentricArguments(forecast="false"))) == 1
    asked = up.graph_of(up.Args(bag=str(bag), forecast="true"))
    assert [spec.name for spec in asked] == ["tracker", "forecaster", "player"]
    assert dict(asked[1].parameters)["use_sim_time"] is True


def test_what_was_not_given_is_found_in_the_bag() -> None:
    """Defaults of a live graph become those of a replay; what was given stays."""
    arguments = replay_from_egocentric(
        EgocentricArguments(odom_topic="/vio"), "x.mcap", 2.0, loop=True
    )
    assert (arguments.image_topic, arguments.odom_topic) == ("", "/vio")
    assert (arguments.use_sim_time, arguments.rate, arguments.loop) == (True, 2.0, True)


@pytest.mark.parametrize("arguments", [EgocentricArguments(), ReplayArguments()])
def test_every_argument_is_described(arguments: object) -> None:
    """``ros2 launch --show-args`` and ``hand4d up --help`` say what each argument does."""
    assert [spec.name for spec in specs_from_config(arguments) if not spec.description] == []


def test_up_has_every_argument_of_the_launch_file() -> None:
    """The options of ``hand4d up`` are the arguments of the launch file, and a few more."""
    names = {each.name for each in fields(up.Args)}
    assert {spec.name for spec in specs_from_config(EgocentricArguments())} <= names


def test_parameters_of_every_node_exist(bag: Path) -> None:
    """What the graph and ``hand4d play`` set are parameters that the node declares."""
    arguments = ReplayArguments(
        bag=str(bag),
        record="out.mcap",
        world_frame="map",
        camera_frame="eye",
        image_reliability="reliable",
        odometry_mode="static",
        publish_tf="true",
        publish_joint_tf="true",
        forecast="true",
        autostart=False,
    )
    configs: dict[str, Any] = {
        "tracker": TrackerNodeConfig(),
        "forecaster": ForecasterNodeConfig(),
        "player": PlayerConfig(),
        "recorder": RecorderConfig(),
    }
    specs = [*replay_graph(arguments), player_spec(PlayArgs(bag, topics=("/vio",)))]
    assert {spec.executable for spec in specs} == set(MODULES)
    for spec in specs:
        given = {name: value for name, value in spec.parameters if name not in _OF_RCLPY}
        assert config_from_values(configs[spec.executable], given) != configs[spec.executable]


@pytest.mark.parametrize(
    ("changes", "match"),
    [
        ({"image_topic": "/front-left/image"}, "image_topic is '/front-left/image'"),
        ({"namespace": "a b"}, "namespace is 'a b'"),
        ({"params_file": "/no/such.yaml"}, "params_file is '/no/such.yaml', which is no file"),
    ],
)
def test_arguments_that_make_no_sense(changes: dict[str, Any], match: str) -> None:
    """Refused before anything starts, with what was given."""
    with pytest.raises(ConfigError, match=match):
        egocentric_graph(EgocentricArguments(**changes))


def test_two_parameter_files_are_refused() -> None:
    """--config and --params-file are one option with two names."""
    with pytest.raises(ConfigError, match="give one of them"):
        up.graph_of(up.Args(config="a.yaml", params_file="b.yaml"))


def test_a_file_that_is_not_installed_is_named() -> None:
    """A broken installation says what is missing."""
    with pytest.raises(ConfigError, match=r"config/nothing\.yaml of hand4d_ros is missing"):
        share_file("config/nothing.yaml")


def test_a_viewer_that_is_not_installed_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    """Asking for RViz where there is none says how to get it."""
    monkeypatch.setenv("AMENT_PREFIX_PATH", "")
    with pytest.raises(RosError, match=r"rviz2 is not installed: .*apt install ros-"):
        command_of(egocentric_graph(EgocentricArguments(launch_rviz=True))[0])


def test_dry_run_prints_the_commands(capsys: pytest.CaptureFixture[str]) -> None:
    """``hand4d up --dry-run`` starts nothing."""
    assert up.run(up.Args(dry_run=True, namespace="a")) == 0
    said = capsys.readouterr().out
    assert "hand4d_ros.ros.tracker_node --ros-args -r __node:=tracker -r __ns:=/a" in said


def _named_topics(text: str) -> set[str]:
    """Every topic of ours, and of ROS, that a file names."""
    return set(re.findall(r"(/hand4d/[\w/]+|/diagnostics|/tf\b)", text))


@pytest.mark.parametrize("name", ["rviz/egocentric.rviz", "config/foxglove_layout.json"])
def test_viewers_open_on_the_topics_of_the_graph(name: str) -> None:
    """Every topic in the viewers' files is published by the graph, and the hands are shown."""
    published = {f"/hand4d/tracker/{topic}" for topic in OUTPUT_TOPICS} | {"/diagnostics", "/tf"}
    published |= {f"/hand4d/forecaster/{topic}" for topic in FORECAST_TOPICS}
    named = _named_topics((ROOT / name).read_text(encoding="utf-8"))
    assert named <= published
    assert {"/hand4d/tracker/markers", "/hand4d/tracker/debug_image"} <= named


def test_viewer_files_can_be_read() -> None:
    """RViz's file is YAML with displays; each panel of Foxglove's layout has a configuration."""
    rviz = yaml.safe_load((ROOT / "rviz/egocentric.rviz").read_text(encoding="utf-8"))
    assert all(each["Enabled"] for each in rviz["Visualization Manager"]["Displays"])
    layout = json.loads((ROOT / "config/foxglove_layout.json").read_text(encoding="utf-8"))
    placed = set(re.findall(r'"([A-Za-z0-9]+![a-z]+)"', json.dumps(layout["layout"])))
    assert placed == set(layout["configById"])
