"""Static transforms in, the pose of one fixed frame in another out.

Frames on a body that never move relative to each other, as a camera on a robot or a helmet.
"""

from __future__ import annotations

import threading

import numpy as np

from hand4d_ros.geometry import se3
from hand4d_ros.shapes import Array, Float


class StaticFrames:
    """Tree of the frames that never move relative to each other; safe to use from threads."""

    def __init__(self) -> None:
        """Start without frames."""
        self._lock = threading.Lock()
        self._edges: dict[str, tuple[str, Float[Array, "4 4"]]] = {}

    def put(self, parent: str, child: str, T_parent_child: Float[Array, "4 4"]) -> None:
        """Add a transform, or replace the one of the same child.

        Args:
            parent: Frame that the pose is in.
            child: Frame whose pose it is.
            T_parent_child: Pose of the child; ignored where it is not finite.
        """
        if np.isfinite(T_parent_child).all():
            with self._lock:
                self._edges[_clean(child)] = (_clean(parent), T_parent_child)

    def lookup(self, target: str, source: str) -> Float[Array, "4 4"] | None:
        """Pose of one frame in another.

        Args:
            target: Frame that the pose is wanted in.
            source: Frame whose pose is wanted.

        Returns:
            ``T_target_source``, or None where no static transforms join the two.
        """
        with self._lock:
            up_from_target = self._ancestors(_clean(target))
            up_from_source = self._ancestors(_clean(source))
        for frame, T_frame_source in up_from_source.items():
            if frame in up_from_target:
                return np.asarray(se3.inverse(up_from_target[frame]) @ T_frame_source)
        return None

    def _ancestors(self, frame: str) -> dict[str, Float[Array, "4 4"]]:
        """Pose of a frame in itself and in each of its ancestors, nearest first."""
        found = {frame: np.eye(4)}
        here = frame
        while here in self._edges:
            parent, T_parent_here = self._edges[here]
            if parent in found:
                break
            found[parent] = T_parent_here @ found[here]
            here = parent
        return found


def _clean(frame: str) -> str:
    """tf2 forbids the leading slash that old drivers still send."""
    return frame.lstrip("/")
