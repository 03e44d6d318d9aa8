"""Video files in and out through PyAV (FFmpeg's libraries)."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, suppress
from fractions import Fraction
from pathlib import Path
from types import TracebackType
from typing import Any, final

import numpy as np

from hand4d_ros.errors import MediaError
from hand4d_ros.imaging import MAX_PIXELS
from hand4d_ros.replay.media import MediaOptions, camera_of_video
from hand4d_ros.replay.outputs import output_errors, staged
from hand4d_ros.shapes import Array, UInt8
from hand4d_ros.types import Frame

NS_PER_S = 1_000_000_000
FIRST_STAMP_NS = NS_PER_S
"""Stamp of the instant 0 of a video, which has no date: ROS takes a stamp of 0 for not set."""

_TICKS_PER_S = 90_000
_MISSING_SHARE = 0.02


class VideoFile:
    """A video that is open for reading. Frames are stamped by their presentation times."""

    has_poses = False

    def __init__(self, path: Path, options: MediaOptions | None = None) -> None:
        """Read the header and one frame of a video.

        Raises:
            MediaError: It is missing, no video, damaged, or the options do not fit it.
        """
        self.path = path
        with _opened(path) as container:
            stream = container.streams.video[0]
            self.frame_count = int(stream.frames)
            self._fallback_rate = Fraction(stream.average_rate or 30)
            first = next(_decoded(path, container), None)
            if first is None:
                msg = f"{path} holds no frame; it is truncated, or no video"
                raise MediaError(msg)
            height_px, width_px = _upright(path, first).shape[:2]
        self.camera, self.note = camera_of_video(width_px, height_px, options or MediaOptions())

    @property
    def rate_hz(self) -> float:
        """Mean number of frames per second, as the file states it."""
        return float(self._fallback_rate)

    def frames(self) -> Iterator[Frame]:
        """Yield every frame, upright, in RGB.

        Raises:
            MediaError: The file breaks off or is damaged.
        """
        count = 0
        size = (self.camera.height_px, self.camera.width_px)
        with _opened(self.path) as container:
            for decoded in _decoded(self.path, container):
                image = _upright(self.path, decoded)
                if image.shape[:2] != size:
                    msg = f"{self.path}: frame {count} has the size {image.shape[:2]}, not {size}"
                    raise MediaError(msg)
                yield Frame(self._stamp_ns(decoded, count), image, self.camera)
                count += 1
        if count < self.frame_count * (1.0 - _MISSING_SHARE) - 1:
            msg = (
                f"{self.path} is truncated: it breaks off after {count} of {self.frame_count} "
                "frames; to keep those, type: ffmpeg -i BROKEN -c copy WHOLE"
            )
            raise MediaError(msg)

    def _stamp_ns(self, decoded: Any, index: int) -> int:
        """Return the capture time, exactly; counted frames stand in for missing times."""
        if decoded.pts is None or decoded.time_base is None:
            seconds = Fraction(index) / self._fallback_rate
        else:
            seconds = decoded.pts * Fraction(decoded.time_base)
        return FIRST_STAMP_NS + round(seconds * NS_PER_S)


@final
class VideoWriter:
    """An H.264 file in MP4 that browsers play, written aside and renamed at the end.

    Frames keep their stamps: the file's frame rate is as uneven as they are.
    """

    def __init__(self, path: Path, rate_hz: float = 30.0, crf: int = 21) -> None:
        """Name the file.

        Args:
            path: Where it goes, ``.mp4``.
            rate_hz: Nominal frame rate, for players that show one.
            crf: Constant rate factor of x264: 18 is visually lossless, 28 is small.
        """
        self.path = path
        self._rate = Fraction(rate_hz).limit_denominator(1001)
        self._crf = crf
        self._stack = ExitStack()
        self._container: Any = None
        self._stream: Any = None
        self._first_ns = 0
        self._last_tick = -1

    def __enter__(self) -> VideoWriter:
        """Open the file.

        Raises:
            MediaError: The folder cannot be written.
        """
        import av

        with ExitStack() as stack:
            aside = stack.enter_context(staged(self.path, MediaError))
            with output_errors(self.path, MediaError):
                options = {"movflags": "faststart"}
                self._container = av.open(str(aside), "w", format="mp4", options=options)
            stack.push(self._finish)
            self._stack = stack.pop_all()
        return self

    def write(self, rgb: UInt8[Array, "h w 3"], stamp_ns: int) -> None:
        """Append a frame; a row or column is cut off an odd size, which H.264 does not have.

        Args:
            rgb: The picture; all have the size of the first.
            stamp_ns: When it is shown, later than the one before.

        Raises:
            MediaError: It cannot be encoded or written.
        """
        import av

        if self._container is None:
            msg = f"{self.path} is not open; use the writer in a with statement"
            raise MediaError(msg)
        height, width = (size - size % 2 for size in rgb.shape[:2])
        with output_errors(self.path, MediaError), _av_errors(self.path):
            if self._stream is None:
                self._first_ns = stamp_ns
                self._stream = self._new_stream(width, height)
            frame = av.VideoFrame.from_ndarray(
                np.ascontiguousarray(rgb[:height, :width]), format="rgb24"
            )
            tick = round((stamp_ns - self._first_ns) * _TICKS_PER_S / NS_PER_S)
            self._last_tick = frame.pts = max(tick, self._last_tick + 1)
            frame.time_base = Fraction(1, _TICKS_PER_S)
            self._container.mux(self._stream.encode(frame))

    def _new_stream(self, width: int, height: int) -> Any:
        stream = self._container.add_stream("libx264", rate=self._rate)
        stream.width, stream.height, stream.pix_fmt = width, height, "yuv420p"
        stream.codec_context.time_base = Fraction(1, _TICKS_PER_S)
        # Two keyframes a second let people scrub; veryfast costs a tenth more bytes than medium.
        stream.options = {"crf": str(self._crf), "preset": "veryfast", "g": "15"}
        return stream

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Finish the file and move it to its place, or remove it after an error."""
        self._stack.__exit__(kind, error, trace)

    def _finish(
        self,
        _kind: type[BaseException] | None,
        error: BaseException | None,
        _trace: TracebackType | None,
    ) -> None:
        container, self._container = self._container, None
        if error is not None or self._stream is None:
            with suppress(OSError, ValueError):
                container.close()
            if error is None:
                msg = f"{self.path} would be a video without a frame"
                raise MediaError(msg)
            return
        with output_errors(self.path, MediaError), _av_errors(self.path):
            container.mux(self._stream.encode())
            container.close()


