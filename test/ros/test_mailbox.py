"""The one-slot mailbox keeps the newest, counts the rest and never blocks for ever."""

from __future__ import annotations

import threading
from collections.abc import Callable

from hand4d_ros.ros.mailbox import DropCounter, Mailbox


def test_the_newest_item_wins_and_the_others_are_counted() -> None:
    """Ten items before one take: the last is there, nine were dropped."""
    drops = DropCounter()
    mailbox: Mailbox[int] = Mailbox(drops, "overtaken")
    for number in range(10):
        mailbox.put(number)
    assert mailbox.take(0.0) == 9
    assert mailbox.take(0.0) is None
    assert drops.snapshot() == {"overtaken": 9}


def test_a_waiting_taker_is_woken_by_an_item_and_by_closing() -> None:
    """A thread that waits gets the item at once, and nothing after close."""
    mailbox: Mailbox[str] = Mailbox(DropCounter())
    got: list[str | None] = []
    actions: tuple[Callable[[], None], ...] = (lambda: mailbox.put("frame"), mailbox.close)
    for action in actions:
        thread = threading.Thread(target=lambda: got.append(mailbox.take(30.0)))
        thread.start()
        action()
        thread.join(10.0)
        assert not thread.is_alive()
    assert got == ["frame", None]


def test_nothing_enters_a_closed_mailbox() -> None:
    """Items after close are ignored and not counted as dropped."""
    drops = DropCounter()
    mailbox: Mailbox[int] = Mailbox(drops)
    mailbox.close()
    mailbox.put(1)
    assert mailbox.take(0.0) is None
    assert drops.total == 0


def test_nothing_is_lost_between_threads() -> None:
    """Every item is either taken or counted as dropped."""
    drops = DropCounter()
    mailbox: Mailbox[int] = Mailbox(drops)
    taken: list[int] = []

    def take_all() -> None:
        while (item := mailbox.take(5.0)) is not None:
            taken.append(item)

    thread = threading.Thread(target=take_all)
    thread.start()
    for number in range(2000):
        mailbox.put(number)
    while mailbox.take(0.0) is not None:
        drops.add("overtaken")
    mailbox.close()
    thread.join(10.0)
    assert len(taken) + drops.total == 2000
    assert taken == sorted(taken)
