"""Hands in an image by MediaPipe's networks, followed from frame to frame.

A hand that was found is looked at again where it must be if it moves on as it did, in a view
of its own (``views``), which costs one run of the keypoint network. While a hand is missing,
the palm network searches the image beside it: all of it, where a hand was lost, and part after
part at a higher resolution with raised contrast. Both run at the same time on two cores. A palm
need not be sure, because the keypoint network then says with what probability a hand is there
at all.

Pixel convention: pixel centres are at integers. The networks give fractions of an image whose
edges are 0 and 1, so a fraction x of a width w is the pixel ``x w - 0.5``.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Literal

import numpy as np

from hand4d_ros.detection import views
from hand4d_ros.detection.base import check_image
from hand4d_ros.detection.mediapipe_looks import Looks, Picture, SeenHand, SeenPalm
from hand4d_ros.detection.sides import are_one_hand, choose_sides, seen_by_its_owner
from hand4d_ros.detection.views import Square, View
from hand4d_ros.errors import DetectionError
from hand4d_ros.geometry import camera as cameras
from hand4d_ros.settings import check
from hand4d_ros.shapes import Array, Float
from hand4d_ros.types import CameraModel, Frame, HandDetection, Side

_SURE_PALM = 0.5
"""Score of a palm, seen without raised contrast, from which it is no faint one."""
_SAME_HAND = 0.3
"""Mean keypoint distance, as a fraction of a hand's extent, up to which two hands are one."""
_SAME_VIEW = 0.5
"""A palm within this fraction of a known hand's view from its middle belongs to that hand."""
_SIDE_MEMORY = 0.8
"""Weight of what was believed of a hand's side against what one more frame says."""
_LOST_SCALE = 3.5
"""Side of the square that is searched for a lost hand, in extents of that hand."""
_LOST_FRAMES = 15
"""For so many frames a hand is searched where it was lost."""
_EAGER_NS = 500_000_000
"""For so long after a hand came or went every image is searched for the next change."""
_SEARCH_PERIOD_NS = 80_000_000
"""Later an image is searched so long after the last one, beside a hand that is followed."""
_SMALLEST_PX = 12.0
"""Below it a followed hand is a speck that the network goes on believing in."""
_REFUSED_NS = 250_000_000
"""For so long a palm that proved to be no hand is not looked at again."""


@dataclass(frozen=True)
class MediaPipeConfig:
    """How MediaPipe looks for hands and what it believes."""

    max_hands: int = field(default=2, metadata={"min": 1, "max": 8})
    """Hands that are looked for; one more costs time only while it is missing or there."""
    min_detection_confidence: float = field(default=0.2, metadata={"min": 0.0, "max": 1.0})
    """Palms below this score are not looked at; low, because the next two decide."""
    min_hand_confidence: float = field(default=0.6, metadata={"min": 0.0, "max": 1.0})
    """Probability of a hand of one side being there from which a new one is believed."""
    min_faint_confidence: float = field(default=0.8, metadata={"min": 0.0, "max": 1.0})
    """The same for a hand whose palm is unsure, or was found only with raised contrast."""
    min_tracking_confidence: float = field(default=0.5, metadata={"min": 0.0, "max": 1.0})
    """Probability of a hand being there down to which a known one is followed."""
    model_complexity: int = field(default=1, metadata={"min": 0, "max": 1})
    """1 for the full networks, 0 for the light ones, which are less exact."""
    static_image_mode: bool = False
    """Treat every image by itself and search all of it thoroughly; for images of no video."""
    mirrored: bool = False
    """The images are mirrored, as a selfie camera's are; then left and right change places."""
    viewpoint: Literal["egocentric", "any"] = "egocentric"
    """egocentric: the camera is on the person whose hands it sees, so the right hand is mostly on
    the right, which settles doubts. any: a side is judged by the hand's look alone."""
    same_side_weight: float = field(default=0.1, metadata={"min": 0.0, "max": 1.0})
    """Belief in two hands of one side against two of both sides; 1 allows it freely."""
    outside_confidence: float = field(default=0.25, metadata={"min": 0.0, "max": 1.0})
    """Factor on the confidence of keypoints that are guessed outside of the image."""
    max_gap_s: float = field(default=0.5, metadata={"min": 0.01, "max": 60.0})
    """Hands are searched anew, not followed, after a longer pause between images (s)."""
    threads: int = field(default=2, metadata={"min": 1, "max": 8})
    """Runs of networks at a time; 1 on a single core."""

    def __post_init__(self) -> None:
        """Reject values out of range."""
        check(self)


@dataclass(frozen=True)
class _Known:
    """A hand that is followed."""

    seen: SeenHand
    """As it was seen last."""
    right: float
    """Probability that it is a right hand, from all images."""
    before: View | None = None
    """Where it was in the image before."""

    def expected(self, share: float) -> View:
        """Where it is now, ``share`` times as long after the last image as that after its last."""
        if self.before is None:
            return self.seen.view
        return self.seen.view.moved_on(self.before, share)


