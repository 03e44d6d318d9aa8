"""The forecaster node over DDS: hands in, forecasts out, and what makes it forget."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import rclpy
from bench_samples import moving_hand, stamps
from diagnostic_msgs.msg import DiagnosticArray
from rclpy.context import Context
from rclpy.lifecycle import TransitionCallbackReturn
from ros_harness import PARAMETER
from typing_extensions import Self
from visualization_msgs.msg import MarkerArray

from hand4d_ros import wire
from hand4d_ros.errors import ConfigError
from hand4d_ros.evaluation.motions import tracks_from_motions
from hand4d_ros.msg import HandForecastArray, HandStateArray
from hand4d_ros.ros import compat
from hand4d_ros.ros.convert import message_from_dict
from hand4d_ros.ros.forecaster_node import ForecasterNode
from hand4d_ros.ros.qos import reliable_qos
from hand4d_ros.ros.spin import Spinner
from hand4d_ros.types import HandTrack, Side, TrackingState
from hand4d_ros.wire_forecast import forecasts_from_array

pytestmark = pytest.mark.usefixtures("ros_domain")

LIMIT_S = 20.0
MOTION = moving_hand(frames=60)
TRACKS = tracks_from_motions(stamps(60), (MOTION,))


class Rig:
    """The forecaster, and a peer that plays tracker and planner."""

    def __init__(self, **parameters: Any) -> None:
        """Start both."""
        self.context = Context()
        rclpy.init(context=self.context)
        self.peer: Any = compat.Node("peer", namespace="hand4d", context=self.context)
        overrides = [PARAMETER(name, value=value) for name, value in parameters.items()]
        try:
            self.node = ForecasterNode(context=self.context, parameter_overrides=overrides)
        except BaseException:
            self._destroy_peer()
            raise
        self.forecasts: list[HandForecastArray] = []
        self.diagnostics: list[DiagnosticArray] = []
        self.hands = self.peer.create_publisher(HandStateArray, "tracker/hands", reliable_qos())
        self.listen(HandForecastArray, "forecaster/forecast", self.forecasts)
        self.listen(DiagnosticArray, "/diagnostics", self.diagnostics)
        self.spinner = Spinner(context=self.context)
        self.spinner.add_node(self.peer)
        self.spinner.add_node(self.node)
        self.spinner.start()
        self.node.start()
        self.wait(self.hands.get_subscription_count)
        self.wait(lambda: self.peer.count_publishers("/hand4d/forecaster/forecast"))

    def __enter__(self) -> Self:
        """Return the running rig."""
        return self

    def __exit__(self, *_: object) -> None:
        """Shut everything down."""
        self.spinner.stop()
        self.node.close()
        self.node.destroy_node()
        self._destroy_peer()

    def _destroy_peer(self) -> None:
        self.peer.destroy_node()
        rclpy.shutdown(context=self.context)

    def listen(self, cls: Any, topic: str, into: list[Any]) -> None:
        """Collect the messages of a topic."""
        self.peer.create_subscription(cls, topic, into.append, reliable_qos(100))

    def wait(self, condition: Callable[[], Any]) -> None:
        """Wait for something to become true, or fail."""
        deadline_s = time.monotonic() + LIMIT_S
        while not condition():
            assert time.monotonic() < deadline_s, f"waited {LIMIT_S} s in vain"
            time.sleep(0.005)

    def send(self, stamp_ns: int, tracks: Sequence[HandTrack]) -> None:
        """Publish the hands of one instant and wait until they were dealt with."""
        before = self.node._statistics.finished
        hands = wire.TrackedHands(stamp_ns, tuple(tracks), "odom")
        self.hands.publish(message_from_dict(HandStateArray, wire.hand_state_array(hands)))
        self.wait(lambda: self.node._statistics.finished > before)

    def send_rows(self, rows: range) -> HandForecastArray:
        """Publish some instants of the moving hand and return the forecast of the last."""
        for row in rows:
            self.send(int(stamps(60)[row]), TRACKS[row])
        newest = wire.time_from_ns(int(stamps(60)[rows[-1]]))
        self.wait(lambda: self.forecasts and _stamp(self.forecasts[-1]) == newest)
        return self.forecasts[-1]


def _stamp(message: Any) -> wire.Message:
    stamp = message.header.stamp
    return {"sec": stamp.sec, "nanosec": stamp.nanosec}


@pytest.fixture
def rig() -> Iterator[Rig]:
    """A forecaster with the steps of the samples."""
    with Rig(horizon_s=0.6) as running:
        yield running


def test_a_moving_hand(rig: Rig) -> None:
    """It is forecast where it then is, at the stamp of its image, and later than that."""
    message = rig.send_rows(range(20))
    assert message.header.frame_id == "odom"
    assert message.model_id == "kinematic-1+conformal"
    assert wire.ns_from_time(message.generated_at) > wire.ns_from_time(message.header.stamp)
    (found,) = forecasts_from_array(message)
    assert (found.side, found.track_id) == (Side.RIGHT, "right-1")
    (mode,) = found.modes
    assert len(mode.radius_m) == 18
    assert np.allclose(mode.T_world_wrist, MOTION.T_world_wrist[20:38], atol=1e-4)
    pose = found.at(int(stamps(60)[25]))[0]
    assert np.allclose(pose.T_world_wrist, MOTION.T_world_wrist[25], atol=1e-4)


def test_a_lost_hand_has_no_future(rig: Rig) -> None:
    """Neither a hand that is lost nor none at all; both are said, with the steps as ever."""
    rig.send_rows(range(5))
    lost = [replace(track, tracking_state=TrackingState.LOST) for track in TRACKS[5]]
    rig.send(int(stamps(60)[5]), lost)
    rig.send(int(stamps(60)[6]), [])
    rig.wait(lambda: len(rig.forecasts) == 7)
    assert [len(message.hands) for message in rig.forecasts] == [1] * 5 + [0] * 2
    assert len({message.horizon.nanosec for message in rig.forecasts}) == 1


def test_a_jump_back_in_time_forgets_the_past(rig: Rig) -> None:
    """After it the hand has no velocity yet; what is a little late is left out."""
    rig.send_rows(range(30, 50))
    rig.send(int(stamps(60)[48]), TRACKS[48])
    assert rig.node._statistics.drops.snapshot() == {"late": 1}
    (found,) = forecasts_from_array(rig.send_rows(range(1)))
    (mode,) = found.modes
    assert np.allclose(mode.T_world_wrist, MOTION.T_world_wrist[0], atol=1e-6)
    assert rig.node._statistics.time_jumps == 1


def test_markers_only_for_someone(rig: Rig) -> None:
    """They appear with their first subscriber: a path and spheres for each mode."""
    rig.send_rows(range(3))
    markers: list[MarkerArray] = []
    rig.listen(MarkerArray, "forecaster/markers", markers)
    worker = rig.node._worker
    assert worker is not None
    rig.wait(worker._markers.get_subscription_count)
    rig.send_rows(range(3, 4))
    rig.wait(lambda: markers)
    assert len(markers) == 1
    clear, path, *spheres = markers[0].markers
    assert clear.action == 3
    assert (path.ns, len(path.points)) == ("hand4d/right/forecast/0", 18)
    widths = [sphere.scale.x for sphere in spheres]
    assert len(widths) == 8
    assert widths == sorted(widths)


def test_diagnostics(rig: Rig) -> None:
    """They name the topic that is silent, then rates, latency and what was left out."""
    rig.wait(lambda: rig.diagnostics)
    assert rig.diagnostics[-1].status[0].message == "no hands on /hand4d/tracker/hands yet"
    rig.send_rows(range(4))
    rig.diagnostics.clear()
    rig.wait(lambda: rig.diagnostics)
    (status,) = rig.diagnostics[-1].status
    values = {pair.key: pair.value for pair in status.values}
    assert status.name == "hand4d/forecaster: forecasts"
    assert (values["received"], values["published"], values["hands"]) == ("4", "4", "1")
    assert float(values["forecast_ms.p50"]) > 0.0


def test_life_cycle(rig: Rig) -> None:
    """Deactivated it says nothing and forgets; it can be configured anew, with other settings."""
    rig.send_rows(range(10))
    rig.node.trigger_deactivate()
    rig.wait(lambda: not rig.hands.get_subscription_count())
    refused = rig.node.set_parameters([PARAMETER("method", value="static")])
    assert "cannot change while the node is configured" in refused[0].reason
    rig.node.trigger_cleanup()
    assert rig.node.set_parameters([PARAMETER("method", value="static")])[0].successful
    rig.node.bring_up()
    rig.wait(rig.hands.get_subscription_count)
    assert rig.send_rows(range(10, 20)).model_id == "kinematic-0+conformal"


@pytest.mark.parametrize(
    ("parameters", "match"),
    [
        ({"method": "oracle"}, "method is 'oracle', but must be one of static"),
        ({"horizon_s": -1.0}, "horizon_s is -1"),
        ({"horizn_s": 1.0}, "did you mean horizon_s"),
        ({"step_s": 0.5, "horizon_s": 0.1}, "at least one step"),
    ],
)
def test_bad_parameters_are_refused(parameters: dict[str, Any], match: str) -> None:
    """At the start, with what was given and what is allowed."""
    with pytest.raises(ConfigError, match=match):
        Rig(**parameters)


def test_a_horizon_beyond_the_calibration_fails_the_configuration() -> None:
    """The node says so and can be configured with a shorter one."""
    context = Context()
    rclpy.init(context=context)
    overrides = [PARAMETER("horizon_s", value=9.0), PARAMETER("autostart", value=False)]
    node = ForecasterNode(context=context, parameter_overrides=overrides)
    try:
        assert node.trigger_configure() != TransitionCallbackReturn.SUCCESS
        node.set_parameters([PARAMETER("horizon_s", value=1.0)])
        assert node.trigger_configure() == TransitionCallbackReturn.SUCCESS
    finally:
        node.close()
        node.destroy_node()
        rclpy.shutdown(context=context)
