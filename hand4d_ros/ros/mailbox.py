"""Callbacks in, the newest item out: a one-slot mailbox that never queues.

A camera is faster than a detector now and then. A queue turns that into latency that stays; one
slot turns it into a dropped frame that is counted.
"""

from __future__ import annotations

import threading
from collections import Counter
from typing import Generic, TypeVar

ItemT = TypeVar("ItemT")


class DropCounter:
    """Counts of refused frames by reason, shared between threads."""

    def __init__(self) -> None:
        """Start with no reason counted."""
        self._lock = threading.Lock()
        self._counts: Counter[str] = Counter()

    def add(self, reason: str, count: int = 1) -> None:
        """Count drops.

        Args:
            reason: A word such as ``repeated_stamp``.
            count: How many frames were dropped for it now.
        """
        with self._lock:
            self._counts[reason] += count

    def snapshot(self) -> dict[str, int]:
        """Return the counts by reason, the reasons in alphabetical order."""
        with self._lock:
            return dict(sorted(self._counts.items()))

    @property
    def total(self) -> int:
        """Drops of all reasons."""
        with self._lock:
            return sum(self._counts.values())


class Mailbox(Generic[ItemT]):
    """One slot between a callback and a worker thread; a newer item replaces an older one."""

    def __init__(self, drops: DropCounter, reason: str = "overtaken") -> None:
        """Make an empty, open mailbox.

        Args:
            drops: Counts the items that a newer one replaced before they were taken.
            reason: Under which reason.
        """
        self._drops = drops
        self._reason = reason
        self._condition = threading.Condition()
        self._item: ItemT | None = None
        self._open = True

    def put(self, item: ItemT) -> None:
        """Leave an item; one that was not taken yet is dropped and counted.

        Args:
            item: The newest item. After ``close`` it is ignored.
        """
        with self._condition:
            if not self._open:
                return
            if self._item is not None:
                self._drops.add(self._reason)
            self._item = item
            self._condition.notify()

    def take(self, timeout_s: float) -> ItemT | None:
        """Wait for an item and take it.

        Args:
            timeout_s: The longest wait.

        Returns:
            The newest item, or None where none came or the mailbox was closed.
        """
        with self._condition:
            self._condition.wait_for(lambda: self._item is not None or not self._open, timeout_s)
            item, self._item = self._item, None
            return item

    def close(self) -> None:
        """Refuse further items, forget the one inside and wake whoever waits."""
        with self._condition:
            self._open = False
            self._item = None
            self._condition.notify_all()
