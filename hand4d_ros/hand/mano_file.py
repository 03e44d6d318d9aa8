"""MANO's model files: read the licensed pickle once, keep a plain ``.npz``.

MANO (Romero, Tzionas and Black, "Embodied hands", SIGGRAPH Asia 2017) needs a licence, so users
bring ``MANO_RIGHT.pkl`` of https://mano.is.tue.mpg.de. Nothing here needs chumpy or runs code of
the file.
"""

from __future__ import annotations

import contextlib
import os
import zipfile
import zlib
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from hand4d_ros.errors import HandModelError
from hand4d_ros.hand.model import HandModel
from hand4d_ros.hand.orders import MANO_PARENTS
from hand4d_ros.hand.restricted_pickle import MAX_BYTES, as_array, read_pickle
from hand4d_ros.shapes import Array, Float, Int
from hand4d_ros.types import Side

MANO_TIP_VERTICES = (744, 320, 443, 554, 671)
"""Vertices that serve as fingertips, thumb to little finger; those of smplx."""

FORMAT = "hand4d-hand-model"
FORMAT_VERSION = 1

_V, _F = 778, 1538
_SHAPES: dict[str, tuple[int, ...]] = {
    "v_template": (_V, 3),
    "shapedirs": (_V, 3, 10),
    "posedirs": (_V, 3, 135),
    "J_regressor": (16, _V),
    "weights": (_V, 16),
    "f": (_F, 3),
    "kintree_table": (2, 16),
    "hands_mean": (45,),
    "hands_components": (45, 45),
}
_ROOT = 4294967295
"""How the file writes -1 as the parent of the wrist, in unsigned 32-bit numbers."""


@dataclass(frozen=True)
class ManoArrays:
    """What a MANO file holds, as plain arrays (m)."""

    side: Side
    v_template: Float[Array, "778 3"]
    shapedirs: Float[Array, "778 3 10"]
    posedirs: Float[Array, "778 3 135"]
    J_regressor: Float[Array, "16 778"]
    weights: Float[Array, "778 16"]
    faces: Int[Array, "1538 3"]
    hands_mean: Float[Array, "45"]
    hands_components: Float[Array, "45 45"]


def read_mano(path: Path | str) -> ManoArrays:
    """Read ``MANO_RIGHT.pkl`` or ``MANO_LEFT.pkl``; which one is seen from the hand's shape.

    Raises:
        HandModelError: The file is missing, too large, truncated, no pickle, asks for code to be
            run, or is not a MANO hand.
    """
    path = Path(path)
    if path.is_file() and zipfile.is_zipfile(path):
        raise HandModelError(
            f"{path} is a zip archive; unpack it and give its models/MANO_RIGHT.pkl"
        )
    content = read_pickle(path)
    if not isinstance(content, dict):
        raise HandModelError(f"{path} holds a {type(content).__name__}, not a MANO model")
    arrays = {name: _array(path, content, name, shape) for name, shape in _SHAPES.items()}
    _check_tree(path, arrays["kintree_table"].astype(np.int64))
    faces = arrays["f"].astype(np.int64)
    if faces.min() < 0 or faces.max() >= _V:
        raise HandModelError(f"{path}: faces name vertices beyond the {_V} of MANO")
    for name in ("weights", "J_regressor"):
        if not np.allclose(arrays[name].sum(axis=1), 1.0, atol=1e-3):
            raise HandModelError(f"{path}: rows of {name} do not sum to one")
    wrist = arrays["J_regressor"][0] @ arrays["v_template"]
    tip = arrays["v_template"][MANO_TIP_VERTICES[2]]
    floats = {n: arrays[n].astype(np.float64) for n in _SHAPES if n not in ("f", "kintree_table")}
    side = Side.RIGHT if wrist[0] > tip[0] else Side.LEFT
    return ManoArrays(side=side, faces=faces, **floats)


