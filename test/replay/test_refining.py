"""Refined replay: every frame once and in order, infilled hands marked, memory bounded."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from types import SimpleNamespace

import numpy as np
from replay_samples import InputOptions, track_of, write_input

from hand4d_ros.errors import DetectionError
from hand4d_ros.replay.bags import BagReader
from hand4d_ros.replay.inputs import HANDS_TOPIC
from hand4d_ros.replay.refining import refine
from hand4d_ros.types import (
    CameraModel,
    Frame,
    HandDetection,
    HandTrack,
    Side,
    TrackingState,
)


@dataclass
class FakeDetector:
    """Finds one hand, but for one image on which it fails."""

    fails_at: int = -1
    seen: int = 0

    def detect(self, frame: Frame) -> list[HandDetection]:
        """Return one hand in the middle."""
        self.seen += 1
        if self.seen - 1 == self.fails_at:
            raise DetectionError("no luck")
        px = np.tile([frame.camera.cx_px, frame.camera.cy_px], (21, 1))
        return [HandDetection(Side.RIGHT, 0.9, px, np.ones(21))]

    def warm_up(self, camera: CameraModel) -> None:
        """Nothing is slow."""

    def close(self) -> None:
        """Nothing is held."""


@dataclass
class InPairs:
    """A refiner that solves two frames at once; the second of each is infilled."""

    kept: list[Frame] = field(default_factory=list)
    most: int = 0
    model_id: str = "pairs"

    def push(self, frame: Frame, detections: Sequence[HandDetection]) -> list[SimpleNamespace]:
        """Keep a frame until there are two."""
        assert len(detections) == 1
        self.kept.append(frame)
        self.most = max(self.most, len(self.kept))
        return self.finish() if len(self.kept) == 2 else []

    def finish(self) -> list[SimpleNamespace]:
        """Return what is kept."""
        states = (TrackingState.OBSERVED, TrackingState.INFILLED)
        done = [
            SimpleNamespace(frame=f, tracks=(self._track(f.stamp_ns, state),))
            for f, state in zip(self.kept, states, strict=False)
        ]
        self.kept = []
        return done

    def _track(self, stamp_ns: int, state: TrackingState) -> HandTrack:
        return replace(track_of(Side.RIGHT, stamp_ns), tracking_state=state)


def test_every_frame_is_written_once_in_order(tmp_path: Path) -> None:
    """Also those that the refiner gives back at the end, and infilled hands say so."""
    source = write_input(tmp_path / "in.mcap", InputOptions(images=7))
    calls: list[tuple[int, int]] = []
    refiner = InPairs()
    record = refine(
        *(source, tmp_path / "out.mcap", FakeDetector(), refiner, "builtin"),
        progress=lambda done, total: calls.append((done, total)),
    )
    assert record.model_id == "pairs"
    assert (record.frames, record.published) == (7, 7)
    assert refiner.most == 2
    assert calls == [(i + 1, 7) for i in range(7)]
    with BagReader(tmp_path / "out.mcap") as bag:
        messages = [m.message for m in bag.messages([HANDS_TOPIC])]
    assert [int(m.hands[0].tracking_state) for m in messages] == [1, 2, 1, 2, 1, 2, 1]
    stamps = [m.header.stamp.sec * 10**9 + m.header.stamp.nanosec for m in messages]
    assert stamps == sorted(set(stamps))


def test_a_failing_detector_costs_its_frame_only(tmp_path: Path) -> None:
    """It is counted."""
    source = write_input(tmp_path / "in.mcap", InputOptions(images=5))
    detector = FakeDetector(fails_at=2)
    record = refine(source, tmp_path / "out.mcap", detector, InPairs(), "builtin")
    assert record.drops == {"detector_error": 1}
    assert record.published == 4
