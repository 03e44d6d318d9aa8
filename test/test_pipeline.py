"""One frame in, hands in the world out, in one go or in two halves that overlap."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest
from hand_clip_samples import CAMERA, two_hands

from hand4d_ros.geometry import camera as cameras
from hand4d_ros.geometry import se3
from hand4d_ros.pipeline import HandPipeline, PipelineResult
from hand4d_ros.types import CameraModel, Frame, HandDetection, Side

_MS = 1_000_000
_START_NS = 1_000 * _MS
_IMAGE = np.zeros((480, 640, 3), np.uint8)


class _TrueDetector:
    """Projects true keypoints, one frame after the other."""

    def __init__(self, frames: int) -> None:
        self._px = iter(cameras.project(CAMERA, two_hands(frames)))

    def detect(self, frame: Frame) -> list[HandDetection]:
        del frame
        left, right = next(self._px)
        full = np.full(21, 0.9)
        return [
            HandDetection(Side.LEFT, 0.9, left, full),
            HandDetection(Side.RIGHT, 0.9, right, full),
        ]

    def warm_up(self, camera: CameraModel) -> None:
        del camera

    def close(self) -> None:
        pass


def _frames(count: int) -> Iterator[Frame]:
    for index in range(count):
        T_world_camera = se3.from_rotation_translation(np.eye(3), np.array([0.01 * index, 0, 0]))
        yield Frame(_START_NS + index * 33 * _MS, _IMAGE, CAMERA, T_world_camera)


def _numbers(results: list[PipelineResult]) -> list[tuple[int, list[list[float]]]]:
    return [(r.stamp_ns, [t.hand.keypoints_m.ravel().tolist() for t in r.tracks]) for r in results]


def test_looking_ahead_changes_nothing() -> None:
    """The next frame may be looked at before this one is concluded: the numbers are the same."""
    whole = HandPipeline(detector=_TrueDetector(8))
    one_by_one = [whole.step(frame) for frame in _frames(8)]
    halves = HandPipeline(detector=_TrueDetector(8))
    looks = [halves.look(frame) for frame in _frames(8)]
    ahead = [halves.conclude(look) for look in looks]
    assert _numbers(ahead) == _numbers(one_by_one)
    assert all(len(result.tracks) == 2 for result in ahead)
    assert set(ahead[-1].stage_ms) == {"detect", "estimate", "track"}


@pytest.mark.parametrize(("offset_ms", "reason"), [(0, "repeated_stamp"), (-20, "out_of_order")])
def test_stamps_are_judged_when_a_frame_is_looked_at(offset_ms: int, reason: str) -> None:
    """A stamp that is not new is refused even where the frame before it is not concluded yet."""
    pipeline = HandPipeline(detector=_TrueDetector(4))
    first, second = _frames(2)
    pipeline.look(first)
    look = pipeline.look(second)
    again = Frame(second.stamp_ns + offset_ms * _MS, _IMAGE, CAMERA, np.eye(4))
    refused = pipeline.look(again)
    assert pipeline.conclude(look).dropped == ()
    assert pipeline.conclude(refused).dropped == (reason,)
    assert not pipeline.conclude(refused).tracks


def test_a_jump_of_the_camera_starts_anew() -> None:
    """Tracks end where the caller says that the world is another one."""
    pipeline = HandPipeline(detector=_TrueDetector(4))
    first, second = _frames(2)
    before = {t.track_id for t in pipeline.conclude(pipeline.look(first)).tracks}
    after = {t.track_id for t in pipeline.conclude(pipeline.look(second, anew=True)).tracks}
    assert len(before) == len(after) == 2
    assert not before & after
