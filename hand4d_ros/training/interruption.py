"""SIGINT and SIGTERM as a wish to stop, granted after the step in progress."""

from __future__ import annotations

import signal
import threading
from types import FrameType, TracebackType
from typing import Any, final

_SIGNALS = (signal.SIGINT, signal.SIGTERM)


@final
class Interruption:
    """While entered, the first signal is noted; a second one acts as it did before."""

    def __init__(self) -> None:
        """Note nothing yet."""
        self.received: signal.Signals | None = None
        self._before: dict[signal.Signals, Any] = {}

    def __enter__(self) -> Interruption:
        """Take over the signals, where this thread may."""
        # Python delivers signals to the main thread only and lets no other set handlers.
        if threading.current_thread() is threading.main_thread():
            self._before = {number: signal.signal(number, self._note) for number in _SIGNALS}
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Give the signals back."""
        self._give_back()

    def _note(self, number: int, _frame: FrameType | None) -> None:
        self.received = signal.Signals(number)
        self._give_back()

    def _give_back(self) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)
        self._before = {}
