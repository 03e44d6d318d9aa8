"""``hand4d bench``: what it runs, writes and says."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

import pytest

from hand4d_ros.cli.main import main
from hand4d_ros.evaluation.methods import chosen_names
from hand4d_ros.evaluation.scoring import ClipFigures, Figure
from hand4d_ros.evaluation.suites import registry
from hand4d_ros.evaluation.suites.base import MethodResult, Progress, SuiteOptions, SuiteResult

RUNS: list[tuple[str, tuple[str, ...], SuiteOptions]] = []


@pytest.fixture(autouse=True)
def _canned(monkeypatch: pytest.MonkeyPatch) -> None:
    """Answer every suite at once with made-up figures, after the usual checks."""
    RUNS.clear()

    def run(
        name: str, methods: Sequence[str], options: SuiteOptions, progress: Progress
    ) -> SuiteResult:
        registry.suite_entry(name)
        names = chosen_names(name, methods)
        RUNS.append((name, names, options))
        progress(1, 1)
        figures = ClipFigures("a", 5, {"pa_mpjpe_mm": Figure(4.0, 5)})
        made = [MethodResult(each, 5, [1.5], [figures]) for each in names]
        return SuiteResult(name, options, made, ["a remark"])

    monkeypatch.setattr(registry, "run_suite", run)


def test_it_runs_what_it_is_told(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Methods, seed, clips and difficulty reach the suite; JSON and pictures are written."""
    out = tmp_path / "deep" / "out.json"
    arguments = ["bench", "keypoints", "--methods", "keypoint_fit, keypoint_fit+oneeuro"]
    arguments += ["--seed", "11", "--clips", "3", "--difficulty", "hard", "--json", str(out)]
    assert main([*arguments, "--figures", str(tmp_path / "figures")]) == 0
    ((suite, names, options),) = RUNS
    assert (suite, names) == ("keypoints", ("keypoint_fit", "keypoint_fit+oneeuro"))
    assert options == SuiteOptions(11, 3, "hard")
    document = json.loads(out.read_text(encoding="utf-8"))
    assert document["seed"] == 11
    assert document["rows"][0] == {
        "method": "keypoint_fit",
        "frames": 5,
        "ms_per_frame": 1.5,
        "metrics": {"pa_mpjpe_mm": 4.0},
    }
    said = capsys.readouterr().out
    assert "pa_mpjpe_mm" in said
    assert "note: a remark" in said
    assert (tmp_path / "figures" / "keypoints_clips.png").is_file()


def test_defaults_are_the_suites_own(capsys: pytest.CaptureFixture[str]) -> None:
    """Nothing given takes all methods and the suite's number of clips."""
    assert main(["bench", "images"]) == 0
    ((_, names, options),) = RUNS
    assert "keypoint_fit+slerp" in names
    assert options == SuiteOptions(0, 4, "normal")
    assert "wrote" not in capsys.readouterr().out


def test_the_list(capsys: pytest.CaptureFixture[str]) -> None:
    """All suites and methods with a line on each, and nothing is run."""
    assert main(["bench", "--list"]) == 0
    said = capsys.readouterr().out
    for name in (*registry.SUITES, "keypoint_fit+oneeuro", "constant_velocity"):
        assert name in said
    assert RUNS == []


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        ([], "give a suite"),
        (["keypoint"], "did you mean 'keypoints'"),
        (["world", "--methods", "mano"], "'world' runs keypoint_fit"),
        (["world", "--clips", "-1"], "clips is -1"),
        (["world", "--json", "/dev/null/out.json"], "cannot be written"),
    ],
)
def test_mistakes(capsys: pytest.CaptureFixture[str], arguments: list[str], text: str) -> None:
    """Every mistake is answered with what there is, with status 2."""
    assert main(["bench", *arguments]) == 2
    assert text in capsys.readouterr().err
