"""Sentences for people in, log lines out: each said once, or again after some seconds.

A fault that occurs with every image must be said, but not thirty times a second.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import Any, Literal

Level = Literal["info", "warning", "error"]

REPEAT_S = 5.0
"""A fault that goes on is said again after this time (s)."""


class Announcer:
    """Log of one node that does not repeat itself; safe to use from several threads."""

    def __init__(self, logger: Any, clock_s: Callable[[], float] = time.monotonic) -> None:
        """Write to a logger.

        Args:
            logger: Has ``info``, ``warning`` and ``error``, such as that of an rclpy node.
            clock_s: Monotonic time (s); not ROS time, which may stand still.
        """
        self._logger = logger
        self._clock_s = clock_s
        self._lock = threading.Lock()
        self._said_s: dict[str, float] = {}

    def once(self, key: str, text: str, level: Level = "warning") -> bool:
        """Say something unless it was said already.

        Args:
            key: What it is about.
            text: The sentence.
            level: How bad it is.

        Returns:
            Whether it was said now.
        """
        return self._say(key, text, level, float("inf"))

    def repeatedly(self, key: str, text: str, level: Level = "warning") -> bool:
        """Say something unless it was said within the last ``REPEAT_S`` seconds.

        Args:
            key: What it is about.
            text: The sentence.
            level: How bad it is.

        Returns:
            Whether it was said now.
        """
        return self._say(key, text, level, REPEAT_S)

    def forget(self, key: str) -> None:
        """Say the sentence of this key again when it is true again.

        Args:
            key: What it is about.
        """
        with self._lock:
            self._said_s.pop(key, None)

    def _say(self, key: str, text: str, level: Level, repeat_s: float) -> bool:
        now_s = self._clock_s()
        with self._lock:
            last_s = self._said_s.get(key)
            if last_s is not None and now_s - last_s < repeat_s:
                return False
            self._said_s[key] = now_s
        # rclpy remembers the level of each line of code that logs and refuses another level on
        # the same line, so each level has a line of its own.
        if level == "info":
            self._logger.info(text)
        elif level == "warning":
            self._logger.warning(text)
        else:
            self._logger.error(text)
        return True
