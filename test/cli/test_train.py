"""``hand4d train`` and ``hand4d weights``: from a name to weights that load."""

from __future__ import annotations

import json
import re
import signal
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from training_samples import Toy, ToyConfig, quick

from hand4d_ros.cli import train
from hand4d_ros.cli.main import main
from hand4d_ros.nn.cards import FOLDER_VARIABLE
from hand4d_ros.training.registry import TRAINABLES, Recipe, Trainable
from hand4d_ros.training.trainer import TrainResult

torch.set_num_threads(1)


@pytest.fixture(autouse=True)
def _toy(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A trainable that takes milliseconds, and folders that are empty."""
    entry = Trainable("a toy", lambda: Recipe(Toy, ToyConfig(), quick()))
    monkeypatch.setitem(TRAINABLES, "toy", entry)
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "share"))
    monkeypatch.setenv(FOLDER_VARIABLE, str(tmp_path / "weights"))
    monkeypatch.chdir(tmp_path)


def test_train_pack_list_show_verify(capsys: pytest.CaptureFixture[str]) -> None:
    """The whole way, with the places that are taken by default."""
    assert main(["train", "toy", "train.max_steps=6", "task.width=4"]) == 0
    shown = capsys.readouterr()
    assert "step 6: all steps are done; error " in shown.out
    assert "hand4d weights pack out/train/toy" in shown.out
    assert "step 6/6 100.0 %" in shown.err
    assert main(["weights", "pack", "out/train/toy", "--version", "2"]) == 0
    assert "share/hand4d/weights/toy.safetensors and its card: step 6" in capsys.readouterr().out
    assert main(["weights"]) == 0
    assert "toy  0.00 MB  2, Apache-2.0, error " in capsys.readouterr().out
    assert main(["weights", "show", "toy"]) == 0
    card = json.loads(capsys.readouterr().out)
    assert card["config"]["width"] == 4
    assert card["recipe"]["steps"] == 6
    assert main(["weights", "verify", "toy"]) == 0
    assert "✓ toy 2: 9 tensors" in capsys.readouterr().out


def test_resume(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    """A session that runs out of time says how to go on, and goes on."""
    out = ["--out", str(tmp_path / "run")]
    assert main(["train", "toy", "train.max_seconds=0.000001", *out]) == 0
    assert "time is up; --resume goes on" in capsys.readouterr().out
    assert main(["train", "toy", *out]) == 2
    assert "already holds a run; resume it" in capsys.readouterr().err
    assert main(["train", "toy", "--resume", *out]) == 0
    shown = capsys.readouterr()
    assert "resuming at step 1" in shown.err
    assert "step 12: all steps are done" in shown.out


def test_settings_are_explained(capsys: pytest.CaptureFixture[str]) -> None:
    """As the words that set them, with meaning and range; nothing is trained."""
    assert main(["train", "toy", "--show", "train.max_steps=5"]) == 0
    shown = capsys.readouterr().out
    assert "train.max_steps=5\n    Steps of the whole run;" in shown
    assert "(int >= 1)" in shown
    assert "train.schedule=cosine\n" in shown
    assert "task.width=8\n    Of the hidden layer. (int)" in shown
    words = [line for line in shown.splitlines() if not line.startswith(" ")]
    assert main(["train", "toy", "--show", *words]) == 0
    assert capsys.readouterr().out == shown
    assert not Path("out").exists()


def test_settings_of_another_run(capsys: pytest.CaptureFixture[str]) -> None:
    """A run's file sets up the next one."""
    assert main(["train", "toy", "train.max_steps=5", "--out", "first"]) == 0
    assert main(["train", "toy", "--config", "first/run.json", "--out", "second"]) == 0
    assert capsys.readouterr().out.count("step 5: all steps are done") == 2


def test_list(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    """Without a name, what there is; with nothing to train, that."""
    assert main(["train"]) == 0
    shown = capsys.readouterr().out
    assert "  toy  a toy\n" in re.sub(r"(?<=\S) {2,}", "  ", shown)
    assert "pose_prior" in shown
    monkeypatch.setattr(train, "TRAINABLES", {})
    assert train.listing() == "There is nothing to train in this version."


def test_lists_come_without_pytorch() -> None:
    """What there is can be asked on a machine that runs no network, and is answered at once."""
    code = (
        "import sys; sys.modules['torch'] = None\n"
        "from hand4d_ros.cli import train, weights\n"
        "print(train.listing(), weights.listing())"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60
    )
    assert "pose_prior" in done.stdout


def test_mistakes_are_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    """Unknown names and settings."""
    for arguments, message in (
        (["train", "zebra"], "nothing to train called 'zebra'"),
        (["train", "toy", "train.zebra=1"], "no setting train.zebra"),
        (["weights", "show"], "show needs a name"),
        (["weights", "pack"], "pack needs the folder of a run"),
        (["weights", "pack", "nowhere"], "is no folder of a training run"),
        (["weights", "verify", "zebra"], "no weights 'zebra'"),
    ):
        assert main(arguments) == 2
        error = capsys.readouterr().err
        assert message in error
        assert error.count("\n") == 1


def test_damaged_weights_are_listed_and_fail_verify(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    """One bad file does not hide the others."""
    folder = tmp_path / "weights"
    assert main(["train", "toy", "--out", "run"]) == 0
    assert main(["weights", "pack", "run", "--out", str(folder)]) == 0
    (folder / "bad.safetensors").write_bytes(b"")
    capsys.readouterr()
    assert main(["weights", "list"]) == 0
    shown = capsys.readouterr().out
    assert "bad  0.00 MB  unusable: bad.safetensors has no card" in shown
    assert "toy  0.00 MB  1, Apache-2.0" in shown
    assert main(["weights", "verify"]) == 1
    shown = capsys.readouterr().out
    assert "✗ bad: " in shown
    assert "✓ toy 1" in shown


def test_signal_is_the_status(monkeypatch: pytest.MonkeyPatch) -> None:
    """143 after SIGTERM, as shells report it."""
    result = TrainResult(3, "signal", {}, Path("x"), signal.SIGTERM)
    monkeypatch.setattr("hand4d_ros.training.run.train", lambda *_a, **_k: result)
    assert main(["train", "toy"]) == 143
