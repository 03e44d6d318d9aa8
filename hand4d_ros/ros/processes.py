"""A graph in, running processes out: what ``ros2 launch`` does, where it is not installed.

Output is passed on line by line, marked with the name of the process. Nothing is restarted: when
a process that is needed ends, all the others are asked to end too.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import IO

from hand4d_ros.errors import RosError
from hand4d_ros.ros.graph import MODULES, PACKAGE, NodeSpec

_POLL_S = 0.05
# As launch does: a node gets time to flush, then is asked less kindly.
_ESCALATION = ((signal.SIGINT, 10.0), (signal.SIGTERM, 5.0), (signal.SIGKILL, 5.0))


def command_of(spec: NodeSpec) -> list[str]:
    """Command that starts a process, as ``ros2 run`` would.

    Args:
        spec: The process. Nodes of this package run in this very interpreter's environment.

    Returns:
        Program and arguments.

    Raises:
        RosError: If another package's program is not installed.
    """
    if spec.package == PACKAGE:
        return [sys.executable, "-m", MODULES[spec.executable], *spec.command_line()]
    for prefix in filter(None, os.environ.get("AMENT_PREFIX_PATH", "").split(os.pathsep)):
        program = Path(prefix) / "lib" / spec.package / spec.executable
        if program.is_file():
            return [str(program), *spec.command_line()]
    raise RosError(
        f"{spec.executable} is not installed: on a robot, apt install "
        f"ros-$ROS_DISTRO-{spec.package.replace('_', '-')}; the ROS 2 wheels do not have it"
    )


def run_graph(specs: Sequence[NodeSpec]) -> int:
    """Run the processes of a graph until one that is needed ends or a signal comes.

    Args:
        specs: The processes.

    Returns:
        0 after SIGINT or SIGTERM or the end of a finite process, else the exit code of the
        process that ended, or 1 where that was 0.

    Raises:
        RosError: If a program is not installed; then nothing was started.
    """
    commands = [(spec, command_of(spec)) for spec in specs]
    with _stop_requests() as requests:
        running = [_Process(spec, command) for spec, command in commands]
        try:
            return _watch(running, requests)
        finally:
            _stop(running)


class _Process:
    """One child and the thread that passes its output on."""

    def __init__(self, spec: NodeSpec, command: list[str]) -> None:
        self.spec = spec
        # A session of its own, so that a ctrl-c in the terminal reaches it once: from here.
        self.child = subprocess.Popen(
            command,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            env={**os.environ, "PYTHONUNBUFFERED": "1"},
            start_new_session=True,
            text=True,
            errors="replace",
        )
        self._thread = threading.Thread(target=self._pass_on, args=(self.child.stdout,))
        self._thread.start()
        _say(spec.name, f"started, process {self.child.pid}")

    def _pass_on(self, stream: IO[str]) -> None:
        for line in stream:
            _say(self.spec.name, line.rstrip("\n"))

    def ended_within(self, timeout_s: float) -> bool:
        """Wait for the end of the child and return whether it came in time."""
        try:
            self.child.wait(max(timeout_s, 0.0))
        except subprocess.TimeoutExpired:
            return False
        return True

    def finish(self) -> None:
        """Wait for the last line of its output."""
        self._thread.join()


def _watch(running: Sequence[_Process], requests: list[int]) -> int:
    reported: set[str] = set()
    while not requests:
        for process in running:
            code = process.child.poll()
            if code is None or process.spec.name in reported:
                continue
            reported.add(process.spec.name)
            process.finish()
            _say(process.spec.name, f"ended with exit code {code}")
            if process.spec.role == "finite" and code == 0:
                return 0
            if process.spec.role != "optional":
                return abs(code) or 1
        time.sleep(_POLL_S)
    return 0


def _stop(running: Sequence[_Process]) -> None:
    """Ask all processes to end, kindly first."""
    for number, patience_s in _ESCALATION:
        alive = [process for process in running if process.child.poll() is None]
        for process in alive:
            process.child.send_signal(number)
        deadline_s = time.monotonic() + patience_s
        for process in alive:
            if not process.ended_within(deadline_s - time.monotonic()):
                _say(process.spec.name, f"does not end on {number.name}")
    for process in running:
        process.finish()


@contextmanager
def _stop_requests() -> Iterator[list[int]]:
    """Collect SIGINT and SIGTERM instead of dying of them."""
    requests: list[int] = []

    def remember(number: int, frame: FrameType | None) -> None:
        del frame
        requests.append(number)

    before = {number: signal.signal(number, remember) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield requests
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _say(name: str, line: str) -> None:
    sys.stdout.write(f"[{name}] {line}\n")
    sys.stdout.flush()
