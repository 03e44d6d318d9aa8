"""A node class in, a process that ends cleanly out: what every executable's ``main`` runs.

rclpy's own handlers shut the context down while threads still publish, which ends in stack
traces. Here a signal only wakes the main thread, which stops the node first and rclpy last.
"""

from __future__ import annotations

import gc
import queue
import signal
import sys
import threading
import traceback
from collections.abc import Callable
from types import FrameType
from typing import Any, Protocol, runtime_checkable

import rclpy
import rclpy.executors
import rclpy.logging
import rclpy.utilities
from rclpy.signals import SignalHandlerOptions

from hand4d_ros.errors import Hand4DError
from hand4d_ros.ros import compat
from hand4d_ros.ros.announce import Announcer
from hand4d_ros.ros.middleware import make_room_for_images

EXIT_OK, EXIT_FAILURE, EXIT_USAGE = 0, 1, 2
_POLL_S = 0.5
_SIGNALS = (signal.SIGINT, signal.SIGTERM)


@runtime_checkable
class Process(Protocol):
    """A node that is a whole process: made, started, spun, closed."""

    def start(self) -> None:
        """Begin to work; the executor spins from now on.

        Raises:
            Hand4DError: If it cannot.
        """
        ...

    def close(self) -> None:
        """Finish, flush and free everything; nothing is published after it."""
        ...

    def destroy_node(self) -> Any:
        """Take the node off the network (rclpy's own)."""
        ...


class Done:
    """Tells the main thread to end the process, from any thread or signal handler."""

    def __init__(self) -> None:
        """Nothing is to end yet."""
        # The only primitive of the standard library that may be used in a signal handler.
        self._queue: queue.SimpleQueue[int] = queue.SimpleQueue()

    def __call__(self, code: int = EXIT_OK) -> None:
        """End the process.

        Args:
            code: Its exit code.
        """
        self._queue.put(code)

    def on_signal(self, number: int, frame: FrameType | None) -> None:
        """End the process with success: SIGINT and SIGTERM are how a node is asked to end."""
        del number, frame
        self._queue.put(EXIT_OK)

    def wait(self) -> int:
        """Wait until the process is to end and return its exit code."""
        return self._queue.get()


def run_process(
    make: Callable[[Done], Any], args: list[str] | None = None, *, threads: int = 1
) -> int:
    """Run one node until it is done or asked to end.

    Args:
        make: Makes the node (see ``Process``); it may call its argument to end the process.
        args: Command line; None takes that of the process.
        threads: Threads of the executor.

    Returns:
        Exit code: 0 done or asked to end, 1 failed, 2 a parameter is wrong.
    """
    done = Done()
    for number in _SIGNALS:
        signal.signal(number, done.on_signal)
    make_room_for_images()
    rclpy.init(args=args, signal_handler_options=SignalHandlerOptions.NO)
    try:
        return _run_node(make, done, threads)
    finally:
        # A ctrl-c in a terminal reaches a node twice, from the terminal and from the launch tool.
        # The second one must not kill the interpreter while it winds up.
        for number in _SIGNALS:
            signal.signal(number, signal.SIG_IGN)
        rclpy.utilities.try_shutdown()


def _run_node(make: Callable[[Done], Any], done: Done, threads: int) -> int:
    try:
        node: Any = make(done)
    except Hand4DError as error:
        sys.stderr.write(f"error: {error}\n")
        return EXIT_USAGE
    executor = Spinner(threads)
    executor.add_node(node)
    try:
        executor.start()
        node.start()
        # What is loaded by now stays. To walk through all of it in a full collection takes as long
        # as two images.
        gc.collect()
        gc.freeze()
        code = done.wait()
    except Hand4DError as error:
        node.get_logger().fatal(str(error))
        code = EXIT_FAILURE
    executor.stop()
    try:
        node.close()
    except Hand4DError as error:
        node.get_logger().fatal(str(error))
        code = EXIT_FAILURE
    node.destroy_node()
    return code


class Spinner:
    """An executor in a thread of its own, which survives a callback that raises."""

    def __init__(self, threads: int = 1, context: Any = None) -> None:
        """Make an executor at rest.

        Args:
            threads: 1 runs one callback at a time.
            context: rclpy context; None takes the default one.
        """
        self._executor: Any = (
            compat.make_executor(context)
            if threads == 1
            else rclpy.executors.MultiThreadedExecutor(threads, context=context)
        )
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._spin, name="spin", daemon=True)
        self._announcer = Announcer(rclpy.logging.get_logger("hand4d"))

    def add_node(self, node: Any) -> None:
        """Serve the callbacks of a node.

        Args:
            node: An rclpy node.
        """
        self._announcer = Announcer(node.get_logger())
        self._executor.add_node(node)

    def start(self) -> None:
        """Spin in a thread."""
        self._thread.start()

    def stop(self) -> None:
        """Finish the callback at hand and spin no longer."""
        self._stopping.set()
        self._executor.wake()
        if self._thread.ident is not None:
            self._thread.join()
        self._executor.shutdown()

    def _spin(self) -> None:
        while not self._stopping.is_set() and self._spin_once():
            pass

    def _spin_once(self) -> bool:
        """Serve what is ready; return whether to go on."""
        try:
            self._executor.spin_once(timeout_sec=_POLL_S)
        except rclpy.executors.ExternalShutdownException:
            return False
        except Exception as error:  # noqa: BLE001 - one callback that fails must not stop others.
            # rclpy itself raises here when a client asks for a lifecycle transition that the
            # node's state does not allow.
            self._announcer.repeatedly(
                f"callback {type(error).__name__}",
                f"a callback failed:\n{traceback.format_exc()}",
                "error",
            )
        return True
