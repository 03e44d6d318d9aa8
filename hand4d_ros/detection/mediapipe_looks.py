"""Runs of MediaPipe's networks on an image, several at a time: search it, look at one hand.

The networks wait for each other within a run but not between runs, so with two cores two hands
take as long as one, and a search for a missing hand costs no time beside a hand that is there.
"""

from __future__ import annotations

import queue
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from typing import TypeVar

import numpy as np

from hand4d_ros.detection import views
from hand4d_ros.detection.base import fill_unseen
from hand4d_ros.detection.mediapipe_graphs import (
    PALM_SIZE_PX,
    VIEW_SIZE_PX,
    KeypointNetwork,
    PalmNetwork,
    quiet,
)
from hand4d_ros.detection.views import Square, View
from hand4d_ros.geometry import camera as cameras
from hand4d_ros.shapes import Array, Bool, Float, UInt8
from hand4d_ros.types import CameraModel

_T = TypeVar("_T")

_WORTH_A_SECOND_LOOK = 0.1
"""Presence from which a new hand, seen from its palm's guess, is seen again from its own."""
_IN_THE_MIDDLE = 0.25
"""A hand further than this from the middle of its view, as a fraction of half its angle, did
not move as expected and was seen badly; it is looked at again."""


@dataclass(frozen=True)
class SeenHand:
    """One hand as the keypoint network saw it in one image."""

    presence: float
    """Probability that there is a hand, 0..1."""
    right: float
    """Probability that it is a right one in an image that is not mirrored, 0..1."""
    keypoints_px: Float[Array, "21 2"]
    in_field: Bool[Array, "21"]
    """False for keypoints outside of the lens's field, whose pixel means nothing."""
    keypoints_3d_m: Float[Array, "21 3"]
    """Camera axes."""
    view: View
    """The view that it is in the middle of."""

    @property
    def belief(self) -> float:
        """Probability that it is a hand of the side that it looks like more, 0..1."""
        return self.presence * max(self.right, 1.0 - self.right)


@dataclass(frozen=True)
class SeenPalm:
    """Where a palm says that there may be a hand."""

    score: float
    view: View


@dataclass(frozen=True)
class Picture:
    """An image that the networks look at, with its camera."""

    image: UInt8[Array, "h w 3"]
    camera: CameraModel


class Looks:
    """A few copies of both networks and as many threads that run them."""

    def __init__(self, complexity: int, min_palm_score: float, threads: int) -> None:
        """Load the networks.

        Args:
            complexity: 0 for the light networks, 1 for the full ones.
            min_palm_score: Palms below it are not reported, 0..1.
            threads: Copies of the networks, and runs at a time.

        Raises:
            DetectionError: If mediapipe is missing, too new or cannot load the networks.
        """
        self._count = threads
        self._palms: queue.SimpleQueue[PalmNetwork] = queue.SimpleQueue()
        self._keypoints: queue.SimpleQueue[KeypointNetwork] = queue.SimpleQueue()
        with quiet():
            for _ in range(threads):
                palms, keypoints = (
                    PalmNetwork(complexity, min_palm_score),
                    KeypointNetwork(complexity),
                )
                palms(np.zeros((PALM_SIZE_PX, PALM_SIZE_PX, 3), np.uint8))
                keypoints(np.zeros((VIEW_SIZE_PX, VIEW_SIZE_PX, 3), np.uint8))
                self._palms.put(palms)
                self._keypoints.put(keypoints)
        self._workers = ThreadPoolExecutor(threads, "hand4d-detector")

    def close(self) -> None:
        """Release threads and networks."""
        self._workers.shutdown()
        for _ in range(self._count):
            self._palms.get().close()
            self._keypoints.get().close()

    def search(self, picture: Picture, square: Square, *, equalise: bool) -> Future[list[SeenPalm]]:
        """Start to search a square of the image for palms, with raised contrast or not."""
        return self._run(lambda: self._search(picture, square, equalise=equalise))

    def look_twice(self, picture: Picture, view: View) -> Future[SeenHand | None]:
        """Start to look at a new hand; its palm says but roughly where it is."""

        def work() -> SeenHand | None:
            hand = self._look(picture, view)
            if hand is None or hand.presence < _WORTH_A_SECOND_LOOK:
                return None
            return self._look(picture, hand.view)

        return self._run(work)

    def follow(self, picture: Picture, view: View) -> Future[SeenHand | None]:
        """Start to look at a known hand, again where it was not in the middle of its view."""

        def work() -> SeenHand | None:
            hand = self._look(picture, view)
            if hand is None or hand.view.is_near(view, _IN_THE_MIDDLE):
                return hand
            again = self._look(picture, hand.view)
            return again if again is not None and again.presence >= hand.presence else hand

        return self._run(work)

    def _run(self, work: Callable[[], _T]) -> Future[_T]:
        return self._workers.submit(work)

    def _search(self, picture: Picture, square: Square, *, equalise: bool) -> list[SeenPalm]:
        seen = square.cut(picture.image, PALM_SIZE_PX)
        network = self._palms.get()
        try:
            palms = network(views.equalised(seen) if equalise else seen)
        finally:
            self._palms.put(network)
        found = []
        for palm in palms:
            (x0, y0), (x1, y1) = palm.box
            corners = ((x0, y0), (x1, y0), (x0, y1), (x1, y1))
            fractions = np.array([*corners, palm.wrist, palm.middle_mcp])
            rays = cameras.unproject(picture.camera, square.px(fractions))
            view = views.view_from_palm(rays[:4], rays[4], rays[5])
            if view is not None:
                found.append(SeenPalm(palm.score, view))
        return found

    def _look(self, picture: Picture, view: View) -> SeenHand | None:
        network = self._keypoints.get()
        try:
            keypoints = network(view.cut(picture.image, picture.camera, VIEW_SIZE_PX))
        finally:
            self._keypoints.put(network)
        if keypoints is None:
            return None
        rays = view.rays(keypoints.fraction)
        own_view = views.view_from_keypoints(rays)
        keypoints_px, in_field = fill_unseen(cameras.project(picture.camera, rays))
        if own_view is None or not in_field.any():
            return None
        return SeenHand(
            presence=keypoints.presence,
            right=keypoints.right,
            keypoints_px=keypoints_px,
            in_field=in_field,
            keypoints_3d_m=keypoints.keypoints_3d_m @ view.R_camera_view.T,
            view=own_view,
        )
