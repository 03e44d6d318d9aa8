"""What a result was made from and with, so that it can be made again."""

from __future__ import annotations

import os
import platform
import subprocess
from dataclasses import asdict, dataclass
from datetime import datetime, timezone
from pathlib import Path

import numpy as np

import hand4d_ros
from hand4d_ros.replay.bags import BagReader


@dataclass(frozen=True)
class RunIdentity:
    """Identity of one run."""

    version: str
    commit: str
    """Of the source tree, ``+changes`` where it differs; ``unknown`` in an installation."""
    created: str
    """When this report was made, UTC."""
    mode: str
    """``live`` or ``offline``."""
    detector: str
    estimator: str
    """``model_id`` of the messages: method, hand model and weights."""
    input_bag: str
    input_sha256: str
    output_bag: str
    output_sha256: str
    machine: str
    software: str
    config: str
    """Settings of the pipeline as JSON; empty where they are not known."""

    def as_dict(self) -> dict[str, str]:
        """Return all fields by name."""
        return {key: str(value) for key, value in asdict(self).items()}


def identify(
    input_bag: Path, output_bag: Path, *, mode: str, detector: str, estimator: str, config: str = ""
) -> RunIdentity:
    """Describe a run on this machine, now.

    Raises:
        BagError: A bag cannot be read.
    """
    hashes = []
    for path in (input_bag, output_bag):
        with BagReader(path) as bag:
            hashes.append(bag.sha256())
    return RunIdentity(
        version=hand4d_ros.__version__,
        commit=commit(),
        created=datetime.now(tz=timezone.utc).strftime("%Y-%m-%d %H:%M UTC"),
        mode=mode,
        detector=detector,
        estimator=estimator,
        input_bag=input_bag.name,
        input_sha256=hashes[0],
        output_bag=output_bag.name,
        output_sha256=hashes[1],
        machine=machine(),
        software=f"Python {platform.python_version()}, numpy {np.__version__}",
        config=config,
    )


def commit() -> str:
    """Return the commit of the source tree that this package runs from, or ``unknown``."""
    root = Path(hand4d_ros.__file__).parent.parent
    if not (root / ".git").exists():
        return "unknown"
    try:
        head = _git(root, "rev-parse", "--short=12", "HEAD")
        return f"{head}+changes" if _git(root, "status", "--porcelain", "-uno") else head
    except (OSError, subprocess.SubprocessError):
        return "unknown"


def machine() -> str:
    """Return system, processor and number of cores in one line."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    return f"{platform.system()} {platform.machine()}, {_processor()}, {cores} cores"


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        lines = []
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor() or "unknown processor"


def _git(root: Path, *arguments: str) -> str:
    done = subprocess.run(
        ["git", "-C", str(root), *arguments],
        capture_output=True,
        text=True,
        timeout=10,
        check=True,
    )
    return done.stdout.strip()
