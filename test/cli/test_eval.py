"""``hand4d eval``: a recording to figures, files and an exit status."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from replay_samples import InputOptions, write_input, write_output

from hand4d_ros.cli import eval_live
from hand4d_ros.cli.main import main
from hand4d_ros.estimation.keypoint_fit.config import KeypointFitConfig
from hand4d_ros.evaluation.tum import read_tum
from hand4d_ros.pipeline import PipelineConfig


@pytest.fixture
def recording(tmp_path: Path) -> tuple[Path, Path]:
    """Return a recording with a truth, and hands that are 2 cm off."""
    bag = write_input(tmp_path / "in.mcap", InputOptions(images=30, truth=True))
    return bag, write_output(tmp_path / "hands.mcap", shift_m=0.02)


def evaluated(bag: Path, hands: Path, out: Path, *options: str) -> int:
    """Run the command on recorded hands."""
    return main(["eval", str(bag), "--hands", str(hands), "--out", str(out), *options])


def test_files_and_figures(
    recording: tuple[Path, Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The table, the JSON, the paths for evo and the pictures."""
    out = tmp_path / "out"
    assert evaluated(*recording, out) == 0
    document = json.loads((out / "eval.json").read_text(encoding="utf-8"))
    assert document["truth"] == ["left: in.mcap:/truth/hands", "right: in.mcap:/truth/hands"]
    right = document["readings"]["recorded"]["hands"]["right"]
    assert right["mpjpe_mm"] == pytest.approx(20.0, abs=0.01)
    assert right["wrist_error_median_m"] == pytest.approx(0.02, abs=1e-5)
    stamps_ns, T = read_tum(out / "right_wrist.tum")
    assert len(stamps_ns) == len(T) == 30
    assert (out / "truth_left_wrist.tum").is_file()
    assert (out / "worst_1.png").is_file()
    said = capsys.readouterr().out
    assert "recorded right" in said
    assert "mpjpe_mm" in said


def test_thresholds_decide_the_exit_status(
    recording: tuple[Path, Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Limits that hold are 0, one that does not is 1, a bad file is 2 before anything runs."""
    limits = tmp_path / "limits.yaml"
    limits.write_text("mpjpe_mm: {max: 25}\nright.observed_fraction: {min: 0.9}\n")
    assert evaluated(*recording, tmp_path / "a", "--thresholds", str(limits)) == 0
    limits.write_text("mpjpe_mm: {max: 15}\n")
    assert evaluated(*recording, tmp_path / "b", "--thresholds", str(limits)) == 1
    assert "FAIL  recorded both mpjpe_mm: 20" in capsys.readouterr().out
    limits.write_text("mpjpe_mm: 15\n")
    assert evaluated(*recording, tmp_path / "c", "--thresholds", str(limits)) == 2
    assert not (tmp_path / "c").exists()
    assert "is no limit" in capsys.readouterr().err


def test_no_truth(
    recording: tuple[Path, Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Figures of self-consistency alone, and a word about it."""
    assert evaluated(*recording, tmp_path / "out", "--truth", "none") == 0
    said = capsys.readouterr().out
    assert "no truth: figures of self-consistency only" in said
    assert "bone_variation_pct" in said
    assert "mpjpe_mm" not in said


def test_offline(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Without recorded hands the pipeline runs; images without hands are a result too."""
    bag = write_input(tmp_path / "in.mcap", InputOptions(images=3, truth=True))
    assert main(["eval", str(bag), "--out", str(tmp_path / "out")]) == 0
    document = json.loads((tmp_path / "out" / "eval.json").read_text(encoding="utf-8"))
    offline = document["readings"]["offline"]
    assert offline["processed"] == 3
    assert offline["hands"]["both"]["observed_fraction"] == 0.0
    assert (tmp_path / "out" / "hands.mcap").is_file()
    assert "offline both" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("options", "text"),
    [
        (["--truth", "nonsense"], "is no source"),
        (["--truth", "/no"], "has no topic /no"),
        (["--hands", "/no"], "/no"),
    ],
)
def test_mistakes(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], options: list[str], text: str
) -> None:
    """Every mistake is one line and status 2."""
    bag = write_input(tmp_path / "in.mcap", InputOptions(images=2))
    assert main(["eval", str(bag), "--out", str(tmp_path / "out"), *options]) == 2
    assert text in capsys.readouterr().err


def test_live_and_offline_have_one_pipeline(tmp_path: Path) -> None:
    """The tracker of a live reading gets every setting of the offline pipeline."""
    bag = write_input(tmp_path / "in.mcap", InputOptions(images=2))
    config = PipelineConfig(keypoint_fit=KeypointFitConfig(hand_length_m=0.17))
    specs = eval_live.live_graph(bag, tmp_path / "live.mcap", config)
    assert [spec.name for spec in specs] == ["tracker", "recorder", "player"]
    parameters = dict(specs[0].parameters)
    assert parameters["keypoint_fit.hand_length_m"] == 0.17
    assert parameters["tracker.smoothing"] == "none"
    assert dict(specs[2].parameters)["rate"] == 1.0
