"""Percentiles and rates over a sliding window."""

from __future__ import annotations

import math

from hand4d_ros.ros.meters import LatencyBook, RateMeter


def test_percentiles_of_known_durations() -> None:
    """Of 0..100 ms the percentiles are the numbers themselves."""
    book = LatencyBook(size=1000)
    for duration_ms in range(101):
        book.add("detect", float(duration_ms))
    spread = book.percentiles("detect")
    assert (spread.p50_ms, spread.p95_ms, spread.p99_ms, spread.count) == (50.0, 95.0, 99.0, 101)


def test_old_durations_leave_the_window() -> None:
    """Only the last durations count."""
    book = LatencyBook(size=10)
    for duration_ms in [1000.0] * 50 + [1.0] * 10:
        book.add("track", duration_ms)
    assert book.percentiles("track").p99_ms == 1.0


def test_nothing_measured_is_nan_and_nan_is_nothing_measured() -> None:
    """An empty stage has no percentiles, and NaN does not enter the book."""
    book = LatencyBook()
    book.add("latency", math.nan)
    assert math.isnan(book.percentiles("latency").p50_ms)
    assert book.stages() == ()


def test_rate_of_a_steady_stream() -> None:
    """Thirty events a second are thirty hertz, before the window is full and after."""
    now_s = [0.0]
    meter = RateMeter(lambda: now_s[0], window_s=5.0)
    for frame in range(1, 601):
        now_s[0] = frame / 30.0
        meter.tick()
        if frame in (30, 600):
            assert abs(meter.rate_hz - 30.0) < 0.5
    assert meter.total == 600


def test_rate_and_age_after_the_stream_ends() -> None:
    """The rate falls to zero, and the age is that of the last event."""
    now_s = [10.0]
    meter = RateMeter(lambda: now_s[0], window_s=5.0)
    assert meter.age_s == math.inf
    meter.tick()
    now_s[0] = 30.0
    assert meter.rate_hz == 0.0
    assert meter.age_s == 20.0
