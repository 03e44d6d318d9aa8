"""The forecaster's own thread: tracked hands in, forecasts on the network out.

The callback of the node only stores what arrives. All messages become part of the past, but only
the newest is forecast from: a forecaster that is slower than the camera falls behind by one
forecast, never by a queue of them.
"""

from __future__ import annotations

import math
import threading
import time
import traceback
from collections import deque
from collections.abc import Callable
from typing import Any

import numpy as np
from builtin_interfaces.msg import Time
from visualization_msgs.msg import MarkerArray

from hand4d_ros import wire
from hand4d_ros.errors import RosError
from hand4d_ros.forecasting.base import Forecaster
from hand4d_ros.msg import HandForecastArray
from hand4d_ros.ros.announce import Announcer
from hand4d_ros.ros.convert import message_from_dict
from hand4d_ros.ros.diagnostics import Statistics
from hand4d_ros.ros.forecaster_config import ForecasterNodeConfig
from hand4d_ros.ros.forecaster_markers import forecast_markers
from hand4d_ros.types import HandForecast
from hand4d_ros.wire import TrackedHands
from hand4d_ros.wire_forecast import forecast_array, no_forecast_array

_MOST_WAITING = 100
_LATENCY_LIMIT_MS = 60_000.0


class ForecasterWorker:
    """Forecasts from the newest hands."""

    def __init__(
        self,
        forecaster: Forecaster,
        forecasts: Any,
        markers: Any,
        announcer: Announcer,
        *,
        statistics: Statistics,
        config: Callable[[], ForecasterNodeConfig],
        now_ns: Callable[[], int],
    ) -> None:
        """Prepare; nothing runs before ``start``.

        Args:
            forecaster: Of the config.
            forecasts: Publisher of ``HandForecastArray``.
            markers: Publisher of ``MarkerArray``.
            announcer: Says what goes wrong.
            statistics: Counted into.
            config: The node's config at this moment.
            now_ns: ROS time.
        """
        self._forecaster = forecaster
        self._forecasts = forecasts
        self._markers = markers
        self._announcer = announcer
        self._statistics = statistics
        self._config = config
        self._now_ns = now_ns
        self._waiting: deque[Any] = deque(maxlen=_MOST_WAITING)
        self._condition = threading.Condition()
        self._running = False
        self._thread: threading.Thread | None = None
        self._past: deque[TrackedHands] = deque()

    @property
    def model_id(self) -> str:
        """Method and weights."""
        return self._forecaster.model_id

    def put(self, message: Any) -> None:
        """Leave hands; called by the subscription.

        Args:
            message: ``HandStateArray``.
        """
        self._statistics.received.tick()
        with self._condition:
            self._waiting.append(message)
            self._condition.notify()

    def start(self) -> None:
        """Forecast as hands come."""
        self._running = True
        self._thread = threading.Thread(target=self._run, name="forecaster", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Finish the forecast at hand, forget the past and rest."""
        with self._condition:
            self._running = False
            self._condition.notify()
        if self._thread is not None:
            self._thread.join()
        self._thread = None
        self._waiting.clear()
        self._past.clear()

    def _run(self) -> None:
        while messages := self._take():
            try:
                self._work(messages)
            except Exception:  # noqa: BLE001 - whatever it is, the next hands may do.
                self._statistics.drops.add("internal_error")
                self._announcer.repeatedly("internal_error", traceback.format_exc(), "error")
            self._statistics.finished += len(messages)

    def _take(self) -> list[Any]:
        """Wait for hands; none are returned when it is time to end."""
        with self._condition:
            self._condition.wait_for(lambda: self._waiting or not self._running)
            taken = list(self._waiting) if self._running else []
            self._waiting.clear()
        return taken

    def _work(self, messages: list[Any]) -> None:
        accepted = sum(self._read(message) for message in messages)
        if accepted > 1:
            self._statistics.drops.add("overtaken", accepted - 1)
        if accepted:
            self._forecast_now()

    def _read(self, message: Any) -> bool:
        """Add a message to the past; return whether there is a new now."""
        try:
            return self._remember(wire.tracked_hands_from_array(message))
        except RosError as error:
            self._statistics.drops.add("bad_hands")
            self._announcer.repeatedly("bad_hands", f"hands are left out: {error}")
            return False

    def _remember(self, hands: TrackedHands) -> bool:
        """Add hands to the past, unless they are late."""
        config = self._config()
        last = self._past[-1] if self._past else hands
        back_s = (last.stamp_ns - hands.stamp_ns) * 1e-9
        if 0.0 <= back_s <= config.reset_after_s and self._past:
            self._statistics.drops.add("late")
            return False
        if back_s > 0.0:
            self._statistics.time_jumps += 1
            self._announcer.repeatedly(
                "time_jump", f"time jumped back by {back_s:.1f} s: the past is forgotten"
            )
        # Poses of another world say nothing of this one.
        if back_s > 0.0 or last.world_frame != hands.world_frame:
            self._past.clear()
        tracks = tuple(t for t in hands.tracks if np.isfinite(t.hand.T_frame_wrist).all())
        if len(tracks) < len(hands.tracks):
            self._statistics.drops.add("not_finite")
        self._past.append(TrackedHands(hands.stamp_ns, tracks, hands.world_frame))
        while hands.stamp_ns - self._past[0].stamp_ns > config.past_s * 1e9:
            self._past.popleft()
        return True

    def _forecast_now(self) -> None:
        statistics, now = self._statistics, self._past[-1]
        started_s = time.perf_counter()
        found = self._forecaster.forecast([hands.tracks for hands in self._past])
        forecast_s = time.perf_counter()
        message = message_from_dict(HandForecastArray, self._fields(found, now))
        generated_ns = self._now_ns()
        message.generated_at = Time(**wire.time_from_ns(generated_ns))
        self._forecasts.publish(message)
        statistics.published.tick()
        statistics.tracks = now.tracks
        statistics.stages.add("forecast", (forecast_s - started_s) * 1e3)
        statistics.stages.add("publish", (time.perf_counter() - forecast_s) * 1e3)
        statistics.stages.add("latency", self._latency_ms(generated_ns - now.stamp_ns))
        if self._config().markers and self._markers.get_subscription_count():
            fields = forecast_markers(found, now.stamp_ns, now.world_frame)
            self._markers.publish(message_from_dict(MarkerArray, fields))

    def _fields(self, found: list[HandForecast], now: TrackedHands) -> wire.Message:
        generated_ns = self._now_ns()
        if found:
            return forecast_array(found, generated_ns, now.world_frame, self.model_id)
        config = self._config().forecaster.forecast
        return no_forecast_array(now.stamp_ns, generated_ns, now.world_frame, self.model_id, config)

    def _latency_ms(self, latency_ns: int) -> float:
        latency_ms = latency_ns * 1e-6
        if 0.0 <= latency_ms <= _LATENCY_LIMIT_MS:
            return latency_ms
        self._announcer.repeatedly(
            "clock",
            f"hands are stamped {latency_ms * 1e-3:.1f} s before the node's clock: set "
            "use_sim_time when a bag is played, else synchronise the clocks",
        )
        return math.nan
