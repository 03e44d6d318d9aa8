"""Replay writes what the node would publish, for every frame, the same every time."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from replay_samples import START_NS, InputOptions, TruePipeline, stamp_ns, track_of, write_input

from hand4d_ros import wire
from hand4d_ros.errors import BagError
from hand4d_ros.replay.bags import BagReader
from hand4d_ros.replay.replayer import replay
from hand4d_ros.types import Side
from hand4d_ros.wire_sensors import drops_from_diagnostics


def test_every_frame_becomes_the_node_s_topics(tmp_path: Path) -> None:
    """Hands, wrists and transforms of each frame, stamped with its capture."""
    calls: list[tuple[int, int]] = []
    record = replay(
        write_input(tmp_path / "in.mcap"),
        tmp_path / "out.mcap",
        TruePipeline(),
        progress=lambda done, total: calls.append((done, total)),
    )
    assert (record.frames, record.published, record.drops) == (30, 30, {})
    assert calls[-1] == (30, 30)
    assert len(record.processing_ms) == len(record.stage_ms["detect"]) == 30
    with BagReader(tmp_path / "out.mcap") as bag:
        counts = {t.name: t.message_count for t in bag.topics}
        assert counts == {
            "/hand4d/tracker/hands": 30,
            "/hand4d/tracker/left/wrist": 30,
            "/hand4d/tracker/right/wrist": 30,
            "/tf": 30,
            "/diagnostics": 1,
        }
        first = next(iter(bag.messages(["/hand4d/tracker/hands"])))
        hands = wire.tracked_hands_from_array(first.message)
        wrist = next(iter(bag.messages(["/hand4d/tracker/left/wrist"]))).message
        tf = next(iter(bag.messages(["/tf"]))).message
    assert first.log_ns == hands.stamp_ns == stamp_ns(0)
    assert (hands.world_frame, hands.camera_frame, hands.model_id) == ("odom", "camera", "truth")
    assert np.isnan(hands.latency_ms)
    expected = track_of(Side.LEFT, stamp_ns(0)).hand.T_frame_wrist
    np.testing.assert_allclose(wire.matrix_from_pose(wrist.pose), expected, atol=1e-9)
    assert [t.child_frame_id for t in tf.transforms] == ["hand4d/left_wrist", "hand4d/right_wrist"]


def test_replay_is_deterministic(tmp_path: Path) -> None:
    """Two replays are the same file, byte by byte."""
    source = write_input(tmp_path / "in.mcap")
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        replay(source, tmp_path / name / "out.mcap", TruePipeline())
    one, other = (tmp_path / name / "out.mcap" for name in ("a", "b"))
    assert one.read_bytes() == other.read_bytes()


def test_drops_are_counted_and_diagnosed(tmp_path: Path) -> None:
    """A failing detector and images before the odometry cost their frames, with a reason."""
    stamps = [START_NS - 10**9, *(stamp_ns(i) for i in range(9))]
    source = write_input(tmp_path / "in.mcap", InputOptions(stamps_ns=stamps))
    record = replay(source, tmp_path / "out.mcap", TruePipeline(fail_at=(4, 5)))
    assert record.drops == {"detector_error": 2, "odometry_too_old": 1}
    # The frame without a pose is published without hands, so that tracks may go on.
    assert record.published == 8
    with BagReader(tmp_path / "out.mcap") as bag:
        (read,) = bag.messages(["/diagnostics"])
    assert drops_from_diagnostics(read.message) == dict(record.drops)


def test_failure_leaves_no_output(tmp_path: Path) -> None:
    """A bag that breaks off inside a message, or no bag, leaves nothing behind."""
    with pytest.raises(BagError, match="there is no bag"):
        replay(tmp_path / "none.mcap", tmp_path / "out.mcap", TruePipeline())
    source = write_input(tmp_path / "in.mcap", InputOptions(base="base_link"))
    with pytest.raises(BagError, match="does not join"):
        replay(source, tmp_path / "out.mcap", TruePipeline())
    assert not (tmp_path / "out.mcap").exists()


def test_truncated_bag_is_replayed_as_far_as_it_goes(tmp_path: Path) -> None:
    """A recording cut short by a crash still gives its frames, and says that it was cut."""
    whole = write_input(tmp_path / "in.mcap", InputOptions(images=80)).read_bytes()
    cut = tmp_path / "cut.mcap"
    cut.write_bytes(whole[: int(len(whole) * 0.8)])
    record = replay(cut, tmp_path / "out.mcap", TruePipeline())
    assert 20 < record.frames < 80
    assert record.published == record.frames
    assert any("is truncated" in note for note in record.notes)
