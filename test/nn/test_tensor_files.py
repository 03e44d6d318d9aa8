"""Tensor files hold tensors, and a file that holds code is not run."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest
import torch

from hand4d_ros.errors import WeightsError
from hand4d_ros.nn.tensor_files import (
    find_tensors,
    read_imported,
    read_tensors,
    sha256_of,
    write_tensors,
)

TENSORS = {"a.weight": torch.randn(3, 2), "b": torch.tensor(4), "c": torch.ones(2).half()}


class Bomb:
    """Deletes a file when it is unpickled, as a hostile checkpoint could."""

    def __init__(self, victim: Path) -> None:
        self._victim = victim

    def __reduce__(self) -> tuple[object, tuple[str]]:
        """Say that unpickling is removing the file."""
        return os.remove, (str(self._victim),)


def without_safetensors(monkeypatch: pytest.MonkeyPatch) -> None:
    """Hide the library."""
    monkeypatch.setitem(sys.modules, "safetensors", None)
    monkeypatch.setitem(sys.modules, "safetensors.torch", None)


@pytest.mark.parametrize("hidden", [False, True])
def test_round_trip(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, hidden: bool) -> None:
    """With the library and without, names with dots included."""
    if hidden:
        without_safetensors(monkeypatch)
    path = write_tensors(tmp_path / "net.v1", TENSORS)
    assert path.name == ("net.v1.pt" if hidden else "net.v1.safetensors")
    assert find_tensors(tmp_path / "net.v1") == path
    assert path.stat().st_mode & 0o044 == 0o044
    found = read_tensors(path)
    assert found.keys() == TENSORS.keys()
    for name, tensor in TENSORS.items():
        assert found[name].dtype == tensor.dtype
        assert torch.equal(found[name], tensor)


def test_safetensors_file_needs_the_library(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The error says what to install."""
    path = write_tensors(tmp_path / "net", TENSORS)
    without_safetensors(monkeypatch)
    with pytest.raises(WeightsError, match="pip install safetensors"):
        read_tensors(path)


def test_code_is_never_run(tmp_path: Path) -> None:
    """A pickle that would delete a file is refused, and the file is still there."""
    victim, path = tmp_path / "victim", tmp_path / "evil.pt"
    victim.write_text("")
    torch.save({"state_dict": {"w": torch.ones(1)}, "extra": Bomb(victim)}, path)
    for read in (read_tensors, read_imported):
        with pytest.raises(WeightsError, match="holds more than tensors, which is never read"):
            read(path)
    assert victim.exists()


def test_imported_checkpoints(tmp_path: Path) -> None:
    """Tensors under a key, or at the top; a value that is no tensor is named."""
    path = tmp_path / "official.ckpt"
    torch.save({"state_dict": dict(TENSORS), "epoch": 3}, path)
    assert read_imported(path).keys() == TENSORS.keys()
    with pytest.raises(WeightsError, match="holds a dict at 'state_dict', expected only tensors"):
        read_tensors(path)
    torch.save({"model": dict(TENSORS)}, path)
    assert read_imported(path, "model").keys() == TENSORS.keys()
    torch.save({"state_dict": {"w": torch.ones(1), "n": 3}}, path)
    with pytest.raises(WeightsError, match="holds a int at 'n', expected only tensors"):
        read_imported(path)
    torch.save([torch.ones(1)], path)
    with pytest.raises(WeightsError, match="holds a list, not tensors by name"):
        read_imported(path)
    safe = write_tensors(tmp_path / "net", TENSORS)
    assert read_imported(safe).keys() == TENSORS.keys()


@pytest.mark.parametrize("suffix", [".safetensors", ".pt"])
@pytest.mark.parametrize("content", [b"", b"garbage that is long enough to be a header", None])
def test_damaged_files_are_refused(tmp_path: Path, suffix: str, content: bytes | None) -> None:
    """Empty, foreign and truncated files."""
    path = tmp_path / f"net{suffix}"
    if content is None:
        whole = write_tensors(tmp_path / "net", TENSORS)
        if suffix == ".pt":
            torch.save(TENSORS, path)
            whole = path
        content = whole.read_bytes()[:-20]
    path.write_bytes(content)
    with pytest.raises(WeightsError, match="damaged"):
        read_tensors(path)


def test_missing_files_and_other_kinds(tmp_path: Path) -> None:
    """What is not there, and what is no tensor file by its name."""
    with pytest.raises(WeightsError, match="there is no file"):
        read_tensors(tmp_path / "net.safetensors")
    with pytest.raises(WeightsError, match="is no tensor file; give one that ends in"):
        read_tensors(tmp_path / "net.json")
    with pytest.raises(WeightsError, match=r"neither net.safetensors nor .pt"):
        find_tensors(tmp_path / "net")
    with pytest.raises(WeightsError, match="cannot read"):
        sha256_of(tmp_path / "net")
    with pytest.raises(WeightsError, match="cannot write"):
        write_tensors(tmp_path / "no" / "net", TENSORS)


def test_hash_is_the_standard_one(tmp_path: Path) -> None:
    """Of the three letters that the standard itself hashes (FIPS 180-2, appendix B.1)."""
    path = tmp_path / "abc"
    path.write_bytes(b"abc")
    wanted = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
    assert sha256_of(path) == wanted
