"""Tracked hands as ``visualization_msgs/MarkerArray``, for RViz and Foxglove.

Part of ``hand4d_ros.wire``, under the same rules.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from hand4d_ros.hand.orders import OPENPOSE_BONES
from hand4d_ros.imaging import SIDE_RGB
from hand4d_ros.types import HandTrack, Side, TrackingState
from hand4d_ros.wire import Message, TrackedHands, header, time_from_ns, xyz, xyz_list

_LINE_LIST, _SPHERE_LIST, _TEXT = 5, 7, 9
_ADD, _DELETE = 0, 2
_LIFETIME_NS = 500_000_000
_ALPHA = {TrackingState.OBSERVED: 1.0, TrackingState.INFILLED: 0.6, TrackingState.PREDICTED: 0.4}


def marker_array(hands: TrackedHands) -> Message:
    """Return the markers of all tracked hands: bones, joints and a label each.

    Left hands are blue and right hands orange; hands that are not seen now are paler and say
    so; a side that is absent or lost is deleted, so that nothing stale stays on the screen.
    """
    by_side = {track.hand.side: track for track in hands.tracks}
    markers: list[Message] = []
    for side in Side:
        track = by_side.get(side)
        if track is None or track.tracking_state is TrackingState.LOST:
            markers += _deleted(hands, side)
        else:
            markers += _of_track(hands, track)
    return {"markers": markers}


def _of_track(hands: TrackedHands, track: HandTrack) -> list[Message]:
    side = track.hand.side
    color = _color(side, _ALPHA[track.tracking_state])
    keypoints_m = track.hand.keypoints_m
    bones = keypoints_m[np.array(OPENPOSE_BONES).ravel()]
    above_m = keypoints_m[0] + np.array([0.0, 0.0, 0.06])
    text = f"{side.label} {track.tracking_state.name.lower()}"
    if track.age_ns:
        text += f" {track.age_ns / 1e9:.1f} s"
    return [
        _marker(
            hands, side, 0, type=_LINE_LIST, points=xyz_list(bones), color=color, width_m=0.006
        ),
        _marker(
            hands,
            side,
            1,
            type=_SPHERE_LIST,
            points=xyz_list(keypoints_m),
            color=color,
            width_m=0.012,
        ),
        _marker(hands, side, 2, type=_TEXT, text=text, at=xyz(above_m), color=color, width_m=0.025),
    ]


def _deleted(hands: TrackedHands, side: Side) -> list[Message]:
    return [_marker(hands, side, number, action=_DELETE) for number in range(3)]


def _color(side: Side, alpha: float) -> Message:
    r, g, b = (value / 255.0 for value in SIDE_RGB[side])
    return {"r": r, "g": g, "b": b, "a": alpha}


def _marker(
    hands: TrackedHands,
    side: Side,
    number: int,
    *,
    type: int = _LINE_LIST,  # noqa: A002 - the field's name in the message.
    action: int = _ADD,
    points: list[Message] | None = None,
    text: str = "",
    at: Message | None = None,
    color: Message | None = None,
    width_m: float = 0.0,
) -> Message:
    """Return one ``visualization_msgs/Marker`` with every field of the message."""
    no_header: dict[str, Any] = header(0, "")
    return {
        "header": header(hands.stamp_ns, hands.world_frame),
        "ns": f"hand4d/{side.label}",
        "id": number,
        "type": type,
        "action": action,
        "pose": {
            "position": at or {"x": 0.0, "y": 0.0, "z": 0.0},
            "orientation": {"x": 0.0, "y": 0.0, "z": 0.0, "w": 1.0},
        },
        "scale": {"x": width_m, "y": width_m, "z": width_m},
        "color": color or _color(side, 0.0),
        "lifetime": time_from_ns(_LIFETIME_NS),
        "frame_locked": False,
        "points": points or [],
        "colors": [],
        "texture_resource": "",
        "texture": {"header": no_header, "format": "", "data": np.zeros(0, dtype=np.uint8)},
        "uv_coordinates": [],
        "text": text,
        "mesh_resource": "",
        "mesh_file": {"filename": "", "data": np.zeros(0, dtype=np.uint8)},
        "mesh_use_embedded_materials": False,
    }
