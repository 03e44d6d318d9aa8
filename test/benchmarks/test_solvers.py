"""The benchmark of the solvers, on a clip short enough for a test."""

from __future__ import annotations

import numpy as np
import pytest
from dynhamr_samples import shot

from benchmarks import solvers
from hand4d_ros.evaluation.clips import Clip


def test_all_solvers_are_compared_from_one_start(capsys: pytest.CaptureFixture[str]) -> None:
    """A line each, and ours ends lower than where it began."""
    sample = shot(10)
    poses = [f.T_world_camera for f in sample.frames if f.T_world_camera is not None]
    clip = Clip(
        name="table",
        stamps_ns=np.array([frame.stamp_ns for frame in sample.frames]),
        camera=sample.frames[0].camera,
        detections=sample.detections,
        T_world_camera=np.stack(poses),
    )
    solvers.compare(clip, iterations=2, adam=True)
    lines = {line.split("  ")[0]: line.split() for line in capsys.readouterr().out.splitlines()}
    ours, lbfgs = "Gauss-Newton, banded, to 1e-6", "L-BFGS, strong Wolfe"
    energy = {name: float(lines[name][-3]) for name in ("start", ours, lbfgs, "Adam")}
    assert energy[ours] < energy["start"]
    assert energy[ours] <= 1.001 * min(energy[lbfgs], energy["Adam"])
