"""A synthetic scene into a bag: camera, odometry with its faults, and the truth."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np

from hand4d_ros import wire, wire_sensors
from hand4d_ros.replay.bags import BagWriter
from hand4d_ros.replay.inputs import HANDS_TYPE, ODOMETRY_TYPE, TRUTH_TOPIC
from hand4d_ros.replay.media_bag import ODOMETRY_TOPIC, MediaBagOptions, camera_messages
from hand4d_ros.synthetic.film import Film, Shot
from hand4d_ros.synthetic.render import Renderer
from hand4d_ros.synthetic.scene import Scene
from hand4d_ros.types import HandTrack, Side, TrackingState
from hand4d_ros.wire import Message, TrackedHands

_Timed = tuple[int, str, str, Message]
"""Log time (ns), topic, type and content."""


def write_scene_bag(
    scene: Scene,
    out: Path,
    options: MediaBagOptions | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> None:
    """Render a scene and write what a robot would have recorded, and what was true.

    Odometry is logged when it would have arrived, so its latency is in the bag. The truth is a
    ``HandStateArray`` on ``/truth/hands``; ``presence`` is the share of keypoints that can be
    seen, ``keypoint_confidence`` is 1 for each of them, ``camera_pose`` is the true one.

    Args:
        scene: What to render.
        out: Bag; ``.mcap`` for one file.
        options: How pictures are stored.
        progress: Called with the number of pictures done and of all.

    Raises:
        BagError: The bag cannot be written.
    """
    options = options or MediaBagOptions()
    odometry = _odometry(scene)
    waiting = next(odometry, None)
    film = Film(scene, Renderer())
    total = scene.config.frames
    with BagWriter(out) as bag:
        for done, shot in enumerate(film.shots(), 1):
            now_ns = shot.frame.stamp_ns
            while waiting is not None and (waiting[0] <= now_ns or done == total):
                bag.write(*waiting[1:], waiting[0])
                waiting = next(odometry, None)
            pictured = replace(shot.frame, T_world_camera=None)
            for topic, msgtype, message in camera_messages(pictured, options):
                bag.write(topic, msgtype, message, now_ns)
            bag.write(TRUTH_TOPIC, HANDS_TYPE, wire.hand_state_array(_truth(shot)), now_ns)
            if progress is not None:
                progress(done, total)


def _odometry(scene: Scene) -> Iterator[_Timed]:
    """Yield odometry in the order of its arrival."""
    record, start_ns = scene.odometry(), scene.config.start_ns
    for row in record.arrival_s.argsort(kind="stable"):
        message = wire_sensors.odometry(
            record.T_odom_base[row], start_ns + round(record.t_s[row] * 1e9), "world", "camera"
        )
        log_ns = start_ns + round(record.arrival_s[row] * 1e9)
        yield log_ns, ODOMETRY_TOPIC, ODOMETRY_TYPE, message


def _truth(shot: Shot) -> TrackedHands:
    tracks = tuple(_track(shot, side) for side in shot.truth.hands)
    return TrackedHands(
        stamp_ns=shot.frame.stamp_ns,
        tracks=tracks,
        world_frame=shot.frame.world_frame,
        camera_frame=shot.frame.camera_frame,
        T_world_camera=shot.truth.T_world_camera,
        model_id="truth",
    )


def _track(shot: Shot, side: Side) -> HandTrack:
    hand = shot.truth.hands[side].world
    unknown = np.full(3, math.nan)
    return HandTrack(
        stamp_ns=shot.frame.stamp_ns,
        track_id=f"{side.label}-truth",
        tracking_state=TrackingState.OBSERVED,
        age_ns=0,
        presence=shot.visible_share(side),
        hand=replace(hand, keypoint_confidence=shot.visible[side].astype(float)),
        linear_velocity_m_s=unknown,
        angular_velocity_rad_s=unknown,
    )
