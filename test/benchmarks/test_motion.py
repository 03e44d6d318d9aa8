"""The comparison of motion: measures on motion that is known, and the way it skips."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from benchmarks.motion import (
    RATE_HZ,
    Args,
    Stretch,
    bends_deg,
    figures_of,
    main,
    moves_of,
    recorded,
    slope,
)
from hand4d_ros.datasets.real import RealRecordings
from hand4d_ros.hand.biomechanics import Anatomy
from hand4d_ros.hand.builtin import builtin_hand
from hand4d_ros.shapes import Array, Float
from hand4d_ros.synthetic.postures import posture
from hand4d_ros.types import Side


def keypoints(bend_deg: float) -> Float[Array, "21 3"]:
    """Return a right hand whose middle joints are bent."""
    anatomy = Anatomy(builtin_hand().with_shape())
    angles = posture(((0.0, bend_deg, 0.0),) * 4, (0.0,) * 6)
    local = anatomy.local_rotations(angles)
    return np.asarray(anatomy.hand.chain(np.eye(3), np.zeros(3), local).keypoints_m)


def test_bends_are_those_of_the_joints_on_both_sides() -> None:
    """A middle joint bent further by 40 degrees reads 40 more; a mirrored hand reads the same."""
    points = np.stack([keypoints(10.0), keypoints(50.0)])
    right = bends_deg(Stretch(Side.RIGHT, points))
    np.testing.assert_allclose(np.diff(right["middle joint"], axis=0), 40.0, atol=3.0)
    left = bends_deg(Stretch(Side.LEFT, points * [-1.0, 1.0, 1.0]))
    for name, values in right.items():
        np.testing.assert_allclose(left[name], values, atol=1e-9)


def test_a_swinging_hand_has_its_speed_and_frequency() -> None:
    """A sine of 2 Hz and 5 cm gives its peak speed and its line in the spectrum."""
    t = np.arange(0.0, 8.0, 1 / RATE_HZ)
    shift = np.zeros((len(t), 1, 3))
    shift[:, 0, 0] = 0.05 * np.sin(2 * np.pi * 2.0 * t)
    moves = moves_of([Stretch(Side.RIGHT, keypoints(20.0) + shift)])
    assert moves.speed_m_s.max() == pytest.approx(0.05 * 4 * np.pi, rel=0.03)
    assert moves.frequency_hz[np.argmax(moves.velocity_psd)] == pytest.approx(2.0, abs=0.6)
    assert figures_of(moves)["middle_joint_range_deg"] == pytest.approx(0.0, abs=8.0)


def test_slope_of_a_power_law() -> None:
    """The exponent of a power law is found."""
    frequency_hz = np.linspace(0.5, 30.0, 60)
    assert slope(frequency_hz, 3.0 * frequency_hz**-2.5) == pytest.approx(-2.5, abs=1e-9)


def test_without_the_recordings_it_says_so(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Nothing is written and the exit status is that of success."""
    monkeypatch.setenv("HAND4D_REAL_DATA", str(tmp_path / "nothing"))
    assert main(Args(figure=tmp_path / "figure.png")) == 0
    assert "skipped" in capsys.readouterr().out
    assert not (tmp_path / "figure.png").exists()


def test_recordings_are_cut_into_whole_stretches(real_data: Path) -> None:
    """Every stretch is long enough and whole; both sides occur."""
    stretches = list(recorded(RealRecordings(real_data)))
    assert {stretch.side for stretch in stretches} == set(Side)
    for stretch in stretches:
        assert len(stretch.keypoints_m) >= 64
        assert bool(np.isfinite(stretch.keypoints_m[:, 1:]).all())
