"""Shape from measured lengths."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from hand4d_ros.errors import HandModelError
from hand4d_ros.hand import sizing
from hand4d_ros.hand.anthropometry import HAND_LENGTH_STD_M, MEAN_HAND_LENGTH_M
from hand4d_ros.hand.builtin import builtin_hand


def test_without_measurements_the_population() -> None:
    """Nothing measured: the mean hand with the population's relative spread of length."""
    size = sizing.hand_size(builtin_hand())
    assert not size.betas.any()
    assert size.relative_std(builtin_hand()) == pytest.approx(
        HAND_LENGTH_STD_M / MEAN_HAND_LENGTH_M, rel=0.15
    )


@pytest.mark.parametrize("length_m", [0.160, 0.183, 0.205])
def test_hand_length_is_met_and_known(length_m: float) -> None:
    """A measured hand length is reproduced, and little spread remains."""
    size = sizing.hand_size(builtin_hand(), {sizing.HAND_LENGTH: length_m})
    assert builtin_hand().with_shape(size.betas).hand_length_m == pytest.approx(length_m, abs=2e-4)
    assert size.relative_std(builtin_hand()) < 0.007


def test_one_bone_scales_the_hand() -> None:
    """The distance wrist to middle knuckle sets the overall size and keeps some doubt."""
    model = builtin_hand()
    mean_m = sizing.measured_length(model, np.zeros(10), "wrist-middle_mcp")
    size = sizing.hand_size(model, {"wrist-middle_mcp": 0.93 * mean_m})
    shaped = model.with_shape(size.betas)
    assert 0.92 < shaped.hand_length_m / model.with_shape().hand_length_m < 0.96
    assert 0.005 < size.relative_std(model) < 0.05


def test_more_measurements_leave_less_spread() -> None:
    """Every measured length lowers the posterior covariance of the shape."""
    model = builtin_hand()
    one = sizing.hand_size(model, {"wrist-middle_mcp": 0.09})
    two = sizing.hand_size(model, {"wrist-middle_mcp": 0.09, sizing.HAND_LENGTH: 0.18})
    assert np.linalg.eigvalsh(one.covariance - two.covariance).min() > -1e-4  # linearised apart


def test_calibration_file_round_trip(tmp_path: Path) -> None:
    """What is written is read back."""
    path = tmp_path / "me.json"
    sizing.save_calibration(path, {"hand_length": 0.19}, note="ruler")
    assert sizing.load_calibration(path) == {"hand_length": 0.19}


def test_refusals(tmp_path: Path) -> None:
    """Unknown names, wrong units and foreign files are refused with what to do."""
    with pytest.raises(HandModelError, match="unknown hand length 'palm'"):
        sizing.check_lengths({"palm": 0.1})
    with pytest.raises(HandModelError, match="Give metres"):
        sizing.check_lengths({"hand_length": 19.0})
    with pytest.raises(HandModelError, match="hand4d calibrate"):
        sizing.load_calibration(tmp_path / "absent.json")
    (tmp_path / "foreign.json").write_text('{"lengths_m": {}}')
    with pytest.raises(HandModelError, match="no hand calibration"):
        sizing.load_calibration(tmp_path / "foreign.json")
