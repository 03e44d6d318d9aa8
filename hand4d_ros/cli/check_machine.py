"""The checks of ``hand4d doctor`` on the machine: Python, compiler, processors, clock, disk."""

from __future__ import annotations

import ctypes
import os
import platform
import shutil
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

from hand4d_ros.cli.findings import Finding

GROUP = "Machine"
_FREE_BYTES = 2 * 10**9
_VECTOR_FLAGS = ("avx2", "avx512f", "avx512_bf16", "amx_bf16")
_UNSYNCHRONISED = 0x0040
"""STA_UNSYNC of adjtimex(2)."""
_TIMEX_BYTES = 1024
"""More than sizeof(struct timex), which is 208 on 64-bit Linux."""
_STATUS_OFFSET = 40
"""Of ``status`` in struct timex on 64-bit Linux: modes (padded), offset, freq, maxerror and
esterror come first, eight bytes each."""


def check_machine(folder: Path) -> Iterator[Finding]:
    """Look at what the nodes will run on.

    Args:
        folder: Where outputs will be written.
    """
    yield Finding(GROUP, "Python", "ok", f"{platform.python_version()}, {platform.platform()}")
    yield _compiler()
    yield _cpu()
    yield _gpu()
    yield _clock()
    yield _disk(folder)
    yield _shared_memory()


def _compiler() -> Finding:
    """Look for the C++ compiler that builds the messages."""
    path = shutil.which(os.environ.get("CXX", "c++"))
    if path is None:
        return Finding(
            GROUP,
            "C++ compiler",
            "note",
            "none; messages cannot be built again",
            "sudo apt-get install g++",
        )
    return Finding(GROUP, "C++ compiler", "ok", _first_line([path, "--version"]) or path)


def _cpu() -> Finding:
    """Name the processor, the cores that this process may use and the vector instructions."""
    fields = _cpu_fields()
    flags = fields.get("flags", "").split()
    vectors = [flag for flag in _VECTOR_FLAGS if flag in flags]
    cores = len(os.sched_getaffinity(0))
    name = fields.get("model name", platform.machine())
    value = f"{cores} cores of {name}, {', '.join(vectors) or 'no vector instructions known'}"
    if cores < 2:
        return Finding(
            GROUP, "CPU", "note", value, "two cores are needed for two hands at 30 frames a second"
        )
    return Finding(GROUP, "CPU", "ok", value)


def _cpu_fields() -> dict[str, str]:
    """Return the fields of the first processor in /proc/cpuinfo."""
    try:
        text = Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return {}
    first = text.split("\n\n", 1)[0]
    pairs = (line.partition(":") for line in first.splitlines())
    return {key.strip(): value.strip() for key, _, value in pairs}


def _gpu() -> Finding:
    """Ask the NVIDIA driver, which needs no library, for its devices."""
    tool = shutil.which("nvidia-smi")
    if tool is None:
        return Finding(GROUP, "GPU", "ok", "no NVIDIA driver; none is needed")
    query = [tool, "--query-gpu=name,driver_version,memory.total", "--format=csv,noheader"]
    device = _first_line(query)
    if device is None:
        return Finding(
            GROUP, "GPU", "note", "the NVIDIA driver does not answer", "type nvidia-smi to see why"
        )
    return Finding(GROUP, "GPU", "ok", device)


def _first_line(command: list[str]) -> str | None:
    """Return the first line that a command prints, None where it fails or prints nothing."""
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=10, check=True)
    except (OSError, subprocess.SubprocessError):
        return None
    return next(iter(done.stdout.splitlines()), None)


def _clock() -> Finding:
    """Ask the kernel whether anything disciplines the clock.

    Stamps of a camera on another machine, or with a clock of its own, are only comparable to
    ours when both follow one time.
    """
    step_s = time.get_clock_info("monotonic").resolution
    value = f"monotonic clock in steps of {step_s * 1e9:.0f} ns"
    synchronised = clock_is_synchronised()
    if synchronised is None:
        return Finding(GROUP, "clock", "ok", f"{value}; synchronisation unknown")
    if synchronised:
        return Finding(GROUP, "clock", "ok", f"{value}; synchronised")
    return Finding(
        GROUP,
        "clock",
        "note",
        f"{value}; not synchronised",
        "sudo apt-get install chrony, if camera or odometry come from another machine",
    )


def clock_is_synchronised() -> bool | None:
    """Return whether the kernel holds its clock synchronised, None where it does not say.

    Source: adjtimex(2), which any user may call to read.
    """
    try:
        libc = ctypes.CDLL(None, use_errno=True)
        timex = (ctypes.c_byte * _TIMEX_BYTES)()
        if libc.adjtimex(ctypes.byref(timex)) < 0:
            return None
    except (OSError, AttributeError):
        return None
    status = ctypes.c_int.from_buffer(timex, _STATUS_OFFSET).value
    return not status & _UNSYNCHRONISED


def _disk(folder: Path) -> Finding:
    """Look for room and permission where outputs will go."""
    existing = folder
    while not existing.exists():
        existing = existing.parent
    free = shutil.disk_usage(existing).free
    value = f"{free / 1e9:.1f} GB free at {existing}"
    if not os.access(existing, os.W_OK):
        advice = "start in a folder that you may write to, or name one with --out"
        return Finding(GROUP, "disk", "note", f"{existing} is read-only", advice)
    if free < _FREE_BYTES:
        return Finding(GROUP, "disk", "note", value, "a minute of raw 640x480 images takes 1.7 GB")
    return Finding(GROUP, "disk", "ok", value)


def _shared_memory() -> Finding:
    """Look at /dev/shm, through which Fast DDS passes images between processes."""
    place = Path("/dev/shm")  # noqa: S108  This is the system's name for it, not a file of ours.
    if not place.is_dir() or not os.access(place, os.W_OK):
        return Finding(
            GROUP, "shared memory", "note", "none", "start the container with --shm-size=512m"
        )
    size = shutil.disk_usage(place).total
    if size < 256 * 2**20:
        return Finding(
            GROUP,
            "shared memory",
            "note",
            f"{size >> 20} MiB, little for raw images",
            "start the container with --shm-size=512m",
        )
    return Finding(GROUP, "shared memory", "ok", f"{size >> 20} MiB")
