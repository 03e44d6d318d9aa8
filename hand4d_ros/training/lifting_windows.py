"""Windows of films as training sees them: conditions, true motion, and what of it counts."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np

from hand4d_ros.estimation.lifting.conditions import SeenKeypoints, conditions_from_keypoints
from hand4d_ros.geometry import se3, so3
from hand4d_ros.settings import check
from hand4d_ros.shapes import Array, Bool, Float
from hand4d_ros.training.data import Arrays
from hand4d_ros.training.seeds import DATA, numpy_rng
from hand4d_ros.training.shards import Shards

MASK, KNOWN, ROTATIONS, WRIST_M = "mask", "known", "rotations", "wrist_m"
"""Fields of a batch besides the conditions."""
_MIRROR = np.array([-1.0, 1.0, 1.0])


@dataclass(frozen=True)
class WindowConfig:
    """How windows are taken out of films."""

    short_share: float = field(default=0.25, metadata={"min": 0.0, "max": 1.0})
    """Share of windows that end early, as those of a stream do at its start."""
    unposed_share: float = field(default=0.1, metadata={"min": 0.0, "max": 1.0})
    """Share of windows whose camera poses are not told."""
    mirror: bool = True
    """Mirror half of the windows, left hands for right ones."""

    def __post_init__(self) -> None:
        """Reject values out of range."""
        check(self)


EXACT = WindowConfig(short_share=0.0, unposed_share=0.0, mirror=False)
"""Windows as they are, to judge by."""


class Windows:
    """Batches of windows, one of each film, at a random time."""

    def __init__(self, films: Shards, frames: int, seed: int, config: WindowConfig = EXACT) -> None:
        """Keep where windows come from.

        Args:
            films: Whole ones.
            frames: Of a window.
            seed: Of the times and the augmentation.
            config: How they are taken.
        """
        self._films = films
        self._frames = frames
        self._seed = seed
        self._config = config

    @property
    def description(self) -> Mapping[str, object]:
        """What the films are."""
        return self._films.description

    def batch(self, number: int, size: int) -> Arrays:
        """Return the windows that belong to a number."""
        whole = self._films.batch(number, size)
        rng = numpy_rng(self._seed, DATA, number)
        length = whole["valid"].shape[1]
        starts = rng.integers(0, length - self._frames + 1, size)
        places = starts[:, None] + np.arange(self._frames)
        rows = np.arange(size)[:, None]
        cut = {name: value[rows, places] for name, value in whole.items()}
        config = self._config
        if config.mirror:
            other = mirrored(cut)
            swap = rng.random(size) < 0.5
            cut = {
                name: np.where(swap.reshape(-1, *(1,) * (value.ndim - 1)), other[name], value)
                for name, value in cut.items()
            }
        cut["T_odom_camera"][rng.random(size) < config.unposed_share] = np.nan
        ends = rng.integers(1, self._frames + 1, size)
        ends = np.where(rng.random(size) < config.short_share, ends, self._frames)
        return window_arrays(cut, np.arange(self._frames) < ends[:, None])


def window_arrays(cut: Mapping[str, Array], mask: Bool[Array, "b t"]) -> dict[str, Array]:
    """Return what the network is told, and what it should say.

    A hand counts in a window in which it was seen at least once: of the others nothing is known.

    Args:
        cut: Fields of films, (b, t, …).
        mask: Frames that are there, (b, t).
    """
    valid = cut["valid"] & mask[:, :, None, None]
    seen = SeenKeypoints(
        np.where(valid[..., None], cut["uv"], 0.0),
        np.where(valid[..., None], cut["bearings"], 0.0),
        valid,
    )
    poses = np.where(mask[:, :, None, None], cut["T_odom_camera"], np.nan).astype(np.float64)
    told = conditions_from_keypoints(seen, poses)
    first = se3.inverse(cut["T_world_camera"][:, :1].astype(np.float64))[:, :, None]
    T_first_wrist = first @ cut["T_world_wrist"]
    fingers = so3.exp(cut["joint_rotvec"].astype(np.float64))
    wrists = T_first_wrist[..., None, :3, :3]
    known = valid.any((1, 3))[:, None] & mask[:, :, None]
    return {
        **told,
        MASK: mask,
        KNOWN: known,
        ROTATIONS: np.concatenate((wrists, fingers), -3).astype(np.float32),
        WRIST_M: T_first_wrist[..., :3, 3].astype(np.float32),
    }


def mirrored(cut: Mapping[str, Array]) -> dict[str, Array]:
    """Return the mirror image: images, cameras and the world through x = 0, hands swapped.

    Args:
        cut: Fields of films, hands on the third axis.
    """
    return {
        "uv": cut["uv"][:, :, ::-1] * _single(_MIRROR[:2]),
        "bearings": cut["bearings"][:, :, ::-1] * _single(_MIRROR),
        "valid": cut["valid"][:, :, ::-1],
        "T_odom_camera": _mirrored_poses(cut["T_odom_camera"]),
        "T_world_camera": _mirrored_poses(cut["T_world_camera"]),
        "T_world_wrist": _mirrored_poses(cut["T_world_wrist"][:, :, ::-1]),
        "joint_rotvec": cut["joint_rotvec"][:, :, ::-1] * _single(-_MIRROR),
    }


def _mirrored_poses(T: Float[Array, "*b 4 4"]) -> Float[Array, "*b 4 4"]:
    signs = np.append(_MIRROR, 1.0)
    return T * _single(np.outer(signs, signs))


def _single(values: Array) -> Array:
    return np.asarray(values, dtype=np.float32)