@dataclass(frozen=True)
class _Candidate:
    """A palm that may be that of a new hand."""

    palm: SeenPalm
    faint: bool
    """It takes more than usual to believe in it."""


@dataclass(frozen=True)
class _Lost:
    """Where a hand was lost."""

    square: Square
    frames_left: int


@dataclass(frozen=True)
class _Refused:
    """Where a palm proved to be no hand."""

    view: View
    until_ns: int


class MediaPipeDetector:
    """Detector that runs MediaPipe's palm and keypoint networks; use it from one thread."""

    def __init__(self, config: MediaPipeConfig | None = None) -> None:
        """Load the networks.

        Args:
            config: What to look for; defaults if None.

        Raises:
            DetectionError: If mediapipe is missing, too new or cannot load the networks.
        """
        self._config = config or MediaPipeConfig()
        self._looks: Looks | None = Looks(
            self._config.model_complexity,
            self._config.min_detection_confidence,
            self._config.threads,
        )
        self.reset()

    def reset(self) -> None:
        """Forget the hands that are followed, as at the start."""
        self._hands: list[_Known] = []
        self._lost: list[_Lost] = []
        self._refused: list[_Refused] = []
        self._last_ns: int | None = None
        self._last_elapsed_ns = 0
        self._searches_done = 0
        self._searched_ns = 0
        self._changed_ns = 0

    def warm_up(self, camera: CameraModel) -> None:
        """Run once on a black image; what is followed is forgotten.

        Args:
            camera: The camera that frames will come from.

        Raises:
            DetectionError: If the detector cannot run.
        """
        black = np.zeros((camera.height_px, camera.width_px, 3), dtype=np.uint8)
        self.detect(Frame(0, black, camera))
        self.reset()

    def close(self) -> None:
        """Release threads and networks."""
        if self._looks is not None:
            self._looks.close()
            self._looks = None

    def detect(self, frame: Frame) -> list[HandDetection]:
        """Hands in one frame, the surest first.

        A detection's score is the probability that there is a hand times the probability of
        its side. MediaPipe gives no confidence of single keypoints: it is the probability that
        there is a hand, lowered by ``outside_confidence`` where the keypoint lies outside of
        the image, and zero outside of the lens's field, where the pixel is that of the hand's
        middle.

        Args:
            frame: The image with its camera.

        Returns:
            One detection for each hand.

        Raises:
            DetectionError: If the image is unusable, the networks fail or the detector was
                closed.
        """
        if self._looks is None:
            raise DetectionError("the detector was closed; make a new one")
        check_image(frame)
        try:
            return self._detect(self._looks, frame)
        except Exception as error:  # MediaPipe raises whatever its graph fails with.
            self.reset()
            raise DetectionError(f"MediaPipe failed on the image: {error}") from error

    def _detect(self, looks: Looks, frame: Frame) -> list[HandDetection]:
        share = self._pass_time(frame.stamp_ns)
        picture = Picture(np.ascontiguousarray(frame.image), frame.camera)
        followed = [looks.follow(picture, hand.expected(share)) for hand in self._hands]
        searches = [
            (looks.search(picture, square, equalise=equalise), equalise)
            for square, equalise in self._squares(frame.camera, frame.stamp_ns)
        ]
        hands = self._still_there([future.result() for future in followed])
        found = [
            _Candidate(palm, faint=equalise or palm.score < _SURE_PALM)
            for search, equalise in searches
            for palm in search.result()
        ]
        if len(hands) < self._config.max_hands:
            hands += self._new_hands(looks, picture, hands, found)
        hands = _without_duplicates(hands)[: self._config.max_hands]
        if len(hands) != len(self._hands):
            self._changed_ns = frame.stamp_ns
        self._hands = hands
        return self._detections(frame.camera)

    def _pass_time(self, stamp_ns: int) -> float:
        """Go on to the next image.

        Nothing is followed across a pause or a jump back in time, nor between static images.

        Returns:
            The time since the last image, as a multiple of the interval before it, at most 2.
        """
        elapsed_ns = 0 if self._last_ns is None else stamp_ns - self._last_ns
        if self._config.static_image_mode or not 0.0 <= 1e-9 * elapsed_ns <= self._config.max_gap_s:
            self._hands, self._lost, self._refused, elapsed_ns = [], [], [], 0
            self._changed_ns = stamp_ns
        self._refused = [refused for refused in self._refused if refused.until_ns > stamp_ns]
        share = min(elapsed_ns / self._last_elapsed_ns, 2.0) if self._last_elapsed_ns else 0.0
        self._last_ns, self._last_elapsed_ns = stamp_ns, elapsed_ns
        return share

    def _squares(self, camera: CameraModel, stamp_ns: int) -> list[tuple[Square, bool]]:
        """Squares to search in this frame, and whether to raise their contrast."""
        if len(self._hands) >= self._config.max_hands:
            return []
        soon = stamp_ns - self._searched_ns < _SEARCH_PERIOD_NS
        if self._hands and soon and stamp_ns - self._changed_ns > _EAGER_NS:
            return []
        self._searched_ns = stamp_ns
        size = (camera.width_px, camera.height_px)
        whole, parts = views.square_around_image(*size), views.squares_of_image(*size)
        if self._config.static_image_mode:
            return [(whole, False), (whole, True), *((part, True) for part in parts)]
        turn = self._searches_done
        self._searches_done += 1
        places = [lost.square for lost in self._lost] or parts
        if not self._hands and self._config.threads > 1:
            return [(whole, False), (places[turn % len(places)], True)]
        # With a hand to follow there is time for one search only: the whole every other time.
        return [(places[turn // 2 % len(places)], True) if turn % 2 else (whole, False)]

    def _still_there(self, looked: list[SeenHand | None]) -> list[_Known]:
        """Followed hands that were seen again; where the others were is remembered."""
        hands = []
        lost = [replace(lost, frames_left=lost.frames_left - 1) for lost in self._lost]
        for known, seen in zip(self._hands, looked, strict=True):
            if seen is None or not self._is_there(seen):
                lost.append(_Lost(_square_around(known.seen.keypoints_px), _LOST_FRAMES))
                continue
            right = _SIDE_MEMORY * known.right + (1.0 - _SIDE_MEMORY) * seen.right
            hands.append(_Known(seen, right, known.seen.view))
        self._lost = [place for place in lost if place.frames_left > 0]
        return hands

    def _is_there(self, seen: SeenHand) -> bool:
        sure = seen.presence >= self._config.min_tracking_confidence
        return sure and float(np.ptp(seen.keypoints_px, axis=0).max()) >= _SMALLEST_PX

    def _new_hands(
        self, looks: Looks, picture: Picture, known: list[_Known], found: list[_Candidate]
    ) -> list[_Known]:
        """Hands that the palm network found and the keypoint network believes, surest first."""
        config = self._config
        chosen: list[_Candidate] = []
        taken = [hand.seen.view for hand in known] + [refused.view for refused in self._refused]
        for candidate in sorted(found, key=lambda c: (c.faint, -c.palm.score)):
            view = candidate.palm.view
            if not any(view.is_near(other, _SAME_VIEW) for other in taken):
                chosen.append(candidate)
                taken.append(view)
        # One more than are missing, so that one false palm does not hide a hand for good.
        chosen = chosen[: config.max_hands - len(known) + 1]
        looked = [looks.look_twice(picture, candidate.palm.view) for candidate in chosen]
        hands = []
        for candidate, look in zip(chosen, looked, strict=True):
            hand = look.result()
            needed = config.min_faint_confidence if candidate.faint else config.min_hand_confidence
            if hand is not None and hand.belief >= needed:
                hands.append(_Known(hand, hand.right))
            elif hand is None and self._last_ns is not None:
                until_ns = self._last_ns + _REFUSED_NS
                self._refused.append(_Refused(candidate.palm.view, until_ns))
        if hands:
            self._lost = []
        return sorted(hands, key=lambda hand: -hand.seen.presence)

    def _detections(self, camera: CameraModel) -> list[HandDetection]:
        """What is reported of the hands that are followed now."""
        right = [hand.right for hand in self._hands]
        if self._config.viewpoint == "egocentric":
            axes = [hand.seen.view.R_camera_view[:, 2] for hand in self._hands]
            sign = -1.0 if self._config.mirrored else 1.0
            right = [
                seen_by_its_owner(p, axis * [sign, 1.0, 1.0])
                for p, axis in zip(right, axes, strict=True)
            ]
        sides = choose_sides(right, self._config.same_side_weight)
        detections = []
        for known, (side, of_side) in zip(self._hands, sides, strict=True):
            hand = known.seen
            inside = cameras.in_image(camera, hand.keypoints_px)
            factor = np.where(inside, 1.0, self._config.outside_confidence) * hand.in_field
            detections.append(
                HandDetection(
                    side=Side(1 - side) if self._config.mirrored else side,
                    score=hand.presence * of_side,
                    keypoints_px=hand.keypoints_px,
                    keypoint_confidence=hand.presence * factor,
                    keypoints_3d_m=hand.keypoints_3d_m,
                    landmarks="mediapipe",
                )
            )
        return sorted(detections, key=lambda detection: -detection.score)


def _square_around(keypoints_px: Float[Array, "21 2"]) -> Square:
    """Square to search for a hand that was here."""
    low, high = keypoints_px.min(axis=0), keypoints_px.max(axis=0)
    side = max(_LOST_SCALE * float((high - low).max()), 64.0)
    left, top = 0.5 * (low + high) - 0.5 * side
    return Square(float(left), float(top), side)


def _without_duplicates(hands: list[_Known]) -> list[_Known]:
    """The hands without those that lie on an earlier one: known before new, sure before unsure."""
    kept: list[_Known] = []
    for hand in hands:
        px = hand.seen.keypoints_px
        if not any(are_one_hand(px, other.seen.keypoints_px, _SAME_HAND) for other in kept):
            kept.append(hand)
    return kept
