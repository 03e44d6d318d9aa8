"""Checkpoints are whole or not there, and hold no code."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from training_samples import Toy, differences, newest, trained

from hand4d_ros.errors import TrainingError
from hand4d_ros.training.checkpoints import Checkpoint, CheckpointFolder
from hand4d_ros.training.files import whole_file, whole_folder
from hand4d_ros.training.trainer import CHECKPOINTS

torch.set_num_threads(1)

_KILLED = """
import os, signal, sys
from pathlib import Path
import torch
from hand4d_ros.nn import tensor_files
from hand4d_ros.training import checkpoints
from hand4d_ros.training.checkpoints import Checkpoint, CheckpointFolder

folder = CheckpointFolder(Path(sys.argv[1]))
tensors = {"model": {"w": torch.arange(3.0)}, "optimiser": {"m": torch.ones(2)}}
folder.write(Checkpoint(1, tensors, {"place": 1}))
written = []

def write_half(stem, tensors):
    path = tensor_files.write_tensors(stem, tensors)
    written.append(path)
    if len(written) == 2:
        os.truncate(path, path.stat().st_size // 2)
        os.kill(os.getpid(), signal.SIGKILL)
    return path

checkpoints.write_tensors = write_half
folder.write(Checkpoint(2, tensors, {"place": 2}))
"""


def sample(step: int) -> Checkpoint:
    """A checkpoint whose numbers say which it is."""
    weights = {"w": torch.arange(4.0) * step, "n": torch.tensor(step)}
    return Checkpoint(step, {"model": weights}, {"place": 0.1 * step})


def test_killed_while_writing(tmp_path: Path) -> None:
    """SIGKILL in the middle of a file leaves the checkpoint before, and the next one works."""
    done = subprocess.run([sys.executable, "-c", _KILLED, str(tmp_path)], check=False, timeout=100)
    assert done.returncode == -signal.SIGKILL
    folder = CheckpointFolder(tmp_path)
    assert any(path.name.startswith(".writing") for path in tmp_path.iterdir())
    found, faults = folder.newest()
    assert not faults
    assert found is not None
    assert (found.step, found.values["place"]) == (1, 1)
    assert found.tensors["model"]["w"].tolist() == [0.0, 1.0, 2.0]
    folder.write(sample(2))
    assert folder.steps() == [1, 2]
    assert not any(path.name.startswith(".writing") for path in tmp_path.iterdir())


def test_round_trip_keeps_every_bit(tmp_path: Path) -> None:
    """Types, shapes without axes, views, tied weights and floats come back equal."""
    base = torch.randn(4, 6, dtype=torch.float64)
    tensors = {
        "view": base[:, ::2],
        "tied": base,
        "again": base,
        "half": torch.randn(3).to(torch.bfloat16),
        "count": torch.tensor(7),
        "flags": torch.tensor([True, False]),
    }
    folder = CheckpointFolder(tmp_path)
    folder.write(Checkpoint(3, {"model": tensors, "none": {}}, {"x": 0.1 + 0.2}))
    found = folder.read(3)
    assert found.values["x"] == 0.1 + 0.2
    assert found.tensors["none"] == {}
    for name, tensor in tensors.items():
        assert found.tensors["model"][name].dtype == tensor.dtype
        assert torch.equal(found.tensors["model"][name], tensor)


def test_damaged_newest_falls_back(tmp_path: Path) -> None:
    """What a failing disk left is skipped and said, as long as an older one is whole."""
    folder = CheckpointFolder(tmp_path, keep_last=3)
    for step in (1, 2, 3):
        folder.write(sample(step))
    (tmp_path / "step-00000003" / "model.safetensors").write_bytes(b"short")
    (tmp_path / "step-00000002" / "state.json").write_text("{")
    found, faults = folder.newest()
    assert found is not None
    assert found.step == 1
    assert "has 5 bytes" in faults[0]
    assert "step-00000002 cannot be read" in faults[1]
    folder.write(sample(3))
    assert folder.read(3).values["place"] == 0.1 * 3


def test_run_without_a_whole_checkpoint_stops(tmp_path: Path) -> None:
    """Starting anew over a damaged run would lose it silently."""
    trained(Toy(), tmp_path, max_steps=4)
    state = tmp_path / CHECKPOINTS / "step-00000004" / "state.json"
    state.write_text(json.dumps({"format": 2}))
    with pytest.raises(TrainingError, match=r"no checkpoint can be read: .*has format 2, expected"):
        trained(Toy(), tmp_path, resume=True, max_steps=4)


def test_without_safetensors(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """PyTorch's own format takes its place, and either is read where both can be."""
    _, usual = trained(Toy(), tmp_path / "usual", max_steps=6)
    with monkeypatch.context() as patch:
        patch.setitem(sys.modules, "safetensors", None)
        patch.setitem(sys.modules, "safetensors.torch", None)
        trained(Toy(), tmp_path / "plain", max_steps=4, schedule="constant")
        names = {path.name for path in (tmp_path / "plain" / CHECKPOINTS).rglob("*.*")}
        assert {"model.pt", "ema.pt", "optimiser.pt"} <= names
        assert newest(tmp_path / "plain").step == 4
    trained(Toy(), tmp_path / "same", max_steps=4, schedule="constant")
    assert not differences(newest(tmp_path / "plain"), newest(tmp_path / "same"))
    assert usual.step == 6


def test_best_note_that_is_damaged_is_ignored(tmp_path: Path) -> None:
    """The best one is then chosen anew."""
    folder = CheckpointFolder(tmp_path)
    folder.write(sample(1))
    assert folder.best() is None
    assert folder.offer_best(1, "error", 2.0)
    assert not folder.offer_best(1, "error", 2.0)
    assert not folder.offer_best(1, "error", float("nan"))
    assert folder.best() == (1, 2.0)
    (tmp_path / "best.json").write_text("{")
    assert folder.best() is None


def test_a_full_disk_is_told(tmp_path: Path) -> None:
    """A folder that cannot be made is an error of its own class."""
    (tmp_path / "file").write_text("")
    with pytest.raises(TrainingError, match="cannot write the checkpoint"):
        CheckpointFolder(tmp_path / "file").write(sample(1))


def test_missing_checkpoint_is_told(tmp_path: Path) -> None:
    """Asking for a step that is not there."""
    with pytest.raises(TrainingError, match="step-00000009 cannot be read"):
        CheckpointFolder(tmp_path).read(9)


def half_written(path: Path) -> None:
    """Write something and fail."""
    path.write_text("new")
    raise ZeroDivisionError


def test_failed_writes_leave_the_old(tmp_path: Path) -> None:
    """An error in the middle keeps what was there and tidies up."""
    target, inner = tmp_path / "file.txt", tmp_path / "folder"
    target.write_text("old")
    inner.mkdir()
    (inner / "old").write_text("old")
    with pytest.raises(ZeroDivisionError), whole_file(target) as aside:
        half_written(aside)
    with pytest.raises(ZeroDivisionError), whole_folder(inner) as aside:
        half_written(aside / "new")
    assert target.read_text() == "old"
    assert [path.name for path in inner.iterdir()] == ["old"]
    assert len(list(tmp_path.iterdir())) == 2
    with whole_folder(inner) as aside:
        (aside / "new").write_text("new")
    assert [path.name for path in inner.iterdir()] == ["new"]
