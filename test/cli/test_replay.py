"""``hand4d replay``: from a bag to a folder of results, with the real pipeline."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from replay_samples import InputOptions, write_input

from hand4d_ros.cli.main import main
from hand4d_ros.cli.replay import summary
from hand4d_ros.replay.bags import BagReader
from hand4d_ros.replay.replayer import ReplayRecord


def test_real_recording(
    real_data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The glasses' frames are replayed to both hands in the world."""
    folder = real_data / "aria_gen2"
    if not folder.is_dir():
        pytest.skip(f"no recording at {folder}")
    bag, out = tmp_path / "aria.mcap", tmp_path / "out"
    camera = ["--camera", "slam-front-right"]
    assert main(["bag-from-video", str(folder), *camera, "--out", str(bag)]) == 0
    assert main(["replay", str(bag), "--out", str(out)]) == 0
    assert "9 of 9 frames" in capsys.readouterr().out
    names = ["hands.mcap", "metrics.json", "overlay.mp4", "report.html"]
    assert sorted(p.name for p in out.iterdir()) == names
    metrics = json.loads((out / "metrics.json").read_text(encoding="utf-8"))
    for side in ("left", "right"):
        assert metrics["hands"][side]["observed_fraction"] >= 8 / 9
    assert metrics["run"]["detector"] == "mediapipe"
    with BagReader(out / "hands.mcap") as hands:
        assert hands.count("/hand4d/tracker/hands") == 9


def test_bag_without_hands(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """No hands are a result too."""
    source = write_input(tmp_path / "in.mcap", InputOptions(images=3))
    assert main(["replay", str(source), "--out", str(tmp_path / "out")]) == 0
    said = capsys.readouterr().out
    assert "left: not found" in said
    assert "right: not found" in said


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        (["none.mcap", "--out", "out"], "there is no bag at"),
        (["in.mcap", "--out", "in.mcap"], "cannot be written"),
        (["in.mcap", "--out", "out", "--image-topic", "/no"], "no topic /no that is an image"),
        (["in.mcap", "--out", "out", "--pipeline.hand-model", "none.npz"], "none.npz"),
    ],
)
def test_bad_input(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], arguments: list[str], text: str
) -> None:
    """Wrong input ends with status 2 and says what is wrong."""
    write_input(tmp_path / "in.mcap", InputOptions(images=2))
    paths = [str(tmp_path / a) if not a.startswith(("-", "/")) else a for a in arguments]
    assert main(["replay", *paths]) == 2
    assert text in capsys.readouterr().err


def test_summary() -> None:
    """The last lines say what matters."""
    record = ReplayRecord(frames=10, published=8, drops=Counter(bad_image=2))
    hand = {"observed_fraction": 0.9, "in_view_frames": 10, "wrist_error_median_m": 0.0123}
    latency = {"count": 8, "p50": 10.0, "p95": 20.0}
    text = summary(record, {"hands": {"left": {}, "right": hand}, "latency_ms": latency})
    assert text.splitlines() == [
        "8 of 10 frames gave a result (2 bad_image)",
        "left: not found",
        "right: observed in 90.0 % of 10 frames, wrist error 12.3 mm (median)",
        "10.0 ms a frame (median), 20.0 ms (p95)",
    ]
    assert np.isfinite(latency["p95"])


def test_refined_bag_without_hands(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Refining nothing is no error, and every frame has its message."""
    source = write_input(tmp_path / "in.mcap", InputOptions(images=3))
    out = tmp_path / "out"
    assert main(["replay", str(source), "--out", str(out), "--refine", "dynhamr"]) == 0
    assert "right: not found" in capsys.readouterr().out
    with BagReader(out / "hands.mcap") as hands:
        assert hands.count("/hand4d/tracker/hands") == 3
