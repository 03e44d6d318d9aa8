"""Truth from topics, TUM files and datasets, and clear words where there is none."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from replay_samples import InputOptions, stamp_ns, track_of, write_input, write_output

from hand4d_ros.errors import BagError, DatasetError, MetricError
from hand4d_ros.evaluation.tum import write_tum
from hand4d_ros.replay.eval_truth import read_truth
from hand4d_ros.types import Side


@pytest.fixture
def bag(tmp_path: Path) -> Path:
    """Return a recording with a truth."""
    return write_input(tmp_path / "in.mcap", InputOptions(images=6, truth=True))


def test_the_recordings_own_truth(bag: Path) -> None:
    """/truth/hands is taken where it is, and not where it is not wanted."""
    tracks = read_truth([], bag)
    assert [track.side for track in tracks] == [Side.LEFT, Side.RIGHT]
    right = tracks[1]
    assert right.stamps_ns.tolist() == [stamp_ns(i) for i in range(6)]
    assert right.keypoints_m is not None
    expected = track_of(Side.RIGHT, stamp_ns(2)).hand.keypoints_m
    assert np.allclose(right.keypoints_m[2], expected, atol=1e-6)
    assert right.visible is not None
    assert right.visible.all()
    assert read_truth(["none"], bag) == []
    assert len(read_truth(["/truth/hands"], bag)) == 2


def test_no_truth_in_the_recording(tmp_path: Path) -> None:
    """Without the topic and without a wish there is none."""
    assert read_truth([], write_input(tmp_path / "in.mcap", InputOptions(images=2))) == []


def test_another_bag(bag: Path, tmp_path: Path) -> None:
    """Hands of another bag, by topic or as its only ones; lost hands are not known."""
    other = write_output(tmp_path / "other.mcap")
    for source in (str(other), f"{other}:/hand4d/tracker/hands"):
        left, right = read_truth([source], bag)
        assert len(left.stamps_ns) == 20
        assert len(right.stamps_ns) == 30


def test_wrists_from_tum_files(bag: Path, tmp_path: Path) -> None:
    """A path is read with its pose and nothing else."""
    T = np.tile(np.eye(4), (3, 1, 1))
    T[:, 0, 3] = [0.0, 0.1, 0.2]
    path = tmp_path / "wrist.tum"
    write_tum(path, np.array([stamp_ns(i) for i in range(3)]), T)
    (track,) = read_truth([f"left:{path}"], bag)
    assert track.side is Side.LEFT
    assert track.keypoints_m is None
    assert track.T_world_wrist is not None
    assert np.allclose(track.T_world_wrist, T)


def test_a_dataset(bag: Path, real_data: Path) -> None:
    """A sequence's hands are whole: keypoints that it lacks are those of the model."""
    if not (real_data / "aria_gen2").is_dir():
        pytest.skip(f"no aria_gen2 in {real_data}")
    tracks = read_truth([f"real:{real_data}:aria_gen2"], bag)
    assert len(tracks) == 2
    for track in tracks:
        assert track.keypoints_m is not None
        assert np.isfinite(track.keypoints_m).all()
    with pytest.raises(MetricError, match="which sequence of real"):
        read_truth([f"real:{real_data}"], bag)


@pytest.mark.parametrize(
    ("source", "error", "text"),
    [
        ("/other/hands", BagError, "has no topic /other/hands"),
        ("wrist.tum", MetricError, "left:wrist.tum or right:wrist.tum"),
        ("right:none.tum", MetricError, "cannot be read"),
        ("nonsense", MetricError, "give a topic"),
        ("none.mcap", BagError, "none.mcap"),
        ("real:nowhere:aria_gen2", DatasetError, "aria_gen2"),
    ],
)
def test_sources_that_are_none(bag: Path, source: str, error: type[Exception], text: str) -> None:
    """Each mistake is answered with what is meant."""
    with pytest.raises(error, match=text):
        read_truth([source], bag)
