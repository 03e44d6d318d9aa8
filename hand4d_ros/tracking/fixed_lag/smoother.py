"""The fixed-lag smoother of both hands: Dyn-HaMR's costs, frame by frame, at a bounded cost."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from hand4d_ros.detection.landmarks import LANDMARKS
from hand4d_ros.hand.model import HandModel
from hand4d_ros.hand.sizing import hand_size
from hand4d_ros.shapes import Array, Float
from hand4d_ros.tracking.fixed_lag import states as rows
from hand4d_ros.tracking.fixed_lag.config import FixedLagConfig
from hand4d_ros.tracking.fixed_lag.ratio import Ratio, RatioFilter
from hand4d_ros.tracking.fixed_lag.solver import Linearised, prior_from_oldest, step
from hand4d_ros.tracking.fixed_lag.terms import own_terms
from hand4d_ros.tracking.fixed_lag.window import Seen, Window
from hand4d_ros.types import CameraModel, Frame, HandDetection, HandState, Side

_PALM = [0, 5, 9, 13, 17]
_METRIC_STD, _UNKNOWN_STD = 0.01, 0.7
"""Of the logarithm of the world scale."""
_OFF, _OFF_FRAMES = 0.4, 3
"""Where frames insist that the hand is so far off in the image, in its own sizes, the past was
wrong. Depth does not count: its errors are large and mend themselves."""


@dataclass
class _Track:
    """A window, where its last step started, and the hand as last seen."""

    window: Window
    at: Linearised | None = None
    last: HandState | None = None
    last_ns: int = 0
    off: int = 0
    """Frames in a row that show something else."""


class FixedLag:
    """Smooths what single frames say of both hands, and fills in where they say nothing."""

    def __init__(self, config: FixedLagConfig, right_hand: HandModel) -> None:
        """Smooth hands of one person.

        Args:
            config: Settings.
            right_hand: The right hand model.
        """
        self.config = config
        self._models = {Side.RIGHT: right_hand, Side.LEFT: right_hand.mirrored()}
        self._size_std = config.size_std or hand_size(right_hand).relative_std(right_hand)
        scale_std = _METRIC_STD if config.odometry_is_metric else _UNKNOWN_STD
        self._ratio = RatioFilter(config, self._size_std, scale_std)
        self._tracks: dict[Side, _Track] = {}
        self._assumed: rows.Assumed | None = None
        self._camera: CameraModel | None = None
        self._landmarks = np.eye(21)
        self._origin: Float[Array, "3"] | None = None

    @property
    def ratio(self) -> Ratio:
        """What is known of world scale and hand size."""
        return self._ratio.estimate

    def reset(self) -> None:
        """Forget the past but for what was learnt of the person and the odometry."""
        self._tracks.clear()
        self._ratio.forget_motion()
        self._origin = None

    def forget(self, side: Side) -> None:
        """Forget one hand, as where it jumped."""
        self._tracks.pop(side, None)

    def in_metres(self, T_odom_camera: Float[Array, "4 4"]) -> Float[Array, "4 4"]:
        """Pose of the camera in the published world: distances from the first pose, scaled."""
        if self.config.odometry_is_metric:
            return T_odom_camera
        if self._origin is None:
            self._origin = T_odom_camera[:3, 3].copy()
        out = T_odom_camera.copy()
        out[:3, 3] = self._origin + self.ratio.world_scale * (out[:3, 3] - self._origin)
        return out

    def infills(self, side: Side) -> bool:
        """Whether a frame in which this hand was seen is still in its window."""
        track = self._tracks.get(side)
        return track is not None and bool(track.window.seen.any())

    def update(
        self,
        frame: Frame,
        states: Sequence[HandState],
        detections: Sequence[HandDetection] = (),
        held: Collection[Side] = (),
    ) -> dict[Side, HandState]:
        """Take one frame and return its hands, smoothed, in the published world.

        Args:
            frame: The frame; one without a pose of the camera is passed over.
            states: Hands in the camera frame, at most one a side.
            detections: What they were made of, for the detector's landmarks and 3D keypoints.
            held: Sides to be filled in where they are not among the states.
        """
        T = frame.T_world_camera
        if T is None:
            return {}
        if self._camera != frame.camera:
            self._tracks.clear()
        self._camera = frame.camera
        assumed = self._assumed
        if states and (assumed is None or (assumed.hand.betas != states[0].betas).any()):
            assumed = rows.Assumed(self._models[Side.RIGHT], states[0].betas)
            self._assumed = assumed
        if assumed is None:
            return {}
        if self.config.estimate_ratio:
            palms = {s.side: T[:3, :3] @ s.keypoints_m[_PALM].mean(axis=0) for s in states}
            self._ratio.add(frame.stamp_ns, T[:3, 3], palms)
        found = {d.side: d for d in detections}
        seen = {s.side: s for s in states}
        newest = self._take(frame, T, assumed, seen, found, held)
        self._solve(assumed, frame.camera)
        out = self._results(frame, T, assumed, seen, found)
        for side in seen:
            self._doubt(self._tracks[side], out[side], newest[side])
        return out

    def _take(
        self,
        frame: Frame,
        T: Float[Array, "4 4"],
        assumed: rows.Assumed,
        seen: Mapping[Side, HandState],
        found: Mapping[Side, HandDetection],
        held: Collection[Side],
    ) -> dict[Side, Seen]:
        """Let every window have the frame, and marginalise what is older than the lag.

        Returns:
            The hands seen, as the frame alone has them.
        """
        newest = {}
        for side in Side:
            track = self._tracks.get(side)
            if side in seen:
                detection = found.get(side)
                if detection is not None:
                    self._landmarks = LANDMARKS[detection.landmarks]
                new = rows.observed(
                    *(self.config, assumed.anatomy, frame, T, seen[side], detection)
                )
                if track is None:
                    track = self._tracks[side] = _Track(Window(rows.SIGNS[side]))
                newest[side] = new
                new = rows.started(track.window, new, self.ratio.ratio)
            elif track is not None and side in held:
                new = rows.unseen(frame.stamp_ns, T, track.window, self.ratio.ratio)
            else:
                self._tracks.pop(side, None)
                continue
            if len(track.window) > self.config.lag_frames and track.at is not None:
                track.window.drop_first(prior_from_oldest(track.at))
            track.window.append(new)
        return newest

    def _doubt(self, track: _Track, state: HandState, alone: Seen) -> None:
        """Start a window anew where frames keep contradicting it; the next one shows it."""
        size_px = float(np.ptp(state.keypoints_px, axis=0).max())
        track.off = track.off + 1 if state.reprojection_px > _OFF * size_px else 0
        if track.off >= _OFF_FRAMES:
            track.window, track.at, track.off = Window(track.window.sign), None, 0
            track.window.append(alone)

    def _solve(self, assumed: rows.Assumed, camera: CameraModel) -> None:
        """Move all windows by a step or a few; a lone frame stays as it is."""
        tracks = list(self._tracks.values())
        if not tracks:
            return
        windows = [each.window for each in tracks]
        for _ in range(self.config.iterations):
            own = own_terms(
                *(assumed.hand, assumed.anatomy, self.config, camera, self._landmarks, windows)
            )
            first = 0
            for each in tracks:
                n = len(each.window)
                if n > 1:
                    part = own.part(slice(first, first + n))
                    each.at = step(self.config, each.window, part, self.ratio.ratio)
                first += n

    def _results(
        self,
        frame: Frame,
        T: Float[Array, "4 4"],
        assumed: rows.Assumed,
        seen: Mapping[Side, HandState],
        found: Mapping[Side, HandDetection],
    ) -> dict[Side, HandState]:
        """The newest frame of every window in the published world."""
        ratio = self.ratio
        T_world_camera = self.in_metres(T)
        betas = assumed.scaled_betas(ratio.size)
        out = {}
        for side, track in self._tracks.items():
            hand = self._models[side].with_shape(betas)
            at = rows.placed(
                *(side, track.window, assumed.anatomy, hand, T_world_camera[:3, 3], ratio.size)
            )
            if side in seen:
                track.last = rows.observed_state(
                    *(frame, T_world_camera, seen[side], found.get(side), at, ratio),
                    self._size_std,
                )
                out[side], track.last_ns = track.last, frame.stamp_ns
            elif track.last is not None:
                age_s = (frame.stamp_ns - track.last_ns) * 1e-9
                out[side] = rows.unseen_state(track.last, age_s, at)
        return out
