"""Every fault of the odometry: alone, of the right size, and off when it is off."""

from __future__ import annotations

import numpy as np
import pytest

from hand4d_ros.errors import ConfigError
from hand4d_ros.geometry import se3, so3
from hand4d_ros.shapes import Array, Float
from hand4d_ros.synthetic.odometry_noise import OdometryNoise, OdometryRecord, noisy_odometry

SECONDS = 20.0


def _true(t_s: Float[Array, " n"]) -> Float[Array, "n 4 4"]:
    """Walk in a circle, turning."""
    angle = 0.3 * t_s
    place = np.stack((np.cos(angle), np.sin(angle), 0.1 * t_s), -1)
    return se3.from_rotation_translation(
        so3.exp(np.stack((0 * angle, 0.1 * angle, angle), -1)), place
    )


def _record(**faults: float) -> OdometryRecord:
    return noisy_odometry(_true, SECONDS, OdometryNoise(**{"rate_hz": 100.0, **faults}))  # type: ignore[arg-type]


def test_without_faults_it_is_the_truth() -> None:
    """All switches off: the true poses, at the rate, covering the whole time."""
    record = _record()
    np.testing.assert_allclose(record.T_odom_base, _true(record.t_s), atol=1e-12)
    np.testing.assert_array_equal(record.arrival_s, record.t_s)
    np.testing.assert_allclose(np.diff(record.t_s), 0.01, atol=1e-9)
    assert record.t_s[0] == 0.0
    assert record.t_s[-1] > SECONDS


def test_white_noise_has_its_deviation() -> None:
    """Position and rotation scatter about the truth as asked for."""
    record = _record(position_std_m=0.01, rotation_std_deg=0.5)
    error = se3.inverse(_true(record.t_s)) @ record.T_odom_base
    assert error[:, :3, 3].std() == pytest.approx(0.01, rel=0.05)
    assert so3.log(error[:, :3, :3]).std() == pytest.approx(np.deg2rad(0.5), rel=0.05)


def test_scale_stretches_the_path_about_its_start() -> None:
    """Every distance travelled has the factor; rotations keep."""
    record, true = _record(scale=1.3), _true(_record().t_s)
    expected = true[0, :3, 3] + 1.3 * (true[:, :3, 3] - true[0, :3, 3])
    np.testing.assert_allclose(record.T_odom_base[:, :3, 3], expected, atol=1e-9)
    np.testing.assert_allclose(record.T_odom_base[:, :3, :3], true[:, :3, :3], atol=1e-12)


def test_drift_grows_with_the_root_of_time() -> None:
    """Over many seeds the position's deviation after t seconds is drift times root t."""
    ends = [
        _record(drift_m_per_sqrt_s=0.02, seed=seed).T_odom_base[-1, :3, 3] for seed in range(60)
    ]
    off = np.stack(ends) - _true(np.array([_record().t_s[-1]]))[0, :3, 3]
    assert off.std() == pytest.approx(0.02 * np.sqrt(SECONDS), rel=0.2)


def test_heading_drift_keeps_the_distance_travelled() -> None:
    """Turning the heading bends the path but does not stretch its steps."""
    record = _record(drift_deg_per_sqrt_s=3.0)
    steps = np.linalg.norm(np.diff(record.T_odom_base[:, :3, 3], axis=0), axis=-1)
    true = np.linalg.norm(np.diff(_true(record.t_s)[:, :3, 3], axis=0), axis=-1)
    np.testing.assert_allclose(steps, true, rtol=1e-6)
    assert np.abs(record.T_odom_base[-1] - _true(record.t_s)[-1]).max() > 0.01


def test_latency_delays_the_arrival_only() -> None:
    """Stamps and poses stay those of the instant."""
    record = _record(latency_s=0.04)
    np.testing.assert_allclose(record.arrival_s - record.t_s, 0.04)
    np.testing.assert_array_equal(record.T_odom_base, _record().T_odom_base)


def test_gaps_leave_poses_out() -> None:
    """Silence lasts as long as asked for, and what is heard is untouched."""
    record = _record(gaps_per_s=0.3, gap_s=0.5)
    longest = np.diff(record.t_s).max()
    assert longest >= 0.5
    assert len(record.t_s) < len(_record().t_s)
    np.testing.assert_allclose(record.T_odom_base, _true(record.t_s), atol=1e-12)


def test_jumps_stay() -> None:
    """Each jump has its length and shifts everything after it."""
    record = _record(jumps_per_s=0.2, jump_m=0.5)
    off = record.T_odom_base[:, :3, 3] - _true(record.t_s)[:, :3, 3]
    steps = np.linalg.norm(np.diff(off, axis=0), axis=-1)
    jumps = steps[steps > 1e-9]
    assert len(jumps) >= 1
    np.testing.assert_allclose(jumps, 0.5, rtol=1e-6)


def test_faults_have_streams_of_their_own() -> None:
    """Switching one fault on leaves the noise of another as it was."""
    alone = _record(position_std_m=0.01)
    both = _record(position_std_m=0.01, rotation_std_deg=1.0, gaps_per_s=0.2)
    kept = np.isin(alone.t_s, both.t_s)
    np.testing.assert_array_equal(alone.T_odom_base[kept, :3, 3], both.T_odom_base[:, :3, 3])


@pytest.mark.parametrize(
    ("field", "value"), [("rate_hz", 0.0), ("scale", -1.0), ("gap_s", float("nan")), ("seed", -1)]
)
def test_impossible_faults_are_refused(field: str, value: float) -> None:
    """The message names the field."""
    with pytest.raises(ConfigError, match=field):
        OdometryNoise(**{field: value})  # type: ignore[arg-type]
