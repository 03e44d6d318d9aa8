"""The camera's expected path: exact where the odometry is, smooth and unbiased where it is not."""

from __future__ import annotations

import numpy as np

from hand4d_ros.geometry import se3, so3
from hand4d_ros.shapes import Array
from hand4d_ros.tracking.dynhamr.odometry import expected_path

STAMPS_NS = (np.arange(128) * 33_333_333).astype(np.int64)
KNOWN = np.ones(128, dtype=bool)


def swaying() -> Array:
    """Poses of a head that sways by five centimetres."""
    phase = 2.0 * np.pi * 0.6 * STAMPS_NS * 1e-9
    centre = 0.05 * np.stack((np.sin(phase), np.cos(1.3 * phase), 0.5 * np.sin(0.7 * phase)), 1)
    return se3.from_rotation_translation(so3.exp(0.1 * centre), centre)


def travel(T: Array) -> Array:
    """Steps of the camera's centre."""
    return np.diff(T[:, :3, 3], axis=0)


def test_a_perfect_odometry_stays_as_it_is() -> None:
    """To a tenth of a millimetre, and its scale is certain."""
    path = expected_path(swaying(), KNOWN, STAMPS_NS, 8.0, 20.0)
    np.testing.assert_allclose(path.T_world_camera, swaying(), atol=1e-4)
    assert path.relative_std < 0.01


def test_drift_no_longer_looks_like_travel() -> None:
    """Steps of the true camera regressed on those of the path: near 1, clearly less before."""
    rng = np.random.default_rng(0)
    noisy = swaying()
    noisy[:, :3, 3] += np.cumsum(rng.normal(0.0, 0.0015, (128, 3)), axis=0)
    noisy[:, :3, 3] += rng.normal(0.0, 0.001, (128, 3))
    path = expected_path(noisy, KNOWN, STAMPS_NS, 8.0, 20.0)
    true = travel(swaying())

    def slope(T: Array) -> float:
        return float((true * travel(T)).sum() / np.square(travel(T)).sum())

    assert slope(noisy) < 0.87
    assert 0.94 < slope(path.T_world_camera) < 1.06
    assert 0.005 < path.relative_std < 0.2


def test_a_silence_is_crossed_smoothly_and_its_ends_hold() -> None:
    """Ten frames without a pose in between; before the first and after the last one it stays."""
    known = KNOWN.copy()
    known[:5] = known[60:70] = known[120:] = False
    told = swaying()
    told[~known] = np.eye(4)
    path = expected_path(told, known, STAMPS_NS, 8.0, 20.0).T_world_camera
    np.testing.assert_allclose(path[60:70, :3, 3], swaying()[60:70, :3, 3], atol=0.004)
    np.testing.assert_allclose(path[:5], path[5:6].repeat(5, axis=0))
    np.testing.assert_allclose(path[120:], path[119:120].repeat(8, axis=0))
