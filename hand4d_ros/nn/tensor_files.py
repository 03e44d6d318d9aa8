"""Named tensors in files that hold numbers and nothing that runs.

The format is safetensors. A machine that trains may lack that small library; there the same
tensors go into PyTorch's own format, written as a flat dictionary of tensors and read with
``weights_only=True``, which refuses everything else. Weights that ship are always safetensors:
``hand4d weights pack`` converts.
"""

from __future__ import annotations

import hashlib
import os
import pickle
import zipfile
from collections.abc import Mapping
from pathlib import Path

import torch
from torch import Tensor

from hand4d_ros.errors import WeightsError
from hand4d_ros.nn.cards import SAFETENSORS

TORCH = ".pt"
_CHUNK_BYTES = 1 << 20


def has_safetensors() -> bool:
    """Return whether the library is installed."""
    try:
        import safetensors.torch  # noqa: F401  Its presence is the question.
    except ModuleNotFoundError:
        return False
    return True


def write_tensors(stem: Path, tensors: Mapping[str, Tensor]) -> Path:
    """Write tensors to a file and wait until the disk has it.

    Args:
        stem: Path without a suffix; ``.safetensors`` is added, or ``.pt`` where that library is
            not installed.
        tensors: By name, on any device. Tensors that share memory are written one by one.

    Returns:
        The file.

    Raises:
        WeightsError: The file cannot be written.
    """
    # Copies, because safetensors refuses tied weights, and so that a view of a large tensor
    # does not write all of it.
    plain = {
        name: tensor.detach().to("cpu", copy=True).contiguous() for name, tensor in tensors.items()
    }
    path = stem.with_name(stem.name + (SAFETENSORS if has_safetensors() else TORCH))
    try:
        if path.suffix == SAFETENSORS:
            _write_safetensors(path, plain)
        else:
            torch.save(plain, path)
        with path.open("rb+") as file:
            os.fsync(file.fileno())
    except (OSError, RuntimeError) as error:
        raise WeightsError(f"cannot write {path}: {error}; is there room on the disk?") from error
    return path


def _write_safetensors(path: Path, tensors: dict[str, Tensor]) -> None:
    import safetensors.torch

    try:
        safetensors.torch.save_file(tensors, path)
        # The library makes files that only their owner may read.
        path.chmod(0o644)
    except safetensors.SafetensorError as error:
        # The library wraps what the system says in a class of its own.
        raise OSError(str(error)) from error


def find_tensors(stem: Path) -> Path:
    """Return the file that ``write_tensors`` wrote for a stem.

    Raises:
        WeightsError: There is none.
    """
    for suffix in (SAFETENSORS, TORCH):
        path = stem.with_name(stem.name + suffix)
        if path.is_file():
            return path
    raise WeightsError(f"there is neither {stem.name}{SAFETENSORS} nor {TORCH} in {stem.parent}")


def read_tensors(path: Path) -> dict[str, Tensor]:
    """Read tensors by name, onto the CPU.

    Args:
        path: A ``.safetensors`` file, or a ``.pt`` or ``.pth`` file that holds a flat dictionary
            of tensors.

    Raises:
        WeightsError: The file is missing, damaged or of another kind.
    """
    _check_file(path)
    if path.suffix == SAFETENSORS:
        return _read_safetensors(path)
    held = _read_torch(path)
    return _only_tensors(held, path)


def read_imported(path: Path, key: str = "state_dict") -> dict[str, Tensor]:
    """Read the tensors of somebody else's PyTorch checkpoint, and no code.

    Args:
        path: The checkpoint.
        key: Where in the checkpoint the tensors are, if it does not hold them directly.

    Raises:
        WeightsError: The file is missing, damaged, or holds more than tensors and plain values.
    """
    _check_file(path)
    if path.suffix == SAFETENSORS:
        return _read_safetensors(path)
    held = _read_torch(path)
    inner = held.get(key, held) if isinstance(held, Mapping) else held
    return _only_tensors(inner, path)


def sha256_of(path: Path) -> str:
    """Return the SHA-256 of a file as hexadecimal digits.

    Raises:
        WeightsError: The file cannot be read.
    """
    digest = hashlib.sha256()
    try:
        with path.open("rb") as file:
            while chunk := file.read(_CHUNK_BYTES):
                digest.update(chunk)
    except OSError as error:
        raise WeightsError(f"cannot read {path}: {error}") from error
    return digest.hexdigest()


def _check_file(path: Path) -> None:
    if path.suffix not in (SAFETENSORS, TORCH, ".pth", ".ckpt"):
        raise WeightsError(f"{path} is no tensor file; give one that ends in {SAFETENSORS}")
    if not path.is_file():
        raise WeightsError(f"there is no file {path}; `hand4d weights list` says what there is")


def _read_safetensors(path: Path) -> dict[str, Tensor]:
    try:
        import safetensors.torch
    except ModuleNotFoundError:
        raise WeightsError(
            f"{path} needs the Python library 'safetensors'; type: pip install safetensors"
        ) from None
    try:
        return safetensors.torch.load_file(path)
    # The library's own error derives from Exception and comes from its compiled part.
    except (OSError, RuntimeError, ValueError, safetensors.SafetensorError) as error:
        raise WeightsError(f"{path} is damaged or no safetensors file: {error}") from error


def _read_torch(path: Path) -> object:
    try:
        held: object = torch.load(path, map_location="cpu", weights_only=True)
    except (pickle.UnpicklingError, zipfile.BadZipFile, RuntimeError, EOFError, OSError) as error:
        first = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
        raise WeightsError(
            f"{path} is damaged, or holds more than tensors, which is never read: {first}"
        ) from error
    return held


def _only_tensors(held: object, path: Path) -> dict[str, Tensor]:
    if not isinstance(held, Mapping):
        raise WeightsError(f"{path} holds a {type(held).__name__}, not tensors by name")
    for name, value in held.items():
        if not isinstance(value, Tensor):
            raise WeightsError(
                f"{path} holds a {type(value).__name__} at {name!r}, expected only tensors"
            )
    return {str(name): value for name, value in held.items()}