class _av_errors:  # noqa: N801 - reads as a context manager.
    """Turns what FFmpeg reports into a ``MediaError`` that names the file."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def __enter__(self) -> None:
        """Nothing to prepare."""

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: object
    ) -> None:
        import av

        if isinstance(error, av.FFmpegError) and not isinstance(error, OSError):
            msg = f"{self._path}: {error.strerror or error}"
            raise MediaError(msg) from error


def _opened(path: Path) -> Any:
    """Open a container that has a video stream of a sane size."""
    import av

    try:
        container = av.open(str(path))
    except (av.FFmpegError, OSError, ValueError) as error:
        msg = (
            f"{path} cannot be read as a video: {getattr(error, 'strerror', '') or error}; it is "
            "truncated, or of another kind"
        )
        raise MediaError(msg) from error
    if not container.streams.video:
        container.close()
        msg = f"{path} has no video stream; it is truncated, or of another kind"
        raise MediaError(msg)
    stream = container.streams.video[0]
    if not 0 < (stream.width or 0) * (stream.height or 0) <= MAX_PIXELS:
        container.close()
        msg = f"{path} has frames of {stream.width} x {stream.height} pixels, which is refused"
        raise MediaError(msg)
    return container


def _decoded(path: Path, container: Any) -> Iterator[Any]:
    """Yield decoded frames; what FFmpeg cannot decode is an error that names the frame."""
    import av

    stream = container.streams.video[0]
    # Frames are decoded on several threads; the order stays that of presentation.
    stream.thread_type = "AUTO"
    frames = container.decode(stream)
    count = 0
    while True:
        try:
            frame = next(frames)
        except StopIteration:
            return
        except (av.FFmpegError, OSError) as error:
            msg = f"{path} is damaged after frame {count}: {error.strerror or error}"
            raise MediaError(msg) from error
        yield frame
        count += 1


def _upright(path: Path, decoded: Any) -> UInt8[Array, "h w 3"]:
    """Return a frame in RGB, turned as its display matrix asks (phones film sideways)."""
    image = decoded.to_ndarray(format="rgb24")
    degrees = int(getattr(decoded, "rotation", 0) or 0)
    if degrees % 90:
        msg = f"{path} is to be shown turned by {degrees} degrees; only quarter turns are possible"
        raise MediaError(msg)
    return np.ascontiguousarray(np.rot90(image, degrees // 90 % 4))
