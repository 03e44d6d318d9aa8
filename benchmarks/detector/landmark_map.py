"""Fits what the detector marks on a hand, as combinations of the hand model's keypoints.

Each landmark is a keypoint plus shares of the ways to its neighbours along the bones, so that the
weights sum to one (``detection.landmarks``). The fit is robust (Cauchy weights), because what is
wanted is where the detector points when it is right.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from benchmarks.detector.matching import Matched
from hand4d_ros.detection.landmarks import LANDMARKS
from hand4d_ros.geometry import camera as cameras
from hand4d_ros.hand.orders import OPENPOSE_BONES, OPENPOSE_KEYPOINTS
from hand4d_ros.shapes import Array, Bool, Float
from hand4d_ros.synthetic.detector_view import FEATURES

_FAR_OFF = 0.1
"""Pictures whose median error is above this many sizes are left out: the detector was wrong."""
_SCALE = 0.03
"""Errors of this many sizes count half."""
_MOSTLY_OPEN = 0.4
"""Share of the keypoints that may be hidden, as those of bent fingers are by themselves."""
_EVERY = 10
_RIDGE = 1e-2
_STEPS = 20
_PARENT = {far: near for near, far in OPENPOSE_BONES}


@dataclass(frozen=True)
class MapFit:
    """A fitted map and what it is worth."""

    weights: Mapping[str, Mapping[str, float]]
    """For each landmark the weights of keypoints, which sum to one."""
    matrix: Float[Array, "21 21"]
    halves_differ: float
    """Largest difference of a weight between the fits to two halves of the pictures."""
    used: int
    """Pictures that were used."""
    error_joints: Float[Array, "21"]
    """Median error on the half that was not fitted, in sizes, if joints were marked."""
    error_fitted: Float[Array, "21"]
    """The same with the map that was fitted to the other half."""


def neighbours(keypoint: int) -> list[int]:
    """Keypoints that a landmark may be made of, itself first."""
    if keypoint == 0:
        return [0, 1, 5, 9, 13, 17]
    near = [keypoint, _PARENT[keypoint]]
    is_tip = keypoint % 4 == 0
    return near if is_tip else [*near, keypoint + 1]


def fitted_map(keypoints_px: Float[Array, "n 21 2"], marked_px: Float[Array, "n 21 2"]) -> MapFit:
    """Fit the map to pictures.

    Args:
        keypoints_px: The truth.
        marked_px: What the detector marked.
    """
    size = np.ptp(keypoints_px, axis=1).max(-1)[:, None, None]
    truth, marked = keypoints_px / size, marked_px / size
    good = np.median(np.linalg.norm(truth - marked, axis=-1), axis=1) < _FAR_OFF
    truth, marked = truth[good], marked[good]
    even = np.arange(len(truth)) % 2 == 0
    first, second = _solved(truth, marked, even), _solved(truth, marked, ~even)
    matrix = _solved(truth, marked, np.ones(len(truth), dtype=bool))
    return MapFit(
        as_weights(matrix),
        matrix,
        float(np.abs(first - second).max()),
        len(truth),
        map_error(np.eye(21), truth[~even], marked[~even]),
        map_error(first, truth[~even], marked[~even]),
    )


def map_error(
    matrix: Float[Array, "21 21"],
    truth: Float[Array, "n 21 2"],
    marked: Float[Array, "n 21 2"],
) -> Float[Array, "21"]:
    """Median error of each landmark.

    Args:
        matrix: Map from keypoints to landmarks.
        truth: Keypoints in sizes of the hand.
        marked: Landmarks in sizes of the hand.
    """
    expected = np.einsum("kj,njx->nkx", matrix, truth)
    return np.median(np.linalg.norm(marked - expected, axis=-1), axis=0)


def as_weights(matrix: Float[Array, "21 21"]) -> dict[str, dict[str, float]]:
    """Spell out a map, with two digits, as ``detection.landmarks`` does."""
    result = {}
    for keypoint, name in enumerate(OPENPOSE_KEYPOINTS):
        row = {j: round(float(matrix[keypoint, j]), 2) for j in neighbours(keypoint)}
        result[name] = {OPENPOSE_KEYPOINTS[j]: weight for j, weight in row.items() if weight}
    return result


def _solved(
    truth: Float[Array, "n 21 2"], marked: Float[Array, "n 21 2"], use: Bool[Array, "n"]
) -> Float[Array, "21 21"]:
    """Robust least squares for each landmark by itself."""
    matrix = np.eye(21)
    for keypoint in range(21):
        own, *others = neighbours(keypoint)
        ways = truth[use][:, others] - truth[use][:, [own]]
        a = ways.swapaxes(1, 2).reshape(-1, len(others))
        b = (marked[use][:, keypoint] - truth[use][:, keypoint]).ravel()
        weight = np.ones(len(b))
        shares = np.zeros(len(others))
        for _ in range(_STEPS):
            weighted = a * weight[:, None]
            square = weighted.T @ a + _RIDGE * np.eye(len(others))
            shares = np.linalg.solve(square, weighted.T @ b)
            weight = 1.0 / (1.0 + ((b - a @ shares) / _SCALE) ** 2)
        matrix[keypoint, others] = shares
        matrix[keypoint, own] = 1.0 - shares.sum()
    return matrix


def landmark_report(pictures: Sequence[tuple[Array, Array]]) -> dict[str, object]:
    """Fit the map, print it beside the one in the code, and return all figures.

    Args:
        pictures: Truth and marks (n, 21, 2) of several sources of pictures.
    """
    truth_px, marked_px = (np.concatenate(v) for v in zip(*pictures, strict=True))
    # Frames of one clip are alike; mixed, both halves hold all kinds.
    order = np.random.default_rng(0).permutation(len(truth_px))
    fit = fitted_map(truth_px[order], marked_px[order])
    committed = LANDMARKS["mediapipe"]
    size = np.ptp(truth_px, axis=1).max(-1)[:, None, None]
    errors = {
        "joints": map_error(np.eye(21), truth_px / size, marked_px / size),
        "committed": map_error(committed, truth_px / size, marked_px / size),
        "fitted": map_error(fit.matrix, truth_px / size, marked_px / size),
    }
    print(f"what the detector marks, on {fit.used} of {len(truth_px)} hands in the open")
    print("median error in percent of the hand's size if it marked: joints, what the code says,")
    print("what was fitted; then the weights in the code and the fitted ones")
    for k, name in enumerate(OPENPOSE_KEYPOINTS):
        shares = "".join(f"{100 * error[k]:6.1f}" for error in errors.values())
        print(f"  {name:11s}{shares}  {_spelled(committed[k])} | {_spelled(fit.matrix[k])}")
    means = {name: float(error.mean()) for name, error in errors.items()}
    print("  mean       " + "".join(f"{100 * mean:6.1f}" for mean in means.values()))
    print(
        f"  two halves of the pictures differ by {fit.halves_differ:.2f} in a weight at most; on "
        f"the other half, the error falls from {100 * fit.error_joints.mean():.1f} to "
        f"{100 * fit.error_fitted.mean():.1f}%"
    )
    return {
        "used": fit.used,
        "weights": fit.weights,
        "halves_differ": fit.halves_differ,
        "largest_difference_to_code": float(np.abs(fit.matrix - committed).max()),
        "mean_error": means,
        "error": {name: [float(e) for e in error] for name, error in errors.items()},
        "mean_error_on_other_half": {
            "joints": float(fit.error_joints.mean()),
            "fitted": float(fit.error_fitted.mean()),
        },
    }


def landmark_digest() -> str:
    """Return a short name of the map in the code, which changes with any of its weights."""
    rounded = np.round(LANDMARKS["mediapipe"], 4).tolist()
    return hashlib.sha256(json.dumps(rounded).encode()).hexdigest()[:16]


def open_hands(clips: Sequence[Matched]) -> tuple[Float[Array, "n 21 2"], Float[Array, "n 21 2"]]:
    """Return truth and marks of hands in clips that little hides, a few frames of each clip.

    Args:
        clips: What the detector said.
    """
    truth, marked = [], []
    for m in clips:
        px = cameras.project(m.clip.camera, m.clip.keypoints_m)
        features = m.views.features
        hidden = features[..., FEATURES.index("hidden")] < _MOSTLY_OPEN
        use = m.found & hidden & (features[..., FEATURES.index("outside")] == 0.0)
        use[np.arange(len(use)) % _EVERY != 0] = False
        truth.append(px[use])
        marked.append(m.report.keypoints_px[use])
    return np.concatenate(truth), np.concatenate(marked)


def _spelled(row: Float[Array, "21"]) -> str:
    parts = [f"{OPENPOSE_KEYPOINTS[j]} {row[j]:.2f}" for j in np.argsort(-np.abs(row))]
    return ", ".join(parts[: int((np.abs(row) >= 0.005).sum())])
