"""A checkpoint of a run in, weights with a card out."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from torch import Tensor

from hand4d_ros.errors import TrainingError, WeightsError
from hand4d_ros.nn.cards import SAFETENSORS, Card, card_path
from hand4d_ros.nn.tensor_files import has_safetensors, sha256_of, write_tensors
from hand4d_ros.nn.weights import check_finite
from hand4d_ros.training.checkpoints import Checkpoint, CheckpointFolder
from hand4d_ros.training.files import whole_file
from hand4d_ros.training.recipe import read_run
from hand4d_ros.training.trainer import CHECKPOINTS

_NOT_YET = "0" * 64
"""Hash of a card whose tensors are not written yet."""


def pack(
    run: Path,
    out: Path,
    *,
    version: str,
    licence: str = "Apache-2.0",
    name: str = "",
    step: int | None = None,
    half: bool = False,
) -> Path:
    """Make weights with a card from a run: the running mean where there is one.

    Args:
        run: Folder of the run.
        out: Folder for ``NAME.safetensors`` and ``NAME.json``.
        version: Of the weights.
        licence: Of the weights.
        name: Of the network; empty is what was trained.
        step: Which checkpoint; None is the best, else the newest.
        half: Keep numbers in half precision, in half the space; networks read them as their own.

    Returns:
        The tensor file.

    Raises:
        TrainingError: There is no such run or checkpoint.
        WeightsError: safetensors is not installed, the weights are not finite, or the output
            cannot be written.
    """
    about = read_run(run)
    checkpoint = _chosen(CheckpointFolder(run / CHECKPOINTS), step)
    recipe = checkpoint.values["recipe"]
    packed = checkpoint.tensors.get("ema", checkpoint.tensors["model"])
    if half:
        packed = {k: v.half() if v.is_floating_point() else v for k, v in packed.items()}
    sessions = [s for s in about["sessions"] if s["from_step"] < checkpoint.step]
    last = sessions[-1] if sessions else about["sessions"][-1]
    draft = Card(
        name=name or about["name"],
        version=version,
        config=recipe["network"],
        recipe={
            "trainable": about["name"],
            **{part: recipe[part] for part in ("task", "train", "data")},
            "steps": checkpoint.step,
            "seconds": round(checkpoint.values["seconds"], 1),
            "sessions": len(sessions),
            "running_mean": "ema" in checkpoint.tensors,
            "half": half,
            "device": last["device"],
            "torch": last["torch"],
        },
        seed=recipe["train"]["seed"],
        commit=last["commit"],
        figures=checkpoint.values["figures"],
        licence=licence,
        sha256=_NOT_YET,
    )
    return write_weights(out, packed, draft)


def write_weights(out: Path, tensors: Mapping[str, Tensor], draft: Card) -> Path:
    """Write tensors and their card, the card last.

    Args:
        out: Folder for both.
        tensors: By name.
        draft: The card; its hash is filled in, its name is that of the files.

    Returns:
        The tensor file.

    Raises:
        WeightsError: safetensors is not installed, a value is not finite, or a file cannot be
            written.
    """
    if not has_safetensors():
        raise WeightsError(
            "packing weights needs the Python library 'safetensors'; type: pip install safetensors"
        )
    check_finite(tensors, f"the network {draft.name!r}")
    target = out / (draft.name + SAFETENSORS)
    try:
        out.mkdir(parents=True, exist_ok=True)
        with whole_file(target) as aside:
            write_tensors(aside.with_suffix(""), tensors)
            card = replace(draft, sha256=sha256_of(aside))
        with whole_file(card_path(target)) as aside:
            aside.write_text(card.text(), encoding="utf-8")
    except OSError as error:
        raise WeightsError(f"cannot write weights to {out}: {error}") from error
    return target


def _chosen(folder: CheckpointFolder, step: int | None) -> Checkpoint:
    steps = folder.steps()
    if not steps:
        raise TrainingError(f"{folder.folder} holds no checkpoint; train first")
    if step is None:
        best = folder.best()
        step = steps[-1] if best is None else best[0]
    if step not in steps:
        raise TrainingError(f"there is no checkpoint of step {step}; there are {steps}")
    return folder.read(step)
