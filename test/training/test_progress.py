"""Progress, metrics and their picture."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest

from hand4d_ros.training.log import EVALUATION, TRAINING, MetricsLog, draw_curve
from hand4d_ros.training.progress import PlainProgress, _bar, clock, plain_line, progress


def test_plain_line() -> None:
    """Rate of this session, time left at that rate."""
    line = plain_line(step=300, total=1000, done=100, took_s=50.0, loss=0.01234)
    assert line == "step 300/1000 30.0 %  loss 0.01234  2.0 steps/s  left 0:05:50"
    assert plain_line(0, 10, 0, 0.0, 1.0).endswith("0.0 steps/s  left ?")
    assert [clock(s) for s in (0.0, 59.2, 3661.0)] == ["0:00:00", "0:01:00", "1:01:01"]


def test_logs_get_few_lines(capsys: pytest.CaptureFixture[str]) -> None:
    """The first step, then not before some seconds have gone, and the last one."""
    with progress("x", 0, 100) as shown:
        assert isinstance(shown, PlainProgress)
        for step in range(1, 101):
            shown.show(step, 1.0)
        shown.say("a note")
    lines = capsys.readouterr().err.splitlines()
    assert [line.split()[1] for line in lines[:-1]] == ["1/100", "100/100"]
    assert lines[-1] == "a note"


def test_terminals_get_a_bar_where_rich_is_there(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """What is said stays above the bar, square brackets included; without rich, lines."""
    with _bar("x", 2, 5) as shown:
        shown.show(3, 0.5)
        shown.say("[note] stays")
    assert "[note] stays" in capsys.readouterr().err
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True)
    monkeypatch.setitem(sys.modules, "rich", None)
    with progress("x", 0, 5) as plain:
        assert isinstance(plain, PlainProgress)
    assert "rich is not installed" in capsys.readouterr().err


def test_log_is_strict_json(tmp_path: Path) -> None:
    """What is not finite becomes null; cutting keeps what comes before."""
    log = MetricsLog(tmp_path / "metrics.jsonl")
    assert log.lines() == []
    log.add(TRAINING, 1, 0.5, {"loss": 2.0, "x": float("nan")})
    log.add(TRAINING, 2, 1.0, {"loss": 1.0, "x": float("inf")})
    text = (tmp_path / "metrics.jsonl").read_text()
    assert "NaN" not in text
    assert json.loads(text.splitlines()[1])["x"] is None
    log.cut(1)
    assert log.lines() == [{"kind": "train", "step": 1, "seconds": 0.5, "loss": 2.0, "x": None}]


def test_curve(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A picture of everything; none without metrics or matplotlib."""
    log, path = MetricsLog(tmp_path / "metrics.jsonl"), tmp_path / "curve.png"
    assert not draw_curve(log.lines(), path, "x")
    for step in range(1, 40):
        values = {"loss": 1.0 / step, "bias": -0.5, "grad_norm": 2.0, "rate": 0.1}
        log.add(TRAINING, step, 1.0, values)
    log.add(EVALUATION, 20, 1.0, {"error_mm": 3.0, "gone": float("nan")})
    log.add(EVALUATION, 30, 1.0, {"error_mm": -2.0, "gone": float("nan")})
    assert draw_curve(log.lines(), path, "x")
    assert path.read_bytes().startswith(b"\x89PNG\r\n")
    path.unlink()
    monkeypatch.setitem(sys.modules, "matplotlib.figure", None)
    assert not draw_curve(log.lines(), path, "x")
    assert not path.exists()
