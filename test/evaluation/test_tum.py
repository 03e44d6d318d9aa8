"""TUM files: exact stamps, the right order of the quaternion, and errors that name the line."""

from __future__ import annotations

import inspect
from pathlib import Path

import numpy as np
import pytest

from hand4d_ros.errors import MetricError
from hand4d_ros.evaluation.tum import read_tum, write_tum
from hand4d_ros.geometry import so3
from hand4d_ros.geometry.se3 import from_rotation_translation

RNG = np.random.default_rng(13)
STAMPS = 1_700_000_000_123_456_789 + np.cumsum(RNG.integers(1, 10**8, size=30))
POSES = from_rotation_translation(so3.exp(RNG.normal(size=(30, 3))), RNG.normal(size=(30, 3)))


def test_round_trip_keeps_every_nanosecond(tmp_path: Path) -> None:
    """Stamps are equal, poses to a nanometre."""
    path = tmp_path / "wrist.tum"
    write_tum(path, STAMPS, POSES)
    stamps, poses = read_tum(path)
    np.testing.assert_array_equal(stamps, STAMPS)
    np.testing.assert_allclose(poses, POSES, atol=5e-9)


def test_a_line_is_in_the_documented_order(tmp_path: Path) -> None:
    """A quarter turn about z: seconds, metres, and the real part last."""
    path = tmp_path / "wrist.tum"
    quarter = from_rotation_translation(
        so3.exp(np.array([[0.0, 0.0, np.pi / 2]])), np.array([[1.0, 2.0, 3.0]])
    )
    write_tum(path, np.array([1_500_000_000]), quarter)
    numbers = [float(word) for word in path.read_text(encoding="ascii").splitlines()[1].split()]
    half = np.sqrt(0.5)
    np.testing.assert_allclose(numbers, [1.5, 1, 2, 3, 0, 0, half, half], atol=1e-9)


def test_foreign_files_are_read(tmp_path: Path) -> None:
    """Comments, commas, tabs, exponents and quaternions that are only nearly of length one."""
    path = tmp_path / "other.txt"
    path.write_text(
        "# made elsewhere\n\n1e-1, 0, 0, 0, 0, 0, 0, 2\n0.2\t1 2 3  0.70711 0 0 0.70711 # end\n",
        encoding="utf-8",
    )
    stamps, poses = read_tum(path)
    assert stamps.tolist() == [100_000_000, 200_000_000]
    np.testing.assert_allclose(poses[0], np.eye(4))
    np.testing.assert_allclose(poses[1, :3, :3], so3.exp(np.array([np.pi / 2, 0, 0])), atol=1e-9)


def test_missing_poses_are_left_out(tmp_path: Path) -> None:
    """The format has no NaN."""
    path = tmp_path / "wrist.tum"
    broken = POSES.copy()
    broken[[0, 7]] = np.nan
    write_tum(path, STAMPS, broken)
    np.testing.assert_array_equal(read_tum(path)[0], np.delete(STAMPS, [0, 7]))


def test_documented_raises_of_writing(tmp_path: Path) -> None:
    """Other lengths and stamps that do not rise."""
    path = tmp_path / "wrist.tum"
    with pytest.raises(MetricError, match="rise from line to line"):
        write_tum(path, STAMPS[::-1].copy(), POSES)
    with pytest.raises(MetricError, match="30 stamps for 29 poses"):
        inspect.unwrap(write_tum)(path, STAMPS, POSES[:-1])
    with pytest.raises(MetricError, match="non-negative"):
        write_tum(path, np.array([-1, 5]), POSES[:2])


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("# nothing\n", "holds no pose"),
        ("0 0 0 0 0 0 0 1\n1 2 3\n", r"x\.tum:2 has 3 values, expected 8"),
        ("0 0 0 zero 0 0 0 1\n", r"x\.tum:1 holds something that is no number"),
        ("now 0 0 0 0 0 0 1\n", "no number"),
        ("inf 0 0 0 0 0 0 1\n", "no number"),
        ("0 0 0 nan 0 0 0 1\n", "not finite"),
        ("0 0 0 0 0 0 0 0\n", "quaternion of zeros"),
        ("1 0 0 0 0 0 0 1\n0.5 0 0 0 0 0 0 1\n", "does not rise in time after pose 1"),
    ],
)
def test_documented_raises_of_reading(tmp_path: Path, text: str, message: str) -> None:
    """Whatever is no trajectory, by line where there is one."""
    path = tmp_path / "x.tum"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(MetricError, match=message):
        read_tum(path)


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    """And bytes that are no text."""
    with pytest.raises(MetricError, match=r"none\.tum cannot be read"):
        read_tum(tmp_path / "none.tum")
    path = tmp_path / "bytes.tum"
    path.write_bytes(b"\xff\xfe\x00")
    with pytest.raises(MetricError, match="cannot be read"):
        read_tum(path)
