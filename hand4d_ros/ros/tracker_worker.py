"""The tracker's own threads: the newest image in, hands on the network out.

Callbacks of the node only store what arrives; everything that takes time happens here, so the
node answers services while an image is worked on. One thread finds the hands of an image while
the other makes messages of those of the image before: the networks leave Python alone, so with two
cores an image takes no longer and the next one need not wait.
"""

from __future__ import annotations

import dataclasses
import queue
import threading
import time
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any, Protocol, TypeVar, runtime_checkable

from hand4d_ros import wire
from hand4d_ros.errors import DetectionError, Hand4DError, RosError
from hand4d_ros.pipeline import Look, PipelineResult
from hand4d_ros.ros.announce import Announcer
from hand4d_ros.ros.camera_input import CameraInput, NoCamera
from hand4d_ros.ros.diagnostics import Statistics
from hand4d_ros.ros.images import rgb_from_message
from hand4d_ros.ros.mailbox import Mailbox
from hand4d_ros.ros.odometry_input import CameraPose, OdometryInput
from hand4d_ros.ros.tracker_config import TrackerNodeConfig
from hand4d_ros.ros.tracker_outputs import TrackerOutputs
from hand4d_ros.types import CameraModel, Frame, TrackingState

_TAKE_TIMEOUT_S = 0.2
_LATENCY_LIMIT_MS = 60_000.0
_T = TypeVar("_T")


@runtime_checkable
class Pipeline(Protocol):
    """What the node needs of ``hand4d_ros.pipeline.HandPipeline``."""

    @property
    def model_id(self) -> str:
        """Estimator and weights."""
        ...

    @property
    def hand(self) -> Any:
        """The hand model; its name goes into every message."""
        ...

    def look(self, frame: Frame, *, anew: bool = False) -> Look:
        """Find the hands of one frame."""
        ...

    def conclude(self, look: Look) -> PipelineResult:
        """Make hands in the world of them."""
        ...

    def reset(self) -> None:
        """Forget the past."""
        ...

    def warm_up(self, camera: CameraModel) -> None:
        """Run every stage once."""
        ...

    def close(self) -> None:
        """Free what is held."""
        ...


@dataclasses.dataclass(frozen=True)
class _Job:
    """An image on its way."""

    look: Look
    pipeline: Pipeline
    config: TrackerNodeConfig
    pose_reason: str
    """Why there is no pose; empty where there is one."""


