"""What the tracker counted in, the fields of its ``diagnostic_msgs/DiagnosticArray`` out."""

from __future__ import annotations

import math
import time
from collections.abc import Mapping
from dataclasses import dataclass

from hand4d_ros import wire
from hand4d_ros.ros.mailbox import DropCounter
from hand4d_ros.ros.meters import LatencyBook, RateMeter
from hand4d_ros.types import HandTrack, Side
from hand4d_ros.wire_sensors import DROP_KEY_PREFIX

OK, WARN, ERROR = 0, 1, 2
"""Levels of ``diagnostic_msgs/DiagnosticStatus``."""

_SILENT_S = 2.0


@dataclass
class Statistics:
    """What the tracker's worker counts."""

    drops: DropCounter
    stages: LatencyBook
    received: RateMeter
    published: RateMeter
    tracks: tuple[HandTrack, ...] = ()
    """Of the last image."""
    rebuilt: int = 0
    """How often the pipeline was built again after failures."""
    failures: int = 0
    """Failures of the pipeline in a row until now."""
    last_failure: str = ""
    time_jumps: int = 0
    finished: int = 0
    """Images that were taken and dealt with, whether published or dropped."""

    @classmethod
    def fresh(cls) -> Statistics:
        """Return counts of nothing."""
        clock_s = time.monotonic
        return cls(DropCounter(), LatencyBook(), RateMeter(clock_s), RateMeter(clock_s))


@dataclass(frozen=True)
class Snapshot:
    """What else the diagnostics say, at one moment."""

    stamp_ns: int
    state: str
    """Of the lifecycle: unconfigured, inactive, active or finalized."""
    engine: str
    """Estimator and weights; empty while there is no pipeline."""
    image_topic: str
    odometry_age_ns: int
    odometry_events: Mapping[str, int]


def diagnostic_array(node: str, statistics: Statistics, now: Snapshot) -> wire.Message:
    """Return the fields of a ``diagnostic_msgs/DiagnosticArray`` with two statuses.

    Args:
        node: Full name of the node, without the leading slash.
        statistics: What was counted.
        now: What else there is to say.
    """
    frames = _frames_status(f"{node}: frames", statistics, now)
    hands = _hands_status(f"{node}: hands", statistics, now)
    return {"header": wire.header(now.stamp_ns, ""), "status": [frames, hands]}


def _frames_status(name: str, statistics: Statistics, now: Snapshot) -> wire.Message:
    received, published = statistics.received, statistics.published
    values: dict[str, object] = {
        "state": now.state,
        "engine": now.engine,
        "received": received.total,
        "received_hz": f"{received.rate_hz:.1f}",
        "published": published.total,
        "published_hz": f"{published.rate_hz:.1f}",
        "finished": statistics.finished,
        "dropped": statistics.drops.total,
    }
    drops = statistics.drops.snapshot()
    values |= {f"{DROP_KEY_PREFIX}{reason}": count for reason, count in drops.items()}
    values |= {f"odometry.{event}": count for event, count in now.odometry_events.items()}
    values["odometry_age_ms"] = f"{now.odometry_age_ns * 1e-6:.1f}"
    values["time_jumps"] = statistics.time_jumps
    for stage in statistics.stages.stages():
        spread = statistics.stages.percentiles(stage)
        for label in ("p50", "p95", "p99"):
            values[f"{stage}_ms.{label}"] = f"{getattr(spread, f'{label}_ms'):.2f}"
    level, text = _judge_frames(statistics, now, drops)
    return _status(level, name, text, values)


def _judge_frames(
    statistics: Statistics, now: Snapshot, drops: Mapping[str, int]
) -> tuple[int, str]:
    if now.state != "active":
        return OK, f"the node is {now.state}"
    silent_s = statistics.received.age_s
    if math.isinf(silent_s):
        return WARN, f"no image on {now.image_topic} yet"
    if silent_s > _SILENT_S:
        return WARN, f"no image on {now.image_topic} for {silent_s:.1f} s"
    if statistics.failures or not now.engine:
        return ERROR, f"the pipeline fails: {statistics.last_failure}"
    if statistics.published.age_s > _SILENT_S:
        most = max(drops, key=lambda reason: drops[reason], default="none")
        return ERROR, f"images come, but all are dropped; the most frequent reason is {most}"
    return OK, f"{statistics.published.rate_hz:.1f} of {statistics.received.rate_hz:.1f} images/s"


def _hands_status(name: str, statistics: Statistics, now: Snapshot) -> wire.Message:
    values: dict[str, object] = {"hands": len(statistics.tracks), "rebuilt": statistics.rebuilt}
    by_side = {track.hand.side: track for track in statistics.tracks}
    for side in Side:
        track = by_side.get(side)
        values[side.label] = "absent" if track is None else track.tracking_state.name.lower()
        if track is not None:
            values[f"{side.label}.track_id"] = track.track_id
            values[f"{side.label}.presence"] = f"{track.presence:.2f}"
            values[f"{side.label}.age_s"] = f"{track.age_ns * 1e-9:.2f}"
    text = ", ".join(f"{side.label} {values[side.label]}" for side in Side)
    return _status(OK, name, text if now.state == "active" else now.state, values)


def _status(level: int, name: str, text: str, values: Mapping[str, object]) -> wire.Message:
    return {
        "level": level,
        "name": name,
        "message": text,
        "hardware_id": "hand4d_ros",
        "values": [{"key": key, "value": str(value)} for key, value in values.items()],
    }
