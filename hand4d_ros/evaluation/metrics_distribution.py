"""How a set of motions or poses is spread, and how far two sets are apart.

These compare embeddings, one vector each; the embedding belongs to the figure, so the two that
this project uses are defined here.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from hand4d_ros.errors import MetricError
from hand4d_ros.evaluation.registry import MetricInfo, metric_info
from hand4d_ros.geometry import so3
from hand4d_ros.hand.orders import OPENPOSE_KEYPOINTS
from hand4d_ros.shapes import Array, Float

INDEX_MCP, MIDDLE_MCP, LITTLE_MCP = (
    OPENPOSE_KEYPOINTS.index(name) for name in ("index_mcp", "middle_mcp", "little_mcp")
)
BLOCK_ROWS = 256


def diversity(motions: Float[Array, "n d"]) -> float:
    """Mean distance between any two motions of a set, to be compared with the truth's own.

    The usual sampling of pairs is left out: all pairs give what it estimates.

    Formula:
        2 / (n (n - 1)) sum over i < j of |z_i - z_j|, z from `motion_embedding`
    Unit:
        1
    Alignment:
        none
    Better:
        closer to the truth's
    Source:
        ForeHand4D, Metrics (a) of quality and table 4 ("mean pairwise L2 distance (in the MANO
        space)"; its scaling of that space is not stated, so compare with the truth, not with the
        paper)

    Raises:
        MetricError: Fewer than two motions are given or one is not finite.
    """
    if len(motions) < 2 or not np.all(np.isfinite(motions)):
        msg = f"diversity: needs at least two finite motions, got {motions.shape}"
        raise MetricError(msg)
    total = 0.0
    for start in range(0, len(motions), BLOCK_ROWS):
        block = motions[start : start + BLOCK_ROWS]
        total += sum(float(np.linalg.norm(motions - row, axis=-1).sum()) for row in block)
    return total / (len(motions) * (len(motions) - 1))


def multimodality(samples: Float[Array, "n k d"]) -> float:
    """Mean distance between any two forecasts from the same input.

    Formula:
        mean over inputs n of the mean over pairs i < j of its samples of |z_ni - z_nj|
    Unit:
        1
    Alignment:
        none
    Better:
        higher
    Source:
        ForeHand4D, Metrics (b) of quality and table 4 ("mean pairwise L2 distance between 5
        samples per input")

    Raises:
        MetricError: No input is given, an input has fewer than two samples or one is not finite.
    """
    if len(samples) == 0:
        msg = "multimodality: no input given"
        raise MetricError(msg)
    return float(np.mean([diversity(of_input) for of_input in samples]))


def frechet_pose(truth: Float[Array, "n d"], estimate: Float[Array, "m d"]) -> float:
    """Frechet distance between two sets of hand poses.

    Dyn-HaMR embeds poses by a PointNet++ trained on licensed data, which no one else has. Here
    the embedding is written down: `pose_embedding` of one hand or `bimanual_embedding` of two.

    Formula:
        |mu_x - mu_y|^2 + tr(S_x + S_y - 2 (S_x^1/2 S_y S_x^1/2)^1/2)
    Unit:
        1
    Alignment:
        palm frame and palm length, per frame (in the embedding)
    Better:
        lower
    Source:
        Dyn-HaMR, supplement and table 6 (FID); Heusel et al., NeurIPS 2017; the figures of
        another embedding are not comparable

    Raises:
        MetricError: Dimensions differ, a set has fewer than two poses or one is not finite.
    """
    sets = (truth, estimate)
    if truth.shape[1] != estimate.shape[1] or min(map(len, sets)) < 2:
        msg = f"Frechet distance: {truth.shape} and {estimate.shape} must be (n >= 2, d) with one d"
        raise MetricError(msg)
    if not all(np.all(np.isfinite(each)) for each in sets):
        msg = "Frechet distance: an embedding holds NaN or infinity; leave its frame out"
        raise MetricError(msg)
    shift = truth.mean(axis=0) - estimate.mean(axis=0)
    truth_covariance, estimate_covariance = (np.cov(each, rowvar=False, ddof=1) for each in sets)
    truth_root = _symmetric_root(np.atleast_2d(truth_covariance))
    product = truth_root @ np.atleast_2d(estimate_covariance) @ truth_root
    # Rounding can leave eigenvalues just below zero where the covariance has lower rank.
    cross = np.sqrt(np.maximum(np.linalg.eigvalsh(product), 0.0)).sum()
    traces = float(np.trace(np.atleast_2d(truth_covariance))) + float(
        np.trace(np.atleast_2d(estimate_covariance))
    )
    return max(float(shift @ shift) + traces - 2.0 * float(cross), 0.0)


def motion_embedding(
    mano_pose: Float[Array, "*batch t h 48"], wrist_m: Float[Array, "*batch t h 3"]
) -> Float[Array, "*batch d"]:
    """The "MANO space" of diversity and multimodality, d = 99 t h.

    For each frame and hand: the first two rows of the 16 joints' rotation matrices (96 numbers,
    without unit) and the wrist's position in metres, all with weight one.

    Args:
        mano_pose: Axis-angle (rad) of the 16 joints, MANO order, absolute from the flat hand.
        wrist_m: Wrist positions in a frame that all compared motions share, such as the camera
            of the last observed image.
    """
    rotations = so3.exp(mano_pose.reshape(*mano_pose.shape[:-1], 16, 3))
    rows = rotations[..., :2, :].reshape(*mano_pose.shape[:-1], 96)
    stacked = np.concatenate([rows, wrist_m], axis=-1)
    return stacked.reshape(*stacked.shape[:-3], -1)


def pose_embedding(keypoints_m: Float[Array, "t 21 3"]) -> Float[Array, "t 60"]:
    """Pose of a hand apart from its place, orientation and size.

    The 20 keypoints other than the wrist, in the palm's axes (y from the wrist to the middle
    finger's knuckle, z off the plane of the index and little fingers' knuckles) and in units of
    that first distance.

    Args:
        keypoints_m: OpenPose order.

    Raises:
        MetricError: A palm has no size or lies on a line.
    """
    rotation, length_m = _palm(keypoints_m)
    offset = keypoints_m[:, 1:] - keypoints_m[:, :1]
    return np.asarray((offset @ rotation / length_m[:, None, None]).reshape(-1, 60))


def bimanual_embedding(
    left_m: Float[Array, "t 21 3"], right_m: Float[Array, "t 21 3"]
) -> Float[Array, "t 129"]:
    """Poses of both hands and how the right one lies in the left one's palm.

    Both `pose_embedding` vectors, the right wrist in the left palm's axes and units, and the
    first two rows of the rotation from the right palm to the left one.

    Args:
        left_m: Keypoints of the left hand, OpenPose order.
        right_m: Keypoints of the right hand in the same frame.

    Raises:
        MetricError: A palm has no size or lies on a line.
    """
    left_rotation, left_length_m = _palm(left_m)
    right_rotation, _ = _palm(right_m)
    wrist = np.einsum("tij,ti->tj", left_rotation, right_m[:, 0] - left_m[:, 0])
    turn = np.swapaxes(left_rotation, 1, 2) @ right_rotation
    return np.concatenate(
        [
            pose_embedding(left_m),
            pose_embedding(right_m),
            wrist / left_length_m[:, None],
            turn[:, :2].reshape(-1, 6),
        ],
        axis=1,
    )


def _palm(keypoints: Float[Array, "t 21 3"]) -> tuple[Float[Array, "t 3 3"], Float[Array, "t"]]:
    """Axes of the palm as columns, and the distance (m) from wrist to middle knuckle."""
    wrist = keypoints[:, 0]
    forward = keypoints[:, MIDDLE_MCP] - wrist
    normal = np.cross(keypoints[:, INDEX_MCP] - wrist, keypoints[:, LITTLE_MCP] - wrist)
    side = np.cross(forward, normal)
    length = np.linalg.norm(forward, axis=-1)
    if not np.all(np.linalg.norm(side, axis=-1) > 0.0):
        msg = "pose embedding: a palm has no size or lies on a line, so it has no axes"
        raise MetricError(msg)
    y = forward / length[:, None]
    x = side / np.linalg.norm(side, axis=-1, keepdims=True)
    return np.stack([x, y, np.cross(x, y)], axis=-1), length


def _symmetric_root(matrix: Float[Array, "d d"]) -> Float[Array, "d d"]:
    """Square root of a symmetric matrix without negative eigenvalues."""
    values, vectors = np.linalg.eigh(matrix)
    return np.asarray((vectors * np.sqrt(np.maximum(values, 0.0))) @ vectors.T)


DISTRIBUTION_METRICS: Mapping[str, MetricInfo] = {
    "diversity": metric_info(diversity),
    "multimodality": metric_info(multimodality),
    "frechet_pose": metric_info(frechet_pose),
}