def _array(path: Path, content: dict[Any, Any], name: str, shape: tuple[int, ...]) -> Array:
    """Return one array of the file, checked.

    Raises:
        HandModelError: It is missing, of another shape or not finite.
    """
    if name not in content:
        raise HandModelError(
            f"{path} lacks {name!r}; it has {', '.join(sorted(map(str, content)))}. "
            "Give MANO_RIGHT.pkl or MANO_LEFT.pkl of MANO 1.2"
        )
    try:
        array = as_array(content[name])
    except (ValueError, KeyError, TypeError, IndexError) as error:
        raise HandModelError(f"{path}: {name} is {error}") from error
    if array.shape != shape:
        raise HandModelError(
            f"{path}: {name} has shape {array.shape}, a MANO hand has {shape}; "
            "is it the file of another body model?"
        )
    if not np.isfinite(array).all():
        raise HandModelError(f"{path}: {name} holds numbers that are not finite")
    return array


def _check_tree(path: Path, kintree: Int[Array, "2 16"]) -> None:
    parents = np.where(kintree[0] == _ROOT, -1, kintree[0])
    if tuple(parents.tolist()) != MANO_PARENTS:
        raise HandModelError(f"{path}: kintree_table {parents.tolist()} is not the tree of MANO")


def left_shape_is_mirrored(arrays: ManoArrays) -> bool:
    """Tell whether the x components of the shape directions have the sign of their hand.

    In the released ``MANO_LEFT.pkl`` they have that of the right hand, so that a longer left hand
    gets narrower (https://github.com/vchoutas/smplx/issues/48). Shape coefficients are standard
    deviations, hence the sum over them of the growth in length times the growth in breadth is the
    covariance of hand length and breadth over people, which is positive (r = 0.66 in ANSUR II).
    """
    centred = arrays.v_template - arrays.v_template.mean(axis=0)
    length = np.einsum("v,vk->k", centred[:, 0], arrays.shapedirs[:, 0])
    breadth = np.einsum("v,vk->k", centred[:, 2], arrays.shapedirs[:, 2])
    return bool(length @ breadth > 0.0)


def corrected(arrays: ManoArrays) -> ManoArrays:
    """Return a left hand with the shape directions of the right hand's mirror image."""
    if arrays.side is Side.RIGHT or left_shape_is_mirrored(arrays):
        return arrays
    return replace(arrays, shapedirs=arrays.shapedirs * np.array([-1.0, 1.0, 1.0])[:, None])


def hand_model(arrays: ManoArrays) -> HandModel:
    """Turn MANO's arrays into a hand model: joints follow the shape through the regressor."""
    return HandModel(
        name="mano",
        side=arrays.side,
        template_m=arrays.v_template,
        shape_dirs_m=arrays.shapedirs,
        pose_dirs_m=arrays.posedirs,
        joints_m=arrays.J_regressor @ arrays.v_template,
        joint_shape_dirs_m=np.einsum("jv,vck->jck", arrays.J_regressor, arrays.shapedirs),
        weights=arrays.weights,
        faces=arrays.faces,
        tip_vertices=np.array(MANO_TIP_VERTICES),
    )


def import_mano(
    pkl_path: Path | str, side: Side | None = None, *, correct_left: bool = True
) -> HandModel:
    """Read a MANO pickle into a hand model.

    Args:
        pkl_path: ``MANO_RIGHT.pkl`` or ``MANO_LEFT.pkl``.
        side: The side that the file must have; None takes either.
        correct_left: Repair the shape directions of the released left hand, see
            ``left_shape_is_mirrored``.

    Raises:
        HandModelError: The file is not a MANO hand, or not of that side.
    """
    arrays = read_mano(pkl_path)
    if side is not None and side is not arrays.side:
        raise HandModelError(
            f"{pkl_path} is a {arrays.side.label} hand, a {side.label} one was asked for"
        )
    return hand_model(corrected(arrays) if correct_left else arrays)


_MODEL_ARRAYS: dict[str, tuple[int | str, ...]] = {
    "template_m": ("v", 3),
    "shape_dirs_m": ("v", 3, 10),
    "joints_m": (16, 3),
    "joint_shape_dirs_m": (16, 3, 10),
    "weights": ("v", 16),
    "faces": ("f", 3),
    "tip_vertices": (5,),
}


