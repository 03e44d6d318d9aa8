"""The paper's refinement (section 3.3): Adam on the reprojection of the lifted hands."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import torch
from torch import Tensor

from hand4d_ros.estimation.lifting.conditions import SeenKeypoints
from hand4d_ros.estimation.lifting.motion_vector import Hands, keypoints_from_hands
from hand4d_ros.nn.diffusion import masked_mean
from hand4d_ros.nn.hand_chain import HandChain
from hand4d_ros.nn.rotations import matrix_from_two_rows, two_rows_from_matrix
from hand4d_ros.settings import check
from hand4d_ros.shapes import Array, Bool, Float

_NEAREST_M = 0.05
"""Depth that projection does not go below, so that a hand behind the camera has a gradient."""
_NARROWEST = 0.1
"""Cosine from the optical axis below which a point on the image plane is too far out."""


@dataclass(frozen=True)
class RefineConfig:
    """The paper's settings; where to stop is the public code's."""

    iterations: int = field(default=1000, metadata={"min": 1, "max": 100_000})
    """At most."""
    learning_rate: float = field(default=0.01, metadata={"min": 1e-6, "max": 1.0})
    """Of Adam."""
    clip_norm: float = field(default=1.0, metadata={"min": 1e-3})
    """Largest norm of the gradient."""
    enough: float = field(default=1e-6, metadata={"min": 0.0})
    """Mean squared error, on the plane one metre before the camera, to stop at."""

    def __post_init__(self) -> None:
        """Reject values out of range."""
        check(self)


def refined_by_adam(
    hands: Hands,
    chain: HandChain,
    seen: SeenKeypoints,
    T_first_camera: Float[Array, "t 4 4"],
    marks: Float[Array, "21 21"],
    config: RefineConfig,
) -> Hands:
    """Return hands that agree better with the keypoints; a hand that was not seen stays.

    Args:
        hands: To start from, (t, …), in the first camera's frame.
        chain: The right hand.
        seen: Keypoints of every frame.
        T_first_camera: Camera poses; NaN where unknown, there nothing is refined.
        marks: What the detector marks, see ``detection.landmarks``.
        config: How long and how fast.
    """
    plane, counts = _targets(seen, T_first_camera)
    T = torch.as_tensor(np.nan_to_num(T_first_camera), dtype=torch.float32)
    combination = torch.as_tensor(marks.copy(), dtype=torch.float32)
    rows = two_rows_from_matrix(hands.rotations).clone().requires_grad_()
    wrist_m = hands.wrist_m.clone().requires_grad_()
    optimiser = torch.optim.Adam((rows, wrist_m), lr=config.learning_rate)
    for _ in range(config.iterations):
        points = keypoints_from_hands(chain, Hands(matrix_from_two_rows(rows), wrist_m))
        error = masked_mean((_projected(combination @ points, T) - plane).square(), counts)
        if error.item() <= config.enough:
            break
        optimiser.zero_grad()
        error.backward()  # type: ignore[no-untyped-call]
        torch.nn.utils.clip_grad_norm_((rows, wrist_m), config.clip_norm)
        optimiser.step()
    return Hands(matrix_from_two_rows(rows.detach()), wrist_m.detach())


def _targets(
    seen: SeenKeypoints, T_first_camera: Float[Array, "t 4 4"]
) -> tuple[Float[Tensor, "t 2 21 2"], Bool[Tensor, "t 2 21"]]:
    """Keypoints on the plane one metre before the camera, and which of them count."""
    depth = seen.bearings[..., 2:]
    inside = seen.valid & (depth[..., 0] > _NARROWEST)
    inside &= np.isfinite(T_first_camera).all((-1, -2))[:, None, None]
    plane = np.where(inside[..., None], seen.bearings[..., :2] / depth.clip(_NARROWEST), 0.0)
    return torch.as_tensor(plane, dtype=torch.float32), torch.as_tensor(inside)


def _projected(
    points_m: Float[Tensor, "t 2 21 3"], T: Float[Tensor, "t 4 4"]
) -> Float[Tensor, "t 2 21 2"]:
    """Points of the first camera's frame on the plane one metre before each camera."""
    local = (points_m - T[:, None, None, :3, 3]) @ T[:, None, :3, :3]
    return local[..., :2] / local[..., 2:].clamp(min=_NEAREST_M)
