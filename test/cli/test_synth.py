"""``hand4d synth``: a small bag with truth, the same for the same seed."""

from __future__ import annotations

from pathlib import Path

import pytest

from hand4d_ros.cli.main import main
from hand4d_ros.replay.bags import BagReader
from hand4d_ros.replay.inputs import TRUTH_TOPIC

SMALL = ("--camera.width-px", "160", "--camera.height-px", "120", "--seconds", "0.1", "--seed", "3")
TOPICS = {"/camera/image_raw/compressed", "/camera/camera_info", "/odom", TRUTH_TOPIC}


def contents(bag: Path) -> list[tuple[str, int, bytes]]:
    """Return topic, stamp and data of every message."""
    with BagReader(bag) as reader:
        return [(topic, log_ns, bytes(data)) for topic, _, log_ns, data in reader.serialized()]


def test_a_bag_with_truth_twice(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Options of the scene need no prefix; three frames, all topics, the same again."""
    bags = [tmp_path / name for name in ("a.mcap", "b.mcap")]
    for bag in bags:
        assert main(["synth", *SMALL, "--out", str(bag)]) == 0
    first, second = (contents(bag) for bag in bags)
    assert first == second
    topics = [topic for topic, *_ in first]
    assert set(topics) >= TOPICS
    assert topics.count(TRUTH_TOPIC) == 3
    assert "truth on /truth/hands" in capsys.readouterr().out


def test_mistakes(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """An unknown activity is answered with those that there are."""
    arguments = ["synth", "--activities", "right:juggle", "--out", str(tmp_path / "a.mcap")]
    assert main(arguments) == 2
    assert "hold_and_act" in capsys.readouterr().err
