"""A fault is said once or now and then, never with every image."""

from __future__ import annotations

from hand4d_ros.ros.announce import REPEAT_S, Announcer


class _Log:
    """Remembers what was logged."""

    def __init__(self) -> None:
        self.lines: list[str] = []

    def info(self, text: str) -> None:
        self.lines.append(f"info {text}")

    def warning(self, text: str) -> None:
        self.lines.append(f"warning {text}")

    def error(self, text: str) -> None:
        self.lines.append(f"error {text}")


def test_once_is_once_for_each_key() -> None:
    """The second time is silent; another key is not."""
    log = _Log()
    announcer = Announcer(log)
    assert announcer.once("a", "first")
    assert not announcer.once("a", "second")
    assert announcer.once("b", "other", "info")
    assert log.lines == ["warning first", "info other"]


def test_repeatedly_keeps_its_distance() -> None:
    """At thirty times a second for eleven seconds it is said three times."""
    log, now_s = _Log(), [100.0]
    announcer = Announcer(log, lambda: now_s[0])
    for frame in range(330):
        now_s[0] = 100.0 + frame / 30.0
        announcer.repeatedly("fault", "again", "error")
    assert log.lines == ["error again"] * (1 + int(11.0 / REPEAT_S))


def test_forgetting_says_it_again() -> None:
    """A fault that was gone is announced when it comes back."""
    log = _Log()
    announcer = Announcer(log)
    announcer.once("a", "gone")
    announcer.forget("a")
    assert announcer.once("a", "back")