class TrackerWorker:
    """Works on the newest image, and on the one before."""

    def __init__(
        self,
        build_pipeline: Callable[[], Pipeline],
        cameras: CameraInput,
        odometry: OdometryInput,
        outputs: TrackerOutputs,
        announcer: Announcer,
        *,
        statistics: Statistics,
        config: Callable[[], TrackerNodeConfig],
        now_ns: Callable[[], int],
    ) -> None:
        """Build the pipeline; nothing runs before ``start``.

        Args:
            build_pipeline: Makes a warmed-up pipeline; called again after repeated failures.
            cameras: Intrinsics for every image.
            odometry: Pose for every image.
            outputs: Publishes.
            announcer: Says what goes wrong.
            statistics: Counted into.
            config: The node's config at this moment.
            now_ns: ROS time.
        """
        self._build_pipeline = build_pipeline
        self._pipeline: Pipeline | None = build_pipeline()
        self._cameras = cameras
        self._odometry = odometry
        self._outputs = outputs
        self._announcer = announcer
        self._statistics = statistics
        self._config = config
        self._now_ns = now_ns
        self._mailbox: Mailbox[Any] = Mailbox(statistics.drops)
        self._jobs: queue.Queue[_Job | None] = queue.Queue(maxsize=1)
        self._threads: tuple[threading.Thread, ...] = ()
        self._stop = threading.Event()
        self._last_hands: wire.TrackedHands | None = None
        self._last_ns: int | None = None

    @property
    def detector(self) -> object:
        """What finds the hands, to be fed where detections come from outside; None without."""
        return getattr(self._pipeline, "detector", None)

    @property
    def model_id(self) -> str:
        """Estimator and weights; empty while there is no pipeline."""
        return "" if self._pipeline is None else self._pipeline.model_id

    def put(self, message: Any) -> None:
        """Leave the newest image; called by the subscription.

        Args:
            message: ``sensor_msgs/Image`` or ``CompressedImage``.
        """
        self._statistics.received.tick()
        self._mailbox.put(message)

    def start(self) -> None:
        """Work on images as they come."""
        self._stop.clear()
        self._mailbox = Mailbox(self._statistics.drops)
        self._threads = (
            threading.Thread(target=self._find, name="tracker-find", daemon=True),
            threading.Thread(target=self._conclude, name="tracker-conclude", daemon=True),
        )
        for thread in self._threads:
            thread.start()

    def stop(self) -> None:
        """Finish the images at hand, declare the hands lost and rest."""
        if not self._threads:
            return
        self._stop.set()
        self._mailbox.close()
        for thread in self._threads:
            thread.join()
        self._threads = ()
        self._lose_hands()
        if self._pipeline is not None:
            self._pipeline.reset()

    def close(self) -> None:
        """Stop, and free the pipeline."""
        self.stop()
        pipeline, self._pipeline = self._pipeline, None
        if pipeline is not None:
            pipeline.close()

    def _find(self) -> None:
        """First thread: find the hands of the newest image."""
        while not self._stop.is_set():
            message = self._mailbox.take(_TAKE_TIMEOUT_S)
            if message is None:
                continue
            with self._guarded():
                self._jobs.put(self._found(message))
                continue
            self._statistics.finished += 1
        self._jobs.put(None)

    def _conclude(self) -> None:
        """Second thread: make hands in the world of what was found, and publish them."""
        while (job := self._jobs.get()) is not None:
            with self._guarded():
                result = self._attempt(partial(job.pipeline.conclude, job.look), job.config)
                self._check(result, job)
                self._publish(result, job.pipeline, job.config)
            self._statistics.finished += 1

    @contextmanager
    def _guarded(self) -> Iterator[None]:
        """Count an image that is dropped; one bad image must not end the node."""
        try:
            yield
        except _Dropped as drop:
            self._statistics.drops.add(drop.reason)
        except Exception:  # noqa: BLE001 - whatever it is, the next image may be better.
            self._statistics.drops.add("internal_error")
            self._announcer.repeatedly("internal_error", traceback.format_exc(), "error")

    def _found(self, message: Any) -> _Job:
        config = self._config()
        frame, pose = self._frame_from(message, config)
        pipeline = self._pipeline_or_drop()
        look = self._attempt(partial(pipeline.look, frame, anew=pose.jumped), config)
        return _Job(look, pipeline, config, pose.reason)

    def _check(self, result: PipelineResult, job: _Job) -> None:
        """Count why an image, or what it was missing, was refused."""
        for reason in result.dropped:
            # The exact reason of a missing pose is known here, and a jump in time drops nothing.
            if reason not in ("no_odometry", "time_jump"):
                raise _Dropped(reason)
        if job.pose_reason:
            self._statistics.drops.add(job.pose_reason)
        self._statistics.failures = 0
        for stage, duration_ms in result.stage_ms.items():
            self._statistics.stages.add(stage, duration_ms)

    def _frame_from(self, message: Any, config: TrackerNodeConfig) -> tuple[Frame, CameraPose]:
        stamp_ns = wire.ns_from_time(message.header.stamp)
        if stamp_ns <= 0:
            self._announcer.repeatedly(
                "no_stamp", "images have no stamp (0): the driver must stamp them at capture"
            )
            raise _Dropped("no_stamp")
        self._watch_time(stamp_ns, config.pipeline.tracker.reset_after_s)
        with self._timed("decode"):
            try:
                image = rgb_from_message(message)
            except RosError as error:
                self._announcer.repeatedly("bad_image", f"unreadable image: {error}", "error")
                raise _Dropped("bad_image") from None
        try:
            camera = self._cameras.camera_for(image.shape[1], image.shape[0], stamp_ns)
        except NoCamera as error:
            raise _Dropped(error.reason) from None
        camera_frame = config.camera_frame or message.header.frame_id or "camera"
        with self._timed("wait"):
            pose = self._odometry.pose_at(stamp_ns, camera_frame)
        # Without a pose an image goes on only to move the hands that there are.
        if pose.T_world_camera is None and (not pose.world_frame or self._last_hands is None):
            raise _Dropped(pose.reason)
        frame = Frame(stamp_ns, image, camera, pose.T_world_camera, camera_frame, pose.world_frame)
        return frame, pose

    def _attempt(self, work: Callable[[], _T], config: TrackerNodeConfig) -> _T:
        """Do one half of a step; where it fails again and again the pipeline is built anew."""
        statistics = self._statistics
        try:
            return work()
        except Exception as error:
            kind = "detector_error" if isinstance(error, DetectionError) else "pipeline_error"
            expected = isinstance(error, Hand4DError)
            text = str(error) if expected else traceback.format_exc()
            statistics.failures += 1
            statistics.last_failure = f"{type(error).__name__}: {error}"
            self._announcer.repeatedly(kind, f"the pipeline failed: {text}", "error")
            if statistics.failures >= config.max_failures:
                self._rebuild()
            raise _Dropped(kind) from error

    def _pipeline_or_drop(self) -> Pipeline:
        if self._pipeline is None:
            self._rebuild()
        if self._pipeline is None:
            raise _Dropped("no_pipeline")
        return self._pipeline

    def _rebuild(self) -> None:
        """Build the pipeline again, as its detector fails and goes on failing."""
        pipeline, self._pipeline = self._pipeline, None
        self._statistics.failures = 0
        self._statistics.rebuilt += 1
        self._announcer.repeatedly("rebuild", "the pipeline keeps failing and is built again")
        try:
            if pipeline is not None:
                pipeline.close()
            self._pipeline = self._build_pipeline()
        except Exception as error:  # noqa: BLE001 - whatever it is, the next image tries again.
            self._statistics.last_failure = f"{type(error).__name__}: {error}"
            self._announcer.repeatedly(
                "no_pipeline", f"the pipeline cannot be built: {error}", "error"
            )

    def _watch_time(self, stamp_ns: int, reset_after_s: float) -> None:
        """Forget what came before a jump back in time; the pipeline does so for itself."""
        last_ns = self._last_ns
        back_s = 0.0 if last_ns is None else (last_ns - stamp_ns) * 1e-9
        if 0.0 < back_s <= reset_after_s:
            return
        self._last_ns = stamp_ns
        if back_s <= 0.0:
            return
        self._statistics.time_jumps += 1
        self._last_hands = None
        self._odometry.forget_future(stamp_ns)
        self._announcer.repeatedly(
            "time_jump",
            f"time jumped back by {back_s:.1f} s, as in a bag that loops: "
            "hands and odometry start anew",
        )

    def _publish(
        self, result: PipelineResult, pipeline: Pipeline, config: TrackerNodeConfig
    ) -> None:
        statistics = self._statistics
        statistics.tracks = result.tracks
        hands = wire.TrackedHands(
            stamp_ns=result.stamp_ns,
            tracks=result.tracks,
            world_frame=result.frame.world_frame,
            camera_frame=result.frame.camera_frame,
            T_world_camera=result.frame.T_world_camera,
            hand_model=pipeline.hand.name,
            model_id=pipeline.model_id,
        )
        with self._timed("publish"):
            try:
                message = self._outputs.hands_message(hands)
            except RosError as error:
                self._announcer.repeatedly("not_finite", str(error), "error")
                raise _Dropped("not_finite") from None
            self._outputs.publish_hands(message, self._latency_ms(result.stamp_ns))
            statistics.published.tick()
            self._last_hands = hands
            self._outputs.publish_wrists(hands, config.publish)
        self._outputs.publish_pictures(result, hands, config.publish)

    def _latency_ms(self, stamp_ns: int) -> float:
        latency_ms = (self._now_ns() - stamp_ns) * 1e-6
        if not 0.0 <= latency_ms <= _LATENCY_LIMIT_MS:
            self._announcer.repeatedly(
                "clock",
                f"images are stamped {latency_ms * 1e-3:.1f} s before the node's clock: set "
                "use_sim_time when a bag is played, else synchronise the clocks",
            )
            return float("nan")
        self._statistics.stages.add("latency", latency_ms)
        return latency_ms

    def _lose_hands(self) -> None:
        """Publish the hands that were there last as lost, so that no one waits for them."""
        hands, self._last_hands = self._last_hands, None
        if hands is None:
            return
        # No image says so; its stamp must not be taken for that of the last image.
        stamp_ns = hands.stamp_ns + 1
        lost = tuple(
            dataclasses.replace(
                track, stamp_ns=stamp_ns, tracking_state=TrackingState.LOST, presence=0.0
            )
            for track in hands.tracks
            if track.tracking_state is not TrackingState.LOST
        )
        if lost:
            hands = dataclasses.replace(hands, stamp_ns=stamp_ns, tracks=lost)
            self._outputs.publish_hands(self._outputs.hands_message(hands), float("nan"))

    @contextmanager
    def _timed(self, stage: str) -> Iterator[None]:
        started_s = time.perf_counter()
        yield
        self._statistics.stages.add(stage, (time.perf_counter() - started_s) * 1e3)


class _Dropped(Exception):  # noqa: N818 - how an image leaves early, not a fault.
    """An image is not worked on further, for a reason that is counted."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason
