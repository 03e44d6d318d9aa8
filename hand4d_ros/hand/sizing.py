"""Hand shape from a few measured lengths: the maximum a posteriori shape and its spread.

The prior of MANO's shape coefficients is the standard normal; a measured length is linear in
them near the solution, so a few Gauss-Newton steps of the regularised least squares give shape
and covariance. What nothing measures keeps the population's spread.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from hand4d_ros.errors import HandModelError
from hand4d_ros.hand.model import HandModel
from hand4d_ros.hand.orders import OPENPOSE_KEYPOINTS
from hand4d_ros.shapes import Array, Float

HAND_LENGTH = "hand_length"
"""Name of the length from the wrist to the tip of the straight middle finger."""

MEASUREMENT_STD_M = 0.001
"""Standard deviation of a length measured with a ruler or by another tracker."""

CALIBRATION_FORMAT = "hand4d-calibration-1"

_PLAUSIBLE_M = (0.005, 0.30)
_STEP_M = 1e-3


@dataclass(frozen=True)
class HandSize:
    """Shape coefficients of one person's hand and what is not known about them."""

    betas: Float[Array, "10"]
    covariance: Float[Array, "10 10"]

    def relative_std(self, model: HandModel) -> float:
        """Return the standard deviation of the overall size, as a fraction of it."""
        gradient = _length_gradient(model, self.betas, HAND_LENGTH)
        length_m = model.with_shape(self.betas).hand_length_m
        return float(np.sqrt(gradient @ self.covariance @ gradient)) / length_m


def check_lengths(lengths_m: Mapping[str, float]) -> dict[str, float]:
    """Check names and values of measured lengths.

    Args:
        lengths_m: ``hand_length``, or ``"a-b"`` for the straight distance at rest between two
            OpenPose keypoints such as ``"wrist-middle_mcp"``, each in metres.

    Raises:
        HandModelError: A name is unknown or a length implausible.
    """
    for name, length_m in lengths_m.items():
        ends = name.split("-")
        if name != HAND_LENGTH and (len(ends) != 2 or not set(ends) <= set(OPENPOSE_KEYPOINTS)):
            msg = (
                f"unknown hand length {name!r}; give {HAND_LENGTH!r} or two of "
                f"{', '.join(OPENPOSE_KEYPOINTS)} joined by '-'"
            )
            raise HandModelError(msg)
        if not _PLAUSIBLE_M[0] <= length_m <= _PLAUSIBLE_M[1]:
            msg = f"{name} is {length_m} m; a hand has lengths of {_PLAUSIBLE_M} m. Give metres."
            raise HandModelError(msg)
    return {name: float(value) for name, value in lengths_m.items()}


def measured_length(model: HandModel, betas: Float[Array, "10"], name: str) -> float:
    """Return one named length (m) of a shaped hand; names as in ``check_lengths``."""
    hand = model.with_shape(betas)
    if name == HAND_LENGTH:
        return hand.hand_length_m
    keypoints = hand.keypoints(np.eye(4), np.zeros((15, 3)))
    a, b = (OPENPOSE_KEYPOINTS.index(end) for end in name.split("-"))
    return float(np.linalg.norm(keypoints[a] - keypoints[b]))


def _length_gradient(model: HandModel, betas: Float[Array, "10"], name: str) -> Float[Array, "10"]:
    steps = _STEP_M * np.eye(10)
    ahead = [measured_length(model, betas + step, name) for step in steps]
    behind = [measured_length(model, betas - step, name) for step in steps]
    return (np.array(ahead) - np.array(behind)) / (2.0 * _STEP_M)


def hand_size(
    model: HandModel,
    lengths_m: Mapping[str, float] | None = None,
    std_m: float = MEASUREMENT_STD_M,
) -> HandSize:
    """Return the most probable shape given some lengths, and its covariance.

    Args:
        model: Hand model of either side.
        lengths_m: Measured lengths; None or empty is the population's mean hand.
        std_m: Standard deviation of each measurement (m).

    Raises:
        HandModelError: A name is unknown or a length implausible.
    """
    lengths = check_lengths(lengths_m or {})
    betas = np.zeros(10)
    if not lengths:
        return HandSize(betas, np.eye(10))
    target = np.array(list(lengths.values()))
    information = np.eye(10)
    for _ in range(5):
        J = np.stack([_length_gradient(model, betas, name) for name in lengths])
        residual = target - [measured_length(model, betas, name) for name in lengths]
        information = np.eye(10) + J.T @ J / std_m**2
        betas = np.linalg.solve(information, J.T @ (residual + J @ betas) / std_m**2)
    return HandSize(betas, np.linalg.inv(information))


def load_calibration(path: str | Path) -> dict[str, float]:
    """Read the measured lengths of one person, as ``hand4d calibrate`` writes them.

    Raises:
        HandModelError: The file is missing, foreign or holds an implausible length.
    """
    try:
        content = json.loads(Path(path).read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        msg = f"cannot read hand calibration {path}: {error}; write one with `hand4d calibrate`"
        raise HandModelError(msg) from error
    if not isinstance(content, dict) or content.get("format") != CALIBRATION_FORMAT:
        msg = f"{path} is no hand calibration ({CALIBRATION_FORMAT}); see `hand4d calibrate`"
        raise HandModelError(msg)
    return check_lengths(content["lengths_m"])


def save_calibration(path: str | Path, lengths_m: Mapping[str, float], note: str = "") -> None:
    """Write the measured lengths of one person.

    Raises:
        HandModelError: A name is unknown or a length implausible.
        OSError: The file cannot be written.
    """
    content = {
        "format": CALIBRATION_FORMAT,
        "lengths_m": check_lengths(lengths_m),
        "note": note,
    }
    Path(path).write_text(json.dumps(content, indent=2) + "\n", encoding="utf-8")