def save_hand_model(model: HandModel, npz_path: Path | str) -> None:
    """Write a hand model; a file that is there is replaced only once the new one is whole.

    Raises:
        HandModelError: The file cannot be written.
    """
    path = Path(npz_path)
    arrays = {name: getattr(model, name) for name in _MODEL_ARRAYS}
    if model.pose_dirs_m is not None:
        arrays["pose_dirs_m"] = model.pose_dirs_m
    partial = path.with_name(f".{path.name}.{os.getpid()}.partial")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with partial.open("wb") as file:
            np.savez_compressed(
                file,
                format=np.array(FORMAT),
                version=np.array(FORMAT_VERSION),
                name=np.array(model.name),
                side=np.array(int(model.side)),
                **arrays,
            )
        partial.replace(path)
    except OSError as error:
        with contextlib.suppress(OSError):
            partial.unlink()
        raise HandModelError(f"cannot write {path}: {error.strerror or error}") from error


def load_hand_model(npz_path: Path | str) -> HandModel:
    """Read a hand model that ``save_hand_model`` wrote.

    Raises:
        HandModelError: The file is missing, too large, truncated, foreign, of another version or
            inconsistent.
    """
    path = Path(npz_path)
    content = _read_npz(path)
    if str(content.get("format", "")) != FORMAT or "version" not in content:
        raise HandModelError(f"{path} is no hand model; write one with `hand4d mano-import`")
    if int(content["version"]) != FORMAT_VERSION:
        raise HandModelError(
            f"{path} has version {int(content['version'])}, this program reads {FORMAT_VERSION}; "
            "write it anew with `hand4d mano-import`"
        )
    sizes: dict[str, int] = {}
    for name, shape in _MODEL_ARRAYS.items():
        _check_shape(path, content, name, shape, sizes)
    if "pose_dirs_m" in content:
        _check_shape(path, content, "pose_dirs_m", ("v", 3, 135), sizes)
    for name in ("faces", "tip_vertices"):
        if content[name].min() < 0 or content[name].max() >= sizes["v"]:
            raise HandModelError(f"{path}: {name} names vertices beyond {sizes['v']}")
    return HandModel(
        name=str(content["name"]),
        side=Side(int(content["side"])),
        pose_dirs_m=content.get("pose_dirs_m"),
        **{name: content[name] for name in _MODEL_ARRAYS},
    )


def _read_npz(path: Path) -> dict[str, Array]:
    """Read all arrays of a file without running anything of it.

    Raises:
        HandModelError: It cannot be read, or would be too large.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            size = sum(member.file_size for member in archive.infolist())
        if size > 4 * MAX_BYTES:
            raise HandModelError(f"{path} unpacks to {size >> 20} MB, more than any hand model")
        with np.load(path, allow_pickle=False) as data:
            return {name: data[name] for name in data.files}
    except OSError as error:
        raise HandModelError(
            f"cannot read hand model {path}: {error.strerror or error}; "
            "write one with `hand4d mano-import`"
        ) from error
    except (ValueError, KeyError, EOFError, RuntimeError, zipfile.BadZipFile, zlib.error) as error:
        raise HandModelError(
            f"{path} is no hand model, or is damaged ({error}); write it with `hand4d mano-import`"
        ) from error


def _check_shape(
    path: Path,
    content: dict[str, Array],
    name: str,
    shape: tuple[int | str, ...],
    sizes: dict[str, int],
) -> None:
    """Check one array; named sizes must agree over all arrays.

    Raises:
        HandModelError: It is missing, of another shape or kind, or not finite.
    """
    whole = name in ("faces", "tip_vertices")
    array = content.get(name)
    if array is None or array.ndim != len(shape) or array.dtype.kind != ("i" if whole else "f"):
        raise HandModelError(f"{path}: {name} is missing or of the wrong kind; write the file anew")
    for size, wanted in zip(array.shape, shape, strict=True):
        expected = sizes.setdefault(wanted, size) if isinstance(wanted, str) else wanted
        if size != expected:
            raise HandModelError(f"{path}: {name} has shape {array.shape}, expected {shape}")
    if not np.isfinite(array).all():
        raise HandModelError(f"{path}: {name} holds numbers that are not finite")
